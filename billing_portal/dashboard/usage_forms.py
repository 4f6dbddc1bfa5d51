"""What a customer may ask of the Usage pages. Every field may be left open."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from django import forms
from django.db.models import TextChoices
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.recorded_words import translated
from billing_portal.dashboard.forms import DAYS, RangeForm, day_input
from plans.models import Feature, FeatureKind

#: Of an own range.
MOST_DAYS = 731


class Preset(TextChoices):
    """Days to choose from."""

    THIS_PERIOD = "this_period", gettext_lazy("This period")
    LAST_PERIOD = "last_period", gettext_lazy("Last period")
    DAYS = "30_days", gettext_lazy("Last 30 days")
    MONTHS = "3_months", gettext_lazy("Last 3 months")
    OWN = "own", gettext_lazy("Own range")


class Charge(TextChoices):
    """Whether a record cost something."""

    BILLED = "billed", gettext_lazy("Charged")
    FREE = "free", gettext_lazy("Nothing charged")


class UsageFilterForm(RangeForm):
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
        widget=forms.TextInput(
            attrs={
                "class": "input",
                "list": "workspaces",
                "placeholder": gettext_lazy("All workspaces"),
            }
        ),
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

    def __init__(self, *args: Any, workspaces: Iterable[str] = (), **kwargs: Any) -> None:
        """Offer what is metered; `workspaces` to choose from beside what may be typed."""
        super().__init__(*args, **kwargs)
        self.names = tuple(workspaces)
        field = self.fields["feature"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", _("All features")), *metered_features()]


class UsageOverviewForm(RangeForm):
    """What the Usage overview shows: which days, of what, divided how."""

    days = forms.ChoiceField(
        label=gettext_lazy("Days"),
        required=False,
        choices=[("", Preset.THIS_PERIOD.label), *Preset.choices[1:]],
        widget=forms.Select(attrs={"class": "select"}),
    )
    date_from = forms.DateField(
        label=gettext_lazy("From"), required=False, validators=DAYS, widget=day_input()
    )
    date_to = forms.DateField(
        label=gettext_lazy("To"), required=False, validators=DAYS, widget=day_input()
    )
    group = forms.ChoiceField(
        label=gettext_lazy("Divided by"),
        required=False,
        choices=[("", gettext_lazy("Feature")), ("workspace", gettext_lazy("Workspace"))],
        widget=forms.Select(attrs={"class": "select"}),
    )
    by = forms.ChoiceField(
        label=gettext_lazy("Drawn by"),
        required=False,
        choices=[
            ("", gettext_lazy("As fits")),
            ("day", gettext_lazy("Day")),
            ("month", gettext_lazy("Month")),
        ],
        widget=forms.Select(attrs={"class": "select"}),
    )
    feature = forms.ChoiceField(
        label=gettext_lazy("Feature"),
        required=False,
        widget=forms.Select(attrs={"class": "select"}),
    )
    workspace = forms.ChoiceField(
        label=gettext_lazy("Workspace"),
        required=False,
        widget=forms.Select(attrs={"class": "select"}),
    )

    def __init__(self, *args: Any, workspaces: Iterable[str], today: date, **kwargs: Any) -> None:
        """Offer what is metered, and `workspaces`; `today` is the account's."""
        super().__init__(*args, **kwargs)
        self.today = today
        feature, workspace = self.fields["feature"], self.fields["workspace"]
        assert isinstance(feature, forms.ChoiceField)
        assert isinstance(workspace, forms.ChoiceField)
        self.features = metered_features()
        feature.choices = [("", _("All features")), *self.features]
        named = [(name, name) for name in workspaces if name]
        workspace.choices = [("", _("All workspaces")), *named]

    def clean(self) -> dict[str, Any]:
        """No more days than can be drawn."""
        cleaned = super().clean()
        start, end = cleaned.get("date_from"), cleaned.get("date_to") or self.today
        if start and (end - start).days >= MOST_DAYS:
            message = _("At most %(days)d days can be shown at once.")
            self.add_error("date_from", message % {"days": MOST_DAYS})
        return cleaned

    @property
    def preset(self) -> str:
        """Which days: an own range as soon as there is a day of it, unless others were chosen."""
        asked = self.cleaned_data
        chosen: str = asked.get("days") or ""
        if not chosen and (asked.get("date_from") or asked.get("date_to")):
            return Preset.OWN
        return chosen or Preset.THIS_PERIOD


def metered_features() -> list[tuple[str, str]]:
    """Key and name of what usage is reported of."""
    found = Feature.objects.filter(kind=FeatureKind.CONSUMABLE).order_by("name")
    return [(key, translated(name)) for key, name in found.values_list("key", "name")]
