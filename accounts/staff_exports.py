"""What staff take out of the portal as a file: rows of a period, with what they come to.

A table is described once (`Export`): its columns, which of them are added up, and by what. The page
that offers it shows the totals as the database adds them up; the file adds up the rows as they are
written, so that its last lines say what it holds. Rows are read and written one after the other.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import IO, Any, Final

from django.core.exceptions import ValidationError
from django.db.models import Count, DecimalField, Model, QuerySet, Sum
from django.db.models.expressions import Combinable

from accounts.models import AuditEvent, User
from accounts.spreadsheets import CHUNK, ROWS_OF_A_SHEET, Cell, Sheet, csv_lines, workbook

#: Of a sheet's rows one is the header.
MOST_ROWS_OF_XLSX: Final = ROWS_OF_A_SHEET - 1

_ALL: Final = "All"


@dataclass(frozen=True)
class Column:
    """A column of a file: what it is called, and what stands in it for a record.

    `added_up` is what the database adds up to the column's total; without it there is none.
    """

    title: str
    read: Callable[[Any], Cell]
    added_up: Combinable | None = None


@dataclass(frozen=True)
class Export:
    """A table that can be taken out: `name` is what its file and the audit trail call it.

    `times` are the fields that a period may be about, with how a person calls them. `kind` returns
    what a record is added up under; `kinds` are the fields that it is made of.
    """

    name: str
    columns: Sequence[Column]
    times: dict[str, str]
    kinds: Sequence[str]
    kind: Callable[..., str]
    prepare: Callable[[QuerySet[Any]], QuerySet[Any]]

    @property
    def header(self) -> list[str]:
        """The titles of the columns."""
        return [column.title for column in self.columns]

    @property
    def sums(self) -> list[Column]:
        """The columns that are added up."""
        return [column for column in self.columns if column.added_up is not None]


@dataclass(frozen=True)
class Total:
    """What rows of a kind come to: how many, and the sums of the columns that are added up."""

    kind: str
    count: int
    sums: tuple[Decimal, ...]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which rows: of `queryset`, those with `time` from `since` on and before `until`.

    `filters` says in words what `queryset` was narrowed by.
    """

    export: Export
    queryset: QuerySet[Any]
    time: str
    since: datetime
    until: datetime
    filters: dict[str, str]

    def rows(self) -> QuerySet[Any]:
        """Return the records, oldest first."""
        period = {f"{self.time}__gte": self.since, f"{self.time}__lt": self.until}
        return self.queryset.filter(**period).order_by(self.time, "pk")


def totals_of(selection: Selection) -> list[Total]:
    """Add up what would be exported, in one statement: each kind, then all of it."""
    export = selection.export
    sums = {f"sum_{number}": _sum(column) for number, column in enumerate(export.sums)}
    groups = selection.rows().order_by().values_list(*export.kinds)
    adding = _Adding(len(sums))
    for row in groups.annotate(count=Count("pk"), **sums).order_by(*export.kinds):
        names, (count, *added) = row[: len(export.kinds)], row[len(export.kinds) :]
        adding.add(export.kind(*names), count, [Decimal(amount) for amount in added])
    return adding.totals()


def begin(*, selection: Selection, form: str, by: User, now: datetime) -> int:
    """Put on record that `by` takes these rows out as `form` (csv or xlsx); return how many.

    Raises ValidationError when they are more than an XLSX file holds.
    """
    rows = totals_of(selection)[-1].count
    if form == "xlsx" and rows > MOST_ROWS_OF_XLSX:
        raise ValidationError(
            f"These are {rows:,} rows, and a spreadsheet holds {MOST_ROWS_OF_XLSX:,}. "
            "Choose a shorter period, or take CSV, which has no such limit."
        )
    AuditEvent.objects.create(
        actor=by,
        action="exported",
        details={
            "what": selection.export.name,
            "format": form,
            "period": f"{selection.export.times[selection.time]} "
            f"{_moment(selection.since)} to {_moment(selection.until)} UTC",
            "filters": selection.filters,
            "rows": rows,
        },
        created_at=now,
    )
    return rows


def record_report(*, report: str, period: str, form: str, by: User, now: datetime) -> None:
    """Put on record that `by` takes a whole report out as `form` (pdf or csv)."""
    AuditEvent.objects.create(
        actor=by,
        action="exported",
        details={"what": report, "format": form, "period": period},
        created_at=now,
    )


def as_csv(selection: Selection, *, now: datetime) -> Iterator[str]:
    """Yield the file line by line; below the rows, in the columns they belong to, the totals."""
    export = selection.export
    adding = _Adding(len(export.sums))

    def rows() -> Iterator[Sequence[Cell]]:
        yield from _rows(selection, adding)
        for total in adding.totals():
            sums = iter(total.sums)
            below = [next(sums) if column.added_up is not None else "" for column in export.columns]
            below[0] = f"Total {total.kind}: {total.count:,}"
            yield below
        for fact in _facts(selection, now):
            yield (": ".join(fact),)

    return csv_lines(header=export.header, rows=rows())


def as_xlsx(selection: Selection, *, now: datetime) -> IO[bytes]:
    """Return the file, on disk; its second sheet has the totals."""
    export = selection.export
    adding = _Adding(len(export.sums))

    def totals() -> Iterator[Sequence[Cell]]:
        for total in adding.totals():
            yield (total.kind, total.count, *total.sums)
        yield ()
        yield from _facts(selection, now)

    return workbook(
        [
            Sheet(export.name.capitalize(), export.header, _rows(selection, adding)),
            Sheet("Totals", totals_header(export), totals()),
        ]
    )


def totals_header(export: Export) -> list[str]:
    """Return the titles of the totals, as `Total` has them."""
    return ["Kind", "Rows", *(column.title for column in export.sums)]


@dataclass
class _Adding:
    """Adds rows up by kind. The kinds of a table are few, however many its rows."""

    columns: int
    by_kind: dict[str, Total] = field(default_factory=dict)

    def add(self, kind: str, count: int, sums: Sequence[Decimal]) -> None:
        before = self.by_kind.get(kind, self._nothing(kind))
        added = tuple(one + other for one, other in zip(before.sums, sums, strict=True))
        self.by_kind[kind] = Total(kind, before.count + count, added)

    def totals(self) -> list[Total]:
        kinds = [self.by_kind[kind] for kind in sorted(self.by_kind)]
        every = [self._nothing(_ALL).sums, *(total.sums for total in kinds)]
        sums = tuple(sum(column, Decimal(0)) for column in zip(*every, strict=True))
        return [*kinds, Total(_ALL, sum(total.count for total in kinds), sums)]

    def _nothing(self, kind: str) -> Total:
        return Total(kind, 0, (Decimal(0),) * self.columns)


def _rows(selection: Selection, adding: _Adding) -> Iterator[Sequence[Cell]]:
    """Yield the rows as a server-side cursor brings them, and add them up."""
    export = selection.export
    for record in export.prepare(selection.rows()).iterator(chunk_size=CHUNK):
        cells = [column.read(record) for column in export.columns]
        sums = [
            cell
            for cell, column in zip(cells, export.columns, strict=True)
            if column.added_up is not None and isinstance(cell, Decimal)
        ]
        adding.add(export.kind(*(getattr(record, name) for name in export.kinds)), 1, sums)
        yield cells


def _facts(selection: Selection, now: datetime) -> Iterator[tuple[str, str]]:
    yield (
        "Period (UTC)",
        f"{selection.export.times[selection.time]} from {_moment(selection.since)} on "
        f"and before {_moment(selection.until)}",
    )
    for name, value in selection.filters.items():
        yield name.capitalize(), value
    yield "Made (UTC)", _moment(now)


def _sum(column: Column) -> Sum:
    return Sum(column.added_up, output_field=DecimalField(), default=Decimal(0))


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def amount(name: str) -> Callable[[Model], Decimal]:
    """Return what reads an amount of money off a record, without its currency."""
    return lambda record: getattr(record, name).amount
