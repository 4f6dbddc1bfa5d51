"""Usage that is never lost and never counted twice: on disk first, then sent in the background."""

import gzip
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from billing_portal_client.client import BillingPortal
from billing_portal_client.decoding import decode
from billing_portal_client.errors import ApiError, PortalError, UnexpectedAnswer
from billing_portal_client.records import UsageRecord
from billing_portal_client.results import UsageReport
from billing_portal_client.spool import Fsync, Spool, SpoolError, SpoolInUse, encode
from billing_portal_client.transport import NO_RETRIES, Retries

log = logging.getLogger(__name__)

#: The portal reads bodies of at most 8 MiB.
_BODY_BYTES: Final = 4 * 1024 * 1024
#: Words of the portal itself that a batch is not what it takes: the fault is in a record of it.
_BAD_BATCH: Final = frozenset({"invalid_json", "invalid_request", "batch_too_large"})
_SYNC_SECONDS: Final = 1.0
_FOLDERS: Final = 1000


class RecorderClosed(SpoolError):
    """The record was not taken: the recorder is closed, or belongs to the parent process."""


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """A record that the portal refused, with its code and what to do. It is kept on disk."""

    record: dict[str, Any]
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class RecorderStatus:
    """How the recorder is doing; counts are since it was opened.

    `failing_since` (of `time.time()`) and `last_error` are None while the portal answers.
    """

    bytes_kept: int
    recorded: int
    duplicates: int
    rejected: int
    damaged: int
    failing_since: float | None
    last_error: str | None


class UsageRecorder:
    """Takes records from any thread, keeps them on disk, and sends them until they are confirmed.

    `record` returns when the record is on disk (how firmly: see `Fsync`); a thread sends batches of
    up to `batch_records`, at the latest `batch_seconds` after a record came. Whatever happens to
    the portal, the network or this process, a record stays in `folder` until the portal has
    confirmed it, and counts once for its id. When `maximum_bytes` are kept, `record` raises
    SpoolFull: nothing is dropped.

    A folder belongs to one process (SpoolInUse); open the recorder after a fork, not before.
    `on_rejected` is called in the sending thread, at least once for each record the portal refused.
    """

    def __init__(
        self,
        portal: BillingPortal,
        folder: str | os.PathLike[str],
        *,
        fsync: Fsync = Fsync.ALWAYS,
        batch_records: int = 1000,
        batch_seconds: float = 1.0,
        maximum_bytes: int = 1024**3,
        segment_bytes: int = 8 * 1024**2,
        timeout: float = 30.0,
        backoff: Retries | None = None,
        on_rejected: Callable[[RejectedRecord], None] | None = None,
    ) -> None:
        self._portal = portal
        self._spool = Spool(
            Path(folder), maximum_bytes=maximum_bytes, segment_bytes=segment_bytes, fsync=fsync
        )
        self._batch_records = self._batch_limit = batch_records
        self._batch_seconds = batch_seconds
        self._timeout = timeout
        self._backoff = backoff or Retries(first_seconds=0.5, longest_seconds=30.0)
        self._on_rejected = on_rejected
        self._process = os.getpid()
        self._changed = threading.Condition()
        self._new_records = self._flushes = 0
        self._idle = self._hurry = self._closing = self._stopping = False
        self._more = True  # what an earlier process left
        self._compressed = True
        self._counts = dict.fromkeys(("recorded", "duplicates", "rejected", "damaged"), 0)
        self._trouble: tuple[float, str] | None = None
        self._sender = threading.Thread(target=self._send, name="usage-recorder", daemon=True)
        self._sender.start()
        if fsync is Fsync.INTERVAL:
            threading.Thread(target=self._sync, name="usage-recorder-fsync", daemon=True).start()

    @classmethod
    def in_free_folder(
        cls, portal: BillingPortal, parent: str | os.PathLike[str], **options: Any
    ) -> Self:
        """Open a recorder in the first folder below `parent` that no other process has.

        For several processes on a machine: each start takes up what the last one left.
        """
        for number in range(_FOLDERS):
            try:
                return cls(portal, Path(parent) / f"{number:03}", **options)
            except SpoolInUse:
                continue
        raise SpoolInUse(f"All {_FOLDERS} folders below {os.fspath(parent)} are in use.")

    def record(self, record: UsageRecord) -> None:
        """Take a record. Raises SpoolError when it was not taken (SpoolFull, RecorderClosed).

        After an error the same record may be given again: its id makes it count once.
        """
        if self._closing or os.getpid() != self._process:
            raise RecorderClosed("The recorder is closed, or was opened before a fork.")
        self._spool.append(encode(record.as_json()))
        with self._changed:
            self._new_records += 1
            if self._idle or self._new_records >= self._batch_records:
                self._changed.notify_all()

    def flush(self, timeout: float) -> bool:
        """Send what waits, without waiting for more; say whether all of it is confirmed."""
        deadline = time.monotonic() + timeout
        with self._changed:
            self._hurry = True
            self._flushes += 1
            self._changed.notify_all()
            while not self._spool.is_empty and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)
            self._hurry = False
        return self._spool.is_empty

    def close(self, timeout: float = 5.0) -> bool:
        """Take no more, and send what waits for up to `timeout` seconds.

        Says whether all of it is confirmed; what is not stays on disk for the next recorder there.
        A request that is under way then keeps the folder until it ends, or this process does.
        """
        self._closing = True
        everything = self.flush(timeout)
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._sender.join(timeout=1.0)
        return everything

    @property
    def status(self) -> RecorderStatus:
        """How it is doing; for a health check."""
        failing_since, last_error = self._trouble or (None, None)
        return RecorderStatus(
            bytes_kept=self._spool.bytes_kept,
            failing_since=failing_since,
            last_error=last_error,
            **self._counts,
        )

    def rejected(self) -> list[RejectedRecord]:
        """Return what the portal refused, kept apart. After a crash one may be there twice."""
        return [RejectedRecord(**line) for line in self._spool.rejected()]

    def retry_rejected(self) -> int:
        """Send what was rejected again, once its cause is gone; return how many records.

        An `unknown_account` that is provisioned by now, for example. Raises SpoolError.
        """
        count = self._spool.resubmit_rejected()
        with self._changed:
            self._more = True
            self._changed.notify_all()
        return count

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # The threads ------------------------------------------------------------------------------
    def _send(self) -> None:
        failures = 0
        try:
            while self._wait_for_batch():
                try:
                    self._send_batch()
                    failures = 0
                    self._trouble = None
                except Exception as error:  # noqa: BLE001 (whatever it is, the records stay)
                    self._note(error)
                    self._pause(failures, error)
                    failures += 1
        finally:
            self._spool.close()

    def _sync(self) -> None:
        while not self._stopping:
            time.sleep(_SYNC_SECONDS)
            try:
                self._spool.sync()
            except SpoolError as error:
                self._note(error)

    def _wait_for_batch(self) -> bool:
        """Wait until there is enough to send, or for long enough; say whether to go on."""
        with self._changed:
            self._idle = True
            while self._spool.is_empty and not self._stopping:
                self._changed.wait()
            self._idle = False
            deadline = time.monotonic() + self._batch_seconds
            while (
                self._new_records < self._batch_records
                and not (self._more or self._hurry or self._stopping)
                and (left := deadline - time.monotonic()) > 0
            ):
                self._changed.wait(left)
            self._new_records = 0
            return not self._stopping

    def _send_batch(self) -> None:
        """Send the oldest records; what the portal answered is on disk before they go."""
        batch = self._spool.take(count=self._batch_limit, maximum_bytes=_BODY_BYTES)
        if batch is None:
            return
        report = UsageReport(0, 0, 0, ())
        rejected: list[RejectedRecord] = []
        if batch.lines:
            try:
                report = self._post(batch.lines)
                rejected = _rejected(batch.lines, report)
            except ApiError as error:
                if self._compressed and _is_about_form(error):
                    self._compressed, self._more = False, True
                    return
                if len(batch.lines) > 1 and (error.status == 413 or _is_bad_batch(error)):
                    # One of them spoils the batch: send fewer, until it stands alone.
                    self._batch_limit = len(batch.lines) // 2
                    self._more = True
                    return
                if not _is_bad_batch(error):
                    raise
                record = json.loads(batch.lines[0])
                rejected = [RejectedRecord(record, error.code, error.detail)]
        if rejected:
            self._spool.reject([asdict(each) for each in rejected])
            self._tell(rejected)
        if batch.damaged:
            log.error("%d records in the spool could not be read", len(batch.damaged))
        self._spool.confirm(batch.end, damaged=batch.damaged)
        self._more = batch.more
        self._batch_limit = min(self._batch_records, 2 * self._batch_limit)
        with self._changed:
            self._counts["recorded"] += report.recorded
            self._counts["duplicates"] += report.duplicates
            self._counts["rejected"] += len(rejected)
            self._counts["damaged"] += len(batch.damaged)
            self._changed.notify_all()

    def _post(self, lines: Sequence[bytes]) -> UsageReport:
        """Report them: a line each, compressed; to who does not take that, as plain JSON."""
        if self._compressed:
            content = gzip.compress(b"\n".join(lines), compresslevel=1)
            headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
        else:
            content = b'{"records":[' + b",".join(lines) + b"]}"
            headers = {"Content-Type": "application/json"}
        answer = self._portal.transport.request(
            "POST",
            "usage/",
            repeatable=True,
            params={"results": "none"},
            content=content,
            headers=headers,
            timeout=self._timeout,
            retries=NO_RETRIES,
        )
        report = decode(UsageReport, answer)
        if report.recorded + report.duplicates + report.rejected != len(lines):
            raise UnexpectedAnswer(f"POST usage/: {report} is no answer to {len(lines)} records")
        return report

    def _tell(self, rejected: Sequence[RejectedRecord]) -> None:
        for each in rejected:
            log.error("usage %s was rejected: %s, %s", each.record["id"], each.code, each.detail)
            if self._on_rejected is not None:
                try:
                    self._on_rejected(each)
                except Exception:
                    log.exception("on_rejected failed; the record is kept all the same")

    def _note(self, error: Exception) -> None:
        since = time.time() if self._trouble is None else self._trouble[0]
        if self._trouble is None:
            log.warning("usage waits on disk: %s", error, exc_info=not _is_expected(error))
        self._trouble = (since, f"{type(error).__name__}: {error}")

    def _pause(self, failures: int, error: Exception) -> None:
        """Back off; a flush asks once more at once, unless the portal said when."""
        retry_after = error.retry_after if isinstance(error, ApiError) else None
        deadline = time.monotonic() + self._backoff.delay(failures, retry_after)
        with self._changed:
            asked = self._flushes
            while (
                not self._stopping
                and (self._flushes == asked or retry_after is not None)
                and (left := deadline - time.monotonic()) > 0
            ):
                self._changed.wait(left)


def _is_expected(error: Exception) -> bool:
    return isinstance(error, PortalError | SpoolError | OSError)


def _is_about_form(error: ApiError) -> bool:
    """Whether it is the form of the body, not its content, that was not taken."""
    return error.status == 415 or error.code == "invalid_encoding"


def _is_bad_batch(error: ApiError) -> bool:
    """Whether the portal itself says that it cannot take the batch, however often it is sent."""
    return error.status in (400, 413) and error.code in _BAD_BATCH


def _rejected(lines: Sequence[bytes], report: UsageReport) -> list[RejectedRecord]:
    found = {}
    for result in report.results:
        if result.status == "rejected" and result.index in range(len(lines)):
            record = json.loads(lines[result.index or 0])
            found[result.index] = RejectedRecord(record, result.code, result.detail)
    if len(found) != report.rejected:
        raise UnexpectedAnswer(f"POST usage/: not all rejected records are named in {report}")
    return list(found.values())
