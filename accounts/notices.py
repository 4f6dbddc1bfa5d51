"""The e-mails that customers and staff get: each event, and the context of its templates.

Templates are `templates/email/<event>.subject.txt`, `.txt` and `.html`. A context is JSON: amounts
are already formatted (`$99.00`, `OMR 38.120`), times are ISO 8601 strings in keys that end in
`_at` (shown in the account's timezone), `path` is where the button leads, without the host.
"""

from typing import Any, NotRequired, TypedDict


class TransactionPaid(TypedDict):
    """A payment went through: the customer's receipt."""

    is_copy: NotRequired[bool]  # to an address beside the billing contact
    number: str
    receipt_number: str
    description: str  # "Top-up", "Growth plan, renewal"
    amount: str  # with tax
    net: NotRequired[str]  # these three only where a tax is paid
    tax_label: NotRequired[str]  # "VAT 5 %"
    tax: NotRequired[str]
    charged: str  # "OMR 38.120"
    rate: str  # "0.385"
    card: str  # "Visa •••• 4242", or empty when not known
    paid_at: str
    path: str  # the transaction's page


class TransactionFailed(TypedDict):
    """A payment was declined."""

    number: str
    description: str
    amount: str
    card: str
    reason: str  # in the customer's words: "Your card has insufficient funds."
    path: str


class RefundMade(TypedDict):
    """Money of a payment is on its way back to the card."""

    is_copy: NotRequired[bool]  # to an address beside the billing contact
    number: str  # of the transaction
    receipt_number: str
    credit_note_number: str
    amount: str
    charged: str  # "OMR 38.120", what the card gets
    card: str
    credit_taken: str  # the credit that left the wallet, or empty when the payment bought none
    refunded_at: str
    path: str


class RefundCameBack(TypedDict):
    """A refund that was told as made could not be paid to the card."""

    number: str  # of the transaction
    credit_note_number: str
    amount: str
    charged: str
    card: str
    credit_returned: str  # to the wallet, or empty when the payment bought none
    path: str


class RefundFailed(TypedDict):
    """To staff: the card did not get a refund."""

    number: str
    transaction: str
    amount: str
    charged: str
    reason: str
    credit_returned: str  # to the wallet, or empty
    path: str


class ConfirmationNeeded(TypedDict):
    """The bank takes the payment only once the customer has confirmed it (3-D Secure)."""

    number: str
    description: str
    amount: str
    card: str
    pause_at: NotRequired[str | None]  # when services pause if it stays unpaid
    next_attempt_at: NotRequired[str | None]  # when it is tried again without the customer
    path: str  # the page to confirm it on


class DisputeNews(TypedDict):
    """To staff: a card holder's bank disputes a payment, or has decided."""

    number: str  # of the transaction
    dispute: str  # Stripe's id
    status: str  # "Opened", "Won"
    amount: str
    charged: str
    reason: str  # "product not received"
    credit_taken: str  # from the wallet, or empty
    credit_returned: str  # to the wallet, or empty
    evidence_due_at: NotRequired[str | None]
    path: str


class CardExpiring(TypedDict):
    """The default card is about to expire."""

    card: str
    expiry: str  # "12 / 2026"
    needed: bool  # whether a plan or auto-refill is charged to it
    path: str  # where another one is added


class AutoRefillFailed(TypedDict):
    """An automatic top-up was declined."""

    amount: str
    card: str
    reason: str
    next_attempt_at: NotRequired[str | None]
    path: str


class AutoRefillCapped(TypedDict):
    """Auto-refill pauses because it reached the most it may do in a day or a month."""

    reason: str  # "It topped up 5 times in 24 hours, the most it may."
    next_attempt_at: NotRequired[str | None]
    path: str


class AutoRefillSuspended(TypedDict):
    """Auto-refill gave up after several declines in a row, or a payment is disputed."""

    amount: str  # of the last charge, or of the disputed payment
    card: str
    reason: str
    disputed: NotRequired[str]  # the number of the disputed transaction
    path: str


class ServicesPaused(TypedDict):
    """Services were paused."""

    reasons: list[str]  # values of PauseReason
    balance: NotRequired[str]
    path: str


class ServicesResumed(TypedDict):
    """Services work again."""

    balance: NotRequired[str]
    path: str


class SubscriptionPastDue(TypedDict):
    """A renewal could not be paid."""

    plan: str
    amount: str
    reason: str
    next_attempt_at: NotRequired[str | None]
    pause_at: NotRequired[str | None]  # when services pause if it stays unpaid
    path: str


class RenewalReminder(TypedDict):
    """A renewal will be charged in a few days."""

    plan: str
    lines: list[dict[str, str]]  # description, note ("3 at $2.50") and amount of each
    amount: str
    charged: str  # "OMR 38.120", at today's rate
    card: str  # "Visa •••• 4242", or empty when there is none
    card_expires: NotRequired[bool]  # whether it will have expired by then
    renews_at: str
    path: str


class PlanChanged(TypedDict):
    """Another plan came into force, or will at the next renewal."""

    plan: str
    previous_plan: str
    monthly_price: str
    minimum_top_up: str
    effective_at: str
    path: str


class SubscriptionCanceled(TypedDict):
    """A plan ended, or will when its period does."""

    plan: str
    ends_at: str
    balance: str
    path: str


class LowBalance(TypedDict):
    """The balance fell below what the customer wants to be told about."""

    balance: str
    threshold: str
    refill_threshold: NotRequired[str]  # these two while Auto-Refill is on
    refill_amount: NotRequired[str]
    path: str


class SpendCap(TypedDict):
    """Usage is near the spend cap of this period, or has reached it."""

    spent: str
    cap: str
    period_ends_at: NotRequired[str | None]  # when counting begins anew
    path: str  # where the cap is raised


class MemberInvited(TypedDict):
    """To the invited address: somebody made room for them in an account."""

    invitation: str  # its id: the link is made when it is sent
    invited_by: str  # an address, or empty
    role: str  # a value of Role
    expires_at: str
    path: str  # of no use without the token


class EmailChangeAsked(TypedDict):
    """To a new address: somebody wants to sign in with it."""

    user: int  # whose it becomes: the link is made when it is sent
    previous: str
    email: str
    expires_at: str
    path: str  # of no use without the token


class EmailChanged(TypedDict):
    """To the old address: another one is signed in with."""

    user: int  # who reads it, for the language
    previous: str
    email: str
    path: str


class PaymentFound(TypedDict):
    """The nightly comparison found a payment that was not reflected, and carried it out."""

    number: str
    description: str
    amount: str
    charged: str
    card: str
    captured_at: str
    path: str


class ReconciliationFindings(TypedDict):
    """For staff: the nightly comparison with Stripe found what a person has to look at."""

    count: int
    findings: list[str]  # the first ones, a sentence each
    more: int  # how many others there are
    path: str  # the run in the admin


class ApprovalRequested(TypedDict):
    """To a colleague who may decide: somebody asks for a second pair of eyes."""

    asked_by: str  # an address
    kind: str  # "Refund"
    amount: str  # "−$100.00" is deducted
    reason: str
    expires_at: str
    path: str  # the request's page


class ApprovalEnded(TypedDict):
    """To who asked for approval: how it ended."""

    kind: str
    amount: str
    outcome: str  # "done", "declined", "failed", "expired"
    decided_by: str  # an address, or empty when nobody decided in time
    decision: str  # why it was decided so, or empty
    failure: str  # why what was approved could not be done, or empty
    reason: str  # why it was asked for
    path: str  # the request's page


#: What staff are told, not customers: it is in English, and its times are UTC.
TO_STAFF = frozenset(
    {
        "approval_ended",
        "approval_requested",
        "dispute_closed",
        "dispute_opened",
        "reconciliation_findings",
        "refund_failed",
    }
)

#: Every event that may be recorded, with the shape of its context.
NOTICES: dict[str, Any] = {
    "approval_requested": ApprovalRequested,
    "approval_ended": ApprovalEnded,
    "transaction_paid": TransactionPaid,
    "transaction_failed": TransactionFailed,
    "refund_made": RefundMade,
    "refund_came_back": RefundCameBack,
    "refund_failed": RefundFailed,
    "confirmation_needed": ConfirmationNeeded,
    "dispute_opened": DisputeNews,
    "dispute_closed": DisputeNews,
    "card_expiring": CardExpiring,
    "auto_refill_failed": AutoRefillFailed,
    "auto_refill_capped": AutoRefillCapped,
    "auto_refill_suspended": AutoRefillSuspended,
    "services_paused": ServicesPaused,
    "services_resumed": ServicesResumed,
    "subscription_past_due": SubscriptionPastDue,
    "renewal_reminder": RenewalReminder,
    "plan_changed": PlanChanged,
    "plan_change_scheduled": PlanChanged,
    "cancellation_scheduled": SubscriptionCanceled,
    "subscription_canceled": SubscriptionCanceled,
    "low_balance": LowBalance,
    "spend_cap_near": SpendCap,
    "spend_cap_reached": SpendCap,
    "member_invited": MemberInvited,
    "email_change_asked": EmailChangeAsked,
    "email_changed": EmailChanged,
    "payment_found": PaymentFound,
    "reconciliation_findings": ReconciliationFindings,
}


def missing_from(event: str, context: object) -> set[str]:
    """Return the keys the templates of `event` need and `context` lacks.

    Raises ValueError for an event nobody wrote templates for.
    """
    if event not in NOTICES:
        raise ValueError(f"There is no notice called {event!r}; see accounts/notices.py.")
    assert isinstance(context, dict)
    return set(NOTICES[event].__required_keys__) - context.keys()
