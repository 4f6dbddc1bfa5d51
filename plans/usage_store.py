"""The one call that rates a batch: `record_usage` in the database (plans/sql/record_usage.sql).

A single record goes to `record_one_usage`, which does the same in a handful of small statements.

Records go in as columns and the results come back as columns. Nothing here knows a rule: what is
rated, written and answered is decided there, under the wallets' lock.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection

from accounts.bulk import as_array, text_array
from accounts.prepared import fetch_one
from accounts.references import are_uuids, split
from plans.usage_records import ParsedRecord

_CALL = """
SELECT * FROM record_usage(
    %(now)s, %(oldest)s, %(newest)s, %(account_ids)s, %(external_ids)s, %(feature_keys)s,
    %(accounts)s, %(features)s, %(ids)s, %(quantities)s, %(moments)s, %(workspaces)s, %(sources)s,
    %(descriptions)s)
"""
_CALL_FOR_ONE = """
SELECT * FROM record_one_usage(
    %(now)s, %(oldest)s, %(newest)s, %(account_id)s::uuid, %(external_id)s, %(feature_key)s, %(id)s,
    %(quantity)s, %(moment)s, %(workspace)s, %(source)s, %(description)s, %(is_alone)s)
"""
_columns = attrgetter(
    "id", "account", "feature", "quantity", "occurred_at", "workspace", "source", "description"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the database says of a batch.

    With `to_open`, `too_much` or `comes_again` nothing was done. `codes` has a letter for each
    record; `figures` what was included, billed and charged, separated by spaces, or nothing.
    `crossed` are balances (USD) before the batch, of the accounts whose new one may bring something
    about.
    """

    to_open: list[UUID]
    too_much: bool
    codes: str
    figures: list[str]
    crossed: dict[UUID, Decimal]
    to_refill: list[UUID]

    @property
    def comes_again(self) -> bool:
        """Whether the record was sent alone, and what it brings about needs a transaction."""
        return bool(self.crossed) and not self.codes


def rate(
    records: Sequence[ParsedRecord], *, now: datetime, oldest: datetime, newest: datetime
) -> Answer:
    """Rate the records in the order sent and write what follows, within the open transaction.

    A single record needs none: the call commits by itself, or has the caller come again in one.
    """
    row = (
        _rate_one(records[0], now=now, oldest=oldest, newest=newest)
        if len(records) == 1
        else _rate_batch(records, now=now, oldest=oldest, newest=newest)
    )
    assert row is not None
    to_open, too_much, codes, figures, crossed, to_refill = row
    return Answer(
        to_open=_uuids(to_open),
        too_much=bool(too_much),
        codes=codes or "",
        figures=(figures or "").split(","),
        crossed=dict(_crossing(each) for each in crossed.split(",")) if crossed else {},
        to_refill=_uuids(to_refill),
    )


def _rate_one(
    record: ParsedRecord, *, now: datetime, oldest: datetime, newest: datetime
) -> tuple[Any, ...] | None:
    account_id, external_id = split(record.account)
    return fetch_one(
        _CALL_FOR_ONE,
        {
            "now": now,
            "oldest": oldest,
            "newest": newest,
            "account_id": account_id,
            "external_id": external_id,
            "feature_key": record.feature,
            "id": record.id,
            "quantity": record.quantity,
            "moment": record.occurred_at,
            "workspace": record.workspace,
            "source": record.source,
            "description": record.description,
            "is_alone": not connection.in_atomic_block,
        },
    )


def _rate_batch(
    records: Sequence[ParsedRecord], *, now: datetime, oldest: datetime, newest: datetime
) -> tuple[Any, ...] | None:
    (ids, accounts, features, quantities, moments, workspaces, sources, descriptions) = zip(
        *map(_columns, records), strict=True
    )
    account_ids, external_ids, account_places = _names(accounts)
    feature_keys = list(dict.fromkeys(features))
    feature_places = {key: place for place, key in enumerate(feature_keys, start=1)}
    return fetch_one(
        _CALL,
        {
            "now": now,
            "oldest": oldest,
            "newest": newest,
            "account_ids": as_array(account_ids),
            "external_ids": text_array(external_ids),
            "feature_keys": text_array(feature_keys),
            "accounts": _listed([account_places[account] for account in accounts]),
            "features": _listed([feature_places[feature] for feature in features]),
            "ids": text_array(ids),
            "quantities": as_array(quantities),
            "moments": _listed(moments),
            "workspaces": _optional(workspaces),
            "sources": _optional(sources),
            "descriptions": _optional(descriptions),
        },
    )


def _names(references: Iterable[str]) -> tuple[list[str], list[str], dict[str, int]]:
    """Return the UUIDs and external ids among the references, and the place of each reference.

    External ids follow the UUIDs; what can be no reference has the place 0.
    """
    distinct = list(dict.fromkeys(references))
    if are_uuids(distinct):
        places = {reference: place for place, reference in enumerate(distinct, start=1)}
        return [reference.lower() for reference in distinct], [], places
    split_references = {reference: split(reference) for reference in distinct}
    account_ids = [uuid for uuid, _ in split_references.values() if uuid]
    external_ids = [external_id for _, external_id in split_references.values() if external_id]
    places = dict.fromkeys(split_references, 0)
    uuid_place, external_place = 0, len(account_ids)
    for reference, (uuid, external_id) in split_references.items():
        if uuid:
            uuid_place += 1
            places[reference] = uuid_place
        elif external_id:
            external_place += 1
            places[reference] = external_place
    return account_ids, external_ids, places


def _optional(values: Sequence[str]) -> str | None:
    """Write a column that most platforms leave empty."""
    return text_array(values) if any(values) else None


def _listed(values: Sequence[datetime] | Sequence[int]) -> str:
    """Write moments or places as a PostgreSQL array: JSON's list of them, in other brackets."""
    return f"{{{msgspec.json.encode(values)[1:-1].decode()}}}"


def _uuids(text: str | None) -> list[UUID]:
    return [UUID(each) for each in text.split(",")] if text else []


def _crossing(text: str) -> tuple[UUID, Decimal]:
    account_id, before = text.split(" ")
    return UUID(account_id), Decimal(before)
