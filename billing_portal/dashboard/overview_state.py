"""What the Billing Overview is made of, read with a small constant number of queries."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import F, FilteredRelation, Q, QuerySet, prefetch_related_objects

from accounts import cards
from accounts.models import Account, Card, CardStatus
from invoices import confirmations
from invoices.charging import NewLine
from invoices.models import Purpose, Status, Transaction
from plans import (
    daily_spend,
    past_due,
    renewal_charges,
    run_out,
    spend_caps,
    subscriptions,
)
from plans.daily_spend import DaySum, Group, Question, Spend, Sums
from plans.models import (
    Allowance,
    Feature,
    FeatureKind,
    FeaturePrice,
    PlanChange,
    PlanChangeStatus,
    PlanVersion,
    Renewal,
    RenewalStatus,
    Subscription,
    SubscriptionStatus,
)
from wallet import forecast, topups
from wallet.forecast import Forecast
from wallet.models import AutoRefill, Wallet

ACTIVITY_ROWS = 5
#: Purposes that buy credit.
CREDIT_PURPOSES = (Purpose.TOP_UP, Purpose.AUTO_REFILL)

#: What is read in the same statement, under names that only that query has.
_OF_A_SUBSCRIPTION: tuple[str, ...] = (
    "plan_version__plan",
    "this_period",
    "last_period",
    "waiting_change__from_version__plan",
    "waiting_change__to_version__plan",
)
_OF_A_FEATURE: tuple[str, ...] = ("price", "allowance")


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
    low_balance_limit: Decimal | None
    days_left: int | None
    previous: Renewal | None
    previous_spends: tuple[Spend, ...]
    workspaces: tuple[DaySum, ...]

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
    subscription, renewal, previous, change = _plan(account)
    unpaid = (
        past_due.unpaid(account=account)
        if subscription and subscription.status == SubscriptionStatus.PAST_DUE
        else None
    )
    card = default_card(account)
    balance = wallet.balance if wallet else Decimal(0)
    all_prices, allowances = _prices(subscription, renewal)
    prices = tuple(p for p in all_prices if p.feature.kind == FeatureKind.CONSUMABLE)
    rental_prices = [p for p in all_prices if p.feature.kind == FeatureKind.RENTAL]
    recent, last_refill, last_renewal, to_confirm = _transactions(account, now)
    used = _usage(account, renewal, previous, now)
    days_left = _days_left(account, renewal, balance, prices, allowances, used.lately, now)
    return OverviewState(
        account=account,
        now=now,
        may_act=may_act,
        balance=balance,
        auto_refill=getattr(wallet, "auto_refill", None),
        default_card=card,
        subscription=subscription,
        ended=None if subscription else subscriptions.last_ended(account=account),
        plan_change=change,
        renewal=renewal,
        included=tuple(price for price in prices if price.included_quantity),
        allowances=allowances,
        spends=used.spends,
        recent=recent,
        lacks_card=card is None and cards.why_needed(account=account) != "",
        to_confirm=to_confirm,
        last_refill=last_refill,
        last_renewal=last_renewal,
        unpaid=unpaid,
        unpaid_lines=tuple(renewal_charges.lines_of(unpaid)) if unpaid else (),
        next_lines=(
            tuple(
                renewal_charges.charge_after(
                    subscription=subscription, change=change, prices=rental_prices
                )
            )
            if subscription and not unpaid
            else ()
        ),
        capped=_capped(account, wallet, subscription, now),
        forecast=(
            forecast.run_out(wallet=wallet, now=now) if wallet and days_left is None else None
        ),
        low_balance_limit=wallet.low_balance_limit if wallet else None,
        days_left=days_left,
        previous=previous,
        workspaces=used.workspaces,
        previous_spends=used.previous_spends,
    )


def _capped(
    account: Account, wallet: Wallet | None, subscription: Subscription | None, now: datetime
) -> spend_caps.Spend | None:
    if wallet is None or wallet.spend_cap is None:
        return None
    return spend_caps.spend_of(account=account, wallet=wallet, subscription=subscription, now=now)


def current_subscription(account: Account) -> Subscription | None:
    """Return the subscription in force, else the one waiting for its first payment."""
    return _in_force(account.subscriptions.select_related("plan_version__plan"), account)


def _in_force(found: QuerySet[Subscription], account: Account) -> Subscription | None:
    order = {SubscriptionStatus.INACTIVE: 1}
    subscription = min(
        found.exclude(status=SubscriptionStatus.CANCELED),
        key=lambda each: order.get(each.status, 0),  # type: ignore[call-overload]
        default=None,
    )
    if subscription is not None:
        subscription.account = account
    return subscription


def _plan(
    account: Account,
) -> tuple[Subscription | None, Renewal | None, Renewal | None, PlanChange | None]:
    """The subscription, the period under way, the one before, and the change that waits.

    In one statement.
    """
    number = F("current_period_number")
    found = account.subscriptions.annotate(
        this_period=FilteredRelation("renewals", condition=Q(renewals__number=number)),
        last_period=FilteredRelation("renewals", condition=Q(renewals__number=number - 1)),
        waiting_change=FilteredRelation(
            "plan_changes", condition=Q(plan_changes__status=PlanChangeStatus.SCHEDULED)
        ),
    ).select_related(*_OF_A_SUBSCRIPTION)
    subscription = _in_force(found, account)
    if subscription is None:
        return None, None, None, None
    # Where a join finds nothing, Django sets no attribute.
    change: PlanChange | None = getattr(subscription, "waiting_change", None)
    if change is not None:
        change.account = account
    return (
        subscription,
        getattr(subscription, "this_period", None),
        getattr(subscription, "last_period", None),
        change,
    )


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


def _prices(
    subscription: Subscription | None, renewal: Renewal | None
) -> tuple[tuple[FeaturePrice, ...], Mapping[int, Allowance]]:
    """What the plan's version says of each feature, and what of it was used in this period.

    In one statement. An allowance may be of a feature that the version no longer has.
    """
    if subscription is None:
        return (), {}
    features = Feature.objects.annotate(
        price=FilteredRelation(
            "prices", condition=Q(prices__version_id=subscription.plan_version_id)
        ),
        allowance=FilteredRelation(
            "allowances", condition=Q(allowances__renewal_id=renewal.pk if renewal else None)
        ),
    ).select_related(*_OF_A_FEATURE)
    prices, allowances = [], {}
    for feature in features.order_by("position", "pk"):
        price: FeaturePrice | None = getattr(feature, "price", None)
        if price is not None:
            price.feature = feature
            prices.append(price)
        allowance: Allowance | None = getattr(feature, "allowance", None)
        if allowance is not None:
            allowances[feature.pk] = allowance
    return tuple(prices), allowances


def _days_left(
    account: Account,
    renewal: Renewal | None,
    balance: Decimal,
    prices: tuple[FeaturePrice, ...],
    allowances: Mapping[int, Allowance],
    lately: Sums | None,
    now: datetime,
) -> int | None:
    """For how many days the balance lasts beside what the plan includes, if that can be told."""
    if renewal is None or lately is None:
        return None
    if not lately.is_complete or not any(price.included_quantity for price in prices):
        return None
    drawn = run_out.draws(
        prices=prices,
        allowances=allowances,
        is_granted=renewal.status == RenewalStatus.PAID,
        used=lately.rows,
        today=now.astimezone(account.timezone).date(),
    )
    if not drawn:
        return None
    return run_out.days_left(
        balance=balance,
        draws=drawn,
        until_renewal=renewal.period_end - now,
        period=renewal.period_end - renewal.period_start,
    )


@dataclass(frozen=True)
class _Usage:
    """What was used in this period, in the last one and `lately`: None without a period."""

    spends: tuple[Spend, ...] = ()
    previous_spends: tuple[Spend, ...] = ()
    workspaces: tuple[DaySum, ...] = ()
    lately: Sums | None = None


def _usage(
    account: Account, renewal: Renewal | None, previous: Renewal | None, now: datetime
) -> _Usage:
    """Read all of it in one statement."""
    if renewal is None:
        return _Usage()
    today = now.astimezone(account.timezone).date()
    questions = [
        daily_spend.in_period(account=account, renewal=renewal, by=Group.FEATURE),
        daily_spend.in_period(account=account, renewal=renewal, by=Group.WORKSPACE),
        Question(first=today - run_out.WINDOW, last=today - timedelta(days=1), by=Group.FEATURE),
    ]
    if previous is not None:
        questions.append(daily_spend.in_period(account=account, renewal=previous, by=Group.FEATURE))
    current, workspaces, lately, *before = daily_spend.answer(account=account, questions=questions)
    return _Usage(
        spends=tuple(daily_spend.costs(current)),
        previous_spends=tuple(spend for sums in before for spend in daily_spend.costs(sums)),
        workspaces=workspaces.rows,
        lately=lately,
    )


def _transactions(
    account: Account, now: datetime
) -> tuple[tuple[Transaction, ...], Transaction | None, Transaction | None, Transaction | None]:
    """The newest, the last refill, the last renewal and what waits for the customer's bank.

    In one statement.
    """
    attempts = account.transactions.exclude(status=Status.CHECKOUT).order_by("-created_at", "-id")
    found = sorted(
        account.transactions.order_by("-created_at", "-id")[:ACTIVITY_ROWS].union(
            attempts.filter(purpose=Purpose.AUTO_REFILL)[:1],
            attempts.filter(purpose=Purpose.RENEWAL)[:1],
            confirmations.open_to_confirm(account=account, now=now),
        ),
        key=lambda each: (each.created_at, each.pk),
        reverse=True,
    )
    recent = found[:ACTIVITY_ROWS]
    prefetch_related_objects(recent, "lines", "disputes")
    last = {
        purpose: next(
            (each for each in found if each.purpose == purpose and each.status != Status.CHECKOUT),
            None,
        )
        for purpose in (Purpose.AUTO_REFILL, Purpose.RENEWAL)
    }
    open_now = sorted(
        (each for each in found if each.confirmable_until and each.confirmable_until > now),
        key=lambda each: each.pk,
        reverse=True,
    )
    return (
        tuple(recent),
        last[Purpose.AUTO_REFILL],
        last[Purpose.RENEWAL],
        confirmations.newest_waiting(open_now, now=now),
    )
