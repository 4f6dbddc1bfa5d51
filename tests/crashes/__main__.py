"""`python -m tests.crashes [scenario ...] [--minutes M]`, a line for each; `make crashes`.

Each scenario runs in a process and a folder of its own, on a copy of a database that was migrated
once. Whatever happens, to this program as well, a guardian ends what was started.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.crashes import SCENARIOS, Scenario

ROOT = Path(__file__).resolve().parents[2]
#: The migrated database of a state of the migrations, and the logs of what failed.
KEPT = ROOT / ".data" / "crashes"
#: Beyond the scenario's own time: to start, to end, to look at the books.
_AROUND_SECONDS = 900


def say(text: str) -> None:
    """Tell the person who waits."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@contextmanager
def guarded_folder() -> Iterator[Path]:
    """A new folder; whatever works in it is ended afterwards, and it is deleted."""
    folder = Path(tempfile.mkdtemp(prefix="crashes-"))
    command = [sys.executable, "-m", "tests.crashes.guardian", str(folder)]
    guardian = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, start_new_session=True)
    try:
        yield folder
    finally:
        assert guardian.stdin is not None
        guardian.stdin.close()
        guardian.wait(timeout=120)


def migrated_database() -> Path:
    """Return the folder of a PostgreSQL that is stopped and migrated; made once."""
    content = hashlib.sha256()
    for path in sorted(ROOT.glob("*/migrations/*.py")) + sorted(ROOT.glob("*/sql/*.sql")):
        content.update(path.name.encode() + path.read_bytes())
    ready = KEPT / f"migrated-{content.hexdigest()[:12]}"
    if ready.exists():
        return ready
    say("migrating a database, once ...")
    for old in KEPT.glob("migrated-*"):
        shutil.rmtree(old)
    KEPT.mkdir(parents=True, exist_ok=True)
    with guarded_folder() as folder:
        environment = {**os.environ, "DEBUG": "1", "DATA_DIR": str(folder)}
        environment.pop("DATABASE_URL", None)
        command = [sys.executable, str(ROOT / "manage.py"), "migrate", "--verbosity", "0"]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        # The last one to leave has stopped it.
        copy(folder / "postgres", ready)
    return ready


def copy(database: Path, to: Path) -> None:
    """Copy a stopped database with its owner; into a folder that is there already, too."""
    part = to if to.exists() else to.with_suffix(".part")
    part.mkdir(exist_ok=True)
    subprocess.run(["cp", "-a", f"{database}/.", str(part)], check=True)
    if part != to:
        part.rename(to)


def run(name: str, scenario: Scenario, seconds: float) -> bool:
    """Run one; return whether it went well."""
    say(f"{name}: {scenario.what} ...")
    database = migrated_database()
    began = time.monotonic()
    with guarded_folder() as folder:
        if scenario.disk and not mount(folder / "postgres", megabytes=scenario.disk):
            say(f"{name}: FAILED, a small disk can't be mounted here; it takes root")
            return False
        copy(database, folder / "postgres")
        said = act(name, folder, seconds)
        if said:
            say(f"{name}: ok, {said} ({time.monotonic() - began:.0f} s)")
            return True
        errors = (folder / "said").read_text(errors="replace").strip()
        logs = KEPT / f"logs-of-{name}"
        shutil.rmtree(logs, ignore_errors=True)
        if (folder / "logs").exists():
            shutil.copytree(folder / "logs", logs)
        logs.mkdir(exist_ok=True)
        (logs / "said.log").write_text(errors)
        with_server_log = folder / "postgres" / "server.log"
        if with_server_log.exists():
            shutil.copy(with_server_log, logs / "postgres.log")
    say("\n".join(errors.splitlines()[-12:]))
    say(f"{name}: FAILED after {time.monotonic() - began:.0f} s; the logs are in {logs}")
    return False


def act(name: str, folder: Path, seconds: float) -> str:
    """Have it done by a process of its own; return its last line, or "" when it failed."""
    command = [sys.executable, "-m", "tests.crashes.act", name, str(folder), str(seconds)]
    with (folder / "said").open("wb") as errors:
        try:
            ran = subprocess.run(
                command,
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=errors,
                timeout=seconds + _AROUND_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            errors.write(str(error).encode())
            return ""
    said = ran.stdout.decode().strip().splitlines()
    return said[-1] if ran.returncode == 0 and said else ""


def mount(place: Path, *, megabytes: int) -> bool:
    """Mount a small disk, which goes with its folder; return whether it could be."""
    place.mkdir()
    options = f"size={megabytes}m,mode=0700"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    return subprocess.run(command, check=False).returncode == 0


def main() -> int:
    """Run them one after the other; 0 when all went well."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.crashes",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Crash the portal in separate processes, and look at the books.",
        epilog="\n".join(f"  {name:<10} {each.what}" for name, each in SCENARIOS.items()),
    )
    parser.add_argument("scenarios", nargs="*", metavar="scenario", help="all by default")
    parser.add_argument("--minutes", type=float, help="how long each is at it")
    options = parser.parse_args()
    if unknown := set(options.scenarios) - SCENARIOS.keys():
        parser.error(f"there is no {', '.join(sorted(unknown))}; see --help")
    results = [
        run(
            name,
            SCENARIOS[name],
            options.minutes * 60 if options.minutes else SCENARIOS[name].seconds,
        )
        for name in options.scenarios or SCENARIOS
    ]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
