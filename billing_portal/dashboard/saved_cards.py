"""Payment Methods: saved cards with what each is used for and what can be done with it."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import OuterRef, Subquery
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts import cards
from accounts.models import Account, Card, CardStatus
from billing_portal.dashboard.rows import CardLabel, expires_soon, label_of, write_expiry
from billing_portal.dashboard.times import moment
from invoices.models import Status, Transaction
from plans import subscriptions
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
    last_used: str
    default_href: str
    remove_href: str
    remove_words: str
    keep_reason: str


@dataclass(frozen=True)
class _Uses:
    """What charges the default card."""

    plan: bool
    auto_refill: bool
    needed: str
    may_manage: bool
    heir: Card | None


def pays_for_a_subscription(card: Card) -> bool:
    """Whether a subscription is charged to this card: only owners remove it."""
    return card.is_default and bool(subscriptions.needs_card(card.account))


def build_cards(*, account: Account, may_manage: bool, now: datetime) -> tuple[SavedCard, ...]:
    """Compose the list, default first; `may_manage` members may remove what a plan is charged to.

    Five queries or fewer, whatever was charged.
    """
    charged = Transaction.objects.filter(
        account=account, card=OuterRef("pk"), status=Status.PAID
    ).order_by("-created_at", "-id")
    found = list(
        account.cards.filter(status__in=SHOWN_STATUSES)
        .annotate(last_charged_at=Subquery(charged.values("paid_at")[:1]))
        .order_by("-is_default", "-created_at")
    )
    if not found:
        return ()
    verified = [card for card in found if card.status == CardStatus.VERIFIED]
    uses = _Uses(
        plan=bool(subscriptions.needs_card(account)),
        auto_refill=AutoRefill.objects.filter(wallet__account=account, enabled=True).exists(),
        needed=cards.why_needed(account=account) if len(verified) == 1 else "",
        may_manage=may_manage,
        heir=cards.heir_of(verified, account=account, now=now),
    )
    return tuple(_saved_card(card, account=account, uses=uses, now=now) for card in found)


def _saved_card(card: Card, *, account: Account, uses: _Uses, now: datetime) -> SavedCard:
    today = now.astimezone(account.timezone).date()
    is_verifying = card.status == CardStatus.VERIFYING
    keep_reason = _keep_reason(uses) if card.is_default else ""
    is_expired = card.has_expired(today=today)
    fixed = card.is_default or is_verifying or is_expired
    default_href = "" if fixed else "payment-method-default"
    last: datetime | None = card.last_charged_at  # type: ignore[attr-defined]
    return SavedCard(
        label=label_of(card),
        expiry=write_expiry(card),
        holder=card.holder_name,
        is_default=card.is_default,
        is_verifying=is_verifying,
        is_expired=is_expired,
        expires_soon=expires_soon(card, today=today),
        used_for=_used_for(card, uses, is_expired=is_expired),
        last_used=(
            _("Last charged on %(day)s.") % {"day": moment(last, account.timezone).day}
            if last
            else _("Not charged yet.")
        ),
        default_href=reverse(default_href, args=[card.pk]) if default_href else "",
        remove_href=(
            "" if keep_reason or is_verifying else reverse("payment-method-remove", args=[card.pk])
        ),
        remove_words=_remove_words(card, uses),
        keep_reason=keep_reason,
    )


def _keep_reason(uses: _Uses) -> str:
    """Why the default card stays, for this member."""
    if uses.needed:
        return uses.needed
    if uses.plan and not uses.may_manage:
        return _("Your plan is charged to this card, so only an owner can remove it.")
    return ""


def _remove_words(card: Card, uses: _Uses) -> str:
    """What removing a card brings about."""
    if card.is_default and uses.heir is not None:
        return _("It will not be charged again. %(card)s becomes the default.") % {
            "card": label_of(uses.heir).spoken
        }
    return _("It will not be charged again. Its receipts stay in Billing History.")


def _used_for(card: Card, uses: _Uses, *, is_expired: bool) -> str:
    if card.status == CardStatus.VERIFYING:
        return _("Being verified; this takes a minute at most.")
    if not card.is_default:
        if is_expired:
            return _("It can't be the default any more: add it again with its new date.")
        return _("Used when you choose it for a top-up.")
    if is_expired:
        return {
            (False, False): _(
                "Used for top-ups, and likely to be declined: add it again with its new date."
            ),
            (True, False): _(
                "Used for top-ups and plan renewals, and likely to be declined: add it again with "
                "its new date."
            ),
            (False, True): _(
                "Used for top-ups and Auto-Refill, and likely to be declined: add it again with "
                "its new date."
            ),
            (True, True): _(
                "Used for top-ups, plan renewals and Auto-Refill, and likely to be declined: add "
                "it again with its new date."
            ),
        }[uses.plan, uses.auto_refill]
    return {
        (False, False): _("Used for top-ups."),
        (True, False): _("Used for top-ups and plan renewals."),
        (False, True): _("Used for top-ups and Auto-Refill."),
        (True, True): _("Used for top-ups, plan renewals and Auto-Refill."),
    }[uses.plan, uses.auto_refill]
