"""Payments: saved cards charged, hosted payment pages, and how either stands."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

import stripe
from django.utils.translation import gettext_noop
from djmoney.money import Money

from accounts.declines import explain_decline
from accounts.gateway.connection import GatewayRefused, client, currency_of, translated
from accounts.money import to_minor_units
from accounts.stripe_objects import (
    CheckoutSession,
    ListedPayment,
    Outcome,
    Payment,
    checkout_from_session,
    listed_payment_from_intent,
    payment_from_intent,
)


def charge_card(
    *,
    customer_id: str,
    payment_method_id: str,
    amount: Money,
    description: str,
    metadata: Mapping[str, str],
    idempotency_key: str,
    on_session: bool = False,
) -> Payment:
    """Charge a saved card. Asked again under the same key, Stripe answers the same.

    With `on_session` the customer is there to answer their bank: then REQUIRES_ACTION may come
    back, where a charge without them is DECLINED with `wants_confirmation`.
    """
    return create_payment(
        {
            "amount": to_minor_units(amount),
            "currency": currency_of(amount),
            "customer": customer_id,
            "payment_method": payment_method_id,
            "payment_method_types": ["card"],
            "confirm": True,
            "off_session": not on_session,
            "description": description,
            "metadata": dict(metadata),
        },
        idempotency_key=idempotency_key,
    )


def cancel_payment(payment_intent_id: str) -> Payment:
    """Make sure that nobody can pay a payment any more, and return how it ended.

    SUCCEEDED when it was paid before it could be canceled. Asked again it answers the same, so it
    needs no key of ours.
    """
    ended = (Outcome.CANCELED, Outcome.SUCCEEDED)
    _, payment = retrieve_payment(payment_intent_id)
    if payment.outcome in ended:
        return payment
    try:
        with translated():
            client().v1.payment_intents.cancel(
                payment_intent_id, {"cancellation_reason": "abandoned"}
            )
    except GatewayRefused:
        # Paid or canceled by somebody else between the two?
        _, payment = retrieve_payment(payment_intent_id)
        if payment.outcome not in ended:
            raise
        return payment
    return Payment(Outcome.CANCELED, payment_intent_id)


def open_checkout(
    *,
    customer_id: str,
    amount: Money,
    description: str,
    metadata: Mapping[str, str],
    success_url: str,
    cancel_url: str,
    idempotency_key: str,
) -> CheckoutSession:
    """Open a hosted payment page for `amount`."""
    with translated():
        session = client().v1.checkout.sessions.create(
            {
                "mode": "payment",
                "customer": customer_id,
                "payment_method_types": ["card"],
                "line_items": [
                    {
                        "quantity": 1,
                        "price_data": {
                            "currency": currency_of(amount),
                            "unit_amount": to_minor_units(amount),
                            "product_data": {"name": description},
                        },
                    }
                ],
                "payment_intent_data": {"description": description, "metadata": dict(metadata)},
                "metadata": dict(metadata),
                "success_url": success_url,
                "cancel_url": cancel_url,
            },
            {"idempotency_key": idempotency_key},
        )
    return checkout_from_session(session.to_dict())


def retrieve_checkout(session_id: str) -> CheckoutSession:
    """Return how a hosted payment page stands, with its payment."""
    with translated():
        session = client().v1.checkout.sessions.retrieve(
            session_id, {"expand": ["payment_intent.latest_charge"]}
        )
    return checkout_from_session(session.to_dict())


def retrieve_payment(payment_intent_id: str) -> tuple[str, Payment]:
    """Return the number of the transaction a payment was made for ("" for none), and how it is."""
    with translated():
        intent = client().v1.payment_intents.retrieve(
            payment_intent_id, {"expand": ["latest_charge"]}
        )
    found = intent.to_dict()
    return found["metadata"].get("transaction", ""), payment_from_intent(found)


def find_payment(*, transaction_number: str) -> Payment:
    """Return the payment that Stripe has for a transaction; CANCELED when it never got one.

    For transactions so old that asking again under their key would be a new charge.
    """
    with translated():
        found = client().v1.payment_intents.search(
            {
                "query": f"metadata['transaction']:'{transaction_number}'",
                "expand": ["data.latest_charge"],
            }
        )
    intents = [payment_from_intent(intent.to_dict()) for intent in found.data]
    never_asked = Payment(
        Outcome.CANCELED,
        failure_code="not_charged",
        failure_message=gettext_noop(
            "The payment did not reach the bank. You have not been charged."
        ),
    )
    return next(
        (payment for payment in intents if payment.outcome == Outcome.SUCCEEDED),
        intents[0] if intents else never_asked,
    )


def list_payments(
    *, since: datetime, until: datetime, after: str = "", limit: int = 100
) -> list[ListedPayment]:
    """Return a page of the payments made from `since` until before `until`, newest first.

    `after` is the id of the last payment of the page before. An empty page is the end.
    """
    params: dict[str, Any] = {
        "created": {"gte": int(since.timestamp()), "lt": int(until.timestamp())},
        "limit": limit,
        "expand": ["data.latest_charge"],
    }
    if after:
        params["starting_after"] = after
    with translated():
        found = client().v1.payment_intents.list(params)  # type: ignore[arg-type]
    return [listed_payment_from_intent(intent.to_dict()) for intent in found.data]


def create_payment(params: dict[str, Any], *, idempotency_key: str) -> Payment:
    params = {**params, "expand": ["latest_charge"]}
    try:
        with translated():
            intent = client().v1.payment_intents.create(
                params,  # type: ignore[arg-type]
                {"idempotency_key": idempotency_key},
            )
    except stripe.CardError as error:
        return _declined(error)
    return payment_from_intent(intent.to_dict())


def _declined(error: stripe.CardError) -> Payment:
    answer = cast("Mapping[str, Any]", error.json_body or {})
    body: Mapping[str, Any] = answer.get("error") or {}
    code = body.get("decline_code") or body.get("code") or "card_declined"
    if code == "generic_decline":
        code = "card_declined"
    return Payment(
        outcome=Outcome.DECLINED,
        payment_intent_id=(body.get("payment_intent") or {}).get("id", ""),
        failure_code=code,
        failure_message=explain_decline(code),
    )
