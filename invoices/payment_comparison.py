"""What one payment at Stripe and one transaction here differ in, and what is repaired of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, Sum
from djmoney.money import Money

from accounts import gateway, outbox
from accounts.models import Account, AuditEvent, Card, card_in_words
from accounts.money import format_omr, format_usd, from_minor_units, to_minor_units
from accounts.stripe_objects import ListedPayment, Outcome
from invoices import refund_settlement, reversals, settlement
from invoices.models import RefundStatus, Status, Transaction
from invoices.reconciliation_models import FindingKind


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not the same there and here, in words for staff."""

    kind: FindingKind
    subject: str
    detail: str
    account_id: UUID | None = None
    transaction: Transaction | None = None


def transactions_of(payments: Sequence[ListedPayment]) -> dict[str, Transaction]:
    """Return the transaction that each payment was made for, by the payment's id."""
    numbers = [listed.transaction_number for listed in payments if listed.transaction_number]
    ids = [listed.id for listed in payments]
    found = Transaction.objects.filter(
        Q(number__in=numbers) | Q(stripe_payment_intent_id__in=ids)
    ).select_related("account")
    by_number = {transaction.number: transaction for transaction in found}
    by_id = {transaction.stripe_payment_intent_id: transaction for transaction in found}
    return {
        listed.id: transaction
        for listed in payments
        if (transaction := by_id.get(listed.id) or by_number.get(listed.transaction_number))
    }


def compare(
    listed: ListedPayment, transaction: Transaction | None, *, now: datetime
) -> Difference | None:
    """Return what a captured payment differs in; one that is paid only there is carried out.

    Call it inside a transaction.
    """
    if listed.hold:
        return _compare_hold(listed)
    if transaction is None:
        if listed.refunded_minor >= listed.payment.amount_minor:
            return None  # nothing of it was kept
        return Difference(
            FindingKind.UNKNOWN_PAYMENT,
            listed.id,
            f"{_amount(listed)} of {listed.created_at:%Y-%m-%d %H:%M} UTC names "
            f"{listed.transaction_number or 'no transaction'}. Refund it, or find out whose it is.",
            _account_of_customer(listed.customer_id),
        )
    if _is_anothers(listed, transaction):
        return _difference(
            FindingKind.ANOTHER_ACCOUNT,
            listed,
            transaction,
            f"{_amount(listed)} was taken from customer {listed.customer_id or 'none'} and names "
            f"{transaction.number} of {transaction.account}.",
        )
    if transaction.status == Status.PAID:
        return _compare_paid(listed, transaction)
    return _carry_out(listed, transaction, now)


def _compare_hold(listed: ListedPayment) -> Difference | None:
    if listed.refunded_minor >= listed.payment.amount_minor:
        return None
    card = Card.objects.filter(stripe_setup_intent_id=listed.hold).first()
    return Difference(
        FindingKind.HOLD_CAPTURED,
        listed.id,
        f"{_amount(listed)} was captured of the hold that verified {card or 'a card'}. Refund it.",
        card.account_id if card else _account_of_customer(listed.customer_id),
    )


def _is_anothers(listed: ListedPayment, transaction: Transaction) -> bool:
    """Whether Stripe took the money from somebody else than the transaction's account."""
    customer = transaction.account.stripe_customer_id
    return bool(listed.customer_id and listed.customer_id != customer) or bool(
        listed.account_id and listed.account_id != str(transaction.account_id)
    )


def _compare_paid(listed: ListedPayment, transaction: Transaction) -> Difference | None:
    if transaction.stripe_payment_intent_id != listed.id:
        if listed.refunded_minor >= listed.payment.amount_minor:
            return None
        return _difference(
            FindingKind.PAID_TWICE,
            listed,
            transaction,
            f"{transaction.number} is paid with {transaction.stripe_payment_intent_id}, and "
            f"{_amount(listed)} was captured for it once more. Refund it.",
        )
    if not settlement.is_as_asked(listed.payment, transaction):
        return _amount_difference(listed, transaction)
    return None


def _carry_out(listed: ListedPayment, transaction: Transaction, now: datetime) -> Difference | None:
    """Settle what the bank took and the portal does not know of; say so in history and by mail."""
    transaction = refund_settlement.lock(transaction.pk)
    if transaction.status == Status.PAID:
        return None  # by somebody else, a moment ago
    before = transaction.get_status_display()
    transaction = settlement.settle(transaction_id=transaction.pk, payment=listed.payment, now=now)
    if transaction.status != Status.PAID:
        return _amount_difference(listed, transaction)
    detail = (
        f"{transaction.number} was {before} here while {_amount(listed)} had been captured on "
        f"{listed.created_at:%Y-%m-%d %H:%M} UTC."
    )
    AuditEvent.objects.create(
        account=transaction.account,
        action="payment_reconciled",
        reason=detail,
        details={"transaction": transaction.number, "payment_intent": listed.id},
        created_at=now,
    )
    first = transaction.lines.order_by("position").values_list("description", flat=True).first()
    outbox.record_email(
        account=transaction.account,
        event="payment_found",
        key=f"payment_found:{transaction.number}",
        context={
            "number": transaction.number,
            "description": first or transaction.get_purpose_display(),
            "amount": format_usd(transaction.amount.amount),
            "charged": format_omr(transaction.charged_amount.amount),
            "card": card_in_words(transaction.card_brand, transaction.card_last4),
            "captured_at": listed.created_at.isoformat(),
            "path": f"/billing/history/{transaction.number}/",
        },
        now=now,
    )
    return _difference(FindingKind.PAYMENT_REPAIRED, listed, transaction, detail)


def not_carried_out(
    listed: ListedPayment, transaction: Transaction | None, error: Exception
) -> Difference:
    """Say that a payment could not be compared: what went wrong is in the log."""
    number = transaction.number if transaction else "no transaction"
    return Difference(
        FindingKind.NOT_CARRIED_OUT,
        listed.id,
        f"{_amount(listed)} for {number}: {type(error).__name__}. The log says more.",
        transaction.account_id if transaction else None,
        transaction,
    )


def _amount_difference(listed: ListedPayment, transaction: Transaction) -> Difference:
    return _difference(
        FindingKind.AMOUNT_DIFFERS,
        listed,
        transaction,
        f"{_amount(listed)} was captured for {transaction.number}, which asked for "
        f"{format_omr(transaction.charged_amount.amount)}. It is {transaction.status} here.",
    )


# What went back -------------------------------------------------------------------------------
def compare_reversals(
    listed: ListedPayment, transaction: Transaction, *, now: datetime
) -> list[Difference]:
    """Bring refunds and disputes of a payment to where Stripe has them; return what differed.

    Asks Stripe when something may differ (what a dispute has come to is not in the list): never
    call it inside a transaction. Raises GatewayUnavailable.
    """
    transaction.refresh_from_db()
    if transaction.status != Status.PAID or transaction.stripe_payment_intent_id != listed.id:
        return []
    refunded, disputed = _refunded_minor(transaction), _disputes_of(transaction)
    if refunded == listed.refunded_minor and not listed.is_disputed:
        return []
    try:
        reversals.ask(payment_intent_id=listed.id, now=now)
    except gateway.GatewayRefused:
        return [_refund_difference(listed, transaction, FindingKind.REFUNDS_DIFFER)]
    found = []
    if refunded != listed.refunded_minor:
        is_repaired = _refunded_minor(transaction) != refunded
        kind = FindingKind.REFUNDS_REPAIRED if is_repaired else FindingKind.REFUNDS_DIFFER
        found.append(_refund_difference(listed, transaction, kind))
    if (now_disputed := _disputes_of(transaction)) != disputed:
        states = ", ".join(f"{status} ({dispute})" for dispute, status in now_disputed)
        found.append(
            Difference(
                FindingKind.DISPUTES_REPAIRED,
                f"{listed.id}:{','.join(status for _, status in now_disputed)}",
                f"{transaction.number} is disputed at Stripe: {states}. It is recorded here now.",
                transaction.account_id,
                transaction,
            )
        )
    return found


def _disputes_of(transaction: Transaction) -> list[tuple[str, str]]:
    """Return how each dispute of a payment stands here."""
    disputes = transaction.disputes.order_by("stripe_dispute_id")
    return list(disputes.values_list("stripe_dispute_id", "status"))


def _refund_difference(
    listed: ListedPayment, transaction: Transaction, kind: FindingKind
) -> Difference:
    refunded = from_minor_units(listed.refunded_minor, listed.payment.currency)
    told = {
        FindingKind.REFUNDS_REPAIRED: "It is recorded here now.",
        FindingKind.REFUNDS_DIFFER: "Another amount is recorded here.",
    }[kind]
    return Difference(
        kind,
        # A payment may be refunded in part several times: each is told.
        f"{listed.id}:{listed.refunded_minor}",
        f"{refunded} {listed.payment.currency.upper()} of {transaction.number} went back at "
        f"Stripe. {told}",
        transaction.account_id,
        transaction,
    )


def _refunded_minor(transaction: Transaction) -> int:
    """Return what is refunded here, or on its way and known to Stripe, in minor units."""
    counted = transaction.refunds.exclude(status=RefundStatus.FAILED).exclude(stripe_refund_id="")
    total = counted.aggregate(total=Sum("charged_amount"))["total"] or 0
    currency = transaction.charged_amount.currency
    return to_minor_units(Money(total, currency))


# Ours against Stripe's ------------------------------------------------------------------------
def look_up(transaction: Transaction) -> Difference | None:
    """Ask Stripe for a payment of ours that the walk did not meet.

    Never call it inside a transaction. Raises GatewayUnavailable.
    """
    try:
        _, payment = gateway.retrieve_payment(transaction.stripe_payment_intent_id)
    except gateway.GatewayRefused as refusal:
        return _not_paid_there(transaction, f"Stripe says: {refusal}")
    if payment.outcome != Outcome.SUCCEEDED:
        return _not_paid_there(transaction, f"It is {payment.outcome} there.")
    if not settlement.is_as_asked(payment, transaction):
        return _not_paid_there(
            transaction,
            f"{payment.amount_minor} {payment.currency} (minor units) was captured, "
            f"{format_omr(transaction.charged_amount.amount)} asked for.",
        )
    return None


def _not_paid_there(transaction: Transaction, why: str) -> Difference:
    return Difference(
        FindingKind.NOT_PAID_THERE,
        transaction.number,
        f"{transaction.number} is paid here with {transaction.stripe_payment_intent_id}. {why}",
        transaction.account_id,
        transaction,
    )


def _difference(
    kind: FindingKind, listed: ListedPayment, transaction: Transaction, detail: str
) -> Difference:
    return Difference(kind, listed.id, detail, transaction.account_id, transaction)


def _amount(listed: ListedPayment) -> str:
    captured = from_minor_units(listed.payment.amount_minor, listed.payment.currency)
    return f"{captured} {listed.payment.currency.upper()}"


def _account_of_customer(customer_id: str) -> UUID | None:
    if not customer_id:
        return None
    accounts = Account.objects.filter(stripe_customer_id=customer_id)
    return accounts.values_list("pk", flat=True).first()
