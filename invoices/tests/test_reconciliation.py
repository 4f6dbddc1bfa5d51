"""The nightly comparison with Stripe: repairs what is paid there and not here, reports the rest."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from accounts import gateway, outbox
from accounts.models import Account, AuditEvent, Card, Message
from accounts.tests.stripe_side import lose_answers, payments
from invoices import reconciliation
from invoices.models import ReconciliationFinding, Refund, Status, Transaction
from invoices.reconciliation_models import FindingKind
from invoices.tests.disputers import decide, dispute
from invoices.tests.factories import make_transaction
from wallet import topups
from wallet.tests.factories import balance_of, make_payer

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

AddCard = Callable[..., Card]
#: The sandbox's clock is set to it, so that a payment's age is what the example says.
START = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
NIGHT = START + timedelta(hours=18)


@pytest.fixture(autouse=True)
def _clock(sandbox: "Sandbox") -> None:
    sandbox.control("clock", {"now": START.isoformat().replace("+00:00", "Z")})


@pytest.fixture
def alice(add_card: AddCard) -> Account:
    return make_payer(add_card, name="Alice Trading")


def top_up(account: Account, amount: str = "25", now: datetime = START) -> Transaction:
    return topups.charge_saved_card(
        account=account, amount=Decimal(amount), minimum=Decimal(10), by=None, now=now
    )


def open_page(account: Account) -> Transaction:
    return topups.open_payment_page(
        account=account,
        amount=Decimal(25),
        minimum=Decimal(10),
        return_path="/billing/top-up/return/?session={CHECKOUT_SESSION_ID}",
        cancel_path="/billing/top-up/",
        by=None,
        now=START,
    )


def refund_in_the_dashboard(sandbox: "Sandbox", payment_intent_id: str, *, amount: int) -> None:
    intent = gateway.client().v1.payment_intents.retrieve(payment_intent_id)
    sandbox.control(f"charges/{intent.latest_charge}/refund", {"amount": amount})


def kinds(report: reconciliation.Report) -> list[str]:
    return sorted(finding.kind for finding in report.findings)


def reconcile(now: datetime = NIGHT) -> reconciliation.Report:
    return reconciliation.reconcile(now=now)


# What is right --------------------------------------------------------------------------------
def test_books_that_agree_need_nobody(alice: Account) -> None:
    top_up(alice)
    report = reconcile()
    assert report.findings == []
    assert (report.run.payments, report.run.transactions, report.run.repaired) == (1, 1, 0)
    assert report.run.finished_at == NIGHT
    assert not report.run.seen.exists()
    assert not ReconciliationFinding.objects.exists()


def test_what_is_not_captured_is_no_difference(
    alice: Account, sandbox: "Sandbox", add_card: AddCard
) -> None:
    """A declined charge, an open page, a page that expired, a hold that is voided."""
    sandbox.fail_next(action="decline", match={"path": "/v1/payment_intents"})
    top_up(alice)
    open_page(alice)
    expired = open_page(alice)
    sandbox.control(f"checkout/{expired.stripe_checkout_session_id}/expire")
    report = reconcile()
    assert (report.findings, report.run.payments) == ([], 0)


# Paid there and not here ----------------------------------------------------------------------
def paid_page(account: Account, sandbox: "Sandbox") -> Transaction:
    """A page that was paid, of which nobody brought news."""
    page = open_page(account)
    session = page.stripe_checkout_session_id
    sandbox.control(f"checkout/{session}/pay", {"payment_method": "pm_card_visa"})
    return page


def expired_page_that_was_paid(account: Account, sandbox: "Sandbox") -> Transaction:
    page = open_page(account)
    session = page.stripe_checkout_session_id
    sandbox.control(f"checkout/{session}/expire")
    Transaction.objects.filter(pk=page.pk).update(expired_at=START)
    sandbox.control(
        f"checkout/{session}/pay", {"payment_method": "pm_card_visa", "although_expired": True}
    )
    return page


def charge_without_an_answer(account: Account, sandbox: "Sandbox") -> Transaction:
    lose_answers(sandbox)
    return top_up(account)


def charge_that_failed_here(account: Account, sandbox: "Sandbox") -> Transaction:
    lose_answers(sandbox)
    charge = top_up(account)
    Transaction.objects.filter(pk=charge.pk).update(status=Status.FAILED, failed_at=START)
    return charge


@pytest.mark.parametrize(
    ("unknown_here", "was"),
    [
        (paid_page, "Checkout"),
        (expired_page_that_was_paid, "Checkout"),
        (charge_without_an_answer, "Processing"),
        (charge_that_failed_here, "Failed"),
    ],
)
def test_what_is_paid_there_and_not_here_is_credited_once_and_told(
    alice: Account,
    sandbox: "Sandbox",
    unknown_here: Callable[[Account, "Sandbox"], Transaction],
    was: str,
) -> None:
    transaction = unknown_here(alice, sandbox)
    report = reconcile()
    assert report.findings == []
    assert report.run.repaired == 1
    transaction.refresh_from_db()
    assert transaction.status == Status.PAID
    assert balance_of(alice) == 25
    finding = ReconciliationFinding.objects.get()
    assert finding.kind == FindingKind.PAYMENT_REPAIRED
    assert (
        f"{transaction.number} was {was} here while 9.630 OMR had been captured" in finding.detail
    )
    note = AuditEvent.objects.get(account=alice, action="payment_reconciled")
    assert note.reason == finding.detail
    told = Message.objects.filter(account=alice, channel="email").order_by("pk")
    assert [message.event for message in told] == ["transaction_paid", "payment_found"]
    outbox.deliver_due(now=NIGHT)

    again = reconcile(NIGHT + timedelta(days=1))

    assert (again.findings, again.run.repaired) == ([], 0)
    assert balance_of(alice) == 25
    assert Message.objects.filter(event="payment_found").count() == 1


def test_a_refund_made_in_the_dashboard_that_nobody_told_is_recorded(
    alice: Account, sandbox: "Sandbox"
) -> None:
    paid = top_up(alice)
    refund_in_the_dashboard(sandbox, paid.stripe_payment_intent_id, amount=3850)
    report = reconcile()
    assert (report.findings, report.run.repaired) == ([], 1)
    assert Refund.objects.get(transaction=paid).charged_amount.amount == Decimal("3.85")
    assert balance_of(alice) == Decimal("15.01"), "credit is worth what the card was charged"
    assert reconcile(NIGHT + timedelta(days=1)).run.repaired == 0


@pytest.mark.parametrize(("decision", "balance"), [("", 0), ("win", 25), ("lose", 0)])
def test_a_dispute_that_nobody_told_of_is_recorded(
    alice: Account, sandbox: "Sandbox", decision: str, balance: int
) -> None:
    paid = top_up(alice)
    opened = dispute(sandbox, paid)
    first = reconcile()
    assert (first.findings, first.run.repaired, balance_of(alice)) == ([], 1, 0)
    if decision:
        decide(sandbox, opened, decision)
    second = reconcile(NIGHT + timedelta(days=1))
    assert (second.findings, second.run.repaired) == ([], 1 if decision else 0)
    assert balance_of(alice) == balance


def test_a_payment_whose_purpose_breaks_does_not_hold_back_the_others(
    alice: Account, sandbox: "Sandbox", monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = paid_page(alice, sandbox), paid_page(alice, sandbox)
    fulfil = topups.TopUpFulfilment.paid

    def break_once(self: Any, *, transaction: Transaction, now: datetime) -> None:
        if transaction.pk == second.pk:
            raise RuntimeError("Something is wrong with this one.")
        fulfil(self, transaction=transaction, now=now)

    monkeypatch.setattr(topups.TopUpFulfilment, "paid", break_once)
    report = reconcile()
    assert kinds(report) == [FindingKind.NOT_CARRIED_OUT]
    first.refresh_from_db()
    assert first.status == Status.PAID


# What a person has to look at -----------------------------------------------------------------
def test_a_payment_made_in_the_dashboard_is_reported_until_it_is_refunded(
    alice: Account, sandbox: "Sandbox"
) -> None:
    sandbox.control("payments", {"amount": 5000, "currency": "omr"})
    report = reconcile()
    assert kinds(report) == [FindingKind.UNKNOWN_PAYMENT]
    assert "5.000 OMR of 2026-11-20 08:00 UTC names no transaction." in report.findings[0].detail
    [payment] = [intent for intent in payments() if intent.amount == 5000]
    refund_in_the_dashboard(sandbox, payment.id, amount=5000)
    assert reconcile(NIGHT + timedelta(days=1)).findings == []


def test_another_amount_than_was_asked_for_is_reported_and_credits_nothing(
    alice: Account, sandbox: "Sandbox"
) -> None:
    sandbox.fail_next(action="capture", amount=5000, match={"path": "/v1/payment_intents"})
    transaction = top_up(alice)
    report = reconcile()
    assert kinds(report) == [FindingKind.AMOUNT_DIFFERS]
    assert "5.000 OMR was captured" in report.findings[0].detail
    assert "which asked for OMR 9.630" in report.findings[0].detail
    transaction.refresh_from_db()
    assert (transaction.status, balance_of(alice)) == (Status.PROCESSING, 0)


def test_money_of_another_account_s_customer_is_reported_and_credits_nobody(
    alice: Account, sandbox: "Sandbox", add_card: AddCard
) -> None:
    bob = make_payer(add_card, name="Bob Shipping")
    page = open_page(alice)
    sandbox.control(
        "payments",
        {
            "amount": 9630,
            "currency": "omr",
            "customer": bob.stripe_customer_id,
            "metadata": {"transaction": page.number, "account": str(alice.pk)},
        },
    )
    report = reconcile()
    assert kinds(report) == [FindingKind.ANOTHER_ACCOUNT]
    assert (balance_of(alice), balance_of(bob)) == (0, 0)


def test_a_second_capture_for_one_transaction_is_reported(
    alice: Account, sandbox: "Sandbox"
) -> None:
    paid = top_up(alice)
    sandbox.control(
        "payments",
        {
            "amount": 9630,
            "currency": "omr",
            "customer": alice.stripe_customer_id,
            "metadata": {"transaction": paid.number},
        },
    )
    report = reconcile()
    assert kinds(report) == [FindingKind.PAID_TWICE]
    assert balance_of(alice) == 25


def test_a_captured_hold_is_reported_as_what_it_is(
    alice: Account, sandbox: "Sandbox", monkeypatch: pytest.MonkeyPatch, add_card: AddCard
) -> None:
    monkeypatch.setattr(gateway, "void_hold", gateway.client().v1.payment_intents.capture)
    add_card(alice, "pm_card_mastercard")
    report = reconcile()
    assert kinds(report) == [FindingKind.HOLD_CAPTURED]
    assert report.findings[0].account == alice
    assert balance_of(alice) == 0


@pytest.mark.parametrize("known_there", [False, True], ids=["unknown there", "not captured there"])
def test_what_is_paid_here_and_not_there_is_reported(
    alice: Account, sandbox: "Sandbox", known_there: bool
) -> None:
    intent_id = "pi_made_up"
    if known_there:
        intent_id = (
            gateway.client()
            .v1.payment_intents.create(
                {"amount": 9630, "currency": "omr"}, {"idempotency_key": "made-up"}
            )
            .id
        )
    made_up = make_transaction(
        alice,
        amount="25.00",
        created_at=START,
        paid_at=START,
        stripe_payment_intent_id=intent_id,
    )
    report = reconcile()
    assert kinds(report) == [FindingKind.NOT_PAID_THERE]
    assert report.findings[0].subject == made_up.number


def test_staff_are_told_once_of_what_is_new(alice: Account, sandbox: "Sandbox") -> None:
    sandbox.control("payments", {"amount": 5000, "currency": "omr"})
    first = reconcile()
    [told] = Message.objects.filter(event="reconciliation_findings")
    assert told.payload["count"] == 1
    assert told.payload["path"] == f"/admin/invoices/reconciliationrun/{first.run.pk}/change/"
    assert outbox.deliver_due(now=NIGHT) >= 1
    second = reconcile(NIGHT + timedelta(days=1))
    assert second.run.unexplained == 1
    assert Message.objects.filter(event="reconciliation_findings").count() == 1
