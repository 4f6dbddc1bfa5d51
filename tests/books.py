"""What must be true of the books after whatever happened: the end of every example of trouble."""

from collections.abc import Container
from datetime import timedelta
from typing import Any

from django.utils import timezone

from accounts import gateway
from accounts.money import to_minor_units
from billing_portal import audit
from invoices import reconciliation
from invoices.models import Refund, RefundStatus, Status, Transaction


def assert_books_are_right() -> None:
    """No invariant is broken, and Stripe's captures are the portal's paid transactions.

    What Stripe refunded of them are the portal's refunds that succeeded. The nightly comparison
    agrees: it finds nothing and has nothing to repair.
    """
    assert [str(violation) for violation in audit.run(now=timezone.now())] == []
    intents: list[Any] = list(
        gateway.client().v1.payment_intents.list({"limit": 100}).auto_paging_iter()
    )
    captured = {i.id: (i.amount_received, i.currency) for i in intents if i.amount_received}
    paid = Transaction.objects.filter(status=Status.PAID)
    assert captured == {
        each.stripe_payment_intent_id: (
            to_minor_units(each.charged_amount),
            str(each.charged_amount.currency).lower(),
        )
        for each in paid
    }
    assert paid.count() == len(captured)
    assert refunds_at_stripe(captured) == {
        each.stripe_refund_id: to_minor_units(each.charged_amount)
        for each in Refund.objects.filter(status=RefundStatus.SUCCEEDED)
    }
    holds = [intent for intent in intents if intent.capture_method == "manual"]
    assert [hold.id for hold in holds if hold.status != "canceled"] == [], "a hold was left"
    report = reconciliation.reconcile(now=timezone.now() + timedelta(hours=1))
    assert report.findings == []
    assert report.run.repaired == 0


def refunds_at_stripe(payments: Container[str]) -> dict[str, int]:
    """Return what Stripe refunded of `payments`: a hold that is let go counts as a refund, too."""
    listed = gateway.client().v1.refunds.list({"limit": 100}).auto_paging_iter()
    return {
        refund.id: refund.amount
        for refund in listed
        if refund.payment_intent in payments and refund.status == "succeeded"
    }
