"""Plan changes: an upgrade acts at once, a downgrade at the next renewal (DESIGN.md section 7).

What is agreed to is a sealed quote (plan_quotes.py). An upgrade is charged first and comes into
force in the settlement of its payment; a downgrade waits, can be taken back, and comes into force
when the next period is opened.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction as database
from django.utils.translation import gettext, gettext_noop

from accounts import cards, outbox
from accounts.models import Account, AuditEvent, Message, MessageChannel, User
from accounts.money import format_usd
from invoices import charging
from invoices.models import Purpose, Status, Transaction
from plans import allowances, plan_quotes, subscriptions
from plans.models import (
    PlanChange,
    PlanChangeStatus,
    PlanVersion,
    Renewal,
    Subscription,
)
from plans.plan_quotes import Kind, Quote
from wallet import refill_adjustments

#: What a change that waits is called, in the history and as an e-mail.
_SCHEDULED = "plan_change_scheduled"


@dataclass(frozen=True, slots=True)
class Agreed:
    """What came of agreeing to a quote: a payment, when something was charged, and the change."""

    quote: Quote
    transaction: Transaction | None
    change: PlanChange | None


def agree(
    *,
    account: Account,
    plan_version: PlanVersion,
    sealed: str,
    by: User | None,
    now: datetime,
    reason: str = "",
    is_on_session: bool = False,
) -> Agreed:
    """Move an account to a version for exactly what its sealed quote said.

    An upgrade, and a plan that begins, are charged to the default card (then the transaction says
    whether it was paid). Raises ValidationError, saying what to do, when it can't be done now, and
    QuoteExpired when the quote no longer holds. `reason` is staff's; `is_on_session` says that the
    customer is there to answer their bank.
    """
    with database.atomic(durable=True):
        account = subscriptions.lock_account(account_id=account.pk)
        plan_quotes.check_may_change(account=account, plan_version=plan_version, now=now)
        quote = plan_quotes.reopen(
            account=account, plan_version=plan_version, sealed=sealed, now=now
        )
        change: PlanChange | None = None
        opened: Transaction | None = None
        if quote.kind == Kind.DOWNGRADE:
            change = _schedule(quote, account=account, by=by, now=now, reason=reason)
        elif quote.kind == Kind.UPGRADE:
            change = _open_upgrade(
                quote, account=account, by=by, now=now, reason=reason, is_on_session=is_on_session
            )
            opened = change.transaction
        else:
            AuditEvent.objects.create(
                account=account,
                actor=by,
                action="plan_chosen",
                reason=reason,
                details={"plan": plan_version.plan.slug},
                created_at=now,
            )
            opened = subscriptions.open_start(
                account=account,
                plan_version=plan_version,
                by=by,
                at=quote.at,
                now=now,
                is_on_session=is_on_session,
            )
    if opened is not None:
        opened = charging.execute(transaction_id=opened.pk, now=now)
    if change is not None:
        change.refresh_from_db()
    return Agreed(quote, opened, change)


def _open_upgrade(
    quote: Quote,
    *,
    account: Account,
    by: User | None,
    now: datetime,
    reason: str,
    is_on_session: bool,
) -> PlanChange:
    """Record an upgrade and the intent to charge for it; one that costs nothing acts at once."""
    change = _change_of(quote, account=account, by=by, now=now, reason=reason)
    if not quote.price.net:
        _come_into_force(change, at=now.replace(microsecond=0), now=now)
        return change
    change.transaction = charging.open_transaction(
        account=account,
        purpose=Purpose.PLAN_CHANGE,
        lines=quote.lines,
        status=Status.PROCESSING,
        card=cards.default_card(account=account),
        subject_id=change.subscription_id,
        obligation="plan_change",
        is_on_session=is_on_session,
        by=by,
        now=now,
    )
    change.status = PlanChangeStatus.PROCESSING
    change.save()
    return change


def _change_of(
    quote: Quote, *, account: Account, by: User | None, now: datetime, reason: str
) -> PlanChange:
    assert quote.subscription is not None
    return PlanChange(
        account=account,
        subscription=quote.subscription,
        from_version=quote.subscription.plan_version,
        to_version=quote.plan_version,
        period_number=quote.subscription.current_period_number,
        requested_by=by,
        reason=reason,
        created_at=now,
    )


# Upgrades -------------------------------------------------------------------------------------
def paid(*, change: PlanChange, transaction: Transaction, now: datetime) -> None:
    """Bring a paid upgrade into force; one that has been overtaken becomes credit.

    Called by settlement, under the account's lock. A late success of a payment that was reported
    as failed still brings the plan that was paid for, unless its period is over or the customer
    has moved on meanwhile.
    """
    change = PlanChange.objects.select_for_update(no_key=True).get(pk=change.pk)
    if why_overtaken(change=change, now=now):
        if change.status == PlanChangeStatus.PROCESSING:
            change.status = PlanChangeStatus.FAILED
            change.save(update_fields=["status"])
        subscriptions.credit_second_payment(
            transaction=transaction,
            description=gettext_noop(
                "Credit for a plan change, paid when it could no longer be made"
            ),
            now=now,
        )
        return
    _come_into_force(change, at=now.replace(microsecond=0), now=now)


def why_overtaken(*, change: PlanChange, now: datetime) -> str:
    """Say why an upgrade can't come into force any more, or ""."""
    subscription = subscriptions.current(account=change.account)
    if subscription is None or subscription.pk != change.subscription_id:
        return gettext("The plan has ended since.")
    if subscription.plan_version_id != change.from_version_id:
        return gettext("The plan was changed since.")
    ends = subscription.current_period_end
    if subscription.current_period_number != change.period_number or ends is None or ends <= now:
        return gettext("The period that this was for is over.")
    return ""


def failed(*, change: PlanChange) -> None:
    """Nothing changes: the plan stays as it was, and the customer may try again."""
    PlanChange.objects.filter(pk=change.pk, status=PlanChangeStatus.PROCESSING).update(
        status=PlanChangeStatus.FAILED
    )


def _come_into_force(change: PlanChange, *, at: datetime, now: datetime) -> None:
    """Let another version hold from `at` on, within the period that was paid for."""
    subscription = Subscription.objects.select_for_update(no_key=True).get(
        pk=change.subscription_id
    )
    renewal = Renewal.objects.get(
        subscription=subscription, number=subscription.current_period_number
    )
    take_back(account=change.account, by=change.requested_by, now=now)
    subscription.plan_version = change.to_version
    subscription.save(update_fields=["plan_version"])
    allowances.change(renewal=renewal, plan_version=change.to_version)
    apply(change, renewal=renewal, at=at, now=now)


def apply(change: PlanChange, *, renewal: Renewal, at: datetime, now: datetime) -> None:
    """Note from when on a change holds, let what depends on the plan follow, and say so.

    Where staff moved a customer untold, the e-mail stays out: who was not told that it waits is not
    told that it has come.
    """
    is_told = change.status != PlanChangeStatus.SCHEDULED or _was_told(change)
    change.status = PlanChangeStatus.APPLIED
    change.renewal, change.effective_at = renewal, at
    change.save()
    version = change.to_version
    if version.plan_id != change.from_version.plan_id:
        # Who chose another plan agreed to it. A new version of the same plan is staff's doing.
        refill_adjustments.raise_to(
            account=change.account,
            minimum=version.minimum_top_up.amount,
            by=change.requested_by,
            now=now,
        )
    _record(change, "plan_changed", now)
    if is_told:
        _tell(change, effective_at=at, now=now)


# Downgrades -----------------------------------------------------------------------------------
def scheduled(*, subscription: Subscription) -> PlanChange | None:
    """Return the change that waits for the subscription's next renewal, or None."""
    return (
        PlanChange.objects.filter(subscription=subscription, status=PlanChangeStatus.SCHEDULED)
        .select_related("account", "from_version__plan", "to_version__plan")
        .first()
    )


def _schedule(
    quote: Quote, *, account: Account, by: User | None, now: datetime, reason: str
) -> PlanChange:
    """Have a version hold from the next renewal on, instead of what was scheduled before."""
    take_back(account=account, by=by, now=now)
    change = _change_of(quote, account=account, by=by, now=now, reason=reason)
    return schedule(change, now=now)


def schedule(change: PlanChange, *, now: datetime, tells_customer: bool = True) -> PlanChange:
    """Record a change that waits for the next renewal. Call it under the account's lock."""
    change.status = PlanChangeStatus.SCHEDULED
    change.save()
    _record(change, _SCHEDULED, now)
    if tells_customer:
        assert change.subscription.current_period_end is not None
        _tell(change, effective_at=change.subscription.current_period_end, now=now)
    return change


@database.atomic
def take_back(
    *, account: Account, by: User | None, now: datetime, reason: str = ""
) -> PlanChange | None:
    """Forget the change that waits for the next renewal; return it, or None without one."""
    subscriptions.lock_account(account_id=account.pk)
    change = (
        PlanChange.objects.select_for_update(no_key=True, of=("self",))
        .select_related("from_version__plan", "to_version__plan")
        .filter(account=account, status=PlanChangeStatus.SCHEDULED)
        .first()
    )
    if change is None:
        return None
    change.status = PlanChangeStatus.CANCELED
    change.save(update_fields=["status"])
    AuditEvent.objects.create(
        account=account,
        actor=by,
        action="plan_change_taken_back",
        reason=reason,
        details=_details(change),
        created_at=now,
    )
    return change


def _details(change: PlanChange) -> dict[str, str]:
    return {"from": str(change.from_version), "to": str(change.to_version)}


def _record(change: PlanChange, action: str, now: datetime) -> None:
    AuditEvent.objects.create(
        account=change.account,
        actor=change.requested_by,
        action=action,
        reason=change.reason,
        details=_details(change),
        created_at=now,
    )


def _was_told(change: PlanChange) -> bool:
    """Whether the customer got an e-mail when the change was scheduled."""
    return Message.objects.filter(
        channel=MessageChannel.EMAIL, key=f"{_SCHEDULED}:{change.pk}"
    ).exists()


def _tell(change: PlanChange, *, effective_at: datetime, now: datetime) -> None:
    """Tell the customer: which plan, from when on, and what it costs."""
    waits = change.status == PlanChangeStatus.SCHEDULED
    event = _SCHEDULED if waits else "plan_changed"
    outbox.record_email(
        account=change.account,
        event=event,
        key=f"{event}:{change.pk}",
        context={
            "plan": change.to_version.plan.name,
            "previous_plan": change.from_version.plan.name,
            "monthly_price": format_usd(change.to_version.monthly_price.amount),
            "minimum_top_up": format_usd(change.to_version.minimum_top_up.amount),
            "effective_at": effective_at.isoformat(),
            "path": "/billing/plan/",
        },
        now=now,
    )
