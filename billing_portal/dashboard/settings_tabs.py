"""The sections of Settings, each a page of its own."""

from django.utils.translation import gettext_lazy as _

from billing_portal.dashboard.tabs import Tab, tabs_of

TABS = (
    (_("Billing"), "billing-settings"),
    (_("Members"), "members"),
    (_("API keys"), "api-keys"),
    (_("Activity"), "activity"),
    (_("Your sign-in"), "sign-in"),
)


def settings_tabs(current: str) -> tuple[Tab, ...]:
    """Return the sections, with the page called `current` marked."""
    return tabs_of(TABS, current)
