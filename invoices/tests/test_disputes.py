"""Disputes: the bank takes a payment back, and may return it; told in any order (I10)."""

import itertools
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.db import transaction as database
from djstripe.models import WebhookEndpoint

from accounts.models import Account, AuditEvent, Card, Message
from accounts.money import usd
from accounts.tests.factories import NOW
from accounts.tests.stripe_side import lose_answers, payments
from invoices import reversals
from invoices.models import Dispute, DisputeStatus, RefundStatus, Status, Transaction
from invoices.tests.disputers import decide, dispute, dispute_events, tell
from invoices.tests.refunders import open_refund, refund, refund_in_dashboard
from invoices.tests.stripe_events import events
from invoices.tests.test_charging import charge
from wallet.models import Entry, EntryKind
from wallet.tests.factories import balance_of, make_payer, move

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(endpoint: WebhookEndpoint, add_card: Callable[..., Card]) -> Account:
    return make_payer(add_card, name="Alice Trading")


def entries(account: Account) -> list[tuple[str, Decimal]]:
    """What the ledger says of disputes and refunds, oldest first."""
    reversed_ = Entry.objects.filter(account=account, transaction__isnull=False)
    reversed_ = reversed_.exclude(kind=EntryKind.TOP_UP).order_by("sequence")
    return list(reversed_.values_list("kind", "amount"))


def told_staff() -> list[tuple[str, str]]:
    """The e-mails to staff, oldest first: event and status."""
    messages = Message.objects.filter(recipient="billing@badal.example").order_by("pk")
    return [(message.event, message.payload["status"]) for message in messages]


# Opened, won, lost ----------------------------------------------------------------------------
def test_a_dispute_takes_the_credit_once_and_tells_staff(
    alice: Account, payment: Transaction, endpoint: WebhookEndpoint, sandbox: "Sandbox"
) -> None:
    move(alice, "-20")
    identity = dispute(sandbox, payment)
    tell(endpoint, *dispute_events() * 2)
    opened = Dispute.objects.get()
    assert (opened.stripe_dispute_id, opened.status) == (identity, DisputeStatus.OPENED)
    assert (opened.amount, opened.reason) == (usd(25), "product_not_received")
    assert opened.evidence_due_at is not None
    alice.refresh_from_db()
    assert (balance_of(alice), alice.services) == (-20, "paused")
    assert entries(alice) == [("dispute", Decimal(-25))]
    assert told_staff() == [("dispute_opened", "Opened")]
    assert AuditEvent.objects.filter(account=alice, action="dispute_opened").count() == 1


def test_a_dispute_that_is_won_returns_the_credit_once(
    alice: Account, payment: Transaction, endpoint: WebhookEndpoint, sandbox: "Sandbox"
) -> None:
    identity = dispute(sandbox, payment)
    tell(endpoint, *dispute_events())
    decide(sandbox, identity, "win")
    tell(endpoint, *dispute_events() * 2)
    won = Dispute.objects.get()
    assert (won.status, won.closed_at is not None) == (DisputeStatus.WON, True)
    assert entries(alice) == [("dispute", Decimal(-25)), ("dispute_reversal", Decimal(25))]
    assert balance_of(alice) == 25
    assert told_staff() == [("dispute_opened", "Opened"), ("dispute_closed", "Won")]


def test_a_dispute_that_is_lost_stays(
    alice: Account, payment: Transaction, endpoint: WebhookEndpoint, sandbox: "Sandbox"
) -> None:
    identity = dispute(sandbox, payment)
    tell(endpoint, *dispute_events())
    decide(sandbox, identity, "lose")
    tell(endpoint, *dispute_events())
    assert Dispute.objects.get().status == DisputeStatus.LOST
    assert (entries(alice), balance_of(alice)) == ([("dispute", Decimal(-25))], 0)
    assert told_staff()[-1] == ("dispute_closed", "Lost")


def test_a_dispute_that_the_card_holder_withdraws_is_won(
    alice: Account, payment: Transaction, endpoint: WebhookEndpoint, sandbox: "Sandbox"
) -> None:
    identity = dispute(sandbox, payment)
    tell(endpoint, *dispute_events())
    decide(sandbox, identity, "withdraw")
    tell(endpoint, *dispute_events())
    assert Dispute.objects.get().status == DisputeStatus.WON
    assert balance_of(alice) == 25


@pytest.mark.parametrize(("outcome", "balance"), [("win", 25), ("lose", 0)])
def test_events_in_any_order_come_to_the_same(
    alice: Account,
    payment: Transaction,
    endpoint: WebhookEndpoint,
    sandbox: "Sandbox",
    outcome: str,
    balance: int,
) -> None:
    decide(sandbox, dispute(sandbox, payment), outcome)
    told = dispute_events()
    for number, order in enumerate(itertools.permutations(told)):
        if number % 3:
            continue  # every third order says as much
        try:
            with database.atomic():
                tell(endpoint, *order)
                assert balance_of(alice) == balance
                assert sum(kind == "dispute" for kind, _ in entries(alice)) <= 1
                raise _AnotherOrder
        except _AnotherOrder:
            continue


class _AnotherOrder(Exception):
    """Undoes one order of events before the next one."""


# Inquiries ------------------------------------------------------------------------------------
def test_an_inquiry_moves_nothing_until_it_becomes_a_dispute(
    alice: Account, payment: Transaction, endpoint: WebhookEndpoint, sandbox: "Sandbox"
) -> None:
    identity = dispute(sandbox, payment, inquiry=True)
    tell(endpoint, *dispute_events())
    assert (Dispute.objects.get().status, balance_of(alice)) == (DisputeStatus.INQUIRY, 25)
    decide(sandbox, identity, "escalate")
    tell(endpoint, *reversed(dispute_events()))
    assert (Dispute.objects.get().status, balance_of(alice)) == (DisputeStatus.OPENED, 0)
    assert told_staff() == [("dispute_opened", "Inquiry"), ("dispute_opened", "Opened")]


def test_an_inquiry_may_be_answered_with_a_refund(
    alice: Account, payment: Transaction, endpoint: WebhookEndpoint, sandbox: "Sandbox"
) -> None:
    dispute(sandbox, payment, inquiry=True)
    tell(endpoint, *dispute_events())
    assert refund(payment).status == RefundStatus.SUCCEEDED
    tell(endpoint, *dispute_events())
    assert Dispute.objects.get().status == DisputeStatus.DISMISSED
    assert entries(alice) == [("refund", Decimal(-25))]


# Beside refunds -------------------------------------------------------------------------------
def test_a_dispute_of_a_partly_refunded_payment_takes_only_what_is_left(
    alice: Account, payment: Transaction, endpoint: WebhookEndpoint, sandbox: "Sandbox"
) -> None:
    refund(payment, "10")
    identity = dispute(sandbox, payment)
    tell(endpoint, *dispute_events())
    assert entries(alice) == [("refund", Decimal(-10)), ("dispute", Decimal(-15))]
    decide(sandbox, identity, "win")
    tell(endpoint, *dispute_events())
    assert balance_of(alice) == 15


def test_a_dispute_of_all_although_a_part_was_refunded_takes_no_credit_twice(
    alice: Account, payment: Transaction, endpoint: WebhookEndpoint, sandbox: "Sandbox"
) -> None:
    refund(payment, "10")
    identity = dispute(sandbox, payment)
    told = dispute_events()
    for event in told:
        event["data"]["object"]["amount"] = 9630
    tell(endpoint, *told)
    assert (Dispute.objects.get().amount, balance_of(alice)) == (usd(15), 0)
    assert identity == Dispute.objects.get().stripe_dispute_id


def test_a_refund_that_is_told_after_the_dispute_of_all_takes_no_credit_twice(
    alice: Account, payment: Transaction, endpoint: WebhookEndpoint, sandbox: "Sandbox"
) -> None:
    refund_in_dashboard(sandbox, payment.stripe_payment_intent_id, 3850)
    identity = dispute(sandbox, payment)
    told = dispute_events()
    for event in told:
        event["data"]["object"]["amount"] = 9630
    tell(endpoint, *told, events("refund.created")[0])
    assert entries(alice) == [("dispute", Decimal(-25))]
    decide(sandbox, identity, "win")
    tell(endpoint, *dispute_events())
    # All the dispute took comes back, but for what was refunded.
    assert entries(alice)[-1] == ("dispute_reversal", Decimal("15.01"))


@pytest.mark.parametrize(
    ("outcome", "words"),
    [(None, "would pay twice"), ("lose", "has the money of this payment already")],
)
def test_what_is_disputed_is_not_refunded(
    payment: Transaction,
    endpoint: WebhookEndpoint,
    sandbox: "Sandbox",
    outcome: str | None,
    words: str,
) -> None:
    identity = dispute(sandbox, payment)
    if outcome:
        decide(sandbox, identity, outcome)
    tell(endpoint, *dispute_events())
    with pytest.raises(ValidationError, match=words):
        refund(payment, "5")


def test_a_refund_that_was_under_way_when_the_dispute_came_fails(
    alice: Account, payment: Transaction, endpoint: WebhookEndpoint, sandbox: "Sandbox"
) -> None:
    opened = open_refund(payment)
    dispute(sandbox, payment)
    tell(endpoint, *dispute_events())
    assert (Dispute.objects.get().amount, balance_of(alice)) == (usd(25), 0)
    reversals.sweep(now=NOW + timedelta(minutes=2))
    opened.refresh_from_db()
    assert (opened.status, balance_of(alice)) == (RefundStatus.FAILED, 0)


# Before the payment is known, and when nothing is told ----------------------------------------
def test_a_dispute_before_the_success_of_its_payment_is_known_waits_for_it(
    alice: Account, endpoint: WebhookEndpoint, sandbox: "Sandbox", nudged: list[str]
) -> None:
    lose_answers(sandbox)
    lost = charge(alice)
    [paid] = payments(transaction=lost.number)
    Transaction.objects.filter(pk=lost.pk).update(stripe_payment_intent_id=paid.id)
    dispute(sandbox, lost)
    tell(endpoint, *dispute_events())
    assert (Dispute.objects.get().status, balance_of(alice)) == (DisputeStatus.OPENED, 0)
    assert set(nudged) == {paid.id}
    assert told_staff() == []
    reversals.ask(payment_intent_id=paid.id, now=NOW)
    lost.refresh_from_db()
    assert (lost.status, balance_of(alice)) == (Status.PAID, 0)
    assert entries(alice) == [("dispute", Decimal(-25))]
    assert told_staff() == [("dispute_opened", "Opened")]


def test_a_dispute_of_an_unknown_payment_has_the_worker_ask(
    alice: Account, endpoint: WebhookEndpoint, sandbox: "Sandbox", nudged: list[str]
) -> None:
    lose_answers(sandbox)
    lost = charge(alice)
    [paid] = payments(transaction=lost.number)
    charge_id = paid.to_dict()["latest_charge"]
    sandbox.control(f"charges/{charge_id}/dispute", {})
    tell(endpoint, *dispute_events())
    assert (set(nudged), Dispute.objects.count()) == ({paid.id}, 0)
    reversals.ask(payment_intent_id=paid.id, now=NOW)
    assert (Dispute.objects.get().status, balance_of(alice)) == (DisputeStatus.OPENED, 0)


def test_the_sweeper_finds_the_outcome_that_no_webhook_told(
    alice: Account, payment: Transaction, endpoint: WebhookEndpoint, sandbox: "Sandbox"
) -> None:
    identity = dispute(sandbox, payment)
    tell(endpoint, *dispute_events())
    decide(sandbox, identity, "win")
    told_at = Dispute.objects.get().asked_at
    assert reversals.sweep(now=told_at + timedelta(hours=1)) == 0
    assert reversals.sweep(now=told_at + timedelta(hours=7)) == 1
    assert (Dispute.objects.get().status, balance_of(alice)) == (DisputeStatus.WON, 25)


# What the database refuses by itself ----------------------------------------------------------
@pytest.mark.parametrize(
    "change",
    [
        {"amount": usd(24)},
        {"stripe_dispute_id": "du_other"},
        {"status": DisputeStatus.INQUIRY},
        {"status": DisputeStatus.LOST},
        {"closed_at": NOW},
    ],
)
def test_a_dispute_never_goes_back_or_changes_its_amount(
    payment: Transaction, endpoint: WebhookEndpoint, sandbox: "Sandbox", change: dict[str, Any]
) -> None:
    dispute(sandbox, payment)
    tell(endpoint, *dispute_events())
    with pytest.raises(IntegrityError), database.atomic():
        Dispute.objects.update(**change)
    with pytest.raises(IntegrityError), database.atomic():
        Dispute.objects.all().delete()


def test_the_database_refuses_a_second_debit_of_a_dispute(
    alice: Account, payment: Transaction, endpoint: WebhookEndpoint, sandbox: "Sandbox"
) -> None:
    dispute(sandbox, payment)
    tell(endpoint, *dispute_events())
    debit = Entry.objects.get(kind=EntryKind.DISPUTE)
    debit.pk, debit.sequence = None, debit.sequence + 1
    debit.balance_after += debit.amount
    with pytest.raises(IntegrityError, match="debits_once"), database.atomic():
        debit.save()
