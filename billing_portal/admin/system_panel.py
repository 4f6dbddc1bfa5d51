"""Whether the portal's own machinery works, on the front page."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Min

from accounts.models import Message
from billing_portal import audit, health
from billing_portal.admin.cells import Cell, badge, list_url, when
from billing_portal.models import AuditReport, Heartbeat
from invoices.models import ReconciliationRun

#: Longer than this a message should not wait: it is tried every minute.
OUTBOX_OLD = timedelta(minutes=15)
#: The audit of what is new comes every hour, the full one and the reconciliation every night.
HOURLY_LATE, NIGHTLY_LATE = timedelta(hours=2), timedelta(hours=30)
#: So many tasks wait when the worker stands still or can't keep up.
QUEUE_LONG = 1_000


@dataclass(frozen=True)
class Part:
    """One part of the machinery: its state, what is known of it and where to look."""

    title: str
    state: Cell
    note: str
    url: str = ""


def system(*, now: datetime) -> list[Part]:
    """Say of each part whether it works: a fixed number of queries, one question to the broker."""
    beats = dict(Heartbeat.objects.values_list("name", "at"))
    return [
        _ticks(beats.get(health.TICK), now),
        _queue(),
        *_audits(beats, now),
        _reconciliation(beats.get("reconciliation"), now),
        _outbox(now),
    ]


def _ticks(last: datetime | None, now: datetime) -> Part:
    """Beat sends a task each minute and the worker notes it: one that is old may be either."""
    is_fresh = last is not None and now - last <= health.HEARTBEAT_FRESH_FOR
    note = "No tick yet" if last is None else f"Last tick {_ago(last, now)}"
    if not is_fresh:
        note += ". Look at the queue: growing, the worker stands still; empty, beat does"
    return Part("Beat and worker", _state(is_fresh), note, list_url(Heartbeat))


def _queue() -> Part:
    waiting = health.queue_length()
    if waiting is None:
        return Part("Queue", _state(False), "The broker does not answer")
    return Part("Queue", _state(waiting < QUEUE_LONG), f"{waiting:,} tasks wait")


def _audits(beats: dict[str, datetime], now: datetime) -> Iterator[Part]:
    newest = AuditReport.objects.first()
    url = list_url(AuditReport)
    if newest is not None and newest.violations:
        note = f"{newest.violations:,} rows break an invariant, found {_ago(newest.began_at, now)}"
        yield Part("Audit", badge("Broken", "danger"), note, url)
        return
    yield _held("Full audit", beats.get(audit.CHECKPOINT), NIGHTLY_LATE, now, url)
    yield _held("Audit of what is new", beats.get(audit.OF_WHAT_IS_NEW), HOURLY_LATE, now, url)


def _held(title: str, last: datetime | None, late: timedelta, now: datetime, url: str) -> Part:
    if last is None:
        return Part(title, badge("Not yet", "info"), "None has run to its end", url)
    return Part(title, _state(now - last <= late), f"Every invariant held {_ago(last, now)}", url)


def _reconciliation(last: datetime | None, now: datetime) -> Part:
    url = list_url(ReconciliationRun)
    if last is None:
        note = "None has run without a finding"
        return Part("Reconciliation", badge("Not yet", "info"), note, url)
    note = f"Ours and Stripe's payments agreed {_ago(last, now)}"
    return Part("Reconciliation", _state(now - last <= NIGHTLY_LATE), note, url)


def _outbox(now: datetime) -> Part:
    waiting = Message.objects.filter(sent_at__isnull=True).aggregate(
        count=Count("pk"), oldest=Min("created_at")
    )
    url = list_url(Message, "?sent_at__isempty=1")
    if not waiting["count"]:
        return Part("Outbox", _state(True), "Everything was sent", url)
    oldest: datetime = waiting["oldest"]
    note = f"{waiting['count']:,} wait, the oldest since {_ago(oldest, now)}"
    return Part("Outbox", _state(now - oldest <= OUTBOX_OLD), note, url)


def _state(is_well: bool) -> Cell:
    return badge("Works", "success") if is_well else badge("Look here", "danger")


def _ago(moment: datetime, now: datetime) -> str:
    """Write how long ago, as a person would say it, and for long ago the moment itself."""
    seconds = max(0, round((now - moment).total_seconds()))
    if seconds < 60:
        return f"{seconds} s ago"
    if seconds < 3600:
        return f"{seconds // 60} min ago"
    if seconds < 48 * 3600:
        return f"{seconds // 3600} h ago"
    return f"{when(moment)} UTC"
