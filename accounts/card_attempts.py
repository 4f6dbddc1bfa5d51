"""Against carding: how many cards may be tried, by an account, a user and an address in an hour.

Whoever tests stolen cards wants many quick answers. Attempts are rows, not a cache: the count must
be the same in every process and survive a restart, and staff want to see who tried what. Each is
committed before Stripe is asked, so that one which dies still counts.
"""

from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Sum
from django.utils.translation import gettext as _

from accounts import cards, gateway, sweeps
from accounts.models import Account, AuditEvent, CardAttempt, CardAttemptOutcome, User
from accounts.stripe_objects import Setup

log = structlog.get_logger(__name__)

WINDOW = timedelta(hours=1)
#: So many cards may be tried with one SetupIntent; our page takes a new one after each decline.
TRIES_PER_SETUP = 3
#: The lock that lets one attempt at a time be counted, whichever limit it may reach.
_COUNTING = 0x63617264


class TooManyAttempts(ValidationError):
    """A limit is reached; the message does not say which."""


def begin(*, account: Account, by: User, ip_address: str | None, now: datetime) -> Setup:
    """Begin adding a card, unless too many were tried in the last hour.

    Raises TooManyAttempts, GatewayUnavailable, GatewayRefused.
    """
    attempt = _record(account=account, by=by, ip_address=ip_address, now=now)
    if attempt.outcome == CardAttemptOutcome.REFUSED:
        email = settings.SELLER["email"]
        raise TooManyAttempts(
            _("Too many cards were tried. Wait an hour, or write to %(email)s.") % {"email": email}
        )
    setup = cards.begin(account=account)
    CardAttempt.objects.filter(pk=attempt.pk).update(stripe_setup_intent_id=setup.id)
    return setup


@transaction.atomic(durable=True)
def _record(*, account: Account, by: User, ip_address: str | None, now: datetime) -> CardAttempt:
    """Count the attempt, or note that it is refused: one at a time, so that none slips through."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_COUNTING])
    limit = _limit_reached(account=account, by=by, ip_address=ip_address, now=now)
    attempt = CardAttempt.objects.create(
        account=account,
        user=by,
        ip_address=ip_address,
        outcome=CardAttemptOutcome.REFUSED if limit else CardAttemptOutcome.BEGUN,
        failure_code=limit,
        created_at=now,
    )
    if limit:
        log.warning("card_attempt_refused", account=str(account.pk), limit=limit)
        _tell_staff_once(attempt)
    return attempt


def _limit_reached(*, account: Account, by: User, ip_address: str | None, now: datetime) -> str:
    """Return which limit is reached, or "". What was refused counts for nothing."""
    counted = CardAttempt.objects.filter(created_at__gt=now - WINDOW).exclude(
        outcome=CardAttemptOutcome.REFUSED
    )
    limits = settings.CARD_ATTEMPTS_PER_HOUR
    for limit, attempts in (
        ("account", counted.filter(account=account)),
        ("user", counted.filter(user=by)),
        ("address", counted.filter(ip_address=ip_address) if ip_address else counted.none()),
    ):
        if (attempts.aggregate(tries=Sum("tries"))["tries"] or 0) >= limits[limit]:
            return limit
    return ""


def _tell_staff_once(attempt: CardAttempt) -> None:
    """Record in the account's history that its attempts are refused, once an hour."""
    recent = AuditEvent.objects.filter(
        account=attempt.account,
        action="card_attempts_refused",
        created_at__gt=attempt.created_at - WINDOW,
    )
    if not recent.exists():
        AuditEvent.objects.create(
            account=attempt.account,
            actor=attempt.user,
            action="card_attempts_refused",
            details={"limit": attempt.failure_code, "ip_address": attempt.ip_address or ""},
            created_at=attempt.created_at,
        )


@transaction.atomic
def note_failure(*, setup_intent_id: str, code: str) -> None:
    """The bank refused a card before it came to us: one more try with its SetupIntent."""
    attempt = (
        CardAttempt.objects.select_for_update(of=("self",))
        .filter(stripe_setup_intent_id=setup_intent_id)
        .first()
    )
    if attempt is None:
        return
    if attempt.outcome == CardAttemptOutcome.DECLINED:
        attempt.tries += 1
    else:
        attempt.outcome = CardAttemptOutcome.DECLINED
    attempt.failure_code = code
    attempt.save(update_fields=["outcome", "tries", "failure_code"])


def close_overused(*, now: datetime) -> int:
    """Cancel the SetupIntents with which too many cards were tried; return how many."""
    overused = CardAttempt.objects.filter(
        outcome=CardAttemptOutcome.DECLINED,
        tries__gte=TRIES_PER_SETUP,
        closed_at__isnull=True,
    )

    def close(attempt: CardAttempt) -> int:
        try:
            gateway.cancel_setup(attempt.stripe_setup_intent_id)
        except gateway.GatewayUnavailable:
            log.warning("setup_not_canceled", setup_intent=attempt.stripe_setup_intent_id)
            return 0
        return CardAttempt.objects.filter(pk=attempt.pk).update(closed_at=now)

    return sweeps.Run().each(overused, close, broke="setup_sweep_broke")
