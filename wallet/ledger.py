"""The ledger: the only module that writes entries, and so the only one that moves a balance.

The database moves the balance when entries are inserted and refuses entries that do not continue
the ledger (migration 0002_integrity). What is done here is computed under the wallet's lock.
All amounts are USD.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction as database

from accounts import service_state
from accounts.bulk import any_uuid, copy_rows
from accounts.models import Account, PauseReason
from invoices.models import Dispute, Refund, Transaction
from wallet import low_balance
from wallet.models import Adjustment, Entry, EntryKind, Wallet


@dataclass(frozen=True, slots=True)
class UsageCharge:
    """One usage record's charge, in the order in which it is to be posted. `amount` > 0, USD."""

    account_id: UUID
    usage_id: str
    amount: Decimal
    description: str


def open_wallet(*, account: Account, now: datetime) -> Wallet:
    """Return the account's wallet, opened empty when it has none."""
    wallet, _ = Wallet.objects.get_or_create(account=account, defaults={"created_at": now})
    return wallet


def lock(*, account_ids: Iterable[UUID], skip_locked: bool = False) -> dict[UUID, Wallet]:
    """Lock the accounts' wallets in one statement, in id order, and return them by account.

    Call it inside a transaction. The one order is what keeps concurrent batches from deadlocking;
    what depends on a balance is read in the statements after this one. With `skip_locked`, those
    that somebody else has locked are left out.
    """
    wallets = Wallet.objects.select_for_update(no_key=True, skip_locked=skip_locked).filter(
        account_id__in=any_uuid(account_ids)
    )
    return {wallet.account_id: wallet for wallet in wallets.order_by("pk")}


@database.atomic
def post(
    *,
    account_id: UUID,
    kind: EntryKind,
    amount: Decimal,
    description: str,
    now: datetime,
    transaction: Transaction | None = None,
    adjustment: Adjustment | None = None,
    refund: Refund | None = None,
    dispute: Dispute | None = None,
) -> Entry:
    """Append one entry of `amount` USD (signed), and do what the new balance brings about.

    Raises Wallet.DoesNotExist when the account has no wallet.
    """
    wallet = Wallet.objects.select_for_update(no_key=True).get(account_id=account_id)
    before = {account_id: wallet.balance}
    entry = Entry.objects.create(
        account_id=account_id,
        wallet=wallet,
        sequence=wallet.last_sequence + 1,
        kind=kind,
        amount=amount,
        balance_after=wallet.balance + amount,
        description=description,
        transaction=transaction,
        adjustment=adjustment,
        refund=refund,
        dispute=dispute,
        created_at=now,
    )
    wallet.balance, wallet.last_sequence = entry.balance_after, entry.sequence
    _follow(wallets=[wallet], before=before, now=now)
    return entry


_USAGE_COLUMNS = (
    "account_id",
    "wallet_id",
    "sequence",
    "kind",
    "amount",
    "balance_after",
    "description",
    "usage_id",
    "created_at",
)


def post_usage(
    *, wallets: Mapping[UUID, Wallet], charges: Iterable[UsageCharge], now: datetime
) -> None:
    """Append one entry for each charge, in one statement, and do what the balances bring about.

    `wallets` are the locked wallets of this transaction (see lock); they are left with the new
    balance and sequence.
    """
    rows: list[tuple[object, ...]] = []
    before: dict[UUID, Decimal] = {}
    for charge in charges:
        wallet = wallets[charge.account_id]
        before.setdefault(charge.account_id, wallet.balance)
        wallet.last_sequence += 1
        wallet.balance -= charge.amount
        rows.append(
            (
                charge.account_id,
                wallet.pk,
                wallet.last_sequence,
                EntryKind.USAGE.value,
                -charge.amount,
                wallet.balance,
                charge.description,
                charge.usage_id,
                now,
            )
        )
    if not rows:
        return
    copy_rows(Entry, _USAGE_COLUMNS, rows)
    moved = [wallets[account_id] for account_id in before]
    _follow(wallets=moved, before=before, now=now)


def _follow(*, wallets: Iterable[Wallet], before: Mapping[UUID, Decimal], now: datetime) -> None:
    """Do what a new balance brings about, in a fixed number of statements.

    Services pause below zero and are lifted above it; at exactly zero they stay as they were
    (DESIGN.md section 6, `negative_balance`). Who went below the customer's limit is told of.
    """
    wallets = list(wallets)
    balances = {wallet.account_id: wallet.balance for wallet in wallets}
    service_state.pause(
        account_ids=[account_id for account_id, balance in balances.items() if balance < 0],
        reason=PauseReason.NEGATIVE_BALANCE,
        now=now,
        balances=balances,
    )
    service_state.lift(
        account_ids=[account_id for account_id, balance in balances.items() if balance > 0],
        reason=PauseReason.NEGATIVE_BALANCE,
        now=now,
        balances=balances,
    )
    low_balance.tell(wallets=wallets, before=before, now=now)
