"""What of the timeline is asked for, from the address of the account's page."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

from django import forms
from django.http import QueryDict
from unfold.widgets import UnfoldAdminDateWidget

from billing_portal.admin.timeline.lines import Kind, Place


class TimelineFilters(forms.Form):
    """Kinds and days (UTC). What is wrong is said, and leaves the list unfiltered by it."""

    kind = forms.MultipleChoiceField(
        label="Show", choices=Kind.choices, required=False, widget=forms.CheckboxSelectMultiple
    )
    since = forms.DateField(
        label="From",
        required=False,
        widget=UnfoldAdminDateWidget(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    until = forms.DateField(
        label="To",
        required=False,
        widget=UnfoldAdminDateWidget(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    def __init__(self, data: QueryDict, *, offered: list[Kind]) -> None:
        """Offer the kinds that the reader may see."""
        super().__init__(data)
        self.cursor = data.get("before", "")
        self.offered = offered
        field = self.fields["kind"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(kind.value, kind.label) for kind in offered]

    def clean(self) -> dict[str, Any]:
        """Days go forward. Raises ValidationError."""
        cleaned: dict[str, Any] = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and until < since:
            self.add_error("until", "The last day is before the first.")
        return cleaned

    @property
    def kinds(self) -> list[Kind]:
        """The kinds that are shown: all that may be seen, unless some are chosen."""
        self.is_valid()
        chosen = [Kind(value) for value in self.cleaned_data.get("kind", [])]
        return chosen or self.offered

    @property
    def is_of_kinds(self) -> bool:
        """Whether some kinds are chosen: without a choice all are shown, and none is ticked."""
        return self.kinds != self.offered

    @property
    def begins(self) -> datetime | None:
        """The first moment that is shown."""
        return self._day("since", 0)

    @property
    def ends(self) -> datetime | None:
        """The first moment that is not shown any more."""
        return self._day("until", 1)

    def _day(self, name: str, more: int) -> datetime | None:
        self.is_valid()
        day = self.cleaned_data.get(name)
        if day is None:
            return None
        try:
            return datetime.combine(day + timedelta(days=more), time.min, tzinfo=UTC)
        except OverflowError:
            return None

    @property
    def place(self) -> Place | None:
        """The last line of the page before."""
        return Place.read(self.cursor)

    @property
    def is_filtered(self) -> bool:
        """Whether anything is left out."""
        return self.begins is not None or self.ends is not None or self.is_of_kinds

    def query(self, **more: str) -> str:
        """Return the address's query with these filters, and a cursor."""
        query = QueryDict(mutable=True)
        if self.is_of_kinds:
            query.setlist("kind", [kind.value for kind in self.kinds])
        for name in ("since", "until"):
            day = self.cleaned_data.get(name)
            if day is not None:
                query[name] = day.isoformat()
        query.update(more)
        return query.urlencode()
