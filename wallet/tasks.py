"""Scheduled and nudged work on wallets."""

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from wallet import approvals, refills


@shared_task(name="wallet.refill_accounts")
def refill_accounts(account_ids: list[str]) -> int:
    """Refill these accounts if they are due."""
    return refills.refill_due(
        now=timezone.now(), account_ids=[UUID(account_id) for account_id in account_ids]
    )


@shared_task(name="wallet.refill_due")
def refill_due() -> int:
    """Refill every account that is due: finds what a lost nudge should have done."""
    return refills.refill_due(now=timezone.now())


@shared_task(name="wallet.expire_approvals")
def expire_approvals() -> int:
    """Close what nobody decided on in time, and tell who asked."""
    return approvals.expire_due(now=timezone.now())
