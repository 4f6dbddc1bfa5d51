"""Billing History as CSV."""

import csv
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import Account
from accounts.tests.factories import NOW, make_account
from invoices import charging
from invoices.charging import NewLine
from invoices.exports import HEADER, transactions_csv
from invoices.models import Purpose, Status, Transaction
from invoices.tests.factories import LineSpec, make_transaction

pytestmark = pytest.mark.django_db

MUSCAT = ZoneInfo("Asia/Muscat")


@pytest.fixture
def account() -> Account:
    return make_account()


def rows_of(account: Account) -> list[dict[str, str]]:
    """Return the export of an account's history, parsed again."""
    queryset = Transaction.objects.filter(account=account).order_by("number")
    return list(csv.DictReader(transactions_csv(queryset, timezone=MUSCAT)))


def test_each_transaction_is_one_row_of_plain_values(account: Account) -> None:
    make_transaction(
        account,
        number="T-1",
        receipt_number="BT-000042",
        purpose=Purpose.RENEWAL,
        created_at=datetime(2026, 11, 23, 21, 5, 7, 123456, tzinfo=UTC),
        lines=[
            LineSpec(description="Growth plan", amount=Decimal("1091.50")),
            LineSpec(description='Numbers, "toll-free"', amount=Decimal("7.50")),
        ],
    )

    assert rows_of(account) == [
        {
            "Number": "T-1",
            "Receipt number": "BT-000042",
            "Date": "2026-11-24T01:05:07+04:00",
            "Purpose": "Renewal",
            "Description": 'Growth plan; Numbers, "toll-free"',
            "Status": "Paid",
            "Net USD": "1099.00",
            "Tax %": "0",
            "Tax USD": "0.00",
            "Amount USD": "1099.00",
            "Charged OMR": "423.120",
            "Rate": "0.385",
            "Card": "Visa 4242",
            "Failure": "",
            "Refunded USD": "0.00",
            "Dispute": "",
        }
    ]


def test_tax_has_columns_of_its_own(account: Account, settings: Settings) -> None:
    settings.CHARGE_TAX = True
    account.country = "OM"
    charging.open_transaction(
        account=account,
        purpose=Purpose.TOP_UP,
        lines=[NewLine("Credit top-up", Decimal(25))],
        status=Status.CHECKOUT,
        now=NOW,
    )

    (row,) = rows_of(account)

    assert (row["Net USD"], row["Tax %"], row["Tax USD"]) == ("25.00", "5", "1.25")
    assert (row["Amount USD"], row["Charged OMR"]) == ("26.25", "10.110")
    assert row["Description"] == "Credit top-up"


def test_a_failed_one_says_why_and_an_unfinished_one_has_no_card(account: Account) -> None:
    make_transaction(account, number="T-1", status=Status.FAILED)
    make_transaction(account, number="T-2", status=Status.CHECKOUT, card_brand="", card_last4="")

    failed, checkout = rows_of(account)

    assert (failed["Status"], failed["Failure"]) == ("Failed", "Your card has insufficient funds.")
    assert (checkout["Status"], checkout["Card"], checkout["Receipt number"]) == (
        "Checkout",
        "",
        "",
    )


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_a_cell_is_never_a_formula(account: Account, start: str) -> None:
    formula = f"{start}cmd|' /C calc'!A0"
    make_transaction(
        account,
        number=f"{start}T1",
        status=Status.FAILED,
        failure_message=formula,
        lines=[LineSpec(description=formula, amount=Decimal(1))],
    )

    (row,) = rows_of(account)

    assert row["Description"] == f"'{formula}"
    assert row["Failure"] == f"'{formula}"
    assert row["Number"] == f"'{start}T1"


def test_an_empty_history_is_the_header_alone(account: Account) -> None:
    exported = list(transactions_csv(Transaction.objects.none(), timezone=MUSCAT))

    assert exported == [",".join(map(str, HEADER)) + "\r\n"]


def test_any_number_of_transactions_takes_one_query(
    account: Account, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for count in (1, 9):
        for _ in range(count):
            make_transaction(account)
        queryset = Transaction.objects.filter(account=account)
        with django_assert_num_queries(1):
            list(transactions_csv(queryset, timezone=MUSCAT))
