"""Credit: the wallet's statement, its months, and both as files."""

from datetime import date

from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.models import Account
from billing_portal.dashboard.access import MemberRequest, member_page
from billing_portal.dashboard.credit_forms import CreditFilterForm
from billing_portal.dashboard.credit_page import build_ledger, build_months, filter_entries
from billing_portal.dashboard.shell import page
from billing_portal.dashboard.statement_usage import usage_by_feature
from billing_portal.downloads import csv, pdf
from wallet import statement_documents, statements
from wallet.statements import Statement

NAV = "credit"
REGIONS = {"credit-list": "dashboard/_credit_list.html"}
MONTH_REGIONS = {"credit-months": "dashboard/_credit_months.html"}


@require_safe
@member_page
def credit(request: MemberRequest) -> HttpResponse:
    """Show every entry of the wallet, with the balance after it."""
    account = request.member.account
    form = CreditFilterForm(request.GET)
    composed = build_ledger(
        account=account,
        form=form,
        before=request.GET.get("before", ""),
        after=request.GET.get("after", ""),
    )
    context = {"ledger": composed, "form": form, "zone": account.timezone}
    return page(request, "dashboard/credit.html", context, nav=NAV, regions=REGIONS)


@require_safe
@member_page
def export(request: MemberRequest) -> HttpResponseBase:
    """Download the filtered entries as CSV."""
    account = request.member.account
    form = CreditFilterForm(request.GET)
    form.is_valid()
    found = filter_entries(account, form.cleaned_data)
    rows = statements.entries_csv(found, timezone=account.timezone)
    return csv(rows, filename="credit.csv")


@require_safe
@member_page
def months(request: MemberRequest) -> HttpResponse:
    """Show the months of a year, each with its statement."""
    account = request.member.account
    composed = build_months(
        account=account,
        year=request.GET.get("year", ""),
        month=request.GET.get("month", ""),
        now=timezone.now(),
    )
    context = {"months": composed, "zone": account.timezone}
    return page(
        request, "dashboard/credit_statements.html", context, nav=NAV, regions=MONTH_REGIONS
    )


@require_safe
@member_page
def statement_pdf(request: MemberRequest, month: date) -> HttpResponse:
    """Download a month's statement as PDF."""
    account, now = request.member.account, timezone.now()
    found = _statement(account, month)
    content = statement_documents.render(
        account=account,
        statement=found,
        usage_by_feature=usage_by_feature(account=account, totals=found.totals),
        now=now,
    )
    return pdf(content, filename=statement_documents.filename(found))


@require_safe
@member_page
def statement_csv(request: MemberRequest, month: date) -> HttpResponseBase:
    """Download every entry of a month as CSV, between its opening and closing balance."""
    account = request.member.account
    found = _statement(account, month)
    rows = statements.statement_csv(account=account, statement=found)
    return csv(rows, filename=f"statement-{found.month.slug}.csv")


def _statement(account: Account, first_day: date) -> Statement:
    """Return a month's statement; 404 for one before the first entry or after today."""
    now = timezone.now()
    begun = statements.first_month(account=account)
    today = now.astimezone(account.timezone).date()
    if begun is None or not begun <= first_day <= today:
        raise Http404
    asked = statements.month_of(first_day, timezone=account.timezone)
    return statements.statement(account=account, month=asked, now=now)
