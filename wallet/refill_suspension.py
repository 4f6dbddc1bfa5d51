"""Suspending auto-refill: it charges nothing until the customer says so again.

After several declines in a row, or when a payment is disputed: who disputes a payment would be
charged for the next one at once, for the dispute takes its credit out of the wallet. The customer
lifts a suspension by choosing another default card or switching it on again (DESIGN.md section 6).
"""

from collections.abc import Mapping
from datetime import datetime

from accounts import outbox
from accounts.models import Account
from accounts.money import format_usd
from invoices.models import Dispute, Transaction
from wallet.models import AutoRefill


def after_declines(*, refill: AutoRefill, transaction: Transaction, now: datetime) -> None:
    """Suspend a locked rule whose last charge was declined, and say so."""
    _suspend(
        refill,
        transaction.account,
        key=transaction.number,
        code=transaction.failure_code,
        context={
            "amount": format_usd(transaction.amount.amount),
            "card": f"{transaction.card}" if transaction.card else "",
            "reason": transaction.failure_message,
        },
        now=now,
    )


def for_dispute(*, dispute: Dispute, now: datetime) -> None:
    """Suspend the rule of an account that disputes a payment, if it is on, and say so."""
    transaction = dispute.transaction
    refill = (
        AutoRefill.objects.select_for_update(no_key=True)
        .filter(wallet__account_id=transaction.account_id, enabled=True, suspended_at__isnull=True)
        .first()
    )
    if refill is None:
        return
    _suspend(
        refill,
        transaction.account,
        key=dispute.stripe_dispute_id,
        code="dispute",
        context={
            "amount": format_usd(transaction.amount.amount),
            "card": "",
            "reason": dispute.reason_in_words,
            "disputed": transaction.number,
        },
        now=now,
    )


def _suspend(
    refill: AutoRefill,
    account: Account,
    *,
    key: str,
    code: str,
    context: Mapping[str, str],
    now: datetime,
) -> None:
    refill.suspended_at, refill.next_attempt_at = now, None
    refill.save()
    outbox.record_email(
        account=account,
        event="auto_refill_suspended",
        key=f"auto_refill_suspended:{key}",
        context={**context, "path": "/billing/#auto-refill"},
        now=now,
    )
    outbox.record_platform_event(
        account=account,
        event="auto_refill.suspended",
        key=f"auto_refill.suspended:{key}",
        data={"reason": code},
        now=now,
    )
