"""A backup is one once it was restored: `make restore-drill`, on what the demo has made.

Nothing of the demo is touched: a physical copy of its database becomes the drill's primary, with
its WAL archived. Usage comes in, then comes in that shall be undone. (1) A dump is restored into an
empty database. (2) The base backup and the WAL are restored to the moment in between. Each then has
to pass `audit` and `reconcile`, and what the platform sends again is counted once.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from billing_portal import embedded_postgres
from billing_portal.demo_programs import answers

ROOT = Path(__file__).resolve().parent.parent
DEMO = Path(os.environ.get("DATA_DIR", ROOT / ".data"))
KEPT, UNDONE = 1_000, 500


def main() -> None:
    """Run the drill and say what came out."""
    if not (DEMO / "postgres" / "PG_VERSION").exists():
        sys.exit("Run `make demo` first: the drill restores what it has made.")
    with tempfile.TemporaryDirectory(prefix="restore-drill-") as folder, sandbox(Path(folder)):
        scratch = Path(folder)
        scratch.chmod(0o755)
        primary = a_primary_with_an_archive(scratch)
        base = scratch / "base"
        copy_of(primary, base)
        account, feature = whom(primary.url)
        import_usage(primary.url, scratch, account, feature, "kept", KEPT)
        moment = now_of(primary.url)
        time.sleep(1)
        import_usage(primary.url, scratch, account, feature, "undone", UNDONE)

        began = time.monotonic()
        dumped = restored_dump(primary, scratch)
        say(f"dumped and restored into an empty database in {time.monotonic() - began:.1f} s")
        sound(dumped, records=KEPT + UNDONE)

        with psycopg.connect(primary.url, autocommit=True) as connection:
            connection.execute("SELECT pg_switch_wal()")
        embedded_postgres.stop(primary.data_dir)
        began = time.monotonic()
        back = restored_to(base, scratch / "archive", moment)
        say(f"restored to {moment:%H:%M:%S.%f} UTC in {time.monotonic() - began:.1f} s")
        sound(back, records=KEPT)
        import_usage(back, scratch, account, feature, "kept", KEPT)
        import_usage(back, scratch, account, feature, "undone", UNDONE)
        sound(back, records=KEPT + UNDONE)
        say("what was sent again is counted once")
        embedded_postgres.stop(base)


class Primary:
    """The drill's own server."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.url = embedded_postgres.start(data_dir)


def a_primary_with_an_archive(scratch: Path) -> Primary:
    """Copy the demo's database into a server that archives its WAL."""
    source = embedded_postgres.start(DEMO)
    folder = scratch / "primary"
    folder.mkdir()
    back_up(source, folder / "postgres", DEMO)
    archive = scratch / "archive"
    archive.mkdir()
    owner = (DEMO / "postgres").stat()
    os.chown(archive, owner.st_uid, owner.st_gid)
    with (folder / "postgres" / "postgresql.auto.conf").open("a") as settings:
        settings.write(f"archive_mode = on\narchive_command = 'cp %p {archive}/%f'\n")
    return Primary(folder)


def copy_of(primary: Primary, folder: Path) -> None:
    """Take a base backup of the primary."""
    folder.mkdir()
    back_up(primary.url, folder / "postgres", primary.data_dir)


def back_up(url: str, target: Path, data_dir: Path) -> None:
    """Have pg_basebackup copy a running server, as the user that runs it."""
    owner = (data_dir / "postgres").stat()
    target.mkdir()
    os.chown(target, owner.st_uid, owner.st_gid)
    target.chmod(0o700)
    status, said = embedded_postgres.run_program(
        data_dir, "pg_basebackup", "--dbname", url, "--pgdata", str(target), "--wal-method=stream",
        "--checkpoint=fast", seconds=300,
    )  # fmt: skip
    assert status == 0, said


def whom(url: str) -> tuple[str, str]:
    """Return an account of the demo's and what it may use."""
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT account_id, f.key FROM plans_usagerecord u JOIN plans_feature f"
            " ON f.id = u.feature_id ORDER BY u.id DESC LIMIT 1"
        ).fetchone()
    assert found is not None
    return str(found[0]), str(found[1])


def now_of(url: str) -> datetime:
    """Return the moment by the server's clock."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment.astimezone(UTC)


def import_usage(
    url: str, scratch: Path, account: str, feature: str, name: str, number: int
) -> None:
    """Have usage come in as the platform's file, by the product's own command."""
    ended = datetime.now(UTC).isoformat()
    file = scratch / f"{name}.ndjson"
    if not file.exists():
        records = (
            {"id": f"drill-{name}-{i}", "account": account, "feature": feature,
             "quantity": "1.5", "occurred_at": ended}
            for i in range(number)
        )  # fmt: skip
        file.write_text("".join(json.dumps(record) + "\n" for record in records))
    manage(url, "import_usage", str(file), "--restart")


def restored_dump(primary: Primary, scratch: Path) -> str:
    """Dump the database, restore it into an empty one, and return its URL."""
    file = scratch / "portal.dump"
    program("pg_dump", "--format=custom", f"--file={file}", primary.url)
    with psycopg.connect(primary.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE restored")
    url = primary.url.replace("/postgres?", "/restored?")
    program("pg_restore", "--exit-on-error", "--no-owner", f"--dbname={url}", str(file))
    return url


def restored_to(base: Path, archive: Path, moment: datetime) -> str:
    """Start the base backup, have it replay the archive up to a moment, and return its URL."""
    folder = base / "postgres"
    with (folder / "postgresql.auto.conf").open("a") as settings:
        settings.write(
            f"archive_mode = off\nrestore_command = 'cp {archive}/%f %p'\n"
            f"recovery_target_time = '{moment.isoformat()}'\nrecovery_target_action = 'promote'\n"
        )
    (folder / "recovery.signal").touch()
    url = embedded_postgres.start(base)
    with psycopg.connect(url) as connection:
        while connection.execute("SELECT pg_is_in_recovery()").fetchone() == (True,):
            time.sleep(0.2)
    return url


def sound(url: str, *, records: int) -> None:
    """The books are right, Stripe's payments are in them, and just this usage is."""
    for command in ("audit", "reconcile"):
        say(f"{command}: {manage(url, command).strip().splitlines()[-1]}")
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT count(*) FROM plans_usagerecord WHERE record_id LIKE 'drill-%'"
        ).fetchone()
    assert found == (records,), found


@contextmanager
def sandbox(scratch: Path) -> Iterator[None]:
    """The demo's sandbox Stripe, on a copy of its state: `reconcile` compares with it."""
    shutil.copytree(DEMO / "stripe_sandbox", scratch / "stripe_sandbox")
    address = "http://127.0.0.1:12391"
    process = subprocess.Popen(
        [sys.executable, "-m", "stripe_sandbox", "--port", "12391", "--data-dir",
         str(scratch / "stripe_sandbox")],
        cwd=ROOT, env={**os.environ, "DEBUG": "1"}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    os.environ["STRIPE_SANDBOX_URL"] = address
    try:
        while not answers(f"{address}/_sandbox/health"):
            assert process.poll() is None, "the sandbox Stripe has ended"
            time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait(30)


def manage(url: str, *arguments: str) -> str:
    """Run one of the portal's commands on a database; its words."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url, "DEBUG": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    return done.stdout


def program(name: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs."""
    subprocess.run([str(embedded_postgres.programs() / name), *arguments], check=True)


def say(what: str) -> None:
    """Tell whoever runs it."""
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
