"""Plans, subscriptions and usage for the tests."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from itertools import count
from typing import Any

from accounts.models import Account
from accounts.money import usd
from accounts.tests.factories import NOW, make_account
from plans import periods
from plans.models import (
    Allowance,
    Feature,
    FeatureKind,
    FeaturePrice,
    Plan,
    PlanVersion,
    PriceTier,
    Renewal,
    RenewalStatus,
    Subscription,
    SubscriptionStatus,
)
from plans.usage_records import ParsedRecord
from wallet import ledger
from wallet.models import EntryKind, Wallet

_numbers = count(1)

#: What the worked examples are priced with: the growth plan's call minutes.
GROWTH_TIERS = (("5000", "10"), ("20000", "20"))


def make_feature(key: str = "call_minutes", **fields: Any) -> Feature:
    """Return the feature, made when it is not there: call minutes unless told otherwise."""
    defaults = {"name": "Call minutes", "unit": "minute", "kind": FeatureKind.CONSUMABLE, **fields}
    feature, _ = Feature.objects.get_or_create(key=key, defaults=defaults)
    return feature


def make_version(
    *,
    included: str = "500",
    unit_price: str = "0.10",
    tiers: Iterable[tuple[str, str]] = (),
    monthly_price: str = "0",
    minimum_top_up: str = "10",
    features: Mapping[str, tuple[str, str]] | None = None,
) -> PlanVersion:
    """Make a plan that meters call minutes, and `features` as {key: (included, unit price)}."""
    number = next(_numbers)
    plan = Plan.objects.create(slug=f"plan-{number}", name=f"Plan {number}")
    version = PlanVersion.objects.create(
        plan=plan,
        number=1,
        monthly_price=usd(monthly_price),
        minimum_top_up=usd(minimum_top_up),
        published_at=NOW,
    )
    prices = {"call_minutes": (included, unit_price), **(features or {})}
    for key, (quantity, price) in prices.items():
        feature_price = FeaturePrice.objects.create(
            version=version,
            feature=make_feature(key),
            included_quantity=Decimal(quantity),
            unit_price=usd(price),
        )
        if key == "call_minutes":
            for above, discount in tiers:
                PriceTier.objects.create(
                    price=feature_price,
                    above_quantity=Decimal(above),
                    discount_percent=Decimal(discount),
                )
    return version


def make_subscription(
    account: Account,
    version: PlanVersion,
    *,
    anchor: datetime = NOW,
    number: int = 1,
    ended_at: datetime | None = None,
    last_period_paid: bool = True,
) -> Subscription:
    """Subscribe `account` from `anchor`, with periods 1 to `number` opened and granted.

    Without `last_period_paid` the last one is due, and nothing is included in it.
    """
    period = periods.period(anchor, number)
    subscription = Subscription.objects.create(
        account=account,
        plan_version=version,
        status=SubscriptionStatus.CANCELED if ended_at else SubscriptionStatus.ACTIVE,
        anchor=anchor,
        current_period_number=number,
        current_period_start=period.start,
        current_period_end=period.end,
        ended_at=ended_at,
        created_at=anchor,
    )
    for each in range(1, number + 1):
        make_renewal(subscription, each, paid=last_period_paid or each < number)
    return subscription


def make_renewal(subscription: Subscription, number: int, *, paid: bool = True) -> Renewal:
    """Open a period that costs nothing; grant its allowances when it is `paid`."""
    assert subscription.anchor is not None
    period = periods.period(subscription.anchor, number)
    renewal = Renewal.objects.create(
        account_id=subscription.account_id,
        subscription=subscription,
        plan_version=subscription.plan_version,
        number=number,
        anchor=subscription.anchor,
        period_start=period.start,
        period_end=period.end,
        amount=usd(0),
        status=RenewalStatus.PAID if paid else RenewalStatus.DUE,
        paid_at=period.start if paid else None,
        created_at=period.start,
    )
    if paid:
        Allowance.objects.bulk_create(
            Allowance(
                account_id=subscription.account_id,
                renewal=renewal,
                feature_id=price.feature_id,
                included=price.included_quantity,
            )
            for price in subscription.plan_version.prices.all()
            if price.included_quantity
        )
    return renewal


def make_customer(
    *, balance: str = "0", version: PlanVersion | None = None, **fields: Any
) -> Account:
    """Make an account with credit and a subscription that began at NOW."""
    account = make_account(**fields)
    make_wallet(account, balance=balance)
    make_subscription(account, version or make_version())
    return account


def make_wallet(account: Account, *, balance: str = "0") -> Wallet:
    """Open the account's wallet with this balance."""
    wallet = ledger.open_wallet(account=account, now=NOW)
    if Decimal(balance):
        ledger.post(
            account_id=account.pk,
            kind=EntryKind.REFUND,
            amount=Decimal(balance),
            description="Balance of the example",
            now=NOW,
        )
        wallet.refresh_from_db()
    return wallet


def make_record(account: Account, quantity: str | int = 1, /, **fields: Any) -> ParsedRecord:
    """Make a usage record of `account`: call minutes at NOW unless told otherwise."""
    return ParsedRecord(
        **{
            "id": f"record-{next(_numbers)}",
            "account": str(account.pk),
            "feature": "call_minutes",
            "quantity": Decimal(quantity),
            "occurred_at": NOW,
            **fields,
        }
    )
