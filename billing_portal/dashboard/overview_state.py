"""What the Billing Overview is made of, read with a small constant number of queries."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import (
    F,
    FilteredRelation,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    prefetch_related_objects,
)
from django.db.models.fields.json import KeyTextTransform

from accounts import cards
from accounts.models import Account, AuditEvent, Card
from billing_portal.dashboard import overview_charges, overview_usage
from invoices import confirmations
from invoices.charging import NewLine
from invoices.models import Purpose, Status, Transaction
from plans import (
    spend_caps,
    subscriptions,
)
from plans.daily_spend import DaySum, Spend
from plans.models import (
    Allowance,
    FeaturePrice,
    Plan,
    PlanChange,
    PlanChangeStatus,
    PlanVersion,
    Renewal,
    Subscription,
    SubscriptionStatus,
)
from wallet import forecast, refill_caps, topups
from wallet.forecast import Forecast
from wallet.models import AutoRefill, Wallet

ACTIVITY_ROWS = 5
#: What is no payment is news for so long.
EVENTS_ARE_NEWS = timedelta(days=62)
#: What customers look for beside their payments: activity_words.py has the sentence of each.
_EVENTS = (
    "cancellation_scheduled",
    "cancellation_undone",
    "credit_adjusted",
    "plan_change_scheduled",
    "plan_change_taken_back",
    "plan_changed",
    "refund_succeeded",
    "services_paused",
    "services_resumed",
    "subscription_canceled",
    "subscription_started",
)
#: Purposes that buy credit.
CREDIT_PURPOSES = (Purpose.TOP_UP, Purpose.AUTO_REFILL)

#: What is read in the same statement, under names that only that query has.
_OF_A_SUBSCRIPTION: tuple[str, ...] = (
    "plan_version__plan",
    "this_period",
    "last_period",
    "waiting_change__to_version__plan",
)


@dataclass(frozen=True)
class OverviewState:
    """Everything the Overview says, before it is put into words."""

    account: Account
    now: datetime
    may_act: bool
    balance: Decimal
    wallet: Wallet | None
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
    used: tuple[DaySum, ...]
    projected: Decimal | None
    events: tuple[AuditEvent, ...]
    is_added_up: bool

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
    wallet = _wallet(account, now)
    subscription, renewal, previous, change = _plan(account)
    unpaid = overview_charges.unpaid_of(subscription, renewal, previous)
    card = cards.default_card(account=account)
    balance = wallet.balance if wallet else Decimal(0)
    terms = overview_usage.read_terms(subscription, renewal)
    recent, last_refill, last_renewal, to_confirm = _transactions(account, now)
    used = overview_usage.read_used(account, renewal, previous, now)
    days_left = overview_usage.days_left(
        account=account,
        renewal=renewal,
        balance=balance,
        terms=terms,
        lately=used.lately,
        now=now,
    )
    unpaid_lines, next_lines = overview_charges.charges_of(
        subscription, unpaid, change, terms.rentals
    )
    auto_refill: AutoRefill | None = getattr(wallet, "auto_refill", None)
    return OverviewState(
        account=account,
        now=now,
        may_act=may_act,
        balance=balance,
        wallet=wallet,
        auto_refill=auto_refill,
        default_card=card,
        subscription=subscription,
        ended=None if subscription else subscriptions.last_ended(account=account),
        plan_change=change,
        renewal=renewal,
        included=tuple(price for price in terms.consumables if price.included_quantity),
        allowances=terms.allowances,
        spends=used.spends,
        recent=recent,
        lacks_card=card is None
        and (bool(unpaid_lines or next_lines) or bool(auto_refill and auto_refill.enabled)),
        to_confirm=to_confirm,
        last_refill=last_refill,
        last_renewal=last_renewal,
        unpaid=unpaid,
        unpaid_lines=unpaid_lines,
        next_lines=next_lines,
        capped=_capped(account, wallet, subscription, now),
        forecast=(
            forecast.run_out(wallet=wallet, now=now)
            if wallet and wallet.balance > 0 and days_left is None
            else None
        ),
        low_balance_limit=wallet.low_balance_limit if wallet else None,
        days_left=days_left,
        previous=previous,
        workspaces=used.workspaces,
        previous_spends=used.previous_spends,
        used=used.by_feature,
        projected=overview_usage.projected_spend(renewal=renewal, used=used, terms=terms, now=now),
        events=_events(account, now),
        is_added_up=used.is_complete,
    )


def _wallet(account: Account, now: datetime) -> Wallet | None:
    """The wallet with its rule, who agreed to it, and what it has charged, in one statement."""
    wallets = Wallet.objects.filter(account=account).select_related(
        "auto_refill__consent__given_by"
    )
    wallet = refill_caps.with_charges(wallets, account=account, now=now).first()
    if wallet is not None:
        wallet.account = account
    return wallet


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


def _events(account: Account, now: datetime) -> tuple[AuditEvent, ...]:
    """The newest that are news, each with its plan's name as `plan_name`, where it has one."""
    found = account.audit_events.filter(action__in=_EVENTS, created_at__gt=now - EVENTS_ARE_NEWS)
    plan = Plan.objects.filter(slug=OuterRef("plan_slug"))
    named = found.annotate(
        plan_slug=KeyTextTransform("plan", "details"), plan_name=Subquery(plan.values("name")[:1])
    )
    return tuple(named.order_by("-created_at", "-id")[:ACTIVITY_ROWS])


def _transactions(
    account: Account, now: datetime
) -> tuple[tuple[Transaction, ...], Transaction | None, Transaction | None, Transaction | None]:
    """The newest, the last refill, the last renewal and what waits for the customer's bank.

    In one statement.
    """
    newest = account.transactions.order_by("-created_at", "-id").values("pk")
    attempts = newest.exclude(status=Status.CHECKOUT)
    # Which they are is asked four times, what they are once.
    which = newest[:ACTIVITY_ROWS].union(
        attempts.filter(purpose=Purpose.AUTO_REFILL)[:1],
        attempts.filter(purpose=Purpose.RENEWAL)[:1],
        confirmations.open_to_confirm(account=account, now=now).values("pk"),
    )
    found = list(account.transactions.filter(pk__in=which).order_by("-created_at", "-id"))
    recent = found[:ACTIVITY_ROWS]
    prefetch_related_objects(recent, "disputes")
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
