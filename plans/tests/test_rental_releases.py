"""Rentals that are released: held until the period ends, and not renewed."""

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.core.exceptions import ValidationError
from pypdf import PdfReader

from accounts import cards
from accounts.models import Account, Card
from accounts.tests.stripe_side import lose_answers
from invoices import charging, receipts, sweeper
from invoices.models import Purpose, Status, Transaction
from plans import renewals
from plans.models import Renewal
from plans.tests.subscribers import (
    make_subscriber,
)
from plans.tests.test_rentals import held, history, hold

if TYPE_CHECKING:
    from conftest import Sandbox

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


# Releasing ------------------------------------------------------------------------------------
def test_what_is_released_stays_until_the_period_ends_and_is_not_renewed(alice: Account) -> None:
    hold(alice, "phone_number", 5)
    assert hold(alice, "phone_number", 3, HALFWAY + timedelta(days=1)) is None
    assert held(alice, "phone_number") == 5
    renewals.renew_due(now=END)
    assert held(alice, "phone_number") == 3
    second = Renewal.objects.get(account=alice, number=2)
    assert second.amount.amount == Decimal("101.50")  # 99 + 1 × 2.50


def test_the_renewal_s_receipt_says_how_many_of_what_for_which_days(alice: Account) -> None:
    hold(alice, "phone_number", 5)
    hold(alice, "user_seat", 3)  # all of them included: nothing to pay, no line
    renewals.renew_due(now=END)
    paid = Transaction.objects.get(account=alice, purpose=Purpose.RENEWAL)
    pdf = PdfReader(io.BytesIO(receipts.render(paid)))
    text = " ".join(" ".join(page.extract_text() for page in pdf.pages).split())
    assert "Growth plan 1 Dec 2026 – 1 Jan 2027 1 $99.00 $99.00" in text
    assert "Phone number (5 held, 2 included) 1 Dec 2026 – 1 Jan 2027 3 numbers $2.50 $7.50" in text
    assert "User seat" not in text
    assert "Total USD $106.50" in text


def test_a_release_taken_back_changes_nothing(alice: Account) -> None:
    hold(alice, "phone_number", 5)
    hold(alice, "phone_number", 0)
    assert hold(alice, "phone_number", 5) is None
    renewals.renew_due(now=END)
    assert held(alice, "phone_number") == 5


def test_taking_more_than_was_held_forgets_the_release(alice: Account) -> None:
    hold(alice, "phone_number", 5)
    hold(alice, "phone_number", 3)
    hold(alice, "phone_number", 6)
    renewals.renew_due(now=END)
    assert held(alice, "phone_number") == 6


def test_releasing_everything_ends_the_rental_at_the_renewal(alice: Account) -> None:
    hold(alice, "phone_number", 2)
    hold(alice, "phone_number", 0)
    renewals.renew_due(now=END + timedelta(minutes=1))
    assert history(alice, "phone_number") == [(2, HALFWAY, END)]


def test_the_history_says_how_many_were_held_when(alice: Account) -> None:
    day = timedelta(days=1)
    hold(alice, "phone_number", 2, START + day)
    hold(alice, "phone_number", 5, START + 2 * day)
    hold(alice, "phone_number", 4, START + 3 * day)
    renewals.renew_due(now=END)
    assert history(alice, "phone_number") == [
        (2, START + day, START + 2 * day),
        (5, START + 2 * day, END),
        (4, END, None),
    ]


def test_what_was_taken_after_the_period_began_is_not_released_with_it(alice: Account) -> None:
    """Beat has been away since the first of December; numbers came and went on the second."""
    late = END + timedelta(days=1)
    hold(alice, "phone_number", 2, late)
    hold(alice, "phone_number", 1, late + timedelta(hours=1))
    renewals.renew_due(now=late + timedelta(hours=2))
    assert history(alice, "phone_number") == [(2, late, None)]


def test_a_card_stays_while_rentals_are_charged_to_it(add_card: AddCard) -> None:
    payg = make_subscriber(add_card, "payg", now=START)
    hold(payg, "phone_number", 1)
    with pytest.raises(ValidationError, match="charged to this card"):
        cards.remove(card=payg.cards.get(), by=None, now=HALFWAY)


@pytest.mark.parametrize("quantity", [1, 2, 8])
def test_while_more_are_being_paid_for_nothing_else_is_asked(
    alice: Account, sandbox: "Sandbox", quantity: int
) -> None:
    """What is asked meanwhile would be undone when the payment arrives."""
    almost_over = END - timedelta(hours=1)  # even 8 would cost too little to be charged
    hold(alice, "phone_number", 2, START)
    lose_answers(sandbox)
    hold(alice, "phone_number", 5)
    with pytest.raises(charging.AlreadyOpen):
        hold(alice, "phone_number", quantity, almost_over)
    sweeper.sweep(now=HALFWAY + timedelta(minutes=2))
    assert held(alice, "phone_number") == 5
    hold(alice, "phone_number", quantity, almost_over)
    renewals.renew_due(now=END)
    assert held(alice, "phone_number") == quantity


def test_while_a_plan_is_being_paid_for_nothing_more_is_taken(
    alice: Account, sandbox: "Sandbox"
) -> None:
    """It may be another plan afterwards, with other prices and another maximum."""
    hold(alice, "phone_number", 5)
    charging.open_transaction(
        account=alice,
        purpose=Purpose.PLAN_CHANGE,
        lines=[charging.NewLine("Enterprise plan", Decimal("450.00"))],
        status=Status.PROCESSING,
        card=alice.cards.get(),
        obligation="plan_change",
        now=HALFWAY,
    )
    with pytest.raises(charging.AlreadyOpen):
        hold(alice, "phone_number", 6)
    assert hold(alice, "phone_number", 3) is None
