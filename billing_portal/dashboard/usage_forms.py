"""What a customer may ask of the Usage pages. Every field may be left open."""

from typing import Any

from django import forms
from django.db.models import TextChoices
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.recorded_words import translated
from billing_portal.dashboard.forms import DAYS, day_input
from plans.models import Feature, FeatureKind


class Charge(TextChoices):
    """Whether a record cost something."""

    BILLED = "billed", gettext_lazy("Charged")
    FREE = "free", gettext_lazy("Nothing charged")


class UsageFilterForm(forms.Form):
    """Which records of the usage history to show."""

    record = forms.CharField(
        label=gettext_lazy("Record"),
        required=False,
        max_length=200,
        widget=forms.TextInput(
            attrs={
                "type": "search",
                "class": "input",
                "placeholder": gettext_lazy("The whole id, such as call-8731"),
            }
        ),
    )
    feature = forms.ChoiceField(
        label=gettext_lazy("Feature"),
        required=False,
        widget=forms.Select(attrs={"class": "select"}),
    )
    workspace = forms.CharField(
        label=gettext_lazy("Workspace"),
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"class": "input"}),
    )
    charge = forms.ChoiceField(
        label=gettext_lazy("Charge"),
        required=False,
        choices=[("", gettext_lazy("All")), *Charge.choices],
        widget=forms.Select(attrs={"class": "select"}),
    )
    date_from = forms.DateField(
        label=gettext_lazy("From"), required=False, validators=DAYS, widget=day_input()
    )
    date_to = forms.DateField(
        label=gettext_lazy("To"), required=False, validators=DAYS, widget=day_input()
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Offer what is metered."""
        super().__init__(*args, **kwargs)
        field = self.fields["feature"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", _("All features")), *metered_features()]

    def clean(self) -> dict[str, Any]:
        """The range goes forward."""
        cleaned: dict[str, Any] = super().clean() or {}
        start, end = cleaned.get("date_from"), cleaned.get("date_to")
        if start and end and end < start:
            self.add_error("date_to", _("This is before the first date."))
        return cleaned


def metered_features() -> list[tuple[str, str]]:
    """Key and name of what usage is reported of."""
    found = Feature.objects.filter(kind=FeatureKind.CONSUMABLE).order_by("name")
    return [(key, translated(name)) for key, name in found.values_list("key", "name")]
