"""What every scenario begins with: a plan with allowances and tiers, and accounts on it."""

import json
import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import accumulate
from typing import Any, Final, TypeVar
from uuid import uuid4

from django.db import models
from django.utils import timezone

from accounts.models import Account
from accounts.money import usd
from plans import catalogue, provisioning
from plans.models import (
    Allowance,
    Feature,
    FeaturePrice,
    Plan,
    PlanVersion,
    PriceTier,
    Renewal,
    Subscription,
)
from wallet.models import AutoRefill, Entry, EntryKind, Wallet

ACCOUNTS: Final = 1000
#: Prices as *Growth* has them, in a plan that costs nothing: no card is needed. The allowance of
#: minutes is used up by a handful of calls, so that nearly every record writes an entry; that of
#: detections lasts, so that drawing it is measured, too.
_PRICES: Final = {
    "call_minutes": ("0.10", "20", (("5000", "10"), ("20000", "20"))),
    "voicemail_detection": ("0.015", "5000", ()),
}
_CREDIT: Final = Decimal(1_000_000)
_Row = TypeVar("_Row", bound=models.Model)


def make(*, now: datetime, accounts: int = ACCOUNTS) -> None:
    """Make the catalogue, and accounts whose first period began a day ago."""
    began = now - timedelta(days=1)
    catalogue.load(now=began)
    _make_plan(began)
    make_accounts(accounts, now=began)


def _make_plan(now: datetime) -> None:
    plan = Plan.objects.create(slug="bench", name="Bench")
    version = PlanVersion.objects.create(
        plan=plan, number=1, monthly_price=usd(0), minimum_top_up=usd(10), published_at=now
    )
    for key, (unit_price, included, tiers) in _PRICES.items():
        price = FeaturePrice.objects.create(
            version=version,
            feature=Feature.objects.get(key=key),
            included_quantity=Decimal(included),
            unit_price=usd(unit_price),
        )
        for above, discount in tiers:
            PriceTier.objects.create(
                price=price, above_quantity=Decimal(above), discount_percent=Decimal(discount)
            )


def make_accounts(number: int, *, now: datetime) -> None:
    """Provision one account through the service, and copy its rows for the others."""
    first = provisioning.provision(
        external_id="bench-0", name="Bench", owner_email="bench@demo.test", plan_slug="bench",
        now=now,
    )  # fmt: skip
    accounts = [
        _copy(first, pk=uuid4(), external_id=f"bench-{index}") for index in range(1, number)
    ]
    Account.objects.bulk_create(accounts)
    wallets = _copies(Wallet.objects.get(account=first), accounts)
    refill = AutoRefill.objects.get(wallet__account=first)
    AutoRefill.objects.bulk_create([_copy(refill, wallet_id=wallet.pk) for wallet in wallets])
    subscriptions = _copies(Subscription.objects.get(account=first), accounts)
    renewal = Renewal.objects.get(account=first)
    renewals = Renewal.objects.bulk_create(
        _copy(renewal, account_id=account.pk, subscription_id=subscription.pk)
        for account, subscription in zip(accounts, subscriptions, strict=True)
    )
    allowances = list(Allowance.objects.filter(account=first))
    Allowance.objects.bulk_create(
        _copy(allowance, account_id=renewal.account_id, renewal_id=renewal.pk)
        for renewal in renewals
        for allowance in allowances
    )
    Entry.objects.bulk_create(
        Entry(
            account_id=wallet.account_id,
            wallet=wallet,
            sequence=1,
            kind=EntryKind.ADJUSTMENT,
            amount=_CREDIT,
            balance_after=_CREDIT,
            description="Credit of the bench",
            created_at=now,
        )
        for wallet in Wallet.objects.all()
    )


def _copies(row: _Row, accounts: Sequence[Account]) -> list[_Row]:
    copies = [_copy(row, account_id=account.pk) for account in accounts]
    return type(row)._default_manager.bulk_create(copies)


def _copy(row: _Row, **changes: Any) -> _Row:
    values = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    del values[row._meta.pk.attname]
    return type(row)(**{**values, **changes})


# Usage ---------------------------------------------------------------------------------------
def account_ids() -> list[str]:
    """Return the accounts, oldest first."""
    return [str(pk) for pk in Account.objects.order_by("pk").values_list("pk", flat=True)]


@cache
def _zipf_weights(number: int) -> list[float]:
    return list(accumulate(1 / rank for rank in range(1, number + 1)))


def records(
    accounts: Sequence[str],
    number: int,
    label: str,
    *,
    zipf: bool = False,
    features: Sequence[str] = ("call_minutes",),
) -> Iterator[dict[str, str]]:
    """Make records of calls: the accounts at random, all alike or by Zipf's law (the first most).

    The same label makes the same records, and no other label one with the same id.
    """
    choose = random.Random(label)
    occurred_at = timezone.now().isoformat()
    weights = _zipf_weights(len(accounts)) if zipf else None
    chosen = choose.choices(accounts, cum_weights=weights, k=number)
    for index, account in enumerate(chosen):
        yield {
            "id": f"{label}-{index}",
            "account": account,
            "feature": choose.choice(features),
            "quantity": f"{choose.randint(1, 600) / 60:.6f}",
            "occurred_at": occurred_at,
        }


def bodies(
    accounts: Sequence[str], size: int, batches: int, label: str, **options: Any
) -> list[bytes]:
    """Make the bodies of POST /usage/, before the clock runs."""
    made = list(records(accounts, size * batches, label, **options))
    return [
        json.dumps({"records": made[at : at + size]}).encode() for at in range(0, len(made), size)
    ]
