"""Rows as CSV for a spreadsheet: streamed a row at a time, no cell a formula."""

import csv
from collections.abc import Iterable, Iterator, Sequence

#: How many rows are read from the database at a time: memory stays flat however many there are.
CHUNK = 1000

#: A cell that begins with one of these is a formula to a spreadsheet.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_lines(*, header: Iterable[object], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a CSV file, header first, for a streaming response."""
    writer = csv.writer(_Echo())
    yield writer.writerow(map(str, header))
    for row in rows:
        yield writer.writerow([_harmless(cell) for cell in row])


def _harmless(cell: str) -> str:
    """Return `cell` as text to a spreadsheet, even where it would be a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell


class _Echo:
    """A file that hands back what is written to it: csv's writer then returns each row."""

    def write(self, row: str) -> str:
        return row
