"""Billing History as a file for a spreadsheet."""

from collections.abc import Iterator
from datetime import tzinfo

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet, Subquery
from django.utils.translation import gettext_lazy as _

from accounts.models import brand_name
from accounts.recorded_words import translated
from accounts.spreadsheets import CHUNK, csv_lines
from invoices.models import Dispute, DisputeStatus, Line, Transaction

HEADER = (
    "Number",
    _("Receipt number"),
    _("Date"),
    _("Purpose"),
    _("Description"),
    _("Status"),
    _("Net USD"),
    _("Tax %"),
    _("Tax USD"),
    _("Amount USD"),
    _("Charged OMR"),
    _("Rate"),
    _("Card"),
    _("Failure"),
    _("Refunded USD"),
    _("Dispute"),
)


def transactions_csv(queryset: QuerySet[Transaction], *, timezone: tzinfo) -> Iterator[str]:
    """Return the rows of `queryset` as CSV, header first, for a streaming response.

    Dates are in `timezone` with their offset, amounts plain decimals. One query, whatever the
    number of rows.
    """
    lines = Line.objects.filter(transaction=OuterRef("pk"), is_tax=False).order_by("position")
    disputes = Dispute.objects.filter(transaction=OuterRef("pk")).order_by("-opened_at")
    described = queryset.annotate(
        descriptions=ArraySubquery(lines.values("description")),
        dispute=Subquery(disputes.values("status")[:1]),
    )
    rows = (
        _row(
            transaction,
            "; ".join(map(translated, transaction.descriptions)),
            dispute=transaction.dispute or "",
            timezone=timezone,
        )
        for transaction in described.iterator(chunk_size=CHUNK)
    )
    return csv_lines(header=HEADER, rows=rows)


def _row(
    transaction: Transaction, description: str, *, dispute: str, timezone: tzinfo
) -> tuple[str, ...]:
    return (
        transaction.number,
        transaction.receipt_number,
        transaction.created_at.astimezone(timezone).isoformat(timespec="seconds"),
        transaction.get_purpose_display(),
        description,
        transaction.get_status_display(),
        f"{transaction.net_amount.amount:f}",
        f"{transaction.tax_rate.normalize():f}",
        f"{transaction.tax_amount.amount:f}",
        f"{transaction.amount.amount:f}",
        f"{transaction.charged_amount.amount:f}",
        f"{transaction.exchange_rate.normalize():f}",
        f"{brand_name(transaction.card_brand)} {transaction.card_last4}".strip(),
        translated(transaction.failure_message),
        f"{transaction.refunded_amount.amount:f}",
        str(DisputeStatus(dispute).label) if dispute else "",
    )
