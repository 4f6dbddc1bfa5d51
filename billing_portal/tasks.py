"""The portal's own scheduled work."""

from datetime import datetime

import structlog
from celery import Task, shared_task
from django.utils import timezone

from accounts.gateway import GatewayUnavailable
from billing_portal import audit, business_days
from billing_portal.models import Heartbeat
from invoices import reconciliation

log = structlog.get_logger(__name__)


@shared_task(name="billing_portal.heartbeat")
def heartbeat() -> None:
    """Note that beat ticks and a worker answers."""
    Heartbeat.objects.update_or_create(name="beat", defaults={"at": timezone.now()})


@shared_task(name="billing_portal.audit")
def check_invariants() -> int:
    """Check every invariant; a broken row is an error in the log and keeps the checkpoint back."""
    now = timezone.now()
    return _note(audit.run(now=now), now=now)


@shared_task(name="billing_portal.audit_since_checkpoint")
def check_what_is_new() -> int:
    """Check what came since the last full audit that found nothing; tells as the full one does."""
    now = timezone.now()
    since = audit.begin_of_what_is_new(now=now)
    return _note(audit.run(now=now, since=since), now=now, since=since)


@shared_task(name="billing_portal.business_days")
def add_up_business_days() -> int:
    """Bring the business's days up to date."""
    return business_days.bring_up_to_date(now=timezone.now())


def _note(
    violations: list[audit.Violation], *, now: datetime, since: datetime | None = None
) -> int:
    audit.note(violations=violations, now=now, since=since)
    for violation in violations:
        log.error("invariant_broken", violation=str(violation))
    return len(violations)


@shared_task(
    name="billing_portal.reconcile",
    bind=True,
    autoretry_for=(GatewayUnavailable,),
    # A run that Stripe gave no answer to is gone on with, not begun anew.
    default_retry_delay=600,
    max_retries=36,
)
def reconcile_payments(task: Task) -> int:
    """Compare Stripe's payments with ours; what needs a person keeps the heartbeat back."""
    now = timezone.now()
    try:
        report = reconciliation.reconcile(now=now)
    except reconciliation.RunElsewhere as elsewhere:
        log.info("reconciliation_elsewhere", why=str(elsewhere))
        return 0
    if not report.findings:
        Heartbeat.objects.update_or_create(name="reconciliation", defaults={"at": now})
    return len(report.findings)
