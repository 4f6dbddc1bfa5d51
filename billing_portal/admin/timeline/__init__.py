"""Everything that happened to an account, in one list: for a person on the phone."""

from billing_portal.admin.timeline.filters import TimelineFilters
from billing_portal.admin.timeline.page import Timeline, build_timeline

__all__ = ["Timeline", "TimelineFilters", "build_timeline"]
