"""Many rows at once, at the speed PostgreSQL stores them."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from django.db.models.expressions import RawSQL


def as_array(values: Iterable[Any]) -> str:
    """Write UUIDs or numbers as a PostgreSQL array, for a parameter with a cast to its type."""
    return f"{{{','.join(map(str, values))}}}"


def text_array(values: Sequence[str]) -> str:
    """Write texts as a PostgreSQL array, for a parameter with a cast to its type."""
    joined = '","'.join(values)
    if "\\" in joined or joined.count('"') > 2 * (len(values) - 1):
        joined = '","'.join(value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return f'{{"{joined}"}}' if values else "{}"


_UNNEST_UUIDS: Final = "SELECT unnest(%s::uuid[])"


def any_uuid(values: Iterable[Any]) -> RawSQL:
    """Return what `field__in=` takes: one parameter, however many values."""
    return RawSQL(_UNNEST_UUIDS, (as_array(values),))  # noqa: S611  (a constant)
