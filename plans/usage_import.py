"""Importing a file of usage records: batch by batch, stopped and gone on with at any moment.

What was recorded is in the database, once for each record's id. The progress beside the file only
saves reading from the beginning again: it is written after the batch, so at worst one batch is
sent once more and found to be there already.
"""

import fcntl
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

from django.db import transaction

from plans import usage
from plans.usage import Result, ResultStatus
from plans.usage_files import FileError, UsageFile, open_file
from plans.usage_lines import Line

BATCH_SIZE: Final = 2_000
_SAMPLE: Final = 64 * 1024


@dataclass
class Progress:
    """How far the import of one file has come."""

    #: Tells this file from another one of its name.
    fingerprint: str
    #: The last line (or row) that was dealt with.
    line: int = 0
    recorded: int = 0
    duplicates: int = 0
    rejected: int = 0
    #: How much of the report of rejected lines belongs to it.
    report_bytes: int = 0


class UsageImport:
    """One run over a file. Use `begin` to have one."""

    def __init__(
        self, file: UsageFile, files: "_Files", progress: Progress, *, is_dry: bool
    ) -> None:
        self.file = file
        self.progress = progress
        self.is_dry = is_dry
        self._files = files
        #: Where it went on after an earlier run, 0 at the beginning.
        self.began_after = progress.line

    @property
    def report(self) -> Path:
        """The report of rejected lines; it exists when there are any."""
        return self._files.report

    def run(self, *, batch_size: int, clock: Callable[[], datetime]) -> Iterator[Progress]:
        """Record the rest of the file, and yield after each batch. Raises FileError.

        May be left off at any moment, and killed: `begin` goes on after the last batch. A dry run
        checks each batch by itself against the database as it is, so that an id that comes twice
        is noticed within a batch only.
        """
        lines = self.file.read(after=self.progress.line)
        while batch := list(islice(lines, batch_size)):
            self._note(batch, self._record(batch, now=clock()))
            if not self.is_dry:
                self._files.save(self.progress)
            yield self.progress
        self._files.finish(self.progress)

    def _record(self, batch: Sequence[Line], *, now: datetime) -> list[Result]:
        records = [line.record for line in batch]
        if not self.is_dry:
            return usage.record(records=records, now=now)
        with transaction.atomic():
            results = usage.record(records=records, now=now)
            transaction.set_rollback(True)
        return results

    def _note(self, batch: Sequence[Line], results: Sequence[Result]) -> None:
        progress = self.progress
        rejected = []
        for line, result in zip(batch, results, strict=True):
            if result.status == ResultStatus.RECORDED:
                progress.recorded += 1
            elif result.status == ResultStatus.DUPLICATE:
                progress.duplicates += 1
            else:
                rejected.append(_reported(line, result))
        progress.rejected += len(rejected)
        progress.line = batch[-1].number
        progress.report_bytes = self._files.report_more(rejected)


@contextmanager
def begin(
    path: Path, *, directory: Path | None = None, restart: bool = False, dry_run: bool = False
) -> Iterator[UsageImport]:
    """Open the file, and go on where the last run ended. Raises FileError.

    Progress and report are kept in `directory`, beside the file without one. `restart` begins anew;
    a `dry_run` always does, and leaves the progress of a real one alone.
    """
    try:
        stream = path.open("rb")
    except OSError as error:
        raise FileError(f"{path} can't be read: {error.strerror}.") from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise FileError(f"{path.name} is being imported by another process.") from error
        file = open_file(path, stream)
        files = _Files(path, directory or path.parent, dry_run=dry_run)
        fingerprint = _fingerprint(stream)
        progress = None if restart or dry_run else files.load()
        if progress is not None and progress.fingerprint != fingerprint:
            raise FileError(
                f"{path.name} has changed since its import began. Begin anew with --restart: what "
                "was recorded is not charged again."
            )
        progress = progress or Progress(fingerprint)
        with files.opened(progress):
            yield UsageImport(file, files, progress, is_dry=dry_run)


class _Files:
    """What is kept beside the file: the progress, and the report of rejected lines."""

    def __init__(self, path: Path, directory: Path, *, dry_run: bool) -> None:
        kind = "check" if dry_run else "import"
        self.progress = directory / f"{path.name}.{kind}-progress.json"
        self.report = directory / f"{path.name}.{kind}-rejected.ndjson"

    def load(self) -> Progress | None:
        """Return the progress of an import that did not end, None without one."""
        try:
            return Progress(**json.loads(self.progress.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise FileError(f"{self.progress} can't be read; begin anew with --restart.") from error

    @contextmanager
    def opened(self, progress: Progress) -> Iterator[None]:
        """Open the report for more. What a run that was killed added to it last is cut off."""
        try:
            self.stream = self.report.open("r+b" if progress.report_bytes else "wb")
        except OSError as error:
            raise FileError(
                f"The report can't be written to {self.report.parent}: {error.strerror}. Name "
                "another folder with --directory."
            ) from error
        with self.stream:
            self.stream.truncate(progress.report_bytes)
            self.stream.seek(progress.report_bytes)
            yield

    def report_more(self, lines: Sequence[dict[str, object]]) -> int:
        """Append to the report; return its length."""
        self.stream.writelines(json.dumps(line).encode() + b"\n" for line in lines)
        if lines:
            _flush(self.stream)
        return self.stream.tell()

    def save(self, progress: Progress) -> None:
        """Write the progress in one step: a run that dies leaves the old one or the new one."""
        new = self.progress.with_suffix(".new")
        with new.open("w") as stream:
            json.dump(asdict(progress), stream)
            _flush(stream)
        new.replace(self.progress)

    def finish(self, progress: Progress) -> None:
        """Leave only a report that says something."""
        self.progress.unlink(missing_ok=True)
        if not progress.rejected:
            self.report.unlink()


def _flush(stream: IO[Any]) -> None:
    stream.flush()
    os.fsync(stream.fileno())


def _reported(line: Line, result: Result) -> dict[str, object]:
    return {
        "line": line.number,
        "id": result.id,
        "code": result.code,
        "detail": result.detail,
        "content": line.content.decode(errors="backslashreplace"),
    }


def _fingerprint(stream: io.BufferedReader) -> str:
    """Return what the file's length, beginning and end come to."""
    size = stream.seek(0, os.SEEK_END)
    digest = hashlib.sha256(str(size).encode())
    for start in (0, max(0, size - _SAMPLE)):
        stream.seek(start)
        digest.update(stream.read(_SAMPLE))
    return digest.hexdigest()
