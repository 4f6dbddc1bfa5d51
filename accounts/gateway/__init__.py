"""The only place that talks to Stripe.

It translates our words to Stripe's parameters and Stripe's errors to the few outcomes the portal
knows; what Stripe's objects mean is in stripe_objects.py. A decline is an outcome; a timeout is
*unknown*, never *failed* (GatewayUnavailable): the caller leaves the row as it is and asks again.

Never call it inside a database transaction. Callers say `gateway.charge_card(...)`, whichever
module here it lives in. Each has an example in tests/test_stripe_contract.py, which holds what it
asks against the types of Stripe's SDK.
"""

from accounts.gateway.beforehand import with_answers
from accounts.gateway.cards import (
    cancel_setup,
    create_customer,
    create_setup,
    detach_card,
    find_holds,
    place_hold,
    retrieve_setup,
    void_hold,
)
from accounts.gateway.connection import (
    KEY_LIFETIME,
    GatewayRefused,
    GatewayUnavailable,
    client,
)
from accounts.gateway.pace import in_background
from accounts.gateway.payments import (
    cancel_payment,
    charge_card,
    find_payment,
    list_payments,
    open_checkout,
    retrieve_checkout,
    retrieve_payment,
)
from accounts.gateway.refunds import list_disputes, list_refunds, refund
from accounts.gateway.webhooks import (
    create_webhook_endpoint,
    delete_webhook_endpoint,
    list_webhook_endpoints,
    update_webhook_endpoint,
    verify_signature,
)

__all__ = [
    "KEY_LIFETIME",
    "GatewayRefused",
    "GatewayUnavailable",
    "cancel_payment",
    "cancel_setup",
    "charge_card",
    "client",
    "create_customer",
    "create_setup",
    "create_webhook_endpoint",
    "delete_webhook_endpoint",
    "detach_card",
    "find_holds",
    "find_payment",
    "in_background",
    "list_disputes",
    "list_payments",
    "list_refunds",
    "list_webhook_endpoints",
    "open_checkout",
    "place_hold",
    "refund",
    "retrieve_checkout",
    "retrieve_payment",
    "retrieve_setup",
    "update_webhook_endpoint",
    "verify_signature",
    "void_hold",
    "with_answers",
]
