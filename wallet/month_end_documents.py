"""The month-end report as files: a PDF to be signed and kept, and a CSV to go on with."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from django.utils import translation

from accounts.spreadsheets import Cell, csv_lines
from invoices import documents
from wallet.month_end import MonthEnd
from wallet.month_end_tables import Figure, Value, tables


def write(value: Value, figure: Figure) -> str:
    """Write a figure of the report with all the decimals that its column has."""
    if value is None:
        return ""
    match figure:
        case Figure.COUNT:
            return f"{value:,}"
        case Figure.CENTS:
            return _signed(f"{value:,.2f}")
        case Figure.EXACT:
            return _signed(f"{value:,.6f}")
        case Figure.RIALS:
            return _signed(f"{value:,.3f}")


def standing(report: MonthEnd) -> str:
    """Say how far the report goes."""
    moment = f"{report.until.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f"Closed: up to {moment}" if report.is_closed else f"Not closed yet: as of {moment}"


def verdict(report: MonthEnd) -> str:
    """Say whether it adds up."""
    if report.adds_up:
        return "Opening and all movements come to closing, to the millionth of a dollar."
    return "This report does not add up."


def pdf(report: MonthEnd) -> bytes:
    """Return it as PDF, in English: it is for staff."""
    parts = [
        {
            "title": table.title,
            "columns": [title for title, _ in table.columns],
            "rows": [
                {
                    "title": row.title,
                    "is_sum": row.is_sum,
                    "values": [
                        write(value, figure)
                        for value, (_, figure) in zip(row.values, table.columns, strict=True)
                    ],
                }
                for row in table.rows
            ],
            "note": table.note,
            "problem": table.problem,
        }
        for table in tables(report)
    ]
    with translation.override("en"):
        return documents.draw(
            "admin/month_end_document.html",
            {
                "month": report.month.slug,
                "standing": standing(report),
                "verdict": verdict(report),
                "adds_up": report.adds_up,
                "parts": parts,
            },
        )


def csv(report: MonthEnd, *, now: datetime) -> Iterator[str]:
    """Yield it as CSV: a part after the other, each with its own header; figures are numbers."""

    def rows() -> Iterator[Sequence[Cell]]:
        yield (standing(report),)
        yield (verdict(report),)
        for table in tables(report):
            yield ()
            yield (table.title, *(title for title, _ in table.columns))
            for row in table.rows:
                yield (row.title, *("" if value is None else value for value in row.values))
            for text in filter(None, (table.note, table.problem)):
                yield (text,)
        yield ()
        yield (f"Made {now.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",)

    return csv_lines(header=(f"Month-end report {report.month.slug}",), rows=rows())


def _signed(text: str) -> str:
    return text.replace("-", "−")
