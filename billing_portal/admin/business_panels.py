"""The state of the business on the front page: figures with small charts, of days summed up."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from accounts.money import format_usd
from billing_portal import business_days
from billing_portal.admin import cells
from billing_portal.admin.cells import Cell
from billing_portal.models import BusinessDay

#: Days in the charts, and how far back a figure is compared.
CHARTED_DAYS = 30
#: unfold resolves these for Chart.js.
_FIRST_COLOUR, _SECOND_COLOUR = "var(--color-primary-600)", "var(--color-base-400)"


@dataclass(frozen=True)
class Chart:
    """A small chart. `data` is Chart.js's, `table` what it shows for who doesn't see it."""

    kind: str
    label: str
    data: str
    table: dict[str, list[object]]


@dataclass(frozen=True)
class Figure:
    """One figure of the business with what it is compared with."""

    title: str
    value: Cell
    note: str
    change: str = ""
    chart: Chart | None = None


@dataclass(frozen=True)
class Business:
    """Every figure, and the moment of which they are."""

    figures: tuple[Figure, ...]
    as_of: str


def business() -> Business | None:
    """Return the state of the business; None before its first day was summed up. One query."""
    days = business_days.newest(days=CHARTED_DAYS + 1)
    if not days:
        return None
    today, charted = days[-1], days[-CHARTED_DAYS:]
    return Business(
        figures=(
            Figure(
                title="Monthly recurring revenue",
                value=cells.usd(today.monthly_recurring_revenue),
                note=f"Plans and rentals of {today.subscriptions:,} paid subscriptions",
                change=_change(days, lambda day: day.monthly_recurring_revenue),
                chart=_lines(
                    charted,
                    "Monthly recurring revenue by day",
                    ("Monthly recurring revenue", lambda day: day.monthly_recurring_revenue),
                ),
            ),
            Figure(
                title="Credit sold and used",
                value=cells.figure(
                    f"{format_usd(_total(charted, lambda day: day.credit_sold))} sold"
                ),
                note=f"{format_usd(_total(charted, lambda day: day.credit_used))} used "
                f"in {len(charted)} days",
                change=f"Today {format_usd(today.credit_sold)} sold, "
                f"{format_usd(today.credit_used)} used",
                chart=_bars(
                    charted,
                    "Credit sold and used by day",
                    ("Sold", lambda day: day.credit_sold),
                    ("Used", lambda day: day.credit_used),
                ),
            ),
            Figure(
                title="Liability",
                value=cells.usd(today.liability),
                note="Credit that customers hold: balances above zero",
                change=_change(days, lambda day: day.liability),
                chart=_lines(charted, "Liability by day", ("Liability", lambda day: day.liability)),
            ),
            Figure(
                title="Negative balances",
                value=cells.usd(today.receivable),
                note=f"Owed by {today.negative_wallets:,} "
                f"{'account' if today.negative_wallets == 1 else 'accounts'}",
                change=_change(days, lambda day: day.receivable),
                chart=_lines(
                    charted,
                    "Negative balances by day",
                    ("Negative balances", lambda day: day.receivable),
                ),
            ),
            Figure(
                title="Collected today",
                value=cells.usd(today.collected),
                note=_payments(today.payments, "payment"),
                change=f"{format_usd(_total(charted, lambda day: day.collected))} "
                f"in {len(charted)} days",
                chart=_bars(charted, "Collected by day", ("Collected", lambda day: day.collected)),
            ),
            Figure(
                title="Failed today",
                value=cells.usd(today.failed),
                note=_payments(today.failures, "declined or failed payment"),
                change=f"{format_usd(_total(charted, lambda day: day.failed))} "
                f"in {len(charted)} days",
                chart=_bars(charted, "Failed by day", ("Failed", lambda day: day.failed)),
            ),
        ),
        as_of=cells.when(today.as_of),
    )


Read = Callable[[BusinessDay], Decimal]


def _payments(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'} since midnight UTC"


def _total(days: Sequence[BusinessDay], read: Read) -> Decimal:
    return sum((read(day) for day in days), Decimal(0))


def _change(days: Sequence[BusinessDay], read: Read) -> str:
    """Compare the newest day with the one thirty days before, or the oldest there is."""
    first, last = days[0], days[-1]
    back = (last.day - first.day).days
    if not back:
        return "No earlier day to compare with"
    change = read(last) - read(first)
    days_back = f"in {back} {'day' if back == 1 else 'days'}"
    if not change:
        return f"Unchanged {days_back}"
    sign = "−" if change < 0 else "+"
    text = f"{sign}{format_usd(abs(change))}"
    if read(first):
        percent = abs(change / read(first) * 100).quantize(Decimal("0.1"))
        text += f" ({sign}{percent} %)"
    return f"{text} {days_back}"


Series = tuple[str, Read]


def _bars(days: Sequence[BusinessDay], label: str, *series: Series) -> Chart:
    return _chart("bar", days, label, series)


def _lines(days: Sequence[BusinessDay], label: str, *series: Series) -> Chart:
    return _chart("line", days, label, series)


def _chart(kind: str, days: Sequence[BusinessDay], label: str, series: Sequence[Series]) -> Chart:
    labels = [f"{day.day:%d %b}" for day in days]
    colours = (_FIRST_COLOUR, _SECOND_COLOUR)
    datasets = [
        # As text: what a chart draws is rounded there, and money is no float on the way.
        {
            "label": name,
            "data": [f"{read(day):.2f}" for day in days],
            "backgroundColor": colour,
            "borderColor": colour,
        }
        for (name, read), colour in zip(series, colours, strict=False)
    ]
    return Chart(
        kind=kind,
        label=label,
        data=json.dumps({"labels": labels, "datasets": datasets}),
        table={
            "headers": ["Day (UTC)", *(name for name, _ in series)],
            "rows": [
                [f"{day.day:%Y-%m-%d}", *(cells.usd(read(day)) for _, read in series)]
                for day in reversed(days)
            ],
        },
    )
