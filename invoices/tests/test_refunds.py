"""Refunding a payment to its card: the intent first, then Stripe, then what it answered (I10)."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection
from django.db import transaction as database
from djmoney.money import Money
from pytest_django import Settings

from accounts import gateway
from accounts.models import Account, AuditEvent, Card, Message
from accounts.money import usd
from accounts.staff_roles import StaffRole
from accounts.stripe_objects import StripeRefund
from accounts.tests.factories import NOW, make_account
from accounts.tests.stripe_side import refuse_question
from invoices import refunds, reversals
from invoices.models import Dispute, Refund, RefundStatus, Status, Transaction
from invoices.tests.factories import make_transaction
from invoices.tests.refunders import finance, open_refund, refund, refunds_at_stripe
from invoices.tests.test_charging import charge
from wallet import ledger
from wallet.models import Entry, EntryKind
from wallet.tests.factories import balance_of, make_payer, make_wallet, move

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(add_card: Callable[..., Card]) -> Account:
    return make_payer(add_card, name="Alice Trading")


def refunded(payment: Transaction) -> Decimal:
    payment.refresh_from_db()
    amount: Decimal = payment.refunded_amount.amount
    return amount


# What a refund does ---------------------------------------------------------------------------
def test_a_full_refund_pays_all_rials_back_and_takes_the_credit(
    alice: Account, payment: Transaction
) -> None:
    made = refund(payment)
    assert (made.status, made.succeeded_at) == (RefundStatus.SUCCEEDED, NOW)
    [at_stripe] = refunds_at_stripe(payment)
    assert (at_stripe.id, at_stripe.amount, at_stripe.currency) == (
        made.stripe_refund_id,
        9630,
        "omr",
    )
    assert refunded(payment) == 25
    assert balance_of(alice) == 0
    entry = Entry.objects.get(refund=made)
    assert (entry.kind, entry.amount, entry.transaction) == (EntryKind.REFUND, -25, payment)


def test_partial_refunds_add_up_to_the_payment(alice: Account, payment: Transaction) -> None:
    rials = [refund(payment, amount).charged_amount.amount for amount in ("8.33", "8.33", "8.34")]
    assert rials == [Decimal("3.210"), Decimal("3.210"), Decimal("3.210")]
    assert sum(each.amount for each in refunds_at_stripe(payment)) == 9630
    assert (refunded(payment), balance_of(alice)) == (25, 0)


def test_credit_that_was_used_leaves_the_wallet_below_zero(
    alice: Account, payment: Transaction
) -> None:
    move(alice, "-20")
    refund(payment)
    alice.refresh_from_db()
    assert (balance_of(alice), alice.services) == (-20, "paused")


def test_what_is_refunded_is_told_once_with_its_credit_note(
    alice: Account, payment: Transaction
) -> None:
    made = refund(payment, "10")
    assert made.credit_note_number == "CN-000001"
    email = Message.objects.get(account=alice, event="refund_made")
    assert email.payload["amount"] == "$10.00"
    assert email.payload["charged"] == "OMR 3.850"
    assert email.payload["credit_taken"] == "$10.00"
    assert refund(payment, "10").credit_note_number == "CN-000002"
    story = AuditEvent.objects.filter(account=alice, action="refund_opened")
    assert [(each.actor, each.reason) for each in story] == [
        (finance(), "Paid twice by mistake")
    ] * 2


def test_tax_goes_back_with_the_net_and_only_the_net_was_credited(
    alice: Account, settings: Settings
) -> None:
    settings.CHARGE_TAX = True
    settings.TAX_RATES = {"OM": Decimal(5)}
    Account.objects.filter(pk=alice.pk).update(country="OM")
    alice.refresh_from_db()
    payment = charge(alice, "10")
    assert (payment.amount, payment.tax_amount) == (usd("10.50"), usd("0.50"))
    first = refund(payment, "3.50")
    assert (first.tax_amount, first.net_amount) == (usd("0.17"), usd("3.33"))
    assert balance_of(alice) == Decimal("6.67")
    last = refund(payment, "7")
    assert (last.tax_amount, last.net_amount) == (usd("0.33"), usd("6.67"))
    assert balance_of(alice) == 0


# What is refused ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("amount", "reason", "words"),
    [
        ("25.01", "Why", "up to $25.00"),
        ("0", "Why", "up to $25.00"),
        ("-5", "Why", "up to $25.00"),
        ("NaN", "Why", "up to $25.00"),
        ("Infinity", "Why", "up to $25.00"),
        ("5.001", "Why", "whole cents"),
        ("0.01", "Why", "steps of 10 baisa"),
        ("25", "  ", "Say why"),
        ("25", "x" * 501, "at most 500"),
    ],
)
def test_a_refund_that_cannot_be_made_says_what_can(
    payment: Transaction, amount: str, reason: str, words: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        refund(payment, amount, reason=reason)
    assert words in refused.value.messages[0]
    assert not Refund.objects.exists()
    assert refunds_at_stripe(payment) == []


def test_after_a_partial_refund_only_the_rest_is_left(payment: Transaction) -> None:
    refund(payment, "20")
    with pytest.raises(ValidationError, match=r"up to \$5\.00"):
        refund(payment, "5.01")
    refund(payment, "5")
    with pytest.raises(ValidationError, match="All of it is refunded"):
        refund(payment, "1")


@pytest.mark.parametrize("status", [Status.CHECKOUT, Status.PROCESSING, Status.FAILED])
def test_only_a_paid_transaction_is_refunded(alice: Account, status: Status) -> None:
    with pytest.raises(ValidationError, match="Only a paid"):
        refund(make_transaction(alice, status=status))


def test_beyond_ones_limit_nothing_is_refunded_alone(
    payment: Transaction, settings: Settings
) -> None:
    settings.STAFF_REFUND_LIMITS = {StaffRole.FINANCE: Decimal(20)}
    with pytest.raises(ValidationError, match=r"up to \$20.00 alone"):
        refund(payment, "20.01")
    assert refunds_at_stripe(payment) == []
    assert refund(payment, "20").limit_of_maker == 20


def test_what_stripe_refuses_has_failed_and_changes_nothing(alice: Account) -> None:
    unknown_to_stripe = make_transaction(alice, amount="25")
    made = refund(unknown_to_stripe)
    assert made.status == RefundStatus.FAILED
    assert "No such payment" in made.failure_message
    assert refunded(unknown_to_stripe) == 0
    told = Message.objects.get(event="refund_failed")
    assert (told.recipient, told.payload["reason"]) == (
        "billing@badal.example",
        made.failure_message,
    )


def test_what_stripe_refuses_to_two_at_once_fails_once(
    alice: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_refund(make_transaction(alice, amount="25"))
    ask, asked = gateway.refund, []

    def meanwhile(**request: Any) -> StripeRefund:
        asked.append(request)
        if len(asked) == 1:  # the sweeper comes while this process waits for Stripe
            refunds.execute(refund_id=opened.pk, now=NOW)
        return ask(**request)

    monkeypatch.setattr(gateway, "refund", meanwhile)
    assert refunds.execute(refund_id=opened.pk, now=NOW).status == RefundStatus.FAILED
    assert len(asked) == 2
    assert AuditEvent.objects.filter(action="refund_failed").count() == 1


def test_a_form_sent_again_leads_to_the_same_refund(payment: Transaction) -> None:
    first = refund(payment, "5", request_key="form-1")
    assert refund(payment, "5", request_key="form-1").pk == first.pk
    assert refunded(payment) == 5
    assert refund(payment, "5", request_key="form-2").pk != first.pk


# What the database refuses by itself ----------------------------------------------------------
def insert(payment: Transaction, amount: str, charged: str, **fields: Any) -> Refund:
    return Refund.objects.create(
        **{
            "account_id": payment.account_id,
            "transaction": payment,
            "number": f"R-{Refund.objects.count()}",
            "origin": "portal",
            "amount": usd(amount),
            "charged_amount": Money(Decimal(charged), "OMR"),
            "reason": "Why",
            "limit_of_maker": 500,
            "created_at": NOW,
            **fields,
        }
    )


@pytest.mark.parametrize(
    ("amount", "charged", "fields"),
    [
        ("25.01", "9.630", {}),
        ("25", "9.640", {}),
        ("25", "9.625", {}),
        ("5", "1.930", {"tax_amount": usd("0.01")}),
        ("0", "0.010", {}),
        ("5", "0", {}),
        ("5", "1.930", {"reason": ""}),
        ("5", "1.930", {"status": "succeeded"}),
    ],
)
def test_the_database_refuses_a_refund_that_is_wrong(
    alice: Account, amount: str, charged: str, fields: dict[str, Any]
) -> None:
    payment = make_transaction(alice, amount="25")
    with pytest.raises(IntegrityError), database.atomic():
        insert(payment, amount, charged, **fields)


def test_a_pending_refund_reserves_what_it_gives_back(alice: Account) -> None:
    payment = make_transaction(alice, amount="25")
    insert(payment, "20", "7.700")
    with pytest.raises(IntegrityError, match="more than was paid"), database.atomic():
        insert(payment, "6", "1.930")
    assert refunded(payment) == 0


def test_refunds_beyond_a_limit_are_approved_by_somebody_else(alice: Account) -> None:
    payment = make_transaction(alice, amount="25")
    with pytest.raises(IntegrityError, match="beyond the limit"), database.atomic():
        insert(payment, "5", "1.930", limit_of_maker=Decimal("4.99"))
    with pytest.raises(IntegrityError, match="beyond the limit"), database.atomic():
        insert(payment, "5", "1.930", limit_of_maker=None)
    insert(payment, "5", "1.930", limit_of_maker=5)


@pytest.mark.parametrize("fields", [{"limit_of_maker": 5000}, {"made_by": True}])
def test_who_approved_a_refund_is_fixed_with_who_made_it(
    alice: Account, fields: dict[str, Any]
) -> None:
    made = insert(make_transaction(alice, amount="25"), "5", "1.930")
    if "made_by" in fields:
        fields = {"made_by": finance()}
    with pytest.raises(IntegrityError, match="is fixed when it is opened"), database.atomic():
        Refund.objects.filter(pk=made.pk).update(**fields)


def test_refunds_of_what_is_disputed_are_refused(alice: Account) -> None:
    payment = make_transaction(alice, amount="25")
    Dispute.objects.create(
        account=alice,
        transaction=payment,
        status="opened",
        amount=usd(25),
        charged_amount=Money("9.630", "OMR"),
        stripe_dispute_id="dp_1",
        opened_at=NOW,
        asked_at=NOW,
    )
    with pytest.raises(IntegrityError, match="the bank has the money"), database.atomic():
        insert(payment, "5", "1.930")


def test_a_refund_that_succeeded_has_a_credit_note(alice: Account) -> None:
    made = insert(make_transaction(alice, amount="25"), "5", "1.930")

    def succeed(**fields: Any) -> None:
        Refund.objects.filter(pk=made.pk).update(
            status="succeeded", succeeded_at=NOW, stripe_refund_id="re_1", **fields
        )
        # It is checked at the end of the transaction: the number comes last.
        connection.check_constraints()

    with pytest.raises(IntegrityError, match="without a credit note"), database.atomic():
        succeed()
    succeed(credit_note_number="CN-1")


def test_a_refund_belongs_to_the_account_of_its_payment(alice: Account) -> None:
    payment = make_transaction(alice, amount="25")
    bob = make_account()
    with pytest.raises(IntegrityError, match="another account"), database.atomic():
        insert(payment, "5", "1.930", account_id=bob.pk)


@pytest.mark.parametrize(
    "change",
    [
        {"amount": usd(1)},
        {"charged_amount": Money(1, "OMR")},
        {"reason": "Another"},
        {"number": "R-OTHER"},
        {"stripe_refund_id": "re_other"},
        {"credit_note_number": "CN-999999"},
        {"status": RefundStatus.PENDING},
    ],
)
def test_a_refund_that_succeeded_never_changes(
    payment: Transaction, change: dict[str, Any]
) -> None:
    made = refund(payment)
    with pytest.raises(IntegrityError), database.atomic():
        Refund.objects.filter(pk=made.pk).update(**change)
    with pytest.raises(IntegrityError), database.atomic():
        Refund.objects.filter(pk=made.pk).delete()


def test_nothing_but_a_refund_moves_the_refunded_amount(payment: Transaction) -> None:
    with pytest.raises(IntegrityError, match="only a refund"), database.atomic():
        Transaction.objects.filter(pk=payment.pk).update(refunded_amount=usd(5))
    with pytest.raises(IntegrityError, match="only a refund"), database.atomic():
        make_transaction(payment.account, refunded_amount=usd(5))


def test_no_more_credit_is_taken_back_than_was_bought(alice: Account, payment: Transaction) -> None:
    refund(payment, "20")
    with pytest.raises(IntegrityError, match="bought 25"), database.atomic():
        ledger.post(
            account_id=alice.pk,
            kind=EntryKind.REFUND,
            amount=Decimal("-5.01"),
            description="Too much",
            now=NOW,
            transaction=payment,
        )


# What may go wrong on the way -----------------------------------------------------------------
def test_the_sweeper_finishes_what_a_dead_process_opened(
    alice: Account, payment: Transaction
) -> None:
    opened = open_refund(payment, "10")
    assert reversals.sweep(now=NOW + timedelta(seconds=30)) == 0
    assert reversals.sweep(now=NOW + timedelta(minutes=2)) == 1
    opened.refresh_from_db()
    assert opened.status == RefundStatus.SUCCEEDED
    assert (len(refunds_at_stripe(payment)), balance_of(alice)) == (1, 15)


def test_once_the_key_may_be_forgotten_a_refund_is_looked_up(
    alice: Account, payment: Transaction
) -> None:
    lost, never_sent = open_refund(payment, "10"), open_refund(payment, "5")
    refunds._ask(lost, payment, NOW)
    tomorrow = NOW + timedelta(hours=25)
    assert reversals.sweep(now=tomorrow) == 2
    lost.refresh_from_db()
    never_sent.refresh_from_db()
    assert (lost.status, never_sent.status) == (RefundStatus.SUCCEEDED, RefundStatus.FAILED)
    assert never_sent.failure_message == "It did not reach Stripe."
    assert (len(refunds_at_stripe(payment)), balance_of(alice)) == (1, 15)


def test_a_question_that_stripe_refuses_says_nothing_of_the_refund(
    alice: Account, payment: Transaction, sandbox: "Sandbox"
) -> None:
    """As when the key of another Stripe account is set: the card may have the money already."""
    lost = open_refund(payment, "10")
    refunds._ask(lost, payment, NOW)
    refuse_question(sandbox, "/v1/refunds")
    tomorrow = NOW + timedelta(hours=25)
    assert refunds.execute(refund_id=lost.pk, now=tomorrow).status == RefundStatus.PENDING
    assert reversals.sweep(now=tomorrow) == 1
    assert (len(refunds_at_stripe(payment)), balance_of(alice)) == (1, 15)


def test_wallets_of_others_are_left_alone(payment: Transaction) -> None:
    bob = make_account()
    make_wallet(bob, "7")
    refund(payment)
    assert balance_of(bob) == 7
