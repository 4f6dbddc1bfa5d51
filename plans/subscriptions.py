"""Subscriptions: what an account is on, subscribing, and what it costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction as database
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts import cards
from accounts.models import Account, AuditEvent, User
from accounts.money import usd
from accounts.prepared import fetch_one
from invoices import charging
from invoices.charging import NewLine
from invoices.models import SMALLEST_CHARGE, Purpose, Status, Transaction
from plans import allowances, period_costs, periods, pricing
from plans.models import (
    FeaturePrice,
    Plan,
    PlanType,
    PlanVersion,
    Renewal,
    RenewalStatus,
    Rental,
    Subscription,
    SubscriptionStatus,
)
from plans.period_costs import UNUSED_LINE
from plans.subscription_models import CURRENT_STATUSES
from wallet import ledger, spend_counts
from wallet.models import EntryKind


@dataclass(frozen=True, slots=True)
class Preview:
    """What subscribing comes to, shown before the customer agrees. Lines are net."""

    plan_version: PlanVersion
    lines: Sequence[NewLine]
    price: charging.Quote
    period: periods.Period


def lock_account(*, account_id: UUID) -> Account:
    """Lock what an account holds, and return it. Call it first in a transaction.

    Whoever decides what is owed and whoever carries out what was paid take this lock, so that
    neither sees half of the other. The wallet comes first, as for whoever moves a balance: one
    order everywhere is what keeps them from deadlocking.
    """
    ledger.lock(account_ids=[account_id])
    return Account.objects.select_for_update(no_key=True).get(pk=account_id)


_LOCK = """
SELECT account.pause_reasons
FROM wallet_wallet AS wallet JOIN accounts_account AS account ON account.id = wallet.account_id
WHERE wallet.account_id = %(account_id)s
FOR NO KEY UPDATE OF wallet, account
"""


def lock_pause_reasons(*, account_id: UUID) -> list[str]:
    """Lock as lock_account, in one statement, and return only why the services are paused."""
    row = fetch_one(_LOCK, {"account_id": account_id})
    assert row is not None
    return list(row[0])


def current(*, account: Account) -> Subscription | None:
    """Return the subscription in force, or None."""
    return in_force(account=account).first()


def in_force(*, account: Account) -> QuerySet[Subscription]:
    """Find the subscription in force, with its plan, for whoever asks more in the same query."""
    return Subscription.objects.filter(account=account, status__in=CURRENT_STATUSES).select_related(
        "plan_version__plan"
    )


def last_ended(*, account: Account) -> Subscription | None:
    """Return the subscription that ended last, of an account without one in force; or None."""
    return (
        Subscription.objects.filter(
            account=account, status=SubscriptionStatus.CANCELED, anchor__isnull=False
        )
        .select_related("plan_version__plan")
        .order_by("-ended_at", "-pk")
        .first()
    )


def latest_version(*, plan: Plan) -> PlanVersion | None:
    """Return the version that is sold now: the newest published one."""
    return plan.versions.filter(published_at__isnull=False).order_by("-number").first()


def offered_to(*, account: Account) -> list[PlanVersion]:
    """Return the versions the account may choose from: public plans, and its own."""
    own = Exists(Subscription.objects.filter(account=account, plan_version__plan=OuterRef("plan")))
    versions = (
        PlanVersion.objects.filter(
            Q(plan__type=PlanType.PUBLIC) | own,
            plan__archived_at__isnull=True,
            published_at__isnull=False,
        )
        .select_related("plan")
        .order_by("plan_id", "-number")
        .distinct("plan_id")
    )
    return sorted(versions, key=lambda version: (version.plan.position, version.plan.slug))


@database.atomic
def start_free(*, account: Account, plan_version: PlanVersion, now: datetime) -> Subscription:
    """Begin a plan that costs nothing and needs no card.

    Raises ValidationError for a plan that costs something or when there is a subscription already.
    """
    if plan_version.monthly_price.amount:
        raise ValidationError(
            _("%(plan)s has to be paid for first.") % {"plan": plan_version.plan.name}
        )
    lock_account(account_id=account.pk)
    if current(account=account) is not None:
        raise ValidationError(_("There is a subscription already."))
    subscription = Subscription(account=account, plan_version=plan_version, created_at=now)
    return begin(subscription, paid_by=None, now=now)


def preview(
    *,
    account: Account,
    plan_version: PlanVersion,
    now: datetime,
    subscription: Subscription | None = None,
    held: Sequence[Rental] | None = None,
    prices: Mapping[int, Sequence[FeaturePrice]] | None = None,
) -> Preview:
    """Return exactly what subscribing at `now` would charge. What is at hand is not read again."""
    subscription = subscription or current(account=account)
    held = period_costs.rentals_held(account=account) if held is None else held
    prices = period_costs.rental_prices([plan_version]) if prices is None else prices
    period = periods.period(now.replace(microsecond=0), 1)
    lines = period_costs.period_lines(
        plan_version=plan_version,
        period=period,
        held=period_costs.after_renewal_of(
            held, plan_version=plan_version, prices=prices[plan_version.pk]
        ),
        prices=prices[plan_version.pk],
    )
    # Something is always left to charge: it is the payment that begins the period.
    limit = charging.total_of(lines) - SMALLEST_CHARGE
    if subscription is not None:
        lines += _credit_for_unused_rentals(account, subscription, held, prices, now, limit=limit)
    return Preview(
        plan_version=plan_version,
        lines=lines,
        price=charging.quote(charging.total_of(lines), account=account),
        period=period,
    )


def _credit_for_unused_rentals(
    account: Account,
    subscription: Subscription,
    held: Sequence[Rental],
    prices: Mapping[int, Sequence[FeaturePrice]],
    now: datetime,
    *,
    limit: Decimal,
) -> list[NewLine]:
    """Return what was paid for rentals beyond `now`, as negative lines, no more than `limit`.

    The new subscription's first period charges the same rentals from `now` on: without this the
    customer would pay twice for the rest of the old period.
    """
    number = subscription.current_period_number
    renewals = subscription.renewals.filter(number=number, status=RenewalStatus.PAID)
    paid = renewals.select_related("plan_version__plan").first()
    if paid is None:
        return []
    old_period = periods.Period(paid.number, paid.period_start, paid.period_end)
    lines = []
    for line in period_costs.period_lines(
        plan_version=paid.plan_version,
        period=old_period,
        held=held,
        prices=prices.get(paid.plan_version_id),
    ):
        unused = pricing.prorate(line.amount, start=old_period.start, end=old_period.end, now=now)
        unused = min(unused, max(limit, Decimal(0)))
        limit -= unused
        if unused:
            lines.append(
                NewLine(
                    UNUSED_LINE.write(line=line.description),
                    -unused,
                    period_start=now,
                    period_end=old_period.end,
                )
            )
    return lines


def subscribe(
    *,
    account: Account,
    plan_version: PlanVersion,
    by: User | None,
    now: datetime,
    is_on_session: bool = False,
) -> Transaction | None:
    """Subscribe to a plan: free ones at once, else charged to the default card.

    Period 1 begins when it is paid. Returns the transaction (paid, failed, or processing), None
    for a free plan. Leaving a free plan begins a new subscription with its own anchor, as Stripe
    does. Raises ValidationError for a plan that is not offered, without a card, or when a paid
    plan is in force (a plan change is another matter).
    """
    if plan_version not in offered_to(account=account):
        raise ValidationError(_("This plan is not offered."))
    with database.atomic(durable=True):
        account = lock_account(account_id=account.pk)
        transaction = open_start(
            account=account,
            plan_version=plan_version,
            by=by,
            at=now,
            now=now,
            is_on_session=is_on_session,
        )
        if transaction is None:
            return None
    return charging.execute(transaction_id=transaction.pk, now=now)


def open_start(
    *,
    account: Account,
    plan_version: PlanVersion,
    by: User | None,
    at: datetime,
    now: datetime,
    is_on_session: bool = False,
) -> Transaction | None:
    """Begin a free plan, or record the intent to charge for one that costs something.

    It is priced as of `at`. Call it under the account's lock. Raises as subscribe.
    """
    if not plan_version.monthly_price.amount:
        start_free(account=account, plan_version=plan_version, now=now)
        return None
    check_may_subscribe(account=account)
    subscription = _waiting_for_payment(account=account, plan_version=plan_version, now=now)
    return charging.open_transaction(
        account=account,
        purpose=Purpose.PLAN_CHANGE,
        lines=preview(account=account, plan_version=plan_version, now=at).lines,
        status=Status.PROCESSING,
        card=cards.default_card(account=account),
        subject_id=subscription.pk,
        obligation="plan_change",
        is_on_session=is_on_session,
        by=by,
        now=now,
    )


def _waiting_for_payment(
    *, account: Account, plan_version: PlanVersion, now: datetime
) -> Subscription:
    """Return the account's inactive subscription to exactly this version.

    One to another version is given up: should a payment for it succeed late, it becomes credit and
    begins no plan at another plan's price.
    """
    waiting = Subscription.objects.filter(
        account=account, status=SubscriptionStatus.INACTIVE
    ).first()
    if waiting is not None and waiting.plan_version_id != plan_version.pk:
        waiting.status, waiting.ended_at = SubscriptionStatus.CANCELED, now
        waiting.save()
        waiting = None
    return waiting or Subscription.objects.create(
        account=account,
        plan_version=plan_version,
        status=SubscriptionStatus.INACTIVE,
        created_at=now,
    )


def check_may_subscribe(*, account: Account) -> None:
    """Raise ValidationError, saying what to do, when the account can't subscribe to a paid plan."""
    subscription = current(account=account)
    if subscription is not None:
        plan = subscription.plan_version.plan
        if subscription.plan_version.monthly_price.amount:
            raise ValidationError(
                _("You are on %(plan)s. Change the plan instead.") % {"plan": plan.name}
            )
        if subscription.renewals.filter(status=RenewalStatus.DUE).exists():
            raise ValidationError(
                _("Your %(plan)s renewal is not paid yet. Pay it first.") % {"plan": plan.name}
            )
    if cards.default_card(account=account) is None:
        raise ValidationError(_("Add a payment method first: the plan is charged to it."))


def begin(
    subscription: Subscription, *, paid_by: Transaction | None, now: datetime
) -> Subscription:
    """Begin the first period at `now`, to the second, and grant its allowance."""
    first = periods.period(now.replace(microsecond=0), 1)
    subscription.status = SubscriptionStatus.ACTIVE
    subscription.anchor = first.start
    subscription.current_period_number = 1
    subscription.current_period_start = first.start
    subscription.current_period_end = first.end
    subscription.save()
    renewal = Renewal.objects.create(
        account_id=subscription.account_id,
        subscription=subscription,
        plan_version=subscription.plan_version,
        number=1,
        anchor=first.start,
        period_start=first.start,
        period_end=first.end,
        amount=paid_by.net_amount if paid_by else usd(0),
        status=RenewalStatus.PAID,
        transaction=paid_by,
        created_at=now,
        paid_at=now,
    )
    allowances.grant(renewal)
    spend_counts.begin(account_ids=[subscription.account_id], now=now)
    AuditEvent.objects.create(
        account_id=subscription.account_id,
        action="subscription_started",
        details={"plan": subscription.plan_version.plan.slug},
        created_at=now,
    )
    return subscription


def credit_second_payment(
    *,
    transaction: Transaction,
    now: datetime,
    description: str = gettext_noop("Credit for a second payment of the same period"),
) -> None:
    """Turn a payment for something that is paid already into credit.

    It happens when a payment that was reported as failed succeeds late, after another one was
    made. The money is the customer's.
    """
    ledger.credit_payment(
        transaction=transaction, kind=EntryKind.TOP_UP, description=description, now=now
    )


def needs_card(account: Account) -> str:
    """Say why the default card can't go while a subscription is charged to it, or ""."""
    subscription = current(account=account)
    if subscription is None:
        return ""
    costs = subscription.plan_version.monthly_price.amount or any(
        line.amount
        for line in period_costs.period_lines(
            plan_version=subscription.plan_version,
            period=periods.period(subscription.created_at, 1),
            held=period_costs.rentals_held(account=account),
        )
    )
    if costs:
        plan = subscription.plan_version.plan.name
        return _("Your %(plan)s plan is charged to this card. Add another card first.") % {
            "plan": plan
        }
    return ""
