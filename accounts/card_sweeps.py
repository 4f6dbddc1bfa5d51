"""What a process that died left of a card's verification: each is finished, exactly once."""

from datetime import datetime, timedelta

import structlog
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.db.models import Q
from djstripe.models import SetupIntent

from accounts import cards, gateway, sweeps
from accounts.models import Account, Card, CardStatus

log = structlog.get_logger(__name__)

#: A card that has been verifying for longer than this was left behind by a process that died.
VERIFICATION_TIMEOUT = timedelta(minutes=1)


def finish_verifications(*, now: datetime) -> int:
    """Finish every verification that a dead process left behind; return how many."""
    run = sweeps.Run()
    finished = _save_confirmed(run, now=now)
    left = Card.objects.filter(
        status=CardStatus.VERIFYING, created_at__lt=now - VERIFICATION_TIMEOUT
    ).select_related("account")

    def finish(card: Card) -> bool:
        return cards.finish_verification(card=card, now=now).status != CardStatus.VERIFYING

    finished += run.each(left, finish, broke="card_sweep_broke")
    return finished + _void_left_holds(run, now=now)


def _void_left_holds(run: sweeps.Run, *, now: datetime) -> int:
    """Void the holds that Stripe refused to void before; return how many are voided now.

    One that was captured counts as voided once it is refunded, which takes a person.
    """
    left = Card.objects.filter(hold_voided_at__isnull=True).exclude(
        Q(status=CardStatus.VERIFYING) | Q(stripe_hold_id="")
    )

    def void(card: Card) -> int:
        try:
            cards.void(card.stripe_hold_id)
        except (cards.HoldNotVoided, gateway.GatewayUnavailable):
            log.warning("hold_not_voided", card=card.pk, hold=card.stripe_hold_id)
            return 0
        return Card.objects.filter(pk=card.pk).update(hold_voided_at=now)

    return run.each(left, void, broke="hold_sweep_broke")


def _save_confirmed(run: sweeps.Run, *, now: datetime) -> int:
    """Save the cards that were confirmed in a browser which never came back to say so.

    dj-stripe keeps every confirmed SetupIntent; those of the last day without a card are ours.
    """
    confirmed = SetupIntent.objects.filter(
        stripe_data__status="succeeded",
        created__gt=now - timedelta(days=1),
        created__lt=now - VERIFICATION_TIMEOUT,
    ).exclude(id__in=Card.objects.values("stripe_setup_intent_id"))

    def save(intent: SetupIntent) -> int:
        method_id = intent.stripe_data.get("payment_method")
        if Card.objects.filter(stripe_payment_method_id=method_id).exists():
            return 0  # a second setup of a saved card: there is nothing to ask Stripe about
        owner = (
            Account.objects.exclude(stripe_customer_id="")
            .filter(stripe_customer_id=intent.stripe_data.get("customer") or "")
            .first()
        )
        if owner is None:
            return 0
        try:
            cards.add(account=owner, setup_intent_id=intent.id, by=None, now=now)
        except (ValidationError, gateway.GatewayUnavailable, IntegrityError) as error:
            log.warning("confirmed_card_not_saved", setup_intent=intent.id, why=str(error))
            return 0
        return 1

    return run.each(confirmed, save, broke="confirmed_card_sweep_broke")
