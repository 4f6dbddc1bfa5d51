"""Rentals: held at once, charged for the rest of the period, released when it ends."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.core.exceptions import ValidationError

from accounts import cards
from accounts.models import Account, Card
from accounts.stripe_objects import Outcome, Payment
from accounts.tests.stripe_side import decline_from_now_on, lose_answers, payments
from invoices import charging, checkout, settlement
from invoices.models import Purpose, Status, Transaction
from plans import renewals, rentals
from plans.models import Renewal, Rental
from plans.tests.subscribers import feature, make_subscriber, provision
from wallet.tests.factories import balance_of

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


def hold(account: Account, key: str, quantity: int, now: datetime = HALFWAY) -> Transaction | None:
    return rentals.set_quantity(account=account, feature=feature(key), quantity=quantity, now=now)


def held(account: Account, key: str) -> int:
    rental = rentals.open_rental(account=account, feature=feature(key))
    return rental.quantity if rental else 0


def history(account: Account, key: str) -> list[tuple[int, datetime | None, datetime | None]]:
    """Return who held how many from when to when, oldest first."""
    rows = Rental.objects.filter(account=account, feature=feature(key)).order_by("pk")
    return [(row.quantity, row.started_at, row.ended_at) for row in rows]


# Taking ---------------------------------------------------------------------------------------
def test_what_the_plan_includes_is_free_and_held_at_once(alice: Account) -> None:
    assert hold(alice, "phone_number", 2) is None
    assert held(alice, "phone_number") == 2
    assert not Transaction.objects.filter(purpose=Purpose.RENTAL).exists()


def test_beyond_the_included_the_rest_of_the_period_is_charged(alice: Account) -> None:
    """Five numbers, two included: 3 × $2.50 for 15 of 30 days."""
    paid = hold(alice, "phone_number", 5)
    assert paid is not None
    assert (paid.status, paid.amount.amount) == (Status.PAID, Decimal("3.75"))
    line = paid.lines.get()
    assert (line.quantity, line.unit_price.amount) == (3, Decimal("2.50"))
    assert (line.period_start, line.period_end) == (HALFWAY, END)
    assert held(alice, "phone_number") == 5


def test_more_is_charged_only_for_what_is_more(alice: Account) -> None:
    hold(alice, "phone_number", 5)
    more = hold(alice, "phone_number", 6)
    assert more is not None
    assert more.amount.amount == Decimal("1.25")


@pytest.mark.parametrize(
    ("now", "dollars"),
    [
        (START, "199.00"),
        (START + timedelta(seconds=1), "199.00"),  # 198.99992
        (HALFWAY, "99.50"),
        (END - timedelta(days=1), "6.63"),  # 6.6333
        (END - timedelta(hours=3), "0.83"),  # 0.829
        (END - timedelta(days=1) + timedelta(microseconds=1), "6.63"),
    ],
)
def test_the_rest_of_the_period_is_counted_in_whole_seconds_half_up_to_a_cent(
    alice: Account, now: datetime, dollars: str
) -> None:
    paid = hold(alice, "whitelabel_license", 1, now)
    assert paid is not None
    assert paid.amount.amount == Decimal(dollars)


def test_less_than_stripe_charges_is_waived(alice: Account) -> None:
    """One number for two days of thirty: $0.17."""
    hold(alice, "phone_number", 2)
    assert hold(alice, "phone_number", 3, END - timedelta(days=2)) is None
    assert held(alice, "phone_number") == 3


def test_a_rental_taken_before_the_period_that_has_begun_is_opened_is_charged_for_it(
    alice: Account,
) -> None:
    """Beat has been away for 15 days of December: 16 of its 31 days are left."""
    late = END + timedelta(days=15)
    paid = hold(alice, "whitelabel_license", 1, late)
    assert paid is not None
    assert paid.amount.amount == Decimal("102.71")
    assert paid.lines.get().period_end == datetime(2027, 1, 1, tzinfo=UTC)


# Refusals -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("key", "quantity", "words"),
    [
        ("call_concurrency", 51, "at most 50"),
        ("whitelabel_license", 2, "at most 1"),
        ("phone_number", -1, "zero or more"),
        ("call_minutes", 1, "not in the plan"),
    ],
)
def test_what_the_plan_does_not_allow_is_refused(
    alice: Account, key: str, quantity: int, words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        hold(alice, key, quantity)
    assert held(alice, key) == 0


def test_what_is_not_in_the_plan_cannot_be_held(add_card: AddCard) -> None:
    starter = make_subscriber(add_card, "starter", now=START)
    with pytest.raises(ValidationError, match="not in the plan"):
        hold(starter, "whitelabel_license", 1)


def test_without_a_card_only_what_is_included_can_be_held(sandbox: "Sandbox") -> None:
    bob = provision(now=START)
    with pytest.raises(ValidationError, match="Add a payment method"):
        hold(bob, "phone_number", 1)
    assert history(bob, "phone_number") == []


def test_a_declined_card_holds_nothing(alice: Account, sandbox: "Sandbox") -> None:
    hold(alice, "phone_number", 2)
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")
    failed = hold(alice, "phone_number", 5)
    assert failed is not None
    assert failed.status == Status.FAILED
    assert held(alice, "phone_number") == 2


def test_a_second_call_while_the_first_is_under_way_is_refused(
    alice: Account, sandbox: "Sandbox"
) -> None:
    lose_answers(sandbox)
    hold(alice, "phone_number", 5)
    assert held(alice, "phone_number") == 0
    with pytest.raises(charging.AlreadyOpen):
        hold(alice, "phone_number", 5)
    checkout.sweep(now=HALFWAY + timedelta(minutes=2))
    assert held(alice, "phone_number") == 5
    assert len(payments(purpose="rental")) == 1


def settle_late(transaction: Transaction) -> None:
    """Have Stripe say that a payment it reported as failed succeeded after all."""
    minor = int(transaction.charged_amount.amount * 1000)
    late = Payment(Outcome.SUCCEEDED, f"pi_late_{transaction.pk}", minor, "omr")
    now = HALFWAY + timedelta(hours=2)
    settlement.settle(transaction_id=transaction.pk, payment=late, now=now)


def test_a_late_success_for_what_was_given_up_becomes_credit(
    alice: Account, sandbox: "Sandbox"
) -> None:
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")
    failed = hold(alice, "phone_number", 5)
    assert failed is not None
    decline_from_now_on(sandbox, alice.cards.get(), None)
    hold(alice, "phone_number", 6)
    for _ in range(2):
        settle_late(failed)
    assert held(alice, "phone_number") == 6
    assert balance_of(alice) == Decimal("3.75")


# Releasing ------------------------------------------------------------------------------------
def test_what_is_released_stays_until_the_period_ends_and_is_not_renewed(alice: Account) -> None:
    hold(alice, "phone_number", 5)
    assert hold(alice, "phone_number", 3, HALFWAY + timedelta(days=1)) is None
    assert held(alice, "phone_number") == 5
    renewals.renew_due(now=END)
    assert held(alice, "phone_number") == 3
    second = Renewal.objects.get(account=alice, number=2)
    assert second.amount.amount == Decimal("101.50")  # 99 + 1 × 2.50


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
    checkout.sweep(now=HALFWAY + timedelta(minutes=2))
    assert held(alice, "phone_number") == 5
    hold(alice, "phone_number", quantity, almost_over)
    renewals.renew_due(now=END)
    assert held(alice, "phone_number") == quantity
