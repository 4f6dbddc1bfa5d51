"""What a plan changes in auto-refill: the smallest top-up of another plan, and a plan that ends."""

from datetime import datetime
from decimal import Decimal

from accounts.models import Account, AuditEvent
from accounts.money import usd
from wallet.models import AutoRefill


def below(*, account: Account, minimum: Decimal) -> AutoRefill | None:
    """Return the auto-refill that is on and tops up less (USD) than `minimum`, or None."""
    return AutoRefill.objects.filter(
        wallet__account=account, enabled=True, amount__lt=minimum
    ).first()


def raise_to(*, account: Account, minimum: Decimal, now: datetime) -> None:
    """Have auto-refill top up at least `minimum` (USD): the plan accepts no less.

    The customer agreed to it with the plan: its page names the amount.
    """
    refills = AutoRefill.objects.select_for_update().filter(
        wallet__account=account, amount__lt=minimum
    )
    for refill in refills:
        before, refill.amount = refill.amount.amount, usd(minimum)
        refill.save(update_fields=["amount"])
        AuditEvent.objects.create(
            account=account,
            action="auto_refill_amount_raised",
            details={"before": str(before), "amount": str(minimum), "enabled": refill.enabled},
            created_at=now,
        )


def switch_off(*, account: Account, reason: str, now: datetime) -> bool:
    """Switch auto-refill off, saying why in the audit trail; return whether it was on."""
    switched = AutoRefill.objects.filter(wallet__account=account, enabled=True).update(
        enabled=False
    )
    if switched:
        AuditEvent.objects.create(
            account=account,
            action="auto_refill_switched_off",
            reason=reason,
            created_at=now,
        )
    return bool(switched)
