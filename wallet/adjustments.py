"""Credit added or taken by staff: always with a reason, always on record."""

from datetime import datetime
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_noop

from accounts.models import Account, AuditEvent, User
from accounts.money import format_usd, to_cents
from accounts.recorded_words import Sentence
from wallet import ledger
from wallet.models import Adjustment, Entry, EntryKind, Wallet

ADJUSTMENT = Sentence(gettext_noop("Adjustment: %(reason)s"))

#: A single adjustment beyond this is a slip of the keyboard (USD).
MAXIMUM_ADJUSTMENT = Decimal("100000.00")


@transaction.atomic
def adjust(
    *,
    account: Account,
    amount: Decimal,
    reason: str,
    author: User,
    now: datetime,
    approver: User | None = None,
) -> Entry:
    """Add (positive) or take (negative) `amount` USD of credit. The balance may become negative.

    `approver` is the second person who agreed to it. Raises ValidationError when the amount is
    zero, has fractions of a cent or is too large, when no reason is given, or when its author
    approves it (invariant I15).
    """
    reason = reason.strip()
    if approver is not None and approver.pk == author.pk:
        raise ValidationError("Somebody else has to approve it than who made it.")
    if not reason:
        raise ValidationError({"reason": "Say why, for whoever reads this next."})
    if not amount.is_finite() or amount == 0 or abs(amount) > MAXIMUM_ADJUSTMENT:
        maximum = format_usd(MAXIMUM_ADJUSTMENT)
        raise ValidationError({"amount": f"Enter an amount other than zero, at most {maximum}."})
    if amount != to_cents(amount):
        raise ValidationError({"amount": "Enter whole cents."})
    wallet = Wallet.objects.get(account=account)
    adjustment = Adjustment.objects.create(
        wallet=wallet,
        amount=amount,
        reason=reason,
        author=author,
        approved_by=approver,
        created_at=now,
    )
    entry = ledger.post(
        account_id=account.pk,
        kind=EntryKind.ADJUSTMENT,
        amount=amount,
        description=ADJUSTMENT.write(reason=reason)[:300],
        now=now,
        adjustment=adjustment,
    )
    AuditEvent.objects.create(
        account=account,
        actor=author,
        action="credit_adjusted",
        reason=reason,
        details={
            "amount": str(amount),
            "balance_after": str(entry.balance_after),
            **({"approved_by": str(approver)} if approver else {}),
        },
        created_at=now,
    )
    return entry
