"""Which lines of the wallet's ledger are asked for."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing_portal.dashboard.forms import DAYS, day_input
from wallet.models import EntryKind


class CreditFilterForm(forms.Form):
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
    date_from = forms.DateField(
        label=gettext_lazy("From"), required=False, validators=DAYS, widget=day_input()
    )
    date_to = forms.DateField(
        label=gettext_lazy("To"), required=False, validators=DAYS, widget=day_input()
    )

    def clean(self) -> dict[str, Any]:
        """The range goes forward."""
        cleaned: dict[str, Any] = super().clean() or {}
        start, end = cleaned.get("date_from"), cleaned.get("date_to")
        if start and end and end < start:
            self.add_error("date_to", _("This is before the first date."))
        return cleaned
