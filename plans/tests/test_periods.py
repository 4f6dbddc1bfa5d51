"""Periods from the anchor: in Python and in the database, the same."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from plans import periods

anchors = st.datetimes(datetime(2000, 1, 1), datetime(2060, 12, 31)).map(  # noqa: DTZ001
    lambda moment: moment.replace(tzinfo=UTC)
)
numbers = st.integers(1, 480)


@pytest.mark.parametrize(
    ("anchor", "starts"),
    [
        ((2026, 1, 31), [(2026, 1, 31), (2026, 2, 28), (2026, 3, 31), (2026, 4, 30)]),
        ((2028, 1, 31), [(2028, 1, 31), (2028, 2, 29), (2028, 3, 31)]),
        ((2026, 1, 29), [(2026, 1, 29), (2026, 2, 28), (2026, 3, 29)]),
        ((2026, 12, 15), [(2026, 12, 15), (2027, 1, 15)]),
    ],
)
def test_periods_start_on_the_last_day_of_a_month_without_the_day(
    anchor: tuple[int, int, int], starts: list[tuple[int, int, int]]
) -> None:
    for number, start in enumerate(starts, start=1):
        assert periods.start_of_period(datetime(*anchor, 13, 5, tzinfo=UTC), number) == datetime(
            *start, 13, 5, tzinfo=UTC
        )


def test_an_anchor_in_another_zone_counts_in_utc() -> None:
    muscat = timezone(timedelta(hours=4))
    anchor = datetime(2026, 2, 1, 2, tzinfo=muscat)  # 31 January, 22:00 UTC
    assert periods.start_of_period(anchor, 2) == datetime(2026, 2, 28, 22, tzinfo=UTC)


@given(anchor=anchors, number=numbers)
def test_periods_neither_overlap_nor_leave_gaps(anchor: datetime, number: int) -> None:
    this, following = periods.period(anchor, number), periods.period(anchor, number + 1)
    assert this.start < this.end == following.start
    assert timedelta(days=28) <= this.end - this.start <= timedelta(days=31)


@given(anchor=anchors, number=numbers, part=st.floats(0, 1, exclude_max=True))
def test_every_moment_is_in_exactly_the_period_that_contains_it(
    anchor: datetime, number: int, part: float
) -> None:
    period = periods.period(anchor, number)
    moment = period.start + (period.end - period.start) * part
    assert periods.period_at(anchor, min(moment, period.end - timedelta.resolution)) == period
    assert periods.period_at(anchor, period.end).number == number + 1


@given(anchor=anchors, before=st.timedeltas(timedelta(microseconds=1), timedelta(days=4000)))
def test_before_the_anchor_is_in_the_first_period(anchor: datetime, before: timedelta) -> None:
    assert periods.period_at(anchor, anchor - before).number == 1


@pytest.mark.django_db
@settings(deadline=None)
@given(examples=st.lists(st.tuples(anchors, numbers), min_size=1, max_size=50))
def test_the_database_computes_the_same_periods(examples: list[tuple[datetime, int]]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT start_of_period(anchor, number)"
            " FROM unnest(%s::timestamptz[], %s::int[]) WITH ORDINALITY AS t (anchor, number, n)"
            " ORDER BY n",
            [[anchor for anchor, _ in examples], [number for _, number in examples]],
        )
        stored = [row[0] for row in cursor.fetchall()]
    assert stored == [periods.start_of_period(anchor, number) for anchor, number in examples]
