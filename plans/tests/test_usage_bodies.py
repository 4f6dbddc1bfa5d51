"""POST /usage/ with NDJSON and gzip: what is read, what is refused, and how much is ever held."""

import gzip
import json
import tracemalloc
import zlib
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.utils import timezone

from accounts.models import Account
from accounts.tests.factories import make_account
from plans import usage_bodies
from plans.models import UsageRecord
from plans.tests.api_client import Platform
from plans.tests.factories import make_subscription, make_version, make_wallet
from plans.usage_bodies import MAXIMUM_LINES
from plans.usage_lines import MAXIMUM_LINE_BYTES
from plans.usage_records import MAXIMUM_RECORDS

pytestmark = pytest.mark.django_db

MEBIBYTE = 1024 * 1024


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def account() -> Account:
    """An account that subscribed a day ago, with $5 and 500 minutes."""
    account = make_account(external_id="customer-42")
    make_wallet(account, balance="5")
    make_subscription(account, make_version(), anchor=timezone.now() - timedelta(days=1))
    return account


def line(number: int | str = 1, **fields: Any) -> bytes:
    """Return a record of customer-42 as a line, without its end."""
    return json.dumps(
        {
            "id": f"call-{number}",
            "account": "external:customer-42",
            "feature": "call_minutes",
            "quantity": "1",
            "occurred_at": timezone.now().isoformat(),
            **fields,
        }
    ).encode()


def envelope(*lines: bytes) -> bytes:
    """Return the JSON body that holds the records."""
    return b'{"records": [' + b",".join(lines) + b"]}"


def send(platform: Platform, body: bytes, *, encoding: str = "", **fields: Any) -> Any:
    """Send NDJSON unless told otherwise, compressed in the way that `encoding` says it is."""
    headers = {"Content-Encoding": encoding} if encoding else {}
    # The test's client leaves the content type of an empty body out unless it is told like this.
    fields["CONTENT_TYPE"] = fields.pop("content_type", "application/x-ndjson")
    return platform.send("POST", "usage/", body, headers=headers, **fields)


def assert_recorded(response: Any, *ids: str) -> None:
    assert response.status_code == 200, response.content
    assert [result["id"] for result in response.json()["results"]] == list(ids)
    assert response.json()["recorded"] == len(ids)
    assert UsageRecord.objects.count() == len(ids)


def assert_refused(response: Any, status: int, code: str) -> str:
    """Assert the error, and that nothing was recorded; return what it says."""
    assert (response.status_code, response.json()["code"]) == (status, code), response.content
    assert not UsageRecord.objects.exists()
    return str(response.json()["detail"])


# Lines ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("content_type", ["application/x-ndjson", "application/jsonl"])
def test_a_record_a_line_is_answered_in_the_order_sent(
    platform: Platform, account: Account, content_type: str
) -> None:
    body = b"".join(line(number) + b"\n" for number in (1, 2, 3))
    response = send(platform, body, content_type=f"{content_type}; charset=utf-8")
    assert_recorded(response, "call-1", "call-2", "call-3")


@pytest.mark.parametrize(
    ("before", "between", "after"),
    [
        (b"", b"\n", b""),
        (b"", b"\r\n", b"\r\n"),
        (b"\xef\xbb\xbf", b"\n", b"\n"),
        (b"\n\n", b"\n \t\r\n\n", b"\n\n\n"),
        (b"\xef\xbb\xbf\r\n  ", b" \n", b"\n "),
    ],
)
def test_how_lines_end_does_not_matter(
    platform: Platform, account: Account, before: bytes, between: bytes, after: bytes
) -> None:
    response = send(platform, before + line(1) + between + line(2) + after)
    assert_recorded(response, "call-1", "call-2")


@pytest.mark.parametrize(
    ("bad", "detail"),
    [
        (b"call-1,12", "not JSON"),
        (b'{"id": "call-1"', "not JSON"),
        (line(1) + line(2), "not JSON: Extra data"),
        (b'"\xff"', "not UTF-8"),
        (b"\xef\xbb\xbf" + line(1), "not JSON"),  # elsewhere than at the beginning it is content
        (b"[" * 5000, "nested too deeply"),
        (b'{"a":' * 10_000, "nested too deeply"),
        (b"x" * (MAXIMUM_LINE_BYTES + 1), "longer than"),
        (b"[]", "must be an object"),
        (b'{"id": "call-1"}', "`account` is missing"),
    ],
)
def test_a_line_that_is_no_record_holds_back_no_other(
    platform: Platform, account: Account, bad: bytes, detail: str
) -> None:
    response = send(platform, b"\n".join([line("before"), b"", bad, line("after")]))
    answer = response.json()
    assert (answer["recorded"], answer["rejected"]) == (2, 1)
    rejected = answer["results"][1]
    assert (rejected["code"], rejected["index"], rejected["line"]) == ("invalid_record", 1, 3)
    assert detail in rejected["detail"]


def test_a_line_as_long_as_it_may_be_is_read(platform: Platform, account: Account) -> None:
    record = line(1, ignored="")
    record = record.replace(b'""', b'"' + b"x" * (MAXIMUM_LINE_BYTES - len(record)) + b'"')
    assert len(record) == MAXIMUM_LINE_BYTES
    assert_recorded(send(platform, record + b"\n" + line(2)), "call-1", "call-2")


def test_a_body_without_records_is_no_batch(platform: Platform) -> None:
    for body in (b"", b"\n\r\n \n", b"\xef\xbb\xbf"):
        assert_refused(send(platform, body), 400, "invalid_request")


def test_more_lines_than_a_batch_takes_are_refused(platform: Platform, account: Account) -> None:
    body = line() + b"\n" + b"x\n" * MAXIMUM_RECORDS
    assert "records" in assert_refused(send(platform, body), 413, "batch_too_large")
    body = line() + b"\n" + b"\n" * MAXIMUM_LINES + line()
    assert "blank" in assert_refused(send(platform, body), 413, "batch_too_large")


# Compressed -----------------------------------------------------------------------------------
@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip"])
def test_both_forms_may_be_compressed(platform: Platform, account: Account, encoding: str) -> None:
    lines = line(1) + b"\n" + line(2)
    assert send(platform, gzip.compress(lines), encoding=encoding).json()["recorded"] == 2
    again = send(
        platform,
        gzip.compress(b"\xef\xbb\xbf" + envelope(line(3))),
        encoding=encoding,
        content_type="application/json",
    )
    assert again.json()["recorded"] == 1


def test_a_body_that_is_compressed_in_no_way_may_say_so(
    platform: Platform, account: Account
) -> None:
    assert_recorded(send(platform, line(1), encoding="identity"), "call-1")


def test_several_members_are_one_body(platform: Platform, account: Account) -> None:
    """As `cat a.gz b.gz` makes them, cut anywhere, and padded with zeros."""
    content = line(1) + b"\n" + line(2)
    members = [content[:40], b"", content[40:]]
    body = b"".join(gzip.compress(member) for member in members) + b"\0" * 512
    assert_recorded(send(platform, body, encoding="gzip"), "call-1", "call-2")


@pytest.mark.parametrize(
    ("spoil", "detail"),
    [
        (lambda body: body[:-1], "ends too early"),
        (lambda body: body[: len(body) // 2], "ends too early"),
        (lambda body: body[:5], "ends too early"),
        (lambda body: b"", "ends too early"),
        (lambda body: body + b"garbage", "something else after it"),
        (lambda body: body + b"\0\0garbage", "something else after it"),
        (lambda body: body[:-8] + b"\0" * 8, "incorrect data check"),
        (lambda body: zlib.compress(body), "incorrect header check"),
        (lambda body: line(1), "incorrect header check"),
    ],
)
@pytest.mark.parametrize("content_type", ["application/x-ndjson", "application/json"])
def test_a_body_that_is_no_whole_gzip_is_refused(
    platform: Platform, account: Account, spoil: Any, detail: str, content_type: str
) -> None:
    content = envelope(line(1)) if content_type == "application/json" else line(1)
    body = spoil(gzip.compress(content))
    response = send(platform, body, encoding="gzip", content_type=content_type)
    assert detail in assert_refused(response, 400, "invalid_encoding")


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip", "nonsense"])
def test_another_compression_is_not_supported(platform: Platform, encoding: str) -> None:
    response = send(platform, line(1), encoding=encoding)
    assert_refused(response, 415, "unsupported_encoding")
    assert response["Accept-Encoding"] == "gzip, identity"


# Limits ---------------------------------------------------------------------------------------
@pytest.fixture
def decompressed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes zlib gave out, member by member."""
    sizes: list[int] = []
    make = zlib.decompressobj

    class Counting:
        def __init__(self, wbits: int) -> None:
            sizes.append(0)
            self.member = make(wbits)

        def decompress(self, data: bytes, most: int) -> bytes:
            piece = self.member.decompress(data, most)
            sizes[-1] += len(piece)
            return piece

        def __getattr__(self, name: str) -> Any:
            return getattr(self.member, name)

    monkeypatch.setattr(usage_bodies.zlib, "decompressobj", Counting)
    return sizes


def bomb(*, mebibytes: int) -> bytes:
    """Return so many spaces, compressed a thousandfold."""
    compressor = zlib.compressobj(wbits=31)
    parts = [compressor.compress(b" " * MEBIBYTE) for _ in range(mebibytes)]
    return b"".join([*parts, compressor.flush()])


@pytest.mark.parametrize("content_type", ["application/x-ndjson", "application/json"])
def test_a_bomb_is_stopped_at_the_limit(
    platform: Platform,
    settings: LazySettings,
    decompressed: list[int],
    content_type: str,
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * MEBIBYTE
    body = bomb(mebibytes=50)
    assert len(body) < 2 * MEBIBYTE
    tracemalloc.start()
    try:
        response = send(platform, body, encoding="gzip", content_type=content_type)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert_refused(response, 413, "batch_too_large")
    assert 2 * MEBIBYTE < sum(decompressed) <= 2 * MEBIBYTE + 16 * 1024
    assert peak < 6 * MEBIBYTE


def test_a_body_over_the_limit_is_refused_as_it_was_sent(
    platform: Platform, settings: LazySettings, decompressed: list[int]
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    for encoding in ("", "gzip"):
        response = send(platform, b"x" * 101, encoding=encoding)
        assert_refused(response, 413, "batch_too_large")
    assert not any(decompressed)


def test_many_small_values_are_never_made(platform: Platform) -> None:
    """Eight megabytes of `1,` would be four million objects before they are counted."""
    body = b'{"records": [' + b"1," * (4 * MEBIBYTE - 10) + b"1]}"
    tracemalloc.start()
    try:
        response = send(platform, body, content_type="application/json")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "values" in assert_refused(response, 413, "batch_too_large")
    assert peak < 4 * len(body)


def test_many_small_members_cost_little(platform: Platform, decompressed: list[int]) -> None:
    body = gzip.compress(b"") * (MAXIMUM_RECORDS + 2)
    detail = assert_refused(send(platform, body, encoding="gzip"), 413, "batch_too_large")
    assert "members" in detail
    assert len(decompressed) == MAXIMUM_RECORDS


def test_a_body_in_chunks_needs_a_length(platform: Platform) -> None:
    response = send(platform, b"", HTTP_TRANSFER_ENCODING="chunked")
    assert_refused(response, 411, "length_required")
