"""Every address of the project, as Django resolves it: what is added later is walked as well."""

import re
import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.urls.converters import IntConverter, UUIDConverter
from django.urls.exceptions import NoReverseMatch

from billing_portal.dashboard.converters import MonthConverter


@dataclass(frozen=True)
class Address:
    """One pattern: its name with its namespace, its route, what it takes, and its view."""

    name: str
    route: str
    converters: dict[str, Any]
    view: Any

    def path(self, **given: Any) -> str:
        """Return an address that fits, with `given` or else with what names nothing that exists."""
        kwargs = {name: given.get(name, _nothing(kind)) for name, kind in self.converters.items()}
        try:
            return reverse(self.name, kwargs=kwargs)
        except NoReverseMatch:
            return "/" + re.sub(r"<\w+:\w+>|\(.*?\)|[\^$\\]|\.\*", "x", self.route)


def addresses() -> list[Address]:
    """Return every address of the project."""
    return list(_walk(get_resolver(), "", "", {}))


def named(names: Collection[str]) -> list[Address]:
    """Return the addresses of these names."""
    return [address for address in addresses() if address.name in names]


def _walk(
    resolver: URLResolver, namespace: str, route: str, converters: dict[str, Any]
) -> Iterator[Address]:
    for each in resolver.url_patterns:
        whole, taken = route + str(each.pattern), converters | each.pattern.converters
        if isinstance(each, URLResolver):
            inner = f"{namespace}{each.namespace}:" if each.namespace else namespace
            yield from _walk(each, inner, whole, taken)
        elif isinstance(each, URLPattern):
            named = dict.fromkeys(each.pattern.regex.groupindex)
            name = namespace + (each.name or f"/{whole}")
            yield Address(name, whole, named | taken, each.callback)


def _nothing(kind: Any) -> Any:
    """Return what fits the converter, and is of nobody."""
    if isinstance(kind, UUIDConverter):
        return uuid.UUID(int=1)
    if isinstance(kind, IntConverter):
        return 2**62
    if isinstance(kind, MonthConverter):
        return date(2000, 1, 1)
    return "x"
