"""Records on disk: torn by crashes, refused by full disks, shared by many threads."""

import errno
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from billing_portal_client import Fsync, SpoolError, SpoolFull, SpoolInUse
from billing_portal_client.spool import Batch, Spool


@contextmanager
def opened(folder: Path, **options: Any) -> Iterator[Spool]:
    settings = {"maximum_bytes": 10**6, "segment_bytes": 10**5, "fsync": Fsync.ALWAYS}
    spool = Spool(folder, **{**settings, **options})
    try:
        yield spool
    finally:
        spool.close()


def record(number: int) -> bytes:
    return json.dumps({"id": f"call-{number}"}).encode()


def taken(spool: Spool, count: int = 1000) -> Batch:
    batch = spool.take(count=count, maximum_bytes=10**6)
    assert batch is not None
    return batch


def drained(spool: Spool) -> list[bytes]:
    """Confirm everything; return it in order."""
    lines: list[bytes] = []
    while batch := spool.take(count=3, maximum_bytes=10**6):
        lines += batch.lines
        spool.confirm(batch.end, damaged=batch.damaged)
    return lines


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.segment"))


def test_what_is_confirmed_is_gone_and_the_rest_survives(tmp_path: Path) -> None:
    with opened(tmp_path, segment_bytes=100) as spool:
        for number in range(10):
            spool.append(record(number))
        batch = taken(spool, 2)
        assert batch.lines == (record(0), record(1))
        assert batch.more
        assert taken(spool, 2) == batch, "taking confirms nothing"
        spool.confirm(batch.end)
        assert len(segments(tmp_path)) > 2
    with opened(tmp_path) as spool:
        assert drained(spool) == [record(number) for number in range(2, 10)]
        assert spool.is_empty
        assert segments(tmp_path) == []
        spool.append(record(10))
        assert drained(spool) == [record(10)]
    with opened(tmp_path) as spool:
        assert spool.is_empty


@pytest.mark.parametrize("progress", [None, "", "{", '{"segment": 1}', "[]"])
def test_without_progress_everything_is_sent_again(tmp_path: Path, progress: str | None) -> None:
    with opened(tmp_path) as spool:
        for number in range(4):
            spool.append(record(number))
        spool.confirm(taken(spool, 2).end)
    (tmp_path / "progress").unlink()
    if progress is not None:
        (tmp_path / "progress").write_text(progress)
    with opened(tmp_path) as spool:
        assert drained(spool) == [record(number) for number in range(4)]


@pytest.mark.parametrize("kept", [1, 8, 9, 20, 24])
def test_only_a_torn_last_record_is_dropped_and_noted(tmp_path: Path, kept: int) -> None:
    """A crash in the middle of a write leaves a part of a line."""
    with opened(tmp_path) as spool:
        for number in range(3):
            spool.append(record(number))
    (path,) = segments(tmp_path)
    content = path.read_bytes()
    last = content.splitlines()[-1]
    path.write_bytes(content[: len(content) - len(last) - 1] + last[:kept])
    with opened(tmp_path) as spool:
        spool.append(record(3))
        assert drained(spool) == [record(0), record(1), record(3)]
    assert (tmp_path / "damaged.log").read_bytes() == last[:kept] + b"\n"


def test_a_record_that_rotted_on_the_disk_takes_no_other_with_it(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        for number in range(3):
            spool.append(record(number))
    (path,) = segments(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"call-1", b"cull-1"))
    with opened(tmp_path) as spool:
        assert drained(spool) == [record(0), record(2)]
    assert b"cull-1" in (tmp_path / "damaged.log").read_bytes()


def test_a_full_spool_refuses_and_keeps_what_it_has(tmp_path: Path) -> None:
    with opened(tmp_path, maximum_bytes=100) as spool:
        for number in range(3):
            spool.append(record(number))
        with pytest.raises(SpoolFull, match="may keep 100"):
            spool.append(record(3))
        assert drained(spool) == [record(number) for number in range(3)]
    with opened(tmp_path, maximum_bytes=100) as spool:
        spool.append(record(4))


def test_a_full_disk_refuses_and_leaves_no_half_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    with opened(tmp_path) as spool:
        spool.append(record(0))
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", lambda file, line: write(file, line[:10]))
            with pytest.raises(SpoolFull):
                spool.append(record(1))
        spool.append(record(2))
    with opened(tmp_path) as spool:
        assert drained(spool) == [record(0), record(2)]
    assert not (tmp_path / "damaged.log").exists()


def test_a_disk_that_fails_tells_all_who_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failed fsync nobody knows what is on the disk; the next one would succeed."""
    outcomes: list[str] = []
    all_wrote = threading.Event()

    def fail(file: int) -> None:
        all_wrote.wait(5)
        raise OSError(errno.EIO, "I/O error")

    def append(number: int) -> None:
        try:
            spool.append(record(number))
            outcomes.append("taken")
        except SpoolError:
            outcomes.append("refused")

    with opened(tmp_path) as spool:
        spool.append(record(0))
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fail)
            threads = [threading.Thread(target=append, args=(number,)) for number in (1, 2, 3)]
            for thread in threads:
                thread.start()
            deadline = time.monotonic() + 5
            while len(segments(tmp_path)[0].read_bytes().splitlines()) < 4:
                assert time.monotonic() < deadline
                time.sleep(0.005)
            all_wrote.set()
            for thread in threads:
                thread.join()
        assert set(outcomes) == {"refused"}
        spool.append(record(4))
        assert set(drained(spool)) == {record(number) for number in range(5)}


def test_threads_that_wait_share_an_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs: list[int] = []

    def slow(file: int) -> None:
        syncs.append(file)
        time.sleep(0.02)

    with opened(tmp_path) as spool:
        monkeypatch.setattr(os, "fsync", slow)
        threads = [threading.Thread(target=spool.append, args=(record(n),)) for n in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(syncs) < 10
        assert sorted(drained(spool)) == sorted(record(number) for number in range(20))
        monkeypatch.undo()


@pytest.mark.parametrize(("fsync", "syncs"), [(Fsync.ALWAYS, 3), (Fsync.INTERVAL, 0)])
def test_the_policy_says_when_the_disk_is_forced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fsync: Fsync, syncs: int
) -> None:
    seen: list[int] = []
    with opened(tmp_path, fsync=fsync) as spool:
        spool.append(record(0))
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", seen.append)
            for number in range(3):
                spool.append(record(number))
            assert len(seen) == syncs
            spool.sync()
            assert len(seen) == max(syncs, 1)


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(SpoolInUse, match="in use"), opened(tmp_path):
        pass
    with opened(tmp_path) as spool:
        spool.append(record(0))


def test_a_torn_note_of_a_rejection_spoils_no_other(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        spool.reject([{"record": {"id": "call-1"}, "code": "too_old", "detail": ""}])
        with (tmp_path / "rejected.ndjson").open("ab") as file:
            file.write(b'{"record": {"id": "ca')
        spool.reject([{"record": {"id": "call-2"}, "code": "too_old", "detail": ""}])
        assert [each["record"]["id"] for each in spool.rejected()] == ["call-1", "call-2"]
        assert spool.bytes_kept == (tmp_path / "rejected.ndjson").stat().st_size
