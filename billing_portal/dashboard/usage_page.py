"""Usage: what it cost, how much and how often, by day or month, compared with the days before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.dates import write_day, write_range
from accounts.models import Account
from accounts.money import format_quantity, format_unit_price, format_usd, to_millionths
from accounts.quantities import write_quantity
from accounts.recorded_words import translated
from billing_portal.dashboard.charts import Chart, months_chart, spend_chart
from billing_portal.dashboard.rows import Fact
from billing_portal.dashboard.tabs import Tab
from billing_portal.dashboard.usage_forms import UsageOverviewForm
from billing_portal.dashboard.usage_spans import Span, spans_of
from billing_portal.dashboard.usage_tabs import usage_tabs
from plans import daily_spend
from plans.daily_spend import DaySum, Group, Spend, Sums

#: Rows of the breakdown.
MOST_ROWS = 50
#: More days than this are drawn by month, unless days are asked for.
_MANY_DAYS = 92
#: From so many times on, a percentage says less than how often.
_MANY_TIMES = 10


@dataclass(frozen=True)
class Share:
    """A feature or a workspace in the breakdown; `href` leads to what it consists of."""

    name: str
    href: str
    amount: str
    part: str
    calls: str
    average: str
    quantity: str
    before: str


@dataclass(frozen=True)
class UsagePage:
    """The whole page; `has_before` when there are days to compare with.

    `has_quantity` when any line has one: what has several units has no sum of them.
    """

    tabs: tuple[Tab, ...]
    range: str
    compared: str
    note: str
    facts: tuple[Fact, ...]
    chart: Chart | None
    shares: tuple[Share, ...]
    shares_title: str
    shares_column: str
    calls_column: str
    average_column: str
    more: str
    has_quantity: bool
    has_before: bool
    is_empty: bool
    is_filtered: bool
    clear_href: str
    history_href: str


@dataclass(frozen=True)
class _Total:
    """What was used in all; `unit` is empty for several features, whose quantities have no sum."""

    amount: Decimal
    calls: int
    quantity: Decimal
    unit: str

    @property
    def average(self) -> Decimal:
        return to_millionths(self.amount / self.calls) if self.calls else Decimal(0)


def build_usage(*, account: Account, form: UsageOverviewForm, now: datetime) -> UsagePage:
    """Compose the page for what was asked for; what makes no sense of it counts as left open."""
    form.is_valid()
    asked = form.cleaned_data
    group = Group(asked.get("group") or Group.FEATURE.value)
    is_by_feature = group == Group.FEATURE
    span, before = spans_of(
        form.preset,
        account=account,
        now=now,
        date_from=asked.get("date_from"),
        date_to=asked.get("date_to"),
    )
    sums = _sums(account, span, group, asked)
    earlier = _sums(account, before, group, asked) if before else Sums((), is_complete=True)
    total, total_before = _total(sums.rows, group), _total(earlier.rows, group)
    totals = _by_name(sums.rows, group)
    query = {name: str(value) for name, value in asked.items() if value}
    shares = _shares(
        totals[:MOST_ROWS],
        dict(_by_name(earlier.rows, group)),
        total,
        hrefs=_of_features(form, query) if is_by_feature else _of_workspaces(totals, query),
    )
    return UsagePage(
        tabs=usage_tabs("usage"),
        range=_write(span.first, span.last),
        compared=_compared(before, total_before) if total.calls or total_before.calls else "",
        note=(
            ""
            if sums.is_complete and earlier.is_complete
            else _("The newest usage is still being added up: the figures grow within minutes.")
        ),
        facts=_facts(total, total_before),
        chart=_chart(
            sums.rows, span, _days_of(earlier.rows, before), asked, account=account, now=now
        ),
        shares=shares,
        shares_title=_("By feature") if is_by_feature else _("By workspace"),
        shares_column=_("Feature") if is_by_feature else _("Workspace"),
        calls_column=_calls(is_one=is_by_feature or bool(total.unit)),
        average_column=_average(is_one=is_by_feature or bool(total.unit)),
        more=_more(len(totals) - MOST_ROWS),
        has_quantity=any(share.quantity for share in shares),
        has_before=bool(earlier.rows),
        is_empty=not sums.rows,
        is_filtered=bool(query),
        clear_href=reverse("usage") if query else "",
        history_href=_history(span, asked),
    )


def _sums(account: Account, span: Span, group: Group, asked: Mapping[str, str]) -> Sums:
    found = daily_spend.of_days(
        account=account,
        first=span.first,
        last=span.last,
        by=group,
        renewal=span.renewal,
        feature=asked.get("feature") or "",
        workspace=asked.get("workspace") or None,
    )
    rows = tuple(replace(row, name=_name(row.name, group)) for row in found.rows)
    return Sums(rows, found.is_complete)


def _name(name: str, group: Group) -> str:
    if group == Group.FEATURE:
        return translated(name)
    return name or _("No workspace")


def _total(rows: Sequence[DaySum], group: Group) -> _Total:
    is_one = group == Group.WORKSPACE or len({row.name for row in rows}) == 1
    return _Total(
        amount=sum((row.amount for row in rows), Decimal(0)),
        calls=sum(row.calls for row in rows),
        quantity=sum((row.quantity for row in rows), Decimal(0)),
        unit=rows[0].unit if rows and is_one else "",
    )


def _by_name(rows: Sequence[DaySum], group: Group) -> list[tuple[str, _Total]]:
    """The total of each, the dearest first."""
    of: dict[str, list[DaySum]] = {}
    for row in rows:
        of.setdefault(row.name, []).append(row)
    totals = [(name, _total(each, group)) for name, each in of.items()]
    return sorted(totals, key=lambda each: (-each[1].amount, -each[1].calls, each[0]))


def _calls(*, is_one: bool) -> str:
    """Of several features, a call has a record of each: their records are not so many calls."""
    return _("Calls") if is_one else _("Records")


def _average(*, is_one: bool) -> str:
    return _("Average per call") if is_one else _("Average per record")


def _of_features(form: UsageOverviewForm, query: Mapping[str, str]) -> dict[str, str]:
    """Where each feature is divided by workspace; of one alone there is nothing more to see."""
    if "feature" in query:
        return {}
    return {
        name: _within(query, feature=key, group=Group.WORKSPACE.value)
        for key, name in form.features
    }


def _of_workspaces(
    totals: Sequence[tuple[str, _Total]], query: Mapping[str, str]
) -> dict[str, str]:
    """Where each workspace is divided by feature."""
    if "workspace" in query:
        return {}
    return {
        name: _within(query, workspace=name, group="")
        for name, _of in totals
        if name != _("No workspace")
    }


def _within(query: Mapping[str, str], **more: str) -> str:
    chosen = {name: value for name, value in {**query, **more}.items() if value}
    return f"{reverse('usage')}?{urlencode(chosen)}"


def _shares(
    totals: Sequence[tuple[str, _Total]],
    before: Mapping[str, _Total],
    total: _Total,
    *,
    hrefs: Mapping[str, str],
) -> tuple[Share, ...]:
    return tuple(
        Share(
            name=name,
            href=hrefs.get(name, ""),
            amount=_money(each.amount),
            part=_percent(each.amount, total.amount) if total.amount else "",
            calls=format_quantity(Decimal(each.calls)),
            average=format_unit_price(each.average),
            quantity=write_quantity(each.quantity, each.unit) if each.unit else "",
            before=_money(before[name].amount) if name in before else "",
        )
        for name, each in totals
    )


def _facts(total: _Total, before: _Total) -> tuple[Fact, ...]:
    facts = [
        Fact(_("Cost"), _money(total.amount), _change(total.amount, before.amount, before)),
        Fact(
            _calls(is_one=bool(total.unit)),
            format_quantity(Decimal(total.calls)),
            _change(Decimal(total.calls), Decimal(before.calls), before),
        ),
        Fact(
            _average(is_one=bool(total.unit)),
            format_unit_price(total.average),
            _change(total.average, before.average, before),
        ),
    ]
    if total.unit:
        same = before if before.unit == total.unit else _Total(Decimal(0), 0, Decimal(0), "")
        facts.append(
            Fact(
                _("Quantity"),
                write_quantity(total.quantity, total.unit),
                _change(total.quantity, same.quantity, same),
            )
        )
    return tuple(facts)


def _change(value: Decimal, before: Decimal, total_before: _Total) -> str:
    """`12% more`: nothing where there is nothing to compare with."""
    if not total_before.calls:
        return ""
    if value == before:
        return _("The same as before")
    if not before:
        return _("Nothing before")
    if value >= _MANY_TIMES * before:
        times = format_quantity((value / before).quantize(Decimal(1), rounding=ROUND_HALF_UP))
        return _("%(times)s times as much as before") % {"times": times}
    percent = _percent(abs(value - before), before)
    if value > before:
        return _("%(percent)s more than before") % {"percent": percent}
    return _("%(percent)s less than before") % {"percent": percent}


def _compared(before: Span | None, total: _Total) -> str:
    if before is None:
        return _("There was no period before to compare with.")
    days = _write(before.first, before.last)
    if not total.calls:
        return _("Nothing to compare with: no usage in %(days)s.") % {"days": days}
    return _("Compared with %(days)s: %(amount)s.") % {"days": days, "amount": _money(total.amount)}


def _days_of(rows: Sequence[DaySum], span: Span | None) -> dict[int, Decimal]:
    """What each day cost, by its place among the days."""
    costs: dict[int, Decimal] = {}
    if span is None:
        return costs
    for row in rows:
        place = (row.day - span.first).days
        costs[place] = costs.get(place, Decimal(0)) + row.amount
    return costs


def _chart(
    rows: Sequence[DaySum],
    span: Span,
    before: Mapping[int, Decimal],
    asked: Mapping[str, str],
    *,
    account: Account,
    now: datetime,
) -> Chart | None:
    spends = [Spend(row.day, row.name, row.amount) for row in rows]
    today = now.astimezone(account.timezone).date()
    by = asked.get("by") or ("month" if span.days > _MANY_DAYS else "day")
    if by == "month":
        return months_chart(spends, first=span.first, last=span.end, today=today)
    return spend_chart(
        spends,
        first=span.first,
        last=span.end,
        today=today,
        before=before,
        before_name=_("The days before"),
    )


def _history(span: Span, asked: Mapping[str, str]) -> str:
    query = {name: asked[name] for name in ("feature", "workspace") if asked.get(name)}
    query |= {"date_from": str(span.first), "date_to": str(span.last)}
    return f"{reverse('usage-history')}?{urlencode(query)}"


def _more(number: int) -> str:
    if number <= 0:
        return ""
    return ngettext("%(count)d more is not listed.", "%(count)d more are not listed.", number) % {
        "count": number
    }


def _money(amount: Decimal) -> str:
    """Two decimals; what is less than a cent in full."""
    return format_unit_price(amount) if 0 < amount < Decimal("0.01") else format_usd(amount)


def _percent(part: Decimal, whole: Decimal) -> str:
    share = part / whole * 100
    if 0 < share < 1:
        return "<1%"
    return f"{share.quantize(Decimal(1), rounding=ROUND_HALF_UP):,f}%"


def _write(first: date, last: date) -> str:
    return write_day(first) if first == last else write_range(first, last)
