"""What a bank's refusal means, in words a customer understands.

Source of the codes: Stripe, "Decline codes". Fraud-related ones share one generic message: whoever
tests stolen cards must not learn which guess was right.
"""

_GENERIC = "Your bank declined the card. Try another card or ask your bank."

_NOT_CONFIRMED = "The payment was not confirmed with your bank."

_MESSAGES = {
    "insufficient_funds": "The card has insufficient funds.",
    "expired_card": "The card has expired.",
    "incorrect_cvc": "The card's security code is incorrect.",
    "incorrect_number": "The card number is incorrect.",
    "processing_error": "Your bank could not process the card just now. Try again in a minute.",
    "authentication_required": "Your bank wants you to confirm this payment.",
    "authentication_not_handled": _NOT_CONFIRMED,
    "payment_intent_authentication_failure": _NOT_CONFIRMED,
    "card_velocity_exceeded": "The card is over its limit.",
    "withdrawal_count_limit_exceeded": "The card is over its limit.",
    "currency_not_supported": "The card can't be charged in Omani rial.",
    "card_not_supported": "The card does not allow this kind of payment.",
    "payment_method_unavailable": "The card can no longer be charged. Add it again.",
}

#: The bank neither took the money nor refused it: it wants its customer to confirm (3-D Secure).
WANTS_CONFIRMATION = frozenset(
    {
        "authentication_required",
        "authentication_not_handled",
        "payment_intent_authentication_failure",
    }
)


def explain_decline(code: str) -> str:
    """Return a sentence for the customer, for Stripe's decline or error code."""
    return _MESSAGES.get(code, _GENERIC)
