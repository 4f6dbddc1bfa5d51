"""What is done to the running portal while it is under load, and what must be so afterwards."""

import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.crashes.ending import assert_all_is_right, drain
from tests.crashes.stage import Stage, wait_until
from tests.crashes.town import Town, settle

_LOADERS_END_SECONDS = 300


@dataclass
class Load:
    """The processes that load the portal, and what they said at the end."""

    stage: Stage
    answers: Counter[str] = field(default_factory=Counter)
    confirmed: list[str] = field(default_factory=list)
    forms: int = 0
    _loaders: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where their orders and reports are."""
        return self.stage.folder / "load"

    def begin(self, town: Town, *, platforms: int, customers: int) -> None:
        """Start them."""
        self.folder.mkdir()
        for number in range(platforms):
            self._start(
                f"platform-{number}",
                kind="platform",
                token=town.token,
                accounts=[str(account.pk) for account in town.callers],
                batch=12,
                pause=0.1,
            )
        cookies = town.cookies()
        for number in range(customers):
            self._start(
                f"customer-{number}", kind="customer", cookies=cookies[number::customers], pause=1.0
            )

    def _start(self, name: str, **orders: Any) -> None:
        path = self.folder / f"{name}.orders"
        orders |= {"name": name, "folder": str(self.folder), "url": self.stage.url}
        path.write_text(json.dumps(orders))
        self._loaders[name] = self.stage.spawn(
            name, [sys.executable, "-m", "tests.crashes.load", str(path)]
        )

    def end(self) -> None:
        """Have them finish what they are at; nothing may have been wrong for them."""
        (self.folder / "stop").touch()
        expected = {path.with_suffix(".json") for path in self.folder.glob("*.orders")}
        for name, loader in self._loaders.items():
            ended = loader.wait(timeout=_LOADERS_END_SECONDS)
            assert ended == 0, f"{name} ended with {ended}"
        wrong: list[str] = []
        for path in sorted(expected):
            report = json.loads(path.read_text())
            self.answers.update(report["answers"])
            wrong += report["wrong"]
            if report["name"].startswith("platform"):
                self.confirmed += report["confirmed"]
            else:
                self.forms += len(report["confirmed"])
        assert wrong == [], f"{len(wrong)} wrong answers, of which: {wrong[:5]}"
        assert self.confirmed, "nothing was confirmed"

    def in_words(self) -> str:
        """Say what was answered."""
        counts = ", ".join(f"{count:,}x {what}" for what, count in sorted(self.answers.items()))
        return f"answers: {counts}"


@contextmanager
def portal_under_load(
    folder: Path, *, redis_port: int | None = None
) -> Iterator[tuple[Stage, Load, Town]]:
    """A whole portal that customers and the platform use; afterwards everything must be right."""
    stage = Stage(folder)
    if redis_port is not None:
        stage.run_redis(redis_port)
    stage.start("sandbox")
    stage.wait_until_ready("sandbox")
    town = settle(stage.sandbox, callers=16, subscribers=24)
    stage.start("web", "worker", "beat")
    stage.wait_until_ready("web", "beat")
    load = Load(stage)
    load.begin(town, platforms=3, customers=3)
    yield stage, load, town


def end(stage: Stage, load: Load) -> str:
    """End trouble and load, let the sweeps finish what is open, and look at the books."""
    stage.start_what_died()
    stage.wait_until_ready("web")
    load.end()
    # It answers no ping in time on a machine that is busy.
    wait_until("the worker has done something", lambda: "succeeded in" in stage.log("worker"))
    stage.leave_database()
    drain()
    for name in ("beat", "worker", "web"):
        stage.kill(name)
    drain()
    billed = assert_all_is_right(load.confirmed)
    return f"{billed}; {load.forms} forms; {load.in_words()}; lost or doubled: nothing"


def every(
    seconds: float, *, between: tuple[float, float], do: Callable[[random.Random], None]
) -> int:
    """Do something again and again for so long, at odd moments; return how often."""
    chance = random.Random(time.time_ns())
    deadline = time.monotonic() + seconds
    times = 0
    while time.monotonic() < deadline:
        time.sleep(chance.uniform(*between))
        do(chance)
        times += 1
    return times
