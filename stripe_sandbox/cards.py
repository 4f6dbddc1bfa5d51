"""Stripe's test cards: what each number, token or magic PaymentMethod id does."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from .errors import CardError, Json, ParameterError

Authentication = Literal["never", "unless_set_up", "already_set_up", "always"]
Refunding = Literal["at_once", "later", "fails_later"]


@dataclass(frozen=True)
class SandboxCard:
    """One test number. `charge` and `setup` hold the decline code it answers with, if any."""

    number: str
    brand: str = "visa"
    funding: str = "credit"
    charge: str | None = None
    setup: str | None = None
    authentication: Authentication = "never"
    dispute: str | None = None
    inquiry: bool = False
    refund: Refunding = "at_once"

    @property
    def fingerprint(self) -> str:
        """The same for the same number, on every PaymentMethod made from it."""
        digest = hashlib.sha256(b"sandbox" + self.number.encode()).hexdigest()
        return f"{int(digest[:20], 16):024d}"[:16]

    @property
    def cvc_length(self) -> int:
        return 4 if self.brand == "amex" else 3


def _declining(number: str, decline_code: str) -> SandboxCard:
    return SandboxCard(number, charge=decline_code, setup=decline_code)


CARDS: dict[str, SandboxCard] = {
    card.number: card
    for card in (
        SandboxCard("4242424242424242"),
        SandboxCard("4000056655665556", funding="debit"),
        SandboxCard("5555555555554444", "mastercard"),
        SandboxCard("2223003122003222", "mastercard"),
        SandboxCard("5200828282828210", "mastercard", "debit"),
        SandboxCard("378282246310005", "amex"),
        SandboxCard("371449635398431", "amex"),
        SandboxCard("6011111111111117", "discover"),
        SandboxCard("3056930009020004", "diners"),
        SandboxCard("3566002020360505", "jcb"),
        SandboxCard("6200000000000005", "unionpay"),
        _declining("4000000000000002", "generic_decline"),
        _declining("4000000000009995", "insufficient_funds"),
        _declining("4000000000009987", "lost_card"),
        _declining("4000000000009979", "stolen_card"),
        _declining("4000000000000069", "expired_card"),
        _declining("4000000000000127", "incorrect_cvc"),
        _declining("4000000000000119", "processing_error"),
        SandboxCard("4000000000000341", charge="generic_decline"),
        SandboxCard("4000002500003155", authentication="unless_set_up"),
        SandboxCard("4000002760003184", authentication="always"),
        SandboxCard("4000000000003220", authentication="always"),
        SandboxCard("4000003800000446", authentication="already_set_up"),
        SandboxCard("4000008260003178", charge="insufficient_funds", authentication="always"),
        SandboxCard("4000000000000259", dispute="fraudulent"),
        SandboxCard("4000000000002685", dispute="product_not_received"),
        SandboxCard("4000000000001976", dispute="general", inquiry=True),
        SandboxCard("4000000000007726", refund="later"),
        SandboxCard("4000000000005126", refund="fails_later"),
    )
}

# `pm_card_visa`, `tok_visa` and the like; the part after the prefix.
MAGIC: dict[str, str] = {
    "visa": "4242424242424242",
    "visa_debit": "4000056655665556",
    "mastercard": "5555555555554444",
    "mastercard_debit": "5200828282828210",
    "amex": "378282246310005",
    "discover": "6011111111111117",
    "diners": "3056930009020004",
    "jcb": "3566002020360505",
    "unionpay": "6200000000000005",
    "chargeDeclined": "4000000000000002",
    "visa_chargeDeclined": "4000000000000002",
    "chargeDeclinedInsufficientFunds": "4000000000009995",
    "visa_chargeDeclinedInsufficientFunds": "4000000000009995",
    "chargeDeclinedLostCard": "4000000000009987",
    "visa_chargeDeclinedLostCard": "4000000000009987",
    "chargeDeclinedStolenCard": "4000000000009979",
    "visa_chargeDeclinedStolenCard": "4000000000009979",
    "chargeDeclinedExpiredCard": "4000000000000069",
    "chargeDeclinedIncorrectCvc": "4000000000000127",
    "chargeDeclinedProcessingError": "4000000000000119",
    "chargeCustomerFail": "4000000000000341",
    "threeDSecure2Required": "4000000000003220",
    "threeDSecureRequired": "4000000000003220",
    "authenticationRequired": "4000002760003184",
    "authenticationRequiredOnSetup": "4000002500003155",
    "authenticationRequiredSetupForOffSession": "4000003800000446",
    "authenticationRequiredChargeDeclinedInsufficientFunds": "4000008260003178",
    "createDispute": "4000000000000259",
    "createDisputeProductNotReceived": "4000000000002685",
    "createDisputeInquiry": "4000000000001976",
    "pendingRefund": "4000000000007726",
    "refundFail": "4000000000005126",
}

# decline_code → (code, message)
_DECLINES: dict[str, tuple[str, str]] = {
    "insufficient_funds": ("card_declined", "Your card has insufficient funds."),
    "expired_card": ("expired_card", "Your card has expired."),
    "incorrect_cvc": ("incorrect_cvc", "Your card's security code is incorrect."),
    "processing_error": (
        "processing_error",
        "An error occurred while processing your card. Try again in a little bit.",
    ),
    "authentication_required": (
        "authentication_required",
        "Your card was declined. This transaction requires authentication.",
    ),
    "card_velocity_exceeded": (
        "card_declined",
        "Your card was declined for making repeated attempts too frequently or exceeding its "
        "amount limit.",
    ),
    "card_not_supported": ("card_declined", "Your card does not support this type of purchase."),
}


@dataclass(frozen=True)
class Decline:
    """Why a card was refused, in Stripe's words."""

    decline_code: str
    code: str
    message: str

    def error(self, payment_method: Json) -> Json:
        """The shape kept in `last_payment_error` and `last_setup_error`."""
        return {
            "code": self.code,
            "decline_code": self.decline_code,
            "doc_url": "https://stripe.com/docs/error-codes/" + self.code.replace("_", "-"),
            "message": self.message,
            "payment_method": payment_method,
            "type": "card_error",
        }


def decline(decline_code: str) -> Decline:
    """The full decline for a code; an unfamiliar one is a plain `card_declined`."""
    code, message = _DECLINES.get(decline_code, ("card_declined", "Your card was declined."))
    return Decline(decline_code, code, message)


def magic(token: str) -> SandboxCard | None:
    """The card behind `pm_card_…` or `tok_…`, if it is one of Stripe's."""
    for prefix in ("pm_card_", "tok_"):
        if token.startswith(prefix):
            number = MAGIC.get(token.removeprefix(prefix))
            return CARDS[number] if number else None
    return None


def luhn(number: str) -> bool:
    """The check digit holds."""
    total = 0
    for position, digit in enumerate(reversed(number)):
        value = int(digit) * (1 + position % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def find(number: str) -> SandboxCard:
    """The test card with this number; anything else is refused as Stripe's test mode does."""
    digits = number.replace(" ", "").replace("-", "")
    if (
        not (digits.isascii() and digits.isdigit())
        or not 12 <= len(digits) <= 19
        or not luhn(digits)
    ):
        raise CardError("Your card number is incorrect.", code="incorrect_number", param="number")
    card = CARDS.get(digits)
    if card is None:
        raise CardError(
            "Your card was declined. Your request was in test mode, but used a non test card. "
            "For a list of valid test cards, visit: https://stripe.com/docs/testing.",
            code="card_declined",
            decline_code="live_mode_test_card",
        )
    return card


def check_details(card: SandboxCard, month: int, year: int, cvc: str | None, now_ym: int) -> int:
    """Refuse an expired card or a malformed CVC; answer with the four-digit year."""
    full_year = year + 2000 if 0 <= year < 100 else year
    if not 1 <= month <= 12:
        raise CardError(
            "Your card's expiration month is invalid.",
            code="invalid_expiry_month",
            param="exp_month",
        )
    if full_year * 12 + month < now_ym or full_year > now_ym // 12 + 50:
        raise CardError(
            "Your card's expiration year is invalid.", code="invalid_expiry_year", param="exp_year"
        )
    if cvc is not None and (
        not (cvc.isascii() and cvc.isdigit()) or len(cvc) not in (3, card.cvc_length)
    ):
        raise CardError("Your card's security code is invalid.", code="invalid_cvc", param="cvc")
    return full_year


def require_known_decline(decline_code: str | None) -> str | None:
    """Control calls name a decline code; an empty one is a mistake worth telling."""
    if decline_code is not None and not decline_code.replace("_", "").isalpha():
        raise ParameterError(f"Invalid decline_code: {decline_code}", param="decline_code")
    return decline_code
