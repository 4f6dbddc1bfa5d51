"""Periods and months leave no gap and don't overlap: all days, for 50 years, in every timezone."""

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Account
from plans import periods
from tests.properties.examples import examples
from wallet import refill_caps, statements

FIFTY_YEARS = 50 * 12
MOMENT = timedelta.resolution

zones = st.sampled_from(sorted(available_timezones())).map(ZoneInfo)
times = st.times()
days = st.dates(date(1995, 1, 1), date(2060, 1, 1))
moments = st.builds(datetime.combine, days, times, st.just(UTC))


@pytest.mark.parametrize("day", range(1, 32))
@examples(3)
@given(month=st.integers(1, 12), year=st.integers(1999, 2030), time=times, zone=zones)
def test_an_anchor_keeps_its_day_for_fifty_years(
    day: int, month: int, year: int, time: time, zone: ZoneInfo
) -> None:
    """In UTC, whatever zone it was told in; months that have no such day give their last one."""
    day = min(day, monthrange(year, month)[1])
    anchor = datetime.combine(date(year, month, day), time, UTC)
    told = anchor.astimezone(zone)
    starts = [periods.start_of_period(told, number) for number in range(1, FIFTY_YEARS + 2)]
    assert starts[0] == anchor
    for months, start in enumerate(starts):
        assert start.year * 12 + start.month == anchor.year * 12 + anchor.month + months
        assert start.day == min(day, monthrange(start.year, start.month)[1])
        assert (start.time(), start.tzinfo) == (time, UTC)
    for number, (start, end) in enumerate(pairwise(starts), start=1):
        period = periods.Period(number, start, end)
        assert start < end
        assert periods.period_at(told, start.astimezone(zone)) == period
        assert periods.period_at(told, end - MOMENT) == period


@pytest.mark.django_db
@pytest.mark.parametrize("day", [1, 28, 29, 30, 31])
def test_the_database_keeps_an_anchor_for_fifty_years(day: int) -> None:
    """In any timezone of its session."""
    anchor = datetime(2028, 1, day, 23, 59, 59, 999999, UTC)
    expected = [periods.start_of_period(anchor, number) for number in range(1, FIFTY_YEARS + 1)]
    for zone in ("UTC", "Asia/Muscat", "America/New_York", "Pacific/Apia"):
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('TimeZone', %s, true)", [zone])
            cursor.execute(
                "SELECT start_of_period(%s, number) AT TIME ZONE 'UTC'"
                " FROM generate_series(1, %s) number",
                [anchor, FIFTY_YEARS],
            )
            assert [row[0].replace(tzinfo=UTC) for row in cursor.fetchall()] == expected


@examples(200)
@given(
    zone=zones,
    moment=moments,
)
def test_the_month_of_a_cap_holds_every_moment_and_ends_where_the_next_begins(
    zone: ZoneInfo, moment: datetime
) -> None:
    """Where clocks are set forward at the first midnight of a month, too."""
    account = Account(timezone=zone)
    start, end = (each.astimezone(UTC) for each in month(account, moment))
    assert start <= moment < end
    assert month(account, start) == month(account, end - MOMENT) == (start, end)
    assert month(account, end)[0].astimezone(UTC) == end
    assert month(account, start - MOMENT)[1].astimezone(UTC) == start


def month(account: Account, now: datetime) -> tuple[datetime, datetime]:
    found = refill_caps.month_of(account=account, now=now)
    return found.starts.astimezone(UTC), found.ends.astimezone(UTC)


@examples(200)
@given(zone=zones, day=days)
def test_statements_follow_one_another_in_every_timezone(zone: ZoneInfo, day: date) -> None:
    this = statements.month_of(day, timezone=zone)
    following = statements.month_of(this.ends.astimezone(zone).date(), timezone=zone)
    assert this.starts < this.ends == following.starts
