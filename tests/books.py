"""What must be true of the books after whatever happened: the end of every example of trouble."""

from typing import Any

from django.utils import timezone

from accounts import gateway
from accounts.money import to_minor_units
from billing_portal import audit
from invoices.models import Status, Transaction


def assert_books_are_right() -> None:
    """No invariant is broken, and Stripe's captures are the portal's paid transactions."""
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
    holds = [intent for intent in intents if intent.capture_method == "manual"]
    assert [hold.id for hold in holds if hold.status != "canceled"] == [], "a hold was left"
