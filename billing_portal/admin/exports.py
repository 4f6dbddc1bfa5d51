"""Exports: the list as it is filtered, in a period, as a file. Nothing is ever imported.

The page shows what will be in the file, added up, before anybody takes it; and it is recorded who
does.
"""

from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import ValidationError
from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    QueryDict,
)
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts import staff_exports
from accounts.models import Account, User
from accounts.staff_exports import MOST_ROWS_OF_XLSX, Export, Selection, Total
from billing_portal import downloads
from billing_portal.admin import cells

_OURS = ("since", "until", "time")


def _moment_field(label: str) -> forms.DateTimeField:
    widget = UnfoldAdminTextInputWidget(attrs={"type": "datetime-local", "step": "1"})
    widget.format = "%Y-%m-%dT%H:%M:%S"
    return forms.DateTimeField(label=label, widget=widget)


class PeriodForm(forms.Form):
    """From when on and before when, and whether what was created then or, say, paid."""

    since = _moment_field("From (UTC)")
    until = _moment_field("Before (UTC)")
    time = forms.ChoiceField(label="What was", widget=UnfoldAdminSelectWidget)

    def __init__(self, data: Any, *, export: Export) -> None:
        """Offer the times that these records have."""
        super().__init__(data)
        times = cast(forms.ChoiceField, self.fields["time"])
        times.choices = [(field, f"{said} in this period") for field, said in export.times.items()]

    def clean(self) -> dict[str, Any]:
        """A period goes forward."""
        cleaned: dict[str, Any] = super().clean() or {}
        if "since" in cleaned and "until" in cleaned and cleaned["since"] >= cleaned["until"]:
            raise ValidationError("The period has to end after it begins.")
        return cleaned


class ExportMixin:
    """The button above a list, and the page behind it."""

    actions_list: Any = ("export",)
    export_of: Export
    export_permission: str

    def has_export_permission(self, request: HttpRequest) -> bool:
        """Whoever may see the list and take it out."""
        may_see = self.has_view_permission(request)  # type: ignore[attr-defined]
        return may_see and cast(User, request.user).has_perm(self.export_permission)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Have the button carry along what the list is narrowed to."""
        response: HttpResponse = super().changelist_view(request, extra_context)  # type: ignore[misc]
        query = request.GET.urlencode()
        if query and isinstance(response, TemplateResponse) and response.context_data:
            for button in response.context_data.get("actions_list", []):
                if button.get("path", "").endswith("/export/"):
                    button["path"] += f"?{query}"
        return response

    @action(description="Export", url_path="export", permissions=["export"], icon="download")
    def export(self, request: HttpRequest) -> HttpResponseBase:
        """Show what would be in the file, then hand it out."""
        now = timezone.now()
        query = self._with_a_period(request.GET, now)
        form = PeriodForm(query, export=self.export_of)
        try:
            selection = self._selection(request, form, query) if form.is_valid() else None
        except IncorrectLookupParameters:
            messages.error(request, "The list has no such filter: this is all of it.")
            return HttpResponseRedirect(request.path)
        if request.method != "POST" or selection is None:
            return self._export_page(request, form, query, selection)
        wanted = request.POST.get("format")
        if wanted not in ("csv", "xlsx"):
            form.add_error(None, "Choose CSV or XLSX.")
            return self._export_page(request, form, query, selection)
        try:
            staff_exports.begin(
                selection=selection, form=wanted, by=cast(User, request.user), now=now
            )
        except ValidationError as error:
            form.add_error(None, error)
            return self._export_page(request, form, query, selection)
        name = f"{self.export_of.name}-{selection.since:%Y%m%d}-{selection.until:%Y%m%d}.{wanted}"
        if wanted == "csv":
            return downloads.csv(staff_exports.as_csv(selection, now=now), filename=name)
        return FileResponse(
            staff_exports.as_xlsx(selection, now=now), as_attachment=True, filename=name
        )

    def _with_a_period(self, given: QueryDict, now: datetime) -> QueryDict:
        """Return the query with a period: asked for, that of the list, or this month so far.

        It ends now at the latest, so that what is shown is what is taken.
        """
        query = given.copy()
        listed = next(iter(self.export_of.times))
        narrowed = {name: query.pop(name)[0] for name in list(query) if name.startswith(listed)}

        def from_list(*names: str) -> str:
            parts = [narrowed.get(f"{listed}{name}", "") for name in names]
            return "T".join(part for part in parts if part)

        month = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        proposed = {
            "since": from_list("_from_0", "_from_1") or from_list("__gte") or _written(month),
            "until": from_list("_to_0", "_to_1") or from_list("__lt") or _written(now),
            "time": listed,
        }
        for name, value in proposed.items():
            query.setdefault(name, value.removesuffix("Z"))
        return query

    def _selection(self, request: HttpRequest, form: PeriodForm, query: QueryDict) -> Selection:
        """Return the rows that the list would show with these filters, in the period."""
        filters = query.copy()
        for name in _OURS:
            filters.pop(name, None)
        request.GET = filters  # type: ignore[assignment]
        listed = self.get_changelist_instance(request)  # type: ignore[attr-defined]
        return Selection(
            export=self.export_of,
            queryset=listed.queryset,
            filters=_in_words(filters),
            **{name: form.cleaned_data[name] for name in _OURS},
        )

    def _export_page(
        self, request: HttpRequest, form: PeriodForm, query: QueryDict, selection: Selection | None
    ) -> TemplateResponse:
        totals = staff_exports.totals_of(selection) if selection else []
        options = self.model._meta  # type: ignore[attr-defined]
        filters = {name: value for name, value in query.items() if name not in _OURS}
        return TemplateResponse(
            request,
            "admin/export.html",
            {
                **self.admin_site.each_context(request),  # type: ignore[attr-defined]
                "title": f"Export {options.verbose_name_plural}",
                "heading": f"Export {options.verbose_name_plural}",
                "opts": options,
                "form": form,
                "query": query.urlencode(),
                "filters": _in_words(filters),
                "kept": filters,
                "totals": _table(self.export_of, totals) if totals else None,
                "rows": totals[-1].count if totals else 0,
                "too_many": bool(totals) and totals[-1].count > MOST_ROWS_OF_XLSX,
                "most_rows": f"{MOST_ROWS_OF_XLSX:,}",
                "back_url": cells.list_url(self.model, f"?{urlencode(filters)}"),  # type: ignore[attr-defined]
            },
        )


def _table(export: Export, totals: list[Total]) -> dict[str, Any]:
    """Write the totals out."""
    return {
        "headers": staff_exports.totals_header(export),
        "rows": [
            [total.kind, f"{total.count:,}", *(cells.figure(f"{each:,f}") for each in total.sums)]
            for total in totals
        ],
    }


def _in_words(filters: Any) -> dict[str, str]:
    """Say what a list is narrowed by; an account by its name."""
    said = {}
    for name, value in filters.items():
        if name == "q" and value:
            said["search"] = value
        elif name.startswith("account__"):
            account = Account.objects.filter(pk=value).first()
            said["account"] = account.name if account else value
        elif value and name not in ("o", "p", "all"):
            said[name.partition("__")[0].replace("_", " ")] = value
    return said


def _written(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"
