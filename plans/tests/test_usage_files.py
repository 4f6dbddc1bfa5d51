"""Files of usage records: what each form may look like, what is refused, and how little is held."""

import csv
import gzip
import io
import json
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from plans.usage_files import FileError, UsageFile, open_file
from plans.usage_lines import Line
from plans.usage_records import ParsedRecord, Rejected

MOMENT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
FIELDS = {
    "id": "call-1",
    "account": "external:customer-42",
    "feature": "call_minutes",
    "quantity": "12.5",
    "occurred_at": "2026-11-23T13:30:00+04:00",
}
RECORD = ParsedRecord("call-1", "external:customer-42", "call_minutes", Decimal("12.5"), MOMENT)
HEADER = ",".join(FIELDS)
ROW = ",".join(FIELDS.values())


@contextmanager
def opened(path: Path) -> Iterator[UsageFile]:
    with path.open("rb") as stream:
        yield open_file(path, stream)


def read(path: Path, content: bytes, *, after: int = 0) -> list[Line]:
    """Write the file and read it."""
    path.write_bytes(content)
    with opened(path) as file:
        return list(file.read(after=after))


def problem(line: Line) -> str:
    """Return why the line is rejected."""
    assert isinstance(line.record, Rejected), line
    return line.record.detail


# NDJSON ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["calls.ndjson", "CALLS.JSONL", "calls.2026.jsonl"])
def test_ndjson_is_read_line_by_line(tmp_path: Path, name: str) -> None:
    content = "\ufeff" + json.dumps(FIELDS) + "\r\n\n{}\n" + json.dumps(FIELDS)
    first, bad, last = read(tmp_path / name, content.encode())
    assert first.record == last.record == RECORD
    assert (first.number, bad.number, last.number) == (1, 3, 4)
    assert bad.content == b"{}"
    assert "missing" in problem(bad)


def test_what_was_read_before_is_passed_over(tmp_path: Path) -> None:
    content = b"\n".join([json.dumps(FIELDS).encode()] * 5)
    assert [line.number for line in read(tmp_path / "a.ndjson", content, after=3)] == [4, 5]
    content = "\n".join([HEADER, '"', *[ROW] * 4]).encode()
    assert [line.number for line in read(tmp_path / "a.csv", content, after=4)] == []


def test_a_line_without_an_end_is_never_held(tmp_path: Path) -> None:
    path = tmp_path / "endless.ndjson.gz"
    with gzip.open(path, "wb", compresslevel=1) as stream:
        for _ in range(40):
            stream.write(b"x" * 1024 * 1024)
    tracemalloc.start()
    try:
        with opened(path) as file:
            [line] = file.read(after=0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "longer than" in problem(line)
    assert peak < 4 * 1024 * 1024


# Compressed -----------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["ndjson", "csv"])
def test_both_text_forms_may_be_compressed(tmp_path: Path, kind: str) -> None:
    content = json.dumps(FIELDS) if kind == "ndjson" else f"{HEADER}\n{ROW}"
    half = len(content) // 2
    members = gzip.compress(content[:half].encode()) + gzip.compress(content[half:].encode())
    [line] = read(tmp_path / f"calls.{kind}.gz", members)
    assert line.record == RECORD


@pytest.mark.parametrize(
    ("cut", "says"), [(slice(-9), "ends too early"), (slice(4, None), "damaged, or no gzip")]
)
def test_a_damaged_gzip_is_told(tmp_path: Path, cut: slice, says: str) -> None:
    with pytest.raises(FileError, match=says):
        read(tmp_path / "calls.ndjson.gz", gzip.compress(json.dumps(FIELDS).encode())[cut])


# CSV ------------------------------------------------------------------------------------------
def test_csv_is_read_by_its_header(tmp_path: Path) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, ["note", *reversed(FIELDS), "workspace", "description"])
    writer.writeheader()
    writer.writerow({**FIELDS, "note": "ignored"})
    writer.writerow({**FIELDS, "workspace": "عيادة", "description": 'one\n"two", three'})
    content = ("\ufeff" + text.getvalue() + "\r\n").encode()
    first, second = read(tmp_path / "calls.csv", content)
    assert first.record == RECORD
    assert isinstance(second.record, ParsedRecord)
    assert (second.record.workspace, second.record.description) == ("عيادة", 'one\n"two", three')
    assert (first.number, second.number) == (2, 3)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (ROW + ",more", "6 fields, the header has 5"),
        ("call-1", "1 fields, the header has 5"),
        ('"call-1"x' + ROW[6:], "expected after"),
        (ROW.replace("12.5", "1e3"), "plain digits"),
        (ROW.replace("12.5", "12.5 "), "plain digits"),
        (ROW.replace("12.5", ""), "plain digits"),
        (ROW.replace("call-1", ""), "`id` is missing"),
        (ROW.replace("call-1", "\udcff"), "no character"),
        (ROW.replace("call-1", "a\0b"), "NUL"),
        (ROW.replace("call-1", "x" * 70_000), "longer than"),
        (ROW.replace("call-1", "x" * 200_000), "longer than"),
    ],
)
def test_a_bad_row_holds_back_no_other(tmp_path: Path, row: str, says: str) -> None:
    content = "\n".join([HEADER, ROW, row, ROW]).encode(errors="surrogateescape")
    before, bad, after = read(tmp_path / "calls.csv", content)
    assert before.record == after.record == RECORD
    assert bad.number == 3
    assert bad.content.startswith(row.encode(errors="surrogateescape")[:60_000])
    assert says in problem(bad)


def test_a_quote_that_is_never_closed_is_not_held(tmp_path: Path) -> None:
    content = "\n".join([HEADER, '"' + ROW, *[ROW] * 20_000]).encode()
    lines = read(tmp_path / "calls.csv", content)
    assert "longer than" in problem(lines[0])
    assert max(len(line.content) for line in lines) < 200_000
    assert lines[-1].record == RECORD


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("id,account,feature,occurred_at", "Missing columns: quantity"),
        ("ID,account", "Missing columns: id, feature, quantity, occurred_at"),
        (HEADER.replace(",", ";"), "found: id;account"),
        (HEADER + ",id", "more than one column called id"),
        ('"a"b', "first line of calls.csv is no CSV"),
        ("", "found: nothing"),
    ],
)
def test_a_header_must_name_the_fields(tmp_path: Path, header: str, says: str) -> None:
    with pytest.raises(FileError, match=says):
        read(tmp_path / "calls.csv", f"{header}\n{ROW}".encode() if header else b"")


# Parquet --------------------------------------------------------------------------------------
def write(path: Path, *, rows: int = 1, row_group_size: int = 100, **columns: Any) -> Path:
    """Write a Parquet file of the record, with some columns replaced."""
    fields = {name: columns.get(name, pa.array([value] * rows)) for name, value in FIELDS.items()}
    fields |= {name: values for name, values in columns.items() if values is not None}
    table = pa.table({name: values for name, values in fields.items() if values is not None})
    pq.write_table(table, path, row_group_size=row_group_size)
    return path


def records(path: Path, *, after: int = 0) -> list[Any]:
    with opened(path) as file:
        return [line.record for line in file.read(after=after)]


@pytest.mark.parametrize(
    "quantity",
    [
        pa.array(["12.5"]),
        pa.array(["12.5"], pa.large_string()),
        pa.array(["12.5"]).dictionary_encode(),
        pa.array([Decimal("12.5")], pa.decimal128(16, 6)),
        pa.array([Decimal("12.5")], pa.decimal128(38, 20)),
        pa.array([Decimal("12.5")], pa.decimal256(60, 1)),
    ],
)
@pytest.mark.parametrize(
    "occurred_at",
    [
        pa.array(["2026-11-23T09:30:00Z"]),
        pa.array([MOMENT], pa.timestamp("us", tz="UTC")),
        pa.array([MOMENT], pa.timestamp("ms", tz="Asia/Muscat")),
        pa.array([MOMENT], pa.timestamp("ns", tz="+04:00")),
    ],
)
def test_parquet_may_hold_what_is_exact(tmp_path: Path, quantity: Any, occurred_at: Any) -> None:
    path = write(tmp_path / "a.parquet", quantity=quantity, occurred_at=occurred_at)
    assert records(path) == [RECORD]


def test_parquet_keeps_each_digit(tmp_path: Path) -> None:
    numbers = ["0.000001", "999999999.999999", "1000000000", "0", "120"]
    for kind in (pa.decimal128(38, 10), pa.decimal128(16, 6), pa.string()):
        values = numbers if kind == pa.string() else [Decimal(number) for number in numbers]
        path = write(tmp_path / "a.parquet", rows=5, quantity=pa.array(values, kind))
        assert [record.quantity for record in records(path)] == [Decimal(n) for n in numbers]
    path = write(tmp_path / "a.parquet", rows=2, quantity=pa.array([7, 10**9], pa.int64()))
    assert [record.quantity for record in records(path)] == [7, 10**9]


@pytest.mark.parametrize(
    ("column", "values", "says"),
    [
        ("quantity", pa.array([12.5]), "quantity is of type double.*float is not exactly"),
        ("quantity", pa.array([1.5], pa.float32()), "quantity is of type float"),
        ("quantity", pa.array([True]), "quantity is of type bool"),
        ("occurred_at", pa.array([MOMENT.replace(tzinfo=None)]), "time zone"),
        ("occurred_at", pa.array([1_795_000_000]), "occurred_at is of type int64"),
        ("id", pa.array([42]), "id is of type int64. Write it as text"),
        ("workspace", pa.array([b"x"]), "workspace is of type binary"),
        ("quantity", None, "Missing columns: quantity"),
    ],
)
def test_parquet_may_not_hold_what_must_be_guessed(
    tmp_path: Path, column: str, values: Any, says: str
) -> None:
    path = write(tmp_path / "a.parquet", **{column: values})
    with pytest.raises(FileError, match=says):
        records(path)


def test_a_bad_row_of_parquet_holds_back_no_other(tmp_path: Path) -> None:
    numbers = [Decimal("1"), Decimal("-1"), None, Decimal("0.0000001"), Decimal("2")]
    times = [MOMENT, MOMENT, MOMENT, MOMENT, datetime(1970, 1, 1, tzinfo=timezone(timedelta(0)))]
    path = write(
        tmp_path / "a.parquet",
        rows=5,
        quantity=pa.array(numbers, pa.decimal128(20, 10)),
        occurred_at=pa.array(times, pa.timestamp("us", tz="UTC")),
        extra=pa.array([b"ignored"] * 5),
    )
    with opened(path) as file:
        lines = list(file.read(after=0))
    assert [type(line.record) for line in lines] == [
        ParsedRecord, Rejected, Rejected, Rejected, ParsedRecord,
    ]  # fmt: skip
    assert [line.number for line in lines] == [1, 2, 3, 4, 5]
    assert json.loads(lines[1].content)["quantity"] == "-1"


def test_parquet_goes_on_within_a_row_group(tmp_path: Path) -> None:
    ids = pa.array([f"call-{number}" for number in range(1, 1001)])
    path = write(tmp_path / "a.parquet", rows=1000, row_group_size=300, id=ids)
    for after in (0, 1, 299, 300, 301, 650, 999, 1000):
        expected = [f"call-{number}" for number in range(after + 1, 1001)]
        assert [record.id for record in records(path, after=after)] == expected


def test_parquet_is_never_held_as_a_whole(tmp_path: Path) -> None:
    """One row group of 40 MB, as a data warehouse writes it."""
    rows = 40_000
    texts = [f"{number:01000}" for number in range(rows)]
    ids = pa.array([f"call-{number}" for number in range(rows)])
    path = write(
        tmp_path / "a.parquet", rows=rows, row_group_size=rows, id=ids, workspace=pa.array(texts)
    )
    del texts, ids
    before, most = pa.total_allocated_bytes(), 0
    with opened(path) as file:
        for line in file.read(after=0):
            if line.number % 1_000 == 0:
                most = max(most, pa.total_allocated_bytes() - before)
    assert line.number == rows
    assert 0 < most < 12 * 1024 * 1024


@pytest.mark.parametrize("spoil", [lambda content: content[:-20], lambda content: b"PAR1 not"])
def test_what_is_no_whole_parquet_is_refused(tmp_path: Path, spoil: Any) -> None:
    path = write(tmp_path / "a.parquet")
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(FileError, match="no whole Parquet file"):
        records(path)


def test_parquet_that_is_damaged_inside_is_told_with_its_row(tmp_path: Path) -> None:
    ids = pa.array([f"call-{number}" for number in range(3000)])
    path = write(tmp_path / "a.parquet", rows=3000, row_group_size=1500, id=ids)
    content = bytearray(path.read_bytes())
    half = len(content) // 2
    content[half : half + 2000] = b"\xff" * 2000
    path.write_bytes(content)
    with pytest.raises(FileError, match="damaged after row"):
        records(path)


@pytest.mark.parametrize("name", ["calls.txt", "calls", "calls.gz", "calls.parquet.gz", "csv"])
def test_another_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileError, match="must end in"):
        read(tmp_path / name, b"")
