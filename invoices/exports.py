"""Billing History as a file for a spreadsheet."""

import csv
from collections.abc import Iterator
from datetime import tzinfo

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet, Subquery
from django.utils.translation import gettext_lazy as _

from accounts.models import CARD_BRANDS
from accounts.recorded_words import translated
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

#: How many transactions are read at a time: memory stays flat however long the history.
CHUNK = 1000

#: A cell that begins with one of these is a formula to a spreadsheet.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def transactions_csv(queryset: QuerySet[Transaction], *, timezone: tzinfo) -> Iterator[str]:
    """Yield the rows of `queryset` as CSV, header first, for a streaming response.

    Dates are in `timezone` with their offset, amounts plain decimals. One query, whatever the
    number of rows.
    """
    lines = Line.objects.filter(transaction=OuterRef("pk"), is_tax=False).order_by("position")
    disputes = Dispute.objects.filter(transaction=OuterRef("pk")).order_by("-opened_at")
    described = queryset.annotate(
        descriptions=ArraySubquery(lines.values("description")),
        dispute=Subquery(disputes.values("status")[:1]),
    )
    writer = csv.writer(_Echo())
    yield writer.writerow(map(str, HEADER))
    for transaction in described.iterator(chunk_size=CHUNK):
        row = _row(
            transaction,
            "; ".join(map(translated, transaction.descriptions)),
            dispute=transaction.dispute or "",
            timezone=timezone,
        )
        yield writer.writerow([_harmless(cell) for cell in row])


def _row(
    transaction: Transaction, description: str, *, dispute: str, timezone: tzinfo
) -> tuple[str, ...]:
    brand = transaction.card_brand
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
        f"{CARD_BRANDS.get(brand, brand)} {transaction.card_last4}".strip(),
        translated(transaction.failure_message),
        f"{transaction.refunded_amount.amount:f}",
        str(DisputeStatus(dispute).label) if dispute else "",
    )


def _harmless(cell: str) -> str:
    """Return `cell` as text to a spreadsheet, even where it would be a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell


class _Echo:
    """A file that hands back what is written to it: csv's writer then returns each row."""

    def write(self, row: str) -> str:
        return row
