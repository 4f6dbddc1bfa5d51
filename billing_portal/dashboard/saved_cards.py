"""Payment Methods: saved cards with what each is used for and what can be done with it."""

from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from accounts import cards
from accounts.models import Account, Card, CardStatus
from billing_portal.dashboard.rows import (
    CardLabel,
    expires_soon,
    label_of,
    write_expiry,
)
from plans.subscription_models import CURRENT_STATUSES
from wallet.models import AutoRefill

SHOWN_STATUSES = (CardStatus.VERIFIED, CardStatus.VERIFYING)


@dataclass(frozen=True)
class SavedCard:
    """One card of Payment Methods."""

    label: CardLabel
    expiry: str
    holder: str
    is_default: bool
    is_verifying: bool
    is_expired: bool
    expires_soon: bool
    used_for: str
    default_href: str
    remove_href: str
    keep_reason: str


def build_cards(*, account: Account, now: datetime) -> tuple[SavedCard, ...]:
    """Compose the list, default first."""
    found = list(
        account.cards.filter(status__in=SHOWN_STATUSES).order_by("-is_default", "-created_at")
    )
    if not found:
        return ()
    verified = [card for card in found if card.status == CardStatus.VERIFIED]
    needed = cards.why_needed(account=account) if len(verified) == 1 else ""
    uses = _uses_of_default(account)
    return tuple(_saved_card(card, uses=uses, needed=needed, now=now) for card in found)


def _saved_card(card: Card, *, uses: str, needed: str, now: datetime) -> SavedCard:
    today = now.astimezone(card.account.timezone).date()
    is_verifying = card.status == CardStatus.VERIFYING
    keep_reason = needed if card.is_default else ""
    is_expired = card.has_expired(today=today)
    fixed = card.is_default or is_verifying or is_expired
    default_href = "" if fixed else "payment-method-default"
    return SavedCard(
        label=label_of(card),
        expiry=write_expiry(card),
        holder=card.holder_name,
        is_default=card.is_default,
        is_verifying=is_verifying,
        is_expired=is_expired,
        expires_soon=expires_soon(card, today=today),
        used_for=_used_for(card, uses, is_expired=is_expired),
        default_href=reverse(default_href, args=[card.pk]) if default_href else "",
        remove_href=(
            "" if keep_reason or is_verifying else reverse("payment-method-remove", args=[card.pk])
        ),
        keep_reason=keep_reason,
    )


def _used_for(card: Card, uses: str, *, is_expired: bool) -> str:
    if card.status == CardStatus.VERIFYING:
        return "Being verified; this takes a minute at most."
    if is_expired and card.is_default:
        return f"Used for {uses}, and likely to be declined: add it again with its new date."
    if is_expired:
        return "It can't be the default any more: add it again with its new date."
    if card.is_default:
        return f"Used for {uses}."
    return "Used when you choose it for a top-up."


def _uses_of_default(account: Account) -> str:
    """`top-ups, plan renewals and Auto-Refill`: what charges the default card now."""
    uses = ["top-ups"]
    if account.subscriptions.filter(
        status__in=CURRENT_STATUSES, plan_version__monthly_price__gt=0
    ).exists():
        uses.append("plan renewals")
    if AutoRefill.objects.filter(wallet__account=account, enabled=True).exists():
        uses.append("Auto-Refill")
    if len(uses) == 1:
        return uses[0]
    return f"{', '.join(uses[:-1])} and {uses[-1]}"
