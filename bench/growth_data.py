"""A database with so many entries, as some fourteen months of business would have left it.

Made in SQL, with triggers off and indexes built afterwards: ten million entries in minutes. It is
consistent: the audit finds nothing. A thousand accounts, a tenth of the entries one very busy
one's; the last two days have as many entries whatever the size, for what grows is the past.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from accounts.models import Account
from accounts.tests.factories import make_card
from bench import database
from bench.database import execute, fetch
from invoices.models import Purpose
from invoices.tests.factories import make_transaction
from plans import catalogue, daily_spend, provisioning, subscriptions
from plans.models import Plan

#: However many entries: what grows is what lies behind each account.
ACCOUNTS = 1_000
#: Days of history; entries of the last two days, however many there are before.
DAYS = 420
RECENT_DAYS = 2
RECENT = 10_000
#: Every so many entries credit was bought, by each account at another of its entries: on a day
#: as much as on any other.
TOP_UP_EVERY = 50
_CHUNK = 1_000_000
_BIG_TABLES = ("wallet_entry", "plans_usagerecord")


@dataclass(frozen=True)
class Dataset:
    """What was made: how many of what, the busiest account, and one like most."""

    entries: int
    busy: UUID
    usual: UUID
    made_at: datetime


def account_id(number: int | str) -> str:
    """Return the SQL of the id of account `number` (an SQL expression, too)."""
    return f"md5('growth-' || ({number}))::uuid"


@contextmanager
def as_replica() -> Iterator[None]:
    """Run no trigger: nothing else lets a bench write rows that services wrote."""
    execute("SET session_replication_role = replica")
    try:
        yield
    finally:
        execute("SET session_replication_role = DEFAULT")


def account_ids() -> list[str]:
    """Return the ids of all accounts."""
    return [
        account
        for (account,) in fetch(
            f"SELECT ({account_id('number')})::text"
            f" FROM generate_series(0, {ACCOUNTS - 1}) AS number"
        )
    ]


def make(name: str, *, entries: int, now: datetime, accounts: int = ACCOUNTS) -> Dataset:
    """Make the database and connect to it."""
    database.drop(name)
    database.create(name, template=database.migrated())
    database.connect(name)
    execute("SET synchronous_commit = off")
    execute("SET maintenance_work_mem = '256MB'")
    start = now - timedelta(days=DAYS)
    with as_replica():
        _make_accounts(accounts, start=start, now=now)
        with _indexes_built_afterwards():
            _make_entries(entries, accounts=accounts, start=start, now=now)
            _make_what_follows()
    for table in ("wallet_entry", "plans_usagerecord", "plans_renewal", "invoices_transaction"):
        execute(
            f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"
        )
    daily_spend.add_up_due()
    execute("VACUUM ANALYZE")
    return describe()


def describe() -> Dataset:
    """Return what the connected database holds."""
    [(entries, made_at)] = fetch("SELECT max(id), max(created_at) FROM wallet_entry WHERE id < 1e9")
    [(busy, usual)] = fetch(f"SELECT {account_id(0)}, {account_id(ACCOUNTS // 2)}")
    return Dataset(entries, busy, usual, made_at)


def _make_accounts(accounts: int, *, start: datetime, now: datetime) -> None:
    """One account made by the services, and as many like it; all are on Growth, for nothing."""
    catalogue.load(now=start)
    plan_version = subscriptions.latest_version(plan=Plan.objects.get(slug="growth"))
    assert plan_version is not None
    execute("SET session_replication_role = DEFAULT")
    provisioning.provision(
        external_id="growth-0", name="Busy", owner_email="busy@demo.test", now=start
    )
    make_transaction(Account.objects.get(), amount="100.00", purpose=Purpose.TOP_UP)
    execute("SET session_replication_role = replica")
    parameters = {"accounts": accounts, "start": start, "now": now, "version": plan_version.pk}
    own = "(SELECT id FROM accounts_account)"
    for table, column in fetch(
        """SELECT key.conrelid::regclass::text, mine.attname FROM pg_constraint AS key
           JOIN pg_attribute AS mine
             ON mine.attrelid = key.conrelid AND mine.attnum = key.conkey[1]
           WHERE key.contype = 'f' AND key.confrelid = 'accounts_account'::regclass
             AND cardinality(key.conkey) = 1"""
    ):
        execute(f"UPDATE {table} SET {column} = {account_id(0)} WHERE {column} = {own}")
    execute(f"UPDATE accounts_account SET id = {account_id(0)}")
    clone = """
        WITH template AS MATERIALIZED (SELECT * FROM {table} ORDER BY id LIMIT 1)
        INSERT INTO {table} SELECT made.*
        FROM template, generate_series(1, %(accounts)s - 1) AS number
        CROSS JOIN LATERAL jsonb_populate_record(
            NULL::{table}, to_jsonb(template) || jsonb_build_object({changes})) AS made"""
    execute(
        clone.format(
            table="accounts_account",
            changes=f"""'id', {account_id("number")}, 'external_id', 'growth-' || number,
                        'name', 'Company ' || number,
                        'owner_email', 'owner-' || number || '@demo.test'""",
        ),
        **parameters,
    )
    # The template's ids were given by the database: from one, in step with the numbers.
    for table, key in (
        ("wallet_wallet", "account_id"),
        ("plans_subscription", "account_id"),
    ):
        execute(f"UPDATE {table} SET id = 0")
        execute(
            clone.format(table=table, changes=f"'id', number, '{key}', {account_id('number')}"),
            **parameters,
        )
    execute("UPDATE wallet_autorefill SET id = 0, wallet_id = 0")
    execute(
        clone.format(table="wallet_autorefill", changes="'id', number, 'wallet_id', number"),
        **parameters,
    )
    execute("CREATE TABLE growth_renewal AS SELECT * FROM plans_renewal")
    execute("DELETE FROM plans_renewal")
    execute(
        """
        CREATE TABLE growth_period AS
        SELECT number, start_of_period(%(start)s, number) AS start
        FROM generate_series(1, 24) AS number
        WHERE start_of_period(%(start)s, number) <= %(now)s""",
        **parameters,
    )
    execute(
        f"""
        INSERT INTO plans_renewal
        SELECT made.*
        FROM growth_renewal AS template, generate_series(0, %(accounts)s - 1) AS account,
             growth_period AS period
        CROSS JOIN LATERAL jsonb_populate_record(
            NULL::plans_renewal, to_jsonb(template) || jsonb_build_object(
            'id', account * 100 + period.number, 'account_id', {account_id("account")},
            'plan_version_id', %(version)s, 'subscription_id', account, 'number', period.number,
            'period_start', start_of_period(template.anchor, period.number),
            'period_end', start_of_period(template.anchor, period.number + 1))) AS made""",
        **parameters,
    )
    execute("DROP TABLE growth_renewal")
    execute(
        """
        UPDATE plans_subscription AS subscription
        SET plan_version_id = %(version)s, current_period_number = last.number,
            current_period_start = start_of_period(anchor, last.number),
            current_period_end = start_of_period(anchor, last.number + 1)
        FROM (SELECT max(number) AS number FROM growth_period) AS last""",
        **parameters,
    )
    make_card(Account.objects.get(name="Busy"), is_default=True)


@contextmanager
def _indexes_built_afterwards() -> Iterator[None]:
    """Drop what every row would have to be put into, and build it when all are there."""
    again = []
    for table in _BIG_TABLES:
        for name, definition in fetch(
            """SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
               WHERE conrelid = %(table)s::regclass AND contype IN ('u', 'f')""",
            table=table,
        ):
            again.append(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')
            execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
        for name, definition in fetch(
            """SELECT indexname, indexdef FROM pg_indexes
               WHERE tablename = %(table)s AND indexname NOT LIKE '%%_pkey'""",
            table=table,
        ):
            again.append(definition)
            execute(f'DROP INDEX "{name}"')
    yield
    for statement in again:
        execute(statement)


#: Entry number → account, its place in the account's ledger, when, in which period, the balance.
#: Each tenth entry is the busy account's, the others take turns.
_LEDGER = f"""
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS entry (id)
    CROSS JOIN LATERAL (SELECT
        CASE WHEN entry.id %% 10 = 0 THEN 0
             ELSE 1 + (entry.id - 1 - entry.id / 10) %% (%(accounts)s - 1) END AS number,
        CASE WHEN entry.id %% 10 = 0 THEN entry.id / 10
             ELSE (entry.id - 1 - entry.id / 10) / (%(accounts)s - 1) + 1 END AS sequence,
        CASE WHEN entry.id <= %(older)s
             THEN %(start)s::timestamptz
                  + (%(now)s - interval '{RECENT_DAYS} days' - %(start)s::timestamptz)
                  * (entry.id::float8 / %(older)s)
             ELSE %(now)s - interval '{RECENT_DAYS} days'
                  + interval '{RECENT_DAYS} days' * ((entry.id - %(older)s)::float8 / {RECENT})
        END AS at) AS place
    CROSS JOIN LATERAL (SELECT
        place.sequence = 1 OR (place.sequence + place.number) %% {TOP_UP_EVERY} = 1 AS is_top_up,
        1 + (place.sequence + place.number %% {TOP_UP_EVERY} - 1) / {TOP_UP_EVERY} AS top_ups
    ) AS kind
    CROSS JOIN LATERAL (SELECT
        100.0 * kind.top_ups - 1.1 * (place.sequence - kind.top_ups) AS after,
        place.number * 100 + width_bucket(place.at, %(periods)s::timestamptz[]) AS renewal,
        (%(features)s::bigint[])[1 + place.sequence %% cardinality(%(features)s::bigint[])]
            AS feature) AS rated
"""
_ENTRIES = f"""
    INSERT INTO wallet_entry (id, account_id, wallet_id, sequence, kind, amount, balance_after,
                              description, transaction_id, usage_id, created_at)
    SELECT entry.id, {account_id("place.number")}, place.number, place.sequence,
           CASE WHEN kind.is_top_up THEN 'top_up' ELSE 'usage' END,
           CASE WHEN kind.is_top_up THEN 100 ELSE -1.1 END, rated.after,
           CASE WHEN kind.is_top_up THEN 'Credit top-up'
                ELSE 'Call minutes: 11 beyond the allowance × $0.10' END,
           CASE WHEN kind.is_top_up THEN entry.id END,
           CASE WHEN kind.is_top_up THEN '' ELSE 'call-' || entry.id END, place.at {_LEDGER}"""
_RECORD_COLUMNS = """(id, account_id, record_id, feature_id, renewal_id, plan_version_id, quantity,
    included_quantity, billed_quantity, unit_price, amount, included_before, billed_before,
    balance_before, balance_after, occurred_at, recorded_at, workspace, source, description)"""
_RECORDS = f"""
    INSERT INTO plans_usagerecord {_RECORD_COLUMNS}
    SELECT 2 * entry.id, {account_id("place.number")}, 'call-' || entry.id, rated.feature,
           rated.renewal, %(version)s, 11, 0, 11, 0.1, 1.1, 0, 0, rated.after + 1.1, rated.after,
           place.at, place.at, 'Ruwi branch', '', ''
    {_LEDGER} WHERE NOT kind.is_top_up"""
#: Beside every tenth entry of the others, a call that the allowance covered.
_INCLUDED = f"""
    INSERT INTO plans_usagerecord {_RECORD_COLUMNS}
    SELECT 2 * entry.id + 1, {account_id("place.number")}, 'included-' || entry.id, rated.feature,
           rated.renewal, %(version)s, 1, 1, 0, 0.1, 0, 500, 0, rated.after, rated.after,
           place.at, place.at, 'Ruwi branch', '', ''
    {_LEDGER} WHERE entry.id %% 10 = 5"""


def _make_entries(entries: int, *, accounts: int, start: datetime, now: datetime) -> None:
    [(periods,)] = fetch("SELECT array_agg(start ORDER BY number) FROM growth_period")
    [(features,)] = fetch(
        "SELECT array_agg(id ORDER BY id) FROM plans_feature WHERE kind = 'consumable'"
    )
    [(version,)] = fetch("SELECT DISTINCT plan_version_id FROM plans_renewal")
    for first in range(1, entries + 1, _CHUNK):
        for statement in (_ENTRIES, _RECORDS, _INCLUDED):
            execute(
                statement,
                first=first,
                last=min(first + _CHUNK - 1, entries),
                accounts=accounts,
                older=entries - RECENT,
                start=start,
                now=now,
                periods=periods,
                features=features,
                version=version,
            )


def _make_what_follows() -> None:
    """The balances, the allowances, and the payments that bought the credit."""
    execute(
        """
        UPDATE wallet_wallet AS wallet SET balance = last.balance_after,
               last_sequence = last.sequence
        FROM (SELECT DISTINCT ON (wallet_id) wallet_id, sequence, balance_after
              FROM wallet_entry ORDER BY wallet_id, sequence DESC) AS last
        WHERE wallet.id = last.wallet_id"""
    )
    execute(
        """
        INSERT INTO plans_allowance (account_id, renewal_id, feature_id, included, used,
                                     billed_quantity)
        SELECT account_id, renewal_id, feature_id, 500, sum(included_quantity),
               sum(billed_quantity)
        FROM plans_usagerecord GROUP BY account_id, renewal_id, feature_id"""
    )
    # What was billed before a record matters where new records continue it.
    execute(
        f"""
        WITH recent AS (
            SELECT id, renewal_id, feature_id, sum(billed_quantity) OVER (
                       PARTITION BY renewal_id, feature_id ORDER BY id DESC) AS billed_since
            FROM plans_usagerecord
            WHERE id >= 2 * ((SELECT max(id) FROM wallet_entry) - 2 * {RECENT}))
        UPDATE plans_usagerecord AS record
        SET billed_before = allowance.billed_quantity - recent.billed_since
        FROM recent JOIN plans_allowance AS allowance USING (renewal_id, feature_id)
        WHERE record.id = recent.id"""
    )
    execute(
        """
        WITH template AS MATERIALIZED (SELECT * FROM invoices_transaction)
        INSERT INTO invoices_transaction
        SELECT made.*
        FROM wallet_entry AS entry, template
        CROSS JOIN LATERAL jsonb_populate_record(
            NULL::invoices_transaction, to_jsonb(template) || jsonb_build_object(
            'id', entry.transaction_id, 'account_id', entry.account_id,
            'number', 'T-' || entry.transaction_id, 'receipt_number', 'R-' || entry.transaction_id,
            'stripe_payment_intent_id', 'pi_' || entry.transaction_id,
            'created_at', entry.created_at, 'paid_at', entry.created_at)) AS made
        WHERE entry.transaction_id IS NOT NULL AND entry.transaction_id <> template.id"""
    )
    # The first entry's payment has the template's id and stays as it is but for its account.
    execute(
        """
        WITH template AS MATERIALIZED (SELECT * FROM invoices_line)
        INSERT INTO invoices_line
        SELECT made.*
        FROM invoices_transaction AS payment, template
        CROSS JOIN LATERAL jsonb_populate_record(
            NULL::invoices_line, to_jsonb(template) || jsonb_build_object(
            'id', payment.id + 1000, 'transaction_id', payment.id)) AS made
        WHERE payment.id <> template.transaction_id"""
    )
    execute(
        """
        UPDATE invoices_transaction AS payment SET account_id = entry.account_id
        FROM wallet_entry AS entry
        WHERE entry.transaction_id = payment.id AND payment.account_id <> entry.account_id"""
    )
    execute("UPDATE invoices_transaction SET card_id = NULL")
    execute("DROP TABLE growth_period")
