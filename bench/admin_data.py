"""What the support desk lists: a hundred thousand accounts and all that belongs to them.

The ledger, usage and payments are those of growth_data.py; here each account gets an owner, a card,
a workspace, events and e-mails, and attempts to pay that failed make the payments as many as asked.
"""

from datetime import datetime

from bench.database import execute, fetch
from bench.growth_data import Dataset, account_id, as_replica, describe, make

#: Events of each account: what staff and customers did.
_EVENTS = 5


def make_desk(
    name: str, *, accounts: int, entries: int, transactions: int, now: datetime
) -> Dataset:
    """Make the database and connect to it."""
    make(name, entries=entries, now=now, accounts=accounts)
    parameters = {"accounts": accounts, "transactions": transactions, "now": now}
    with as_replica():
        for statement in (_USERS, _MEMBERS, _CARDS, _WORKSPACES, _EVENTS_OF_ACCOUNTS):
            execute(statement, **parameters)
        execute(_FAILED, **parameters)
        execute(_EMAILS, **parameters)
    for (table,) in fetch(
        """SELECT DISTINCT table_name FROM information_schema.columns
           WHERE column_name = 'id' AND is_identity = 'YES' AND table_name IN (
               'accounts_user', 'accounts_membership', 'accounts_card', 'accounts_message',
               'accounts_auditevent', 'invoices_transaction', 'plans_workspace')"""
    ):
        execute(
            f"SELECT setval(pg_get_serial_sequence('{table}', 'id'),"
            f" (SELECT coalesce(max(id), 1) FROM {table}))"
        )
    execute("VACUUM ANALYZE")
    return describe()


_CLONES = """
    WITH template AS MATERIALIZED (SELECT * FROM {table} ORDER BY id LIMIT 1)
    INSERT INTO {table} SELECT made.*
    FROM template, generate_series(1, %(accounts)s - 1) AS number
    CROSS JOIN LATERAL jsonb_populate_record(
        NULL::{table}, to_jsonb(template) || jsonb_build_object({changes})) AS made"""
_USERS = _CLONES.format(
    table="accounts_user",
    changes="'id', 1000 + number, 'email', 'owner-' || number || '@demo.test'",
)
_MEMBERS = _CLONES.format(
    table="accounts_membership",
    changes=f"""'id', 1000 + number, 'account_id', {account_id("number")},
                'user_id', 1000 + number""",
)
_CARDS = _CLONES.format(
    table="accounts_card",
    changes=f"""'id', 1000 + number, 'account_id', {account_id("number")},
                'last4', lpad((number %% 10000)::text, 4, '0'),
                'stripe_payment_method_id', 'pm_' || number,
                'stripe_setup_intent_id', 'seti_' || number, 'stripe_hold_id', 'pi_h' || number""",
)
_WORKSPACES = f"""
    INSERT INTO plans_workspace (account_id, name)
    SELECT {account_id("number")}, 'Branch ' || number
    FROM generate_series(0, %(accounts)s - 1) AS number"""
_EVENTS_OF_ACCOUNTS = f"""
    INSERT INTO accounts_auditevent (account_id, actor_id, action, reason, details, created_at)
    SELECT {account_id("number")}, NULL,
           (ARRAY['services_paused', 'services_resumed', 'card_verified', 'spend_cap_set',
                  'billing_details_changed'])[1 + event], '', '{{}}',
           %(now)s - interval '400 days' * random()
    FROM generate_series(0, %(accounts)s - 1) AS number, generate_series(0, {_EVENTS} - 1) AS event
    ORDER BY 6"""
#: As many as are missing, in the order of time, by all accounts in turn.
_FAILED = f"""
    WITH template AS MATERIALIZED (SELECT * FROM invoices_transaction ORDER BY id LIMIT 1),
    known AS MATERIALIZED (SELECT max(id) AS last, count(*) AS paid FROM invoices_transaction)
    INSERT INTO invoices_transaction SELECT made.*
    FROM template, known, generate_series(1, %(transactions)s - known.paid) AS attempt (n)
    CROSS JOIN LATERAL jsonb_populate_record(
        NULL::invoices_transaction, to_jsonb(template) || jsonb_build_object(
        'id', known.last + n, 'account_id', {account_id("n %% %(accounts)s")},
        'number', 'F-' || n, 'receipt_number', '', 'status', 'failed', 'paid_at', NULL,
        'stripe_payment_intent_id', 'pi_f' || n, 'failure_code', 'insufficient_funds',
        'failure_message', 'The card has insufficient funds.', 'refunded_amount', 0,
        'created_at', %(now)s - interval '1 second' * (%(transactions)s - n),
        'failed_at', %(now)s - interval '1 second' * (%(transactions)s - n))) AS made"""
_EMAILS = """
    INSERT INTO accounts_message (account_id, channel, event, key, recipient, payload, created_at,
                                  next_attempt_at, attempts, last_error, sent_at)
    SELECT account_id, 'email', 'transaction_' || status, 'told:' || number, 'owner@demo.test',
           '{}', created_at, created_at, 1, '', created_at
    FROM invoices_transaction ORDER BY created_at"""
