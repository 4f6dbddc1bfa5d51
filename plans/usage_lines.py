"""NDJSON: one usage record a line, read from a stream of any length in bounded memory."""

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from plans.usage_records import Code, ParsedRecord, Rejected, parse_line

#: Several times what a record can hold, even if each character is written as \uXXXX.
MAXIMUM_LINE_BYTES: Final = 64 * 1024
_SPACE: Final = b" \t\r"


class Line(NamedTuple):
    """A record with where it stands, from 1, and as it was written."""

    number: int
    content: bytes
    record: ParsedRecord | Rejected


def split(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield each line with its number, from 1, without what ends it.

    Of a line that is too long, only so much is kept that it is longer than MAXIMUM_LINE_BYTES.
    """
    number = 0
    pending = b""
    for chunk in chunks:
        *lines, pending = (pending + chunk).split(b"\n")
        pending = pending[: MAXIMUM_LINE_BYTES + 1]
        for line in lines:
            number += 1
            yield number, line
    if pending:
        yield number + 1, pending


def parse(lines: Iterable[tuple[int, bytes]], *, after: int = 0) -> Iterator[Line]:
    """Yield the record of each line beyond `after` that is not blank.

    A line that is no record is a rejected one: it does not end the stream.
    """
    for number, line in lines:
        if number <= after:
            continue
        content = (line.removeprefix(BOM_UTF8) if number == 1 else line).strip(_SPACE)
        if not content:
            continue
        too_long = len(content) > MAXIMUM_LINE_BYTES
        yield Line(number, content, reject_long() if too_long else parse_line(content))


def reject_long() -> Rejected:
    """Return what becomes of a line that is too long."""
    return Rejected(
        None,
        Code.INVALID_RECORD,
        f"The line is longer than {MAXIMUM_LINE_BYTES:,} bytes; leave out what is no field.",
    )
