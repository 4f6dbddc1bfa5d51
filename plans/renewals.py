"""Renewals: opening periods that have begun, charging them, and chasing what is unpaid.

Dueness is a query (DESIGN.md section 5): two beats at once, no beat for three days or a clock that
jumps change nothing but delay. Each period is billed once, oldest first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.core.exceptions import ValidationError
from django.db import transaction as database
from django.db.models import Exists, OuterRef, QuerySet

from accounts import cards, outbox, service_state
from accounts.bulk import any_uuid
from accounts.models import Account, AuditEvent, PauseReason, User
from accounts.money import format_usd, usd
from invoices import charging
from invoices.charging import NewLine
from invoices.models import OPEN_STATUSES, Purpose, Status, Transaction
from invoices.purposes import subject_of
from plans import allowances, period_costs, periods, rentals, subscriptions
from plans.models import Renewal, RenewalStatus, Subscription, SubscriptionStatus
from plans.subscription_models import CURRENT_STATUSES

log = structlog.get_logger(__name__)

#: Days after the first failure on which an unpaid renewal is charged again.
RETRY_DAYS = (1, 3, 5, 7)
#: How long a renewal may be unpaid before services pause.
GRACE = timedelta(days=7)

_NO_CARD = "There is no payment method to charge."


@dataclass(slots=True)
class RenewalReport:
    """What one run did."""

    opened: int = 0
    paid: int = 0
    failed: int = 0
    unknown: int = 0
    paused: int = 0


def renew_due(*, now: datetime) -> RenewalReport:
    """Open every period that has begun, charge what is due, pause what stayed unpaid."""
    report = RenewalReport(opened=open_due_periods(now=now))
    for renewal in due(now=now):
        try:
            status = _charge(renewal, now=now)
        except Exception:
            # Whatever is wrong with one account must not hold back the others.
            log.exception("renewal_broke", renewal=renewal.pk)
            continue
        if status == Status.PAID:
            report.paid += 1
        elif status == Status.FAILED:
            report.failed += 1
        elif status is not None:
            report.unknown += 1
    report.paused = pause_unpaid(now=now)
    return report


# Opening --------------------------------------------------------------------------------------
def open_due_periods(*, now: datetime, account_ids: Sequence[UUID] | None = None) -> int:
    """Open every period that has begun by `now`; return how many. One query when none has."""
    ended = Subscription.objects.filter(status__in=CURRENT_STATUSES, current_period_end__lte=now)
    if account_ids is not None:
        ended = ended.filter(account_id__in=any_uuid(account_ids))
    opened = 0
    for pk, account_id in ended.order_by("pk").values_list("pk", "account_id"):
        try:
            opened += _open_periods(pk, account_id=account_id, now=now)
        except Exception:
            if account_ids is not None:
                raise
            # In a sweep, whatever is wrong with one account must not hold back the others.
            log.exception("period_not_opened", subscription=pk)
    return opened


@database.atomic
def _open_periods(subscription_id: int, *, account_id: UUID, now: datetime) -> int:
    """Open the subscription's periods up to `now`, oldest first, looking again under its lock."""
    subscriptions.lock_account(account_id=account_id)
    subscription = (
        Subscription.objects.select_for_update(no_key=True, of=("self",))
        .select_related("plan_version__plan", "account")
        .get(pk=subscription_id)
    )
    opened = 0
    while (
        subscription.status in CURRENT_STATUSES
        and subscription.anchor is not None
        and subscription.current_period_end is not None
        and subscription.current_period_end <= now
    ):
        if subscription.cancel_at_period_end:
            _cancel(subscription, now=now)
            break
        period = periods.period(subscription.anchor, subscription.current_period_number + 1)
        rentals.release_at_renewal(account=subscription.account, at=period.start)
        lines = period_costs.period_lines(
            account=subscription.account,
            plan_version=subscription.plan_version,
            period=period,
            held=period_costs.rentals_held(account=subscription.account, at=period.start),
        )
        amount = sum(line.amount for line in lines)
        renewal = Renewal.objects.create(
            account=subscription.account,
            subscription=subscription,
            plan_version=subscription.plan_version,
            number=period.number,
            anchor=subscription.anchor,
            period_start=period.start,
            period_end=period.end,
            amount=usd(amount),
            status=RenewalStatus.DUE if amount else RenewalStatus.PAID,
            next_attempt_at=period.start if amount else None,
            paid_at=None if amount else now,
            created_at=now,
        )
        if not amount:
            allowances.grant(renewal=renewal)
        subscription.current_period_number = period.number
        subscription.current_period_start = period.start
        subscription.current_period_end = period.end
        subscription.save()
        opened += 1
    return opened


def _cancel(subscription: Subscription, *, now: datetime) -> None:
    subscription.status = SubscriptionStatus.CANCELED
    subscription.ended_at = subscription.current_period_end
    subscription.past_due_since = None
    subscription.save()
    AuditEvent.objects.create(
        account=subscription.account, action="subscription_canceled", created_at=now
    )


# Charging -------------------------------------------------------------------------------------
def due(*, now: datetime) -> QuerySet[Renewal]:
    """Return the renewals to charge at `now`: the oldest unpaid of each, none under way."""
    older = Renewal.objects.filter(
        subscription=OuterRef("subscription"),
        status=RenewalStatus.DUE,
        number__lt=OuterRef("number"),
    )
    return (
        Renewal.objects.filter(
            ~Exists(older),
            ~Exists(_open_attempts()),
            status=RenewalStatus.DUE,
            next_attempt_at__lte=now,
            subscription__status__in=CURRENT_STATUSES,
        )
        .select_related("account", "subscription", "plan_version__plan")
        .order_by("next_attempt_at", "pk")
    )


def _open_attempts() -> QuerySet[Transaction]:
    return Transaction.objects.filter(
        purpose=Purpose.RENEWAL, subject_id=OuterRef("pk"), status__in=OPEN_STATUSES
    )


def unpaid(*, account: Account) -> Renewal | None:
    """Return the oldest renewal that is not paid yet, or None."""
    return (
        Renewal.objects.filter(
            account=account, status=RenewalStatus.DUE, subscription__status__in=CURRENT_STATUSES
        )
        .select_related("account", "subscription", "plan_version__plan")
        .order_by("number")
        .first()
    )


def pay_now(*, account: Account, by: User | None, now: datetime) -> Transaction:
    """Charge the oldest unpaid renewal to the default card at once.

    Raises ValidationError when nothing is unpaid, without a card, or while an attempt is open.
    """
    renewal = unpaid(account=account)
    if renewal is None:
        raise ValidationError("Nothing is unpaid.")
    if cards.default_card(account=account) is None:
        raise ValidationError("Add a payment method first.")
    transaction = _open_attempt(renewal, by=by, now=now)
    if transaction is None:
        raise ValidationError("A payment for this is under way. Wait for its outcome.")
    return charging.execute(transaction_id=transaction.pk, now=now)


def _charge(renewal: Renewal, *, now: datetime) -> str | None:
    """Charge one renewal; return the transaction's status, or None when another run has it."""
    if cards.default_card(account=renewal.account) is None:
        with database.atomic():
            if not _is_still_due(_locked(renewal), now=now):
                return None
            _missed(renewal.pk, reason=_NO_CARD, key=f"{renewal.pk}:{renewal.attempts}", now=now)
        return Status.FAILED
    transaction = _open_attempt(renewal, by=None, now=now, only_if_due=True)
    if transaction is None:
        return None
    return charging.execute(transaction_id=transaction.pk, now=now).status


def _locked(renewal: Renewal) -> Renewal:
    return Renewal.objects.select_for_update(no_key=True, of=("self",)).get(pk=renewal.pk)


def _is_still_due(locked: Renewal, *, now: datetime) -> bool:
    """Whether no other run has tried it since `due` was asked: then it waits for its next day."""
    return (
        locked.status == RenewalStatus.DUE
        and locked.next_attempt_at is not None
        and locked.next_attempt_at <= now
    )


def _open_attempt(
    renewal: Renewal, *, by: User | None, now: datetime, only_if_due: bool = False
) -> Transaction | None:
    """Record one attempt to charge a renewal, or return None when it is paid or being charged."""
    with database.atomic(durable=True):
        locked = _locked(renewal)
        if locked.status != RenewalStatus.DUE or (
            only_if_due and not _is_still_due(locked, now=now)
        ):
            return None
        try:
            return charging.open_transaction(
                account=renewal.account,
                purpose=Purpose.RENEWAL,
                lines=lines_of(renewal),
                status=Status.PROCESSING,
                card=cards.default_card(account=renewal.account),
                subject_id=renewal.pk,
                obligation=f"renewal:{renewal.pk}",
                by=by,
                now=now,
            )
        except charging.AlreadyOpen:
            return None


def lines_of(renewal: Renewal) -> list[NewLine]:
    """Return what a renewal charges: the plan and the rentals held when its period began."""
    return period_costs.period_lines(
        account=renewal.account,
        plan_version=renewal.plan_version,
        period=periods.Period(renewal.number, renewal.period_start, renewal.period_end),
        held=period_costs.rentals_held(account=renewal.account, at=renewal.period_start),
    )


def next_charge(*, subscription: Subscription) -> list[NewLine]:
    """Return what the next renewal will charge as things stand, line by line (USD)."""
    if subscription.anchor is None or subscription.cancel_at_period_end:
        return []
    held = period_costs.rentals_held(account=subscription.account)
    for rental in held:
        if rental.quantity_at_renewal is not None:
            rental.quantity = rental.quantity_at_renewal
    return period_costs.period_lines(
        account=subscription.account,
        plan_version=subscription.plan_version,
        period=periods.period(subscription.anchor, subscription.current_period_number + 1),
        held=held,
    )


# Chasing --------------------------------------------------------------------------------------
def pause_unpaid(*, now: datetime) -> int:
    """Pause services of every account whose renewal has been unpaid for longer than the grace."""
    overdue = Subscription.objects.filter(
        status=SubscriptionStatus.PAST_DUE, past_due_since__lte=now - GRACE
    ).exclude(account__pause_reasons__contains=[PauseReason.SUBSCRIPTION_UNPAID])
    paused = 0
    for account_id in list(overdue.values_list("account_id", flat=True)):
        with database.atomic():
            # Looked at again under the lock that settling takes: a payment that comes at this
            # moment has lifted the reason, and nothing would lift it again.
            subscriptions.lock_account(account_id=account_id)
            if overdue.filter(account_id=account_id).exists():
                paused += len(
                    service_state.pause(
                        account_ids=[account_id], reason=PauseReason.SUBSCRIPTION_UNPAID, now=now
                    )
                )
    return paused


def try_again(account: Account, now: datetime) -> None:
    """A new default card gives reason to charge the oldest unpaid renewal at once."""
    renewal = unpaid(account=account)
    if renewal is None:
        return
    Renewal.objects.filter(pk=renewal.pk, status=RenewalStatus.DUE).update(next_attempt_at=now)
    nudge()


def nudge() -> None:
    """After commit, have the worker look for renewals; a lost nudge waits for the next tick."""

    def send() -> None:
        # Imported here: tasks import services, not the reverse.
        from plans.tasks import renew_due as task

        try:
            task.delay()
        except task.OperationalError:
            log.warning("renewal_nudge_lost")

    database.on_commit(send)


def _missed(renewal_id: int, *, reason: str, key: str, now: datetime) -> None:
    """Note that an attempt failed: past due, when to try again, and tell the customer."""
    renewal = (
        Renewal.objects.select_for_update(no_key=True, of=("self",))
        .select_related("account", "subscription", "plan_version__plan")
        .get(pk=renewal_id)
    )
    if renewal.status != RenewalStatus.DUE:
        return
    subscription = Subscription.objects.select_for_update(no_key=True).get(
        pk=renewal.subscription_id
    )
    newly_past_due = subscription.status == SubscriptionStatus.ACTIVE
    if newly_past_due:
        subscription.status = SubscriptionStatus.PAST_DUE
        subscription.past_due_since = now
        subscription.save()
    since = subscription.past_due_since or now
    retries = (since + timedelta(days=days) for days in RETRY_DAYS)
    renewal.attempts += 1
    renewal.next_attempt_at = next((moment for moment in retries if moment > now), None)
    renewal.save()
    plan = renewal.plan_version.plan
    outbox.record_email(
        account=renewal.account,
        event="subscription_past_due",
        key=f"subscription_past_due:{key}",
        context={
            "plan": plan.name,
            "amount": format_usd(renewal.amount.amount),
            "reason": reason,
            "next_attempt_at": renewal.next_attempt_at and renewal.next_attempt_at.isoformat(),
            "pause_at": (since + GRACE).isoformat(),
            "path": "/billing/",
        },
        now=now,
    )
    if newly_past_due:
        outbox.record_platform_event(
            account=renewal.account,
            event="subscription.past_due",
            key=f"subscription.past_due:{renewal.pk}:{renewal.attempts}",
            data={"plan": plan.slug, "period": renewal.number},
            now=now,
        )


class RenewalFulfilment:
    """A paid renewal grants its allowance; a declined one is chased."""

    announces_failure = True

    def paid(self, *, transaction: Transaction, now: datetime) -> None:
        """Mark the period paid, grant its allowance and end being past due when all is paid."""
        subscriptions.lock_account(account_id=transaction.account_id)
        renewal = (
            Renewal.objects.select_for_update(no_key=True, of=("self",))
            .select_related("subscription", "plan_version__plan")
            .get(pk=subject_of(transaction))
        )
        if renewal.status != RenewalStatus.DUE:
            subscriptions.credit_second_payment(transaction=transaction, now=now)
            return
        renewal.status = RenewalStatus.PAID
        renewal.transaction = transaction
        renewal.paid_at = now
        renewal.next_attempt_at = None
        renewal.save()
        subscription = Subscription.objects.select_for_update(no_key=True).get(
            pk=renewal.subscription_id
        )
        following = (
            subscription.renewals.filter(status=RenewalStatus.DUE).order_by("number").first()
        )
        if following is not None:
            Renewal.objects.filter(pk=following.pk).update(next_attempt_at=now)
            nudge()
            if subscription.status == SubscriptionStatus.PAST_DUE:
                # The next unpaid period has its own retries, counted from now.
                subscription.past_due_since = now
                subscription.save()
        elif subscription.status == SubscriptionStatus.PAST_DUE:
            subscription.status = SubscriptionStatus.ACTIVE
            subscription.past_due_since = None
            subscription.save()
        allowances.grant(renewal=renewal)
        if following is None:
            service_state.lift(
                account_ids=[renewal.account_id],
                reason=PauseReason.SUBSCRIPTION_UNPAID,
                now=now,
            )
        outbox.record_platform_event(
            account=transaction.account,
            event="subscription.renewed",
            key=f"subscription.renewed:{transaction.number}",
            data={"plan": renewal.plan_version.plan.slug, "period": renewal.number},
            now=now,
        )

    def failed(self, *, transaction: Transaction, now: datetime) -> None:
        """Past due, with the retry schedule."""
        _missed(
            subject_of(transaction),
            reason=transaction.failure_message,
            key=transaction.number,
            now=now,
        )
