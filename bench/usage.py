"""How quickly usage is rated, against a bare COPY of the same rows in the same run.

    python bench/usage.py [--accounts 1000] [--rounds 5]

Makes a database of its own beside the configured one and drops it afterwards. Read the ratios, not
the figures: those are of this machine at this moment.
"""

import argparse
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

# ruff: noqa: E402  (Django has to be set up before its models are imported)
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Account
from plans import catalogue, provisioning, subscriptions, usage
from plans.models import Plan, Subscription
from plans.usage_records import parse_body
from wallet import ledger
from wallet.models import EntryKind

#: Records in a batch, and batches in a round.
SIZES = ((1, 200), (100, 40), (1000, 10))
TABLES = ("plans_usagerecord", "wallet_entry")


@contextmanager
def database() -> Iterator[None]:
    """Make an empty database for the run."""
    settings.DEBUG = False  # Django keeps every statement in memory otherwise
    name = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        yield
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


def make_accounts(number: int) -> list[str]:
    """Provision accounts on the plan with allowances and volume tiers."""
    now = timezone.now() - timedelta(days=1)
    catalogue.load(now=now)
    version = subscriptions.latest_version(plan=Plan.objects.get(slug="growth"))
    assert version is not None
    with transaction.atomic():
        for index in range(number):
            account = provisioning.provision(
                external_id=f"bench-{index}", name="Bench", owner_email="bench@demo.test", now=now
            )
            ledger.post(
                account_id=account.pk,
                kind=EntryKind.REFUND,
                amount=Decimal(1_000_000),
                description="Credit of the bench",
                now=now,
            )
    # Growth has to be paid for; the bench only needs its prices.
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("UPDATE plans_subscription SET plan_version_id = %s", [version.pk])
        cursor.execute("UPDATE plans_renewal SET plan_version_id = %s", [version.pk])
        cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute("ANALYZE")
    assert Subscription.objects.filter(plan_version=version).count() == number
    return [str(pk) for pk in Account.objects.values_list("pk", flat=True)]


def make_bodies(accounts: list[str], size: int, batches: int, label: str) -> list[bytes]:
    """Make the bodies of POST /usage/, before the clock runs."""
    choose = random.Random(label)
    occurred_at = timezone.now().isoformat()
    return [
        json.dumps(
            {
                "records": [
                    {
                        "id": f"{label}-{batch}-{index}",
                        "account": choose.choice(accounts),
                        "feature": "call_minutes",
                        "quantity": f"{choose.randint(1, 600) / 60:.6f}",
                        "occurred_at": occurred_at,
                    }
                    for index in range(size)
                ]
            }
        ).encode()
        for batch in range(batches)
    ]


def rate(bodies: list[bytes]) -> float:
    """Rate the batches, from JSON to commit; return the seconds."""
    started = time.perf_counter()
    for body in bodies:
        usage.record(records=parse_body(body), now=timezone.now())
    return time.perf_counter() - started


def newest_rows(table: str, rows: int) -> list[bytes]:
    """Return the newest rows of a table, as COPY writes them."""
    query = f"COPY (SELECT * FROM {table} ORDER BY id DESC LIMIT {rows}) TO STDOUT"
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        lines = b"".join(copy).splitlines(keepends=True)
    return lines[::-1]


def make_copy_tables(*, foreign_keys: bool) -> None:
    """Make tables like ours, without triggers, with or without their foreign keys."""
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"DROP TABLE IF EXISTS bench_{table}")
            cursor.execute(f"CREATE TABLE bench_{table} (LIKE {table} INCLUDING ALL)")
            cursor.execute(
                "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
                " WHERE conrelid = %s::regclass AND contype = 'f'",
                [table],
            )
            for name, definition in cursor.fetchall() if foreign_keys else []:
                cursor.execute(f'ALTER TABLE bench_{table} ADD CONSTRAINT "{name}" {definition}')


def copy(size: int, batches: int, *, foreign_keys: bool) -> float:
    """COPY the newest rows into empty tables like ours, a commit for each batch; the seconds."""
    rows = {table: newest_rows(table, size * batches) for table in TABLES}
    make_copy_tables(foreign_keys=foreign_keys)
    parts = [
        {table: b"".join(lines[at : at + size]) for table, lines in rows.items()}
        for at in range(0, size * batches, size)
    ]
    started = time.perf_counter()
    for part in parts:
        with transaction.atomic(), connection.cursor() as cursor:
            for table, lines in part.items():
                with cursor.copy(f"COPY bench_{table} FROM STDIN") as stream:
                    stream.write(lines)
    return time.perf_counter() - started


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with database():
        accounts = make_accounts(options.accounts)
        hot = accounts[:1]
        for body in make_bodies(accounts, 1000, 5, "warm-up"):
            usage.record(records=parse_body(body), now=timezone.now())
        for body in make_bodies(hot, 1000, 2, "warm-up-hot"):
            usage.record(records=parse_body(body), now=timezone.now())
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
            cursor.execute("SELECT version(), current_setting('fsync')")
            version, fsync = cursor.fetchone()
        print(f"{version.split(' on ')[0]}, fsync {fsync}, {os.cpu_count()} cores,", end=" ")
        print(f"{len(accounts)} accounts, median of {options.rounds} rounds, records a second:\n")
        print("| batch | rated | one account | COPY | COPY with FKs | rated / COPY | / with FKs |")
        print("|---|---|---|---|---|---|---|")
        for size, batches in SIZES:
            seconds: dict[str, list[float]] = {"rated": [], "hot": [], "copy": [], "keys": []}
            for number in range(options.rounds):
                label = f"{size}-{number}"
                seconds["rated"].append(rate(make_bodies(accounts, size, batches, label)))
                seconds["copy"].append(copy(size, batches, foreign_keys=False))
                seconds["keys"].append(copy(size, batches, foreign_keys=True))
                seconds["hot"].append(rate(make_bodies(hot, size, batches, f"hot-{label}")))
            pace = {k: size * batches / statistics.median(v) for k, v in seconds.items()}
            print(
                f"| {size:,} | {pace['rated']:,.0f} | {pace['hot']:,.0f} | {pace['copy']:,.0f} "
                f"| {pace['keys']:,.0f} | {pace['rated'] / pace['copy']:.2f} "
                f"| {pace['rated'] / pace['keys']:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
