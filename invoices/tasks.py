"""Scheduled and nudged work on transactions."""

from celery import shared_task
from django.utils import timezone

from invoices import checkout


@shared_task(name="invoices.refresh_transaction")
def refresh_transaction(transaction_id: int) -> None:
    """Ask Stripe how a transaction stands."""
    checkout.refresh(transaction_id=transaction_id, now=timezone.now())


@shared_task(name="invoices.sweep")
def sweep() -> int:
    """Ask about every transaction that has been open for too long."""
    return checkout.sweep(now=timezone.now())
