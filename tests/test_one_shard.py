"""The statements of the hot paths touch one shard: docs/scaling.md, "Citus".

Citus needs its extension, which is not here, so the shards are PostgreSQL's own: every table that
has an account is partitioned by the account's hash, as Citus would distribute it, and PostgreSQL
itself counts which partitions a hot path reads and writes, within functions and triggers, too.
All of it happens in the test's transaction, and is gone with it.
"""

from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection

from accounts.models import Account
from accounts.tests.factories import NOW
from plans import authorization, usage
from plans.models import UsageRecord
from plans.tests.subscribers import provision
from plans.usage_records import parse_record
from wallet.models import Wallet

LATER = NOW + timedelta(seconds=1)
#: What a batch asks all shards for: docs/scaling.md says what to do.
ASKED_EVERYWHERE = {"plans_subscription"}
#: Unique keys without the account in them: docs/scaling.md says what to do.
KEPT_BY_NO_SHARD = {
    "a_dispute_debits_once_and_is_reinstated_once",
    "a_failed_refund_returns_credit_once",
    "a_paid_transaction_is_credited_once",
    "a_refund_takes_credit_back_once",
    "entries_are_numbered",
    "one_plan_change_is_charged_at_a_time",
    "one_scheduled_plan_change_per_subscription",
    "plans_planchange_transaction_id_key",
    "plans_renewal_transaction_id_key",
    "an_adjustment_is_posted_once",
}

pytestmark = pytest.mark.django_db

SHARDS = 4
#: The tables that grow with accounts and that the hot paths use.
DISTRIBUTED = (
    "wallet_wallet",
    "wallet_entry",
    "plans_usagerecord",
    "plans_allowance",
    "plans_renewal",
    "plans_subscription",
    "plans_planchange",
    "plans_rental",
)


def rows(statement: str, *parameters: str) -> list[tuple[str, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()


def run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def distribute(table: str) -> list[str]:
    """Split a table by account; return its unique indexes that no shard alone could keep."""
    indexes = rows(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid), indisunique"
        " FROM pg_index WHERE indrelid = %s::regclass",
        table,
    )
    triggers = rows(
        "SELECT pg_get_triggerdef(oid) FROM pg_trigger"
        " WHERE tgrelid = %s::regclass AND NOT tgisinternal",
        table,
    )
    [(columns,)] = rows(
        "SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
        table,
    )
    run(
        f"CREATE TABLE sharded (LIKE {table} INCLUDING DEFAULTS INCLUDING GENERATED"
        " INCLUDING CONSTRAINTS) PARTITION BY HASH (account_id)"
    )
    for shard in range(SHARDS):
        run(
            f"CREATE TABLE {table}_{shard} PARTITION OF sharded"
            f" FOR VALUES WITH (MODULUS {SHARDS}, REMAINDER {shard})"
        )
    run(f"INSERT INTO sharded ({columns}) SELECT {columns} FROM {table}")
    run(f"DROP TABLE {table} CASCADE")
    run(f"ALTER TABLE sharded RENAME TO {table}")
    if "id" in columns.split(", "):
        run(f"CREATE SEQUENCE {table}_numbers START 1000000")
        run(f"ALTER TABLE {table} ALTER COLUMN id SET DEFAULT nextval('{table}_numbers')")
        run(f"CREATE UNIQUE INDEX ON {table} (account_id, id)")
    apart = []
    for name, definition, is_unique in indexes:
        if is_unique and "account_id" not in definition:
            apart.append(name)
        # Citus goes by what a statement says, not by a plan. So that PostgreSQL's planner does too,
        # it has no other way to a row than by its account.
        elif "(account_id" in definition:
            run(definition)
    for (definition,) in triggers:
        run(definition)
    return apart


def counted() -> dict[tuple[str, str], int]:
    """What PostgreSQL counted of each shard in this transaction: scans and rows written."""
    found = rows(
        "SELECT relname, seq_scan + coalesce(idx_scan, 0) + n_tup_ins + n_tup_upd + n_tup_del"
        " FROM pg_stat_xact_user_tables WHERE relname ~ %s",
        f"^({'|'.join(DISTRIBUTED)})_[0-9]$",
    )
    return {tuple(name.rsplit("_", 1)): int(count) for name, count in found}  # type: ignore[misc]


def shards_of(work: Callable[[], object]) -> dict[str, set[str]]:
    """Do the work; return which shards of which tables it touched."""
    before = counted()
    work()
    touched = defaultdict(set)
    for (table, shard), count in counted().items():
        if count > before.get((table, shard), 0):
            touched[table].add(shard)
    return dict(touched)


@pytest.fixture
def accounts() -> list[Account]:
    """Customers on several shards, in tables that are split by account."""
    made = [provision() for _ in range(12)]
    run("SET CONSTRAINTS ALL IMMEDIATE")
    for table in DISTRIBUTED:
        distribute(table)
    # Tables of a dozen rows would be read whole; Citus asks a shard for what a join tells it.
    for method in ("seqscan", "hashjoin", "mergejoin"):
        run(f"SET LOCAL enable_{method} = off")
    return made


def report(*accounts: Account) -> None:
    """Report two calls of each account."""
    records = [
        parse_record(
            {
                "id": f"call-{number}",
                "account": str(account.pk),
                "feature": "call_minutes",
                "quantity": "3",
                "occurred_at": NOW.isoformat(),
            }
        )
        for account in accounts
        for number in (1, 2)
    ]
    results = usage.record(records=records, now=LATER)
    assert {result.status for result in results} == {usage.ResultStatus.RECORDED}


def test_a_hot_path_asks_the_shard_of_its_account_alone(accounts: list[Account]) -> None:
    account, *others = accounts
    assert many(lambda: report(account)) <= ASKED_EVERYWHERE
    assert many(lambda: authorize(str(account.pk))) == set()
    assert many(lambda: list(UsageRecord.objects.filter(account=account)[:25])) == set()
    assert many(lambda: list(Wallet.objects.filter(account=account))) == set()
    # The platform's own id of the account says nothing of its shard.
    assert many(lambda: authorize(f"external:{account.external_id}")) <= {
        "plans_allowance",
        "plans_renewal",
    }
    # A batch of many accounts goes to all of theirs.
    assert {"wallet_entry", "plans_usagerecord"} <= many(lambda: report(*others))


def authorize(account: str) -> None:
    """Ask whether a call may start."""
    authorization.check(account=account, feature="call_minutes", now=LATER)


def many(work: Callable[[], object]) -> set[str]:
    """Do the work; return the tables of which it touched more than one shard."""
    touched = shards_of(work)
    assert touched, "nothing was counted"
    return {table for table, shards in touched.items() if len(shards) > 1}


def test_a_shard_keeps_what_must_be_unique_within_an_account() -> None:
    run("SET CONSTRAINTS ALL IMMEDIATE")
    alone = {name for table in DISTRIBUTED for name in distribute(table)}
    keys_of_rows = {name for name in alone if name.endswith("_pkey")}
    assert alone - keys_of_rows <= KEPT_BY_NO_SHARD
