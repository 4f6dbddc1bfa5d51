"""What Stripe's objects mean to us: pure translation of what the API or a webhook says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from accounts.declines import WANTS_CONFIRMATION, explain_decline


class Outcome(StrEnum):
    """How a payment stands."""

    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    PENDING = "pending"
    #: The customer is there and has to answer their bank (3-D Secure).
    REQUIRES_ACTION = "requires_action"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    """A card as Stripe describes it."""

    id: str
    brand: str
    last4: str
    exp_month: int
    exp_year: int
    fingerprint: str
    holder_name: str


@dataclass(frozen=True, slots=True)
class Setup:
    """A SetupIntent: a card being saved."""

    id: str
    client_secret: str
    status: str
    customer_id: str
    payment_method: PaymentMethod | None


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment as Stripe knows it. `amount_minor` is what was captured, in minor units."""

    outcome: Outcome
    payment_intent_id: str = ""
    amount_minor: int = 0
    currency: str = ""
    card_brand: str = ""
    card_last4: str = ""
    failure_code: str = ""
    failure_message: str = ""
    #: What a browser confirms it with. A secret: it is shown to who may confirm, and kept nowhere.
    client_secret: str = field(default="", repr=False, compare=False)

    @property
    def wants_confirmation(self) -> bool:
        """Whether it was declined only until the customer confirms it with their bank."""
        return self.outcome == Outcome.DECLINED and self.failure_code in WANTS_CONFIRMATION


@dataclass(frozen=True, slots=True)
class ListedPayment:
    """A payment as Stripe lists it, with whom and what it was made for.

    `transaction_number`, `account_id` and `hold` (the SetupIntent it verified) are what the portal
    wrote to its metadata, "" where it did not. Amounts are in minor units.
    """

    id: str
    payment: Payment
    created_at: datetime
    customer_id: str
    transaction_number: str
    account_id: str
    hold: str
    refunded_minor: int
    is_disputed: bool


class RefundOutcome(StrEnum):
    """How a refund stands."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class StripeRefund:
    """A refund as Stripe knows it. `amount_minor` is in minor units of `currency`.

    `number` is our refund's, `transaction_number` our transaction's; both are empty for a refund
    that was made in Stripe's own dashboard.
    """

    id: str
    outcome: RefundOutcome
    payment_intent_id: str
    amount_minor: int
    currency: str
    number: str = ""
    transaction_number: str = ""
    reason: str = ""
    failure_reason: str = ""


class DisputeStage(StrEnum):
    """How far a dispute has come. An inquiry only asks: no money moves."""

    INQUIRY = "inquiry"
    DISMISSED = "dismissed"
    OPENED = "opened"
    UNDER_REVIEW = "under_review"
    LOST = "lost"
    WON = "won"


@dataclass(frozen=True, slots=True)
class StripeDispute:
    """A dispute as Stripe knows it. `amount_minor` is in minor units of `currency`."""

    id: str
    stage: DisputeStage
    charge_id: str
    payment_intent_id: str
    amount_minor: int
    currency: str
    reason: str
    evidence_due_at: datetime | None
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class CheckoutSession:
    """A hosted payment page. `payment` is set once the customer has tried to pay."""

    id: str
    url: str
    expires_at: datetime
    is_expired: bool
    payment: Payment


def payment_from_intent(intent: Mapping[str, Any]) -> Payment:
    """Translate a PaymentIntent."""
    charge = intent.get("latest_charge")
    card: Mapping[str, Any] = _charge_card(charge) if isinstance(charge, Mapping) else {}
    brand, last4 = card.get("brand") or "", card.get("last4") or ""
    if intent["status"] == "succeeded":
        return Payment(
            Outcome.SUCCEEDED,
            intent["id"],
            intent["amount_received"],
            intent["currency"],
            brand,
            last4,
        )
    if intent["status"] == "canceled":
        return Payment(Outcome.CANCELED, intent["id"], card_brand=brand, card_last4=last4)
    error = intent.get("last_payment_error")
    if intent["status"] == "requires_payment_method" and error:
        code = error.get("decline_code") or error.get("code") or "card_declined"
        return Payment(
            Outcome.DECLINED,
            intent["id"],
            card_brand=brand,
            card_last4=last4,
            failure_code=code,
            failure_message=explain_decline(code),
            client_secret=intent.get("client_secret") or "",
        )
    waits = intent["status"] == "requires_action"
    return Payment(
        Outcome.REQUIRES_ACTION if waits else Outcome.PENDING,
        intent["id"],
        card_brand=brand,
        card_last4=last4,
        client_secret=intent.get("client_secret") or "",
    )


def listed_payment_from_intent(intent: Mapping[str, Any]) -> ListedPayment:
    """Translate a PaymentIntent of a list, with its latest charge."""
    charge: Mapping[str, Any] = intent.get("latest_charge") or {}
    metadata: Mapping[str, str] = intent.get("metadata") or {}
    return ListedPayment(
        id=intent["id"],
        payment=payment_from_intent(intent),
        created_at=datetime.fromtimestamp(intent["created"], tz=UTC),
        customer_id=intent.get("customer") or "",
        transaction_number=metadata.get("transaction", ""),
        account_id=metadata.get("account", ""),
        hold=metadata.get("hold", ""),
        refunded_minor=charge.get("amount_refunded") or 0,
        is_disputed=bool(charge.get("disputed")),
    )


def payment_from_charge(charge: Mapping[str, Any]) -> Payment:
    """Translate a Charge from a webhook's event. A hold that is not captured is PENDING."""
    card = _charge_card(charge)
    captured = charge["status"] == "succeeded" and charge["captured"]
    return Payment(
        Outcome.SUCCEEDED if captured else Outcome.PENDING,
        charge["payment_intent"] or "",
        charge["amount_captured"],
        charge["currency"],
        card.get("brand") or "",
        card.get("last4") or "",
    )


def _charge_card(charge: Mapping[str, Any]) -> Mapping[str, Any]:
    details: Mapping[str, Any] = charge.get("payment_method_details") or {}
    return details.get("card") or {}


#: Stripe's statuses of a refund that are not known here wait, as `requires_action` does.
_REFUND_OUTCOMES = {
    "succeeded": RefundOutcome.SUCCEEDED,
    "failed": RefundOutcome.FAILED,
    "canceled": RefundOutcome.FAILED,
}


def refund_from_object(refund: Mapping[str, Any]) -> StripeRefund:
    """Translate a Refund, from the API or a webhook's event."""
    metadata: Mapping[str, Any] = refund.get("metadata") or {}
    return StripeRefund(
        id=refund["id"],
        outcome=_REFUND_OUTCOMES.get(refund["status"], RefundOutcome.PENDING),
        payment_intent_id=refund.get("payment_intent") or "",
        amount_minor=refund["amount"],
        currency=refund["currency"],
        number=metadata.get("refund") or "",
        transaction_number=metadata.get("transaction") or "",
        reason=refund.get("reason") or "",
        failure_reason=refund.get("failure_reason") or "",
    )


#: A status that is not known here moves no money until an event says that it was withdrawn.
_DISPUTE_STAGES = {
    "warning_needs_response": DisputeStage.INQUIRY,
    "warning_under_review": DisputeStage.INQUIRY,
    "warning_closed": DisputeStage.DISMISSED,
    "prevented": DisputeStage.DISMISSED,
    "needs_response": DisputeStage.OPENED,
    "under_review": DisputeStage.UNDER_REVIEW,
    "won": DisputeStage.WON,
    "lost": DisputeStage.LOST,
}


def dispute_from_object(dispute: Mapping[str, Any]) -> StripeDispute:
    """Translate a Dispute, from the API or a webhook's event."""
    due_by = (dispute.get("evidence_details") or {}).get("due_by")
    return StripeDispute(
        id=dispute["id"],
        stage=_DISPUTE_STAGES.get(dispute["status"], DisputeStage.INQUIRY),
        charge_id=dispute["charge"],
        payment_intent_id=dispute.get("payment_intent") or "",
        amount_minor=dispute["amount"],
        currency=dispute["currency"],
        reason=dispute["reason"],
        evidence_due_at=datetime.fromtimestamp(due_by, tz=UTC) if due_by else None,
        opened_at=datetime.fromtimestamp(dispute["created"], tz=UTC),
    )


def setup_from_intent(intent: Mapping[str, Any]) -> Setup:
    """Translate a SetupIntent."""
    method = intent.get("payment_method")
    return Setup(
        id=intent["id"],
        client_secret=intent["client_secret"] or "",
        status=intent["status"],
        customer_id=intent["customer"] or "",
        payment_method=payment_method_of(method) if isinstance(method, Mapping) else None,
    )


def payment_method_of(method: Mapping[str, Any]) -> PaymentMethod:
    """Translate a PaymentMethod that is a card."""
    card = method["card"]
    return PaymentMethod(
        id=method["id"],
        brand=card["brand"],
        last4=card["last4"],
        exp_month=card["exp_month"],
        exp_year=card["exp_year"],
        fingerprint=card.get("fingerprint") or "",
        holder_name=(method.get("billing_details") or {}).get("name") or "",
    )


def checkout_from_session(session: Mapping[str, Any]) -> CheckoutSession:
    """Translate a Checkout Session."""
    intent = session.get("payment_intent")
    payment = (
        payment_from_intent(intent)
        if isinstance(intent, Mapping)
        else Payment(Outcome.PENDING, intent or "")
    )
    return CheckoutSession(
        id=session["id"],
        url=session["url"] or "",
        expires_at=datetime.fromtimestamp(session["expires_at"], tz=UTC),
        is_expired=session["status"] == "expired",
        payment=payment,
    )
