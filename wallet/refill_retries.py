"""Refilling again at once what was declined, because staff say so."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction as database

from accounts.models import Account, AuditEvent, User
from invoices.models import Purpose, Transaction
from wallet import refills
from wallet.models import AutoRefill, Wallet


def rule_to_retry(*, account: Account) -> AutoRefill:
    """Return the account's rule, where staff may end its wait after a decline.

    Raises ValidationError when it is off or suspended: then the customer's consent is needed anew.
    """
    refill = AutoRefill.objects.filter(wallet__account=account).first()
    if refill is None or not refill.enabled or refill.suspended_at is not None:
        raise ValidationError(
            "Auto-Refill is off or suspended: only the customer can switch it on again."
        )
    return refill


def retry(*, account: Account, by: User, reason: str, now: datetime) -> Transaction | None:
    """End the wait after a decline, and refill if it is still due; return that attempt, or None.

    Raises ValidationError as rule_to_retry does, and within the caps' wait.
    """
    with database.atomic(durable=True):
        Wallet.objects.select_for_update(no_key=True).get(account=account)
        refill = rule_to_retry(account=account)
        if refill.capped_until is not None and refill.capped_until > now:
            raise ValidationError("It has charged as much as it may: a cap holds it back.")
        AutoRefill.objects.filter(pk=refill.pk).update(next_attempt_at=None)
        AuditEvent.objects.create(
            account=account,
            actor=by,
            action="payment_retried",
            reason=reason,
            details={"auto_refill": str(refill.amount)},
            created_at=now,
        )
    refills.refill_due(now=now, account_ids=[account.pk])
    return (
        Transaction.objects.filter(
            account=account, purpose=Purpose.AUTO_REFILL, created_at__gte=now
        )
        .order_by("-pk")
        .first()
    )
