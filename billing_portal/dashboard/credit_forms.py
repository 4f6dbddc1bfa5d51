"""Which lines of the wallet's ledger are asked for."""

from django import forms
from django.utils.translation import gettext_lazy

from billing_portal.dashboard.forms import DAYS, RangeForm, day_input
from wallet.models import EntryKind


class CreditFilterForm(RangeForm):
    """Which entries to show. Every field may be left open."""

    kind = forms.ChoiceField(
        label=gettext_lazy("Kind"),
        required=False,
        choices=[
            ("", gettext_lazy("All kinds")),
            ("credit", gettext_lazy("Everything but usage")),
            *EntryKind.choices,
        ],
        widget=forms.Select(attrs={"class": "select"}),
    )
    record = forms.CharField(
        label=gettext_lazy("Usage record"),
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off"}),
    )
    date_from = forms.DateField(
        label=gettext_lazy("From"), required=False, validators=DAYS, widget=day_input()
    )
    date_to = forms.DateField(
        label=gettext_lazy("To"), required=False, validators=DAYS, widget=day_input()
    )
