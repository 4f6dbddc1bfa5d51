"""What was used, record by record: which ones, and as a file for a spreadsheet."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta, tzinfo
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.days import midnight
from accounts.models import Account
from accounts.recorded_words import translated
from accounts.spreadsheets import CHUNK, csv_lines
from plans import daily_spend
from plans.models import UsageRecord

#: So many workspaces may begin with what was typed.
MOST_WORKSPACES = 50
HEADER = (
    _("Record"),
    _("Used at"),
    _("Recorded at"),
    _("Workspace"),
    _("Feature"),
    _("Unit"),
    _("Quantity"),
    _("Included"),
    _("Billed"),
    _("Price per unit, USD"),
    _("Amount USD"),
    _("Left of the allowance before"),
    _("Balance before, USD"),
    _("Balance after, USD"),
    _("Plan"),
    _("Plan version"),
    _("Source"),
    _("Description"),
)


def find(*, account: Account, filters: Mapping[str, Any]) -> QuerySet[UsageRecord]:
    """Return the account's records that match; days are the account's own.

    `filters` may have `record` (the whole id), `feature` (its key), `workspace` (its name, or what
    names begin with), `charge` (`free` or `billed`), `date_from` and `date_to`.
    """
    found = UsageRecord.objects.filter(account=account)
    if filters.get("record"):
        found = found.filter(record_id=filters["record"])
    if filters.get("feature"):
        found = found.filter(feature__key=filters["feature"])
    if filters.get("workspace"):
        names = _workspaces(account, filters["workspace"])
        found = found.filter(workspace__in=names)
    if filters.get("charge"):
        free = filters["charge"] == "free"
        found = found.filter(amount=0) if free else found.filter(amount__gt=0)
    if filters.get("date_from"):
        found = found.filter(
            occurred_at__gte=midnight(filters["date_from"], timezone=account.timezone)
        )
    if filters.get("date_to"):
        after = filters["date_to"] + timedelta(days=1)
        found = found.filter(occurred_at__lt=midnight(after, timezone=account.timezone))
    return found


def _workspaces(account: Account, typed: str) -> Sequence[str]:
    """The one of that name; without one, those that begin so: no record is read in vain."""
    names = daily_spend.workspaces(account=account, begins=typed, most=MOST_WORKSPACES)
    return [typed] if typed in names else names


def as_csv(records: QuerySet[UsageRecord], *, timezone: tzinfo) -> Iterator[str]:
    """Return `records`, newest first, as the lines of a CSV file, for a streaming response.

    Moments are in `timezone` with their offset, amounts and quantities plain decimals. One query,
    whatever the number of rows.
    """
    found = records.select_related("feature", "plan_version__plan").order_by("-occurred_at", "-pk")
    rows = (_row(record, timezone) for record in found.iterator(chunk_size=CHUNK))
    return csv_lines(header=HEADER, rows=rows)


def _row(record: UsageRecord, timezone: tzinfo) -> tuple[str, ...]:
    version = record.plan_version
    return (
        record.record_id,
        record.occurred_at.astimezone(timezone).isoformat(timespec="seconds"),
        record.recorded_at.astimezone(timezone).isoformat(timespec="seconds"),
        record.workspace,
        translated(record.feature.name),
        record.feature.unit,
        f"{record.quantity.normalize():f}",
        f"{record.included_quantity.normalize():f}",
        f"{record.billed_quantity.normalize():f}",
        f"{record.unit_price.normalize():f}",
        f"{record.amount:f}",
        f"{record.included_before.normalize():f}",
        f"{record.balance_before:f}",
        f"{record.balance_after:f}",
        translated(version.plan.name),
        str(version.number),
        record.source,
        record.description,
    )
