"""The sections of Usage, each a page of its own."""

from django.utils.translation import gettext_lazy as _

from billing_portal.dashboard.tabs import Tab, tabs_of

TABS = ((_("Overview"), "usage"), (_("Usage history"), "usage-history"))


def usage_tabs(current: str) -> tuple[Tab, ...]:
    """Return the sections, with the page called `current` marked."""
    return tabs_of(TABS, current)
