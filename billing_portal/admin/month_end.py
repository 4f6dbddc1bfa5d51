"""The month-end report: on a page, as PDF and as CSV."""

from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.decorators import action

from accounts import staff_exports
from accounts.models import User
from billing_portal import downloads
from billing_portal.admin import cells
from wallet import month_end, month_end_documents, month_end_tables
from wallet.month_end import MonthEnd
from wallet.month_end_tables import Table

PERMISSION = "wallet.read_month_end"


class MonthEndMixin:
    """The report's page, beside the list of the entries that it adds up."""

    def has_month_end_permission(self, request: HttpRequest) -> bool:
        """Whoever may read the books."""
        return cast(User, request.user).has_perm(PERMISSION)

    @action(
        description="Month-end report",
        url_path="month-end",
        permissions=["month_end"],
        icon="menu_book",
    )
    def month_end(self, request: HttpRequest) -> HttpResponseBase:
        """Show a month's books, this month's if none is asked for, or hand them out."""
        now = timezone.now()
        known = {month.slug: month for month in month_end.months(now=now)}
        asked = request.GET.get("month") or next(iter(known))
        if asked not in known:
            messages.error(request, "There are no books of such a month: this is the newest.")
            return HttpResponseRedirect(request.path)
        report = month_end.month_end(month=known[asked], now=now)
        form = request.GET.get("form")
        if form in ("pdf", "csv"):
            staff_exports.record_report(
                report="month-end report",
                period=asked,
                form=form,
                by=cast(User, request.user),
                now=now,
            )
        match form:
            case "pdf":
                name = f"month-end-{asked}.pdf"
                return downloads.pdf(month_end_documents.pdf(report), filename=name)
            case "csv":
                lines = month_end_documents.csv(report, now=now)
                return downloads.csv(lines, filename=f"month-end-{asked}.csv")
        return self._month_end_page(request, report, list(known))

    def _month_end_page(
        self, request: HttpRequest, report: MonthEnd, months: list[str]
    ) -> HttpResponse:
        title = f"Month-end report {report.month.slug}"
        return TemplateResponse(
            request,
            "admin/month_end.html",
            {
                **self.admin_site.each_context(request),  # type: ignore[attr-defined]
                "title": title,
                "heading": title,
                "opts": self.model._meta,  # type: ignore[attr-defined]
                "months": months,
                "month": report.month.slug,
                "standing": month_end_documents.standing(report),
                "verdict": month_end_documents.verdict(report),
                "adds_up": report.adds_up,
                "parts": [
                    {"table": _table(part), "part": part}
                    for part in month_end_tables.tables(report)
                ],
            },
        )


def _table(part: Table) -> dict[str, Any]:
    """Write a part out as unfold's tables want it."""
    return {
        "headers": ["", *(title for title, _ in part.columns)],
        "rows": [
            [
                cells.strong(row.title) if row.is_sum else row.title,
                *(
                    cells.figure(
                        month_end_documents.write(value, figure),
                        negative=row.is_sum and value is not None and value < 0,
                    )
                    for value, (_, figure) in zip(row.values, part.columns, strict=True)
                ),
            ]
            for row in part.rows
        ],
    }
