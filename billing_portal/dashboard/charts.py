"""A bar chart as numbers: the template draws it as SVG, with HTML labels and a table behind.

The plot is 100 units high and one `STEP` per day wide; the browser stretches it. Numbers are
written here: a template would ask of each how it is written in the reader's language.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import ROUND_CEILING, Decimal

from django.utils.translation import gettext as _

from accounts.dates import write_month, write_month_name
from accounts.money import format_usd
from accounts.recorded_words import translated
from billing_portal.dashboard.times import write_short_day
from plans.daily_spend import Spend

HEIGHT = 100
STEP = 12
BAR_WIDTH = 9
#: More series than this are drawn as one, "Other".
MAXIMUM_SERIES = 5
#: The stub of a day that has not come yet.
FUTURE_HEIGHT = Decimal("1.6")
#: What separates stacked parts.
GAP = Decimal("0.6")
#: In so many days each week has a label; in more of them, fewer do.
_DAYS_OF_WEEKLY_LABELS = 42


@dataclass(frozen=True)
class Part:
    """One feature's part of a bar."""

    series: str
    y: str
    height: str


@dataclass(frozen=True)
class Bar:
    """A day."""

    x: str
    hit_x: str
    width: str
    label: str
    title: str
    is_future: bool
    parts: tuple[Part, ...]
    before_y: str


@dataclass(frozen=True)
class Series:
    """A feature in the legend, with what it cost in all."""

    number: str
    name: str
    total: str


@dataclass(frozen=True)
class Row:
    """A day in the table behind the chart."""

    day: str
    cells: tuple[str, ...]
    total: str
    before: str


@dataclass(frozen=True)
class Chart:
    """All a template needs to draw spend by day."""

    width: str
    height: str
    step: str
    future_y: str
    future_height: str
    ticks: tuple[str, ...]
    bars: tuple[Bar, ...]
    legend: tuple[Series, ...]
    rows: tuple[Row, ...]
    summary: str
    column: str
    before_name: str
    has_before: bool


def spend_chart(
    spends: Sequence[Spend],
    *,
    first: date,
    last: date,
    today: date,
    before: Mapping[int, Decimal] | None = None,
    before_name: str = "",
) -> Chart | None:
    """Draw the days from `first` to `last`; None when nothing was spent.

    `before` is what each day of the days before cost, by its place: it is a line at its height,
    and `before_name` what those days are called.
    """
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    every = 7 * -(-len(days) // _DAYS_OF_WEEKLY_LABELS)
    summary = _(
        "Spend by day from %(first)s to %(today)s, %(total)s in all. The "
        "table below has the figures."
    )
    return _chart(
        spends,
        columns=days,
        today=today,
        write=write_short_day,
        label=lambda index, day: _label(index, day, every=every),
        summary=summary,
        values={"first": write_short_day(first), "today": write_short_day(min(today, last))},
        column=_("Day"),
        before=before or {},
        before_name=before_name,
    )


def _label(index: int, day: date, *, every: int) -> str:
    """The day below a bar, with its month where that is another than at the label before."""
    if index % every:
        return ""
    is_told = index > 0 and (day - timedelta(days=every)).month == day.month
    return str(day.day) if is_told else write_short_day(day)


def months_chart(spends: Sequence[Spend], *, first: date, last: date, today: date) -> Chart | None:
    """Draw the months from that of `first` to that of `last`; None when nothing was spent."""
    months = [first.replace(day=1)]
    while (following := (months[-1] + timedelta(days=31)).replace(day=1)) <= last:
        months.append(following)
    summary = _(
        "Spend by month from %(first)s to %(last)s, %(total)s in all. The table below has the "
        "figures."
    )
    return _chart(
        [replace(spend, day=spend.day.replace(day=1)) for spend in spends],
        columns=months,
        today=today,
        write=write_month,
        label=lambda index, month: write_month_name(month),
        summary=summary,
        values={"first": write_month(months[0]), "last": write_month(months[-1])},
        column=_("Month"),
        before={},
        before_name="",
    )


def _chart(
    spends: Sequence[Spend],
    *,
    columns: Sequence[date],
    today: date,
    write: Callable[[date], str],
    label: Callable[[int, date], str],
    summary: str,
    values: Mapping[str, str],
    column: str,
    before: Mapping[int, Decimal],
    before_name: str,
) -> Chart | None:
    totals: dict[str, Decimal] = {}
    for spend in spends:
        totals[spend.feature] = totals.get(spend.feature, Decimal(0)) + spend.amount
    total = sum(totals.values(), Decimal(0))
    if total <= 0:
        return None
    ranked = sorted((name for name in totals if totals[name] > 0), key=lambda n: (-totals[n], n))
    names = ranked if len(ranked) <= MAXIMUM_SERIES else [*ranked[: MAXIMUM_SERIES - 1], _("Other")]
    by_day: dict[date, list[Decimal]] = {}
    for spend in spends:
        index = ranked.index(spend.feature) if spend.feature in ranked else 0
        cells = by_day.setdefault(spend.day, [Decimal(0)] * len(names))
        cells[min(index, len(names) - 1)] += spend.amount
    none = [Decimal(0)] * len(names)
    step, top = nice_scale(
        max(
            *(sum(cells, Decimal(0)) for cells in by_day.values()),
            *(before.get(index, Decimal(0)) for index in range(len(columns))),
        )
    )
    ticks = tuple(write_tick(step * n, step) for n in range(int(top / step), -1, -1))
    bars = tuple(
        _bar(
            index,
            by_day.get(day, none),
            before=before.get(index, Decimal(0)),
            top=top,
            is_future=day > today,
            written=write(day),
            label=label(index, day),
        )
        for index, day in enumerate(columns)
    )
    sums = [sum((cells[i] for cells in by_day.values()), Decimal(0)) for i in range(len(names))]
    return Chart(
        width=str(len(columns) * STEP),
        height=str(HEIGHT),
        step=str(STEP),
        future_y=str(HEIGHT - FUTURE_HEIGHT),
        future_height=str(FUTURE_HEIGHT),
        ticks=ticks,
        bars=bars,
        legend=tuple(
            Series(number=str(i + 1), name=translated(name), total=format_usd(sums[i]))
            for i, name in enumerate(names)
        ),
        rows=tuple(
            Row(
                day=write(day),
                cells=tuple(format_usd(cell) for cell in by_day[day]),
                total=format_usd(sum(by_day[day], Decimal(0))),
                before=format_usd(before.get(index, Decimal(0))),
            )
            for index, day in enumerate(columns)
            if day in by_day
        ),
        summary=summary % {**values, "total": format_usd(total)},
        column=column,
        before_name=before_name,
        has_before=any(before.values()),
    )


def nice_scale(highest: Decimal) -> tuple[Decimal, Decimal]:
    """Return the distance of the grid lines and the top one: at most four lines above zero."""
    magnitude = Decimal(1).scaleb((highest / 4).adjusted())
    for factor in ("1", "2", "2.5", "5", "10"):
        step = magnitude * Decimal(factor)
        if step * 4 >= highest:
            break
    lines = (highest / step).to_integral_value(rounding=ROUND_CEILING)
    return step, step * max(lines, Decimal(1))


def write_tick(value: Decimal, step: Decimal) -> str:
    """`$6` when the steps are whole dollars, else as many decimals as the step needs."""
    decimals = max(0, -int(step.normalize().as_tuple().exponent))
    return f"${value:,.{2 if decimals == 1 else decimals}f}"


def _bar(
    index: int,
    cells: Sequence[Decimal],
    *,
    before: Decimal,
    top: Decimal,
    is_future: bool,
    written: str,
    label: str,
) -> Bar:
    parts, base = [], Decimal(HEIGHT)
    for number, cell in enumerate(cells, start=1):
        if cell <= 0:
            continue
        height = cell / top * HEIGHT
        drawn = max(height - GAP, Decimal("0.4"))
        parts.append(Part(series=str(number), y=f"{base - height:.2f}", height=f"{drawn:.2f}"))
        base -= height
    title = _("%(day)s: %(amount)s") % {
        "day": written,
        "amount": format_usd(sum(cells, Decimal(0))),
    }
    if before > 0:
        title = _("%(day)s: %(amount)s; before: %(before)s") % {
            "day": written,
            "amount": format_usd(sum(cells, Decimal(0))),
            "before": format_usd(before),
        }
    return Bar(
        x=str(index * STEP + Decimal(STEP - BAR_WIDTH) / 2),
        hit_x=str(index * STEP),
        width=str(BAR_WIDTH),
        label=label,
        title=title,
        is_future=is_future,
        parts=tuple(parts),
        before_y=f"{HEIGHT - before / top * HEIGHT:.2f}" if before > 0 else "",
    )
