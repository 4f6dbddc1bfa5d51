"""How a value looks in a list or a panel. All times are UTC."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.db.models import Model
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.money import format_omr, format_usd

Cell = SafeString | str
Column = Callable[[Any], Cell]

NOTHING = "–"

#: The colours of states, shared by every list.
STATUS_COLOURS: Mapping[str, str] = {
    "active": "success",
    "paid": "success",
    "verified": "success",
    "processing": "info",
    "verifying": "info",
    "checkout": "info",
    "due": "info",
    "succeeded": "success",
    "pending": "info",
    "inquiry": "info",
    "opened": "warning",
    "under_review": "warning",
    "lost": "danger",
    "won": "success",
    "past_due": "warning",
    "paused": "danger",
    "failed": "danger",
    "rejected": "danger",
    "requested": "warning",
    "approved": "info",
    "executed": "success",
    "declined": "danger",
}


@lru_cache(maxsize=1024)
def badge(text: str, colour: str = "", *, title: str = "") -> SafeString:
    """Return a coloured label; `colour` is one of unfold's variants.

    A list has the same few labels in all its rows: each is rendered once.
    """
    return render_to_string(
        "unfold/helpers/label.html", {"text": text, "type": colour, "label_title": title}
    )


def status_badge(value: str, text: str) -> SafeString:
    """Return the label of a state in the colour it has everywhere."""
    return badge(text, STATUS_COLOURS.get(value, ""))


def exact_usd(amount: Decimal) -> str:
    """Write dollars with every decimal that is not zero, two at least: the ledger's own figure."""
    whole, _, fraction = f"{abs(amount):,.6f}".partition(".")
    sign = "−" if amount < 0 else ""
    return f"{sign}${whole}.{fraction.rstrip('0').ljust(2, '0')}"


def figure(text: str, *, negative: bool = False) -> SafeString:
    """Return an amount in tabular figures, red when it is negative."""
    colour = "text-red-700 dark:text-red-400 font-semibold" if negative else ""
    return format_html(
        '<span class="whitespace-nowrap {}" style="font-variant-numeric:tabular-nums">{}</span>',
        colour,
        text,
    )


def strong(text: str) -> SafeString:
    """Return what stands out among its like: a sum."""
    return format_html('<strong class="font-semibold">{}</strong>', text)


def usd(amount: Decimal | None) -> Cell:
    """Return a balance or a payment."""
    return NOTHING if amount is None else figure(format_usd(amount), negative=amount < 0)


def ledger_usd(amount: Decimal | None) -> Cell:
    """Return an amount of the ledger with all its decimals."""
    return NOTHING if amount is None else figure(exact_usd(amount), negative=amount < 0)


def omr(amount: Decimal) -> SafeString:
    """Return what a card was charged."""
    return figure(format_omr(amount))


def when(moment: datetime | None) -> str:
    """Write a moment in UTC: `2026-11-23 09:30:05`."""
    return NOTHING if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def link(target: Model | None, text: str = "") -> Cell:
    """Return a link to a record's page in the admin."""
    if target is None:
        return NOTHING
    return link_to(type(target), target.pk, text or str(target))


def link_to(model: type[Model], pk: object, text: str) -> Cell:
    """Return a link to the page of the record `pk` without loading it."""
    return format_html('<a href="{}" class="text-link">{}</a>', _page_of(model, pk), text)


def page_url(record: Model) -> str:
    """Return the address of a record's page."""
    return _page_of(type(record), record.pk)


def _page_of(model: type[Model], pk: object) -> str:
    begin, end = _around_ids(model)
    return f"{begin}{quote(str(pk))}{end}"


@lru_cache(maxsize=256)
def _around_ids(model: type[Model]) -> tuple[str, str]:
    """Return what stands before and after the id in the addresses of a model's pages."""
    options = model._meta
    url = reverse(f"admin:{options.app_label}_{options.model_name}_change", args=["the-record"])
    begin, end = url.split("the-record")
    return begin, end


@lru_cache(maxsize=256)
def _list_of(model: type[Model]) -> str:
    options = model._meta
    return reverse(f"admin:{options.app_label}_{options.model_name}_changelist")


def list_url(model: type[Model], query: str = "") -> str:
    """Return the address of a model's list."""
    return _list_of(model) + query


def said(record: Model, path: str) -> str:
    """Return what the value of a field with choices is called."""
    value = getattr(record, path)
    return str(_choices_of(type(record), path).get(value, value))


@lru_cache(maxsize=256)
def _choices_of(model: type[Model], path: str) -> dict[Any, Any]:
    """Return what a field's values are called: Django works it out anew for each record."""
    field: Any = model._meta.get_field(path)
    return dict(field.flatchoices)


def in_words(name: str) -> str:
    """Write what an event or an action is called: `plan_archived`."""
    return name.replace("_", " ")


def value_of(record: Model, path: str) -> Any:
    """Follow `path` (`price__unit`) from a record; None where it ends early."""
    value: Any = record
    for step in path.split("__"):
        value = getattr(value, step, None)
    return value


def column(path: str, title: str, write: Callable[[Any], Cell]) -> Column:
    """Return a sortable column of a list that shows `path` as `write` says."""

    @admin.display(description=title, ordering=path)
    def cell(record: Model) -> Cell:
        value = value_of(record, path)
        return NOTHING if value is None else write(value)

    # Two columns of one list must not share a name.
    cell.__name__ = f"{path}_cell"
    cell.leads_elsewhere = write is link  # type: ignore[attr-defined]
    return cell


def time_column(path: str, title: str) -> Column:
    """A moment, in UTC."""
    return column(path, f"{title} (UTC)", when)


def balance_column(path: str, title: str) -> Column:
    """Dollars as a balance or payment, from a Decimal or a Money."""
    return column(path, title, lambda value: usd(getattr(value, "amount", value)))


def ledger_column(path: str, title: str) -> Column:
    """Dollars with all the decimals of the ledger."""
    return column(path, title, lambda value: ledger_usd(getattr(value, "amount", value)))


def account_column(title: str = "Account") -> Column:
    """A link to the account; the list must select it."""
    return column("account", title, link)


def status_column(path: str = "status", title: str = "Status") -> Column:
    """The label of a choice field."""

    @admin.display(description=title, ordering=path)
    def cell(record: Model) -> Cell:
        return status_badge(getattr(record, path), said(record, path))

    cell.__name__ = f"{path}_badge"
    return cell
