"""What runs the portal: history, heartbeats and sign-in."""

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.utils.html import format_html_join
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RangeDateFilter

from accounts.models import AuditEvent
from billing_portal.admin import cells
from billing_portal.admin.base import ReadOnlyAdmin
from billing_portal.admin.filters import AuditActionFilter, RangeDateTimeFilter
from billing_portal.admin.long_lists import LongListAdmin
from billing_portal.models import AuditReport, BusinessDay, Heartbeat

admin.site.unregister(EmailAddress)
admin.site.unregister(Authenticator)


@admin.register(AuditEvent)
class AuditEventAdmin(LongListAdmin):
    """Who did what, when and why."""

    list_display = (
        cells.time_column("created_at", "At"),
        cells.column("action", "Action", cells.in_words),
        cells.account_column(),
        "actor",
        "reason",
    )
    list_select_related = ("account", "actor")
    list_filter = (
        AuditActionFilter,
        ("created_at", RangeDateTimeFilter),
        ("actor", AutocompleteSelectFilter),
        ("account", AutocompleteSelectFilter),
    )
    order_of_an_account = ("-created_at", "-id")
    time_field = "created_at"
    search_fields = ("account__name",)
    search_help_text = "Company, or anything else that an account is found by"


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    """When each scheduled job last ran to its end."""

    list_display = ("name", cells.time_column("at", "Last ran"))


@admin.register(AuditReport)
class AuditReportAdmin(ReadOnlyAdmin):
    """What each run of the audit found."""

    list_display = (
        cells.time_column("began_at", "Began"),
        "of_what",
        "found",
    )
    list_filter = (("began_at", RangeDateTimeFilter),)
    fields = ("began_at", "since", "violations", "rows_in_words")
    readonly_fields = ("rows_in_words",)

    @admin.display(description="Of what")
    def of_what(self, report: AuditReport) -> str:
        """Everything, or what came since a moment."""
        if report.since is None:
            return "Everything"
        return f"What came since {cells.when(report.since)}"

    @admin.display(description="Found")
    def found(self, report: AuditReport) -> cells.Cell:
        """Whether every invariant held."""
        if not report.violations:
            return cells.badge("Nothing", "success")
        return cells.badge(f"{report.violations:,} broken rows", "danger")

    @admin.display(description="Broken rows")
    def rows_in_words(self, report: AuditReport) -> cells.Cell:
        """The first of them; the log has all."""
        if not report.first_violations:
            return cells.NOTHING
        return format_html_join("", "<p>{}</p>", ((row,) for row in report.first_violations))


@admin.register(BusinessDay)
class BusinessDayAdmin(ReadOnlyAdmin):
    """The state of the business, a row for each day."""

    list_display = (
        "day",
        cells.balance_column("monthly_recurring_revenue", "MRR"),
        cells.ledger_column("credit_sold", "Credit sold"),
        cells.ledger_column("credit_used", "Credit used"),
        cells.ledger_column("liability", "Liability"),
        cells.ledger_column("receivable", "Negative balances"),
        cells.balance_column("collected", "Collected"),
        cells.balance_column("failed", "Failed"),
    )
    list_filter = (("day", RangeDateFilter),)
    dollars = (
        "monthly_recurring_revenue",
        "credit_sold",
        "credit_used",
        "liability",
        "receivable",
        "collected",
        "failed",
    )


@admin.register(EmailAddress)
class EmailAddressAdmin(ReadOnlyAdmin):
    """Addresses people sign in with. They change them themselves: the new mailbox confirms it."""

    list_display = ("email", "user", "primary", "verified")
    list_select_related = ("user",)
    list_filter = ("primary", "verified")
    search_fields = ("email", "user__email")


@admin.register(Authenticator)
class AuthenticatorAdmin(ReadOnlyAdmin):
    """Second factors: which exist, never their secrets."""

    list_display = (
        "user",
        "type",
        cells.time_column("created_at", "Added"),
        cells.time_column("last_used_at", "Last used"),
    )
    list_select_related = ("user",)
    list_filter = ("type",)
    search_fields = ("user__email",)
    fields = ("user", "type", "created_at", "last_used_at")
