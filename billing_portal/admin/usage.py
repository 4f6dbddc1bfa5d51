"""Who is on which plan, what was billed for it, and what was used. All of it read-only."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from accounts.money import format_quantity, format_unit_price
from billing_portal.admin import cells
from billing_portal.admin.filters import RangeDateTimeFilter
from billing_portal.admin.long_lists import LongListAdmin
from billing_portal.dashboard import usage_history_page
from plans import usage_explanation
from plans.allowances import remaining
from plans.models import (
    Allowance,
    PlanChange,
    Renewal,
    Rental,
    RentalVia,
    Subscription,
    UsageRecord,
)


@admin.register(Subscription)
class SubscriptionAdmin(LongListAdmin):
    """Subscriptions; every period follows from the anchor."""

    list_display = (
        cells.account_column(),
        cells.column("plan_version", "Plan", cells.link),
        cells.status_column(),
        cells.column("current_period_number", "Period", str),
        cells.time_column("current_period_end", "Period ends"),
        "cancel_at_period_end",
        cells.time_column("past_due_since", "Past due since"),
        cells.time_column("created_at", "Created"),
    )
    list_select_related = ("account", "plan_version__plan")
    list_filter = ("status", "plan_version__plan", ("account", AutocompleteSelectFilter))
    search_fields = ("account__name",)
    search_help_text = "Company, or anything else that an account is found by"


@admin.register(PlanChange)
class PlanChangeAdmin(LongListAdmin):
    """Moves from one plan version to another, made, waiting and taken back."""

    list_display = (
        cells.account_column(),
        cells.column("from_version", "From", str),
        cells.column("to_version", "To", cells.link),
        cells.status_column(),
        cells.time_column("effective_at", "In force since"),
        cells.column("transaction", "Transaction", cells.link),
        "requested_by",
        cells.time_column("created_at", "Asked for"),
    )
    list_select_related = (
        "account",
        "from_version__plan",
        "to_version__plan",
        "transaction",
        "requested_by",
    )
    list_filter = ("status", "to_version__plan", ("account", AutocompleteSelectFilter))
    search_fields = ("transaction__number",)
    names = ("transaction__number",)
    search_help_text = "Transaction number, company, or anything else that an account is found by"


@admin.register(Renewal)
class RenewalAdmin(LongListAdmin):
    """Each billed period, and whether it is paid."""

    order_of_an_account = ("-period_start", "-id")

    list_display = (
        cells.account_column(),
        cells.column("plan_version", "Plan", str),
        cells.column("number", "Period", str),
        cells.status_column(),
        cells.balance_column("amount", "Amount"),
        cells.time_column("period_start", "From"),
        cells.time_column("period_end", "To"),
        cells.column("transaction", "Transaction", cells.link),
        "attempts",
        cells.time_column("next_attempt_at", "Next attempt"),
    )
    list_select_related = ("account", "plan_version__plan", "transaction")
    list_filter = (
        "status",
        ("period_start", RangeDateTimeFilter),
        ("account", AutocompleteSelectFilter),
    )
    search_fields = ("transaction__number",)
    names = ("transaction__number",)
    search_help_text = "Transaction number, company, or anything else that an account is found by"


def _written_via(via: str) -> cells.Cell:
    return str(RentalVia(via).label) if via else cells.NOTHING


@admin.register(Rental)
class RentalAdmin(LongListAdmin):
    """Rentals held, from when to when."""

    list_display = (
        cells.account_column(),
        cells.column("feature", "Feature", str),
        cells.column("quantity", "Held", str),
        "quantity_at_renewal",
        cells.time_column("started_at", "From"),
        cells.time_column("ended_at", "To"),
        cells.column("via", "Through", _written_via),
        cells.column("changed_by", "Asked by", str),
    )
    list_select_related = ("account", "feature", "changed_by")
    list_filter = (
        "feature",
        ("ended_at", admin.EmptyFieldListFilter),
        ("account", AutocompleteSelectFilter),
    )
    search_fields = ("account__name",)
    search_help_text = "Company, or anything else that an account is found by"


@admin.register(Allowance)
class AllowanceAdmin(LongListAdmin):
    """What was included, used and billed in each period."""

    list_display = (
        cells.account_column(),
        cells.column("feature", "Feature", str),
        cells.column("renewal__number", "Period", str),
        cells.time_column("renewal__period_start", "From"),
        cells.time_column("renewal__period_end", "To"),
        cells.column("included", "Included", format_quantity),
        cells.column("used", "Used", format_quantity),
        "left",
        cells.column("billed_quantity", "Billed beyond", format_quantity),
    )
    list_select_related = ("account", "feature", "renewal")
    list_filter = ("feature", ("account", AutocompleteSelectFilter))
    search_fields = ("account__name",)
    search_help_text = "Company, or anything else that an account is found by"

    @admin.display(description="Left")
    def left(self, allowance: Allowance) -> str:
        """What is still included."""
        return format_quantity(remaining(allowance))


@admin.register(UsageRecord)
class UsageRecordAdmin(LongListAdmin):
    """What the platform reported, and how it was rated."""

    names = ("record_id",)
    time_field = "occurred_at"
    order_of_an_account = ("-occurred_at", "-id")

    list_display = (
        "record_id",
        cells.account_column(),
        cells.column("feature", "Feature", str),
        cells.column("quantity", "Quantity", format_quantity),
        cells.column("included_quantity", "Included", format_quantity),
        cells.column("billed_quantity", "Billed", format_quantity),
        cells.column("unit_price", "Unit price", format_unit_price),
        cells.ledger_column("amount", "Amount"),
        "workspace",
        cells.time_column("occurred_at", "Occurred"),
    )
    list_select_related = ("account", "feature")
    list_filter = (
        "feature",
        ("occurred_at", RangeDateTimeFilter),
        ("account", AutocompleteSelectFilter),
    )
    search_fields = ("record_id",)
    search_help_text = "Record id or company"
    dollars = ("amount", "balance_before", "balance_after")
    readonly_fields = ("price", "explanation")
    fieldsets = (
        (
            "Record",
            {
                "fields": (
                    ("record_id", "account", "feature"),
                    ("workspace", "source", "description"),
                    ("occurred_at", "recorded_at"),
                )
            },
        ),
        (
            "Why it cost what it cost",
            {
                "fields": (
                    "explanation",
                    ("plan_version", "renewal"),
                    ("quantity", "included_before", "included_quantity"),
                    ("billed_quantity", "billed_before", "price"),
                    ("amount", "balance_before", "balance_after"),
                )
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[UsageRecord]:
        """Load what the page names."""
        records: QuerySet[UsageRecord] = super().get_queryset(request)
        return records.select_related("account", "feature", "renewal", "plan_version__plan")

    @admin.display(description="Unit price")
    def price(self, record: UsageRecord) -> str:
        """The plan's price of a unit."""
        return f"{format_unit_price(record.unit_price)} / {record.feature.unit}"

    @admin.display(description="In the customer's words")
    def explanation(self, record: UsageRecord) -> SafeString:
        """What the dashboard answers to "Why was I charged?"."""
        explained = usage_history_page.build_usage_explanation(
            usage_explanation.explain(record=record), account=record.account
        )
        return render_to_string(
            "admin/usage_explanation.html",
            {"explained": explained, "zone": record.account.timezone},
        )
