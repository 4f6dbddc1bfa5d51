"""The monthly spend cap: what usage may cost in a period, set by the customer.

At 80 % of it the customer and the platform are told, at 100 % services pause with the reason
`spend_cap`, until the cap is raised or removed or the next period begins. It bounds what usage
takes from the wallet, late records included; plan, rentals and refills are not usage. Usage is
deducted after the call, so calls under way may go beyond it.

Both are judged under the wallet's lock by what was spent before and after: in a period that only
grows, so each is crossed once, however many write. All amounts are USD.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction as database
from django.utils.translation import gettext as _

from accounts import outbox, service_state
from accounts.bulk import any_uuid
from accounts.models import Account, AuditEvent, Message, PauseReason, User
from accounts.money import format_usd, to_cents
from plans import opening, subscriptions
from plans.models import Subscription
from plans.subscription_models import CURRENT_STATUSES
from wallet import spend_counts
from wallet.models import LARGEST_SPEND_CAP, Wallet

#: The share of the cap at which is warned; record_usage and record_one_usage know it, too.
WARNED_AT: Final = Decimal("0.8")


@dataclass(frozen=True, slots=True)
class Spend:
    """What usage cost since the period began, and what may be spent; without a cap, None.

    `period_end` is when counting begins anew; None without a subscription.
    """

    spent: Decimal
    cap: Decimal | None
    period_end: datetime | None

    @property
    def warned_at(self) -> Decimal | None:
        """What has to be spent for the warning."""
        return None if self.cap is None else _warning(self.cap)

    @property
    def is_near(self) -> bool:
        """Whether 80 % of the cap are spent, and not all of it."""
        return self.warned_at is not None and self.spent >= self.warned_at and not self.is_reached

    @property
    def is_reached(self) -> bool:
        """Whether the cap pauses services."""
        return self.cap is not None and self.spent >= self.cap


def spend_of(
    *, account: Account, wallet: Wallet, subscription: Subscription | None, now: datetime
) -> Spend:
    """Return what was spent in the period of the subscription in force, if there is one.

    Until a period that has begun by `now` is opened, what counts is the one before it.
    """
    spent = wallet.spent
    if spent is None:
        start = subscription.current_period_start if subscription else None
        count = spend_counts.count_from(account_id=account.pk, start=start or now)
        spent = count.unspent_balance - wallet.balance
    end = subscription.current_period_end if subscription else None
    return Spend(spent=spent, cap=wallet.spend_cap, period_end=end)


def set_cap(*, account: Account, cap: Decimal | None, by: User | None, now: datetime) -> None:
    """Let usage cost at most `cap` USD in a period; None for as much as is used.

    What was spent in the current period counts: services pause at once where that is as much or
    more, and those that the cap paused resume where it is less. Raises ValidationError for a cap
    that is not above zero, too large or not in whole cents.
    """
    if cap is not None:
        if not cap.is_finite() or cap <= 0 or cap != to_cents(cap):
            raise ValidationError({"cap": _("Enter an amount above zero, in whole cents.")})
        if cap > LARGEST_SPEND_CAP:
            most = {"maximum": format_usd(LARGEST_SPEND_CAP)}
            raise ValidationError({"cap": _("Enter at most %(maximum)s.") % most})
    opening.open_due_periods(now=now, account_ids=[account.pk])
    with database.atomic():
        subscriptions.lock_account(account_id=account.pk)
        wallet = Wallet.objects.get(account=account)
        before = wallet.spend_cap
        if before == cap:
            return
        _count_for(wallet, account=account, cap=cap, now=now)
        AuditEvent.objects.create(
            account=account,
            actor=by,
            action="spend_cap_set",
            details={
                "before": None if before is None else str(before),
                "cap": None if cap is None else str(cap),
            },
            created_at=now,
        )
        _follow_cap(wallet, by=by, now=now)


def _count_for(wallet: Wallet, *, account: Account, cap: Decimal | None, now: datetime) -> None:
    """Note the cap on the locked wallet; where it is the first, count what was spent already."""
    if cap is None:
        wallet.unspent_balance = wallet.spend_since = None
    elif wallet.spend_cap is None:
        subscription = subscriptions.current(account=account)
        # Without a subscription nothing is used: a period begins with the next one.
        start = subscription.current_period_start if subscription else None
        count = spend_counts.count_from(account_id=account.pk, start=start or now)
        wallet.unspent_balance, wallet.spend_since = count.unspent_balance, count.since
    wallet.spend_cap = cap
    wallet.save(update_fields=["spend_cap", "unspent_balance", "spend_since"])


def _follow_cap(wallet: Wallet, *, by: User | None, now: datetime) -> None:
    """Do what another cap brings about with what was spent before it was set."""
    cap, spent = wallet.spend_cap, wallet.spent
    is_reached = cap is not None and spent is not None and spent >= cap
    if is_reached:
        _pause([wallet], by=by, now=now)
        return
    service_state.lift(
        account_ids=[wallet.account_id],
        reason=PauseReason.SPEND_CAP,
        now=now,
        by=by,
        balances={wallet.account_id: wallet.balance},
    )
    if cap is not None and spent is not None and spent >= _warning(cap):
        _warn([wallet], now=now)


def follow_usage(
    *, wallets: Iterable[Wallet], before: Mapping[UUID, Decimal], now: datetime
) -> None:
    """Warn and pause where the usage posted in this transaction went over a cap or 80 % of it.

    `wallets` are locked and have their new balance, `before` their earlier balances by account. No
    statement where there is no cap. Who reaches the cap in one step is not warned of it as well.
    """
    near: list[Wallet] = []
    reached: list[Wallet] = []
    for wallet in wallets:
        cap, unspent, spent = wallet.spend_cap, wallet.unspent_balance, wallet.spent
        if cap is None or unspent is None or spent is None:
            continue
        spent_before = unspent - before[wallet.account_id]
        if spent_before < cap <= spent:
            reached.append(wallet)
        elif spent_before < _warning(cap) <= spent:
            near.append(wallet)
    if reached:
        _pause(reached, by=None, now=now)
    if near:
        _warn(near, now=now)


def _warning(cap: Decimal) -> Decimal:
    return cap * WARNED_AT


def _pause(wallets: Sequence[Wallet], *, by: User | None, now: datetime) -> None:
    service_state.pause(
        account_ids=[wallet.account_id for wallet in wallets],
        reason=PauseReason.SPEND_CAP,
        now=now,
        by=by,
        mail_customers=False,
    )
    outbox.record(_mails("spend_cap_reached", wallets, now=now))


def _warn(wallets: Sequence[Wallet], *, now: datetime) -> None:
    mails = _mails("spend_cap_near", wallets, now=now)
    events = [
        outbox.platform_event(
            account=mail.account,
            event="spend_cap.near",
            key=mail.key,
            data={"spent": f"{wallet.spent:.6f}", "cap": f"{wallet.spend_cap:.2f}"},
            now=now,
        )
        for mail, wallet in zip(mails, wallets, strict=True)
        if mail.account is not None
    ]
    outbox.record([*mails, *events])


def _mails(event: str, wallets: Sequence[Wallet], *, now: datetime) -> list[Message]:
    """Return an e-mail for each, told once for a period and a cap.

    The entry after which a period began stands for the period.
    """
    account_ids = [wallet.account_id for wallet in wallets]
    accounts = Account.objects.in_bulk(account_ids)
    ends = dict(
        Subscription.objects.filter(
            account_id__in=any_uuid(account_ids), status__in=CURRENT_STATUSES
        ).values_list("account_id", "current_period_end")
    )
    mails = []
    for wallet in wallets:
        assert wallet.spend_cap is not None
        assert wallet.spent is not None
        end = ends.get(wallet.account_id)
        mails.append(
            outbox.email(
                account=accounts[wallet.account_id],
                event=event,
                key=f"{event}:{wallet.pk}:{wallet.spend_since}:{wallet.spend_cap:.2f}",
                context={
                    "spent": format_usd(wallet.spent),
                    "cap": format_usd(wallet.spend_cap),
                    "period_ends_at": end.isoformat() if end else None,
                    "path": "/billing/settings/#spend-cap",
                },
                now=now,
            )
        )
    return mails
