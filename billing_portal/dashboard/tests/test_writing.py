"""How things are written: days, quantities, charts."""

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from accounts.quantities import write_price, write_quantity, write_used
from billing_portal.dashboard.charts import MAXIMUM_SERIES, nice_scale, spend_chart
from billing_portal.dashboard.rows import Fact
from billing_portal.dashboard.shell import initials_of
from billing_portal.dashboard.times import moment, write_period
from plans.daily_spend import Spend

DAY = date(2026, 11, 3)


def test_a_moment_is_written_in_the_account_s_timezone() -> None:
    at = moment(datetime(2026, 11, 18, 21, 5, tzinfo=UTC), ZoneInfo("Asia/Muscat"))

    assert (at.day, at.clock) == ("Nov 19, 2026", "01:05")
    assert at.iso == "2026-11-19T01:05:00+04:00"
    assert at.full == "Nov 19, 2026, 01:05 (Asia/Muscat)"


@pytest.mark.parametrize(
    ("start", "end", "written"),
    [
        (datetime(2026, 11, 3, tzinfo=UTC), datetime(2026, 12, 3, tzinfo=UTC), "Nov 3|Dec 3, 2026"),
        (
            datetime(2026, 12, 31, tzinfo=UTC),
            datetime(2027, 1, 31, tzinfo=UTC),
            "Dec 31, 2026|Jan 31, 2027",
        ),
    ],
)
def test_a_period(start: datetime, end: datetime, written: str) -> None:
    assert write_period(start, end, UTC) == written.replace("|", " \N{EN DASH} ")


@pytest.mark.parametrize(
    ("quantity", "unit", "written"),
    [
        ("1", "minute", "1 minute"),
        ("12.5", "minute", "12.5 minutes"),
        ("0", "seat", "0 seats"),
        ("12", "GB-month", "12 GB-month"),
        ("412", "1,000 tokens", "412,000 tokens"),
        ("0.5", "1,000 vectors", "500 vectors"),
    ],
)
def test_a_quantity_has_its_unit(quantity: str, unit: str, written: str) -> None:
    assert write_quantity(Decimal(quantity), unit) == written


def test_used_of_included_and_a_price_per_unit() -> None:
    assert write_used(Decimal(412), Decimal(500), "minute") == "412 of 500 minutes"
    assert write_price(Decimal("0.0035"), "1,000 tokens") == "$0.0035 per 1,000 tokens"


@pytest.mark.parametrize(
    ("highest", "step", "top"),
    [
        ("5.20", "2", "6"),
        ("4", "1", "4"),
        ("0.03", "0.01", "0.03"),
        ("99", "25", "100"),
        ("101", "50", "150"),
        ("0.000004", "0.000001", "0.000004"),
    ],
)
def test_the_scale_of_a_chart_has_at_most_four_round_lines(
    highest: str, step: str, top: str
) -> None:
    assert nice_scale(Decimal(highest)) == (Decimal(step), Decimal(top))


def test_many_features_are_drawn_as_few_with_the_rest_together() -> None:
    spends = [Spend(DAY, f"Feature {n}", Decimal(10 - n)) for n in range(8)]

    chart = spend_chart(spends, first=DAY, last=DAY, today=DAY)

    assert chart is not None
    assert len(chart.legend) == MAXIMUM_SERIES
    assert chart.legend[-1].name == "Other"
    assert chart.legend[-1].total == "$18.00"  # 6 + 5 + 4 + 3
    assert chart.rows[0].total == "$52.00"


def test_days_to_come_are_stubs_and_nothing_spent_is_no_chart() -> None:
    chart = spend_chart(
        [Spend(DAY, "Calls", Decimal(1))], first=DAY, last=date(2026, 11, 5), today=DAY
    )

    assert chart is not None
    assert [bar.is_future for bar in chart.bars] == [False, True, True]
    assert spend_chart([], first=DAY, last=DAY, today=DAY) is None


@pytest.mark.parametrize(
    ("name", "initials"),
    [("Acme Robotics", "AR"), ("Badal", "BA"), ("The Muscat Co", "MC"), ("", "?"), ("- x", "X")],
)
def test_initials(name: str, initials: str) -> None:
    assert initials_of(name) == initials


def test_labels_of_a_chart_say_the_month_where_it_changes_and_are_fewer_for_many_days() -> None:
    def labels(last: date) -> list[str]:
        chart = spend_chart([Spend(DAY, "Calls", Decimal(1))], first=DAY, last=last, today=last)
        assert chart is not None
        return [bar.label for bar in chart.bars if bar.label]

    assert labels(date(2026, 12, 2)) == ["Nov 3", "10", "17", "24", "Dec 1"]
    assert labels(date(2027, 1, 31)) == ["Nov 3", "24", "Dec 15", "Jan 5", "26"]


def test_an_amount_is_told_from_words_and_from_a_share_of_a_cap() -> None:
    values = ("\N{MINUS SIGN}$1,234,567.89", "$4.00", "12 minutes", "$1.50 of $40.00", "T-2026-77")
    assert [Fact("", value).is_amount for value in values] == [True, True, False, False, False]
