"""Rating: what the platform reports is drawn from the allowance first, then billed.

The hot path (DESIGN.md section 7). A batch costs a fixed, small number of statements; each record
is rated exactly once, with any number of concurrent writers on one account; and each keeps what
explains it to a customer. docs/usage.md explains a line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final
from uuid import UUID

from django.db import transaction

from accounts.bulk import any_uuid
from accounts.money import format_quantity, format_unit_price
from plans import opening, usage_store
from plans.catalogue_models import Feature
from plans.pricing import rate, split_by_price
from plans.usage_records import Code, ParsedRecord, Rejected
from plans.usage_store import Draw, NewRecord, Period, Price
from wallet import ledger, refills
from wallet.models import Wallet

MAXIMUM_AGE: Final = timedelta(days=35)
MAXIMUM_AHEAD: Final = timedelta(minutes=5)
#: What a ledger amount and an allowance can hold: numeric(18, 6).
_BOUND: Final = Decimal("999999999999.999999")
_ZERO: Final = Decimal(0)


class ResultStatus(StrEnum):
    """What became of a record."""

    RECORDED = "recorded"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Result:
    """The answer to one record; of a duplicate, the first one's figures. `amount` is USD."""

    id: str | None
    status: ResultStatus
    included_quantity: Decimal = _ZERO
    billed_quantity: Decimal = _ZERO
    amount: Decimal = _ZERO
    code: Code | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A record whose account and feature are known."""

    index: int
    record: ParsedRecord
    account_id: UUID
    feature: Feature
    content_hash: bytes


def record(*, records: Sequence[ParsedRecord | Rejected], now: datetime) -> list[Result]:
    """Rate the records and deduct them from their wallets; return one result each, in order.

    A good record is never held back by a bad one. May be repeated with the same records any number
    of times, by any number of callers at once: each is charged once.
    """
    results: dict[int, Result] = {}
    candidates = _resolve(records, results)
    if candidates:
        account_ids = {candidate.account_id for candidate in candidates}
        opening.open_due_periods(now=now, account_ids=sorted(account_ids))
        with transaction.atomic():
            # Locked first, in one statement; whatever depends on it is read afterwards.
            wallets = ledger.lock(account_ids=account_ids)
            _rate(candidates, wallets=wallets, results=results, now=now)
    return [results[index] for index in range(len(records))]


def _resolve(
    records: Sequence[ParsedRecord | Rejected], results: dict[int, Result]
) -> list[_Candidate]:
    """Find the accounts and features; what can't be found is a result already."""
    parsed = [item for item in records if isinstance(item, ParsedRecord)]
    accounts = usage_store.find_accounts({item.account for item in parsed}) if parsed else {}
    features = usage_store.find_features({item.feature for item in parsed}) if parsed else {}
    candidates = []
    for index, item in enumerate(records):
        if isinstance(item, Rejected):
            results[index] = _rejected(item.id, item.code, item.detail)
            continue
        account_id = accounts.get(item.account)
        feature = features.get(item.feature)
        if account_id is None:
            results[index] = _rejected(
                item.id,
                Code.UNKNOWN_ACCOUNT,
                "No account has this id. Send its UUID, or external: and the id you gave it.",
            )
        elif feature is None:
            results[index] = _rejected(
                item.id, Code.UNKNOWN_FEATURE, "No feature has this key; see GET /features/."
            )
        else:
            candidates.append(
                _Candidate(index, item, account_id, feature, item.content_hash(account_id))
            )
    return candidates


def _rejected(record_id: str | None, code: Code, detail: str) -> Result:
    return Result(record_id, ResultStatus.REJECTED, code=code, detail=detail)


def _rate(
    candidates: Sequence[_Candidate],
    *,
    wallets: Mapping[UUID, Wallet],
    results: dict[int, Result],
    now: datetime,
) -> None:
    """Rate the candidates in the order sent and write what follows, in a statement each."""
    recorded = usage_store.find_recorded([(c.account_id, c.record.id) for c in candidates])
    fresh: list[_Candidate] = []
    repeated: list[_Candidate] = []
    for candidate in candidates:
        key = (candidate.account_id, candidate.record.id)
        (repeated if key in recorded else fresh).append(candidate)
    for candidate in repeated:
        first = recorded[candidate.account_id, candidate.record.id]
        figures = (first.included_quantity, first.billed_quantity, first.amount)
        results[candidate.index] = _repetition(candidate, first.content_hash, figures)
    placed = _place(fresh, wallets=wallets, results=results, now=now) if fresh else []
    if not placed:
        return
    draws = usage_store.open_draws(
        {(c.account_id, period.renewal_id, c.feature.pk) for c, period, _ in placed}
    )
    batch = _Batch(wallets, now=now)
    for candidate, period, price in placed:
        draw = draws[period.renewal_id, candidate.feature.pk]
        results[candidate.index] = batch.add(candidate, period, price, draw)
    usage_store.insert_records(batch.new)
    usage_store.save_draws(draws.values())
    ledger.post_usage(wallets=wallets, charges=batch.charges, now=now)
    refills_due = refills.due(now=now).filter(
        wallet__account_id__in=any_uuid(batch.charged_accounts)
    )
    refills.nudge(account_ids=refills_due.values_list("wallet__account_id", flat=True))


def _repetition(
    candidate: _Candidate, content_hash: bytes, figures: tuple[Decimal, Decimal, Decimal]
) -> Result:
    if candidate.content_hash == content_hash:
        return Result(candidate.record.id, ResultStatus.DUPLICATE, *figures)
    return _rejected(
        candidate.record.id,
        Code.CONFLICT,
        "A record with this id and other content was recorded before; it stands.",
    )


def _place(
    candidates: Sequence[_Candidate],
    *,
    wallets: Mapping[UUID, Wallet],
    results: dict[int, Result],
    now: datetime,
) -> list[tuple[_Candidate, Period, Price]]:
    """Find each record's period and price; what has none is a result already."""
    periods = usage_store.find_periods(wallets.keys(), now=now, reach=MAXIMUM_AGE)
    versions = {period.plan_version_id for known in periods.values() for period in known}
    prices = usage_store.find_prices(versions)
    placed = []
    for candidate in candidates:
        record, feature = candidate.record, candidate.feature
        if record.occurred_at < now - MAXIMUM_AGE:
            results[candidate.index] = _rejected(
                record.id, Code.TOO_OLD, "`occurred_at` is more than 35 days ago."
            )
            continue
        if record.occurred_at > now + MAXIMUM_AHEAD:
            results[candidate.index] = _rejected(
                record.id, Code.IN_FUTURE, "`occurred_at` is more than 5 minutes in the future."
            )
            continue
        period = find_period(periods.get(candidate.account_id, ()), record.occurred_at)
        if period is None:
            results[candidate.index] = _rejected(
                record.id, Code.NOT_IN_PLAN, "The account had no subscription at that moment."
            )
            continue
        price = prices.get((period.plan_version_id, feature.pk))
        if price is None:
            results[candidate.index] = _rejected(
                record.id,
                Code.NOT_IN_PLAN,
                f"The account's plan does not meter {feature.key}.",
            )
            continue
        placed.append((candidate, period, price))
    return placed


def find_period(periods: Sequence[Period], moment: datetime) -> Period | None:
    """Return the account's period in which `moment` is rated. `periods` are oldest first.

    Before the first period counts as in it, and a moment just ahead of the last opened period of
    the subscription in force as in that one. Source: DESIGN.md section 7. One that ended before
    its next period was opened was in force until then: its last one counts.
    """
    for period in reversed(periods):
        if period.contains(moment):
            return period
    for period in reversed(periods):
        if period.ended_at is not None and period.end <= moment < period.ended_at:
            return period
    if not periods:
        return None
    first, last = periods[0], periods[-1]
    if first.is_first and moment < first.start:
        return first
    if last.is_current and moment >= last.end:
        return last
    return None


class _Batch:
    """The batch while it is rated: the balances as they fall, and the rows to write."""

    def __init__(self, wallets: Mapping[UUID, Wallet], *, now: datetime) -> None:
        self.now = now
        self.balances = {account_id: wallet.balance for account_id, wallet in wallets.items()}
        self.new: list[NewRecord] = []
        self.charges: list[ledger.UsageCharge] = []
        self.seen: dict[tuple[UUID, str], tuple[bytes, tuple[Decimal, Decimal, Decimal]]] = {}

    @property
    def charged_accounts(self) -> set[UUID]:
        """The accounts whose balance fell."""
        return {charge.account_id for charge in self.charges}

    def add(self, candidate: _Candidate, period: Period, price: Price, draw: Draw) -> Result:
        """Rate one record, after those added before it."""
        record, account_id = candidate.record, candidate.account_id
        key = (account_id, record.id)
        if key in self.seen:
            return _repetition(candidate, *self.seen[key])
        included_before, billed_before = draw.remaining, draw.billed_before
        rated = rate(
            quantity=record.quantity,
            included_remaining=included_before,
            billed_before=billed_before,
            unit_price=price.unit_price,
            tiers=price.tiers,
        )
        balance = self.balances[account_id]
        balance_after = balance - rated.amount
        if balance_after < -_BOUND or billed_before + rated.billed_quantity > _BOUND:
            return _rejected(
                record.id, Code.INVALID_QUANTITY, "The quantity is beyond what an account can hold."
            )
        draw.used_more += rated.included_quantity
        draw.billed_more += rated.billed_quantity
        self.balances[account_id] = balance_after
        self.new.append(
            NewRecord(
                account_id=account_id,
                record_id=record.id,
                feature_id=candidate.feature.pk,
                renewal_id=period.renewal_id,
                plan_version_id=period.plan_version_id,
                quantity=record.quantity,
                included_quantity=rated.included_quantity,
                billed_quantity=rated.billed_quantity,
                unit_price=price.unit_price,
                amount=rated.amount,
                included_before=included_before,
                billed_before=billed_before,
                balance_before=balance,
                balance_after=balance_after,
                occurred_at=record.occurred_at,
                recorded_at=self.now,
                workspace=record.workspace,
                source=record.source,
                description=record.description,
                content_hash=candidate.content_hash,
            )
        )
        if rated.amount:
            self.charges.append(
                ledger.UsageCharge(
                    account_id=account_id,
                    usage_id=record.id,
                    amount=rated.amount,
                    description=describe(
                        candidate.feature,
                        billed=rated.billed_quantity,
                        billed_before=billed_before,
                        has_allowance=draw.included > 0,
                        price=price,
                    ),
                )
            )
        figures = (rated.included_quantity, rated.billed_quantity, rated.amount)
        self.seen[key] = (candidate.content_hash, figures)
        return Result(record.id, ResultStatus.RECORDED, *figures)


def describe(
    feature: Feature, *, billed: Decimal, billed_before: Decimal, has_allowance: bool, price: Price
) -> str:
    """Say what a charge is for: `Call minutes: 7 beyond the allowance × $0.10`.

    Across volume tiers each part is shown at its price: `10 × $0.10 + 5 × $0.09`.
    """
    parts = [
        (format_quantity(units), format_unit_price(unit_price))
        for units, unit_price in split_by_price(
            billed, billed_before=billed_before, unit_price=price.unit_price, tiers=price.tiers
        )
    ]
    first, *more = parts
    beyond = " beyond the allowance" if has_allowance else ""
    text = f"{feature.name}: {first[0]}{beyond} × {first[1]}"
    for units, unit_price in more:
        text += f" + {units} × {unit_price}"
    return text if len(text) <= 300 else f"{text[:299]}…"
