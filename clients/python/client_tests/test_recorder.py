"""The recorder loses nothing and counts nothing twice: the ledger is asked, not the recorder."""

import gzip
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, get_args

import pytest
from billing_portal_client import (
    RecorderClosed,
    RejectedRecord,
    Retries,
    SpoolFull,
    SpoolInUse,
    UsageRecorder,
)
from django.utils import timezone
from pytest_django import Settings

from accounts import api_keys
from billing_portal import audit
from client_tests.conftest import LivePortal, minutes
from client_tests.fault_proxy import SLOW_SECONDS, Trouble
from plans import usage_bodies

PATIENCE_SECONDS = 20
PACKAGE = Path(__file__).parent.parent

Open = Callable[..., UsageRecorder]


@pytest.fixture
def open_recorder(live: LivePortal, tmp_path: Path) -> Iterator[Open]:
    """Open a recorder on this test's folder that is impatient; it is closed at the end."""
    opened: list[UsageRecorder] = []

    def open_one(**options: Any) -> UsageRecorder:
        usual = {
            "batch_seconds": 0.02,
            "backoff": Retries(first_seconds=0.01, longest_seconds=0.05),
        }
        opened.append(UsageRecorder(live.client, tmp_path / "spool", **{**usual, **options}))
        return opened[-1]

    yield open_one
    for recorder in opened:
        recorder.close(timeout=0)


def wait_until(what: str, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"still not: {what}"
        time.sleep(0.01)


def ids(first: int, last: int) -> set[str]:
    return {f"call-{number}" for number in range(first, last + 1)}


# Trouble ----------------------------------------------------------------------------------------
def test_each_record_is_charged_once_whatever_happens_to_a_request(
    live: LivePortal, open_recorder: Open
) -> None:
    live.provision()
    for trouble in get_args(Trouble):
        live.proxy.plan.extend([trouble, trouble, None])
    recorder = open_recorder(batch_records=2, timeout=SLOW_SECONDS)
    for number in range(1, 21):
        recorder.record(minutes(id=f"call-{number}"))
    assert recorder.close(timeout=PATIENCE_SECONDS)
    assert not live.proxy.plan, "all of it happened"
    assert live.ledger() == dict.fromkeys(ids(1, 20), Decimal(1))
    assert live.balance() == Decimal("-3.00")


def test_an_outage_is_sat_out_and_a_new_process_takes_up_where_it_was(
    live: LivePortal, open_recorder: Open
) -> None:
    live.provision()
    live.proxy.down = True
    recorder = open_recorder()
    for number in range(1, 4):
        recorder.record(minutes(id=f"call-{number}"))
    wait_until("trouble is noticed", lambda: recorder.status.failing_since is not None)
    assert "Unreachable" in str(recorder.status.last_error)
    assert not recorder.close(timeout=0)

    successor = open_recorder()
    successor.record(minutes(id="call-4"))
    assert live.ledger() == {}
    live.proxy.down = False
    assert successor.flush(timeout=PATIENCE_SECONDS)
    assert set(live.ledger()) == ids(1, 4)
    wait_until("all is well again", lambda: successor.status.failing_since is None)


def test_many_threads_record_at_once(live: LivePortal, open_recorder: Open) -> None:
    live.provision()
    recorder = open_recorder(batch_records=9)

    def record(thread: int) -> None:
        for number in range(10):
            recorder.record(minutes(id=f"call-{thread * 10 + number}"))

    threads = [threading.Thread(target=record, args=(thread,)) for thread in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert recorder.flush(timeout=PATIENCE_SECONDS)
    assert set(live.ledger()) == ids(0, 59)
    bodies = [body for _, path, body in live.proxy.requests if "usage" in path]
    assert max(gzip.decompress(body).count(b'"id"') for body in bodies) == 9


def test_a_portal_that_takes_plain_json_only_gets_that(
    live: LivePortal, open_recorder: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_bodies, "_NDJSON_TYPES", frozenset())
    live.provision()
    recorder = open_recorder(batch_records=2)
    for number in range(1, 6):
        recorder.record(minutes(id=f"call-{number}"))
    assert recorder.flush(timeout=PATIENCE_SECONDS)
    assert set(live.ledger()) == ids(1, 5)
    kinds = [headers["Content-Type"] for headers in live.proxy.headers]
    assert kinds.count("application/x-ndjson") == 1


def test_killed_twice_in_the_middle_each_record_is_in_the_ledger_once(
    live: LivePortal, tmp_path: Path
) -> None:
    """SIGKILL while answers are lost; each start records more and sends what the last one left."""
    live.provision()
    live.proxy.plan.extend(["lost_after", "half", "busy", "lost_after"] * 3)
    taken: list[int] = []
    for first in (0, 1000):
        with process(live, tmp_path, first=first, count=1000) as (platform, output):
            for line in output:
                taken.append(int(line))
                if len(taken) % 60 == 0:
                    platform.send_signal(signal.SIGKILL)
                    break
            taken += [int(line) for line in output]
            assert platform.wait(PATIENCE_SECONDS) == -signal.SIGKILL
    with process(live, tmp_path, first=5000, count=20) as (platform, output):
        taken += [int(line) for line in output]
        assert platform.wait(PATIENCE_SECONDS) == 0
    ledger = live.ledger()
    assert len(taken) >= 140
    assert {f"call-{number}" for number in taken} <= set(ledger)
    # One more may have been on disk when it was killed, before it could say so.
    assert len(ledger) <= len(taken) + 2
    assert live.balance() == -Decimal("0.15") * len(ledger)
    assert [str(violation) for violation in audit.run(now=timezone.now())] == []


class process:  # noqa: N801 (reads as a verb)
    """A platform's process that records; what it has taken can be read, line by line."""

    def __init__(self, live: LivePortal, folder: Path, *, first: int, count: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "client_tests.reporting_process", live.proxy.url, live.token,
             str(folder), str(first), str(count)],
            cwd=PACKAGE,
            env={"PATH": os.environ["PATH"]},
            stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip

    def __enter__(self) -> tuple[subprocess.Popen[str], IO[str]]:
        assert self._process.stdout is not None
        return self._process, self._process.stdout

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


# What the portal refuses ------------------------------------------------------------------------
def test_a_rejected_record_is_kept_apart_told_and_can_be_sent_again(
    live: LivePortal, open_recorder: Open
) -> None:
    told: list[RejectedRecord] = []
    recorder = open_recorder(on_rejected=told.append)
    recorder.record(minutes(id="call-1"))
    assert recorder.flush(timeout=PATIENCE_SECONDS)
    (rejected,) = recorder.rejected()
    assert (rejected.code, rejected.record["id"]) == ("unknown_account", "call-1")
    assert told == [rejected]

    live.provision()
    assert recorder.retry_rejected() == 1
    assert recorder.rejected() == []
    assert recorder.flush(timeout=PATIENCE_SECONDS)
    assert set(live.ledger()) == {"call-1"}
    wait_until("counted", lambda: recorder.status.recorded == 1)


def test_a_callback_that_fails_loses_nothing(live: LivePortal, open_recorder: Open) -> None:
    def fail(rejected: RejectedRecord) -> None:
        raise RuntimeError("the alarm is broken")

    live.provision()
    recorder = open_recorder(on_rejected=fail)
    recorder.record(minutes(id="call-1", feature="teleport"))
    recorder.record(minutes(id="call-2"))
    assert recorder.flush(timeout=PATIENCE_SECONDS)
    assert [each.record["id"] for each in recorder.rejected()] == ["call-1"]
    assert set(live.ledger()) == {"call-2"}


def test_a_revoked_key_loses_nothing(live: LivePortal, open_recorder: Open) -> None:
    live.provision()
    api_keys.revoke(key=live.key, now=timezone.now())
    recorder = open_recorder()
    recorder.record(minutes(id="call-1"))
    wait_until("it is told", lambda: "NotAuthenticated" in str(recorder.status.last_error))
    assert recorder.rejected() == []
    assert recorder.status.bytes_kept > 0


def test_a_batch_that_is_too_large_is_sent_in_parts(
    live: LivePortal, open_recorder: Open, settings: Settings
) -> None:
    live.provision()
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 600
    recorder = open_recorder()
    for number in range(1, 9):
        recorder.record(minutes(id=f"call-{number}"))
    recorder.record(minutes(id="call-large", description="d" * 300, workspace="w" * 200))
    assert recorder.flush(timeout=PATIENCE_SECONDS)
    assert set(live.ledger()) == ids(1, 8)
    (rejected,) = recorder.rejected()
    assert (rejected.record["id"], rejected.code) == ("call-large", "batch_too_large")


# The caller -------------------------------------------------------------------------------------
def test_a_full_spool_is_the_callers_to_know(live: LivePortal, open_recorder: Open) -> None:
    live.provision()
    live.proxy.down = True
    recorder = open_recorder(maximum_bytes=800)
    recorder.record(minutes(id="call-1"))
    recorder.record(minutes(id="call-2", description="d" * 300))
    with pytest.raises(SpoolFull):
        recorder.record(minutes(id="call-3", description="d" * 300))
    live.proxy.down = False
    assert recorder.flush(timeout=PATIENCE_SECONDS)
    assert set(live.ledger()) == ids(1, 2)


def test_each_process_finds_a_folder_of_its_own(live: LivePortal, tmp_path: Path) -> None:
    first = UsageRecorder.in_free_folder(live.client, tmp_path)
    with UsageRecorder.in_free_folder(live.client, tmp_path) as second:
        assert second.status.bytes_kept == 0
        with pytest.raises(SpoolInUse):
            UsageRecorder(live.client, tmp_path / "000")
    first.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000", "001"]
    UsageRecorder.in_free_folder(live.client, tmp_path).close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000", "001"]


def test_a_closed_recorder_and_a_forked_one_take_nothing(
    open_recorder: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = open_recorder()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: 1)
        with pytest.raises(RecorderClosed, match="fork"):
            recorder.record(minutes())
    assert recorder.close()
    with pytest.raises(RecorderClosed):
        recorder.record(minutes())
