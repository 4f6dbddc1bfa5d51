"""The sections of a page, each at an address of its own."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import Promise


@dataclass(frozen=True)
class Tab:
    """One section."""

    label: str | Promise
    href: str
    is_current: bool


def tabs_of(sections: Iterable[tuple[str | Promise, str]], current: str) -> tuple[Tab, ...]:
    """Return the sections (label and name of the page), with the page called `current` marked."""
    return tuple(Tab(label, reverse(name), name == current) for label, name in sections)
