"""Trouble while money goes back: each refund is made once, its credit is taken once.

A dispute takes the credit once and returns it at most once, whatever is told when. In the end the
books are right.
"""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from accounts.models import Account, Card, Message
from accounts.tests.factories import NOW
from accounts.tests.stripe_side import lose_answers, payments
from billing_portal import audit
from invoices import reversals
from invoices.models import (
    Dispute,
    DisputeStatus,
    PaymentQuestion,
    Refund,
    RefundStatus,
    Status,
    Transaction,
)
from invoices.tests.disputers import decide, dispute, dispute_events, tell
from invoices.tests.refunders import (
    open_refund,
    refund,
    refund_in_dashboard,
    refunds_at_stripe,
)
from invoices.tests.stripe_events import events, listen, post
from invoices.tests.test_charging import charge
from tests.books import assert_books_are_right
from tests.faults import deeds
from tests.faults.conftest import Worker
from tests.faults.mortals import Mortals
from tests.faults.network import Trouble, troubled
from tests.test_concurrency import at_once, refused
from wallet.models import Entry
from wallet.tests.factories import balance_of, make_payer, move

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

AddCard = Callable[..., Card]
MINUTE = timedelta(minutes=1)
KILLED = -9
REFUNDS = "/v1/refunds"


@pytest.fixture
def alice(add_card: AddCard) -> Account:
    return make_payer(add_card, name="Alice Trading")


@pytest.fixture
def payment(alice: Account) -> Transaction:
    """A top-up of 25 dollars, for which the card was charged 9.630 rials."""
    return charge(alice)


def assert_refunded_once(alice: Account, payment: Transaction) -> None:
    """Ten dollars went back: at Stripe, here, and out of the wallet; and it was told once."""
    made = Refund.objects.get()
    assert made.status == RefundStatus.SUCCEEDED
    assert [each.id for each in refunds_at_stripe(payment)] == [made.stripe_refund_id]
    assert Entry.objects.filter(refund=made).count() == 1
    assert balance_of(alice) == 15
    assert Message.objects.filter(event="refund_made").count() == 1
    assert_books_are_right()


# The process dies, the network fails ----------------------------------------------------------
@pytest.mark.parametrize(
    ("network", "at"),
    [
        (Trouble("kill", path=REFUNDS, times=1), ""),
        (Trouble("kill", path=REFUNDS, lands=True, times=1), ""),
        (None, "before invoices.refund_settlement.settle"),
        (None, "before wallet.ledger.post"),
        (None, "before accounts.outbox.record"),
        (None, "after invoices.refund_settlement.settle"),
    ],
    ids=[
        "before Stripe is asked",
        "after Stripe refunded",
        "with the answer in hand",
        "within settling, before the credit is taken",
        "within settling, before it is told",
        "after settling",
    ],
)
def test_killed_while_refunding(
    mortals: Mortals,
    worker: Worker,
    alice: Account,
    payment: Transaction,
    network: Trouble | None,
    at: str,
) -> None:
    ended = mortals.do("refund", account=str(alice.pk), now=NOW.isoformat(), network=network, at=at)

    assert ended == KILLED
    worker(NOW + 2 * MINUTE)
    assert_refunded_once(alice, payment)


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble("timeout", path=REFUNDS),
        Trouble("timeout", path=REFUNDS, lands=True),
        Trouble("reset", path=REFUNDS),
        Trouble("reset", path=REFUNDS, lands=True),
        Trouble("answer", path=REFUNDS, status=500),
        Trouble("answer", path=REFUNDS, status=500, lands=True),
        Trouble("answer", path=REFUNDS, status=429),
    ],
    ids=lambda trouble: (
        f"{trouble.does} {trouble.status if trouble.does == 'answer' else ''}"
        f"{' after Stripe acted' if trouble.lands else ''}"
    ),
)
def test_the_network_fails_while_refunding(
    worker: Worker, alice: Account, payment: Transaction, trouble: Trouble
) -> None:
    with troubled(trouble):
        deeds.refund(str(alice.pk), NOW.isoformat())
        assert Refund.objects.get().status == RefundStatus.PENDING
        assert balance_of(alice) == 25

    worker(NOW + 2 * MINUTE)
    assert_refunded_once(alice, payment)


def test_stripe_is_away_for_days_while_a_refund_is_pending(
    worker: Worker, alice: Account, payment: Transaction
) -> None:
    with troubled(Trouble("timeout", path=REFUNDS, lands=True)):
        deeds.refund(str(alice.pk), NOW.isoformat())
    # Its key may be forgotten by now: it is looked up and not asked for again.
    worker(NOW + timedelta(days=3))
    assert_refunded_once(alice, payment)


# Many at once ---------------------------------------------------------------------------------
def test_two_full_refunds_at_once_are_one(alice: Account, payment: Transaction) -> None:
    results = at_once(*[lambda: refund(payment, "25")] * 2)

    assert refused(results) == 1
    assert (len(refunds_at_stripe(payment)), balance_of(alice)) == (1, 0)
    assert_books_are_right()


def test_partial_refunds_twice_at_once_never_exceed_the_payment(
    alice: Account, payment: Transaction
) -> None:
    results = at_once(*[lambda: refund(payment, "10")] * 5)

    assert refused(results) == 3
    assert len(refunds_at_stripe(payment)) == 2
    payment.refresh_from_db()
    assert (payment.refunded_amount.amount, balance_of(alice)) == (20, 5)
    results = at_once(*[lambda: refund(payment, "2.50")] * 4)
    assert (refused(results), balance_of(alice)) == (2, 0)
    assert_books_are_right()


def test_one_form_sent_eight_times_at_once_is_one_refund(
    alice: Account, payment: Transaction
) -> None:
    results = at_once(*[lambda: refund(payment, "10", request_key="form-1")] * 8)

    assert refused(results) == 0
    assert_refunded_once(alice, payment)


def test_the_sweeper_and_its_twin_at_once_make_one_refund(
    alice: Account, payment: Transaction
) -> None:
    open_refund(payment, "10")
    at_once(*[lambda: reversals.sweep(now=NOW + 2 * MINUTE)] * 6)
    reversals.sweep(now=NOW + 3 * MINUTE)
    assert_refunded_once(alice, payment)


def test_our_answer_and_twenty_events_at_once_are_one_refund(
    sandbox: "Sandbox", alice: Account, payment: Transaction
) -> None:
    endpoint = listen(sandbox)
    lose_answers(sandbox, REFUNDS)
    pending = refund(payment, "10")
    [created], refunded = events("refund.created"), events("charge.refunded")[0]
    at_once(
        *[lambda: post(endpoint, created).status_code] * 10,
        *[lambda: post(endpoint, refunded).status_code] * 10,
        *[lambda: reversals.sweep(now=NOW + 2 * MINUTE)] * 2,
    )
    # dj-stripe may lose the race for its own row of the event: Stripe then sends it again.
    assert post(endpoint, created).status_code == 200
    assert pending.status == RefundStatus.PENDING
    assert_refunded_once(alice, payment)


def test_a_refund_in_the_dashboard_beside_one_of_ours_at_once(
    sandbox: "Sandbox", worker: Worker, alice: Account, payment: Transaction
) -> None:
    endpoint = listen(sandbox)
    at_once(
        lambda: refund(payment, "15"),
        lambda: refund_in_dashboard(sandbox, payment.stripe_payment_intent_id, 3850),
    )
    told = events("refund.created")
    at_once(*[lambda event=event: post(endpoint, event).status_code for event in told * 10])
    for event in told:
        post(endpoint, event)
    worker(NOW + 2 * MINUTE)
    payment.refresh_from_db()
    assert balance_of(alice) == 25 - payment.refunded_amount.amount
    assert_books_are_right()


# Out of order ---------------------------------------------------------------------------------
@pytest.mark.parametrize("first", ["refund.created", "charge.refunded"])
def test_a_refund_is_told_before_the_success_of_its_payment(
    sandbox: "Sandbox", worker: Worker, alice: Account, first: str
) -> None:
    endpoint = listen(sandbox)
    lose_answers(sandbox)
    lost = charge(alice)
    [paid] = payments(transaction=lost.number)
    refund_in_dashboard(sandbox, paid.id, 3850)
    assert post(endpoint, events(first)[0]).status_code == 200
    for kind in ("charge.succeeded", "charge.refunded", "refund.created"):
        assert post(endpoint, events(kind)[0]).status_code == 200
    # No nudge reaches a worker here: what the first event asked is found by the sweeper.
    worker(timezone.now() + 2 * MINUTE)
    lost.refresh_from_db()
    assert lost.status == Status.PAID
    assert (lost.refunded_amount.amount, balance_of(alice)) == (Decimal("9.99"), Decimal("15.01"))
    assert not PaymentQuestion.objects.exists()
    assert_books_are_right()


# Disputes -------------------------------------------------------------------------------------
def test_a_dispute_told_twenty_times_at_once_debits_once(
    sandbox: "Sandbox", alice: Account, payment: Transaction
) -> None:
    endpoint = listen(sandbox)
    move(alice, "-20")
    identity = dispute(sandbox, payment)
    tell_at_once(endpoint, dispute_events())
    assert (balance_of(alice), Dispute.objects.get().status) == (-20, DisputeStatus.OPENED)
    assert Message.objects.filter(event="dispute_opened").count() == 1
    decide(sandbox, identity, "win")
    tell_at_once(endpoint, dispute_events())
    assert (balance_of(alice), Dispute.objects.get().status) == (5, DisputeStatus.WON)
    assert Entry.objects.filter(dispute__isnull=False).count() == 2
    assert_books_are_right()


def tell_at_once(endpoint: Any, told: list[dict[str, Any]]) -> None:
    at_once(*[lambda event=event: post(endpoint, event).status_code for event in told * 10])
    tell(endpoint, *told)


@pytest.mark.parametrize("how", ["win", "lose", "withdraw"])
def test_a_dispute_that_is_closed_before_it_was_opened(
    sandbox: "Sandbox", alice: Account, payment: Transaction, how: str
) -> None:
    endpoint = listen(sandbox)
    decide(sandbox, dispute(sandbox, payment), how)
    tell(endpoint, *reversed(dispute_events()))
    lost = how == "lose"
    assert Dispute.objects.get().status == (DisputeStatus.LOST if lost else DisputeStatus.WON)
    assert balance_of(alice) == (0 if lost else 25)
    assert_books_are_right()


def test_a_dispute_and_a_refund_at_once_take_the_credit_once(
    sandbox: "Sandbox", worker: Worker, alice: Account, payment: Transaction
) -> None:
    endpoint = listen(sandbox)
    opened = open_refund(payment, "10")
    dispute(sandbox, payment)
    told = dispute_events()
    at_once(
        *[lambda event=event: post(endpoint, event).status_code for event in told * 3],
        lambda: reversals.sweep(now=NOW + 2 * MINUTE),
    )
    tell(endpoint, *told)
    worker(NOW + 3 * MINUTE)
    opened.refresh_from_db()
    assert (opened.status, balance_of(alice)) == (RefundStatus.FAILED, 0)
    assert_books_are_right()


def test_a_dispute_is_told_before_the_success_of_its_payment(
    sandbox: "Sandbox", worker: Worker, alice: Account
) -> None:
    """dj-stripe keeps the charge with its dispute: what is still to be asked is no broken book."""
    endpoint = listen(sandbox)
    lose_answers(sandbox)
    lost = charge(alice)
    [paid] = payments(transaction=lost.number)
    sandbox.control(f"charges/{paid.latest_charge}/dispute")
    assert post(endpoint, events("charge.dispute.created")[0]).status_code == 200
    lost.refresh_from_db()
    assert lost.status == Status.PROCESSING
    assert audit.run(now=timezone.now()) == []

    worker(timezone.now() + 2 * MINUTE)

    lost.refresh_from_db()
    assert lost.status == Status.PAID
    assert balance_of(alice) == 0
    assert_books_are_right()
