"""List and search answers: newest first, with cursors."""

from __future__ import annotations

import re
from typing import Any

from .errors import Json, ParameterError, missing
from .store import Tx

_OPERATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "eq": "="}


def page(
    tx: Tx, kind: str, url: str, params: Json, fields: Json | None = None, **columns: Any
) -> Json:
    """One page of a kind, narrowed by columns, other fields, `created` and a cursor."""
    where: list[str] = ["kind = ?"]
    values: list[Any] = [kind]
    for name, value in (fields or {}).items():
        where.append("json_extract(body, ?) IS ?")
        values.extend((f"$.{name}", value))
    for name, value in columns.items():
        if isinstance(value, list):
            where.append(f"{name} IN ({', '.join('?' * len(value))})")
            values.extend(value)
        elif value is not None:
            where.append(f"{name} = ?")
            values.append(value)
    for operator, moment in (params.get("created") or {}).items():
        where.append(f"created {_OPERATORS[operator]} ?")
        values.append(moment)
    limit = params.get("limit", 10)
    if not 1 <= limit <= 100:
        raise ParameterError(
            f"Invalid integer: limit must be between 1 and 100, got {limit}", param="limit"
        )
    backwards = "ending_before" in params
    cursor = params.get("ending_before") or params.get("starting_after")
    if cursor:
        position = tx.position(cursor)
        if position is None:
            param = "ending_before" if backwards else "starting_after"
            raise missing(kind, cursor, param)
        where.append(f"(created, seq) {'>' if backwards else '<'} (?, ?)")
        values.extend(position)
    order = "created, seq" if backwards else "created DESC, seq DESC"
    found = tx.select(" AND ".join(where), tuple(values), f"ORDER BY {order} LIMIT {limit + 1}")
    more = len(found) > limit
    found = found[:limit]
    if backwards:
        found.reverse()
    return {"object": "list", "data": found, "has_more": more, "url": url}


_CLAUSE = re.compile(
    r"""^(?P<negated>-?)(?:metadata\[(?P<mq>['"])(?P<key>.+?)(?P=mq)\]|(?P<field>[a-z_]+))\s*"""
    r"""(?P<operator>:|>=|<=|>|<)\s*(?:(?P<q>['"])(?P<text>.*?)(?P=q)|(?P<number>\d+|null))$"""
)


_SEARCHABLE = ("amount", "created", "currency", "customer", "payment_intent", "status")


def _clause(clause: str) -> tuple[str, list[Any]]:
    """One clause as SQL with its values; `-` negates, `null` means that there is none."""
    match = _CLAUSE.match(clause)
    if match is None:
        raise ParameterError(f"We were unable to parse your search query: {clause}")
    wanted: str | int | None = match["text"]
    if match["number"] is not None:
        wanted = None if match["number"] == "null" else int(match["number"])
    if match["key"] is not None:
        name = match["key"].replace('"', '\\"')
        path, wanted = f'$.metadata."{name}"', None if wanted is None else str(wanted)
    elif match["field"] in _SEARCHABLE:
        path = f"$.{match['field']}"
    else:
        raise ParameterError(f"Field `{match['field']}` is an unsupported search field")
    if match["field"] in ("amount", "created"):
        if not str(wanted).isdecimal():
            raise ParameterError(f"Field `{match['field']}` is searched by numbers: {clause}")
        wanted = int(str(wanted))
    operator = "IS" if match["operator"] == ":" else match["operator"]
    condition = f"json_extract(body, ?) {operator} ?"
    return (f"NOT ({condition})" if match["negated"] else condition), [path, wanted]


def search(tx: Tx, kind: str, url: str, params: Json) -> Json:
    """Stripe's search: clauses on metadata, created and a few fields, joined by AND."""
    where: list[str] = ["kind = ?"]
    values: list[Any] = [kind]
    for clause in re.split(r"\s+AND\s+", params["query"].strip(), flags=re.IGNORECASE):
        condition, bound = _clause(clause)
        where.append(condition)
        values.extend(bound)
    limit = params.get("limit", 10)
    if not 1 <= limit <= 100:
        raise ParameterError("Invalid integer: limit", param="limit")
    start = int(params["page"]) if (params.get("page") or "").isdigit() else 0
    found = tx.select(
        " AND ".join(where),
        tuple(values),
        f"ORDER BY created DESC, seq DESC LIMIT {limit + 1} OFFSET {start}",
    )
    more = len(found) > limit
    return {
        "object": "search_result",
        "data": found[:limit],
        "has_more": more,
        "next_page": str(start + limit) if more else None,
        "url": url,
    }
