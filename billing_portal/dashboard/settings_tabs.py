"""The sections of Settings, each a page of its own."""

from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

TABS = (
    (_("Billing"), "billing-settings"),
    (_("Members"), "members"),
    (_("API keys"), "api-keys"),
    (_("Activity"), "activity"),
    (_("Your sign-in"), "sign-in"),
)


@dataclass(frozen=True)
class Tab:
    """One section."""

    label: str | Promise
    href: str
    is_current: bool


def settings_tabs(current: str) -> tuple[Tab, ...]:
    """Return the sections, with the page called `current` marked."""
    return tuple(Tab(label, reverse(name), name == current) for label, name in TABS)
