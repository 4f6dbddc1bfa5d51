"""Money that goes back: refunds, made and listed, and disputes."""

from collections.abc import Mapping

from djmoney.money import Money

from accounts.gateway.connection import client, translated
from accounts.money import to_minor_units
from accounts.stripe_objects import (
    StripeDispute,
    StripeRefund,
    dispute_from_object,
    refund_from_object,
)


def refund(
    *,
    payment_intent_id: str,
    amount: Money,
    metadata: Mapping[str, str],
    idempotency_key: str,
) -> StripeRefund:
    """Pay `amount` of a payment back to its card. Asked again under the same key: the same refund.

    Raises GatewayRefused when Stripe won't: it is more than is left, or the payment is disputed.
    """
    with translated():
        made = client().v1.refunds.create(
            {
                "payment_intent": payment_intent_id,
                "amount": to_minor_units(amount),
                "metadata": dict(metadata),
            },
            {"idempotency_key": idempotency_key},
        )
    return refund_from_object(made.to_dict())


def list_refunds(*, payment_intent_id: str) -> list[StripeRefund]:
    """Return every refund of a payment, newest first, wherever it was made."""
    with translated():
        found = client().v1.refunds.list({"payment_intent": payment_intent_id, "limit": 100})
        return [refund_from_object(each.to_dict()) for each in found.auto_paging_iter()]


def list_disputes(*, payment_intent_id: str) -> list[StripeDispute]:
    """Return every dispute of a payment, newest first; more than one is rare."""
    with translated():
        found = client().v1.disputes.list({"payment_intent": payment_intent_id, "limit": 100})
        return [dispute_from_object(each.to_dict()) for each in found.auto_paging_iter()]
