"""Auto-Refill in Settings: its monthly maximum, and who agreed to what."""

from dataclasses import dataclass
from datetime import tzinfo

from django.utils.translation import gettext as _

from accounts.models import Account
from accounts.money import format_usd
from billing_portal.dashboard.times import Moment, moment
from wallet.models import AutoRefill, AutoRefillConsent, ConsentAction, Wallet

#: How many of the newest the page lists.
SHOWN_CONSENTS = 20


@dataclass(frozen=True)
class ConsentRow:
    """What somebody agreed to, or took back."""

    at: Moment
    action: str
    by: str
    terms: str
    text: str


@dataclass(frozen=True)
class ConsentsPanel:
    """The panel."""

    sentence: str
    rows: tuple[ConsentRow, ...]


def build_consents(account: Account, wallet: Wallet | None) -> ConsentsPanel:
    """Compose the panel."""
    given = account.auto_refill_consents.select_related("given_by")[:SHOWN_CONSENTS]
    refill = AutoRefill.objects.filter(wallet=wallet, enabled=True).first() if wallet else None
    return ConsentsPanel(
        sentence=_sentence(refill),
        rows=tuple(_row(consent, zone=account.timezone) for consent in given),
    )


def _sentence(refill: AutoRefill | None) -> str:
    """What it does now, and how much at most."""
    if refill is None:
        return _("Auto-Refill is off.")
    if refill.monthly_maximum is None:
        return _("Auto-Refill is on, without a monthly maximum.")
    return _("Auto-Refill is on and charges at most %(most)s in a calendar month.") % {
        "most": format_usd(refill.monthly_maximum)
    }


def _row(consent: AutoRefillConsent, *, zone: tzinfo) -> ConsentRow:
    return ConsentRow(
        at=moment(consent.created_at, zone),
        action=consent.get_action_display(),
        by=consent.given_by.spoken_name if consent.given_by else "",
        terms="" if consent.action == ConsentAction.SWITCHED_OFF else _terms(consent),
        text=consent.text,
    )


def _terms(consent: AutoRefillConsent) -> str:
    written = {
        "amount": format_usd(consent.amount.amount),
        "threshold": format_usd(consent.threshold.amount),
    }
    if consent.monthly_maximum is None:
        return _("%(amount)s when below %(threshold)s") % written
    return _("%(amount)s when below %(threshold)s, at most %(most)s a month") % {
        **written,
        "most": format_usd(consent.monthly_maximum),
    }
