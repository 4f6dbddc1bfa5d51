"""Settings, first page: what is set of the account, in sections that are each saved by themselves.

Each section has a module of its own, which makes its panel; here they are put together.
"""

from dataclasses import dataclass

from django.conf import settings
from django.utils import timezone

from accounts.models import Account
from billing_portal.dashboard.billing_details_panel import (
    BillingDetailsPanel,
    ReceiptCopiesPanel,
    build_billing_details,
    build_receipt_copies,
)
from billing_portal.dashboard.consents_panel import ConsentsPanel, build_consents
from billing_portal.dashboard.forms import LowBalanceForm
from billing_portal.dashboard.low_balance_panel import LowBalancePanel, build_low_balance
from billing_portal.dashboard.settings_forms import (
    BillingDetailsForm,
    ReceiptCopiesForm,
    SpendCapForm,
    TimeAndLanguageForm,
)
from billing_portal.dashboard.settings_tabs import settings_tabs
from billing_portal.dashboard.spend_cap_panel import SpendCapPanel, build_spend_cap
from billing_portal.dashboard.tabs import Tab
from wallet.models import Wallet


@dataclass(frozen=True)
class TimePanel:
    """The zone of the account's times, and the language of its e-mails."""

    may_act: bool
    timezone: str
    language: str
    form: TimeAndLanguageForm


@dataclass(frozen=True)
class SettingsPage:
    """The sections of the page."""

    tabs: tuple[Tab, ...]
    billing_details: BillingDetailsPanel
    receipt_copies: ReceiptCopiesPanel
    time: TimePanel
    low_balance: LowBalancePanel
    spend_cap: SpendCapPanel | None
    consents: ConsentsPanel


def build_settings(
    *,
    account: Account,
    may_act: bool,
    billing_details_form: BillingDetailsForm | None = None,
    receipt_copies_form: ReceiptCopiesForm | None = None,
    time_form: TimeAndLanguageForm | None = None,
    low_balance_form: LowBalanceForm | None = None,
    spend_cap_form: SpendCapForm | None = None,
) -> SettingsPage:
    """Compose the page; a form that could not be saved is shown as it was typed."""
    wallet = Wallet.objects.filter(account=account).first()
    return SettingsPage(
        tabs=settings_tabs("billing-settings"),
        billing_details=build_billing_details(account, may_act=may_act, form=billing_details_form),
        receipt_copies=build_receipt_copies(account, may_act=may_act, form=receipt_copies_form),
        time=_time(account, may_act=may_act, form=time_form),
        low_balance=build_low_balance(account, wallet, may_act=may_act, form=low_balance_form),
        spend_cap=build_spend_cap(
            account, wallet, may_act=may_act, form=spend_cap_form, now=timezone.now()
        ),
        consents=build_consents(account, wallet),
    )


def _time(account: Account, *, may_act: bool, form: TimeAndLanguageForm | None) -> TimePanel:
    current = str(account.timezone)
    initial = {"timezone": current, "language": account.language}
    return TimePanel(
        may_act=may_act,
        timezone=current,
        language=dict(settings.LANGUAGES).get(account.language, ""),
        form=form or TimeAndLanguageForm(initial=initial, current=current),
    )
