"""Payments that wait for their customer to confirm them with the bank (3-D Secure).

A bank may ask at any charge. Is the customer there, the transaction stays `processing` while they
answer; are they not (a renewal, an auto-refill), it is `failed` and they get an e-mail. Either way
they confirm the very PaymentIntent that the bank asked about, in the browser, and `settle` does the
rest. Nothing waits for ever: what was not confirmed in time, what a newer attempt took the place
of and what is no longer wanted is canceled at Stripe, so that it can't be paid any more.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts import gateway, sweeps
from accounts.bulk import any_uuid
from accounts.models import Account, AuditEvent, CardStatus, User
from accounts.stripe_objects import Outcome
from invoices import settlement
from invoices.models import Status, Transaction
from invoices.purposes import fulfilment_of

log = structlog.get_logger(__name__)

#: How often the sweeper asks about one whose webhook may have been lost.
ASK_EVERY = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What a browser needs to confirm a payment; with a `problem`, why there is nothing to."""

    transaction: Transaction
    problem: str
    client_secret: str = ""
    payment_method_id: str = ""


def waiting(*, account: Account, now: datetime) -> Transaction | None:
    """Return the newest payment that the customer can confirm at `now`, or None."""
    return newest_waiting(open_to_confirm(account=account, now=now), now=now)


def open_to_confirm(*, account: Account, now: datetime) -> QuerySet[Transaction]:
    """Return the payments whose time to confirm is not over, newest first."""
    found = Transaction.objects.filter(account=account, confirmable_until__gt=now)
    return found.order_by("-pk")


def newest_waiting(found: Iterable[Transaction], *, now: datetime) -> Transaction | None:
    """Return the first of them that the customer can confirm at `now`, or None."""
    return next((each for each in found if not why_not(transaction=each, now=now)), None)


def why_not(*, transaction: Transaction, now: datetime) -> str:
    """Say why a payment can't be confirmed, in words for the customer, or ""."""
    if transaction.status == Status.PAID:
        return _("This payment is made already. There is nothing to confirm.")
    if (newer := transaction.superseded_by.order_by("-pk").first()) is not None:
        if newer.status == Status.PAID:
            return _("It has been paid meanwhile, by %(number)s. There is nothing to confirm.") % {
                "number": newer.number
            }
        return _("A newer payment, %(number)s, took its place.") % {"number": newer.number}
    if transaction.confirmable_until is None:
        return _("This payment does not wait for a confirmation.")
    if transaction.confirmable_until <= now:
        return _("The time to confirm this payment has passed.")
    if transaction.card is None or transaction.card.status != CardStatus.VERIFIED:
        return _("The card of this payment was removed.")
    return fulfilment_of(transaction).why_unwanted(transaction=transaction, now=now)


def begin(*, transaction: Transaction, now: datetime) -> Confirmation:
    """Return what a browser confirms the payment with, as Stripe has it at this moment.

    Raises GatewayUnavailable, GatewayRefused.
    """
    problem = why_not(transaction=transaction, now=now)
    if problem:
        return Confirmation(transaction, problem)
    Transaction.objects.filter(pk=transaction.pk).exclude(status=Status.PAID).update(asked_at=now)
    _, payment = gateway.retrieve_payment(transaction.stripe_payment_intent_id)
    transaction = settlement.settle(transaction_id=transaction.pk, payment=payment, now=now)
    problem = why_not(transaction=transaction, now=now)
    if problem or transaction.card is None:
        return Confirmation(transaction, problem)
    return Confirmation(
        transaction,
        problem,
        client_secret=payment.client_secret,
        payment_method_id=transaction.card.stripe_payment_method_id,
    )


def refresh(*, transaction: Transaction, now: datetime) -> Transaction:
    """Ask Stripe how a payment that waits stands, and settle what it says.

    When Stripe gives no answer nothing changes.
    """
    if transaction.confirmable_until is None:
        return transaction
    Transaction.objects.filter(pk=transaction.pk).exclude(status=Status.PAID).update(asked_at=now)
    try:
        _, payment = gateway.retrieve_payment(transaction.stripe_payment_intent_id)
    except (gateway.GatewayUnavailable, gateway.GatewayRefused) as error:
        log.warning("confirmation_unanswered", transaction=transaction.number, why=str(error))
        return transaction
    return settlement.settle(transaction_id=transaction.pk, payment=payment, now=now)


def decline(*, transaction: Transaction, by: User, now: datetime) -> Transaction:
    """The customer does not want to confirm: the payment ends, and nobody can pay it any more.

    Does Stripe not answer, the sweeper cancels it. A payment that does not wait stays as it is.
    """
    given_up = (
        Transaction.objects.filter(pk=transaction.pk, confirmable_until__gt=now)
        .exclude(status=Status.PAID)
        .update(confirmable_until=now)
    )
    if not given_up:
        transaction.refresh_from_db()
        return transaction
    AuditEvent.objects.create(
        account_id=transaction.account_id,
        actor=by,
        action="confirmation_declined",
        details={"transaction": transaction.number},
        created_at=now,
    )
    try:
        return _close(transaction, now=now)
    except (gateway.GatewayUnavailable, gateway.GatewayRefused) as error:
        log.warning("confirmation_not_closed", transaction=transaction.number, why=str(error))
        transaction.refresh_from_db()
        return transaction


def to_give_way(
    transactions: Sequence[Transaction],
) -> list[tuple[Transaction, Transaction]]:
    """Return those that follow an earlier attempt which waits for confirmation, each with that one.

    An attempt at the same obligation; one query, however many there are.
    """
    obliged = {(each.account_id, each.obligation): each for each in transactions if each.obligation}
    if not obliged:
        return []
    waiting = Transaction.objects.filter(
        account_id__in=any_uuid(account_id for account_id, _ in obliged),
        status=Status.FAILED,
        confirmable_until__isnull=False,
    ).order_by("pk")
    # The newest of several is the last.
    earlier = {(each.account_id, each.obligation): each for each in waiting}
    return [(each, earlier[key]) for key, each in obliged.items() if key in earlier]


def give_way(*, transaction: Transaction, now: datetime) -> Transaction | None:
    """Cancel the earlier attempt at the same obligation that waited for confirmation.

    Returns it when it was paid meanwhile: then `transaction` must not be charged. Raises
    GatewayUnavailable, GatewayRefused while that can't be known.
    """
    earlier = transaction.supersedes
    if earlier is None:
        return None
    if earlier.confirmable_until is not None:
        earlier = _close(earlier, now=now)
    return earlier if earlier.status == Status.PAID else None


def sweep(*, now: datetime, limit: int = 200) -> int:
    """Cancel what can't be confirmed any more and ask about the rest; return how many ended."""
    due = Transaction.objects.filter(confirmable_until__isnull=False).filter(
        Q(confirmable_until__lte=now)
        | Q(status=Status.FAILED) & (Q(asked_at__isnull=True) | Q(asked_at__lte=now - ASK_EVERY))
    )

    def settle(transaction: Transaction) -> bool:
        try:
            if why_not(transaction=transaction, now=now):
                settled = _close(transaction, now=now)
            else:
                settled = refresh(transaction=transaction, now=now)
        except (gateway.GatewayUnavailable, gateway.GatewayRefused) as error:
            log.warning("confirmation_not_closed", transaction=transaction.number, why=str(error))
            return False
        return settled.confirmable_until is None

    found = due.select_related("card").order_by("confirmable_until", "pk")[:limit]
    return sweeps.Run().each(found, settle, broke="confirmation_sweep_broke")


def _close(transaction: Transaction, *, now: datetime) -> Transaction:
    """Cancel the payment at Stripe and settle how it ended: it may have been paid just before."""
    payment = gateway.cancel_payment(transaction.stripe_payment_intent_id)
    if payment.outcome == Outcome.CANCELED:
        payment = replace(
            payment,
            failure_code="not_confirmed",
            failure_message=gettext_noop("The payment was not confirmed with your bank."),
        )
    return settlement.settle(transaction_id=transaction.pk, payment=payment, now=now)
