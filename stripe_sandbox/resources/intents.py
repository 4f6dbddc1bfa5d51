"""What PaymentIntents and SetupIntents share."""

from __future__ import annotations

import hmac
from typing import Any

from ..errors import Json, StripeError, missing
from ..params import Field, boolean, enum, hash_of, list_of, mapping, text
from ..store import Tx, random_text
from . import payment_methods

AUTOMATIC = hash_of({"enabled": boolean, "allow_redirects": enum("always", "never")}, ("enabled",))


def card_options(**more: Field) -> Field:
    """`payment_method_options[card]`: what all three have, and what each has more."""
    three_d_secure = enum("automatic", "any", "challenge")
    return hash_of({"card": hash_of({"request_three_d_secure": three_d_secure, **more})})


COMMON = {
    "payment_method": text,
    "payment_method_data": payment_methods.PAYMENT_METHOD_DATA,
    "payment_method_types": list_of(text),
    "description": text,
    "metadata": mapping,
    "customer": text,
}
CREATE = {
    "automatic_payment_methods": AUTOMATIC,
    "confirm": boolean,
    "return_url": text,
    "use_stripe_sdk": boolean,
    "mandate_data": hash_of(
        {
            "customer_acceptance": hash_of(
                {
                    "type": enum("online", "offline"),
                    "online": hash_of({"ip_address": text, "user_agent": text}),
                    "offline": hash_of({}),
                }
            )
        }
    ),
}
CANCELLATION_REASONS = ("duplicate", "fraudulent", "requested_by_customer", "abandoned")


def identify(body: Json) -> None:
    """The client secret belongs to the id."""
    body["client_secret"] = f"{body['id']}_secret_{random_text(25)}"


def check_types(params: Json) -> None:
    """Only cards are built."""
    for kind in params.get("payment_method_types") or []:
        if kind not in ("card", "link"):
            raise StripeError(
                f"The payment method type provided: {kind} is invalid. The sandbox knows cards.",
                param="payment_method_types",
            )


def automatic(params: Json, shown: Json) -> Json | None:
    """Since 2023 Stripe turns automatic methods on unless the types are named."""
    given = params.get("automatic_payment_methods")
    if given:
        if given["enabled"] and params.get("payment_method_types"):
            raise StripeError(
                "You may only specify one of these parameters: automatic_payment_methods, "
                "payment_method_types."
            )
        redirects = given.get("allow_redirects") or "always"
        return {"allow_redirects": redirects, "enabled": True} if given["enabled"] else None
    if params.get("payment_method_types"):
        return None
    return {"allow_redirects": "always", "enabled": True}


def check_return_url(tx: Tx, intent: Json, params: Json, noun: str) -> None:
    """Confirming on a server with automatic methods needs a place to come back to."""
    methods = intent["automatic_payment_methods"]
    if tx.publishable or params.get("return_url") or params.get("use_stripe_sdk"):
        return
    if methods and methods.get("allow_redirects") != "never" and not params.get("off_session"):
        raise StripeError(
            f"This {noun} is configured to accept payment methods enabled in your Dashboard. "
            "Because some of these payment methods might redirect your customer off of your "
            "page, you must provide a `return_url`. If you don't want to accept redirect-based "
            "payment methods, set `automatic_payment_methods[enabled]` to `true` and "
            "`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents "
            "and Payment Intents.",
        )


def chosen(tx: Tx, params: Json, intent: Json) -> Json | None:
    """The PaymentMethod a call names, makes, or left on the intent before."""
    if params.get("payment_method_data"):
        return payment_methods.from_data(tx, params["payment_method_data"])
    if params.get("payment_method"):
        return payment_methods.resolve(tx, params["payment_method"])
    if intent["payment_method"]:
        return tx.load("payment_method", intent["payment_method"], "payment_method")
    return None


def load(tx: Tx, kind: str, object_id: str, params: Json) -> Json:
    """The intent; with a publishable key only for who holds its client secret."""
    intent = tx.load(kind, object_id, "intent")
    secret: Any = params.get("client_secret")
    if (tx.publishable or secret) and not hmac.compare_digest(
        str(secret).encode(), intent["client_secret"].encode()
    ):
        raise missing(kind, object_id, "intent")
    return intent


def unexpected(kind: str, intent: Json, message: str) -> StripeError:
    """The intent is not in a state for that."""
    error = StripeError(message, code=f"{kind}_unexpected_state")
    error.extra[kind] = intent
    return error
