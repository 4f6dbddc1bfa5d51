"""What a payment for a plan brings about: a plan that begins, or an upgrade."""

from datetime import datetime

from django.utils.translation import gettext

from accounts import outbox, service_state
from accounts.models import PauseReason
from invoices.models import Transaction
from invoices.purposes import subject_of
from plans import cancellation, plan_changes, rentals, subscriptions
from plans.models import PlanChange, Subscription, SubscriptionStatus
from wallet import refill_adjustments
from wallet.reversals import CreditFollowsPayment


class PlanFulfilment(CreditFollowsPayment):
    """A paid plan begins, and the free one before it ends at the same moment; or one upgrades."""

    announces_failure = False

    def why_unwanted(self, *, transaction: Transaction, now: datetime) -> str:
        """Say that what is paid for came about in another way or can't any more, or ""."""
        change = PlanChange.objects.filter(transaction=transaction).first()
        if change is not None:
            return plan_changes.why_overtaken(change=change, now=now)
        subscription = Subscription.objects.get(pk=subject_of(transaction))
        if subscription.status == SubscriptionStatus.INACTIVE:
            return ""
        if subscription.status == SubscriptionStatus.CANCELED:
            return gettext("Another plan was chosen since.")
        return gettext("The plan has begun already.")

    def paid(self, *, transaction: Transaction, now: datetime) -> None:
        """Begin period 1 of the subscription that was paid for, or bring the upgrade into force."""
        subscriptions.lock_account(account_id=transaction.account_id)
        change = PlanChange.objects.filter(transaction=transaction).first()
        if change is not None:
            plan_changes.paid(change=change, transaction=transaction, now=now)
        else:
            _begin(transaction, now)

    def failed(self, *, transaction: Transaction, now: datetime) -> None:
        """Nothing begins or changes; the customer may try again."""
        change = PlanChange.objects.filter(transaction=transaction).first()
        if change is not None:
            plan_changes.failed(change=change)


def _begin(transaction: Transaction, now: datetime) -> None:
    subscription = (
        Subscription.objects.select_for_update(no_key=True, of=("self",))
        .select_related("plan_version__plan")
        .get(pk=subject_of(transaction))
    )
    if subscription.status != SubscriptionStatus.INACTIVE:
        subscriptions.credit_second_payment(transaction=transaction, now=now)
        return
    account = transaction.account
    moment = now.replace(microsecond=0)
    cancellation.give_way(account=account, at=moment, by=transaction.opened_by, now=now)
    # A new period begins, and with it ends what was released until then or is not in the plan.
    rentals.release_at_renewal(account=account, at=moment)
    rentals.fit_to_plan(account=account, plan_version=subscription.plan_version, at=moment)
    subscriptions.begin(subscription, paid_by=transaction, now=now)
    refill_adjustments.raise_to(
        account=account,
        minimum=subscription.plan_version.minimum_top_up.amount,
        by=transaction.opened_by,
        now=now,
    )
    # The payment may have taken a while: the receipt shows the period that was bought.
    transaction.lines.filter(amount__gt=0, is_tax=False).update(
        period_start=subscription.current_period_start,
        period_end=subscription.current_period_end,
    )
    service_state.lift(account_ids=[account.pk], reason=PauseReason.SUBSCRIPTION_UNPAID, now=now)
    outbox.record_platform_event(
        account=account,
        event="subscription.renewed",
        key=f"subscription.renewed:{transaction.number}",
        data={"plan": subscription.plan_version.plan.slug, "period": 1},
        now=now,
    )
