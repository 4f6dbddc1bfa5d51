"""Form fields that Django draws too slowly."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.forms.utils import flatatt
from django.utils.html import conditional_escape, format_html
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
    # Not format_html for each: that takes four times as long.
    return mark_safe(  # noqa: S308 - each is escaped
        "".join(
            f'<option value="{conditional_escape(value)}"'
            f"{' selected' if str(value) in chosen else ''}>{conditional_escape(label)}</option>"
            for value, label in choices
        )
    )
