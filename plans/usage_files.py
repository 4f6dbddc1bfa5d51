"""Files of usage records, from any length of NDJSON or CSV (also .gz) and Parquet to parsed ones.

A file is read piece by piece; each record comes with its line (of Parquet: its row), from 1.
"""

import csv
import gzip
import io
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from plans import usage_lines
from plans.usage_lines import MAXIMUM_LINE_BYTES, Line
from plans.usage_records import Code, Rejected, parse_record

REQUIRED_COLUMNS: Final = ("id", "account", "feature", "quantity", "occurred_at")
COLUMNS: Final = (*REQUIRED_COLUMNS, "workspace", "source", "description")
_CHUNK: Final = 256 * 1024


class FileError(Exception):
    """The file can't be read, or not from here on; says what to do."""


class UsageFile(Protocol):
    """A file of usage records that is open."""

    #: What `size` and `position` count: `B` or `rows`.
    unit: str
    size: int

    def position(self) -> int:
        """Return how far it was read."""

    def read(self, *, after: int) -> Iterator[Line]:
        """Yield the records beyond the line `after`. Raises FileError."""


def open_file(path: Path, stream: io.BufferedReader) -> UsageFile:
    """Return the file that `stream` reads, by the end of its name. Raises FileError."""
    *_, before, last = ["", "", *(suffix.lower() for suffix in path.suffixes)]
    compressed = last == ".gz"
    kind = before if compressed else last
    if kind in (".ndjson", ".jsonl"):
        return TextFile(path, stream, compressed=compressed)
    if kind == ".csv":
        return CsvFile(path, stream, compressed=compressed)
    if kind == ".parquet" and not compressed:
        try:
            from plans.usage_parquet import ParquetFile
        except ModuleNotFoundError as error:
            raise FileError(
                "Parquet files need pyarrow: pip install -r requirements-parquet.txt"
            ) from error
        return ParquetFile(stream)
    raise FileError(
        f"{path.name}: the name must end in .ndjson, .jsonl or .csv (also with .gz), or .parquet."
    )


class TextFile:
    """NDJSON: a record a line."""

    unit = "B"

    def __init__(self, path: Path, stream: io.BufferedReader, *, compressed: bool) -> None:
        self.name = path.name
        self.size = path.stat().st_size
        self.stream = stream
        self.compressed = compressed

    def position(self) -> int:
        """Return how many bytes of the file were read."""
        return self.stream.tell()

    def read(self, *, after: int) -> Iterator[Line]:
        """Yield the records beyond the line `after`. Raises FileError."""
        yield from usage_lines.parse(usage_lines.split(self._chunks()), after=after)

    def _chunks(self) -> Iterator[bytes]:
        self.stream.seek(0)
        source = gzip.GzipFile(fileobj=self.stream) if self.compressed else self.stream
        try:
            yield from iter(partial(source.read1, _CHUNK), b"")
        except EOFError as error:
            raise FileError(
                f"{self.name} ends too early: the end of its gzip is missing."
            ) from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise FileError(f"{self.name} is damaged, or no gzip: {error}.") from error


class CsvFile(TextFile):
    """CSV with a header that names the API's fields; other columns are ignored."""

    def read(self, *, after: int) -> Iterator[Line]:
        """Yield the records beyond the line `after`. Raises FileError."""
        lines = _Remembered(usage_lines.split(self._chunks()))
        rows = csv.reader(lines, strict=True)
        header = self._header(rows)
        while True:
            lines.taken.clear()
            number = rows.line_num + 1
            try:
                row = next(rows)
                matches = len(row) == len(header)
                problem = "" if matches else f"{len(row)} fields, the header has {len(header)}"
            except StopIteration:
                return
            except csv.Error as error:
                row, problem = [""], str(error)
            if number <= after or not row:
                continue
            content = lines.content()
            if len(content) > MAXIMUM_LINE_BYTES:
                yield Line(number, content, usage_lines.reject_long())
            elif problem:
                detail = f"The row does not fit: {problem}."
                yield Line(number, content, Rejected(None, Code.INVALID_RECORD, detail))
            else:
                named = {name: value for name, value in zip(header, row, strict=True) if value}
                yield Line(number, content, parse_record(named))

    def _header(self, rows: Iterator[list[str]]) -> list[str]:
        try:
            header = [name.strip() for name in next(rows, [])]
        except csv.Error as error:
            raise FileError(f"The first line of {self.name} is no CSV: {error}.") from error
        check_columns(header)
        return header


class _Remembered:
    """Lines as text, and those that were taken since `taken` was cleared."""

    def __init__(self, lines: Iterable[tuple[int, bytes]]) -> None:
        self.lines = iter(lines)
        self.taken: list[bytes] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        number, line = next(self.lines)
        self.taken.append(line)
        text = line.removeprefix(BOM_UTF8) if number == 1 else line
        # What is no UTF-8 becomes halves of surrogate pairs: the record is rejected for them.
        return text.decode(errors="surrogateescape") + "\n"

    def content(self) -> bytes:
        """Return what was taken, as it was written."""
        return b"\n".join(self.taken)


def check_columns(names: Sequence[str]) -> None:
    """Raise FileError unless each column that is required is there, and each known one once."""
    missing = [name for name in REQUIRED_COLUMNS if name not in names]
    if missing:
        found = ", ".join(names) or "nothing"
        raise FileError(
            f"Missing columns: {', '.join(missing)}. The columns are called as the API's fields; "
            f"found: {found[:300]}."
        )
    twice = [name for name in COLUMNS if names.count(name) > 1]
    if twice:
        raise FileError(f"There is more than one column called {twice[0]}.")
