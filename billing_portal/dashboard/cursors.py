"""Pages of a list, newest first, that do not shift while new lines arrive.

A cursor is the place between two lines: the moment and the id of one, opaque to the customer. A
page costs the same however far back it is.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from django.db.models import Model, Q, QuerySet

Line = TypeVar("Line", bound=Model)


@dataclass(frozen=True)
class CursorPage(Generic[Line]):
    """The lines of a page, and where the newer and the older ones are."""

    rows: list[Line]
    has_previous: bool
    has_next: bool
    previous_href: str
    next_href: str


def page_of(
    found: QuerySet[Line],
    *,
    before: str,
    after: str,
    size: int,
    here: str,
    query: Mapping[str, str],
    moment: str = "created_at",
) -> CursorPage[Line]:
    """Return the page older than cursor `before`, or newer than `after`; else the newest one.

    Lines are in the order of `moment`, a field of theirs; `here` and `query` are the page's address
    without the cursor.
    """
    older, newer = decode_cursor(before), decode_cursor(after)
    if newer:
        rows = list(found.filter(_newer_than(moment, *newer)).order_by(moment, "pk")[: size + 1])
        has_previous, has_next = len(rows) > size, True
        rows = rows[:size][::-1]
    else:
        if older:
            found = found.filter(_older_than(moment, *older))
        rows = list(found.order_by(f"-{moment}", "-pk")[: size + 1])
        has_previous, has_next = older is not None, len(rows) > size
        rows = rows[:size]
    return CursorPage(
        rows=rows,
        has_previous=has_previous and bool(rows),
        has_next=has_next and bool(rows),
        previous_href=_href(here, query, "after", encode_cursor(rows[0], moment)) if rows else here,
        next_href=_href(here, query, "before", encode_cursor(rows[-1], moment)) if rows else here,
    )


def encode_cursor(line: Any, moment: str = "created_at") -> str:
    """Write the place of a line."""
    text = f"{getattr(line, moment).isoformat()}|{line.pk}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> tuple[datetime, int] | None:
    """Read a cursor; None for one that is empty or was tampered with."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        at, __, pk = text.partition("|")
        moment_of_line, number = datetime.fromisoformat(at), int(pk)
        if moment_of_line.tzinfo is None or not 0 < number < 2**63:
            return None
        # PostgreSQL does not read every offset that Python does.
        return moment_of_line.astimezone(UTC), number
    except (ValueError, OverflowError, binascii.Error):
        return None


# The first bound leads the index to the place; the rest tells lines of one moment apart.
def _older_than(moment: str, at: datetime, pk: int) -> Q:
    return Q(**{f"{moment}__lte": at}) & (Q(**{f"{moment}__lt": at}) | Q(pk__lt=pk))


def _newer_than(moment: str, at: datetime, pk: int) -> Q:
    return Q(**{f"{moment}__gte": at}) & (Q(**{f"{moment}__gt": at}) | Q(pk__gt=pk))


def _href(here: str, query: Mapping[str, str], name: str, cursor: str) -> str:
    return f"{here}?{urlencode({**query, name: cursor})}"
