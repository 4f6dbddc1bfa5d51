"""A card's hold that can't be voided: it is never forgotten, and never taken for a payment."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from accounts import cards, gateway
from accounts.models import Card, CardStatus
from accounts.tests.factories import NOW, make_account
from billing_portal import audit
from tests.books import assert_books_are_right
from tests.faults import deeds
from tests.faults.conftest import Worker
from tests.faults.network import Trouble, troubled
from wallet.models import Entry

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

AddCard = Callable[..., Card]
MINUTE = timedelta(minutes=1)
VOIDING = "/v1/payment_intents/"


def add_in_trouble(sandbox: "Sandbox", trouble: Trouble) -> Card:
    """Add a card while the voiding of its hold is in trouble."""
    alice = make_account()
    setup = cards.begin(account=alice)
    sandbox.confirm_setup(setup.id)
    with troubled(trouble):
        deeds.add_card(str(alice.pk), NOW.isoformat(), setup_intent=setup.id)
    return alice.cards.get()


@pytest.mark.parametrize("does", ["timeout", "reset", "answer"])
def test_a_hold_that_can_not_be_voided_for_hours_is_voided_once_stripe_answers(
    sandbox: "Sandbox", worker: Worker, does: str
) -> None:
    card = add_in_trouble(sandbox, Trouble(does, path=VOIDING))  # type: ignore[arg-type]
    assert (card.status, card.hold_voided_at) == (CardStatus.VERIFYING, None)
    with troubled(Trouble("timeout", path=VOIDING, times=1000)):
        for minutes in range(2, 180, 30):
            worker(NOW + minutes * MINUTE)
    card.refresh_from_db()
    assert card.status == CardStatus.VERIFYING

    worker(NOW + 181 * MINUTE)

    card.refresh_from_db()
    assert card.status == CardStatus.VERIFIED
    assert_books_are_right()


#: What Stripe answers everything with: there is no such key; it is one of another account, which
#: knows none of these customers.
WRONG_KEYS = pytest.mark.parametrize("status", [401, 404], ids=["no-key", "another-accounts-key"])


def add_unanswered(sandbox: "Sandbox", worker: Worker, *, status: int) -> Card:
    """Add a card whose hold is placed and not answered; then the portal's key is a wrong one."""
    card = add_in_trouble(sandbox, Trouble("timeout", path="/v1/payment_intents", lands=True))
    assert (card.status, card.stripe_hold_id) == (CardStatus.VERIFYING, "")
    with with_wrong_key(status):
        for minutes in (2, 30, 90):
            worker(NOW + minutes * MINUTE)
    card.refresh_from_db()
    return card


def with_wrong_key(status: int) -> AbstractContextManager[None]:
    """Within, Stripe answers nothing else."""
    return troubled(
        *(
            Trouble("answer", path="/v1/", method=method, status=status, times=10_000)
            for method in ("get", "post")
        )
    )


@WRONG_KEYS
def test_a_hold_that_was_not_answered_is_not_forgotten_while_the_key_is_wrong(
    sandbox: "Sandbox", worker: Worker, status: int
) -> None:
    """Neither verified nor settled as voided: it is not known, and staff are told so."""
    card = add_unanswered(sandbox, worker, status=status)

    assert (card.status, card.hold_voided_at) == (CardStatus.VERIFYING, None)
    [violation] = audit.run(now=NOW + 91 * MINUTE)
    assert (violation.invariant, violation.rule) == ("I12", "a hold ends voided")

    worker(NOW + 92 * MINUTE)

    card.refresh_from_db()
    assert (card.status, card.hold_voided_at) == (CardStatus.VERIFIED, NOW + 92 * MINUTE)
    assert len(gateway.client().v1.payment_intents.list().data) == 1
    assert_books_are_right()


@WRONG_KEYS
def test_it_is_voided_as_well_when_the_key_was_wrong_for_days(
    sandbox: "Sandbox", worker: Worker, status: int
) -> None:
    """By then asking under its key would be a second hold: the first is looked up, and voided."""
    card = add_unanswered(sandbox, worker, status=status)
    with with_wrong_key(status):
        worker(NOW + timedelta(days=2))
    card.refresh_from_db()
    assert card.status == CardStatus.VERIFYING

    worker(NOW + timedelta(days=2, minutes=1))

    card.refresh_from_db()
    assert (card.status, card.hold_voided_at) == (
        CardStatus.REJECTED,
        NOW + timedelta(days=2, minutes=1),
    )
    [hold] = gateway.client().v1.payment_intents.list().data
    assert (card.stripe_hold_id, hold.status) == (hold.id, "canceled")
    assert_books_are_right()


def test_a_hold_captured_in_the_dashboard_is_no_credit_and_waits_for_its_refund(
    sandbox: "Sandbox", worker: Worker
) -> None:
    """Somebody at Stripe's dashboard takes the dollar before the portal lets go of it."""
    stripe = gateway.client().v1

    def capture() -> None:
        [hold] = stripe.payment_intents.list().data
        stripe.payment_intents.capture(hold.id)

    card = add_in_trouble(sandbox, Trouble("wait", path=VOIDING, times=1, meanwhile=capture))

    assert (card.status, card.hold_voided_at) == (CardStatus.REJECTED, None)
    assert card.rejection_message == "This card could not be verified. Use another one."
    worker(NOW + 2 * MINUTE)
    card.refresh_from_db()
    assert card.hold_voided_at is None
    assert not Entry.objects.filter(account=card.account).exists()

    stripe.refunds.create(
        {"payment_intent": card.stripe_hold_id}, {"idempotency_key": "by-hand-in-the-dashboard"}
    )
    worker(NOW + 5 * MINUTE)

    card.refresh_from_db()
    assert card.hold_voided_at == NOW + 5 * MINUTE
