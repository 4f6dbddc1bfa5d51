"""Billing details, and who else gets the receipts."""

from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _

from accounts import billing_details
from accounts.models import Account
from billing_portal.dashboard.rows import Fact
from billing_portal.dashboard.settings_forms import BillingDetailsForm, ReceiptCopiesForm
from invoices import settlement, tax


@dataclass(frozen=True)
class BillingDetailsPanel:
    """What receipts say of the customer, and which tax follows from the country."""

    may_act: bool
    form: BillingDetailsForm
    facts: tuple[Fact, ...]
    tax: str


@dataclass(frozen=True)
class ReceiptCopiesPanel:
    """Who gets receipts beside the billing contact."""

    may_act: bool
    contact: str
    addresses: tuple[str, ...]
    form: ReceiptCopiesForm


def build_billing_details(
    account: Account, *, may_act: bool, form: BillingDetailsForm | None
) -> BillingDetailsPanel:
    """Compose the panel; a form that could not be saved is shown as it was typed."""
    shown = form or BillingDetailsForm(instance=account)
    told = {**settlement.billing_details(account), "receipt_email": account.contact_email}
    told["billing_name"] = told["name"]
    return BillingDetailsPanel(
        may_act=may_act,
        form=shown,
        facts=tuple(
            Fact(str(shown.fields[name].label), told[name])
            for name in billing_details.ON_RECEIPTS
            if told[name]
        ),
        tax=_tax(account),
    )


def build_receipt_copies(
    account: Account, *, may_act: bool, form: ReceiptCopiesForm | None
) -> ReceiptCopiesPanel:
    """Compose the panel."""
    return ReceiptCopiesPanel(
        may_act=may_act,
        contact=account.contact_email,
        addresses=tuple(account.receipt_copies),
        form=form or ReceiptCopiesForm(initial={"addresses": "\n".join(account.receipt_copies)}),
    )


def _tax(account: Account) -> str:
    """Which tax follows from the country; nothing while taxes are not charged."""
    if not settings.CHARGE_TAX:
        return ""
    rate = tax.rate_for(account=account)
    where = account.get_country_display() if account.country else _("an unknown country")
    if rate:
        return _("For %(country)s, %(tax)s is added to what you buy from now on.") % {
            "country": where,
            "tax": tax.label(rate),
        }
    return _("For %(country)s, no tax is added to what you buy from now on.") % {"country": where}
