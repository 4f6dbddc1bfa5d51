"""Whether an account's services run: the one place that pauses and resumes them.

Services are paused exactly while `Account.pause_reasons` is not empty (invariant I13). Each change
of state is recorded and told to the customer and the platform once.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection, transaction

from accounts import outbox
from accounts.event_log import happened
from accounts.models import Account, AuditEvent, Message, PauseReason, User
from accounts.money import format_usd
from accounts.recorded_words import in_english

_ADD = """
UPDATE accounts_account SET pause_reasons = array_append(pause_reasons, %(reason)s)
WHERE id IN (
    SELECT id FROM accounts_account
    WHERE id = ANY(%(ids)s) AND NOT (%(reason)s = ANY(pause_reasons))
    ORDER BY id FOR NO KEY UPDATE)
RETURNING id, cardinality(pause_reasons) = 1
"""
_REMOVE = """
UPDATE accounts_account SET pause_reasons = array_remove(pause_reasons, %(reason)s)
WHERE id IN (
    SELECT id FROM accounts_account
    WHERE id = ANY(%(ids)s) AND %(reason)s = ANY(pause_reasons)
    ORDER BY id FOR NO KEY UPDATE)
RETURNING id, cardinality(pause_reasons) = 0
"""


@transaction.atomic
def pause(
    *,
    account_ids: Iterable[UUID],
    reason: PauseReason,
    now: datetime,
    by: User | None = None,
    note: str = "",
    balances: Mapping[UUID, Decimal] | None = None,
    mail_customers: bool = True,
) -> list[UUID]:
    """Add `reason` to each account that does not have it; return those whose services stopped.

    Where `balances` (USD) has the account, its e-mail names the balance; without `mail_customers`
    the caller writes to them in words of its own. Set-based: two statements when nothing changes,
    whatever the number of accounts.
    """
    changed = _update(_ADD, account_ids, reason)
    return _record(
        changed,
        "services_paused",
        reason,
        now=now,
        by=by,
        note=note,
        balances=balances or {},
        mail_customers=mail_customers,
    )


@transaction.atomic
def lift(
    *,
    account_ids: Iterable[UUID],
    reason: PauseReason,
    now: datetime,
    by: User | None = None,
    note: str = "",
    balances: Mapping[UUID, Decimal] | None = None,
) -> list[UUID]:
    """Remove `reason` from each account that has it; return those whose services resumed."""
    changed = _update(_REMOVE, account_ids, reason)
    return _record(
        changed, "services_resumed", reason, now=now, by=by, note=note, balances=balances or {}
    )


def _update(
    statement: str, account_ids: Iterable[UUID], reason: PauseReason
) -> list[tuple[UUID, bool]]:
    ids = list(account_ids)
    if not ids:
        return []
    with connection.cursor() as cursor:
        cursor.execute(statement, {"ids": ids, "reason": reason.value})
        return cursor.fetchall()


def _record(
    changed: list[tuple[UUID, bool]],
    action: str,
    reason: PauseReason,
    *,
    now: datetime,
    by: User | None,
    note: str,
    balances: Mapping[UUID, Decimal],
    mail_customers: bool = True,
) -> list[UUID]:
    """Write the history of every change, and tell of those that stopped or resumed services."""
    if not changed:
        return []
    flipped = {account_id for account_id, state_changed in changed if state_changed}
    for account_id in flipped:
        happened(action, account=account_id, reason=reason.value)
    events = AuditEvent.objects.bulk_create(
        AuditEvent(
            account_id=account_id,
            actor=by,
            action=action if account_id in flipped else f"{action}_reason",
            reason=note or in_english(reason.label),
            details={"reason": reason.value},
            created_at=now,
        )
        for account_id, _ in changed
    )
    accounts = Account.objects.in_bulk(flipped)
    messages: list[Message] = []
    for event in events:
        account = accounts.get(event.account_id) if event.account_id else None
        if account is None:
            continue
        key = f"{action}:{event.pk}"
        context: dict[str, object] = {"reasons": account.pause_reasons, "path": "/billing/"}
        if account.pk in balances:
            context["balance"] = format_usd(balances[account.pk])
        if account.pause_reasons == [PauseReason.NEGATIVE_BALANCE]:
            context["path"] = "/billing/top-up/"
        if mail_customers:
            messages.append(
                outbox.email(account=account, event=action, key=key, context=context, now=now)
            )
        messages.append(
            outbox.platform_event(
                account=account,
                event=action.replace("_", "."),
                key=key,
                data={"reasons": account.pause_reasons},
                now=now,
            )
        )
    outbox.record(messages)
    return sorted(flipped)
