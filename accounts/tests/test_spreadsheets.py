"""Files for a spreadsheet: what is in a cell stays what it is, and a file is never in memory."""

import csv
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import openpyxl
import pytest

from accounts.spreadsheets import Cell, Sheet, csv_lines, workbook

FORMULAS = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "=HYPERLINK('http://x')"]


def read(*rows: tuple[Cell, ...]) -> list[list[Any]]:
    """Write the rows as XLSX and read them again, below the header."""
    with workbook([Sheet("Of the example", ["One"], rows)]) as file:
        page = openpyxl.load_workbook(file).worksheets[0]
        return [list(row) for row in page.iter_rows(min_row=2, max_col=len(rows[0]))]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_text_in_both_forms(text: str) -> None:
    [line] = list(csv.reader(csv_lines(header=["One"], rows=[(text,)])))[1:]
    assert line == [f"'{text}"]

    [[cell]] = read((text,))
    assert cell.data_type == "s"
    assert cell.value.startswith("'")


def test_numbers_and_moments_stay_what_they_are() -> None:
    muscat = timezone(timedelta(hours=4))
    row = (Decimal("-12.500000"), -3, datetime(2026, 11, 1, 3, 30, tzinfo=muscat), "-5.00")

    [line] = list(csv.reader(csv_lines(header=["One"], rows=[row])))[1:]
    assert line == ["-12.500000", "-3", "2026-10-31T23:30:00+00:00", "-5.00"]

    [[amount, count, moment, text]] = read(row)
    assert (amount.value, amount.number_format) == (-12.5, "0.000000")
    assert count.value == -3
    assert (text.value, text.data_type) == ("-5.00", "s")
    assert moment.value.replace(tzinfo=UTC) == datetime(2026, 10, 31, 23, 30, tzinfo=UTC)


def test_a_file_of_8000_rows_takes_the_memory_of_a_few() -> None:
    def rows(number: int) -> Iterator[tuple[Cell, ...]]:
        for place in range(number):
            yield (f"Company {place}", Decimal(place), "x" * 200)

    def peak(number: int) -> int:
        tracemalloc.start()
        with workbook([Sheet("Rows", ["One", "Two", "Three"], rows(number))]):
            pass
        for _ in csv_lines(header=["One"], rows=rows(number)):
            pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(10)
    assert peak(8_000) < peak(500) + 500_000
