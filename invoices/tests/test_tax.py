"""Tax on top of net prices: by country, once, fixed with the transaction (point 13)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.db import transaction as database
from djmoney.money import Money
from pytest_django import Settings

from accounts.models import Account, Card
from accounts.money import usd
from accounts.tests.factories import NOW, make_account
from accounts.tests.stripe_side import payments
from invoices import charging, tax
from invoices.charging import NewLine
from invoices.models import Line, Purpose, Status, Transaction
from wallet.tests.factories import make_payer

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _tax_is_on(settings: Settings) -> None:
    settings.CHARGE_TAX = True
    settings.TAX_RATES = {"OM": Decimal(5), "DE": Decimal(19)}


def open_page(account: Account, *amounts: str) -> Transaction:
    """Open a transaction whose lines are `amounts`."""
    return charging.open_transaction(
        account=account,
        purpose=Purpose.TOP_UP,
        lines=[NewLine("Credit top-up", Decimal(amount)) for amount in amounts],
        status=Status.CHECKOUT,
        now=NOW,
    )


def lines_of(transaction: Transaction) -> list[tuple[str, Decimal]]:
    return [(line.description, line.amount.amount) for line in transaction.lines.all()]


@pytest.mark.parametrize(
    ("country", "net", "rate", "added", "amount", "rials"),
    [
        ("OM", "25.00", "5", "1.25", "26.25", "10.110"),  # 10.10625 to the nearest 10 baisa
        ("OM", "10.00", "5", "0.50", "10.50", "4.040"),  # 4.0425
        ("OM", "0.90", "5", "0.05", "0.95", "0.370"),  # 0.045: half a cent goes up
        ("OM", "0.89", "5", "0.04", "0.93", "0.360"),  # 0.0445
        ("DE", "99.00", "19", "18.81", "117.81", "45.360"),
        ("IN", "25.00", "0", "0", "25.00", "9.630"),
        ("", "25.00", "0", "0", "25.00", "9.630"),
    ],
)
def test_what_a_net_amount_comes_to(
    country: str, net: str, rate: str, added: str, amount: str, rials: str
) -> None:
    account = make_account(country=country)
    price = charging.quote(Decimal(net), account=account)
    assert (price.net, price.tax_rate, price.tax) == (Decimal(net), Decimal(rate), Decimal(added))
    assert price.amount == Decimal(amount)
    assert price.charged_amount == Money(Decimal(rials), "OMR")
    opened = open_page(account, net)
    opened.refresh_from_db()
    assert opened.charged_amount == price.charged_amount
    assert (opened.amount.amount, opened.tax_amount.amount) == (price.amount, price.tax)
    assert (opened.net_amount.amount, opened.tax_rate) == (price.net, price.tax_rate)


def test_tax_is_a_line_of_its_own_on_the_sum_of_the_others() -> None:
    opened = open_page(make_account(country="OM"), "0.90", "0.90")
    # 0.045 and 0.045 would be ten cents; the sum of 1.80 has nine.
    assert lines_of(opened) == [
        ("Credit top-up", Decimal("0.90")),
        ("Credit top-up", Decimal("0.90")),
        ("VAT 5 %", Decimal("0.09")),
    ]
    assert opened.amount == usd("1.89")


def test_a_rate_is_written_without_trailing_zeros(settings: Settings) -> None:
    assert tax.label(Decimal("5.00")) == "VAT 5 %"
    settings.TAX_NAME = "GST"
    assert tax.label(Decimal("7.50")) == "GST 7.5 %"


def test_nobody_pays_tax_while_it_is_off(settings: Settings) -> None:
    settings.CHARGE_TAX = False
    opened = open_page(make_account(country="OM"), "25")
    assert (opened.amount, opened.tax_rate, opened.tax_amount) == (usd(25), 0, usd(0))
    assert lines_of(opened) == [("Credit top-up", Decimal(25))]


def test_a_change_of_country_or_rate_touches_only_what_is_opened_afterwards(
    settings: Settings, add_card: Callable[..., Card]
) -> None:
    account = make_payer(add_card, country="OM")
    opened = charging.open_transaction(
        account=account,
        purpose=Purpose.TOP_UP,
        lines=[NewLine("Credit top-up", Decimal(25))],
        status=Status.PROCESSING,
        card=account.cards.get(),
        now=NOW,
    )
    settings.TAX_RATES = {"OM": Decimal(10), "DE": Decimal(19)}
    Account.objects.filter(pk=account.pk).update(country="DE")
    account.refresh_from_db()
    paid = charging.execute(transaction_id=opened.pk, now=NOW)
    assert (paid.status, paid.tax_rate, paid.amount) == (Status.PAID, 5, usd("26.25"))
    [payment] = payments(transaction=paid.number)
    assert payment.amount_received == 10110
    assert open_page(account, "25").amount == usd("29.75")


@pytest.mark.parametrize("change", [{"tax_rate": 10}, {"tax_amount": usd("2.50")}])
def test_the_database_refuses_to_change_the_tax_of_a_transaction(change: dict[str, Any]) -> None:
    opened = open_page(make_account(country="OM"), "25")
    with pytest.raises(IntegrityError, match="fixed when it is opened"), database.atomic():
        Transaction.objects.filter(pk=opened.pk).update(**change)


def test_the_database_refuses_a_tax_that_does_not_follow_from_its_rate() -> None:
    with pytest.raises(IntegrityError, match="tax_follows_from_the_rate"), database.atomic():
        Transaction.objects.create(
            account=make_account(),
            number="T-1",
            purpose=Purpose.TOP_UP,
            status=Status.CHECKOUT,
            amount=usd("26.25"),
            tax_rate=5,
            tax_amount=usd("1.24"),
            charged_amount=Money(Decimal("10.110"), "OMR"),
            exchange_rate=Decimal("0.385"),
            created_at=NOW,
        )


def test_the_database_refuses_lines_whose_tax_is_not_the_transactions() -> None:
    opened = open_page(make_account(country="OM"), "25")
    with pytest.raises(IntegrityError, match="of tax, not"), database.atomic():
        call_the_tax_a_price(opened)


def call_the_tax_a_price(opened: Transaction) -> None:
    Line.objects.filter(transaction=opened, is_tax=True).update(is_tax=False)
    Transaction.objects.filter(pk=opened.pk).update(status=Status.PROCESSING)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
