"""The PDF of a month's statement."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.dates import write_day, write_document_range, write_long_day
from accounts.models import Account
from accounts.money import format_omr, format_unit_price
from accounts.recorded_words import translated
from invoices import documents
from invoices.settlement import billing_details
from wallet import statements
from wallet.models import Entry, EntryKind
from wallet.statements import Statement, UsagePart

#: A month has few entries that are no usage; beyond these, the CSV has them all.
_MOST_ENTRIES: Final = 300


def filename(statement: Statement) -> str:
    """Return the name under which it is saved: `statement-2026-11.pdf`."""
    return f"statement-{statement.month.slug}.pdf"


def render(
    *,
    account: Account,
    statement: Statement,
    usage_by_feature: Sequence[UsagePart],
    now: datetime,
) -> bytes:
    """Return the statement as PDF, in the language that is spoken; the parts come to its usage.

    Who is billed is as it is now: a statement sums up, the receipts keep what was said then.
    """
    return documents.draw(
        "invoices/statement.html", _context(account, statement, usage_by_feature, now)
    )


def _context(
    account: Account,
    statement: Statement,
    usage_by_feature: Sequence[UsagePart],
    now: datetime,
) -> dict[str, Any]:
    month = statement.month
    last_day = statements.last_day(month)
    today = now.astimezone(account.timezone).date()
    entries = statements.credit_entries(account=account, totals=statement.totals)
    more = statement.totals.credit.count - _MOST_ENTRIES
    return {
        **documents.parties(
            seller={key: str(value) for key, value in settings.SELLER.items()},
            billed_to=billing_details(account),
        ),
        "title": _("Credit statement"),
        "document_number": month.slug,
        "period": write_document_range(month.first_day, last_day),
        "drawn": _("Closed")
        if statement.totals.is_closed
        else _("Not closed: as of %(day)s") % {"day": write_long_day(today)},
        "summary": _summary(statement),
        "entries": [_entry(entry, account) for entry in entries[:_MOST_ENTRIES]],
        "more": ngettext(
            "%(count)d more line is in the CSV.", "%(count)d more lines are in the CSV.", more
        )
        % {"count": more}
        if more > 0
        else "",
        "features": [
            {"name": part.name, "amount": format_unit_price(part.amount)}
            for part in usage_by_feature
        ],
        "days": [
            {
                "day": write_day(day),
                "count": f"{usage.count:,}",
                "amount": format_unit_price(usage.amount),
            }
            for day, usage in statement.usage_by_day.items()
        ],
    }


def _summary(statement: Statement) -> list[dict[str, Any]]:
    totals = statement.totals
    closing = _("Closing balance") if totals.is_closed else _("Balance so far")
    return [
        _edge(_("Opening balance"), totals.opening.amount),
        *_kinds(statement.by_kind.items()),
        _edge(closing, totals.closing.amount),
    ]


def _kinds(sums: Iterable[tuple[EntryKind, statements.Movement]]) -> list[dict[str, Any]]:
    return [
        {
            "label": str(kind.label),
            "count": f"{movement.count:,}",
            "amount": format_unit_price(movement.amount),
            "is_edge": False,
        }
        for kind, movement in sums
    ]


def _edge(label: str, amount: Any) -> dict[str, Any]:
    return {"label": label, "count": "", "amount": format_unit_price(amount), "is_edge": True}


def _entry(entry: Entry, account: Account) -> dict[str, Any]:
    payment = entry.transaction
    return {
        "day": write_day(entry.created_at.astimezone(account.timezone).date()),
        "description": documents.paragraph(translated(entry.description)),
        "payment": " · ".join(
            part
            for part in (
                payment.receipt_number or payment.number,
                format_omr(payment.charged_amount.amount),
            )
            if part
        )
        if payment
        else "",
        "amount": format_unit_price(entry.amount),
        "balance_after": format_unit_price(entry.balance_after),
    }
