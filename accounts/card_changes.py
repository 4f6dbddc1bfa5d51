"""What banks and Stripe's dashboard do to saved cards, and what the customer is told in time.

A bank replaces a card and Stripe tells of its new number and date; somebody detaches one there.
Called by webhook receivers: nothing here calls the gateway.
"""

from datetime import datetime, timedelta

import structlog
from django.db import transaction

from accounts import cards, outbox
from accounts.models import Account, AuditEvent, Card, CardStatus, Message, MessageChannel
from accounts.stripe_objects import PaymentMethod

log = structlog.get_logger(__name__)

#: How long before the end of its last month a customer is told that the default card expires.
TOLD_BEFORE = timedelta(days=30)


@transaction.atomic
def update(
    *, method: PaymentMethod, customer_id: str, told_at: datetime, now: datetime
) -> Card | None:
    """Take over what Stripe says of a card at `told_at`; return it when something changed.

    What is older than what is known, and what is said of another customer's card, changes nothing.
    A default card with a new number or date is reason to try again what failed.
    """
    card = _locked(payment_method_id=method.id, customer_id=customer_id)
    if card is None or card.status == CardStatus.REMOVED:
        return None
    if card.updated_at is not None and card.updated_at > told_at:
        return None
    said: dict[str, str | int] = {
        "brand": method.brand,
        "last4": method.last4,
        "exp_month": method.exp_month,
        "exp_year": method.exp_year,
        "fingerprint": method.fingerprint or card.fingerprint,
        "holder_name": method.holder_name or card.holder_name,
    }
    before: dict[str, str | int] = {name: getattr(card, name) for name, value in said.items()}
    changed = {name for name, value in said.items() if value != before[name]}
    for name, value in said.items():
        setattr(card, name, value)
    card.updated_at = told_at
    card.save(update_fields=[*said, "updated_at"])
    if not changed:
        return None
    AuditEvent.objects.create(
        account=card.account,
        action="card_updated",
        details={
            "card": card.pk,
            "brand": card.brand,
            "last4": card.last4,
            "before": _written(before),
            "after": _written(said),
        },
        created_at=now,
    )
    if card.is_default and changed & {"last4", "exp_month", "exp_year"}:
        cards.tell_renewed_default(card.account, now)
    return card


def _written(said: dict[str, str | int]) -> str:
    return f"{said['brand']} {said['last4']} {said['exp_month']:02}/{said['exp_year']}"


@transaction.atomic
def detached(*, payment_method_id: str, customer_id: str, now: datetime) -> Card | None:
    """A card was detached in Stripe's dashboard: it can't be charged any more.

    Whatever depends on it: another card takes its place, or the account has none. What the portal
    detached itself is removed or rejected already, and stays so.
    """
    card = _locked(payment_method_id=payment_method_id, customer_id=customer_id)
    if card is None or card.status != CardStatus.VERIFIED:
        return None
    cards.take_away(card=card, account=card.account, action="card_detached", by=None, now=now)
    return card


def _locked(*, payment_method_id: str, customer_id: str) -> Card | None:
    """Return the card, its account locked, or None when it is not of this Stripe customer."""
    card = Card.objects.filter(stripe_payment_method_id=payment_method_id).first()
    if card is None:
        return None
    account = Account.objects.select_for_update(no_key=True).get(pk=card.account_id)
    if not customer_id or customer_id != account.stripe_customer_id:
        log.warning("card_of_another_customer", card=card.pk, customer=customer_id)
        return None
    card.refresh_from_db()
    card.account = account
    return card


def tell_expiring(*, now: datetime) -> int:
    """Tell whose default card is about to expire, once for each card and date; return how many."""
    soon = now + TOLD_BEFORE
    told = 0
    for card in Card.objects.filter(
        is_default=True,
        exp_year__in={now.year - 1, now.year, soon.year},
    ).select_related("account"):
        zone = card.account.timezone
        if card.has_expired(today=now.astimezone(zone).date()):
            continue
        if not card.has_expired(today=soon.astimezone(zone).date()):
            continue
        key = f"card_expiring:{card.pk}:{card.exp_year}-{card.exp_month:02}"
        if Message.objects.filter(channel=MessageChannel.EMAIL, key=key).exists():
            continue
        outbox.record_email(
            account=card.account,
            event="card_expiring",
            key=key,
            context={
                "card": str(card),
                "expiry": f"{card.exp_month:02} / {card.exp_year}",
                "needed": cards.why_needed(account=card.account) != "",
                "path": "/billing/payment-methods/add/",
            },
            now=now,
        )
        told += 1
    return told
