"""What is set of an account: billing details, copies of receipts, time and language."""

from functools import cache
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import billing_details
from accounts.models import Account
from billing_portal.dashboard.forms import AmountField
from billing_portal.dashboard.widgets import LongSelect

_AUTOFILL = {
    "billing_name": "organization",
    "address_line1": "address-line1",
    "address_line2": "address-line2",
    "city": "address-level2",
    "country": "country",
    "receipt_email": "email",
}
#: The parts of the IANA database that places are in; the rest are old names and offsets.
_REGIONS = {
    "Africa": _("Africa"),
    "America": _("America"),
    "Antarctica": _("Antarctica"),
    "Arctic": _("Arctic"),
    "Asia": _("Asia"),
    "Atlantic": _("Atlantic"),
    "Australia": _("Australia"),
    "Europe": _("Europe"),
    "Indian": _("Indian Ocean"),
    "Pacific": _("Pacific"),
}


class BillingDetailsForm(forms.ModelForm):
    """Who receipts name, where they go, and the country."""

    class Meta:
        model = Account
        fields = billing_details.ON_RECEIPTS
        labels = {
            "billing_name": _("Name on receipts"),
            "address_line1": _("Address"),
            "address_line2": _("Address, second line"),
            "city": _("City"),
            "country": _("Country"),
            "tax_number": _("Tax number"),
            "receipt_email": _("E-mail for receipts and notices"),
        }
        help_texts = {"country": ""}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Leave room for what the account's own name and owner stand in for."""
        super().__init__(*args, **kwargs)
        country: Any = self.fields["country"]
        # The model's own word for none is for staff.
        choices = [
            (code, name if code else gettext("No country")) for code, name in country.choices
        ]
        country.widget = LongSelect(choices=choices)
        for name, field in self.fields.items():
            field.widget.attrs["class"] = "select" if name == "country" else "input"
        for name, autofill in _AUTOFILL.items():
            self.fields[name].widget.attrs["autocomplete"] = autofill
        self.fields["billing_name"].widget.attrs["placeholder"] = self.instance.name
        self.fields["receipt_email"].widget.attrs["placeholder"] = self.instance.owner_email


class SpendCapForm(forms.Form):
    """Whether usage is capped, and at what."""

    capped = forms.BooleanField(required=False)
    cap = AmountField(label=_("Usage may cost at most"), required=False)

    def clean(self) -> dict[str, Any]:
        """Without a cap no amount is needed."""
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("capped") and cleaned.get("cap") is None and "cap" not in self.errors:
            self.add_error("cap", gettext("Enter an amount above zero, in whole cents."))
        return cleaned


class ReceiptCopiesForm(forms.Form):
    """More addresses that get receipts, one on each line."""

    addresses = forms.CharField(
        label=_("Addresses"),
        required=False,
        max_length=4000,
        widget=forms.Textarea(
            attrs={"class": "input", "rows": 3, "autocomplete": "off", "spellcheck": "false"}
        ),
        help_text=_("One on each line, 5 at most. Each gets every receipt and credit note."),
    )

    def clean_addresses(self) -> list[str]:
        """Return the lines; commas and semicolons part addresses as well."""
        typed: str = self.cleaned_data["addresses"]
        return typed.replace(",", "\n").replace(";", "\n").splitlines()


@cache
def zones() -> list[tuple[str | Promise, list[tuple[str, str]]]]:
    """Return the choices of a timezone, by region."""
    named = sorted(available_timezones())
    return [
        ("UTC", [("UTC", "UTC")]),
        *(
            (title, [(name, name.replace("_", " ")) for name in named if name.startswith(region)])
            for region, title in _REGIONS.items()
        ),
    ]


class TimeAndLanguageForm(forms.Form):
    """In which zone times are shown, and which language e-mails are in by default."""

    timezone = forms.ChoiceField(
        label=_("Timezone"),
        widget=LongSelect(attrs={"class": "select"}),
        help_text=_("Of all times on these pages, in e-mails and on receipts from now on."),
    )
    language = forms.ChoiceField(
        label=_("Language of e-mails"),
        required=False,
        choices=[("", _("As the owner chose")), *settings.LANGUAGES],
        widget=forms.Select(attrs={"class": "select"}),
        help_text=_("For whoever has chosen none of their own."),
    )

    def __init__(self, *args: Any, current: str, **kwargs: Any) -> None:
        """Offer the zones, and the account's own even where it is an old name."""
        super().__init__(*args, **kwargs)
        field = self.fields["timezone"]
        assert isinstance(field, forms.ChoiceField)
        offered: list[Any] = list(zones())
        if not any(current == name for _region, names in zones() for name, _label in names):
            offered.insert(0, (current, current))
        field.choices = offered
