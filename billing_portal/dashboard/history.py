"""Billing History: filters, search, pages that do not shift while new lines arrive."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.days import midnight
from accounts.models import Account
from billing_portal.dashboard.cursors import ByTime, page_of
from billing_portal.dashboard.forms import HistoryFilterForm
from billing_portal.dashboard.rows import TransactionRow, transaction_rows
from billing_portal.dashboard.unpaid_renewal import payable_among
from invoices.models import Refund, Transaction

PAGE_SIZE = 25
_CURRENCY = re.compile(r"\$|USD|OMR|ر\.ع\.?", re.IGNORECASE)
#: No longer than an amount can be.
_AMOUNT = re.compile(r"\d{1,10}(\.\d{1,3})?")


@dataclass(frozen=True)
class History:
    """One page of Billing History."""

    rows: tuple[TransactionRow, ...]
    is_filtered: bool
    note: str
    clear_href: str
    export_href: str
    has_previous: bool
    has_next: bool
    previous_href: str
    next_href: str


def filter_transactions(account: Account, filters: Mapping[str, Any]) -> QuerySet[Transaction]:
    """Return the account's transactions that match; days are the account's own.

    What is searched for is a part of a number (of the payment, its receipt or a credit note), or an
    amount in dollars or rials.
    """
    found = Transaction.objects.filter(account=account)
    if filters.get("search"):
        found = found.filter(_search(filters["search"]))
    if filters.get("card"):
        brand, __, last4 = filters["card"].rpartition("-")
        found = found.filter(card_brand=brand, card_last4=last4)
    if filters.get("status"):
        found = found.filter(status=filters["status"])
    if filters.get("kind"):
        found = found.filter(purpose=filters["kind"])
    if filters.get("date_from"):
        found = found.filter(
            created_at__gte=midnight(filters["date_from"], timezone=account.timezone)
        )
    if filters.get("date_to"):
        after = filters["date_to"] + timedelta(days=1)
        found = found.filter(created_at__lt=midnight(after, timezone=account.timezone))
    return found


def build_history(
    *,
    account: Account,
    form: HistoryFilterForm,
    before: str = "",
    after: str = "",
    now: datetime,
    may_act: bool,
) -> History:
    """Compose the page older than cursor `before`, or newer than `after`; else the newest one.

    A cursor is the place between two lines, so lines that arrive meanwhile shift nothing.
    """
    form.is_valid()
    filters = {name: value for name, value in form.cleaned_data.items() if value}
    found = filter_transactions(account, filters).prefetch_related("lines", "disputes", "refunds")
    query = {name: str(value) for name, value in filters.items()}
    here = reverse("billing-history")
    export = reverse("billing-history-export")
    page = page_of(
        found, before=before, after=after, size=PAGE_SIZE, here=here, query=query, order=ByTime()
    )
    return History(
        rows=transaction_rows(
            page.rows,
            zone=account.timezone,
            now=now,
            may_act=may_act,
            full=True,
            payable=payable_among(page.rows, account=account) if may_act else None,
        ),
        is_filtered=bool(query),
        note=_note(len(page.rows)),
        clear_href=here if query and page.rows else "",
        export_href=f"{export}?{urlencode(query)}" if query else export,
        has_previous=page.has_previous,
        has_next=page.has_next,
        previous_href=page.previous_href,
        next_href=page.next_href,
    )


def _note(shown: int) -> str:
    """Say how many lines are shown, also to whom the page is read aloud."""
    if not shown:
        return _("No payment matches.")
    return ngettext(
        "%(count)d payment shown.", "%(count)d payments shown, newest first.", shown
    ) % {"count": shown}


def _search(text: str) -> Q:
    noted = Refund.objects.filter(transaction=OuterRef("pk"), credit_note_number__icontains=text)
    by_number = Q(number__icontains=text) | Q(receipt_number__icontains=text) | Q(Exists(noted))
    written = _CURRENCY.sub("", text).replace(",", "").strip()
    if not _AMOUNT.fullmatch(written):
        return by_number
    amount = Decimal(written)
    return by_number | Q(amount=amount) | Q(charged_amount=amount)
