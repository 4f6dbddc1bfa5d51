"""The ledger: the database keeps it true, and services follow the balance (I1, I2, I13)."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import DataError, IntegrityError, connection, transaction
from django.db.models import Sum

from accounts.models import Account, Message
from accounts.tests.factories import NOW, make_account
from invoices.models import Purpose
from invoices.tests.factories import make_transaction
from wallet import ledger
from wallet.models import Entry, EntryKind, Wallet
from wallet.tests.factories import balance_of, make_wallet, move, post_usage

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> Account:
    account = make_account(name="Alice Trading")
    make_wallet(account, "10")
    return account


def run(statement: str, *params: Any) -> None:
    """Run a statement as somebody with access to the database would."""
    with connection.cursor() as cursor:
        cursor.execute(statement, params)


def insert_entry(alice: Account, **fields: Any) -> Entry:
    """Insert an entry that continues the ledger by one dollar, except for `fields`."""
    wallet = Wallet.objects.get(account=alice)
    defaults = {
        "account": alice,
        "wallet": wallet,
        "sequence": wallet.last_sequence + 1,
        "kind": EntryKind.REFUND,
        "amount": Decimal(1),
        "balance_after": wallet.balance + 1,
        "description": "By hand",
        "created_at": NOW,
    }
    return Entry.objects.create(**{**defaults, **fields})


# What the database refuses --------------------------------------------------------------------
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE wallet_entry SET amount = 1000",
        "DELETE FROM wallet_entry",
        "TRUNCATE wallet_entry CASCADE",
        "TRUNCATE wallet_wallet CASCADE",
    ],
)
def test_entries_are_append_only(alice: Account, statement: str) -> None:
    run("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        run(statement)
    assert balance_of(alice) == 10


@pytest.mark.parametrize("change", [{"balance": Decimal(1_000_000)}, {"last_sequence": 7}])
def test_nothing_but_an_entry_moves_the_balance(alice: Account, change: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError, match="only an entry moves"), transaction.atomic():
        Wallet.objects.filter(account=alice).update(**change)


def test_a_wallet_begins_empty() -> None:
    with pytest.raises(IntegrityError, match="only an entry moves"), transaction.atomic():
        Wallet.objects.create(account=make_account(), balance=Decimal(5), created_at=NOW)


@pytest.mark.parametrize(
    "fields",
    [
        {"sequence": 3},  # leaves a gap
        {"sequence": 1},  # a number that is taken
        {"balance_after": Decimal(12)},  # breaks the chain
        {"amount": Decimal(0), "balance_after": Decimal(10)},  # moves nothing
        {"kind": EntryKind.TOP_UP},  # credit without a payment
    ],
)
def test_an_entry_that_does_not_continue_the_ledger_is_refused(
    alice: Account, fields: dict[str, Any]
) -> None:
    with pytest.raises((IntegrityError, DataError)), transaction.atomic():
        insert_entry(alice, **fields)
    assert balance_of(alice) == 10


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-Infinity", "1e12"])
def test_an_amount_that_is_no_amount_is_refused(alice: Account, amount: str) -> None:
    with pytest.raises((DataError, IntegrityError)), transaction.atomic():
        run(
            "INSERT INTO wallet_entry (account_id, wallet_id, sequence, kind, amount,"
            " balance_after, description, usage_id, created_at)"
            " SELECT account_id, id, 2, 'refund', %s::numeric, %s::numeric, '', '', now()"
            " FROM wallet_wallet WHERE account_id = %s",
            amount,
            amount,
            alice.pk,
        )
    assert balance_of(alice) == 10


def test_an_entry_of_one_account_cannot_move_the_wallet_of_another(alice: Account) -> None:
    bob = make_account()
    make_wallet(bob)
    with pytest.raises(IntegrityError, match="does not continue"), transaction.atomic():
        insert_entry(alice, account=bob)


def test_a_payment_is_credited_once(alice: Account) -> None:
    paid = make_transaction(alice, amount="25.00", purpose=Purpose.TOP_UP)
    credit: dict[str, Any] = {
        "account_id": alice.pk,
        "kind": EntryKind.TOP_UP,
        "amount": Decimal(25),
        "description": "Top-up",
        "transaction": paid,
        "now": NOW,
    }
    ledger.post(**credit)
    with pytest.raises(IntegrityError, match="credited_once"), transaction.atomic():
        ledger.post(**credit)
    assert balance_of(alice) == 35


# What the services do -------------------------------------------------------------------------
def test_a_balance_is_the_sum_of_its_entries_in_an_unbroken_chain(alice: Account) -> None:
    for amount in ("-3.500001", "0.000001", "100", "-12.25"):
        move(alice, amount)
    entries = list(Entry.objects.filter(account=alice).order_by("sequence"))
    assert [entry.sequence for entry in entries] == [1, 2, 3, 4, 5]
    running = Decimal(0)
    for entry in entries:
        running += entry.amount
        assert entry.balance_after == running
    total = Entry.objects.filter(account=alice).aggregate(total=Sum("amount"))["total"]
    assert balance_of(alice) == total == Decimal("94.25")


def test_usage_of_several_accounts_is_posted_in_one_statement_each_in_its_own_chain(
    alice: Account,
) -> None:
    bob = make_account()
    make_wallet(bob, "1")
    post_usage([(alice, "0.10"), (bob, "0.25"), (alice, "0.000001")])
    assert balance_of(alice) == Decimal("9.899999")
    assert balance_of(bob) == Decimal("0.75")
    last = Entry.objects.filter(account=alice).first()
    assert last is not None
    assert (last.sequence, last.amount) == (3, Decimal("-0.000001"))


@pytest.mark.parametrize(
    ("amount", "services"),
    [("-9.999999", "active"), ("-10", "active"), ("-10.000001", "paused")],
)
def test_services_pause_below_zero_and_not_at_zero(
    alice: Account, amount: str, services: str
) -> None:
    move(alice, amount)
    alice.refresh_from_db()
    assert alice.services == services


@pytest.mark.parametrize(
    ("credit", "services"), [("4.99", "paused"), ("5", "paused"), ("5.000001", "active")]
)
def test_paused_services_resume_above_zero_and_not_at_zero(
    alice: Account, credit: str, services: str
) -> None:
    move(alice, "-15")
    move(alice, credit)
    alice.refresh_from_db()
    assert alice.services == services


def test_falling_further_is_not_told_again(alice: Account) -> None:
    for _ in range(3):
        move(alice, "-15")
    told = Message.objects.filter(account=alice, event="services_paused")
    assert told.count() == 1


def test_opening_a_wallet_twice_is_opening_it_once(alice: Account) -> None:
    again = ledger.open_wallet(account=alice, now=NOW)
    assert again.balance == 10


def test_the_emails_of_a_pause_and_its_end_name_the_balance(alice: Account) -> None:
    move(alice, "-13.20")
    move(alice, "50")
    paused, resumed = (
        Message.objects.filter(account=alice, channel="email")
        .exclude(event="low_balance")
        .order_by("pk")
    )
    assert (paused.event, paused.payload["balance"]) == ("services_paused", "−$3.20")
    assert paused.payload["path"] == "/billing/top-up/"
    assert (resumed.event, resumed.payload["balance"]) == ("services_resumed", "$46.80")
