"""What happened to an account, in the customer's words.

Only what is listed here is shown: what is recorded for staff or for the machine stays theirs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_countries import countries

from accounts.models import AuditEvent, PauseReason, card_in_words
from accounts.money import format_usd
from accounts.recorded_words import translated
from accounts.roles import Role

Details = Mapping[str, Any]


class Kind(models.TextChoices):
    """What a change is about."""

    MEMBERS = "members", gettext_lazy("Members")
    KEYS = "keys", gettext_lazy("API keys")
    DETAILS = "details", gettext_lazy("Details and notices")
    CARDS = "cards", gettext_lazy("Payment methods")
    PLAN = "plan", gettext_lazy("Plan and rentals")
    CREDIT = "credit", gettext_lazy("Credit and Auto-Refill")
    SERVICES = "services", gettext_lazy("Services")


@dataclass(frozen=True)
class Names:
    """What plans and rentals are called, by their keys."""

    plans: Mapping[str, str]
    features: Mapping[str, str]


@dataclass(frozen=True)
class Changed:
    """A field as it was and as it is."""

    label: str
    before: str
    after: str


Sentence = Callable[[Details, Names], str]


def title_of(event: AuditEvent, names: Names) -> str:
    """Return what happened, in a sentence."""
    return SENTENCES[event.action][1](event.details, names)


def changes_of(event: AuditEvent) -> tuple[Changed, ...]:
    """Return what was set before and after, field by field, where that was recorded."""
    before, after = event.details.get("before"), event.details.get("after")
    if not isinstance(before, dict) or not isinstance(after, dict):
        return ()
    return tuple(
        Changed(str(_FIELDS[field]), _value(field, before.get(field)), _value(field, value))
        for field, value in after.items()
        if field in _FIELDS and before.get(field, "") != value
    )


def _value(field: str, value: object) -> str:
    written = str(value or "")
    if field == "country":
        return str(countries.name(written)) or written
    if field == "language":
        return dict(settings.LANGUAGES).get(written, written)
    return written


def actions_of(kind: str) -> list[str]:
    """Return the actions of a kind; of all kinds for ""."""
    return [action for action, (its, _) in SENTENCES.items() if not kind or its == kind]


_FIELDS = {
    "billing_name": gettext_lazy("Name on receipts"),
    "address_line1": gettext_lazy("Address"),
    "address_line2": gettext_lazy("Address, second line"),
    "city": gettext_lazy("City"),
    "country": gettext_lazy("Country"),
    "tax_number": gettext_lazy("Tax number"),
    "receipt_email": gettext_lazy("E-mail for receipts and notices"),
    "receipt_copies": gettext_lazy("Receipts also go to"),
    "timezone": gettext_lazy("Timezone"),
    "language": gettext_lazy("Language of e-mails"),
    "name": gettext_lazy("Name"),
    "owner_email": gettext_lazy("Owner's e-mail"),
}


def _plain(text: Callable[[], str]) -> Sentence:
    return lambda details, names: text()


def _role(value: object) -> str:
    return str(Role(value).label) if value in Role.values else str(value)


def _member(text: Callable[[], str]) -> Sentence:
    return lambda details, names: (
        text()
        % {
            "member": details.get("member", ""),
            "role": _role(details.get("role")),
            "before": _role(details.get("before")),
            "after": _role(details.get("after")),
        }
    )


def _key(text: Callable[[], str]) -> Sentence:
    return lambda details, names: (
        text()
        % {
            "name": details.get("name", ""),
            "prefix": f"bp_{details.get('prefix', '')}_…",
        }
    )


def _card(text: Callable[[], str]) -> Sentence:
    def write(details: Details, names: Names) -> str:
        brand, last4 = str(details.get("brand", "")), str(details.get("last4", ""))
        return text() % {"card": card_in_words(brand, last4)}

    return write


def _plan(text: Callable[[], str]) -> Sentence:
    def write(details: Details, names: Names) -> str:
        plan = str(details.get("plan", ""))
        before, after = _versions(str(details.get("from", "")), str(details.get("to", "")))
        return text() % {
            "plan": translated(names.plans.get(plan, plan)),
            "before": before,
            "after": after,
        }

    return write


def _versions(before: str, after: str) -> tuple[str, str]:
    """Two versions of plans, recorded as `Growth v2`: two plans' names, or one with its numbers."""
    (first, _v, earlier), (second, _v, later) = before.rpartition(" v"), after.rpartition(" v")
    names = translated(first), translated(second)
    if first != second:
        return names
    return f"{names[0]} v{earlier}", f"{names[1]} v{later}"


def _rental(text: Callable[[], str]) -> Sentence:
    def write(details: Details, names: Names) -> str:
        feature = str(details.get("feature", ""))
        return text() % {
            "rental": translated(names.features.get(feature, feature)),
            "before": f"{details.get('held', 0):,}",
            "after": f"{details.get('quantity', 0):,}",
        }

    return write


def _dollars(value: object) -> str:
    return format_usd(Decimal(str(value)))


def _amount(text: Callable[[], str]) -> Sentence:
    return lambda details, names: text() % {"amount": _dollars(details.get("amount", 0))}


def _low_balance(details: Details, names: Names) -> str:
    limit = details.get("limit")
    if limit is None:
        return _("Low-balance alert switched off")
    return _("Low-balance alert set to %(amount)s") % {"amount": _dollars(limit)}


def _spend_cap(details: Details, names: Names) -> str:
    cap = details.get("cap")
    if cap is None:
        return _("Spend cap removed")
    return _("Spend cap set to %(amount)s a month") % {"amount": _dollars(cap)}


def _refill(details: Details, names: Names) -> str:
    if not details.get("enabled"):
        return _("Auto-Refill saved, switched off")
    written = {
        "amount": _dollars(details["amount"]),
        "threshold": _dollars(details["threshold"]),
    }
    most = details.get("monthly_maximum")
    if most is None:
        return _("Auto-Refill set to add %(amount)s below %(threshold)s") % written
    return _("Auto-Refill set to add %(amount)s below %(threshold)s, at most %(most)s a month") % {
        **written,
        "most": _dollars(most),
    }


def _paused(details: Details, names: Names) -> str:
    reason = details.get("reason")
    if reason not in PauseReason.values:
        return _("Services paused")
    return _("Services paused: %(reason)s") % {"reason": PauseReason(reason).label}


#: Each action that customers see: what it is about, and what is said.
SENTENCES: dict[str, tuple[Kind, Sentence]] = {
    "member_invited": (Kind.MEMBERS, _member(lambda: _("Invited %(member)s as %(role)s"))),
    "invitation_resent": (
        Kind.MEMBERS,
        _member(lambda: _("Sent the invitation of %(member)s again, as %(role)s")),
    ),
    "invitation_revoked": (
        Kind.MEMBERS,
        _member(lambda: _("Revoked the invitation of %(member)s")),
    ),
    "member_joined": (Kind.MEMBERS, _member(lambda: _("%(member)s joined as %(role)s"))),
    "member_role_changed": (
        Kind.MEMBERS,
        _member(lambda: _("Changed the role of %(member)s from %(before)s to %(after)s")),
    ),
    "member_removed": (Kind.MEMBERS, _member(lambda: _("Removed %(member)s"))),
    "member_left": (Kind.MEMBERS, _member(lambda: _("%(member)s left"))),
    "member_email_changed": (
        Kind.MEMBERS,
        _member(lambda: _("%(before)s signs in as %(after)s now")),
    ),
    "api_key_created": (Kind.KEYS, _key(lambda: _("Made the API key %(name)s (%(prefix)s)"))),
    "api_key_changed": (Kind.KEYS, _key(lambda: _("Changed the API key %(prefix)s"))),
    "api_key_revoked": (Kind.KEYS, _key(lambda: _("Revoked the API key %(name)s (%(prefix)s)"))),
    "account_provisioned": (Kind.DETAILS, _plain(lambda: _("Opened the account"))),
    "account_changed": (Kind.DETAILS, _plain(lambda: _("Changed the account"))),
    "account_edited": (Kind.DETAILS, _plain(lambda: _("Changed the account"))),
    "billing_details_changed": (Kind.DETAILS, _plain(lambda: _("Changed billing details"))),
    "low_balance_limit_set": (Kind.DETAILS, _low_balance),
    "spend_cap_set": (Kind.CREDIT, _spend_cap),
    "card_verified": (Kind.CARDS, _card(lambda: _("Added %(card)s"))),
    "card_rejected": (Kind.CARDS, _card(lambda: _("%(card)s could not be added"))),
    "card_made_default": (Kind.CARDS, _card(lambda: _("Made %(card)s the default card"))),
    "card_removed": (Kind.CARDS, _card(lambda: _("Removed %(card)s"))),
    "card_detached": (Kind.CARDS, _card(lambda: _("%(card)s was removed at Stripe"))),
    "card_updated": (Kind.CARDS, _card(lambda: _("%(card)s was renewed by its bank"))),
    "card_attempts_refused": (
        Kind.CARDS,
        _plain(lambda: _("Too many attempts to add a card were refused")),
    ),
    "plan_chosen": (Kind.PLAN, _plan(lambda: _("Chose the plan %(plan)s"))),
    "subscription_started": (Kind.PLAN, _plan(lambda: _("The plan %(plan)s began"))),
    "plan_changed": (Kind.PLAN, _plan(lambda: _("Plan changed from %(before)s to %(after)s"))),
    "plan_change_scheduled": (
        Kind.PLAN,
        _plan(lambda: _("Plan changes from %(before)s to %(after)s at the renewal")),
    ),
    "plan_change_taken_back": (
        Kind.PLAN,
        _plan(lambda: _("Took back the change from %(before)s to %(after)s")),
    ),
    "cancellation_scheduled": (
        Kind.PLAN,
        _plan(lambda: _("Canceled the plan %(plan)s from the end of the period on")),
    ),
    "cancellation_undone": (Kind.PLAN, _plan(lambda: _("Kept the plan %(plan)s after all"))),
    "subscription_canceled": (Kind.PLAN, _plan(lambda: _("The plan %(plan)s ended"))),
    "rental_taken": (
        Kind.PLAN,
        _rental(lambda: _("Took %(rental)s: %(after)s instead of %(before)s")),
    ),
    "rental_released": (
        Kind.PLAN,
        _rental(lambda: _("Released %(rental)s: %(after)s instead of %(before)s, at the renewal")),
    ),
    "rental_release_undone": (
        Kind.PLAN,
        _rental(lambda: _("Kept %(rental)s after all: %(after)s")),
    ),
    "auto_refill_configured": (Kind.CREDIT, _refill),
    "auto_refill_amount_raised": (
        Kind.CREDIT,
        _amount(lambda: _("Auto-Refill raised to %(amount)s, the least the plan accepts")),
    ),
    "auto_refill_switched_off": (Kind.CREDIT, _plain(lambda: _("Auto-Refill was switched off"))),
    "auto_refill_cap_reached": (
        Kind.CREDIT,
        _plain(lambda: _("Auto-Refill reached its limit and waits")),
    ),
    "credit_adjusted": (Kind.CREDIT, _amount(lambda: _("Credit adjusted by %(amount)s"))),
    "adjustment_reversed": (
        Kind.CREDIT,
        _amount(lambda: _("An adjustment of credit was reversed: %(amount)s")),
    ),
    "refund_succeeded": (Kind.CREDIT, _amount(lambda: _("Refunded %(amount)s"))),
    "confirmation_declined": (
        Kind.CREDIT,
        lambda details, names: (
            _("Declined to confirm payment %(number)s") % {"number": details.get("transaction", "")}
        ),
    ),
    "services_paused": (Kind.SERVICES, _paused),
    "services_resumed": (Kind.SERVICES, _plain(lambda: _("Services resumed"))),
}
#: Recorded for staff, or said by another event already.
NOT_SHOWN = frozenset(
    {
        "approval_approved",
        "approval_declined",
        "approval_executed",
        "approval_expired",
        "approval_failed",
        "approval_requested",
        "approval_withdrawn",
        "captured_amount_differs",
        "country_not_recognised",
        "customer_view_ended",
        "customer_view_started",
        "dispute_opened",
        "email_change_asked",
        "exported",
        "grace_extended",
        "message_replayed",
        "payment_reconciled",
        "payment_retried",
        "reconciliation_finding_dealt_with",
        "record_added",
        "record_edited",
        "refund_differs",
        "refund_failed",
        "refund_opened",
        "scheduled_tasks_run",
        "second_factor_removed",
        "sessions_ended",
        "staff_created",
        "staff_role_changed",
        "stripe_asked",
        "subscriber_move_ordered",
        "usage_cycle_reset",
    }
)
