"""Auto-refill: each customer's rule, how its last attempt went, and what was agreed to."""

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from billing_portal.admin import cells
from billing_portal.admin.filters import RangeDateTimeFilter
from billing_portal.admin.long_lists import LongListAdmin
from invoices.models import Purpose, Transaction
from wallet.models import AutoRefill, AutoRefillConsent


@admin.register(AutoRefill)
class AutoRefillAdmin(LongListAdmin):
    """Each customer's own rule."""

    list_display = (
        cells.column("wallet__account", "Account", cells.link),
        "enabled",
        cells.balance_column("threshold", "Threshold"),
        cells.balance_column("amount", "Top Up Amount"),
        cells.balance_column("monthly_maximum", "Monthly Maximum"),
        "last_attempt",
        cells.time_column("next_attempt_at", "Not before"),
        cells.time_column("capped_until", "Capped until"),
        cells.time_column("suspended_at", "Suspended"),
    )
    list_select_related = ("wallet__account",)
    list_filter = (
        "enabled",
        ("suspended_at", admin.EmptyFieldListFilter),
        ("capped_until", admin.EmptyFieldListFilter),
    )
    account_field = "wallet__account"
    search_fields = ("wallet__account__name",)
    search_help_text = "Company, or anything else that an account is found by"
    fields = (
        (cells.column("wallet__account", "Account", cells.link), "enabled"),
        ("threshold", "amount", "monthly_maximum"),
        "consent_link",
        ("last_attempt", "last_attempt_reason"),
        ("consecutive_failures", "next_attempt_at"),
        ("capped_until", "suspended_at"),
    )
    readonly_fields = ("consent_link", "last_attempt", "last_attempt_reason")

    def get_queryset(self, request: HttpRequest) -> QuerySet[AutoRefill]:
        """Load the last attempt of each rule with it."""
        attempts = Transaction.objects.filter(
            account_id=OuterRef("wallet__account_id"), purpose=Purpose.AUTO_REFILL
        ).order_by("-created_at", "-pk")
        rules: QuerySet[AutoRefill] = super().get_queryset(request)
        return rules.annotate(
            last_id=Subquery(attempts.values("pk")[:1]),
            last_status=Subquery(attempts.values("status")[:1]),
            last_amount=Subquery(attempts.values("amount")[:1]),
            last_at=Subquery(attempts.values("created_at")[:1]),
            last_reason=Subquery(attempts.values("failure_message")[:1]),
        )

    @admin.display(description="Last attempt (UTC)", ordering="last_at")
    def last_attempt(self, rule: AutoRefill) -> cells.Cell:
        """When, how much, and what came of it."""
        if rule.last_id is None:  # type: ignore[attr-defined]
            return cells.NOTHING
        return format_html(
            "{} {} {}",
            cells.link_to(Transaction, rule.last_id, cells.when(rule.last_at)),  # type: ignore[attr-defined]
            cells.usd(rule.last_amount),  # type: ignore[attr-defined]
            cells.status_badge(rule.last_status, rule.last_status.title()),  # type: ignore[attr-defined]
        )

    @admin.display(description="Why it failed")
    def last_attempt_reason(self, rule: AutoRefill) -> str:
        """The bank's reason, in words."""
        return rule.last_reason or cells.NOTHING  # type: ignore[attr-defined]

    @admin.display(description="Charges by")
    def consent_link(self, rule: AutoRefill) -> cells.Cell:
        """The consent, and who gave it when."""
        if rule.consent is None:
            return cells.NOTHING
        by = rule.consent.given_by
        text = f"{rule.consent} {cells.when(rule.consent.created_at)}{f' by {by}' if by else ''}"
        return cells.link(rule.consent, text)


@admin.register(AutoRefillConsent)
class AutoRefillConsentAdmin(LongListAdmin):
    """What customers agreed to, word for word. Append-only."""

    list_display = (
        cells.time_column("created_at", "At"),
        cells.account_column(),
        "action",
        "given_by",
        cells.balance_column("threshold", "Threshold"),
        cells.balance_column("amount", "Top Up Amount"),
        cells.balance_column("monthly_maximum", "Monthly Maximum"),
    )
    list_select_related = ("account", "given_by")
    list_filter = (
        "action",
        ("created_at", RangeDateTimeFilter),
        ("account", AutocompleteSelectFilter),
    )
    order_of_an_account = ("-created_at", "-id")
    search_fields = ("account__name",)
    search_help_text = "Company, or anything else that an account is found by"
    fields = (
        ("account", "action"),
        ("given_by", "created_at"),
        ("threshold", "amount", "monthly_maximum"),
        "text",
    )
