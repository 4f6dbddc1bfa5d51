"""The nightly comparison with Stripe: its runs, what they found, and what was done about it."""

from typing import Any, cast

from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import action

from accounts.models import User
from billing_portal.admin import cells
from billing_portal.admin.base import PartOfParentInline, ReadOnlyAdmin
from billing_portal.admin.confirmed import Confirmation, confirm
from billing_portal.admin.filters import RangeDateTimeFilter
from invoices import reconciliation
from invoices.models import ReconciliationFinding, ReconciliationRun


def _state(finding: ReconciliationFinding) -> cells.Cell:
    if finding.dealt_with_at is None:
        return cells.badge("To deal with", "danger")
    return cells.badge("Dealt with" if finding.dealt_with_by_id else "Repaired", "success")


class FindingInline(PartOfParentInline):
    """What a run was the first to find."""

    model = ReconciliationFinding
    fk_name = "first_run"
    fields = ("finding", "state", "detail")
    readonly_fields = fields
    verbose_name_plural = "new findings"

    @admin.display(description="Finding")
    def finding(self, finding: ReconciliationFinding) -> cells.Cell:
        """What kind it is, and the way to it."""
        return cells.link(finding, finding.get_kind_display())

    @admin.display(description="State")
    def state(self, finding: ReconciliationFinding) -> cells.Cell:
        """Whether it needs a person."""
        return _state(finding)


class FoundAgainInline(FindingInline):
    """What a run was the last to find, and another had found before."""

    fk_name = "last_run"
    verbose_name_plural = "found again"

    def get_queryset(self, request: HttpRequest) -> QuerySet[ReconciliationFinding]:
        """Leave out what is new."""
        findings: QuerySet[ReconciliationFinding] = super().get_queryset(request)
        return findings.exclude(first_run=F("last_run"))


@admin.register(ReconciliationRun)
class ReconciliationRunAdmin(ReadOnlyAdmin):
    """Every night's comparison."""

    list_display = (
        cells.time_column("started_at", "Started"),
        cells.time_column("finished_at", "Finished"),
        "payments",
        "transactions",
        "repaired",
        "unexplained",
    )
    list_filter = (("started_at", RangeDateTimeFilter),)
    fieldsets = (
        (
            "Run",
            {
                "fields": (
                    ("started_at", "finished_at"),
                    ("since", "until"),
                    ("payments", "transactions"),
                    ("repaired", "unexplained"),
                    ("phase", "cursor"),
                )
            },
        ),
    )
    inlines = (FindingInline, FoundAgainInline)


@admin.register(ReconciliationFinding)
class ReconciliationFindingAdmin(ReadOnlyAdmin):
    """What differs between Stripe and the portal. Dealing with it takes a note."""

    actions_detail = ("deal_with",)
    list_display = (
        cells.time_column("found_at", "Found"),
        "kind",
        "state",
        cells.account_column(),
        cells.column("transaction", "Transaction", cells.link),
        "detail",
    )
    list_select_related = ("account", "transaction")
    list_filter = (
        "kind",
        ("dealt_with_at", admin.EmptyFieldListFilter),
        ("found_at", RangeDateTimeFilter),
        ("account", AutocompleteSelectFilter),
    )
    search_fields = ("subject__exact", "transaction__number__iexact", "account__name")
    search_help_text = "Stripe id, transaction number or company"
    fieldsets = (
        (
            "Finding",
            {
                "fields": (
                    ("kind", "state"),
                    "detail",
                    (
                        cells.account_column(),
                        cells.column("transaction", "Transaction", cells.link),
                    ),
                    ("subject", "found_at"),
                    (
                        cells.column("first_run", "First found by", cells.link),
                        cells.column("last_run", "Last found by", cells.link),
                    ),
                )
            },
        ),
        ("Dealt with", {"fields": (("dealt_with_at", "dealt_with_by"), "note")}),
    )
    readonly_fields = ("state",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ReconciliationFinding]:
        """Load what the page links to."""
        findings: QuerySet[ReconciliationFinding] = super().get_queryset(request)
        return findings.select_related(
            "account", "transaction", "first_run", "last_run", "dealt_with_by"
        )

    @admin.display(description="State")
    def state(self, finding: ReconciliationFinding) -> cells.Cell:
        """Whether it needs a person."""
        return _state(finding)

    def has_deal_with_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Whoever may change a finding; nobody edits one."""
        return cast(User, request.user).has_perm("invoices.change_reconciliationfinding")

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Offer to deal with what needs a person."""
        finding = self.get_object(request, object_id)
        if finding is None or finding.dealt_with_at is not None:
            return []
        return list(super().get_actions_detail(request, object_id))

    @action(
        description="Mark as dealt with",
        url_path="deal-with",
        permissions=["deal_with"],
        icon="task_alt",
    )
    def deal_with(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask what was done about it, and keep it."""
        finding = self.get_object(request, object_id)
        if finding is None:
            raise Http404("No such finding.")
        confirmation = Confirmation(
            title="Mark as dealt with",
            effect=f"{finding.detail} Say what was done about it. Nothing else happens: what is "
            "wrong at Stripe has to be put right there.",
            act=lambda by, wish: _deal_with(finding, by, wish["reason"]),
        )
        return confirm(request, confirmation, site=self.admin_site, target=finding)


def _deal_with(finding: ReconciliationFinding, by: User, note: str) -> str:
    """Keep what was done; return what to say."""
    reconciliation.deal_with(finding_id=finding.pk, note=note, by=by, now=timezone.now())
    return "It is dealt with."
