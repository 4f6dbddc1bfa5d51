"""Accounts with credit and a card, for the tests of money coming in."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import Account, Card, User
from accounts.tests.factories import NOW, make_account
from wallet import ledger, refill_rules
from wallet.models import AutoRefill, Entry, EntryKind, Wallet
from wallet.refill_rules import Terms


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
    account: Account,
    *,
    threshold: str = "20",
    amount: str = "25",
    monthly_maximum: str | None = None,
    by: User | None = None,
    now: datetime = NOW,
) -> AutoRefill:
    """Switch auto-refill on."""
    return refill_rules.configure(
        account=account,
        enabled=True,
        terms=make_terms(threshold=threshold, amount=amount, monthly_maximum=monthly_maximum),
        minimum=Decimal(10),
        by=by,
        now=now,
    )


def switch_off(account: Account, *, by: User | None = None, now: datetime = NOW) -> AutoRefill:
    """Switch auto-refill off; its amounts stay."""
    rule = AutoRefill.objects.get(wallet__account=account)
    return refill_rules.configure(
        account=account,
        enabled=False,
        terms=refill_rules.terms_of(rule),
        minimum=Decimal(10),
        by=by,
        now=now,
    )


def make_terms(
    *, threshold: str = "20", amount: str = "25", monthly_maximum: str | None = None
) -> Terms:
    """Make the terms of a rule."""
    return Terms(
        threshold=Decimal(threshold),
        amount=Decimal(amount),
        monthly_maximum=None if monthly_maximum is None else Decimal(monthly_maximum),
    )


def post_usage(charges: list[tuple[Account, str]], *, now: datetime = NOW, name: str = "") -> int:
    """Post a charge of so many USD for each, as a batch of usage does; return how many statements
    what follows took."""
    with transaction.atomic():
        wallets = ledger.lock(account_ids={account.pk for account, _ in charges})
        before = {pk: wallet.balance for pk, wallet in wallets.items()}
        entries = []
        for number, (account, amount) in enumerate(charges):
            wallet = wallets[account.pk]
            wallet.balance -= Decimal(amount)
            wallet.last_sequence += 1
            entries.append(
                Entry(
                    account=account,
                    wallet=wallet,
                    sequence=wallet.last_sequence,
                    kind=EntryKind.USAGE,
                    amount=-Decimal(amount),
                    balance_after=wallet.balance,
                    description="Call minutes",
                    usage_id=f"{name}-{now.isoformat()}-{number}",
                    created_at=now,
                )
            )
        Entry.objects.bulk_create(entries)
        with CaptureQueriesContext(connection) as captured:
            ledger.follow_usage(before=before, now=now)
    return len(captured)
