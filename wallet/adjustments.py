"""Credit added or taken by staff, and taken back: always with a reason, always on record."""

from datetime import datetime
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_noop

from accounts import reasons
from accounts.models import Account, AuditEvent, User
from accounts.money import format_usd, to_cents
from accounts.recorded_words import Sentence
from accounts.staff_limits import adjustment_limit
from wallet import ledger
from wallet.models import Adjustment, Entry, EntryKind, Wallet

ADJUSTMENT = Sentence(gettext_noop("Adjustment: %(reason)s"))
REVERSAL = Sentence(gettext_noop("Reversal of the adjustment of %(day)s (%(what)s): %(reason)s"))

#: A single adjustment beyond this is a slip of the keyboard (USD).
MAXIMUM_ADJUSTMENT = Decimal("100000.00")
#: How much of what is reversed its reversal quotes.
_LONGEST_QUOTE = 120


def check(*, amount: Decimal, reason: str) -> str:
    """Return the reason as it is kept; raise ValidationError, by field, for what can't be done."""
    reason = reasons.checked(reason)
    if not amount.is_finite() or amount == 0 or abs(amount) > MAXIMUM_ADJUSTMENT:
        maximum = format_usd(MAXIMUM_ADJUSTMENT)
        raise ValidationError({"amount": f"Enter an amount other than zero, at most {maximum}."})
    if amount != to_cents(amount):
        raise ValidationError({"amount": "Enter whole cents."})
    return reason


def why_not_reversed(adjustment: Adjustment) -> str:
    """Say why an adjustment can't be taken back, or "" when it can."""
    if adjustment.reverses_id is not None:
        return "This is a reversal itself. Make a new adjustment instead."
    if Adjustment.objects.filter(reverses=adjustment).exists():
        return "It is reversed already."
    return ""


@transaction.atomic
def adjust(
    *,
    account: Account,
    amount: Decimal,
    reason: str,
    author: User,
    now: datetime,
    approver: User | None = None,
    reverses: Adjustment | None = None,
) -> Entry:
    """Add (positive) or take (negative) `amount` USD of credit. The balance may become negative.

    `approver` is the second person who agreed to it (wallet/approvals.py). Raises ValidationError
    when the amount is zero, has fractions of a cent or is too large, when no reason is given, when
    it is beyond its author's limit and nobody approved it, or when its author did (invariant I15).
    """
    reason = check(amount=amount, reason=reason)
    if approver is not None and approver.pk == author.pk:
        raise ValidationError("Somebody else has to approve it than who made it.")
    limit = adjustment_limit(author)
    if approver is None and abs(amount) > limit:
        raise ValidationError(
            f"You adjust up to {format_usd(limit)} alone. Somebody else has to approve this."
        )
    ledger.lock(account_ids=[account.pk])
    if reverses is not None and (refusal := why_not_reversed(reverses)):
        raise ValidationError(refusal)
    wallet = Wallet.objects.get(account=account)
    adjustment = Adjustment.objects.create(
        wallet=wallet,
        amount=amount,
        reason=reason,
        author=author,
        author_limit=limit,
        approved_by=approver,
        reverses=reverses,
        created_at=now,
    )
    entry = ledger.post(
        account_id=account.pk,
        kind=EntryKind.ADJUSTMENT,
        amount=amount,
        description=_in_words(adjustment)[:300],
        now=now,
        adjustment=adjustment,
    )
    AuditEvent.objects.create(
        account=account,
        actor=author,
        action="adjustment_reversed" if reverses else "credit_adjusted",
        reason=reason,
        details={
            "amount": str(amount),
            "balance_after": str(entry.balance_after),
            **({"reverses": reverses.pk} if reverses else {}),
            **({"approved_by": str(approver)} if approver else {}),
        },
        created_at=now,
    )
    return entry


def reverse(
    *,
    adjustment: Adjustment,
    reason: str,
    by: User,
    now: datetime,
    approver: User | None = None,
) -> Entry:
    """Take an adjustment back, once, with an entry of the opposite amount that names it.

    Raises ValidationError when it is reversed already or a reversal itself; and as adjust() does.
    """
    return adjust(
        account=adjustment.wallet.account,
        amount=-adjustment.amount,
        reason=reason,
        author=by,
        now=now,
        approver=approver,
        reverses=adjustment,
    )


def _in_words(adjustment: Adjustment) -> str:
    reversed_one = adjustment.reverses
    if reversed_one is None:
        return ADJUSTMENT.write(reason=adjustment.reason)
    return REVERSAL.write(
        day=f"{reversed_one.created_at:%Y-%m-%d}",
        what=reversed_one.reason[:_LONGEST_QUOTE],
        reason=adjustment.reason,
    )
