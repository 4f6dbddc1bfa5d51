"""Records on disk until the portal has confirmed them.

A folder holds segments, files to which records are appended, a line each: the CRC-32 of the record
and the record as JSON. A process only ever appends to a segment that it began itself. Beside them:
`progress`, up to where the portal has confirmed; `rejected.ndjson`, what it refused and why;
`damaged.log`, lines that can't be read; `lock`, held by the one process that has the folder.

Confirmed records are sent again when the process dies before `progress` is written: the portal
counts an id once, so `progress` needs no fsync.
"""

import errno
import fcntl
import json
import os
import re
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

_SEGMENT = re.compile(r"([0-9]{12})\.segment")
_READ_BYTES: Final = 256 * 1024


def encode(record: dict[str, Any]) -> bytes:
    """Return a record as one line of JSON in UTF-8, without the line's end."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


class SpoolError(Exception):
    """The record was not taken: the disk refused it."""


class SpoolFull(SpoolError):
    """The record was not taken: as much is kept as may be, or the disk is full."""


class SpoolInUse(SpoolError):
    """Another recorder has the folder: each process needs one of its own."""


class Fsync(StrEnum):
    """When a record is forced onto the disk itself. A killed process loses nothing with either.

    `ALWAYS`: before the recorder takes it, one fsync for all threads that wait: a power cut loses
    nothing. `INTERVAL`: once a second: a power cut loses at most the last second's records.
    `NEVER`: when the operating system likes to, usually within 30 seconds.
    """

    ALWAYS = "always"
    INTERVAL = "interval"
    NEVER = "never"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in the spool: a segment's number and an offset in it."""

    segment: int
    offset: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Records from the head of the spool, as they were encoded, and where the next ones begin.

    `more`: others were waiting behind them.
    """

    lines: tuple[bytes, ...]
    damaged: tuple[bytes, ...]
    end: Place
    more: bool


class Spool:
    """The folder of one process. Any thread may append; one thread takes and confirms."""

    def __init__(
        self, folder: Path, *, maximum_bytes: int, segment_bytes: int, fsync: Fsync
    ) -> None:
        """Open the folder, making it if need be. Raises SpoolInUse."""
        self._folder = folder
        self._maximum_bytes = maximum_bytes
        self._segment_bytes = segment_bytes
        self._fsync = fsync
        folder.mkdir(parents=True, exist_ok=True)
        self._lock_file = _locked(folder / "lock")
        self._append_lock = threading.Lock()
        self._sync_lock = threading.Lock()
        self._apart_lock = threading.Lock()
        self._sizes = {
            int(found[1]): path.stat().st_size
            for path in folder.iterdir()
            if (found := _SEGMENT.fullmatch(path.name))
        }
        self._apart_bytes = self._size_apart()
        self._confirmed = self._read_progress()
        self._last = max([*self._sizes, self._confirmed.segment])
        self._descriptor: int | None = None
        #: Records are numbered as they are appended: written, on the disk, and those between of
        #: which nobody knows because an fsync failed.
        self._written = self._synced = 0
        self._in_doubt: list[range] = []
        self._drop_confirmed()

    # Appending --------------------------------------------------------------------------------
    def append(self, record: bytes) -> None:
        """Keep a record. Raises SpoolFull, SpoolError; then it may be tried again, same id."""
        line = b"%08x %s\n" % (zlib.crc32(record), record)
        with self._append_lock:
            kept = self._bytes_kept()
            if kept + len(line) > self._maximum_bytes:
                raise SpoolFull(
                    f"{self._folder} keeps {kept:,} bytes that wait or were rejected; it may keep "
                    f"{self._maximum_bytes:,}."
                )
            try:
                self._write(line)
            except OSError as error:
                is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
                raise (SpoolFull if is_full else SpoolError)(f"{self._folder}: {error}") from error
            self._written += 1
            number = self._written
        if self._fsync is Fsync.ALWAYS:
            self._sync_until(number)

    def sync(self) -> None:
        """Force what was appended onto the disk. Raises SpoolError."""
        with self._append_lock:
            number = self._written
        self._sync_until(number)

    def _write(self, line: bytes) -> None:
        """Append to the segment, or leave it as it was. Holds the append lock."""
        size = self._sizes.get(self._last, 0)
        if self._descriptor is not None and size >= self._segment_bytes:
            self._seal()
        if self._descriptor is None:
            self._begin_segment()
            size = 0
        assert self._descriptor is not None
        try:
            written = os.write(self._descriptor, line)
            if written < len(line):
                raise OSError(errno.ENOSPC, f"{written} of {len(line)} bytes could be written")
        except OSError:
            # A part of a line may be there. Nothing is ever appended to it.
            try:
                os.ftruncate(self._descriptor, size)
            finally:
                self._seal()
            raise
        self._sizes[self._last] = size + len(line)

    def _begin_segment(self) -> None:
        path = self._path(self._last + 1)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._last += 1
        self._sizes[self._last] = 0
        _sync_folder(self._folder)

    def _seal(self) -> None:
        """Append no more to this segment."""
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        try:
            if self._fsync is not Fsync.NEVER:
                os.fsync(descriptor)
                self._synced = self._written
        except OSError:
            self._doubt(self._synced)
            raise
        finally:
            os.close(descriptor)

    def _sync_until(self, number: int) -> None:
        """Return once record `number` is on the disk; one thread syncs for all that wait."""
        with self._sync_lock:
            with self._append_lock:
                if any(number in each for each in self._in_doubt):
                    raise SpoolError(f"{self._folder}: an fsync failed")
                if number <= self._synced:
                    return
                before, target = self._synced, self._written
                descriptor = None if self._descriptor is None else os.dup(self._descriptor)
            if descriptor is None:
                return
            try:
                os.fsync(descriptor)
            except OSError as error:
                # What a failed fsync left on the disk is unknown, and the next one would hide it:
                # all who wait are told, and nothing more goes into this segment.
                with self._append_lock:
                    self._doubt(before)
                    if self._descriptor is not None:
                        os.close(self._descriptor)
                        self._descriptor = None
                raise SpoolError(f"{self._folder}: {error}") from error
            finally:
                os.close(descriptor)
            with self._append_lock:
                self._synced = max(self._synced, target)

    def _doubt(self, before: int) -> None:
        """Whether the records after `before` are on the disk, nobody knows any more."""
        self._in_doubt.append(range(before + 1, self._written + 1))
        self._synced = self._written

    # Taking -----------------------------------------------------------------------------------
    @property
    def bytes_kept(self) -> int:
        """What waits or was rejected takes this much of the disk."""
        with self._append_lock:
            return self._bytes_kept()

    def _bytes_kept(self) -> int:
        return sum(self._sizes.values()) + self._apart_bytes

    @property
    def is_empty(self) -> bool:
        """Whether the portal has confirmed everything."""
        return self._head() is None

    def take(self, *, count: int, maximum_bytes: int) -> Batch | None:
        """Return the oldest records that are not confirmed, or None. Takes nothing away."""
        head = self._head()
        if head is None:
            return None
        with self._append_lock:
            size = self._sizes[head.segment]
            more = any(self._sizes[later] for later in self._sizes if later > head.segment)
        lines: list[bytes] = []
        damaged: list[bytes] = []
        offset, taken = head.offset, 0
        with self._path(head.segment).open("rb", buffering=_READ_BYTES) as file:
            file.seek(offset)
            while offset < size and len(lines) < count:
                line = file.readline()
                record = _checked(line)
                if record is None:  # at a segment's end: torn by a crash
                    damaged.append(line)
                elif lines and taken + len(record) > maximum_bytes:
                    break
                else:
                    lines.append(record)
                    taken += len(record)
                offset = offset + len(line) if line else size
        end = Place(head.segment, offset)
        return Batch(tuple(lines), tuple(damaged), end, more or offset < size)

    def confirm(self, end: Place, *, damaged: Sequence[bytes] = ()) -> None:
        """Everything before `end` is done with."""
        if damaged:
            self._keep_apart(
                "damaged.log", b"".join(each.rstrip(b"\n") + b"\n" for each in damaged)
            )
        with self._append_lock:
            self._confirmed = end
        replacement = self._folder / "progress.new"
        # On a full disk this fails, and deleting what is confirmed makes room.
        with suppress(OSError):
            replacement.write_text(json.dumps({"segment": end.segment, "offset": end.offset}))
            replacement.replace(self._folder / "progress")
        self._drop_confirmed()

    def _head(self) -> Place | None:
        """Return where the oldest record is that is not confirmed."""
        with self._append_lock:
            for segment in sorted(self._sizes):
                offset = self._confirmed.offset if segment == self._confirmed.segment else 0
                if self._sizes[segment] > offset:
                    return Place(segment, offset)
        return None

    def _drop_confirmed(self) -> None:
        """Delete the segments that are confirmed to their end and no longer written to."""
        with self._append_lock:
            for segment, size in sorted(self._sizes.items()):
                growing = segment == self._last and self._descriptor is not None
                if growing or Place(segment, size) > self._confirmed:
                    return
                self._path(segment).unlink(missing_ok=True)
                del self._sizes[segment]

    # Apart ------------------------------------------------------------------------------------
    def reject(self, lines: Sequence[dict[str, Any]]) -> None:
        """Keep records apart that the portal refused, before they are confirmed."""
        encoded = (json.dumps(line, ensure_ascii=False) for line in lines)
        self._keep_apart("rejected.ndjson", "".join(f"{line}\n" for line in encoded).encode())

    def rejected(self) -> Iterator[dict[str, Any]]:
        """Yield what was rejected, oldest first."""
        try:
            content = (self._folder / "rejected.ndjson").read_bytes()
        except FileNotFoundError:
            return
        for line in content.split(b"\n"):
            with suppress(
                ValueError
            ):  # torn by a crash: then it was not confirmed, and comes again
                yield json.loads(line)

    def resubmit_rejected(self) -> int:
        """Append what was rejected anew; return how many. Raises SpoolError: then it stays."""
        with self._apart_lock:
            records = [each["record"] for each in self.rejected()]
            for record in records:
                self.append(encode(record))
            self.sync()
            (self._folder / "rejected.ndjson").unlink(missing_ok=True)
            self._apart_bytes = self._size_apart()
        return len(records)

    def _keep_apart(self, name: str, content: bytes) -> None:
        """Append to a file of what is not to be sent, all of it or nothing."""
        with self._apart_lock:
            self._append_apart(name, content)
            self._apart_bytes = self._size_apart()

    def _append_apart(self, name: str, content: bytes) -> None:
        descriptor = os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            is_torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            content = b"\n" * is_torn + content
            try:
                if os.write(descriptor, content) < len(content):
                    raise OSError(errno.ENOSPC, f"{name} could not be written")
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, size)
                raise
        finally:
            os.close(descriptor)
        _sync_folder(self._folder)

    def _size_apart(self) -> int:
        paths = (self._folder / name for name in ("rejected.ndjson", "damaged.log"))
        return sum(path.stat().st_size for path in paths if path.exists())

    # ------------------------------------------------------------------------------------------
    def close(self) -> None:
        """Give the folder back."""
        with self._append_lock:
            self._seal()
        self._drop_confirmed()
        os.close(self._lock_file)

    def _path(self, segment: int) -> Path:
        return self._folder / f"{segment:012}.segment"

    def _read_progress(self) -> Place:
        try:
            stored = json.loads((self._folder / "progress").read_text())
            return Place(int(stored["segment"]), int(stored["offset"]))
        except (OSError, ValueError, TypeError, KeyError):
            return Place(0, 0)  # everything is sent again, and counts once


def _checked(line: bytes) -> bytes | None:
    """Return the record of a line, or None when it is not as it was written."""
    checksum, _, rest = line.partition(b" ")
    record = rest[:-1]
    whole = rest.endswith(b"\n") and checksum == b"%08x" % zlib.crc32(record)
    return record if whole else None


def _locked(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise SpoolInUse(
            f"{path.parent} is in use by another recorder; give each process a folder of its own."
        ) from error
    return descriptor


def _sync_folder(folder: Path) -> None:
    """Make the names of new files last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
