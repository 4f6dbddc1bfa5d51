"""Rows as CSV or XLSX for a spreadsheet: a row at a time, no cell a formula."""

import csv
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import IO, Final

import xlsxwriter

#: How many rows are read from the database at a time: memory stays flat however many there are.
CHUNK = 1000

#: What may stand in a row. A datetime is written in UTC, a Decimal with the decimals that it has.
Cell = str | int | Decimal | datetime

#: A cell that begins with one of these is a formula to a spreadsheet.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
#: What begins with a minus is none when it is a number, and has to stay one to be added up.
_NUMBER = re.compile(r"-[0-9]+(\.[0-9]+)?")

#: So many rows has a sheet of an XLSX file, its header included.
ROWS_OF_A_SHEET: Final = 1_048_576
#: So many characters has a cell of it.
_LONGEST_TEXT: Final = 32_767


@dataclass(frozen=True)
class Sheet:
    """A sheet of a workbook. Its rows are read once, after those of the sheets before it."""

    name: str
    header: Sequence[str]
    rows: Iterable[Sequence[Cell]]


def csv_lines(*, header: Iterable[object], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """Yield the lines of a CSV file, header first, for a streaming response."""
    writer = csv.writer(_Echo())
    yield writer.writerow(map(str, header))
    for row in rows:
        yield writer.writerow([_harmless(_text(cell)) for cell in row])


def workbook(sheets: Iterable[Sheet]) -> IO[bytes]:
    """Return an XLSX file, on disk and gone once it is closed: no sheet is ever in memory.

    Numbers are numbers, moments are dates, and text is text: none of it is a formula or a link.
    A spreadsheet keeps 15 digits of a number.
    """
    file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - whoever sends it closes it
    options = {"constant_memory": True, "remove_timezone": True, "default_date_format": _MOMENT}
    with xlsxwriter.Workbook(file, options) as book:
        bold = book.add_format({"bold": True})
        formats: dict[int, object] = {}
        for sheet in sheets:
            page = book.add_worksheet(sheet.name)
            page.freeze_panes(1, 0)
            page.set_column(0, len(sheet.header) - 1, 18)
            for column, title in enumerate(sheet.header):
                page.write_string(0, column, title, bold)
            for number, row in enumerate(sheet.rows, start=1):
                for column, cell in enumerate(row):
                    match cell:
                        case Decimal():
                            places = _places(cell)
                            if places not in formats:
                                pattern = {"num_format": f"0.{'0' * places}" if places else "0"}
                                formats[places] = book.add_format(pattern)
                            page.write_number(number, column, cell, formats[places])
                        case datetime():
                            page.write_datetime(number, column, cell.astimezone(UTC))
                        case int():
                            page.write_number(number, column, cell)
                        case _ if cell:
                            text = _harmless(cell)[:_LONGEST_TEXT]
                            page.write_string(number, column, text)
    file.seek(0)
    return file


_MOMENT: Final = "yyyy-mm-dd hh:mm:ss"


def _places(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def _text(cell: Cell) -> str:
    match cell:
        case Decimal():
            return f"{cell:f}"
        case datetime():
            return cell.astimezone(UTC).isoformat(timespec="seconds")
        case _:
            return str(cell)


def _harmless(cell: str) -> str:
    """Return `cell` as text to a spreadsheet, even where it would be a formula."""
    if cell.startswith(_FORMULA_STARTS) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


class _Echo:
    """A file that hands back what is written to it: csv's writer then returns each row."""

    def write(self, row: str) -> str:
        return row
