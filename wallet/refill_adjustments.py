"""What a plan changes in auto-refill: the smallest top-up of another plan, and a plan that ends."""

from datetime import datetime
from decimal import Decimal

from accounts.models import Account, AuditEvent, User
from accounts.money import usd
from wallet import refill_rules
from wallet.models import AutoRefill, ConsentAction


def below(*, account: Account, minimum: Decimal) -> AutoRefill | None:
    """Return the auto-refill that is on and tops up less (USD) than `minimum`, or None."""
    return AutoRefill.objects.filter(
        wallet__account=account, enabled=True, amount__lt=minimum
    ).first()


def raise_to(*, account: Account, minimum: Decimal, by: User | None, now: datetime) -> None:
    """Have auto-refill top up at least `minimum` (USD): the plan accepts no less.

    The customer agreed to it with the plan: its page names the amount. Their monthly maximum stays
    as it is, even where it leaves no room for one refill of that amount.
    """
    refills = AutoRefill.objects.select_for_update(no_key=True).filter(
        wallet__account=account, amount__lt=minimum
    )
    for refill in refills:
        before, refill.amount = refill.amount.amount, usd(minimum)
        if refill.enabled:
            refill.consent = refill_rules.record_consent(
                account, ConsentAction.CHANGED, refill_rules.terms_of(refill), by=by, now=now
            )
        refill.save(update_fields=["amount", "consent"])
        AuditEvent.objects.create(
            account=account,
            actor=by,
            action="auto_refill_amount_raised",
            details={"before": str(before), "amount": str(minimum), "enabled": refill.enabled},
            created_at=now,
        )


def switch_off(*, account: Account, reason: str, now: datetime) -> bool:
    """Switch auto-refill off, saying why in the audit trail; return whether it was on."""
    refill = (
        AutoRefill.objects.select_for_update(no_key=True)
        .filter(wallet__account=account, enabled=True)
        .first()
    )
    if refill is None:
        return False
    refill.enabled = False
    refill.consent = refill_rules.record_consent(
        account, ConsentAction.SWITCHED_OFF, refill_rules.terms_of(refill), by=None, now=now
    )
    refill.save(update_fields=["enabled", "consent"])
    AuditEvent.objects.create(
        account=account,
        action="auto_refill_switched_off",
        reason=reason,
        created_at=now,
    )
    return True
