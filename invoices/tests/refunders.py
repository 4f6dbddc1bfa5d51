"""Refunds for the tests, made the way the portal makes them."""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import Group

from accounts import gateway
from accounts.models import User
from accounts.staff_roles import StaffRole
from accounts.tests.factories import NOW
from invoices import refunds
from invoices.models import Refund, Transaction

if TYPE_CHECKING:
    from conftest import Sandbox


def finance() -> User:
    """Return the colleague who refunds."""
    user, _ = User.objects.get_or_create(email="finance@badal.test", defaults={"is_staff": True})
    # By each who asks: several do so at once, and whoever made them may not be done yet.
    user.groups.add(Group.objects.get(name=StaffRole.FINANCE))
    return user


def refund(
    payment: Transaction,
    amount: str = "25",
    *,
    reason: str = "Paid twice by mistake",
    now: datetime = NOW,
    request_key: str = "",
) -> Refund:
    """Refund `amount` USD of a payment."""
    return refunds.make_refund(
        transaction_id=payment.pk,
        amount=Decimal(amount),
        reason=reason,
        by=finance(),
        now=now,
        request_key=request_key,
    )


def open_refund(payment: Transaction, amount: str = "25") -> Refund:
    """Record the intent to refund; the process dies before Stripe is asked."""
    return refunds.open_refund(
        transaction_id=payment.pk,
        amount=Decimal(amount),
        reason="Paid twice by mistake",
        by=finance(),
        now=NOW,
    )


def refunds_at_stripe(payment: Transaction) -> list[Any]:
    """Return what Stripe refunded of a payment, newest first."""
    payment.refresh_from_db()
    listed = gateway.client().v1.refunds.list({"payment_intent": payment.stripe_payment_intent_id})
    return list(listed.data)


def charge_of(payment_intent_id: str) -> str:
    """Return the id of the charge of a payment at Stripe."""
    charge = gateway.client().v1.payment_intents.retrieve(payment_intent_id).latest_charge
    return charge if isinstance(charge, str) else charge.id if charge else ""


def refund_in_dashboard(
    sandbox: "Sandbox", payment_intent_id: str, baisa: int | None = None
) -> dict[str, Any]:
    """Refund a payment in Stripe's own dashboard: all that is left, or so many baisa."""
    body = {} if baisa is None else {"amount": baisa}
    return sandbox.control(f"charges/{charge_of(payment_intent_id)}/refund", body)
