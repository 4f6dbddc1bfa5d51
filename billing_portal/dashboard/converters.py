"""What stands in the dashboard's addresses."""

from datetime import date


class MonthConverter:
    """A month: `2026-11`, to Python its first day."""

    regex = "[0-9]{4}-(?:0[1-9]|1[0-2])"

    def to_python(self, value: str) -> date:
        """Read it; Django answers 404 where it can't be one."""
        year, month = value.split("-")
        return date(int(year), int(month), 1)

    def to_url(self, value: date) -> str:
        """Write it."""
        return f"{value:%Y-%m}"
