"""The customer's rule for auto-refill, and the consent it charges by. All amounts are USD."""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, Decimal

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction as database
from django.utils.translation import gettext

from accounts import cards
from accounts.models import Account, AuditEvent, Card, User
from accounts.money import format_usd, to_cents, usd
from invoices import charging
from wallet import refill_caps, refills, topups
from wallet.models import AutoRefill, AutoRefillConsent, ConsentAction, Wallet
from wallet.refill_caps import MAXIMUM_PER_DAY

MAXIMUM_THRESHOLD = Decimal("100000.00")
MAXIMUM_PER_MONTH = Decimal("1000000.00")


@dataclass(frozen=True, slots=True)
class Terms:
    """Below what it tops up, by how much (net), and how much a month it may charge in all."""

    threshold: Decimal
    amount: Decimal
    monthly_maximum: Decimal | None = None


def agreement() -> str:
    """Return what a customer agrees to by switching auto-refill on, in the words they are shown.

    It is kept in that language: it was agreed to as it was read.
    """
    return gettext(
        "While Auto-Refill is on, %(seller)s charges your default card the Top Up "
        "Amount, plus tax if you pay any, each time the balance is below the Threshold: at most "
        "%(times)s times in 24 hours and, if you set one, up to the Monthly Maximum in a "
        "calendar month. You can switch it off at any time; a charge that is under way then is "
        "still completed."
    ) % {"seller": settings.SELLER["name"], "times": MAXIMUM_PER_DAY}


def of_wallet(*, wallet: Wallet) -> AutoRefill:
    """Return the wallet's auto-refill, off by default."""
    refill, _ = AutoRefill.objects.get_or_create(wallet=wallet)
    return refill


def configure(
    *,
    account: Account,
    enabled: bool,
    terms: Terms,
    minimum: Decimal,
    by: User | None,
    now: datetime,
) -> AutoRefill:
    """Switch auto-refill on or off and set its terms; keep what was agreed to by whom.

    Switching it on again lifts a suspension. A refill that is open is finished as it was begun.
    `minimum` is the least the account's plan lets it buy at once. Raises ValidationError, by field,
    without a default card, or for terms that can't be.
    """
    _check(account=account, enabled=enabled, terms=terms, minimum=minimum)
    with database.atomic():
        wallet = Wallet.objects.select_for_update(no_key=True).get(account=account)
        of_wallet(wallet=wallet)
        refill = AutoRefill.objects.select_for_update(no_key=True).get(wallet=wallet)
        action = _action(refill, enabled=enabled, terms=terms)
        before = terms_of(refill)
        refill.threshold, refill.amount = usd(terms.threshold), usd(terms.amount)
        refill.monthly_maximum = terms.monthly_maximum
        refill.enabled = enabled
        if action is not None:
            refill.consent = record_consent(account, action, terms, by=by, now=now)
        if action == ConsentAction.SWITCHED_ON:
            for field, value in refills.AFRESH.items():
                setattr(refill, field, value)
        if before != terms or action is not None:
            # What the caps allow is asked anew; a wait after a decline goes on.
            refill.capped_until = None
            AuditEvent.objects.create(
                account=account,
                actor=by,
                action="auto_refill_configured",
                details={
                    "enabled": enabled,
                    "threshold": str(terms.threshold),
                    "amount": str(terms.amount),
                    "monthly_maximum": (
                        None if terms.monthly_maximum is None else str(terms.monthly_maximum)
                    ),
                },
                created_at=now,
            )
        refill.save()
        refills.nudge(account_ids=[account.pk])
    return refill


def terms_of(refill: AutoRefill) -> Terms:
    """Return the terms of a rule."""
    return Terms(
        threshold=refill.threshold.amount,
        amount=refill.amount.amount,
        monthly_maximum=refill.monthly_maximum,
    )


def charges_on_saving(
    *, wallet: Wallet, card: Card | None, charges: refill_caps.Charges, terms: Terms, now: datetime
) -> int:
    """Return how many refills are made at once when a rule with these terms is on.

    `card` is the default one, `charges` what refills have charged. None while the balance is not
    below the threshold, without a card, beyond the caps, or in the wait after a decline that
    changing the amounts of a rule does not end.
    """
    if card is None:
        return 0
    refill: AutoRefill | None = getattr(wallet, "auto_refill", None)
    goes_on = refill is not None and refill.enabled and refill.suspended_at is None
    if goes_on and refill and refill.next_attempt_at and refill.next_attempt_at > now:
        return 0
    gap = terms.threshold - wallet.balance - charges.under_way
    if gap <= 0:
        return 0
    needed = int((gap / terms.amount).to_integral_value(rounding=ROUND_CEILING))
    return min(
        needed,
        refill_caps.refills_allowed(
            account=wallet.account,
            charges=charges,
            amount=terms.amount,
            monthly_maximum=terms.monthly_maximum,
        ),
    )


def _check(*, account: Account, enabled: bool, terms: Terms, minimum: Decimal) -> None:
    errors: dict[str, str] = {}
    threshold, maximum = terms.threshold, terms.monthly_maximum
    if not threshold.is_finite() or threshold < 0 or threshold != to_cents(threshold):
        errors["threshold"] = gettext("Enter an amount of zero or more, in whole cents.")
    elif threshold > MAXIMUM_THRESHOLD:
        errors["threshold"] = gettext("Enter at most %(maximum)s.") % {
            "maximum": format_usd(MAXIMUM_THRESHOLD)
        }
    try:
        topups.check_amount(terms.amount, minimum=minimum)
    except ValidationError as error:
        errors["amount"] = error.messages[0]
    if maximum is not None and "amount" not in errors:
        least = charging.quote(terms.amount, account=account).amount
        if not maximum.is_finite() or maximum < least:
            errors["monthly_maximum"] = gettext(
                "Enter at least %(least)s, what one top-up costs."
            ) % {"least": format_usd(least)}
        elif maximum > MAXIMUM_PER_MONTH:
            errors["monthly_maximum"] = gettext("Enter at most %(maximum)s.") % {
                "maximum": format_usd(MAXIMUM_PER_MONTH)
            }
        elif maximum != to_cents(maximum):
            errors["monthly_maximum"] = gettext("Enter whole cents, such as 250.00.")
    if enabled and cards.default_card(account=account) is None:
        errors["enabled"] = gettext(
            "Add a payment method first: auto-refill charges your default card."
        )
    if errors:
        raise ValidationError(errors)


def _action(refill: AutoRefill, *, enabled: bool, terms: Terms) -> ConsentAction | None:
    """Return what saving does to the consent, or None when nothing of it changes."""
    if not enabled:
        return ConsentAction.SWITCHED_OFF if refill.enabled else None
    if not refill.enabled or refill.suspended_at is not None:
        return ConsentAction.SWITCHED_ON
    return None if terms_of(refill) == terms else ConsentAction.CHANGED


def record_consent(
    account: Account, action: ConsentAction, terms: Terms, *, by: User | None, now: datetime
) -> AutoRefillConsent:
    """Keep what was agreed to, or that it was taken back, and by whom."""
    return AutoRefillConsent.objects.create(
        account=account,
        action=action,
        given_by=by,
        threshold=usd(terms.threshold),
        amount=usd(terms.amount),
        monthly_maximum=terms.monthly_maximum,
        text="" if action == ConsentAction.SWITCHED_OFF else agreement(),
        created_at=now,
    )
