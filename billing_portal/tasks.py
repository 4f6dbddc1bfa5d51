"""The portal's own scheduled work."""

from celery import shared_task
from django.utils import timezone

from billing_portal.models import Heartbeat


@shared_task(name="billing_portal.heartbeat")
def heartbeat() -> None:
    """Note that beat ticks and a worker answers."""
    Heartbeat.objects.update_or_create(name="beat", defaults={"at": timezone.now()})
