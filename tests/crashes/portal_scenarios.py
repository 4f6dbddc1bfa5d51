"""Scenarios in which parts of the running portal are killed under load."""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime
from pathlib import Path

import redis
import requests
from django.utils import timezone

from billing_portal.health import TICK
from billing_portal.models import Heartbeat
from tests.crashes.stage import ROOT, Stage, wait_until
from tests.crashes.under_load import end, every, portal_under_load

_MANAGE = str(ROOT / "manage.py")


def kill_processes(folder: Path, seconds: float) -> str:
    """SIGKILL web, its workers, the worker and beat in a loop."""
    killed: Counter[str] = Counter()
    with portal_under_load(folder) as (stage, load, _):

        def kill_one(chance: random.Random) -> None:
            victim = chance.choice(["web", "one of web's", "one of web's", "worker", "beat"])
            if victim == "one of web's":
                stage.kill_a_child("web")
            else:
                stage.kill(victim)
                stage.start(victim)
            killed[victim] += 1
            # A worker that reads a half-written message from the folder that is its broker ends.
            stage.start_what_died()

        every(seconds, between=(0.5, 4), do=kill_one)
        ended = end(stage, load)
    kills = ", ".join(f"{name} {count}x" for name, count in sorted(killed.items()))
    return f"killed {kills} in {seconds:.0f} s under load: {ended}"


def restart_database(folder: Path, seconds: float) -> str:
    """`pg_ctl stop -m immediate` in the middle of batches, settlements and renewal runs."""
    runs = 0
    died: Counter[str] = Counter()
    with portal_under_load(folder) as (stage, load, _):
        renewing = _renew(stage)

        def crash(chance: random.Random) -> None:
            nonlocal renewing, runs
            stage.stop_database_at_once()
            time.sleep(chance.uniform(0, 1.5))
            stage.start_database()
            died.update(stage.start_what_died())
            if renewing.poll() is not None:
                renewing = _renew(stage)
                runs += 1

        restarts = every(seconds, between=(2, 8), do=crash)
        died.update(stage.start_what_died())
        renewing.wait(timeout=240)
        ended = end(stage, load)
        unexpected = died - _half_messages(stage)
    # Nothing has to be started again but the database.
    assert not unexpected, f"ended with the database: {unexpected}"
    return f"{restarts} immediate stops of PostgreSQL, {runs + 1} renewal runs beside: {ended}"


def leave_without_database(folder: Path, seconds: float) -> str:
    """PostgreSQL is away for long; beat and the worker are started in the middle of it."""
    with portal_under_load(folder) as (stage, load, _):
        wait_until("the worker has done something", lambda: "succeeded in" in stage.log("worker"))
        stage.stop_database_at_once()
        time.sleep(seconds / 2)
        for name in ("beat", "worker"):
            stage.kill(name)
            stage.start(name)
        away = _readyz(stage)
        time.sleep(seconds / 2)
        died = Counter(stage.start_what_died()) - _half_messages(stage)
        stage.start_database()
        back = timezone.now()
        wait_until("pages are there again", lambda: _readyz(stage) == 200)
        pages = (timezone.now() - back).total_seconds()
        wait_until("a job of beat's is carried out", lambda: _has_ticked(since=back))
        jobs = (timezone.now() - back).total_seconds()
        ended = end(stage, load)
    assert not died, f"ended without the database: {died}"
    assert away == 503, away
    assert load.answers["503"] > 0, "nobody was told 503"
    return (
        f"PostgreSQL away for {seconds:.0f} s, pages there {pages:.0f} s and jobs carried out "
        f"{jobs:.0f} s after it came back: {ended}"
    )


def _readyz(stage: Stage) -> int:
    return requests.get(f"{stage.url}/readyz", timeout=60).status_code


def _has_ticked(*, since: datetime) -> bool:
    """Whether beat has sent a job and the worker has carried it out."""
    return Heartbeat.objects.filter(name=TICK, at__gt=since).exists()


def _half_messages(stage: Stage) -> Counter[str]:
    """How often a worker ended because a message in the folder that is its broker was half-written.

    That is a fault of the laptop's broker, and none of what is done here.
    """
    return Counter(worker=stage.log("worker").count("Unrecoverable error: JSONDecodeError"))


def _renew(stage: Stage) -> "subprocess.Popen[bytes]":
    return stage.spawn("renew", [sys.executable, _MANAGE, "renew"])


def lose_redis(folder: Path, seconds: float) -> str:
    """Redis, as broker and cache, is flushed, killed and started again empty, or falls silent."""
    port = int(os.environ["BROKER_URL"].rpartition(":")[2].partition("/")[0])
    did: Counter[str] = Counter()
    died: Counter[str] = Counter()
    while_away: dict[str, set[int]] = {"readyz": set(), "sign-in": set()}
    with portal_under_load(folder, redis_port=port) as (stage, load, _):

        def lose(chance: random.Random) -> None:
            what = chance.choice(["flushed", "killed", "silent"])
            did[what] += 1
            if what == "flushed":
                redis.Redis(port=port).flushall()
                return
            if what == "killed":
                stage.kill("redis")
            else:
                stage.silence("redis")
            # Sign-ins are counted there: nobody may try passwords meanwhile, and nobody sees a 500.
            while_away["readyz"].add(requests.get(f"{stage.url}/readyz", timeout=60).status_code)
            while_away["sign-in"].add(_try_to_sign_in(stage))
            time.sleep(chance.uniform(0, 4))
            if what == "killed":
                stage.run_redis(port)
            else:
                stage.let_speak("redis")
            died.update(stage.start_what_died())

        every(seconds, between=(1, 5), do=lose)
        died.update(stage.start_what_died())
        ended = end(stage, load)
    # Celery's client of Redis may stumble over a reconnection: then the worker ends, to be started
    # again by whoever runs it. Nobody else may.
    assert died.keys() <= {"worker"}, f"ended with Redis: {died}"
    assert while_away == {"readyz": {503}, "sign-in": {503}}, while_away
    return (
        f"Redis flushed {did['flushed']}x, killed {did['killed']}x, silent {did['silent']}x; "
        f"the worker ended {died['worker']}x: {ended}"
    )


def _try_to_sign_in(stage: Stage) -> int:
    with requests.Session() as browser:
        address = f"{stage.url}/accounts/login/"
        page = browser.get(address, timeout=60)
        token = browser.cookies.get("csrftoken", "")
        form = {"login": "owner@caller-0.test", "password": "wrong", "csrfmiddlewaretoken": token}
        return browser.post(address, data=form, timeout=60).status_code if page.ok else 0


def fill_disk(folder: Path, seconds: float) -> str:
    """The database's disk, a small tmpfs, is filled to the last byte and emptied again."""
    ballast = folder / "postgres" / "ballast"
    stopped = 0
    died: Counter[str] = Counter()
    with portal_under_load(folder) as (stage, load, _):

        def fill(chance: random.Random) -> None:
            nonlocal stopped
            _fill(ballast)
            time.sleep(chance.uniform(3, 10))
            ballast.unlink()
            # Where its log had no room PostgreSQL stops: whoever runs it starts it again.
            if not _database_runs(folder):
                stopped += 1
            stage.start_database()
            died.update(stage.start_what_died())

        times = every(seconds, between=(4, 10), do=fill)
        assert "No space left on device" in (folder / "postgres" / "server.log").read_text()
        ended = end(stage, load)
        assert load.answers["503"] > 0, "nobody was told 503"
        unexpected = died - _half_messages(stage)
    assert not unexpected, f"ended with the disk: {unexpected}"
    return f"the disk full {times}x ({stopped}x PostgreSQL stopped for it): {ended}"


def _fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 65536)
        except OSError:
            pass
    wait_until("it is there", ballast.exists)


def _database_runs(folder: Path) -> bool:
    return (folder / "postgres" / "postmaster.pid").exists()
