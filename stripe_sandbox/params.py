"""Stripe's form encoding, and schemas that refuse what Stripe would refuse."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl

from .errors import Json, ParameterError

Field = Callable[[str, Any], Any]
Schema = dict[str, Field]

_KEY = re.compile(r"^([^\[\]]+)((?:\[[^\[\]]*\])*)$")
_INTEGER = re.compile(r"^-?\d{1,18}$")


def parse(encoded: str) -> Json:
    """Nested parameters out of `a[b][]=c`; lists come back as lists."""
    root: Json = {}
    for key, value in parse_qsl(encoded, keep_blank_values=True):
        match = _KEY.match(key)
        if match is None:
            raise ParameterError(f"Invalid parameter name: {key}", param=key)
        _put(root, [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])], value)
    return {name: _lists(value) for name, value in root.items()}


def _put(node: Json, path: list[str], value: str) -> None:
    """Store one value; an empty step (`[]`) takes the next free index."""
    for position, step in enumerate(path):
        last = position == len(path) - 1
        if step == "" and position:
            step = _index(node, path[position + 1 :])
        if last:
            node[step] = value
            return
        child = node.setdefault(step, {})
        if not isinstance(child, dict):
            raise ParameterError("Invalid hash", param=path[0])
        node = child


def _index(node: Json, rest: list[str]) -> str:
    """`items[][a]=1&items[][b]=2` is one element; a repeated name starts the next."""
    if not node:
        return "0"
    newest = node.get(str(len(node) - 1))
    if rest and isinstance(newest, dict) and rest[0] not in newest:
        return str(len(node) - 1)
    return str(len(node))


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(name.isdigit() for name in value):
        return [_lists(value[name]) for name in sorted(value, key=int)]
    return {name: _lists(child) for name, child in value.items()}


def check(raw: Json, schema: Schema, required: Iterable[str] = (), prefix: str = "") -> Json:
    """Typed values of the parameters given; unknown and missing ones are refused."""
    unknown = [name for name in raw if name not in schema]
    if unknown:
        names = [f"{prefix}[{name}]" if prefix else name for name in unknown]
        word = "parameter" if len(names) == 1 else "parameters"
        raise ParameterError(
            f"Received unknown {word}: {', '.join(names)}",
            code="parameter_unknown",
            param=names[0],
        )
    for name in required:
        if raw.get(name) in (None, ""):
            full = f"{prefix}[{name}]" if prefix else name
            raise ParameterError(
                f"Missing required param: {full}.", code="parameter_missing", param=full
            )
    return {
        name: schema[name](f"{prefix}[{name}]" if prefix else name, value)
        for name, value in raw.items()
    }


def text(path: str, value: Any) -> str | None:
    """A string; an empty one means "clear it"."""
    if not isinstance(value, str):
        raise ParameterError(f"Invalid string: {value}", param=path)
    if len(value) > 5000:
        raise ParameterError(f"Invalid string: {path} is longer than 5000 characters", param=path)
    return value or None


def integer(path: str, value: Any) -> int:
    """A whole number. `10.5` and `1e3` are refused, as Stripe does."""
    if not isinstance(value, str) or not _INTEGER.match(value):
        raise ParameterError(
            f"Invalid integer: {value}", code="parameter_invalid_integer", param=path
        )
    return int(value)


def boolean(path: str, value: Any) -> bool:
    """`true` or `false`, nothing else."""
    if value not in ("true", "false"):
        raise ParameterError(f"Invalid boolean: {value}", param=path)
    return bool(value == "true")


def off_session(path: str, value: Any) -> bool:
    """Stripe takes a boolean here and the old words `recurring` and `one_off`."""
    return True if value in ("recurring", "one_off") else boolean(path, value)


def enum(*choices: str) -> Field:
    """One of the named values."""

    def field(path: str, value: Any) -> str | None:
        if value == "":
            return None
        if value not in choices:
            raise ParameterError(
                f"Invalid {path}: must be one of {' or '.join(choices)}", param=path
            )
        return str(value)

    return field


def hash_of(schema: Schema, required: Iterable[str] = ()) -> Field:
    """A nested object with known names."""

    def field(path: str, value: Any) -> Json | None:
        if value == "":
            return None
        if not isinstance(value, dict):
            raise ParameterError("Invalid object", param=path)
        return check(value, schema, required, prefix=path)

    return field


def list_of(item: Field) -> Field:
    """A list, each element of one type."""

    def field(path: str, value: Any) -> list[Any] | None:
        if value == "":
            return None
        if not isinstance(value, list):
            raise ParameterError("Invalid array", param=path)
        return [item(f"{path}[{number}]", element) for number, element in enumerate(value)]

    return field


def mapping(path: str, value: Any) -> dict[str, str] | None:
    """Metadata: free names, string values, within Stripe's bounds."""
    if value == "":
        return None
    if isinstance(value, list):
        value = {str(number): element for number, element in enumerate(value)}
    if not isinstance(value, dict) or any(not isinstance(v, str) for v in value.values()):
        raise ParameterError("Invalid object", param=path)
    if len(value) > 50:
        raise ParameterError("Metadata can hold at most 50 keys", param=path)
    for name, element in value.items():
        if len(name) > 40 or len(element) > 500:
            raise ParameterError(
                "Metadata keys have at most 40 and values at most 500 characters",
                param=f"{path}[{name}]",
            )
    return dict(value)


def merge_metadata(current: dict[str, str], change: dict[str, str] | None) -> dict[str, str]:
    """Stripe's update rule: given keys replace, empty values delete, an empty map clears."""
    if change is None:
        return {}
    merged = {**current, **change}
    return {name: value for name, value in merged.items() if value != ""}


def time_range(path: str, value: Any) -> Json:
    """`created=123` or `created[gte]=123`."""
    if isinstance(value, str):
        return {"eq": integer(path, value)}
    if not isinstance(value, dict):
        raise ParameterError("Invalid object", param=path)
    return check(value, dict.fromkeys(("gt", "gte", "lt", "lte"), integer), prefix=path)


ADDRESS = hash_of(
    dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"), text)
)
BILLING_DETAILS = hash_of(
    {"address": ADDRESS, "email": text, "name": text, "phone": text, "tax_id": text}
)
CURSOR: Schema = {"limit": integer, "starting_after": text, "ending_before": text}
PAGE: Schema = {**CURSOR, "created": time_range}
