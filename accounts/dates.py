"""Dates in the reader's language, as the Unicode CLDR writes them there.

Arabic without a country has the digits 0 to 9 in CLDR (a country's may differ), as amounts have.
"""

from datetime import date
from functools import lru_cache

from babel.dates import format_date, format_skeleton
from django.utils import translation


def write_day(day: date) -> str:
    """`Nov 3, 2026`, `3 نوفمبر 2026`."""
    return _written("yMMMd", day, _locale())


def write_short_day(day: date) -> str:
    """`Nov 3`."""
    return _written("MMMd", day, _locale())


def write_long_day(day: date) -> str:
    """`3 November 2026`: on documents."""
    return format_date(day, "d MMMM y", locale=_locale())


def write_month(day: date) -> str:
    """`November 2026`."""
    return _written("yMMMM", day, _locale())


def write_month_name(day: date) -> str:
    """`Nov`: where the year is seen from what stands around it."""
    return _written("MMM", day, _locale())


def write_range(first: date, last: date) -> str:
    """`Nov 3 – Dec 3, 2026`; both years when they differ."""
    start = write_short_day(first) if first.year == last.year else write_day(first)
    return f"{start} – {write_day(last)}"


def write_document_range(first: date, last: date) -> str:
    """`23 Nov – 23 Dec 2026`: on documents."""
    locale = _locale()
    pattern = "d MMM" if first.year == last.year else "d MMM y"
    start = format_date(first, pattern, locale=locale)
    return f"{start} – {format_date(last, 'd MMM y', locale=locale)}"


@lru_cache(maxsize=4096)
def _written(skeleton: str, day: date, locale: str) -> str:
    # Every page writes dozens of days, and the same ones again.
    return format_skeleton(skeleton, day, locale=locale)


def _locale() -> str:
    return (translation.get_language() or "en").replace("-", "_")
