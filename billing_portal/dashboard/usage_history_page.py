"""Usage history: every record, newest first, and why one was charged."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import Account
from accounts.money import format_quantity, format_unit_price
from accounts.quantities import write_price, write_quantity
from accounts.recorded_words import translated
from billing_portal.dashboard.cursors import ByTime, page_of
from billing_portal.dashboard.rows import Fact
from billing_portal.dashboard.tabs import Tab
from billing_portal.dashboard.times import Moment, moment, write_period
from billing_portal.dashboard.usage_forms import UsageFilterForm
from billing_portal.dashboard.usage_tabs import usage_tabs
from plans import usage_history
from plans.models import UsageRecord
from plans.usage_explanation import Explanation, PricedPart, Reason

PAGE_SIZE = 25
#: From this on a record is late enough to say so.
_LATE = timedelta(hours=1)


@dataclass(frozen=True)
class UsageRow:
    """One record in the list."""

    at: Moment
    href: str
    record: str
    feature: str
    workspace: str
    quantity: str
    note: str
    amount: str
    is_free: bool


@dataclass(frozen=True)
class UsageHistory:
    """One page of the list."""

    tabs: tuple[Tab, ...]
    rows: tuple[UsageRow, ...]
    is_filtered: bool
    note: str
    clear_href: str
    export_href: str
    has_previous: bool
    has_next: bool
    previous_href: str
    next_href: str


@dataclass(frozen=True)
class Step:
    """A line of the reckoning: `11 × $0.10`, `$1.10`."""

    label: str
    amount: str
    note: str = ""
    is_total: bool = False


@dataclass(frozen=True)
class UsageExplanation:
    """Why a record was charged, in words and in figures."""

    row: UsageRow
    summary: str
    notes: tuple[str, ...]
    call: tuple[Fact, ...]
    allowance: tuple[Fact, ...]
    steps: tuple[Step, ...]
    balance: tuple[Fact, ...]
    entry_href: str


def build_usage_history(
    *, account: Account, form: UsageFilterForm, before: str = "", after: str = ""
) -> UsageHistory:
    """Compose the page older than cursor `before`, or newer than `after`; else the newest one."""
    form.is_valid()
    filters = {name: value for name, value in form.cleaned_data.items() if value}
    found = usage_history.find(account=account, filters=filters).select_related("feature")
    query = {name: str(value) for name, value in filters.items()}
    here, export = reverse("usage-history"), reverse("usage-history-export")
    page = page_of(
        found,
        before=before,
        after=after,
        size=PAGE_SIZE,
        here=here,
        query=query,
        order=ByTime("occurred_at"),
    )
    return UsageHistory(
        tabs=usage_tabs("usage-history"),
        rows=tuple(usage_row(record, account=account) for record in page.rows),
        is_filtered=bool(query),
        note=_note(page.rows, typed=query.get("workspace", "")),
        clear_href=here if query and page.rows else "",
        export_href=f"{export}?{urlencode(query)}" if query else export,
        has_previous=page.has_previous,
        has_next=page.has_next,
        previous_href=page.previous_href,
        next_href=page.next_href,
    )


def usage_row(record: UsageRecord, *, account: Account) -> UsageRow:
    """Write one record."""
    unit = record.feature.unit
    return UsageRow(
        at=moment(record.occurred_at, account.timezone),
        href=reverse("usage-record", args=[record.pk]),
        record=record.record_id,
        feature=translated(record.feature.name),
        workspace=record.workspace,
        quantity=write_quantity(record.quantity, unit),
        note=_row_note(record),
        amount=format_unit_price(record.amount),
        is_free=record.amount == 0,
    )


def build_usage_explanation(explanation: Explanation, *, account: Account) -> UsageExplanation:
    """Write why a record was charged, to the millionth."""
    record = explanation.record
    return UsageExplanation(
        row=usage_row(record, account=account),
        summary=_summary(explanation),
        notes=_notes(explanation, account),
        call=_call(record, account),
        allowance=_allowance(explanation),
        steps=_steps(explanation),
        balance=(
            Fact(_("Balance before"), format_unit_price(record.balance_before)),
            Fact(_("Charged"), format_unit_price(record.amount)),
            Fact(_("Balance after"), format_unit_price(record.balance_after)),
        ),
        # What cost nothing has no entry.
        entry_href=(
            f"{reverse('credit')}?{urlencode({'record': record.record_id})}"
            if record.amount
            else ""
        ),
    )


def _note(shown: Sequence[UsageRecord], *, typed: str) -> str:
    if not shown:
        return _("No record matches.")
    note = ngettext(
        "%(count)d record shown.", "%(count)d records shown, newest first.", len(shown)
    ) % {"count": len(shown)}
    if not typed or any(record.workspace == typed for record in shown):
        return note
    begins = _("Of workspaces that begin with “%(name)s”.") % {"name": typed}
    return f"{note} {begins}"


def _row_note(record: UsageRecord) -> str:
    if record.quantity == 0:
        return ""
    if record.billed_quantity == 0:
        return _("Included in your plan")
    if record.included_quantity == 0:
        return ""
    return _("%(quantity)s included in your plan") % {
        "quantity": format_quantity(record.included_quantity)
    }


def _summary(explanation: Explanation) -> str:
    record = explanation.record
    unit = record.feature.unit
    values = {
        "quantity": write_quantity(record.quantity, unit),
        "included": write_quantity(record.included_quantity, unit),
        "billed": write_quantity(record.billed_quantity, unit),
        "amount": format_unit_price(record.amount),
    }
    match explanation.reason:
        case Reason.NOTHING_USED:
            return _("The quantity was zero, so nothing was charged.")
        case Reason.INCLUDED:
            return (
                _("Your plan included all of it (%(quantity)s), so nothing was charged.") % values
            )
        case Reason.PARTLY_INCLUDED:
            return (
                _(
                    "Of %(quantity)s, your plan included %(included)s; the rest, %(billed)s, "
                    "came to %(amount)s."
                )
                % values
            )
        case Reason.ALLOWANCE_USED:
            return (
                _(
                    "What your plan includes in this period was used up, so all of it "
                    "(%(billed)s) was charged: %(amount)s."
                )
                % values
            )
        case Reason.RENEWAL_UNPAID:
            return (
                _(
                    "The period was not paid for yet, so nothing was included and all of it "
                    "(%(billed)s) was charged: %(amount)s."
                )
                % values
            )
        case Reason.NOT_INCLUDED:
            return (
                _(
                    "Your plan includes none of this, so all of it (%(billed)s) was charged: "
                    "%(amount)s."
                )
                % values
            )


def _notes(explanation: Explanation, account: Account) -> tuple[str, ...]:
    record = explanation.record
    notes = []
    if len(explanation.parts) > 1:
        notes.append(_("It crossed into another volume tier: each part has the price of its own."))
    if record.recorded_at - record.occurred_at > _LATE:
        reported = moment(record.recorded_at, account.timezone).short
        notes.append(
            _(
                "It was reported late, on %(moment)s, and belongs to the period in which it was "
                "used."
            )
            % {"moment": reported}
        )
    if record.balance_after < 0:
        notes.append(_("The balance went below zero: the next top-up settles it first."))
    return tuple(notes)


def _call(record: UsageRecord, account: Account) -> tuple[Fact, ...]:
    version, renewal = record.plan_version, record.renewal
    facts = [
        Fact(_("Used at"), moment(record.occurred_at, account.timezone).full),
        Fact(_("Recorded at"), moment(record.recorded_at, account.timezone).full),
        Fact(_("Record"), record.record_id),
        Fact(_("Feature"), translated(record.feature.name)),
        Fact(_("Workspace"), record.workspace),
        Fact(_("Source"), record.source),
        Fact(_("Description"), record.description),
        Fact(
            _("Plan"),
            _("%(plan)s, version %(number)s")
            % {"plan": translated(version.plan.name), "number": version.number},
        ),
        Fact(_("Period"), write_period(renewal.period_start, renewal.period_end, account.timezone)),
    ]
    return tuple(fact for fact in facts if fact.value)


def _allowance(explanation: Explanation) -> tuple[Fact, ...]:
    record = explanation.record
    unit = record.feature.unit
    return (
        Fact(_("Included in the period"), write_quantity(explanation.granted, unit)),
        Fact(_("Left of it before"), write_quantity(record.included_before, unit)),
        Fact(_("Left of it after"), write_quantity(explanation.included_after, unit)),
    )


def _steps(explanation: Explanation) -> tuple[Step, ...]:
    record = explanation.record
    unit = record.feature.unit
    steps = []
    included = write_quantity(record.included_quantity, unit)
    if record.included_quantity or not explanation.parts:
        steps.append(
            Step(
                _("%(quantity)s included") % {"quantity": included},
                format_unit_price(Decimal(0)),
            )
        )
    steps += [_part(part, unit) for part in explanation.parts]
    if explanation.is_rounded:
        steps.append(
            Step(
                _("Rounded half up to a millionth of a dollar"),
                format_unit_price(record.amount - explanation.exact_amount),
            )
        )
    steps.append(Step(_("Charged"), format_unit_price(record.amount), is_total=True))
    return tuple(steps)


def _part(part: PricedPart, unit: str) -> Step:
    note = (
        _("%(percent)s%% less: beyond %(quantity)s charged in the period")
        % {
            "percent": format_quantity(part.discount_percent),
            "quantity": write_quantity(part.above_quantity, unit),
        }
        if part.discount_percent
        else ""
    )
    label = _("%(quantity)s × %(price)s") % {
        "quantity": write_quantity(part.units, unit),
        "price": write_price(part.price, unit),
    }
    return Step(label, format_unit_price(part.amount), note)
