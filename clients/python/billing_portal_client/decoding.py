"""From JSON to the results: exact, and strict about what is there, blind to what was added."""

import types
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from billing_portal_client.errors import UnexpectedAnswer

Result = TypeVar("Result")


def decode(kind: type[Result], value: Any) -> Result:
    """Make a result of decoded JSON. Raises UnexpectedAnswer when it is of another shape."""
    if not isinstance(value, dict):
        raise UnexpectedAnswer(f"{kind.__name__}: expected an object, not {value!r:.200}")
    arguments = {}
    for name, hint, required in _shape(kind):
        if name in value:
            try:
                arguments[name] = _convert(hint, value[name])
            except (TypeError, ValueError, InvalidOperation) as error:
                raise UnexpectedAnswer(
                    f"{kind.__name__}.{name}: cannot read {value[name]!r:.200}"
                ) from error
        elif required:
            raise UnexpectedAnswer(f"{kind.__name__}: `{name}` is missing")
    return kind(**arguments)


#: Name, type and whether it must be there, of each field: reading the hints takes its time.
_SHAPES: dict[Any, tuple[tuple[str, Any, bool], ...]] = {}


def _shape(kind: Any) -> tuple[tuple[str, Any, bool], ...]:
    if kind not in _SHAPES:
        hints = get_type_hints(kind)
        _SHAPES[kind] = tuple(
            (each.name, hints[each.name], each.default is MISSING) for each in fields(kind)
        )
    return _SHAPES[kind]


def _convert(hint: Any, value: Any) -> Any:
    if get_origin(hint) in (types.UnionType, Union):
        if value is None:
            return None
        (hint,) = (each for each in get_args(hint) if each is not type(None))
    if get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise TypeError
        return tuple(_convert(get_args(hint)[0], each) for each in value)
    if is_dataclass(hint):
        return decode(hint, value)  # type: ignore[arg-type]
    if hint is Decimal and isinstance(value, str):
        return Decimal(value)
    if hint is datetime and isinstance(value, str):
        return datetime.fromisoformat(value).astimezone(UTC)
    if type(value) is not hint:
        raise TypeError
    return value
