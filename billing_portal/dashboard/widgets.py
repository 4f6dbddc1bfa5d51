"""Form fields that Django draws too slowly."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe


class LongSelect(forms.Select):
    """One of hundreds: Django renders a template for each option, slower than all the rest."""

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None
    ) -> SafeString:
        """Return the same element as forms.Select, written in one go."""
        drawn = self.build_attrs(self.attrs, {"name": name, **(attrs or {})})
        chosen = set(self.format_value(value))
        groups = [
            format_html('<optgroup label="{}">{}</optgroup>', label, _options(inner, chosen))
            if isinstance(inner, list | tuple)
            else _options([(label, inner)], chosen)
            for label, inner in self.choices
        ]
        options = mark_safe("".join(groups))  # noqa: S308 - each is escaped
        return format_html("<select{}>{}</select>", flatatt(drawn), options)


def _options(choices: Iterable[tuple[Any, Any]], chosen: set[str]) -> SafeString:
    return format_html_join(
        "",
        '<option value="{}"{}>{}</option>',
        (
            (value, mark_safe(" selected") if str(value) in chosen else "", label)
            for value, label in choices
        ),
    )
