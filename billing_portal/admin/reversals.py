"""Money that goes back: refunds and disputes. Read-only; a transaction's page makes refunds."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import action

from accounts.money import format_omr
from billing_portal.admin import cells
from billing_portal.admin.base import PartOfParentInline
from billing_portal.admin.exports import ExportMixin
from billing_portal.admin.filters import RangeDateTimeFilter
from billing_portal.admin.long_lists import LongListAdmin
from billing_portal.downloads import pdf
from invoices import credit_notes
from invoices.models import Dispute, Refund
from invoices.staff_exports import REFUNDS


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
class RefundAdmin(ExportMixin, LongListAdmin):
    """Every refund, wherever it was made."""

    export_of = REFUNDS
    export_permission = "invoices.export_refunds"

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
    names = ("number", "credit_note_number", "stripe_refund_id", "transaction__number")
    search_fields = names
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
    actions_detail = ("credit_note",)

    @action(
        description="Download credit note",
        url_path="credit-note",
        permissions=["view"],
        icon="download",
    )
    def credit_note(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Hand out what the customer downloads, too."""
        refund = self.get_object(request, object_id)
        if refund is None:
            raise Http404("No such refund.")
        if not refund.credit_note_number:
            messages.warning(request, "Only a refund that succeeded has a credit note.")
            return HttpResponseRedirect(reverse("admin:invoices_refund_change", args=[refund.pk]))
        return pdf(credit_notes.render(refund), filename=credit_notes.filename(refund))

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


class DisputeInline(PartOfParentInline):
    """What of a transaction is disputed."""

    model = Dispute
    fields = ("dispute", "state", "dollars", "rials", "why", "due", "at")
    readonly_fields = fields
    verbose_name_plural = "disputes"

    @admin.display(description="Dispute")
    def dispute(self, dispute: Dispute) -> cells.Cell:
        """Its id at Stripe, and the way to all that is known of it."""
        return cells.link(dispute)

    @admin.display(description="Status")
    def state(self, dispute: Dispute) -> cells.Cell:
        """How far it has come."""
        return cells.status_badge(dispute.status, dispute.get_status_display())

    @admin.display(description="USD")
    def dollars(self, dispute: Dispute) -> cells.Cell:
        """How much of the payment it holds."""
        return cells.usd(dispute.amount.amount)

    @admin.display(description="Disputed")
    def rials(self, dispute: Dispute) -> cells.Cell:
        """What the bank has taken."""
        return cells.omr(dispute.charged_amount.amount)

    @admin.display(description="Reason")
    def why(self, dispute: Dispute) -> str:
        """The bank's reason."""
        return dispute.reason_in_words

    @admin.display(description="Evidence due (UTC)")
    def due(self, dispute: Dispute) -> str:
        """Until when it can be answered."""
        return cells.when(None if dispute.closed_at else dispute.evidence_due_at)

    @admin.display(description="Opened (UTC)")
    def at(self, dispute: Dispute) -> str:
        """When the bank opened it."""
        return cells.when(dispute.opened_at)


@admin.register(Dispute)
class DisputeAdmin(LongListAdmin):
    """Every dispute, as Stripe tells it. It is answered in Stripe's dashboard."""

    list_display = (
        "stripe_dispute_id",
        cells.status_column(),
        cells.account_column(),
        cells.column("transaction", "Transaction", cells.link),
        cells.balance_column("amount", "USD"),
        cells.column("charged_amount", "Disputed", lambda money: cells.omr(money.amount)),
        cells.column("reason", "Reason", lambda reason: str(reason).replace("_", " ")),
        cells.time_column("evidence_due_at", "Evidence due"),
        cells.time_column("opened_at", "Opened"),
    )
    list_select_related = ("account", "transaction")
    list_filter = (
        "status",
        ("opened_at", RangeDateTimeFilter),
        ("account", AutocompleteSelectFilter),
    )
    names = ("stripe_dispute_id", "stripe_charge_id", "transaction__number")
    search_fields = names
    search_help_text = "Stripe id, transaction number or company"
    fieldsets = (
        (
            "Dispute",
            {
                "fields": (
                    ("stripe_dispute_id", "state", "reason_in_words"),
                    (
                        cells.account_column(),
                        cells.column("transaction", "Transaction", cells.link),
                    ),
                    ("amount", "tax_amount", "in_omr"),
                    "stripe_charge_id",
                )
            },
        ),
        (
            "Times",
            {"fields": (("opened_at", "evidence_due_at"), ("closed_at", "asked_at"))},
        ),
    )
    readonly_fields = ("state", "reason_in_words", "in_omr")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Dispute]:
        """Load what the page links to."""
        disputes: QuerySet[Dispute] = super().get_queryset(request)
        return disputes.select_related("account", "transaction")

    @admin.display(description="Status")
    def state(self, dispute: Dispute) -> cells.Cell:
        """How far it has come."""
        return cells.status_badge(dispute.status, dispute.get_status_display())

    @admin.display(description="Reason")
    def reason_in_words(self, dispute: Dispute) -> str:
        """The bank's reason."""
        return dispute.reason_in_words

    @admin.display(description="Disputed")
    def in_omr(self, dispute: Dispute) -> str:
        """What the bank has taken."""
        return format_omr(dispute.charged_amount.amount)
