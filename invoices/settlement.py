"""Settling: the one place where a transaction changes state.

Reached from four sides (the gateway's answer, a webhook, the customer's return from the payment
page, the sweeper), each any number of times, in any order and at once. The row lock lets one call
at a time decide; the call that makes the transition carries out the purpose in the same database
transaction, so a payment brings about its purpose exactly once (invariant I3).
"""

from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction as database
from django.utils.translation import gettext_noop
from django_countries import countries

from accounts import outbox
from accounts.database_trouble import again_after_deadlock
from accounts.event_log import happened
from accounts.models import Account, AuditEvent, Message, card_in_words
from accounts.money import format_omr, format_usd, to_minor_units
from accounts.prepared import fetch_one
from accounts.recorded_words import in_english
from accounts.stripe_objects import Outcome, Payment
from invoices import disputes, refund_settlement, tax
from invoices.models import Purpose, Status, Transaction
from invoices.numbers import next_in_sequence
from invoices.purposes import fulfilment_of

log = structlog.get_logger(__name__)

#: How long a customer who is there has to answer their bank; until then the attempt is open.
CHALLENGE_LIFETIME = timedelta(minutes=15)
#: How long a payment that was declined for want of confirmation can be confirmed and completed.
CONFIRMABLE_FOR = timedelta(days=7)
#: What a transaction is told when it becomes paid; all else is as it was opened.
_WRITTEN_WHEN_PAID = (
    "status", "asked_at", "paid_at", "confirmable_until", "stripe_payment_intent_id",
    "card_brand", "card_last4", "failure_code", "failure_message", "receipt_number",
    "seller", "billed_to",
)  # fmt: skip


@again_after_deadlock
@database.atomic
def settle(
    *, transaction_id: int, payment: Payment, now: datetime, asked_at: datetime | None = None
) -> Transaction:
    """Bring a transaction to where its payment is, and return it.

    `asked_at` is when Stripe was asked, when that was not written down before.

    A late success moves `failed` to `paid`; `paid` is final. A declined attempt on a payment page
    leaves it open: the customer may try another card there. A payment that the bank wants confirmed
    stays open while the customer is there to do it, and fails otherwise; both can be confirmed for
    a while. A capture of another amount than was asked for is recorded for staff and changes
    nothing.
    """
    transaction = (
        Transaction.objects.select_for_update(no_key=True, of=("self",))
        .select_related("account")
        .get(pk=transaction_id)
    )
    if transaction.status == Status.PAID:
        return transaction
    transaction.asked_at = asked_at or transaction.asked_at
    if payment.outcome == Outcome.SUCCEEDED:
        return _settle_paid(transaction, payment, now)
    if transaction.status == Status.PROCESSING and payment.outcome in (
        Outcome.DECLINED,
        Outcome.CANCELED,
    ):
        return _settle_failed(transaction, payment, now)
    if transaction.status == Status.PROCESSING and payment.outcome == Outcome.REQUIRES_ACTION:
        if transaction.confirmable_until is None:
            transaction.stripe_payment_intent_id = payment.payment_intent_id
            transaction.confirmable_until = now + CHALLENGE_LIFETIME
            transaction.save(update_fields=["stripe_payment_intent_id", "confirmable_until"])
        return transaction
    if transaction.status == Status.FAILED and transaction.confirmable_until is not None:
        return _settle_unconfirmed(transaction, payment, now)
    if transaction.status == Status.CHECKOUT and payment.outcome == Outcome.DECLINED:
        transaction.failure_code = payment.failure_code
        transaction.failure_message = payment.failure_message
        transaction.save(update_fields=["failure_code", "failure_message"])
    return transaction


def _settle_paid(transaction: Transaction, payment: Payment, now: datetime) -> Transaction:
    if not is_as_asked(payment, transaction):
        _record_difference(transaction, payment, now)
        return transaction
    transaction.stripe_payment_intent_id = payment.payment_intent_id
    transaction.card_brand = payment.card_brand or transaction.card_brand
    transaction.card_last4 = payment.card_last4 or transaction.card_last4
    transaction.paid_at = now
    transaction.confirmable_until = None
    messages = fulfilment_of(transaction).paid(transaction=transaction, now=now) or ()
    transaction.status = Status.PAID
    transaction.failure_code = transaction.failure_message = ""
    # What a receipt says never changes, whatever the customer or the seller changes later.
    transaction.seller = {key: str(value) for key, value in settings.SELLER.items()}
    transaction.billed_to = billing_details(transaction.account)
    first_line, went_back = _first_line_and_whether_it_went_back(transaction)
    # Last, for its lock is the seller's: whoever waits for it waits for as little as can be.
    transaction.receipt_number = next_in_sequence(settings.SELLER["receipt_prefix"])
    transaction.save(update_fields=_WRITTEN_WHEN_PAID)
    receipt = outbox.email(
        account=transaction.account,
        event="transaction_paid",
        key=f"transaction_paid:{transaction.number}",
        context={
            **_notice(transaction, first_line),
            **_tax(transaction),
            "receipt_number": transaction.receipt_number,
            "charged": format_omr(transaction.charged_amount.amount),
            "rate": f"{transaction.exchange_rate.normalize():f}",
            "paid_at": now.isoformat(),
        },
        now=now,
    )
    receipts = [receipt, *outbox.copies_of(receipt)]
    outbox.record([*messages, *receipts, _platform_event(transaction, "transaction.paid", now)])
    _log_settled(transaction)
    if went_back:
        refund_settlement.settle_waiting(transaction=transaction, now=now)
        disputes.settle_waiting(transaction=transaction, now=now)
    return transaction


#: In one statement, and of its own: only under the transaction's lock is the answer final.
_LOOK = """
SELECT
    (SELECT description FROM invoices_line WHERE transaction_id = %(id)s ORDER BY position LIMIT 1),
    EXISTS (SELECT FROM invoices_refund WHERE transaction_id = %(id)s)
        OR EXISTS (SELECT FROM invoices_dispute WHERE transaction_id = %(id)s)
"""


def _first_line_and_whether_it_went_back(transaction: Transaction) -> tuple[str, bool]:
    """Return what was sold, and whether Stripe told of a refund or a dispute before the payment."""
    row = fetch_one(_LOOK, {"id": transaction.pk})
    assert row is not None
    first_line, went_back = row
    return first_line or "", went_back


def is_as_asked(payment: Payment, transaction: Transaction) -> bool:
    """Whether what was captured is what was asked for: amount and currency."""
    asked = transaction.charged_amount
    return (payment.amount_minor, payment.currency) == (
        to_minor_units(asked),
        str(asked.currency.code).lower(),
    )


def _record_difference(transaction: Transaction, payment: Payment, now: datetime) -> None:
    """Tell staff of a capture that is not what was asked for: once, however often it is told."""
    details = {
        "transaction": transaction.number,
        "payment_intent": payment.payment_intent_id,
        "captured": payment.amount_minor,
        "currency": payment.currency,
        "expected": to_minor_units(transaction.charged_amount),
    }
    log.error("captured_amount_differs", **details)
    known = AuditEvent.objects.filter(
        account=transaction.account, action="captured_amount_differs", details=details
    )
    if not known.exists():
        AuditEvent.objects.create(
            account=transaction.account,
            action="captured_amount_differs",
            details=details,
            created_at=now,
        )


def _settle_failed(transaction: Transaction, payment: Payment, now: datetime) -> Transaction:
    transaction.status = Status.FAILED
    transaction.failed_at = now
    transaction.stripe_payment_intent_id = payment.payment_intent_id
    transaction.failure_code = payment.failure_code or "canceled"
    transaction.failure_message = payment.failure_message or gettext_noop(
        "The payment was canceled."
    )
    waits = payment.wants_confirmation and payment.payment_intent_id
    transaction.confirmable_until = now + CONFIRMABLE_FOR if waits else None
    fulfilment = fulfilment_of(transaction)
    # Before the row is written: whoever opens another attempt has locked what failed() locks, and
    # would wait for this row while we wait for theirs.
    fulfilment.failed(transaction=transaction, now=now)
    transaction.save()
    if not fulfilment.announces_failure and waits:
        ask_to_confirm(transaction, now)
    elif not fulfilment.announces_failure:
        outbox.record_email(
            account=transaction.account,
            event="transaction_failed",
            key=f"transaction_failed:{transaction.number}",
            context={
                **_notice(transaction, _first_line(transaction)),
                "reason": transaction.failure_message,
            },
            now=now,
        )
    outbox.record([_platform_event(transaction, "transaction.failed", now)])
    _log_settled(transaction)
    return transaction


def _log_settled(transaction: Transaction) -> None:
    happened(
        "transaction_settled",
        account=transaction.account_id,
        transaction=transaction.number,
        purpose=transaction.purpose,
        status=transaction.status,
        charged=transaction.charged_amount,
        failure_code=transaction.failure_code,
    )


def _settle_unconfirmed(transaction: Transaction, payment: Payment, now: datetime) -> Transaction:
    """Note what became of a failed payment that waited for its customer's confirmation.

    A challenge that was not passed may be tried again; any other decline was the bank's answer.
    """
    if payment.outcome == Outcome.CANCELED:
        transaction.confirmable_until = None
    elif payment.outcome == Outcome.DECLINED:
        transaction.failure_code = payment.failure_code
        transaction.failure_message = payment.failure_message
        if not payment.wants_confirmation:
            transaction.confirmable_until = now
    transaction.save(update_fields=["confirmable_until", "failure_code", "failure_message"])
    return transaction


def ask_to_confirm(transaction: Transaction, now: datetime, **consequences: str | None) -> None:
    """Record the e-mail that leads the customer to confirm a failed payment with their bank.

    For settlement, and for fulfilments that announce a failure themselves: `consequences` is what
    else ConfirmationNeeded may say.
    """
    notice = _notice(transaction, _first_line(transaction))
    outbox.record_email(
        account=transaction.account,
        event="confirmation_needed",
        key=f"confirmation_needed:{transaction.number}",
        context={**notice, "path": f"{notice['path']}confirm/", **consequences},
        now=now,
    )


def billing_details(account: Account) -> dict[str, str]:
    """Return who is billed, and in which timezone its dates are, as a receipt keeps it."""
    return {
        "name": account.billing_name or account.name,
        "address_line1": account.address_line1,
        "address_line2": account.address_line2,
        "city": account.city,
        # As get_country_display, which makes a list of all countries first.
        "country": countries.name(account.country),
        "tax_number": account.tax_number,
        "email": account.contact_email,
        "timezone": str(account.timezone),
    }


def _notice(transaction: Transaction, first_line: str | None) -> dict[str, str]:
    """What each notice about a transaction says (see accounts/notices.py)."""
    return {
        "number": transaction.number,
        "description": first_line or in_english(Purpose(transaction.purpose).label),
        "amount": format_usd(transaction.amount.amount),
        "card": card_in_words(transaction.card_brand, transaction.card_last4),
        "path": f"/billing/history/{transaction.number}/",
    }


def _first_line(transaction: Transaction) -> str | None:
    return transaction.lines.order_by("position").values_list("description", flat=True).first()


def _tax(transaction: Transaction) -> dict[str, str]:
    """What a notice says of the tax in the amount: nothing where none is paid."""
    if not transaction.tax_rate:
        return {}
    return {
        "net": format_usd(transaction.net_amount.amount),
        "tax_label": tax.label(transaction.tax_rate),
        "tax": format_usd(transaction.tax_amount.amount),
    }


def _platform_event(transaction: Transaction, event: str, now: datetime) -> Message:
    data = {
        "number": transaction.number,
        "purpose": transaction.purpose,
        "amount": str(transaction.amount.amount),
        "net_amount": str(transaction.net_amount.amount),
        "tax_amount": str(transaction.tax_amount.amount),
    }
    if transaction.status == Status.FAILED:
        data |= {
            "failure_code": transaction.failure_code,
            "failure_message": transaction.failure_message,
        }
    return outbox.platform_event(
        account=transaction.account,
        event=event,
        key=f"{event}:{transaction.number}",
        data=data,
        now=now,
    )
