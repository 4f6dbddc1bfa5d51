"""Rating: what the platform reports is drawn from the allowance first, then billed.

The hot path (DESIGN.md section 7). The rating itself is a function of the database, one call for a
batch (plans/sql/record_usage.sql): each record is rated exactly once, with any number of concurrent
writers on one account, and keeps what explains it to a customer. Here is what goes around it.
docs/usage.md explains a line.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec
from django.db import connection, transaction

from accounts.bulk import any_uuid
from accounts.database_trouble import again_after_deadlock
from plans import opening, spend_caps, usage_parts, usage_store
from plans.usage_records import Code, ParsedRecord, Rejected
from wallet import ledger, refills

MAXIMUM_AGE: Final = timedelta(days=35)
MAXIMUM_AHEAD: Final = timedelta(minutes=5)
_NOTHING: Final = "0.000000 0.000000 0.000000"


class ResultStatus(StrEnum):
    """What became of a record."""

    RECORDED = "recorded"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


class Result(msgspec.Struct, frozen=True, gc=False):
    """The answer to one record; of a duplicate, the first one's figures.

    `figures` are what was included, billed and charged as the database wrote them, each with six
    decimals: most callers only pass them on.
    """

    id: str | None
    status: ResultStatus
    figures: str = _NOTHING
    code: Code | None = None
    detail: str = ""

    @property
    def included_quantity(self) -> Decimal:
        """What was drawn from the allowance."""
        return Decimal(self.figures.split(" ")[0])

    @property
    def billed_quantity(self) -> Decimal:
        """What was billed."""
        return Decimal(self.figures.split(" ")[1])

    @property
    def amount(self) -> Decimal:
        """What was charged (USD)."""
        return Decimal(self.figures.split(" ")[2])


#: What a letter of `record_usage` accepts a record as.
_ACCEPTED: Final = {"r": ResultStatus.RECORDED, "d": ResultStatus.DUPLICATE}
#: What a letter of `record_usage` rejects a record with.
_REJECTIONS: Final = {
    "a": (
        Code.UNKNOWN_ACCOUNT,
        "No account has this id. Send its UUID, or external: and the id you gave it.",
    ),
    "f": (Code.UNKNOWN_FEATURE, "No feature has this key; see GET /features/."),
    "c": (
        Code.CONFLICT,
        "A record with this id and other content was recorded before; it stands.",
    ),
    "o": (Code.TOO_OLD, "`occurred_at` is more than 35 days ago."),
    "u": (Code.IN_FUTURE, "`occurred_at` is more than 5 minutes in the future."),
    "s": (Code.NOT_IN_PLAN, "The account had no subscription at that moment."),
    "m": (Code.NOT_IN_PLAN, "The account's plan does not meter {feature}."),
    "q": (Code.INVALID_QUANTITY, "The quantity is beyond what an account can hold."),
}


def record(*, records: Sequence[ParsedRecord | Rejected], now: datetime) -> list[Result]:
    """Rate the records and deduct them from their wallets; return one result each, in order.

    A good record is never held back by a bad one. May be repeated with the same records any number
    of times, by any number of callers at once: each is charged once.
    """
    parsed = [each for each in records if isinstance(each, ParsedRecord)]
    results = _rate(parsed, now=now) if parsed else []
    if len(parsed) == len(records):
        return results
    rated = iter(results)
    return [
        next(rated)
        if isinstance(each, ParsedRecord)
        else Result(each.id, ResultStatus.REJECTED, code=each.code, detail=each.detail)
        for each in records
    ]


def _rate(records: Sequence[ParsedRecord], *, now: datetime) -> list[Result]:
    """Rate them in one transaction, or part by part where another writer is at the same accounts.

    Within a transaction of the caller's it is that one.
    """
    if len(records) == 1 and not connection.in_atomic_block:
        return _rate_alone(records, now=now)
    if len(records) < usage_parts.WORTH_DIVIDING or connection.in_atomic_block:
        return _rate_together(records, now=now)
    waiting = usage_parts.places_by_part(records)
    results: dict[int, Result] = {}
    while waiting:
        taken, places, answer = _rate_free_parts(records, waiting, now=now)
        if answer.to_open:
            opening.open_due_periods(now=now, account_ids=answer.to_open)
            continue
        # Only now: until the commit others wait for the wallets.
        chosen = [records[place] for place in places]
        results.update(zip(places, _results(chosen, answer), strict=True))
        for part in taken:
            del waiting[part]
    return [results[place] for place in range(len(records))]


@again_after_deadlock
@transaction.atomic
def _rate_free_parts(
    records: Sequence[ParsedRecord], waiting: dict[int, list[int]], *, now: datetime
) -> tuple[list[int], list[int], usage_store.Answer]:
    """Rate the parts that no other writer is at; return which, and where their records are."""
    taken = usage_parts.take(list(waiting))
    places = sorted(place for part in taken for place in waiting[part])
    return taken, places, _rate_here([records[place] for place in places], now=now)


def _rate_alone(records: Sequence[ParsedRecord], *, now: datetime) -> list[Result]:
    """Rate a single record without a transaction around the call, which is one by itself.

    Whoever dies before the nudge leaves the refill to the next sweep, as after any commit.
    """
    answer = _ask(records, now=now)
    if answer.comes_again or answer.to_open:
        return _rate_together(records, now=now)
    if answer.to_refill:
        _nudge(answer.to_refill, now=now)
    return _results(records, answer)


def _rate_together(records: Sequence[ParsedRecord], *, now: datetime) -> list[Result]:
    while True:
        answer = _rate_in_a_transaction(records, now=now)
        if not answer.to_open:
            return _results(records, answer)
        opening.open_due_periods(now=now, account_ids=answer.to_open)


@again_after_deadlock
@transaction.atomic
def _rate_in_a_transaction(records: Sequence[ParsedRecord], *, now: datetime) -> usage_store.Answer:
    return _rate_here(records, now=now)


def _rate_here(records: Sequence[ParsedRecord], *, now: datetime) -> usage_store.Answer:
    """Have the database rate the records, and do what the new balances bring about."""
    answer = _ask(records, now=now)
    if answer.too_much:
        answer = _one_by_one(records, now=now)
    if answer.crossed:
        wallets = ledger.follow_usage(before=answer.crossed, now=now)
        spend_caps.follow_usage(wallets=wallets, before=answer.crossed, now=now)
    if answer.to_refill:
        _nudge(answer.to_refill, now=now)
    return answer


@again_after_deadlock
def _ask(records: Sequence[ParsedRecord], *, now: datetime) -> usage_store.Answer:
    return usage_store.rate(records, now=now, oldest=now - MAXIMUM_AGE, newest=now + MAXIMUM_AHEAD)


def _one_by_one(records: Sequence[ParsedRecord], *, now: datetime) -> usage_store.Answer:
    """Rate a batch that holds more than an account can: the records that fit are recorded."""
    answers = [_ask([each], now=now) for each in records]
    crossed: dict[UUID, Decimal] = {}
    for answer in answers:
        crossed = {**answer.crossed, **crossed}
    return usage_store.Answer(
        to_open=[],
        too_much=False,
        codes="".join(answer.codes for answer in answers),
        figures=[answer.figures[0] for answer in answers],
        crossed=crossed,
        to_refill=[account_id for answer in answers for account_id in answer.to_refill],
    )


def _results(records: Sequence[ParsedRecord], answer: usage_store.Answer) -> list[Result]:
    return [
        Result(each.id, _ACCEPTED[code], figures) if code in _ACCEPTED else _reject(each, code)
        for each, code, figures in zip(records, answer.codes, answer.figures, strict=True)
    ]


def _reject(sent: ParsedRecord, code: str) -> Result:
    reason, detail = _REJECTIONS[code]
    return Result(
        sent.id, ResultStatus.REJECTED, code=reason, detail=detail.format(feature=sent.feature)
    )


def _nudge(account_ids: Sequence[UUID], *, now: datetime) -> None:
    """Have the worker refill those of the accounts whose refill is due."""
    due = refills.due(now=now).filter(wallet__account_id__in=any_uuid(account_ids))
    refills.nudge(account_ids=due.values_list("wallet__account_id", flat=True))
