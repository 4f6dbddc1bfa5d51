"""The front page: what needs a person now, the state of the business, whether all of it works."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone
from djstripe.models import WebhookEventTrigger

from accounts.models import Account, AuditEvent, Message, User
from billing_portal.admin.business_panels import business
from billing_portal.admin.cells import NOTHING, link, link_to, list_url, when
from billing_portal.admin.system_panel import system
from billing_portal.models import AuditReport, BusinessDay
from invoices.models import Dispute, DisputeStatus, ReconciliationFinding, Status, Transaction
from plans.models import Subscription, SubscriptionStatus
from wallet import approvals
from wallet.models import ApprovalRequest, AutoRefill, Wallet

#: A charge is known within seconds; after this, somebody should look.
STUCK_AFTER = timedelta(minutes=10)
#: How many of the newest events are shown.
NEWEST_EVENTS = 10


@dataclass(frozen=True)
class Concern:
    """Something that needs a person while its count is not zero."""

    title: str
    count: int
    url: str
    note: str


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add what this user may see of each part to the front page."""
    now = timezone.now()
    context["title"] = "Front page"
    context["concerns"] = concerns(request, now=now)
    if request.user.has_perm("billing_portal.view_businessday"):
        context["business"] = business()
        context["business_days_url"] = list_url(BusinessDay)
    if request.user.has_perm("billing_portal.view_heartbeat"):
        context["system"] = system(now=now)
    context["as_of"] = when(now)
    context["events"] = newest_events(request)
    context["events_url"] = list_url(AuditEvent)
    return context


def concerns(request: HttpRequest, *, now: datetime) -> list[Concern]:
    """Count what needs a person, among what this user may see: one query for each kind."""
    stuck_before = now - STUCK_AFTER
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    newest_report = newest_report_id() or 0
    week_ago = now - timedelta(days=7)
    found: list[Concern] = []

    def add(title: str, model: type[Model], query: str, note: str, **conditions: Any) -> None:
        options = model._meta
        if request.user.has_perm(f"{options.app_label}.view_{options.model_name}"):
            count = model._default_manager.filter(**conditions).count()
            found.append(Concern(title, count, list_url(_listed(model), query), note))

    reader = cast(User, request.user)
    if reader.has_perm(approvals.PERMISSION):
        waiting = approvals.waiting_for(reader, now=now).count()
        url = list_url(ApprovalRequest, "?waiting=me")
        note = "What colleagues ask for and you may approve"
        found.append(Concern("Wait for your approval", waiting, url, note))
    add(
        "Stuck payments",
        Transaction,
        f"?status__exact=processing&created_at__lt={stuck_before:%Y-%m-%dT%H:%M:%S}Z",
        "Processing for more than ten minutes",
        status=Status.PROCESSING,
        created_at__lt=stuck_before,
    )
    add(
        "Failed today",
        Transaction,
        f"?status__exact=failed&failed_at__gte={midnight:%Y-%m-%dT%H:%M:%S}Z",
        "Payments declined since midnight UTC",
        status=Status.FAILED,
        failed_at__gte=midnight,
    )
    add(
        "Disputes to answer",
        Dispute,
        "?status__exact=opened",
        "The bank has the money until it decides",
        status=DisputeStatus.OPENED,
    )
    add(
        "Past due",
        Subscription,
        "?status__exact=past_due",
        "Subscriptions whose renewal is unpaid",
        status=SubscriptionStatus.PAST_DUE,
    )
    add(
        "Paused accounts",
        Account,
        "?services=paused",
        "Services stopped, for any reason",
        pause_reasons__len__gt=0,
    )
    add(
        "Negative balances",
        Wallet,
        "?balance=negative",
        "Accounts that owe us",
        balance__lt=0,
    )
    add(
        "Findings",
        ReconciliationFinding,
        "?dealt_with_at__isempty=1",
        "Differences from Stripe that need a person",
        dealt_with_at__isnull=True,
    )
    add(
        "Refills suspended",
        AutoRefill,
        "?enabled__exact=1&suspended_at__isempty=0",
        "After declines in a row, or a dispute",
        suspended_at__isnull=False,
        enabled=True,
    )
    add(
        "Failed webhooks",
        WebhookEventTrigger,
        f"?processed__exact=0&created__gte={week_ago:%Y-%m-%dT%H:%M:%S}Z",
        "Stripe's events of seven days that were not acted on",
        processed=False,
        created__gte=week_ago,
    )
    add(
        "Broken invariants",
        AuditReport,
        f"?id__exact={newest_report}&violations__gt=0",
        "Found by the newest audit",
        pk=newest_report,
        violations__gt=0,
    )
    add(
        "Messages failing",
        Message,
        "?sent_at__isempty=1&attempts__gte=3",
        "Three attempts or more, not sent",
        sent_at__isnull=True,
        attempts__gte=3,
    )
    return found


def newest_report_id() -> int | None:
    """Return the newest audit: what an older one found may be mended."""
    return AuditReport.objects.values_list("pk", flat=True).first()


def newest_events(request: HttpRequest) -> dict[str, Any] | None:
    """Return the newest audit events as a table, or None for who may not see them."""
    if not request.user.has_perm("accounts.view_auditevent"):
        return None
    events = AuditEvent.objects.select_related("account", "actor").order_by("-pk")[:NEWEST_EVENTS]
    return {
        "headers": ["What", "Account", "By", "Why", "At (UTC)"],
        "rows": [
            [
                link_to(AuditEvent, event.pk, event.action.replace("_", " ")),
                link(event.account),
                str(event.actor) if event.actor else "the portal",
                event.reason or NOTHING,
                when(event.created_at),
            ]
            for event in events
        ],
    }


def _listed(model: type[Model]) -> type[Model]:
    """A negative balance is looked at among the accounts."""
    return Account if model is Wallet else model
