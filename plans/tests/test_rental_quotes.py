"""Rentals: what was shown is what is charged, to the cent."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from pytest_django import Settings

from accounts.models import Account, Card
from plans import quotes, rental_changes, rentals
from plans.rental_changes import ChangeKind
from plans.tests.subscribers import (
    feature,
    make_subscriber,
)
from plans.tests.test_rentals import held, hold

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.django_db

#: A period of 30 days: 1 to 30 November 2026.
START = datetime(2026, 11, 1, tzinfo=UTC)
END = datetime(2026, 12, 1, tzinfo=UTC)
HALFWAY = datetime(2026, 11, 16, tzinfo=UTC)
AddCard = Callable[..., Card]


@pytest.fixture
def alice(add_card: AddCard) -> Account:
    """On growth since 1 November: 2 numbers, 3 seats and 10 slots are included."""
    return make_subscriber(add_card, "growth", now=START)


# What was shown is what is charged ------------------------------------------------------------
def quoted(account: Account, quantity: int, now: datetime) -> quotes.Agreed:
    """Return what the customer agrees to who looked at the page at `now`."""
    number = feature("phone_number")
    change = rentals.preview(account=account, feature=number, quantity=quantity, now=now)
    subject = rental_changes.subject(feature=number, quantity=quantity)
    token = quotes.sign(account=account, subject=subject, price=change.price, moment=now)
    return quotes.read(token, account=account, subject=subject, now=now)


def test_what_is_charged_is_what_was_quoted_minutes_before(alice: Account) -> None:
    """102 numbers: a minute is worth 0.6 cents for all of them, so nine are five cents."""
    agreed = quoted(alice, 102, HALFWAY)
    assert agreed.amount == Decimal("125.00")
    later = HALFWAY + timedelta(minutes=9)
    assert rentals.preview(
        account=alice, feature=feature("phone_number"), quantity=102, now=later
    ).price.amount == Decimal("124.95")
    paid = hold(alice, "phone_number", 102, later, agreed=agreed)
    assert paid is not None
    assert (paid.amount.amount, paid.lines.get().period_start) == (Decimal("125.00"), HALFWAY)


def test_nothing_is_charged_that_was_not_agreed_to(alice: Account) -> None:
    agreed = quoted(alice, 5, HALFWAY)
    hold(alice, "phone_number", 3)
    with pytest.raises(quotes.QuoteExpired):
        hold(alice, "phone_number", 5, agreed=agreed)
    assert held(alice, "phone_number") == 3


def test_a_quote_is_not_good_for_the_next_period(alice: Account) -> None:
    agreed = quoted(alice, 102, END - timedelta(minutes=5))
    with pytest.raises(quotes.QuoteExpired):
        hold(alice, "phone_number", 102, END + timedelta(minutes=1), agreed=agreed)


def test_tax_is_added_to_a_rental(alice: Account, settings: Settings) -> None:
    """$3.75 and 5 %: $0.19 (0.1875), $3.94, OMR 1.52 (1.5169)."""
    settings.CHARGE_TAX = True
    Account.objects.filter(pk=alice.pk).update(country="OM")
    paid = hold(alice, "phone_number", 5)
    assert paid is not None
    assert (paid.net_amount.amount, paid.tax_amount.amount, paid.amount.amount) == (
        Decimal("3.75"),
        Decimal("0.19"),
        Decimal("3.94"),
    )
    assert paid.charged_amount.amount == Decimal("1.520")
    assert held(alice, "phone_number") == 5


@pytest.mark.parametrize(
    ("quantity", "kind", "dollars", "monthly"),
    [
        (6, ChangeKind.TAKEN, "1.25", "10.00"),
        (5, ChangeKind.RELEASE_UNDONE, "0", "7.50"),
        (4, ChangeKind.RELEASED, "0", "5.00"),
        (3, ChangeKind.NONE, "0", "2.50"),
        (2, ChangeKind.RELEASED, "0", "0"),
    ],
)
def test_what_a_change_comes_to(
    alice: Account, quantity: int, kind: ChangeKind, dollars: str, monthly: str
) -> None:
    """Five are held, two of them released; two are included."""
    hold(alice, "phone_number", 5)
    hold(alice, "phone_number", 3)
    change = rentals.preview(
        account=alice, feature=feature("phone_number"), quantity=quantity, now=HALFWAY
    )
    assert (change.kind, change.price.amount) == (kind, Decimal(dollars))
    assert change.monthly == Decimal(monthly)


def test_what_is_waived_is_said(alice: Account) -> None:
    change = rentals.preview(
        account=alice, feature=feature("phone_number"), quantity=3, now=END - timedelta(days=2)
    )
    assert (change.price.amount, change.waived) == (0, Decimal("0.17"))
