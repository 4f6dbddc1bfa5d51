"""Charging a renewal: one attempt at a time, and what a paid one brings about."""

from collections.abc import Sequence
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction as database
from django.db.models import BooleanField
from django.db.models.expressions import RawSQL
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext as _

from accounts import cards, outbox, service_state
from accounts.models import Account, AuditEvent, Message, PauseReason, User
from invoices import charging
from invoices.charging import NewLine
from invoices.models import Purpose, Status, Transaction
from invoices.purposes import subject_of
from plans import allowances, past_due, period_costs, periods, plan_changes, subscriptions
from plans.models import (
    FeaturePrice,
    PlanChange,
    Renewal,
    RenewalStatus,
    Subscription,
    SubscriptionStatus,
)
from plans.subscription_models import CURRENT_STATUSES
from wallet.reversals import CreditFollowsPayment

_NO_CARD = gettext_noop("There is no payment method to charge.")


def pay_now(
    *,
    account: Account,
    by: User | None,
    now: datetime,
    is_on_session: bool = False,
    reason: str = "",
) -> Transaction:
    """Charge the oldest unpaid renewal to the default card at once.

    With `is_on_session` the customer is there, and their bank may ask them to confirm. `reason` is
    staff's, and kept.

    Raises ValidationError when nothing is unpaid, without a card, or while an attempt is open.
    """
    renewal = past_due.unpaid(account=account)
    if renewal is None:
        raise ValidationError(_("Nothing is unpaid."))
    if cards.default_card(account=account) is None:
        raise ValidationError(_("Add a payment method first."))
    transaction = _open_attempt(renewal, by=by, now=now, is_on_session=is_on_session, reason=reason)
    if transaction is None:
        raise ValidationError(_("A payment for this is under way. Wait for its outcome."))
    return charging.execute(transaction_id=transaction.pk, now=now)


def charge(renewal: Renewal, *, now: datetime) -> str | None:
    """Charge one renewal; return the transaction's status, or None when another run has it."""
    if cards.default_card(account=renewal.account) is None:
        with database.atomic():
            if not _is_still_due(_locked(renewal), now=now):
                return None
            past_due.missed(
                renewal_id=renewal.pk,
                reason=_NO_CARD,
                key=f"{renewal.pk}:{renewal.attempts}",
                now=now,
            )
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
    renewal: Renewal,
    *,
    by: User | None,
    now: datetime,
    only_if_due: bool = False,
    is_on_session: bool = False,
    reason: str = "",
) -> Transaction | None:
    """Record one attempt to charge a renewal, or return None when it is paid or being charged."""
    with database.atomic(durable=True):
        locked = _locked(renewal)
        if locked.status != RenewalStatus.DUE or (
            only_if_due and not _is_still_due(locked, now=now)
        ):
            return None
        try:
            opened = charging.open_transaction(
                account=renewal.account,
                purpose=Purpose.RENEWAL,
                lines=lines_of(renewal),
                status=Status.PROCESSING,
                card=cards.default_card(account=renewal.account),
                subject_id=renewal.pk,
                obligation=obligation_of(renewal),
                is_on_session=is_on_session,
                by=by,
                now=now,
            )
        except charging.AlreadyOpen:
            return None
        if reason:
            AuditEvent.objects.create(
                account=renewal.account,
                actor=by,
                action="payment_retried",
                reason=reason,
                details={"transaction": opened.number, "period": renewal.number},
                created_at=now,
            )
        return opened


def obligation_of(renewal: Renewal) -> str:
    """Return what is owed: while one attempt at it is open, no second one is opened."""
    return f"renewal:{renewal.pk}"


def lines_of(renewal: Renewal, *, prices: Sequence[FeaturePrice] | None = None) -> list[NewLine]:
    """Return what a renewal charges: the plan and the rentals held when its period began.

    `prices` are the rental_prices of its version, when they are at hand.
    """
    return period_costs.period_lines(
        plan_version=renewal.plan_version,
        period=periods.Period(renewal.number, renewal.period_start, renewal.period_end),
        held=period_costs.rentals_held(account=renewal.account, at=renewal.period_start),
        prices=prices,
    )


def next_charge(*, subscription: Subscription) -> list[NewLine]:
    """Return what the next renewal will charge as things stand, line by line (USD)."""
    change = plan_changes.scheduled(subscription=subscription)
    return charge_after(subscription=subscription, change=change)


def charge_after(
    *,
    subscription: Subscription,
    change: PlanChange | None,
    prices: Sequence[FeaturePrice] | None = None,
) -> list[NewLine]:
    """Return what the next renewal will charge after the change that waits for it, if any.

    `prices` are the rental_prices of the version in force, when they are at hand.
    """
    if subscription.anchor is None or subscription.cancel_at_period_end:
        return []
    version = change.to_version if change else subscription.plan_version
    if change or prices is None:
        prices = period_costs.rental_prices([version])[version.pk]
    return period_costs.period_lines(
        plan_version=version,
        period=periods.period(subscription.anchor, subscription.current_period_number + 1),
        held=period_costs.rentals_after_renewal(
            account=subscription.account, plan_version=version, prices=prices
        ),
        prices=prices,
    )


#: Whether another period of the subscription is unpaid. The fence keeps PostgreSQL from going
#: through all that is due, of everybody: during a run its statistics are of before.
_MORE_IS_DUE = """
EXISTS (SELECT FROM (
    SELECT status FROM plans_renewal AS theirs
    WHERE theirs.subscription_id = plans_renewal.subscription_id
      AND theirs.id <> plans_renewal.id OFFSET 0
) AS fenced WHERE status = 'due')
"""


class RenewalFulfilment(CreditFollowsPayment):
    """A paid renewal grants its allowance; a declined one is chased."""

    announces_failure = True

    def why_unwanted(self, *, transaction: Transaction, now: datetime) -> str:
        """Say that the period is paid or no longer owed, or ""."""
        renewal = Renewal.objects.select_related("subscription").get(pk=subject_of(transaction))
        if renewal.status == RenewalStatus.PAID:
            return gettext("This period is paid already.")
        if renewal.status != RenewalStatus.DUE or (
            renewal.subscription.status not in CURRENT_STATUSES
        ):
            return gettext("This period is not owed any more.")
        return ""

    def paid(self, *, transaction: Transaction, now: datetime) -> Sequence[Message]:
        """Mark the period paid, grant its allowance and end being past due when all is paid."""
        pause_reasons = subscriptions.lock_pause_reasons(account_id=transaction.account_id)
        renewal = (
            Renewal.objects.select_for_update(no_key=True, of=("self", "subscription"))
            .select_related("subscription", "plan_version__plan")
            .annotate(more_is_due=RawSQL(_MORE_IS_DUE, [], BooleanField()))  # noqa: S611  (a constant)
            .get(pk=subject_of(transaction))
        )
        if renewal.status != RenewalStatus.DUE:
            subscriptions.credit_second_payment(transaction=transaction, now=now)
            return ()
        renewal.status = RenewalStatus.PAID
        renewal.transaction = transaction
        renewal.paid_at = now
        renewal.next_attempt_at = None
        renewal.save(update_fields=["status", "transaction", "paid_at", "next_attempt_at"])
        subscription = renewal.subscription
        if renewal.more_is_due:
            following = subscription.renewals.filter(status=RenewalStatus.DUE).order_by("number")
            Renewal.objects.filter(pk__in=following[:1]).update(next_attempt_at=now)
            past_due.nudge()
            if subscription.status == SubscriptionStatus.PAST_DUE:
                # The next unpaid period has its own retries, counted from now.
                subscription.past_due_since, subscription.grace_until = now, None
                subscription.save()
        elif subscription.status == SubscriptionStatus.PAST_DUE:
            subscription.status = SubscriptionStatus.ACTIVE
            subscription.past_due_since = subscription.grace_until = None
            subscription.save()
        allowances.grant(renewal)
        if not renewal.more_is_due and PauseReason.SUBSCRIPTION_UNPAID in pause_reasons:
            service_state.lift(
                account_ids=[renewal.account_id],
                reason=PauseReason.SUBSCRIPTION_UNPAID,
                now=now,
            )
        renewed = outbox.platform_event(
            account=transaction.account,
            event="subscription.renewed",
            key=f"subscription.renewed:{transaction.number}",
            data={"plan": renewal.plan_version.plan.slug, "period": renewal.number},
            now=now,
        )
        return (renewed,)

    def failed(self, *, transaction: Transaction, now: datetime) -> None:
        """Past due, with the retry schedule."""
        past_due.missed(
            renewal_id=subject_of(transaction),
            reason=transaction.failure_message,
            key=transaction.number,
            attempt=transaction,
            now=now,
        )
