"""What the Billing Overview is made of, read with a small constant number of queries."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from accounts import cards
from accounts.models import Account, Card, CardStatus
from invoices import confirmations
from invoices.charging import NewLine
from invoices.models import Purpose, Status, Transaction
from plans import daily_spend, past_due, plan_changes, renewal_charges, spend_caps, subscriptions
from plans.daily_spend import Spend
from plans.models import (
    Allowance,
    FeatureKind,
    FeaturePrice,
    PlanChange,
    PlanVersion,
    Renewal,
    Subscription,
    SubscriptionStatus,
)
from wallet import forecast, topups
from wallet.forecast import Forecast
from wallet.models import AutoRefill, Wallet

ACTIVITY_ROWS = 5
#: Purposes that buy credit.
CREDIT_PURPOSES = (Purpose.TOP_UP, Purpose.AUTO_REFILL)


@dataclass(frozen=True)
class OverviewState:
    """Everything the Overview says, before it is put into words."""

    account: Account
    now: datetime
    may_act: bool
    balance: Decimal
    auto_refill: AutoRefill | None
    default_card: Card | None
    subscription: Subscription | None
    ended: Subscription | None
    plan_change: PlanChange | None
    renewal: Renewal | None
    included: tuple[FeaturePrice, ...]
    allowances: Mapping[int, Allowance]
    spends: tuple[Spend, ...]
    recent: tuple[Transaction, ...]
    lacks_card: bool
    to_confirm: Transaction | None
    last_refill: Transaction | None
    last_renewal: Transaction | None
    unpaid: Renewal | None
    unpaid_lines: tuple[NewLine, ...]
    next_lines: tuple[NewLine, ...]
    forecast: Forecast | None
    capped: spend_caps.Spend | None

    @property
    def plan_version(self) -> PlanVersion | None:
        """The version whose prices apply."""
        return self.subscription.plan_version if self.subscription else None

    @property
    def minimum_top_up(self) -> Decimal:
        """The least that may be bought at once, in USD."""
        return _minimum(self.subscription)

    @property
    def is_past_due(self) -> bool:
        """Whether the renewal failed and is being retried."""
        return bool(self.subscription and self.subscription.status == SubscriptionStatus.PAST_DUE)


def read_state(*, account: Account, now: datetime, may_act: bool) -> OverviewState:
    """Read the account's billing as it is now."""
    wallet = (
        Wallet.objects.filter(account=account)
        .select_related("auto_refill__consent__given_by")
        .first()
    )
    subscription = current_subscription(account)
    renewal = (
        subscription.renewals.filter(number=subscription.current_period_number).first()
        if subscription and subscription.current_period_number
        else None
    )
    unpaid = (
        past_due.unpaid(account=account)
        if subscription and subscription.status == SubscriptionStatus.PAST_DUE
        else None
    )
    card = default_card(account)
    return OverviewState(
        account=account,
        now=now,
        may_act=may_act,
        balance=wallet.balance if wallet else Decimal(0),
        auto_refill=getattr(wallet, "auto_refill", None),
        default_card=card,
        subscription=subscription,
        ended=None if subscription else subscriptions.last_ended(account=account),
        plan_change=plan_changes.scheduled(subscription=subscription) if subscription else None,
        renewal=renewal,
        included=_included(subscription),
        allowances=_allowances(renewal),
        spends=(tuple(daily_spend.of_period(account=account, renewal=renewal)) if renewal else ()),
        recent=tuple(account.transactions.prefetch_related("lines", "disputes")[:ACTIVITY_ROWS]),
        lacks_card=card is None and cards.why_needed(account=account) != "",
        to_confirm=confirmations.waiting(account=account, now=now),
        last_refill=_last(account, Purpose.AUTO_REFILL),
        last_renewal=_last(account, Purpose.RENEWAL),
        unpaid=unpaid,
        unpaid_lines=tuple(renewal_charges.lines_of(unpaid)) if unpaid else (),
        next_lines=(
            tuple(renewal_charges.next_charge(subscription=subscription))
            if subscription and not unpaid
            else ()
        ),
        forecast=forecast.run_out(wallet=wallet, now=now) if wallet else None,
        capped=_capped(account, wallet, subscription, now),
    )


def _capped(
    account: Account, wallet: Wallet | None, subscription: Subscription | None, now: datetime
) -> spend_caps.Spend | None:
    if wallet is None or wallet.spend_cap is None:
        return None
    return spend_caps.spend_of(account=account, wallet=wallet, subscription=subscription, now=now)


def current_subscription(account: Account) -> Subscription | None:
    """Return the subscription in force, else the one waiting for its first payment."""
    order = {SubscriptionStatus.INACTIVE: 1}
    found = account.subscriptions.exclude(status=SubscriptionStatus.CANCELED).select_related(
        "plan_version__plan"
    )
    subscription = min(found, key=lambda each: order.get(each.status, 0), default=None)  # type: ignore[call-overload]
    if subscription is not None:
        subscription.account = account
    return subscription


def minimum_top_up_of(account: Account) -> Decimal:
    """Return the least that may be bought at once: the plan's minimum, in USD."""
    return _minimum(current_subscription(account))


def _minimum(subscription: Subscription | None) -> Decimal:
    if subscription is None:
        return topups.SMALLEST_TOP_UP
    amount: Decimal = subscription.plan_version.minimum_top_up.amount
    return amount


def default_card(account: Account) -> Card | None:
    """Return the card that is charged by default."""
    return account.cards.filter(is_default=True, status=CardStatus.VERIFIED).first()


def _included(subscription: Subscription | None) -> tuple[FeaturePrice, ...]:
    if subscription is None:
        return ()
    return tuple(
        FeaturePrice.objects.filter(
            version_id=subscription.plan_version_id,
            included_quantity__gt=0,
            feature__kind=FeatureKind.CONSUMABLE,
        ).select_related("feature")
    )


def _allowances(renewal: Renewal | None) -> Mapping[int, Allowance]:
    if renewal is None:
        return {}
    return {each.feature_id: each for each in Allowance.objects.filter(renewal=renewal)}


def _last(account: Account, purpose: Purpose) -> Transaction | None:
    return (
        account.transactions.filter(purpose=purpose)
        .exclude(status=Status.CHECKOUT)
        .order_by("-created_at", "-id")
        .first()
    )
