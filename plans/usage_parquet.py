"""Parquet files of usage records; needs pyarrow (requirements-parquet.txt).

A number never becomes a float, and a time never has its zone guessed: columns of a type that would
need either are refused before anything is read.
"""

import io
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import types

from plans.usage_files import COLUMNS, FileError, check_columns
from plans.usage_lines import Line
from plans.usage_records import parse_record

_ROWS: Final = 1_000
_BUFFER: Final = 1024 * 1024
_MICROSECONDS: Final = pa.timestamp("us", tz="UTC")


class ParquetFile:
    """A Parquet file that is open; its rows are read by the thousand, whatever the row groups."""

    unit = "rows"

    def __init__(self, stream: io.BufferedReader) -> None:
        try:
            self.file = pq.ParquetFile(stream, buffer_size=_BUFFER, pre_buffer=False)
        except (pa.ArrowException, OSError) as error:
            raise FileError(f"This is no whole Parquet file: {error}") from error
        schema = self.file.schema_arrow
        check_columns(schema.names)
        self.columns = [name for name in COLUMNS if name in schema.names]
        for name in self.columns:
            check_type(name, schema.field(name).type)
        self.size = self.file.metadata.num_rows
        self._row = 0

    def position(self) -> int:
        """Return how many rows were read."""
        return self._row

    def read(self, *, after: int) -> Iterator[Line]:
        """Yield the records beyond the row `after`. Raises FileError."""
        groups, self._row = self._groups_beyond(after)
        try:
            for batch in self.file.iter_batches(_ROWS, row_groups=groups, columns=self.columns):
                yield from self._lines(batch, after=after)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise FileError(f"The file is damaged after row {self._row:,}: {error}") from error

    def _groups_beyond(self, after: int) -> tuple[list[int], int]:
        """Return the row groups with rows beyond `after`, and how many rows the others have."""
        before = 0
        metadata = self.file.metadata
        for group in range(metadata.num_row_groups):
            rows = metadata.row_group(group).num_rows
            if before + rows > after:
                return list(range(group, metadata.num_row_groups)), before
            before += rows
        return [], before

    def _lines(self, batch: Any, *, after: int) -> Iterator[Line]:
        columns = [_as_text(batch.column(name)) for name in self.columns]
        for row in zip(*columns, strict=True):
            self._row += 1
            if self._row > after:
                fields = dict(zip(self.columns, row, strict=True))
                yield Line(self._row, json.dumps(fields).encode(), parse_record(fields))


def check_type(name: str, kind: Any) -> None:
    """Raise FileError unless a column of this type holds exactly what the API would be sent."""
    if types.is_dictionary(kind):
        kind = kind.value_type
    is_text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    is_number = types.is_integer(kind) or types.is_decimal(kind)
    is_time = types.is_timestamp(kind) and kind.tz is not None
    if is_text or (name == "quantity" and is_number) or (name == "occurred_at" and is_time):
        return
    wanted = {
        "quantity": "text, an integer or a decimal: a float is not exactly what was measured",
        "occurred_at": "text with an offset, or a timestamp with a time zone",
    }.get(name, "text")
    raise FileError(f"Column {name} is of type {kind}. Write it as {wanted}.")


def _as_text(values: Any) -> list[str | None]:
    """Return the column's values as the API writes them."""
    if types.is_timestamp(values.type):
        # The API ignores what is shorter than a microsecond, too.
        exact = values.type.unit != "ns"
        values = values.cast(_MICROSECONDS, safe=exact)
    if types.is_decimal(values.type):
        return [None if number is None else _digits(number) for number in values.to_pylist()]
    texts: list[str | None] = values.cast(pa.string()).to_pylist()
    return texts


def _digits(number: Decimal) -> str:
    """Write a decimal in plain digits, without the zeros that its column adds to each value."""
    digits = f"{number:f}"
    return digits.rstrip("0").rstrip(".") if "." in digits else digits
