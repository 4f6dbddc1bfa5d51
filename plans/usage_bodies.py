"""The body of POST /usage/: JSON or NDJSON, as it is or compressed with gzip, to parsed records.

Never more than a bounded part of it is held: what is too large is refused when the limit is
reached, not when all of it was decompressed.
"""

import zlib
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from rest_framework import exceptions, status

from accounts.api import TooLarge
from plans import usage_lines
from plans.usage_records import (
    MAXIMUM_RECORDS,
    EnvelopeError,
    ParsedRecord,
    Rejected,
    parse_body,
)

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
#: jsonlines.org's name for the same.
_NDJSON_TYPES: Final = {NDJSON, "application/jsonl"}
#: RFC 9110, section 8.4.1.3: x-gzip is the same.
_GZIP_NAMES: Final = {"gzip", "x-gzip"}
_GZIP_FORMAT: Final = 16 + zlib.MAX_WBITS
#: Blank lines are not records, but are read, too.
MAXIMUM_LINES: Final = 2 * MAXIMUM_RECORDS
#: Fifty for each record. Each becomes an object, many times as large as it was written.
MAXIMUM_VALUES: Final = 50 * MAXIMUM_RECORDS
#: Decompressed at a time.
_STEP: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Batch:
    """The records in the order sent, and the line of each when they came as lines."""

    records: Sequence[ParsedRecord | Rejected]
    lines: Sequence[int] | None = None


class LengthRequired(exceptions.APIException):
    """A body came in chunks."""

    status_code = status.HTTP_411_LENGTH_REQUIRED
    default_detail = "Send the body with a Content-Length, not in chunks."
    default_code = "length_required"


class UnsupportedEncoding(exceptions.APIException):
    """The body is compressed in a way that we do not read; says which we do (RFC 7694)."""

    status_code = status.HTTP_415_UNSUPPORTED_MEDIA_TYPE
    default_detail = "Send the body as it is or with Content-Encoding: gzip."
    default_code = "unsupported_encoding"
    headers = {"Accept-Encoding": "gzip, identity"}


def read(request: HttpRequest) -> Batch:
    """Read the request's body. Raises an APIException that says what to do when it is no batch."""
    media_type = (request.content_type or "").lower()
    if media_type != JSON and media_type not in _NDJSON_TYPES:
        raise exceptions.UnsupportedMediaType(
            media_type, f"Send {JSON} or {NDJSON}, not “{media_type}”."
        )
    encoding = request.headers.get("Content-Encoding", "").strip().lower() or "identity"
    if encoding != "identity" and encoding not in _GZIP_NAMES:
        raise UnsupportedEncoding
    if "Transfer-Encoding" in request.headers and "Content-Length" not in request.headers:
        raise LengthRequired
    try:
        body = request.body
    except RequestDataTooBig as error:
        raise _too_large() from error
    chunks = decompress(body) if encoding in _GZIP_NAMES else [body]
    try:
        if media_type == JSON:
            return Batch(parse_body(_with_few_values(b"".join(chunks))))
        return _read_lines(chunks)
    except EnvelopeError as error:
        failure = TooLarge if error.code == "batch_too_large" else exceptions.ParseError
        raise failure(error.detail, code=error.code) from error


def decompress(body: bytes) -> Iterator[bytes]:
    """Yield what the gzip stream holds, piece by piece, to the limit of a body.

    It may have several members and end with zeros (RFC 1952, and what tape drives made of it).
    """
    member = zlib.decompressobj(_GZIP_FORMAT)
    members, size = 1, 0
    for start in range(0, len(body), _STEP):
        data = body[start : start + _STEP]
        while data:
            if member.eof:
                data = data.lstrip(b"\0")
                if not data:
                    break
                if members == MAXIMUM_RECORDS:
                    raise TooLarge(
                        f"The body has more than {MAXIMUM_RECORDS:,} gzip members; compress the "
                        "batch as a whole, or send it in parts.",
                        code="batch_too_large",
                    )
                member = zlib.decompressobj(_GZIP_FORMAT)
                members += 1
            try:
                piece = member.decompress(data, _STEP)
            except zlib.error as error:
                raise exceptions.ParseError(
                    "Content-Encoding says gzip, but the body is not, or holds something else "
                    f"after it: {error}.",
                    code="invalid_encoding",
                ) from error
            size += len(piece)
            if size > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
                raise _too_large()
            yield piece
            data = member.unused_data if member.eof else member.unconsumed_tail
    if not member.eof:
        raise exceptions.ParseError(
            "The gzip body ends too early; send all of it.", code="invalid_encoding"
        )


def _with_few_values(body: bytes) -> bytes:
    """Return the JSON, without a byte order mark, unless it would be too much once it is parsed.

    A comma stands between values; those in texts count, too, so there is room for many.
    """
    if body.count(b",") > MAXIMUM_VALUES:
        raise EnvelopeError(
            "batch_too_large",
            f"The body holds more than {MAXIMUM_VALUES:,} values; send the batch in parts.",
        )
    return body.removeprefix(BOM_UTF8)


def _read_lines(chunks: Iterable[bytes]) -> Batch:
    records: list[ParsedRecord | Rejected] = []
    numbers: list[int] = []
    for line in usage_lines.parse(_bounded(usage_lines.split(chunks))):
        if len(records) == MAXIMUM_RECORDS:
            raise EnvelopeError(
                "batch_too_large",
                f"A batch takes at most {MAXIMUM_RECORDS:,} records; this one has more. "
                "Send it in parts.",
            )
        records.append(line.record)
        numbers.append(line.number)
    if not records:
        raise EnvelopeError(
            "invalid_request", f"Send 1 to {MAXIMUM_RECORDS:,} records, one to a line."
        )
    return Batch(records, numbers)


def _bounded(lines: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """Yield the lines, as many as a batch can need."""
    for number, line in lines:
        if number > MAXIMUM_LINES:
            raise EnvelopeError(
                "batch_too_large",
                f"A batch takes at most {MAXIMUM_LINES:,} lines, blank ones too. "
                "Leave these out, or send it in parts.",
            )
        yield number, line


def _too_large() -> TooLarge:
    return TooLarge(
        f"The body is larger than {settings.DATA_UPLOAD_MAX_MEMORY_SIZE:,} bytes, as it was sent "
        "or decompressed; send the batch in parts.",
        code="batch_too_large",
    )
