"""Cards: added with a $1 hold that is voided at once, made default, removed.

Adding is three steps, each of which may be the last one a dying process takes: record the card as
`verifying` (committed), place the hold at Stripe under a key of its own, void it and settle the
card. `card_sweeps` takes up whatever was left, asks under the same key and so gets the
same hold: it always ends voided (invariant I12).
"""

from collections.abc import Callable, Iterable
from datetime import datetime

import structlog
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext, gettext_noop
from djmoney.money import Money

from accounts import gateway
from accounts.models import (
    Account,
    AuditEvent,
    Card,
    CardAttempt,
    CardAttemptOutcome,
    CardStatus,
    User,
)
from accounts.money import convert_to_omr
from accounts.recorded_words import Sentence
from accounts.stripe_objects import Outcome, Setup

log = structlog.get_logger(__name__)

#: Asked before the default card is removed, in order; each returns why it is still needed, or "".
#: The apps that charge cards register here, since they know what depends on one.
_needs: list[Callable[[Account], str]] = []
#: Told, inside the transaction, that somebody of an account chose a new default card.
_default_listeners: list[Callable[[Account, datetime], None]] = []
#: Told, inside the transaction, that the default card is another, or has another number or date,
#: and that nobody of the account did it.
_renewed_listeners: list[Callable[[Account, datetime], None]] = []

SAVED_ALREADY = Sentence(gettext_noop("%(card)s is saved already."))


class HoldNotVoided(Exception):
    """Stripe refuses to void a hold."""


class HoldUnknown(Exception):
    """Stripe refuses to say whether there is a hold: the portal's key may be of another account."""


def register_need(reason: Callable[[Account], str]) -> None:
    """Register a function that says why an account's default card can't go, or returns ""."""
    _needs.append(reason)


def on_new_default(listener: Callable[[Account, datetime], None]) -> None:
    """Register a function to call when somebody chooses an account's default card."""
    _default_listeners.append(listener)


def on_renewed_default(listener: Callable[[Account, datetime], None]) -> None:
    """Register a function to call when the default card changes without the customer."""
    _renewed_listeners.append(listener)


def default_card(*, account: Account) -> Card | None:
    """Return the card that is charged, or None."""
    return account.cards.filter(is_default=True).first()


def ensure_customer(*, account: Account) -> str:
    """Return the account's Stripe customer id, creating the customer on first use.

    Raises GatewayUnavailable, GatewayRefused.
    """
    if not account.stripe_customer_id:
        account.stripe_customer_id = gateway.create_customer(account=account)
        account.save(update_fields=["stripe_customer_id"])
    return account.stripe_customer_id


def begin(*, account: Account) -> Setup:
    """Begin adding a card; the browser confirms it with Stripe.

    Raises GatewayUnavailable, GatewayRefused.
    """
    return gateway.create_setup(customer_id=ensure_customer(account=account))


def add(*, account: Account, setup_intent_id: str, by: User | None, now: datetime) -> Card:
    """Save the card that the browser confirmed, and verify it with a hold that is voided at once.

    Called again for the same SetupIntent it returns the same card. The card may come back
    `rejected` (see rejection_message), or still `verifying` when Stripe gave no answer: the
    sweeper finishes it. Raises ValidationError when the SetupIntent is not this account's or was
    not confirmed; GatewayUnavailable before anything is recorded.
    """
    known = Card.objects.filter(stripe_setup_intent_id=setup_intent_id).first()
    if known is not None:
        if known.account_id != account.pk:
            raise ValidationError(gettext("This card could not be added. Start again."))
        return finish_verification(card=known, now=now)
    try:
        setup = gateway.retrieve_setup(setup_intent_id)
    except gateway.GatewayRefused as refusal:
        raise ValidationError(gettext("This card could not be added. Start again.")) from refusal
    if not account.stripe_customer_id or setup.customer_id != account.stripe_customer_id:
        raise ValidationError(gettext("This card could not be added. Start again."))
    if setup.status != "succeeded" or setup.payment_method is None:
        raise ValidationError(gettext("Your bank has not confirmed the card yet. Enter it again."))
    method = setup.payment_method
    same_method = Card.objects.filter(stripe_payment_method_id=method.id)
    if (twin := same_method.exclude(stripe_setup_intent_id=setup.id).first()) is not None:
        # Two setups of one payment method: whatever the second says, the first decides.
        raise ValidationError(gettext("%(card)s is saved already.") % {"card": twin})
    card, _ = Card.objects.get_or_create(
        stripe_setup_intent_id=setup.id,
        defaults={
            "account": account,
            "stripe_payment_method_id": method.id,
            "brand": method.brand,
            "last4": method.last4,
            "exp_month": method.exp_month,
            "exp_year": method.exp_year,
            "fingerprint": method.fingerprint,
            "holder_name": method.holder_name,
            "created_by": by,
            "created_at": now,
        },
    )
    return finish_verification(card=card, now=now)


def _twin_of(card: Card) -> Card | None:
    """Return the same card, saved before: same number and expiry."""
    return (
        Card.objects.filter(
            account_id=card.account_id,
            status=CardStatus.VERIFIED,
            fingerprint=card.fingerprint,
            exp_month=card.exp_month,
            exp_year=card.exp_year,
        )
        .exclude(fingerprint="")
        # Another process may have verified this very card since it was read.
        .exclude(pk=card.pk)
        .first()
    )


def finish_verification(*, card: Card, now: datetime) -> Card:
    """Take a verifying card to its end: hold placed, voided, card verified or rejected.

    When Stripe gives no answer, or none about a hold that an earlier request may have placed, the
    card stays `verifying`, for the sweeper: after an hour the audit tells staff of it.
    """
    if card.status != CardStatus.VERIFYING:
        return card
    try:
        return _verify(card=card, now=now)
    except gateway.GatewayUnavailable:
        log.warning("card_verification_unfinished", card=card.pk)
        card.refresh_from_db()
        return card
    except HoldUnknown as refusal:
        log.error("hold_unknown", card=card.pk, why=str(refusal))
        card.refresh_from_db()
        return card
    except gateway.GatewayRefused as refusal:
        return _settle(
            card=card,
            rejection=gettext_noop("This card can't be used here."),
            code=str(refusal),
            now=now,
        )
    except HoldNotVoided as refusal:
        log.error("hold_not_voided", card=card.pk, hold=str(refusal))
        return _settle(
            card=card,
            rejection=gettext_noop("This card could not be verified. Use another one."),
            code="hold_not_voided",
            now=now,
            is_voided=False,
        )


def _verify(*, card: Card, now: datetime) -> Card:
    """Place the hold, void it and settle the card. Raises what the gateway raises."""
    if now - card.created_at >= gateway.KEY_LIFETIME:
        # Asking again would be a second hold: the first one is looked up and voided.
        _give_up(card)
        too_late = gettext_noop("The card could not be verified in time. Add it again.")
        return _settle(card=card, rejection=too_late, code="too_late", now=now)
    if (twin := _twin_of(card)) is not None:
        _give_up(card)
        return _settle(
            card=card, rejection=SAVED_ALREADY.write(card=twin), code="duplicate", now=now
        )
    dollars = settings.CARD_HOLD_AMOUNT
    rials = convert_to_omr(dollars, rate=settings.USD_TO_OMR, step=settings.CHARGE_STEP)
    try:
        hold = gateway.place_hold(
            customer_id=card.account.stripe_customer_id,
            payment_method_id=card.stripe_payment_method_id,
            setup_intent_id=card.stripe_setup_intent_id,
            amount=Money(rials, settings.CHARGE_CURRENCY),
        )
    except gateway.GatewayRefused:
        # This request placed none. An earlier one, that was not answered, may have.
        _give_up(card)
        raise
    if hold.payment_intent_id:
        Card.objects.filter(pk=card.pk).update(stripe_hold_id=hold.payment_intent_id)
        # Also after a decline: a declined PaymentIntent must not stay open at Stripe.
        void(hold.payment_intent_id)
    # A bank that wants each payment confirmed has just had the card itself confirmed by its owner:
    # that it asks again says nothing against the card.
    if hold.outcome == Outcome.DECLINED and not hold.wants_confirmation:
        gateway.detach_card(card.stripe_payment_method_id)
        return _settle(card=card, rejection=hold.failure_message, code=hold.failure_code, now=now)
    return _settle(card=card, rejection="", code="", now=now)


def _give_up(card: Card) -> None:
    """Void whatever hold an earlier request may have placed, and make the card unusable.

    Raises HoldUnknown when Stripe refuses to tell which there are.
    """
    try:
        holds = gateway.find_holds(
            customer_id=card.account.stripe_customer_id, setup_intent_id=card.stripe_setup_intent_id
        )
    except gateway.GatewayRefused as refusal:
        raise HoldUnknown(str(refusal)) from refusal
    for hold_id in holds:
        Card.objects.filter(pk=card.pk).update(stripe_hold_id=hold_id)
        void(hold_id)
    gateway.detach_card(card.stripe_payment_method_id)


def void(hold_id: str) -> None:
    """Void a hold. Raises HoldNotVoided when Stripe refuses: somebody has captured it there."""
    try:
        gateway.void_hold(hold_id)
    except gateway.GatewayRefused as refusal:
        raise HoldNotVoided(hold_id) from refusal


@transaction.atomic
def _settle(
    *, card: Card, rejection: str, code: str, now: datetime, is_voided: bool = True
) -> Card:
    """Record how the verification ended, once; the first verified card becomes the default."""
    account = Account.objects.select_for_update(no_key=True).get(pk=card.account_id)
    card.refresh_from_db()
    if card.status != CardStatus.VERIFYING:
        return card
    card.hold_voided_at = now if is_voided else None
    if rejection:
        card.status = CardStatus.REJECTED
        card.rejection_message = rejection
    else:
        card.status = CardStatus.VERIFIED
        card.is_default = not account.cards.filter(is_default=True).exists()
    card.save()
    _record(account, card.created_by, f"card_{card.status}", card, now, failure_code=code)
    CardAttempt.objects.filter(stripe_setup_intent_id=card.stripe_setup_intent_id).update(
        outcome=CardAttemptOutcome.REJECTED if rejection else CardAttemptOutcome.ADDED,
        failure_code=code,
    )
    if card.is_default:
        tell_new_default(account, now)
    return card


@transaction.atomic
def make_default(*, card: Card, by: User | None, now: datetime) -> Card:
    """Charge this card from now on.

    Raises ValidationError when it is not a verified card, or has expired.
    """
    account = Account.objects.select_for_update(no_key=True).get(pk=card.account_id)
    card.refresh_from_db()
    if card.status != CardStatus.VERIFIED:
        raise ValidationError(gettext("Only a verified card can be the default."))
    if card.is_default:
        return card
    if card.has_expired(today=now.astimezone(account.timezone).date()):
        raise ValidationError(
            gettext("%(card)s has expired. Add it again with its new date, or another.")
            % {"card": card}
        )
    account.cards.filter(is_default=True).update(is_default=False)
    card.is_default = True
    card.save(update_fields=["is_default"])
    _record(account, by, "card_made_default", card, now)
    tell_new_default(account, now)
    return card


def remove(*, card: Card, by: User | None, now: datetime) -> Card:
    """Remove a card. When it was the default, the newest other verified card takes its place.

    Raises ValidationError, saying why, when it is the last card and something depends on it, or
    while it is being verified.
    """
    with transaction.atomic():
        account = Account.objects.select_for_update(no_key=True).get(pk=card.account_id)
        card.refresh_from_db()
        if card.status == CardStatus.REMOVED:
            return card
        if card.status == CardStatus.VERIFYING:
            # Its hold may be open: a card that is gone would never have it voided.
            raise ValidationError(gettext("This card is being verified. Try again in a minute."))
        is_last = not account.cards.filter(status=CardStatus.VERIFIED).exclude(pk=card.pk).exists()
        if card.is_default and is_last and (why := why_needed(account=account)):
            raise ValidationError(why)
        take_away(card=card, account=account, action="card_removed", by=by, now=now)
    try:
        gateway.detach_card(card.stripe_payment_method_id)
    except gateway.GatewayUnavailable:
        # Removed here means never charged again, whatever Stripe still remembers.
        log.warning("card_not_detached", card=card.pk)
    return card


def take_away(*, card: Card, account: Account, action: str, by: User | None, now: datetime) -> None:
    """Mark a card as removed; when it was the default, its heir takes its place.

    The caller has locked the account.
    """
    was_default = card.is_default
    card.status = CardStatus.REMOVED
    card.is_default = False
    card.removed_at = now
    card.save(update_fields=["status", "is_default", "removed_at"])
    _record(account, by, action, card, now)
    heir = heir_of(account.cards.filter(status=CardStatus.VERIFIED), account=account, now=now)
    if was_default and heir is not None:
        heir.is_default = True
        heir.save(update_fields=["is_default"])
        _record(account, by, "card_made_default", heir, now)
        if by is None:
            # Nobody of the account chose it.
            tell_renewed_default(account, now)
        else:
            tell_new_default(account, now)


def heir_of(others: Iterable[Card], *, account: Account, now: datetime) -> Card | None:
    """Return which of these verified cards becomes the default when the default one goes.

    The newest that has not expired, else the newest; None without another.
    """
    today = now.astimezone(account.timezone).date()
    rest = sorted(
        (card for card in others if not card.is_default),
        key=lambda card: (not card.has_expired(today=today), card.created_at, card.pk),
    )
    return rest[-1] if rest else None


def why_needed(*, account: Account) -> str:
    """Return why the account must keep a card, in words for the customer, or ""."""
    return next((why for need in _needs if (why := need(account))), "")


def tell_new_default(account: Account, now: datetime) -> None:
    """There is reason to charge again: somebody chose another default card."""
    for listener in _default_listeners:
        listener(account, now)


def tell_renewed_default(account: Account, now: datetime) -> None:
    """There is reason to charge again: the bank or Stripe's dashboard changed the default card."""
    for listener in _renewed_listeners:
        listener(account, now)


def _record(
    account: Account, by: User | None, action: str, card: Card, now: datetime, **details: str
) -> None:
    AuditEvent.objects.create(
        account=account,
        actor=by,
        action=action,
        details={"card": card.pk, "brand": card.brand, "last4": card.last4, **details},
        created_at=now,
    )
