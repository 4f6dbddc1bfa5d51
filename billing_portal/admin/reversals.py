"""Money that goes back: refunds. Read-only; new ones are made on the transaction's page."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RangeDateTimeFilter

from accounts.money import format_omr
from billing_portal.admin import cells
from billing_portal.admin.base import PartOfParentInline, ReadOnlyAdmin
from invoices.models import Refund


class RefundInline(PartOfParentInline):
    """What went back of a transaction."""

    model = Refund
    fields = ("refund", "state", "dollars", "rials", "reason", "made_by", "at")
    readonly_fields = fields
    verbose_name_plural = "refunds"

    @admin.display(description="Refund")
    def refund(self, refund: Refund) -> cells.Cell:
        """Its number, and the way to all that is known of it."""
        return cells.link(refund)

    @admin.display(description="Status")
    def state(self, refund: Refund) -> cells.Cell:
        """How it stands."""
        return cells.status_badge(refund.status, refund.get_status_display())

    @admin.display(description="USD")
    def dollars(self, refund: Refund) -> cells.Cell:
        """How much."""
        return cells.usd(refund.amount.amount)

    @admin.display(description="To the card")
    def rials(self, refund: Refund) -> cells.Cell:
        """What the card gets."""
        return cells.omr(refund.charged_amount.amount)

    @admin.display(description="Made (UTC)")
    def at(self, refund: Refund) -> str:
        """When it was made."""
        return cells.when(refund.created_at)


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdmin):
    """Every refund, wherever it was made."""

    list_display = (
        "number",
        cells.status_column(),
        cells.account_column(),
        cells.column("transaction", "Transaction", cells.link),
        cells.balance_column("amount", "USD"),
        cells.column("charged_amount", "To the card", lambda money: cells.omr(money.amount)),
        "origin",
        "made_by",
        cells.time_column("created_at", "Made"),
    )
    list_select_related = ("account", "transaction", "made_by")
    list_filter = (
        "status",
        "origin",
        ("created_at", RangeDateTimeFilter),
        ("account", AutocompleteSelectFilter),
    )
    search_fields = (
        "number__iexact",
        "credit_note_number__iexact",
        "stripe_refund_id__exact",
        "transaction__number__iexact",
        "account__name",
    )
    search_help_text = "Number, credit note, Stripe id, transaction number or company"
    fieldsets = (
        (
            "Refund",
            {
                "fields": (
                    ("number", "state", "credit_note_number"),
                    (
                        cells.account_column(),
                        cells.column("transaction", "Transaction", cells.link),
                    ),
                    ("amount", "tax_amount", "in_omr"),
                    ("origin", "made_by"),
                    "reason",
                )
            },
        ),
        ("Times", {"fields": (("created_at", "asked_at"), ("succeeded_at", "failed_at"))}),
        ("Bank", {"fields": (("stripe_refund_id", "stripe_status"), "failure_message")}),
    )
    readonly_fields = ("state", "in_omr")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Refund]:
        """Load what the page links to."""
        refunds: QuerySet[Refund] = super().get_queryset(request)
        return refunds.select_related("account", "transaction", "made_by")

    @admin.display(description="Status")
    def state(self, refund: Refund) -> cells.Cell:
        """How it stands."""
        return cells.status_badge(refund.status, refund.get_status_display())

    @admin.display(description="To the card")
    def in_omr(self, refund: Refund) -> str:
        """What the card gets."""
        return format_omr(refund.charged_amount.amount)
