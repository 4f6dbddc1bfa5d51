"""Accounts whose renewal is due, as many as are wanted, made in SQL."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from django.db import connection, models
from django.utils import timezone

from accounts.models import Account, Card, CardStatus
from plans import provisioning, subscriptions
from plans.models import Feature, Plan, Renewal, Rental, Subscription
from wallet.models import AutoRefill, Wallet

#: A card at the stand-in; $29 a month, and for every third account a phone number for $3.
PLAN: Final = "starter"

#: A first period that ended in the last day, second by second; it was free.
_DUE: Final = """
CREATE TEMPORARY TABLE due AS
SELECT n, account_id, began, start_of_period(began, 2) AS ended FROM (
    SELECT n, gen_random_uuid() AS account_id,
           date_trunc('second', now() - interval '1 month')
               - (60 + n %% 86400) * interval '1 second' AS began
    FROM generate_series(1, %s) AS n
) AS numbered
"""


def make(number: int) -> None:
    """Make so many accounts, each with a card, a wallet and a subscription to renew."""
    now = timezone.now()
    first = provisioning.provision(
        external_id="first", name="Due", owner_email="due@demo.test", now=now - timedelta(days=2)
    )
    version = subscriptions.latest_version(plan=Plan.objects.get(slug=PLAN))
    assert version is not None
    card = Card.objects.create(
        account=first, stripe_payment_method_id="pm_0", stripe_setup_intent_id="seti_0",
        brand="visa", last4="4242", exp_month=12, exp_year=2099, status=CardStatus.VERIFIED,
        is_default=True, stripe_hold_id="pi_hold_0", hold_voided_at=now, created_at=now,
    )  # fmt: skip
    rental = Rental.objects.create(
        account=first,
        feature=Feature.objects.get(key="phone_number"),
        quantity=1,
        started_at=now - timedelta(days=1),
    )
    own = {"account_id": "due.account_id", "created_at": "due.began"}
    with connection.cursor() as cursor:
        cursor.execute(_DUE, [number])
    _copy(
        first,
        {
            "id": "due.account_id",
            "external_id": "'due-' || due.n",
            "stripe_customer_id": "'cus_' || due.n",
            "created_at": "due.began",
        },
    )
    _copy(Wallet.objects.get(account=first), own)
    _copy(
        AutoRefill.objects.get(wallet__account=first),
        {"wallet_id": "wallet.id"},
        joined="JOIN wallet_wallet AS wallet ON wallet.account_id = due.account_id",
    )
    _copy(
        card,
        {
            **own,
            "stripe_payment_method_id": "'pm_' || due.n",
            "stripe_setup_intent_id": "'seti_' || due.n",
            "stripe_hold_id": "'pi_hold_' || due.n",
        },
    )
    period = {**own, "anchor": "due.began"}
    _copy(
        Subscription.objects.get(account=first),
        {
            **period,
            "plan_version_id": str(version.pk),
            "current_period_start": "due.began",
            "current_period_end": "due.ended",
        },
    )
    _copy(
        Renewal.objects.get(account=first),
        {
            **period,
            "subscription_id": "subscription.id",
            "period_start": "due.began",
            "period_end": "due.ended",
            "paid_at": "due.began",
        },
        joined="JOIN plans_subscription AS subscription"
        " ON subscription.account_id = due.account_id",
    )
    _copy(
        rental,
        {"account_id": "due.account_id", "started_at": "due.began"},
        joined="WHERE due.n % 3 = 0",
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    assert Account.objects.filter(external_id__startswith="due-").count() == number


def _copy(row: models.Model, own: Mapping[str, str], *, joined: str = "") -> None:
    """Copy a row for each due account, with what is its `own`: column and SQL."""
    table = row._meta.db_table
    columns = [
        str(field.column)
        for field in row._meta.concrete_fields
        if not isinstance(field, models.BigAutoField)
    ]
    values = ", ".join(own.get(column, f'first."{column}"') for column in columns)
    names = ", ".join(f'"{column}"' for column in columns)
    source = f"(SELECT * FROM {table} WHERE id = %s) AS first CROSS JOIN due {joined}"
    with connection.cursor() as cursor:
        escaped = f"INSERT INTO {table} ({names}) SELECT {values} FROM {source}"
        cursor.execute(escaped.replace("% 3", "%% 3"), [row.pk])
