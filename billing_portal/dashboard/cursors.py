"""Pages of a list, newest first, that do not shift while new lines arrive.

A cursor is the place between two lines, opaque to the customer: the moment and the id of one, or
its number where lines are numbered. A page costs the same however far back it is.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Generic, Literal, TypeVar
from urllib.parse import urlencode

from django.db.models import Model, Q, QuerySet

Line = TypeVar("Line", bound=Model)
Side = Literal["lt", "gt"]
#: What a column of numbers holds.
_LARGEST: Final = 2**63 - 1
_DIGITS: Final = len(str(_LARGEST))


@dataclass(frozen=True)
class CursorPage(Generic[Line]):
    """The lines of a page, and where the newer and the older ones are."""

    rows: list[Line]
    has_previous: bool
    has_next: bool
    previous_href: str
    next_href: str


@dataclass(frozen=True)
class ByTime:
    """Lines in the order of a moment of theirs (a field's name), and of their ids within one."""

    moment: str = "created_at"

    @property
    def fields(self) -> tuple[str, ...]:
        """What lines are ordered by."""
        return (self.moment, "pk")

    def encode(self, line: Any) -> str:
        """Write the place of a line."""
        text = f"{getattr(line, self.moment).isoformat()}|{line.pk}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def beyond(self, cursor: str, side: Side) -> Q | None:
        """Return what is on one side of a place; None for a cursor that was tampered with."""
        place = _moment_and_id(cursor)
        if place is None:
            return None
        at, pk = place
        # The first bound leads the index to the place; the rest tells lines of one moment apart.
        within = Q(**{f"{self.moment}__{side}": at}) | Q(**{f"pk__{side}": pk})
        return Q(**{f"{self.moment}__{side}e": at}) & within


@dataclass(frozen=True)
class ByNumber:
    """Lines in the order of a number of theirs (a field's name) that no two share."""

    number: str

    @property
    def fields(self) -> tuple[str, ...]:
        """What lines are ordered by."""
        return (self.number,)

    def encode(self, line: Any) -> str:
        """Write the place of a line."""
        return str(getattr(line, self.number))

    def beyond(self, cursor: str, side: Side) -> Q | None:
        """Return what is on one side of a place; None for a cursor that was tampered with."""
        if not (cursor.isascii() and cursor.isdigit()) or len(cursor) > _DIGITS:
            return None
        return Q(**{f"{self.number}__{side}": min(int(cursor), _LARGEST)})


def page_of(
    found: QuerySet[Line],
    *,
    before: str,
    after: str,
    size: int,
    here: str,
    query: Mapping[str, str],
    order: ByTime | ByNumber,
) -> CursorPage[Line]:
    """Return the page older than cursor `before`, or newer than `after`; else the newest one.

    `here` and `query` are the page's address without the cursor.
    """
    newer, older = order.beyond(after, "gt"), order.beyond(before, "lt")
    if newer is not None:
        rows = list(found.filter(newer).order_by(*order.fields)[: size + 1])
        has_previous, has_next = len(rows) > size, True
        rows = rows[:size][::-1]
    else:
        if older is not None:
            found = found.filter(older)
        rows = list(found.order_by(*(f"-{field}" for field in order.fields))[: size + 1])
        has_previous, has_next = older is not None, len(rows) > size
        rows = rows[:size]
    return CursorPage(
        rows=rows,
        has_previous=has_previous and bool(rows),
        has_next=has_next and bool(rows),
        previous_href=_href(here, query, "after", order.encode(rows[0])) if rows else here,
        next_href=_href(here, query, "before", order.encode(rows[-1])) if rows else here,
    )


def _moment_and_id(cursor: str) -> tuple[datetime, int] | None:
    """Read a cursor; None for one that is empty or was tampered with."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        at, __, pk = text.partition("|")
        moment, number = datetime.fromisoformat(at), int(pk)
        if moment.tzinfo is None or not 0 < number <= _LARGEST:
            return None
        # PostgreSQL does not read every offset that Python does.
        return moment.astimezone(UTC), number
    except (ValueError, OverflowError, binascii.Error):
        return None


def _href(here: str, query: Mapping[str, str], name: str, cursor: str) -> str:
    return f"{here}?{urlencode({**query, name: cursor})}"
