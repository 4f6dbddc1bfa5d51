"""The sources of the timeline about people and states: the audit trail, and e-mails."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import partial

from django.db.models import Q

from accounts.models import Account, AuditEvent, Message, MessageChannel, PauseReason
from accounts.notices import TO_STAFF
from billing_portal.admin.cells import page_url
from billing_portal.admin.timeline.lines import Found, Kind, Line, Place, Span
from billing_portal.dashboard.activity_words import SENTENCES, Names, changes_of, title_of
from plans.models import Feature, Plan

#: After the sources about money: what follows a payment is the newer of one moment.
_EVENTS, _EMAILS = 5, 6
_SERVICES = Q(action__startswith="services_")
_STAFF = ~_SERVICES & Q(actor__is_staff=True)
_CHANGES = ~_SERVICES & (Q(actor__isnull=True) | Q(actor__is_staff=False))
#: What a line of another kind says already, with its amount.
_SAID_BY: Mapping[Kind, tuple[str, ...]] = {
    Kind.CREDIT: ("credit_adjusted",),
    Kind.REFUNDS: ("refund_opened", "refund_succeeded", "refund_failed", "dispute_opened"),
}

#: What an e-mail tells, where the name of its event does not say it.
_TOLD: Mapping[str, str] = {
    "auto_refill_capped": "Auto-Refill reached its limit",
    "auto_refill_failed": "a refill was declined",
    "auto_refill_suspended": "Auto-Refill is suspended",
    "card_expiring": "a card expires soon",
    "confirmation_needed": "a payment waits for their confirmation",
    "low_balance": "the balance is low",
    "payment_found": "a payment was found at Stripe and settled",
    "refund_came_back": "a refund came back",
    "refund_made": "a refund, with its credit note",
    "renewal_reminder": "the renewal is near",
    "services_paused": "services are paused",
    "services_resumed": "services resumed",
    "spend_cap_near": "spend is near the cap",
    "spend_cap_reached": "spend reached the cap",
    "subscription_past_due": "the renewal failed",
    "transaction_failed": "a payment failed",
    "transaction_paid": "the receipt of a payment",
}


def audited(account: Account, span: Span, kinds: list[Kind]) -> list[Found]:
    """What changed the state of services, what staff did, and what else was changed."""
    conditions = {Kind.SERVICES: _SERVICES, Kind.STAFF: _STAFF, Kind.CHANGES: _CHANGES}
    wanted = Q(pk__in=[])
    for kind, condition in conditions.items():
        if kind in kinds:
            wanted |= condition
    said = [action for kind in kinds for action in _SAID_BY.get(kind, ())]
    found = (
        AuditEvent.objects.filter(span.of("created_at", _EVENTS), wanted, account=account)
        .exclude(action__in=said)
        .select_related("actor")
        .order_by("-created_at", "-pk")
    )
    names = Names(
        plans=dict(Plan.objects.values_list("slug", "name")),
        features=dict(Feature.objects.values_list("key", "name")),
    )
    return [
        Found(Place(one.created_at, _EVENTS, one.pk), partial(_event, one, names))
        for one in found[: span.most]
    ]


def _event(event: AuditEvent, names: Names) -> Line:
    actor = event.actor
    if event.action.startswith("services_"):
        kind = Kind.SERVICES
    else:
        kind = Kind.STAFF if actor and actor.is_staff else Kind.CHANGES
    changed = [
        f"{change.label}: {change.before or 'nothing'} → {change.after or 'nothing'}"
        for change in changes_of(event)
    ]
    tones = {"services_paused": "danger", "services_resumed": "success"}
    return Line(
        kind=kind,
        title=_title(event, names),
        note=". ".join(filter(None, [_reason(event), *changed])),
        # A sentence of the customer's says the amount; here it is one that was moved or asked for.
        amount=None if event.action in SENTENCES else _amount(event),
        by=actor.email if actor else "by itself",
        url=page_url(event),
        tone=tones.get(event.action, ""),
    )


def _title(event: AuditEvent, names: Names) -> str:
    """What the customer reads of it, or else what the action is called."""
    if event.action in SENTENCES:
        return title_of(event, names)
    return event.action.replace("_", " ").capitalize()


def _reason(event: AuditEvent) -> str:
    """Why: of services that changed by themselves the title says it, or it holds no longer."""
    pause = event.details.get("reason") if event.action.startswith("services_") else None
    is_by_itself = pause in PauseReason.values and event.reason == str(PauseReason(pause).label)
    if not is_by_itself:
        return event.reason
    if event.action.startswith("services_resumed"):
        return f"It holds no longer: {event.reason[0].lower()}{event.reason[1:]}"
    return "" if event.action == "services_paused" else event.reason


def _amount(event: AuditEvent) -> Decimal | None:
    """The dollars that an action was about, where it recorded any."""
    try:
        return Decimal(str(event.details["amount"]))
    except (KeyError, TypeError, InvalidOperation):
        return None


def emails(account: Account, span: Span) -> list[Found]:
    """What the customer was written, and whether it left."""
    found = Message.objects.filter(
        span.of("created_at", _EMAILS), account=account, channel=MessageChannel.EMAIL
    ).exclude(event__in=TO_STAFF)
    newest = found.order_by("-created_at", "-pk")[: span.most]
    return [Found(Place(one.created_at, _EMAILS, one.pk), partial(_email, one)) for one in newest]


def _email(message: Message) -> Line:
    about = message.key.rpartition(":")[2]
    notes, tone = [f"of {about}"] if about.startswith("T-") else [], ""
    if message.sent_at is None and message.last_error:
        notes, tone = [*notes, f"not delivered: {message.last_error}"], "danger"
    elif message.sent_at is None:
        notes, tone = [*notes, "not sent yet"], "info"
    return Line(
        kind=Kind.EMAILS,
        title=f"E-mail: {_TOLD.get(message.event, message.event.replace('_', ' '))}",
        note=", ".join(notes),
        by=f"to {message.recipient}",
        url=page_url(message),
        tone=tone,
    )
