"""A second pair of eyes: what is beyond somebody's limit waits for somebody else."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connections
from django.db import transaction as database

from accounts.models import Account, AuditEvent, Card, User
from accounts.staff_roles import StaffRole
from accounts.stripe_objects import DisputeStage, StripeDispute
from accounts.tests.factories import NOW, make_account, make_staff
from invoices import disputes
from invoices.models import Refund, RefundStatus, Transaction
from invoices.tests.factories import make_transaction
from invoices.tests.refunders import refund, refunds_at_stripe
from invoices.tests.test_charging import charge
from wallet import adjustments, approvals
from wallet.models import Adjustment, ApprovalRequest, ApprovalState
from wallet.tests.factories import balance_of, make_payer, make_wallet

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def payment(add_card: Callable[..., Card]) -> Transaction:
    """A top-up of 25 dollars."""
    return charge(make_payer(add_card, name="Bob Trading"))


def ask(account: Account, by: User, amount: str = "100", key: str = "form-1") -> ApprovalRequest:
    return approvals.ask_for_adjustment(
        account=account,
        amount=Decimal(amount),
        reason="Outage on Sunday",
        by=by,
        now=NOW,
        request_key=key,
    )


def ask_to_refund(payment: Transaction, by: User, amount: str = "10") -> ApprovalRequest:
    return approvals.ask_for_refund(
        transaction_id=payment.pk,
        amount=Decimal(amount),
        reason="Paid twice",
        by=by,
        now=NOW,
        request_key="form-1",
    )


def approve(asked: ApprovalRequest, by: User, **fields: Any) -> ApprovalRequest:
    return approvals.approve(
        request_id=asked.pk, by=by, **{"reason": "Agreed", "now": LATER, **fields}
    )


def story_of(account: Account) -> list[str]:
    events = AuditEvent.objects.filter(account=account).order_by("pk")
    return list(events.values_list("action", flat=True))


def test_goodwill_beyond_the_limit_of_support_is_approved_by_finance(
    alice: Account, support: User, finance: User
) -> None:
    asked = ask(alice, support)
    assert (balance_of(alice), asked.limit_at_request) == (5, 25)
    assert ask(alice, support).pk == asked.pk  # the form sent again
    assert [*approvals.waiting_for(finance, now=LATER)] == [asked]
    assert not approvals.waiting_for(support, now=LATER)

    done = approve(asked, finance)

    made = Adjustment.objects.get()
    assert (done.state, done.adjustment) == (ApprovalState.EXECUTED, made)
    assert (made.author, made.approved_by, balance_of(alice)) == (support, finance, 105)
    assert story_of(alice) == [
        "approval_requested",
        "approval_approved",
        "credit_adjusted",
        "approval_executed",
    ]
    with pytest.raises(ValidationError, match="executed already"):
        approve(asked, finance)
    assert balance_of(alice) == 105


def test_nobody_approves_what_they_asked_for(alice: Account, finance: User) -> None:
    asked = ask(alice, finance, "900")
    assert not approvals.waiting_for(finance, now=LATER)
    with pytest.raises(ValidationError, match="Somebody else"):
        approve(asked, finance)
    with pytest.raises(DatabaseError), database.atomic():
        ApprovalRequest.objects.update(
            state="declined", decided_by=finance, decided_at=LATER, decision_reason="Mine"
        )


@pytest.mark.parametrize(
    ("role", "amount", "why"),
    [
        (StaffRole.SUPPORT, "100", "You may not decide"),
        (StaffRole.AUDITOR, "100", "You may not decide"),
        (StaffRole.FINANCE, "5000.01", r"up to \$5,000.00"),
        (StaffRole.FINANCE, "-5000.01", r"up to \$5,000.00"),
    ],
)
def test_who_approves_needs_the_right_and_a_limit(
    alice: Account, support: User, role: StaffRole, amount: str, why: str
) -> None:
    asked = ask(alice, support, amount)
    colleague = make_staff(role, "colleague@badal.test")
    assert not approvals.waiting_for(colleague, now=LATER)
    for decide in (approve, decline):
        with pytest.raises(ValidationError, match=why):
            decide(asked, colleague)


def decline(asked: ApprovalRequest, by: User) -> ApprovalRequest:
    return approvals.decline(request_id=asked.pk, by=by, reason="Too much", now=LATER)


def test_what_is_declined_withdrawn_or_expired_is_never_done(
    alice: Account, support: User, finance: User
) -> None:
    declined, withdrawn, old = (ask(alice, support, key=key) for key in ("1", "2", "3"))
    assert decline(declined, finance).decision_reason == "Too much"
    with pytest.raises(ValidationError, match="Only who asked"):
        approvals.withdraw(request_id=withdrawn.pk, by=finance, reason="Mine", now=LATER)
    approvals.withdraw(request_id=withdrawn.pk, by=support, reason="A slip", now=LATER)
    for asked, why in ((declined, "declined already"), (withdrawn, "withdrawn already")):
        with pytest.raises(ValidationError, match=why):
            approve(asked, finance)
    with pytest.raises(ValidationError, match="in time"):
        approve(old, finance, now=NOW + timedelta(days=15))
    with pytest.raises(ValidationError, match="Say why"):
        approve(old, finance, reason="  ")
    assert balance_of(alice) == 5
    assert story_of(alice)[3:] == ["approval_declined", "approval_withdrawn"]


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 1000},
        {"reason": "Another"},
        {"limit_at_request": 5000},
        {"state": "executed"},
        {"state": "approved"},
    ],
)
def test_what_was_asked_for_is_never_edited(
    alice: Account, support: User, change: dict[str, Any]
) -> None:
    ask(alice, support)
    with pytest.raises(DatabaseError), database.atomic():
        ApprovalRequest.objects.update(**change)
    with pytest.raises(DatabaseError), database.atomic():
        ApprovalRequest.objects.all()._raw_delete("default")


def test_an_approval_is_used_for_one_effect(alice: Account, support: User, finance: User) -> None:
    first, second = ask(alice, support, key="1"), ask(alice, support, key="2")
    used = approve(first, finance)
    with pytest.raises(DatabaseError), database.atomic():
        ApprovalRequest.objects.filter(pk=second.pk).update(
            state="executed",
            decided_by=finance,
            decided_at=LATER,
            decision_reason="Mine",
            adjustment=used.adjustment,
        )


def test_an_approved_refund_goes_to_the_card(
    payment: Transaction, support: User, finance: User
) -> None:
    asked = ask_to_refund(payment, support)
    assert refunds_at_stripe(payment) == []
    done = approve(asked, finance)
    made = Refund.objects.get()
    assert (done.state, done.refund, made.status) == (
        ApprovalState.EXECUTED,
        made,
        RefundStatus.SUCCEEDED,
    )
    assert (made.made_by, made.approved_by) == (support, finance)
    assert (len(refunds_at_stripe(payment)), balance_of(payment.account)) == (1, 15)
    assert story_of(payment.account)[-1] == "approval_executed"


def test_a_payment_that_was_disputed_meanwhile_is_not_refunded(
    payment: Transaction, support: User, finance: User
) -> None:
    asked = ask_to_refund(payment, support)
    disputes.record(
        transaction_id=payment.pk,
        report=StripeDispute(
            id="du_1",
            stage=DisputeStage.OPENED,
            charge_id="ch_1",
            payment_intent_id=payment.stripe_payment_intent_id,
            amount_minor=int(payment.charged_amount.amount * 1000),
            currency="omr",
            reason="fraudulent",
            evidence_due_at=None,
            opened_at=NOW,
        ),
        now=NOW,
    )
    with pytest.raises(ValidationError, match="bank disputes this payment"):
        approve(asked, finance)
    asked.refresh_from_db()
    assert asked.state == ApprovalState.FAILED
    assert refunds_at_stripe(payment) == []


def test_what_cannot_be_refunded_any_more_fails_and_says_why(
    payment: Transaction, support: User, finance: User
) -> None:
    asked = ask_to_refund(payment, support)
    refund(payment, "20")
    with pytest.raises(ValidationError, match="can't be done any more: Enter an amount up to"):
        approve(asked, finance)
    asked.refresh_from_db()
    assert (asked.state, asked.decided_by) == (ApprovalState.FAILED, finance)
    assert "up to $5.00" in asked.failure_message
    assert story_of(payment.account)[-1] == "approval_failed"


@pytest.mark.usefixtures("sandbox")
def test_a_refusal_of_stripe_is_said_at_the_request(support: User, finance: User) -> None:
    account = make_account()
    make_wallet(account)
    done = approve(ask_to_refund(make_transaction(account, amount="25"), support), finance)
    assert done.state == ApprovalState.FAILED
    assert "No such payment" in done.failure_message


def test_a_large_adjustment_is_reversed_once_approved(
    alice: Account, support: User, finance: User
) -> None:
    wrong = approve(ask(alice, support), finance).adjustment
    assert wrong is not None
    asked = [
        approvals.ask_for_adjustment(
            account=alice,
            amount=-wrong.amount,
            reason="Meant for Bob",
            by=support,
            now=NOW,
            request_key="2",
            reverses=wrong,
        )
    ]
    with pytest.raises(ValidationError, match="waits for approval already"):
        approvals.ask_for_adjustment(
            account=alice,
            amount=-wrong.amount,
            reason="Meant for Bob",
            by=finance,
            now=NOW,
            request_key="3",
            reverses=wrong,
        )
    approve(asked[0], finance)
    assert balance_of(alice) == 5
    assert adjustments.why_not_reversed(wrong) == "It is reversed already."


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("what", ["adjustment", "refund"])
def test_two_who_approve_at_once_do_it_once(what: str, add_card: Callable[..., Card]) -> None:
    payment = charge(make_payer(add_card))
    support = make_staff(StaffRole.SUPPORT)
    asked = ask_to_refund(payment, support) if what == "refund" else ask(payment.account, support)
    chiefs = [make_staff(StaffRole.FINANCE, f"{n}@badal.test") for n in range(4)]

    def click(chief: User) -> bool:
        try:
            approve(asked, chief)
        except ValidationError:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(click, chiefs)) == [False, False, False, True]
    assert balance_of(payment.account) == (15 if what == "refund" else 125)
    assert len(refunds_at_stripe(payment)) == (1 if what == "refund" else 0)
