"""Money: transactions, the ledger and adjustments. All of it read-only."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from accounts.money import format_omr, format_quantity, format_unit_price
from billing_portal.admin import cells
from billing_portal.admin.base import PartOfParentInline, ReadOnlyAdmin
from billing_portal.admin.exports import ExportMixin
from billing_portal.admin.filters import RangeDateTimeFilter
from billing_portal.admin.long_lists import LongListAdmin
from billing_portal.admin.month_end import MonthEndMixin
from billing_portal.admin.pagination import MOST_ROWS
from billing_portal.admin.reversals import DisputeInline, RefundInline
from billing_portal.admin.reverse_action import ReverseActionMixin
from billing_portal.admin.transaction_actions import TransactionActionsMixin
from invoices.models import Line, Transaction
from invoices.staff_exports import TRANSACTIONS
from plans.models import UsageRecord
from wallet.models import Adjustment, Entry, Wallet
from wallet.staff_exports import ENTRIES


class LineInline(PartOfParentInline):
    """What the transaction is made of."""

    model = Line
    fields = ("description", "how_many", "each", "in_all", "period")
    readonly_fields = fields
    verbose_name_plural = "lines"

    @admin.display(description="Quantity")
    def how_many(self, line: Line) -> str:
        """The quantity."""
        return format_quantity(line.quantity)

    @admin.display(description="Unit price")
    def each(self, line: Line) -> str:
        """The price of one."""
        return format_unit_price(line.unit_price.amount)

    @admin.display(description="Amount")
    def in_all(self, line: Line) -> cells.Cell:
        """The amount."""
        return cells.usd(line.amount.amount)

    @admin.display(description="Period (UTC)")
    def period(self, line: Line) -> str:
        """What it pays for, in time."""
        if line.period_start is None:
            return cells.NOTHING
        return f"{cells.when(line.period_start)} to {cells.when(line.period_end)}"


class EntryInline(PartOfParentInline):
    """What the transaction did to the ledger."""

    model = Entry
    fields = ("entry", "kind", "moved", "after", "at")
    readonly_fields = fields
    verbose_name_plural = "ledger entries"

    @admin.display(description="Entry")
    def entry(self, entry: Entry) -> cells.Cell:
        """Its place in the ledger."""
        return cells.link(entry, f"#{entry.sequence} {entry.description}")

    @admin.display(description="Amount")
    def moved(self, entry: Entry) -> cells.Cell:
        """The signed amount."""
        return cells.ledger_usd(entry.amount)

    @admin.display(description="Balance after")
    def after(self, entry: Entry) -> cells.Cell:
        """The balance it left."""
        return cells.ledger_usd(entry.balance_after)

    @admin.display(description="At (UTC)")
    def at(self, entry: Entry) -> str:
        """When it was posted."""
        return cells.when(entry.created_at)


@admin.register(Transaction)
class TransactionAdmin(TransactionActionsMixin, ExportMixin, LongListAdmin):
    """Every attempt to move real money, and what came of it."""

    export_of = TRANSACTIONS
    export_permission = "invoices.export_transactions"

    names = (
        "number",
        "receipt_number",
        "stripe_payment_intent_id",
        "stripe_checkout_session_id",
    )
    time_field = "created_at"
    order_of_an_account = ("-created_at", "-id")

    list_display = (
        "number",
        "state",
        "purpose",
        cells.account_column(),
        cells.balance_column("amount", "USD"),
        cells.column("charged_amount", "OMR", lambda money: cells.omr(money.amount)),
        "card_shown",
        cells.time_column("created_at", "Created"),
        cells.time_column("paid_at", "Paid"),
    )
    list_select_related = ("account",)
    list_filter = (
        "status",
        "purpose",
        ("created_at", RangeDateTimeFilter),
        ("account", AutocompleteSelectFilter),
    )
    search_fields = ("number",)
    search_help_text = "Number, receipt number, Stripe id, company or its owner's e-mail"
    inlines = (LineInline, RefundInline, DisputeInline, EntryInline)
    fieldsets = (
        (
            "Transaction",
            {
                "fields": (
                    ("number", "state", "receipt_number"),
                    ("account_link", "purpose"),
                    ("amount", "refunded_amount"),
                    ("tax_rate", "tax_amount"),
                    ("in_omr", "exchange_rate"),
                    "obligation",
                )
            },
        ),
        (
            "Times",
            {
                "fields": (
                    ("created_at", "asked_at"),
                    ("paid_at", "failed_at"),
                    ("expires_at", "expired_at"),
                    ("confirmable_until", "supersedes"),
                )
            },
        ),
        (
            "Card and bank",
            {
                "fields": (
                    ("card_link", "opened_by", "is_on_session"),
                    ("failure_code", "failure_message"),
                    ("stripe_payment_intent_id", "stripe_checkout_session_id"),
                )
            },
        ),
    )

    readonly_fields = ("state", "account_link", "card_link", "in_omr")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Transaction]:
        """Load what the page links to."""
        transactions: QuerySet[Transaction] = super().get_queryset(request)
        return transactions.select_related("account", "card", "opened_by", "supersedes")

    @admin.display(description="Status", ordering="status")
    def state(self, transaction: Transaction) -> cells.Cell:
        """The status, and beside it what never replaces it."""
        text = transaction.get_status_display()
        shown = cells.status_badge(transaction.status, text)
        if transaction.is_expired:
            return format_html("{} {}", shown, cells.badge("Expired"))
        if transaction.refunded_amount.amount:
            whole = transaction.refunded_amount == transaction.amount
            words = "Refunded" if whole else "Partly refunded"
            return format_html("{} {}", shown, cells.badge(words, "warning"))
        return shown

    @admin.display(description="Card")
    def card_shown(self, transaction: Transaction) -> str:
        """The card as it was when it paid."""
        text = f"{transaction.card_brand.title()} {transaction.card_last4}".strip()
        return text or cells.NOTHING

    @admin.display(description="Account")
    def account_link(self, transaction: Transaction) -> cells.Cell:
        """Whose it is."""
        return cells.link(transaction.account)

    @admin.display(description="Card")
    def card_link(self, transaction: Transaction) -> cells.Cell:
        """The saved card, or what is known of the one used."""
        if transaction.card is None:
            return self.card_shown(transaction)
        return cells.link(transaction.card)

    @admin.display(description="Charged")
    def in_omr(self, transaction: Transaction) -> str:
        """What the card was charged."""
        return format_omr(transaction.charged_amount.amount)


@admin.register(Entry)
class EntryAdmin(ExportMixin, MonthEndMixin, LongListAdmin):
    """The ledger, line by line."""

    export_of = ENTRIES
    export_permission = "wallet.export_entries"
    actions_list = ("export", "month_end")

    time_field = "created_at"
    order_of_an_account = ("-sequence",)

    dollars = ("amount", "balance_after")
    list_display = (
        "sequence",
        cells.account_column(),
        "kind",
        cells.ledger_column("amount", "Amount"),
        cells.ledger_column("balance_after", "Balance after"),
        "description",
        cells.time_column("created_at", "At"),
    )
    list_select_related = ("account",)
    list_filter = (
        "kind",
        ("created_at", RangeDateTimeFilter),
        ("account", AutocompleteSelectFilter),
    )
    search_fields = ("usage_id",)
    search_help_text = "Usage record id, transaction number or company"
    fields = (
        ("account", "sequence", "kind"),
        ("amount", "balance_after"),
        "description",
        ("transaction", "refund", "dispute"),
        ("adjustment", "usage_record"),
        "created_at",
    )
    readonly_fields = ("usage_record",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Entry]:
        """Load what the page links to."""
        entries: QuerySet[Entry] = super().get_queryset(request)
        return entries.select_related("account", "transaction", "refund", "dispute", "adjustment")

    @admin.display(description="Usage record")
    def usage_record(self, entry: Entry) -> cells.Cell:
        """The record that was charged, and why."""
        if not entry.usage_id:
            return cells.NOTHING
        record = UsageRecord.objects.filter(account=entry.account_id, record_id=entry.usage_id)
        return cells.link(record.first())

    def also_found(self, term: str) -> list[int]:
        """Return the entries of the transaction numbered so, or of the usage records called so.

        Whose those are is asked of them: an entry is found by its account and its record's id.
        """
        entries = Entry.objects.order_by().values_list("pk", flat=True)
        owners = UsageRecord.objects.filter(record_id=term).values("account")
        return list(
            entries.filter(transaction__number=term.upper()).union(
                entries.filter(account__in=owners, usage_id=term)[:MOST_ROWS]
            )
        )


@admin.register(Adjustment)
class AdjustmentAdmin(ReverseActionMixin, ReadOnlyAdmin):
    """Credit added or taken by staff. New ones are made on the account's page."""

    dollars = ("amount", "author_limit")
    list_display = (
        cells.time_column("created_at", "At"),
        cells.column("wallet__account", "Account", cells.link),
        cells.balance_column("amount", "Amount"),
        "reason",
        "author",
    )
    list_select_related = ("wallet__account", "author")
    list_filter = (("created_at", RangeDateTimeFilter), ("author", AutocompleteSelectFilter))
    search_fields = ("reason", "wallet__account__name", "author__email")
    fields = (
        (cells.column("wallet__account", "Account", cells.link), "created_at"),
        ("author", "approved_by"),
        ("amount", "author_limit"),
        "reason",
        (
            cells.column("reverses", "Takes back", cells.link),
            cells.column("reversal", "Taken back by", cells.link),
            cells.column("approval", "Approved as", cells.link),
        ),
    )


@admin.register(Wallet)
class WalletAdmin(LongListAdmin):
    """Prepaid credit; only entries move it."""

    dollars = ("balance",)
    list_display = (
        cells.account_column(),
        cells.balance_column("balance", "Balance"),
        cells.column("last_sequence", "Entries", str),
        cells.time_column("created_at", "Opened"),
    )
    list_select_related = ("account",)
    search_fields = ("account__name",)
    search_help_text = "Company, or anything else that an account is found by"
    fields = (
        "account",
        "balance",
        "last_sequence",
        "low_balance_limit",
        "spend_cap",
        "created_at",
    )
    readonly_fields = ("balance", "last_sequence")
