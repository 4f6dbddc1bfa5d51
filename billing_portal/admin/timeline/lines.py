"""A line of the timeline, its kinds, and its place among the others."""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from django.db import models
from django.db.models import Q


class Kind(models.TextChoices):
    """What a line is about, in the order of the filter."""

    PAYMENTS = "payments", "Payments"
    REFUNDS = "refunds", "Refunds and disputes"
    CREDIT = "credit", "Credit"
    USAGE = "usage", "Usage"
    SERVICES = "services", "Services"
    EMAILS = "emails", "E-mails"
    STAFF = "staff", "Staff"
    CHANGES = "changes", "Changes"


@dataclass(frozen=True, order=True, slots=True)
class Place:
    """Where a line is: its moment, then which source it is of, then its id there."""

    at: datetime
    source: int
    pk: int

    def written(self) -> str:
        """Return it as the end of a page is written in an address."""
        text = f"{self.at.isoformat()}|{self.source}|{self.pk}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def read(cls, cursor: str) -> "Place | None":
        """Read it from an address; None for one that is empty or was tampered with."""
        try:
            text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
            at, source, pk = text.split("|")
            moment = datetime.fromisoformat(at)
            place = cls(moment.astimezone(UTC), int(source), int(pk))
            is_one = moment.tzinfo is not None and 1970 <= place.at.year < 9999
            return place if is_one and 0 <= place.pk < 2**63 else None
        except (ValueError, OverflowError, binascii.Error):
            return None


@dataclass(frozen=True, slots=True)
class Line:
    """What happened: in words, to which amount, what it left, by whom and why."""

    kind: Kind
    title: str
    note: str = ""
    amount: Decimal | None = None
    balance_after: Decimal | None = None
    by: str = ""
    url: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """Something that happened, by its place: it is put into words once it is known to be shown."""

    place: Place
    write: Callable[[], Line]


@dataclass(frozen=True, slots=True)
class Span:
    """The part of the past that is asked for: from `since` on, before `until`, below `place`."""

    since: datetime | None
    until: datetime | None
    place: Place | None
    most: int

    def of(self, moment: str, source: int) -> Q:
        """Return the condition for rows of a source, ordered by `moment` and id, newest first."""
        wanted = Q()
        if self.since is not None:
            wanted &= Q(**{f"{moment}__gte": self.since})
        if self.until is not None:
            wanted &= Q(**{f"{moment}__lt": self.until})
        if self.place is None:
            return wanted
        at = self.place.at
        if source < self.place.source:
            return wanted & Q(**{f"{moment}__lte": at})
        if source > self.place.source:
            return wanted & Q(**{f"{moment}__lt": at})
        # The first bound leads the index to the place; the rest tells lines of a moment apart.
        older = Q(**{f"{moment}__lt": at}) | Q(pk__lt=self.place.pk)
        return wanted & Q(**{f"{moment}__lte": at}) & older
