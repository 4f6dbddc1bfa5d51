"""Scheduled and nudged work on transactions."""

from celery import shared_task
from django.utils import timezone

from invoices import checkout, confirmations, reversals, sweeper


@shared_task(name="invoices.refresh_transaction")
def refresh_transaction(transaction_id: int) -> None:
    """Ask Stripe how a transaction stands."""
    checkout.refresh(transaction_id=transaction_id, now=timezone.now())


@shared_task(name="invoices.sweep")
def sweep() -> int:
    """Ask about every transaction that has been open, or waits for confirmation, for too long."""
    return sweeper.sweep(now=timezone.now()) + confirmations.sweep(now=timezone.now())


@shared_task(name="invoices.ask_about_payment")
def ask_about_payment(payment_intent_id: str) -> None:
    """Ask Stripe about a payment and what went back of it."""
    reversals.ask(payment_intent_id=payment_intent_id, now=timezone.now())


@shared_task(name="invoices.sweep_reversals")
def sweep_reversals() -> int:
    """Go on with every refund that has been pending for too long."""
    return reversals.sweep(now=timezone.now())
