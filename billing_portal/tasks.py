"""The portal's own scheduled work."""

import structlog
from celery import shared_task
from django.utils import timezone

from billing_portal import audit
from billing_portal.models import Heartbeat

log = structlog.get_logger(__name__)


@shared_task(name="billing_portal.heartbeat")
def heartbeat() -> None:
    """Note that beat ticks and a worker answers."""
    Heartbeat.objects.update_or_create(name="beat", defaults={"at": timezone.now()})


@shared_task(name="billing_portal.audit")
def check_invariants() -> int:
    """Check every invariant; a broken row is an error in the log and keeps the heartbeat back."""
    now = timezone.now()
    violations = audit.run(now=now)
    for violation in violations:
        log.error("invariant_broken", violation=str(violation))
    if not violations:
        Heartbeat.objects.update_or_create(name="audit", defaults={"at": now})
    return len(violations)
