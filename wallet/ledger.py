"""The ledger: who writes entries moves a balance, and nobody else writes any.

But for usage: the database rates and posts it itself, a batch at a time (`record_usage`, called by
plans/usage_store.py), and what its new balances bring about is done here, as for any other.

The database moves the balance when entries are inserted and refuses entries that do not continue
the ledger (`apply_entries` in wallet/sql/ledger.sql). What is done here is computed under the
wallet's lock. All amounts are USD.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction as database

from accounts import service_state
from accounts.bulk import any_uuid
from accounts.models import Account, PauseReason
from invoices.models import Dispute, Refund, Transaction
from wallet import low_balance
from wallet.models import Adjustment, Entry, EntryKind, Wallet


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


def credit_payment(
    *, transaction: Transaction, kind: EntryKind, description: str, now: datetime
) -> Entry:
    """Credit what a transaction that is being paid bought: its amount without tax, in USD."""
    return post(
        account_id=transaction.account_id,
        kind=kind,
        amount=transaction.net_amount.amount,
        description=description,
        now=now,
        transaction=transaction,
    )


def follow_usage(*, before: Mapping[UUID, Decimal], now: datetime) -> list[Wallet]:
    """Do what the new balances of these accounts bring about, in a fixed number of statements.

    `before` are the balances (USD) before the usage that was posted in this transaction. Returns
    the wallets as they are now.
    """
    wallets = list(Wallet.objects.filter(account_id__in=any_uuid(before)).order_by("pk"))
    _follow(wallets=wallets, before=before, now=now)
    return wallets


def _follow(*, wallets: Sequence[Wallet], before: Mapping[UUID, Decimal], now: datetime) -> None:
    """Do what a new balance brings about, in a fixed number of statements.

    Services pause below zero and are lifted above it; at exactly zero they stay as they were
    (DESIGN.md section 6, `negative_balance`). Who went below the customer's limit is told of.
    """
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
