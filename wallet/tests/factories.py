"""Accounts with credit and a card, for the tests of money coming in."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from accounts.models import Account, Card
from accounts.tests.factories import NOW, make_account
from wallet import ledger, refills
from wallet.models import AutoRefill, EntryKind, Wallet


def make_wallet(account: Account, balance: str = "0") -> Wallet:
    """Open the account's wallet with this balance."""
    wallet = ledger.open_wallet(account=account, now=NOW)
    if Decimal(balance):
        move(account, balance)
        wallet.refresh_from_db()
    return wallet


def move(account: Account, amount: str, now: datetime = NOW) -> None:
    """Move the balance by `amount`, as a refund or a usage record would."""
    ledger.post(
        account_id=account.pk,
        kind=EntryKind.REFUND,
        amount=Decimal(amount),
        description="Of the example",
        now=now,
    )


def balance_of(account: Account) -> Decimal:
    """Return the balance as the database has it."""
    return Wallet.objects.get(account=account).balance


def make_payer(add_card: Callable[..., Card], balance: str = "0", **fields: Any) -> Account:
    """Make an account with a wallet and a card that can be charged."""
    account = make_account(**fields)
    make_wallet(account, balance)
    add_card(account)
    return account


def switch_on(
    account: Account, *, threshold: str = "20", amount: str = "25", now: datetime = NOW
) -> AutoRefill:
    """Switch auto-refill on."""
    return refills.configure(
        account=account,
        enabled=True,
        threshold=Decimal(threshold),
        amount=Decimal(amount),
        minimum=Decimal(10),
        by=None,
        now=now,
    )
