"""The state of the business by day (UTC), summed up behind the pages that show it.

The front page of the admin reads one row a day. A task brings today's up to date every ten minutes
and closes the days before; days that are missing, as after an upgrade, are made up for.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

from django.db import connection, transaction

from billing_portal.models import BusinessDay

#: How far back days are made up for: what the front page compares with, and its charts show.
KEPT_READY = timedelta(days=60)
#: Days made up for in one run: each may read a day's whole ledger.
AT_ONCE = 20
#: A day that takes longer fails the run instead of holding up the database.
STATEMENT_TIMEOUT = "60s"

# One statement sees one moment: what a wallet held at `ends` is what it holds without what came
# since. A period's price is what it came to when it began, its plan and rentals; a period that is
# unpaid counts until its subscription ends, for it is still being charged.
_SUM_UP = """
WITH moved AS MATERIALIZED (
    SELECT wallet_id, created_at < %(ends)s AS is_of_the_day, kind, sum(amount) AS amount
    FROM wallet_entry WHERE created_at >= %(starts)s
    GROUP BY wallet_id, is_of_the_day, kind),
flows AS (
    SELECT coalesce(sum(amount) FILTER (WHERE kind IN ('top_up', 'auto_refill')), 0) AS sold,
           coalesce(-sum(amount) FILTER (WHERE kind = 'usage'), 0) AS used
    FROM moved WHERE is_of_the_day),
held AS (
    SELECT wallet.balance - coalesce(since.amount, 0) AS balance
    FROM wallet_wallet AS wallet
    LEFT JOIN (
        SELECT wallet_id, sum(amount) AS amount FROM moved WHERE NOT is_of_the_day
        GROUP BY wallet_id) AS since ON since.wallet_id = wallet.id),
balances AS (
    SELECT coalesce(sum(balance) FILTER (WHERE balance > 0), 0) AS liability,
           coalesce(sum(balance) FILTER (WHERE balance < 0), 0) AS receivable,
           count(*) FILTER (WHERE balance < 0) AS negative
    FROM held),
periods AS (
    SELECT coalesce(sum(renewal.amount), 0) AS monthly, count(*) AS subscriptions
    FROM plans_renewal AS renewal
    JOIN plans_subscription AS subscription ON subscription.id = renewal.subscription_id
    WHERE renewal.created_at > %(ends)s - interval '3 months' AND renewal.created_at < %(ends)s
      AND renewal.period_start < %(ends)s AND renewal.period_end >= %(ends)s
      AND renewal.status <> 'void' AND renewal.amount > 0
      AND (subscription.ended_at IS NULL OR subscription.ended_at >= %(ends)s)),
paid AS (
    SELECT coalesce(sum(amount), 0) AS amount, count(*) AS payments FROM invoices_transaction
    WHERE paid_at >= %(starts)s AND paid_at < %(ends)s),
failed AS (
    SELECT coalesce(sum(amount), 0) AS amount, count(*) AS failures FROM invoices_transaction
    WHERE status = 'failed' AND failed_at >= %(starts)s AND failed_at < %(ends)s)
INSERT INTO billing_portal_businessday (
    day, as_of, monthly_recurring_revenue, subscriptions, credit_sold, credit_used, liability,
    receivable, negative_wallets, collected, payments, failed, failures)
SELECT %(day)s, %(ends)s, periods.monthly, periods.subscriptions, flows.sold, flows.used,
       balances.liability, balances.receivable, balances.negative, paid.amount, paid.payments,
       failed.amount, failed.failures
FROM flows, balances, periods, paid, failed
ON CONFLICT (day) DO UPDATE SET
    as_of = EXCLUDED.as_of,
    monthly_recurring_revenue = EXCLUDED.monthly_recurring_revenue,
    subscriptions = EXCLUDED.subscriptions,
    credit_sold = EXCLUDED.credit_sold,
    credit_used = EXCLUDED.credit_used,
    liability = EXCLUDED.liability,
    receivable = EXCLUDED.receivable,
    negative_wallets = EXCLUDED.negative_wallets,
    collected = EXCLUDED.collected,
    payments = EXCLUDED.payments,
    failed = EXCLUDED.failed,
    failures = EXCLUDED.failures
WHERE billing_portal_businessday.as_of <= EXCLUDED.as_of
"""
_FIRST = "SELECT min(created_at) FROM accounts_account"


def bring_up_to_date(*, now: datetime) -> int:
    """Sum up today so far and close the days before that are not closed; return how many days.

    At most AT_ONCE days, the newest first: the next run goes on.
    """
    days = _not_closed(now=now)[:AT_ONCE]
    for day in days:
        sum_up(day=day, now=now)
    return len(days)


def sum_up(*, day: date, now: datetime) -> None:
    """Sum up one day, up to `now` at most."""
    starts, ends = bounds(day)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'")
        cursor.execute(_SUM_UP, {"day": day, "starts": starts, "ends": min(ends, now)})


def newest(*, days: int) -> Sequence[BusinessDay]:
    """Return the newest days there are, oldest of them first."""
    return list(BusinessDay.objects.order_by("-day")[:days])[::-1]


def bounds(day: date) -> tuple[datetime, datetime]:
    """Return a day's first moment and the next one's."""
    starts = datetime.combine(day, time.min, tzinfo=UTC)
    return starts, starts + timedelta(days=1)


def _not_closed(*, now: datetime) -> list[date]:
    """Return today and the days before it that are not summed up to their end, newest first."""
    today = now.astimezone(UTC).date()
    with connection.cursor() as cursor:
        cursor.execute(_FIRST)
        (first,) = cursor.fetchone() or (None,)
    if first is None:
        return []
    begin = max(first.astimezone(UTC).date(), today - KEPT_READY)
    closed = {
        day
        for day, as_of in BusinessDay.objects.filter(day__gte=begin).values_list("day", "as_of")
        if as_of >= bounds(day)[1]
    }
    days = [today - timedelta(days=back) for back in range((today - begin).days + 1)]
    return [day for day in days if day not in closed]
