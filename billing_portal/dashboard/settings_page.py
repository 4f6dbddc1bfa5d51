"""Settings: billing details and notices, in sections that are each saved by themselves."""

from dataclasses import dataclass
from datetime import tzinfo
from decimal import Decimal

from django.conf import settings

from accounts import billing_details
from accounts.models import Account
from accounts.money import format_usd
from billing_portal.dashboard.forms import BillingDetailsForm, LowBalanceForm
from billing_portal.dashboard.rows import Fact
from billing_portal.dashboard.settings_tabs import Tab, settings_tabs
from billing_portal.dashboard.times import Moment, moment
from invoices import settlement, tax
from wallet.models import (
    DEFAULT_LOW_BALANCE_LIMIT,
    AutoRefillConsent,
    ConsentAction,
    Wallet,
)

#: How many of the newest the page lists.
SHOWN_CONSENTS = 20


@dataclass(frozen=True)
class LowBalancePanel:
    """The notice of a low balance: whether it is sent, below what, and to whom."""

    may_act: bool
    state: str
    is_checked: bool
    sentence: str
    form: LowBalanceForm


@dataclass(frozen=True)
class ConsentRow:
    """What somebody agreed to, or took back."""

    at: Moment
    action: str
    by: str
    terms: str
    text: str


@dataclass(frozen=True)
class BillingDetailsPanel:
    """What receipts say of the customer, and which tax follows from the country."""

    may_act: bool
    form: BillingDetailsForm
    facts: tuple[Fact, ...]
    tax: str


@dataclass(frozen=True)
class SettingsPage:
    """The sections of the page."""

    tabs: tuple[Tab, ...]
    billing_details: BillingDetailsPanel
    low_balance: LowBalancePanel
    consents: tuple[ConsentRow, ...]


def build_settings(
    *,
    account: Account,
    may_act: bool,
    billing_details_form: BillingDetailsForm | None = None,
    low_balance_form: LowBalanceForm | None = None,
) -> SettingsPage:
    """Compose the page; a form that could not be saved is shown as it was typed."""
    wallet = Wallet.objects.filter(account=account).first()
    return SettingsPage(
        tabs=settings_tabs("billing-settings"),
        billing_details=_billing_details(account, may_act=may_act, form=billing_details_form),
        low_balance=_low_balance(account, wallet, may_act=may_act, form=low_balance_form),
        consents=tuple(
            _consent_row(consent, zone=account.timezone)
            for consent in account.auto_refill_consents.select_related("given_by")[:SHOWN_CONSENTS]
        ),
    )


def _billing_details(
    account: Account, *, may_act: bool, form: BillingDetailsForm | None
) -> BillingDetailsPanel:
    shown = form or BillingDetailsForm(instance=account)
    told = {**settlement.billing_details(account), "receipt_email": account.contact_email}
    told["billing_name"] = told["name"]
    return BillingDetailsPanel(
        may_act=may_act,
        form=shown,
        facts=tuple(
            Fact(str(shown.fields[name].label), told[name])
            for name in billing_details.FIELDS
            if told[name]
        ),
        tax=_tax(account),
    )


def _tax(account: Account) -> str:
    """Which tax follows from the country; nothing while taxes are not charged."""
    if not settings.CHARGE_TAX:
        return ""
    rate = tax.rate_for(account=account)
    where = account.get_country_display() if account.country else "an unknown country"
    if rate:
        return f"For {where}, {tax.label(rate)} is added to what you buy from now on."
    return f"For {where}, no tax is added to what you buy from now on."


def _consent_row(consent: AutoRefillConsent, *, zone: tzinfo) -> ConsentRow:
    terms = f"{format_usd(consent.amount.amount)} when below {format_usd(consent.threshold.amount)}"
    if consent.monthly_maximum is not None:
        terms += f", at most {format_usd(consent.monthly_maximum)} a month"
    return ConsentRow(
        at=moment(consent.created_at, zone),
        action=consent.get_action_display(),
        by=consent.given_by.spoken_name if consent.given_by else "",
        terms="" if consent.action == ConsentAction.SWITCHED_OFF else terms,
        text=consent.text,
    )


def _low_balance(
    account: Account, wallet: Wallet | None, *, may_act: bool, form: LowBalanceForm | None
) -> LowBalancePanel:
    limit = wallet.low_balance_limit if wallet else None
    proposed = DEFAULT_LOW_BALANCE_LIMIT if limit is None else limit
    return LowBalancePanel(
        may_act=may_act,
        state="Off" if limit is None else "On",
        is_checked=limit is not None if form is None else bool(form.data.get("told")),
        sentence=_sentence(account, wallet.balance if wallet else Decimal(0), limit),
        form=form or LowBalanceForm(initial={"limit": f"{proposed:.2f}"}),
    )


def _sentence(account: Account, balance: Decimal, limit: Decimal | None) -> str:
    """What happens as it is set."""
    if limit is None:
        return "No e-mail is sent when the balance is low."
    to = account.contact_email
    if balance < limit:
        return (
            f"The balance is below {format_usd(limit)} already. Once it has been back there, "
            f"{to} gets an e-mail the next time it falls below."
        )
    return f"When the balance falls below {format_usd(limit)}, {to} gets one e-mail."
