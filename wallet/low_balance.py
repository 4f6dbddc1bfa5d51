"""Telling the customer and the platform that a balance is low: once for each crossing.

A crossing is an entry that takes the balance from the limit or above it to below it. It is judged
under the wallet's lock from the balance before and after, so there is no state that could be wrong:
however many write at once, one of them crosses; and nobody is told again before the balance has
been back. All amounts are USD.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction as database
from django.db.models import Q
from django.utils.translation import gettext as _

from accounts import outbox
from accounts.models import Account, AuditEvent, Message, User
from accounts.money import format_usd, to_cents
from wallet.models import AutoRefill, Wallet

#: What a limit may be at most.
MAXIMUM_LIMIT = Decimal("100000.00")


@database.atomic
def set_limit(*, account: Account, limit: Decimal | None, by: User | None, now: datetime) -> None:
    """Tell of the balance below `limit` USD from now on; with None, don't tell.

    A balance that is below it already is not told of: it was not this moment that it fell. Raises
    ValidationError for a limit that is negative, too large or not in whole cents.
    """
    if limit is not None:
        if not limit.is_finite() or limit < 0 or limit != to_cents(limit):
            raise ValidationError({"limit": _("Enter an amount of zero or more, in whole cents.")})
        if limit > MAXIMUM_LIMIT:
            raise ValidationError(
                {"limit": _("Enter at most %(maximum)s.") % {"maximum": format_usd(MAXIMUM_LIMIT)}}
            )
    wallet = Wallet.objects.select_for_update(no_key=True).get(account=account)
    if wallet.low_balance_limit == limit:
        return
    before, wallet.low_balance_limit = wallet.low_balance_limit, limit
    wallet.save(update_fields=["low_balance_limit"])
    AuditEvent.objects.create(
        account=account,
        actor=by,
        action="low_balance_limit_set",
        details={
            "before": None if before is None else str(before),
            "limit": None if limit is None else str(limit),
        },
        created_at=now,
    )


def tell(*, wallets: Iterable[Wallet], before: Mapping[UUID, Decimal], now: datetime) -> None:
    """Record a notice for each of the wallets that went below its limit.

    `wallets` are locked and have their new balance and sequence, `before` their earlier balances by
    account. No statement when none crossed, else three, whatever their number.
    """
    crossed = [
        wallet
        for wallet in wallets
        if wallet.low_balance_limit is not None
        and wallet.balance < wallet.low_balance_limit <= before[wallet.account_id]
    ]
    if not crossed:
        return
    accounts = Account.objects.in_bulk([wallet.account_id for wallet in crossed])
    working = AutoRefill.objects.filter(
        Q(next_attempt_at__isnull=True) | Q(next_attempt_at__lte=now),
        Q(capped_until__isnull=True) | Q(capped_until__lte=now),
        enabled=True,
        suspended_at__isnull=True,
    )
    refills = {refill.wallet_id: refill for refill in working.filter(wallet__in=crossed)}
    messages: list[Message] = []
    for wallet in crossed:
        messages += _notices(wallet, accounts[wallet.account_id], refills.get(wallet.pk), now)
    outbox.record(messages)


def _notices(
    wallet: Wallet, account: Account, refill: AutoRefill | None, now: datetime
) -> list[Message]:
    """Say it to the customer and to the platform, under the number of the entry that crossed."""
    assert wallet.low_balance_limit is not None
    key = f"low_balance:{wallet.pk}:{wallet.last_sequence}"
    context: dict[str, object] = {
        "balance": format_usd(wallet.balance),
        "threshold": format_usd(wallet.low_balance_limit),
        "path": "/billing/#auto-refill" if refill else "/billing/top-up/",
    }
    if refill:
        context |= {
            "refill_threshold": format_usd(refill.threshold.amount),
            "refill_amount": format_usd(refill.amount.amount),
        }
    return [
        outbox.email(account=account, event="low_balance", key=key, context=context, now=now),
        outbox.platform_event(
            account=account,
            event="balance.low",
            key=key,
            data={"balance": f"{wallet.balance:.6f}", "limit": f"{wallet.low_balance_limit:.2f}"},
            now=now,
        ),
    ]
