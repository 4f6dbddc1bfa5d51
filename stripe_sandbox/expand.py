"""`expand[]`: ids replaced by the objects they name."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from .errors import Json, ParameterError
from .store import Tx

MAXIMUM_DEPTH = 4
# Present only when asked for: lists of the object itself,
_EXTRA_LISTS = {
    ("checkout.session", "line_items"),
    ("customer", "sources"),
    ("customer", "subscriptions"),
    ("customer", "tax_ids"),
}
# and parts that are always empty here.
_EMPTY: dict[str, Json | list[Json]] = {
    "total_details.breakdown": {"discounts": [], "taxes": []},
    "line_items.data.discounts": [],
    "line_items.data.taxes": [],
}


def expand(tx: Tx, body: Json, paths: list[str]) -> Json:
    """Follow each path, as far as Stripe lets one."""
    for path in paths:
        steps = path.split(".")
        if len(steps) > MAXIMUM_DEPTH + (steps[0] == "data"):
            raise ParameterError(f"You cannot expand more than 4 levels of {path}")
        _walk(tx, body, steps, path)
    return body


def _walk(tx: Tx, node: Json, steps: list[str], path: str) -> None:
    name, rest = steps[0], steps[1:]
    if name not in node and (str(node.get("object")), name) in _EXTRA_LISTS:
        node[name] = _extra(tx, node, name)
    elif name not in node and not rest and path.removeprefix("data.") in _EMPTY:
        node[name] = deepcopy(_EMPTY[path.removeprefix("data.")])
    if name not in node:
        raise ParameterError(f"This property cannot be expanded ({path}).", param="expand")
    value: Any = node[name]
    if isinstance(value, str):
        found = tx.get(value)
        if found is None:
            if name in ("status", "id", "object", "currency"):
                raise ParameterError(f"This property cannot be expanded ({path}).", param="expand")
            return
        node[name] = value = found
    if not rest:
        return
    for child in value if isinstance(value, list) else [value]:
        if isinstance(child, dict):
            _walk(tx, child, rest, path)


def _extra(tx: Tx, node: Json, name: str) -> Json:
    if name == "line_items":
        items = tx.private(node["id"]).get("line_items", [])
        url = f"/v1/checkout/sessions/{node['id']}/line_items"
    else:
        items, url = [], f"/v1/customers/{node['id']}/{name}"
    return {"object": "list", "data": items, "has_more": False, "url": url}
