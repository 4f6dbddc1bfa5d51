"""What a bank's refusal means, in words a customer understands.

Source of the codes: Stripe, "Decline codes". Fraud-related ones share one generic message: whoever
tests stolen cards must not learn which guess was right.
"""

from django.utils.translation import gettext_noop

_GENERIC = gettext_noop("Your bank declined the card. Try another card or ask your bank.")

_NOT_CONFIRMED = gettext_noop("The payment was not confirmed with your bank.")

_MESSAGES = {
    "insufficient_funds": gettext_noop("The card has insufficient funds."),
    "expired_card": gettext_noop("The card has expired."),
    "incorrect_cvc": gettext_noop("The card's security code is incorrect."),
    "incorrect_number": gettext_noop("The card number is incorrect."),
    "processing_error": gettext_noop(
        "Your bank could not process the card just now. Try again in a minute."
    ),
    "authentication_required": gettext_noop("Your bank wants you to confirm this payment."),
    "authentication_not_handled": _NOT_CONFIRMED,
    "payment_intent_authentication_failure": _NOT_CONFIRMED,
    "card_velocity_exceeded": gettext_noop("The card is over its limit."),
    "withdrawal_count_limit_exceeded": gettext_noop("The card is over its limit."),
    "currency_not_supported": gettext_noop("The card can't be charged in Omani rial."),
    "card_not_supported": gettext_noop("The card does not allow this kind of payment."),
    "payment_method_unavailable": gettext_noop("The card can no longer be charged. Add it again."),
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
