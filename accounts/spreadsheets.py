"""Rows as CSV for a spreadsheet: streamed a row at a time, no cell a formula."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence

#: How many rows are read from the database at a time: memory stays flat however many there are.
CHUNK = 1000

#: A cell that begins with one of these is a formula to a spreadsheet.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
#: What begins with a minus is none when it is a number, and has to stay one to be added up.
_NUMBER = re.compile(r"-[0-9]+(\.[0-9]+)?")


def csv_lines(*, header: Iterable[object], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a CSV file, header first, for a streaming response."""
    writer = csv.writer(_Echo())
    yield writer.writerow(map(str, header))
    for row in rows:
        yield writer.writerow([_harmless(cell) for cell in row])


def _harmless(cell: str) -> str:
    """Return `cell` as text to a spreadsheet, even where it would be a formula."""
    if cell.startswith(_FORMULA_STARTS) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


class _Echo:
    """A file that hands back what is written to it: csv's writer then returns each row."""

    def write(self, row: str) -> str:
        return row
