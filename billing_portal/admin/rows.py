"""The rows of a list: what holds for all of them is worked out once.

Unfold asks the list's headers anew for each row, resolves each row's address and renders a template
for each box to tick: two thirds of a page's time.
"""

from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache
from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.core.exceptions import FieldDoesNotExist
from django.db.models import BooleanField, Field, Model
from django.utils.html import conditional_escape, escape, format_html
from django.utils.safestring import SafeString, mark_safe
from unfold.admin import checkbox
from unfold.templatetags.unfold_list import (
    CHECKBOX_CLASSES,
    LINK_CLASSES,
    ROW_CLASSES,
    result_headers,
)
from unfold.utils import display_for_field, display_for_value
from unfold.views import ChangeList

_BOX = "action_checkbox"
#: Stands in the one box that is rendered for the record of each row.
_RECORD = "0-the-record-0"

Reader = Callable[[Any], Any]


class PortalChangeList(ChangeList):
    """A list that writes its rows itself: `headers` and `rows` are what its template shows."""

    @cached_property
    def headers(self) -> list[dict[str, Any]]:
        """The headers of the columns."""
        return list(result_headers(self))

    @property
    def sorted_by(self) -> int:
        """By how many columns it is sorted."""
        return sum(header.get("sorted", False) for header in self.headers)

    @property
    def rows(self) -> Iterator[SafeString]:
        """Each record's cells, ready to be shown."""
        cells = [self._cell(index, name) for index, name in enumerate(self.list_display)]
        for record in self.result_list:
            yield mark_safe("".join(cell(record) for cell in cells))  # noqa: S308

    def _cell(self, index: int, name: Any) -> Callable[[Any], str]:
        """Return what writes one column of a record."""
        if name == _BOX:
            return _box
        link = self._link() if self._leads_to_record(index, name) else None
        read = self._reader(name)
        tag = "th" if link and index == self._first_column else "td"
        classes = " ".join([f"field-{_class_of(name)}", *ROW_CLASSES])
        begin = format_html(
            '<{} class="{}" data-label="{}">', tag, classes, self.headers[index]["text"]
        )
        end = f"</{tag}>"

        def cell(record: Any) -> str:
            shown = conditional_escape(read(record))
            return f"{begin}{link(record, shown) if link else shown}{end}"

        return cell

    @property
    def _first_column(self) -> int:
        return int(self.list_display[0] == _BOX)

    def _leads_to_record(self, index: int, name: Any) -> bool:
        if self.list_display_links is None:
            return False
        if not self.list_display_links:
            return index == self._first_column
        return name in self.list_display_links

    def _link(self) -> Callable[[Any, str], str]:
        """Return what links a cell to the record, with what the list is narrowed to."""
        classes, suffix = " ".join(LINK_CLASSES), ""
        if self.result_list:
            url = self.url_for_result(self.result_list[0])
            context = {"preserved_filters": self.preserved_filters, "opts": self.opts}
            suffix = escape(add_preserved_filters(context, url).removeprefix(url))

        def link(record: Any, shown: str) -> str:
            url = escape(self.url_for_result(record))
            return f'<a href="{url}{suffix}" class="{classes}">{shown}</a>'

        return link

    def _reader(self, name: Any) -> Reader:
        """Return what reads a column of a record, and writes it."""
        empty = self.model_admin.get_empty_value_display()
        field = _field(self.model, name)
        if field is not None:
            return _field_reader(field, empty)
        read = _read_by(self.model_admin, name)
        is_boolean = getattr(read, "boolean", False)

        def reader(record: Any) -> Any:
            value = read(record)
            if isinstance(value, str) and value:
                return value
            return display_for_value(value, empty, is_boolean)

        return reader


def _field(model: type[Model], name: Any) -> "Field[Any, Any] | None":
    if not isinstance(name, str):
        return None
    try:
        return model._meta.get_field(name)  # type: ignore[return-value]
    except FieldDoesNotExist:
        return None


def _field_reader(field: "Field[Any, Any]", empty: str) -> Reader:
    name = field.name
    if field.is_relation:
        return lambda record: _or(getattr(record, name), empty)
    if field.flatchoices:
        said = choices_of(field)
        return lambda record: said.get(getattr(record, name), empty)
    if isinstance(field, BooleanField):
        marks = {value: display_for_field(value, field, empty) for value in (True, False, None)}
        return lambda record: marks[getattr(record, name)]
    return lambda record: display_for_field(getattr(record, name), field, empty)


def _or(value: Any, empty: str) -> Any:
    return empty if value is None else value


def _read_by(model_admin: Any, name: Any) -> Reader:
    if callable(name):
        return name
    if name != "__str__" and hasattr(model_admin, name):
        return getattr(model_admin, name)

    def read(record: Any) -> Any:
        value = getattr(record, name)
        return value() if callable(value) else value

    return read


@lru_cache(maxsize=256)
def choices_of(field: "Field[Any, Any]") -> dict[Any, Any]:
    """Return what a field's values are called."""
    return dict(field.flatchoices)


def _class_of(name: Any) -> str:
    return name if isinstance(name, str) else name.__name__


@lru_cache(maxsize=1)
def _rendered_box() -> tuple[str, str]:
    """Return a cell with a box to tick, in two parts: the record's id goes between."""
    begin, end = checkbox.render(ACTION_CHECKBOX_NAME, _RECORD).split(_RECORD)
    return (
        f'<td class="{" ".join(CHECKBOX_CLASSES)}" data-label="Select record">{begin}',
        f"{end}</td>",
    )


def _box(record: Any) -> str:
    begin, end = _rendered_box()
    return f"{begin}{escape(record.pk)}{end}"
