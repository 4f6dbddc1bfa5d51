"""Settling: one function, any number of times, in any order; paid is final (I3, I11, I16)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection
from django.db import transaction as database

from accounts.models import Account, AuditEvent, Message
from accounts.stripe_objects import Outcome, Payment
from accounts.tests.factories import NOW, make_account
from invoices import settlement
from invoices.models import Line, Purpose, ReceiptSequence, Status, Transaction
from invoices.tests.factories import make_transaction
from wallet.models import Entry
from wallet.tests.factories import balance_of, make_wallet
from wallet.topups import TopUpFulfilment

pytestmark = pytest.mark.django_db

#: What Stripe says of a payment of 25 USD.
SUCCESS = Payment(Outcome.SUCCEEDED, "pi_1", 9630, "omr", "mastercard", "4444")
DECLINE = Payment(
    Outcome.DECLINED,
    "pi_1",
    failure_code="insufficient_funds",
    failure_message="The card has insufficient funds.",
)


@pytest.fixture
def alice() -> Account:
    account = make_account(name="Alice Trading")
    make_wallet(account)
    return account


def settle(transaction: Transaction, payment: Payment) -> Transaction:
    return settlement.settle(transaction_id=transaction.pk, payment=payment, now=NOW)


def top_up(account: Account, status: str = Status.PROCESSING) -> Transaction:
    return make_transaction(account, status=status, amount="25.00")


# Success --------------------------------------------------------------------------------------
def test_a_success_is_paid_and_credited_however_often_it_is_told(alice: Account) -> None:
    opened = top_up(alice)
    for _ in range(3):
        paid = settle(opened, SUCCESS)
    assert (paid.status, paid.card_brand, paid.card_last4) == (Status.PAID, "mastercard", "4444")
    assert balance_of(alice) == 25
    told = Message.objects.filter(account=alice).values_list("event", flat=True)
    assert sorted(told) == ["transaction.paid", "transaction_paid"]


@pytest.mark.parametrize("outcome", [Outcome.DECLINED, Outcome.CANCELED, Outcome.PENDING])
def test_paid_is_final_whatever_is_told_afterwards(alice: Account, outcome: Outcome) -> None:
    paid = settle(top_up(alice), SUCCESS)
    after = settle(paid, Payment(outcome, "pi_1", failure_code="late"))
    assert (after.status, after.failure_code) == (Status.PAID, "")
    assert balance_of(alice) == 25


def test_a_late_success_moves_failed_to_paid_and_credits_once(alice: Account) -> None:
    failed = settle(top_up(alice), DECLINE)
    assert failed.status == Status.FAILED
    for _ in range(2):
        paid = settle(failed, SUCCESS)
    assert (paid.status, paid.failure_code, paid.failure_message) == (Status.PAID, "", "")
    assert balance_of(alice) == 25


def test_an_expired_page_that_was_paid_after_all_is_credited_once(alice: Account) -> None:
    page = top_up(alice, Status.CHECKOUT)
    Transaction.objects.filter(pk=page.pk).update(expired_at=NOW)
    for _ in range(2):
        assert settle(page, SUCCESS).status == Status.PAID
    assert balance_of(alice) == 25


# Failure --------------------------------------------------------------------------------------
def test_a_decline_is_failed_and_told_once(alice: Account) -> None:
    opened = top_up(alice)
    for _ in range(2):
        failed = settle(opened, DECLINE)
    assert (failed.status, failed.failure_code) == (Status.FAILED, "insufficient_funds")
    told = Message.objects.filter(account=alice).values_list("event", flat=True)
    assert sorted(told) == ["transaction.failed", "transaction_failed"]


def test_a_declined_card_on_a_payment_page_leaves_the_page_open(alice: Account) -> None:
    page = settle(top_up(alice, Status.CHECKOUT), DECLINE)
    assert (page.status, page.failure_code) == (Status.CHECKOUT, "insufficient_funds")
    assert settle(page, SUCCESS).status == Status.PAID


def test_what_is_pending_changes_nothing(alice: Account) -> None:
    pending = Payment(Outcome.PENDING, "pi_1")
    assert settle(top_up(alice), pending).status == Status.PROCESSING
    assert settle(top_up(alice, Status.CHECKOUT), pending).status == Status.CHECKOUT


# Another amount than was asked for ------------------------------------------------------------
@pytest.mark.parametrize(("minor", "currency"), [(9620, "omr"), (96300, "omr"), (9630, "usd")])
def test_a_capture_of_another_amount_credits_nothing_and_is_recorded_once(
    alice: Account, minor: int, currency: str
) -> None:
    opened = top_up(alice)
    for _ in range(3):
        after = settle(opened, Payment(Outcome.SUCCEEDED, "pi_1", minor, currency))
    assert (after.status, balance_of(alice)) == (Status.PROCESSING, 0)
    event = AuditEvent.objects.get(account=alice)
    assert event.action == "captured_amount_differs"
    assert (event.details["captured"], event.details["expected"]) == (minor, 9630)


# Receipts -------------------------------------------------------------------------------------
def test_receipt_numbers_have_no_gaps_even_when_a_settlement_rolls_back(
    alice: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = settle(top_up(alice), Payment(Outcome.SUCCEEDED, "pi_a", 9630, "omr"))

    def breaks(*args: object, **kwargs: object) -> None:
        raise RuntimeError("the worker was killed")

    unlucky = top_up(alice)
    with monkeypatch.context() as patch:
        patch.setattr(settlement, "_platform_event", breaks)
        with pytest.raises(RuntimeError, match="killed"):
            settle(unlucky, Payment(Outcome.SUCCEEDED, "pi_b", 9630, "omr"))
    unlucky.refresh_from_db()
    assert (unlucky.status, balance_of(alice)) == (Status.PROCESSING, 25)

    second = settle(unlucky, Payment(Outcome.SUCCEEDED, "pi_b", 9630, "omr"))
    numbers = [int(paid.receipt_number.removeprefix("BT-")) for paid in (first, second)]
    assert numbers == [1, 2]
    assert ReceiptSequence.objects.get(prefix="BT").last_number == 2


def test_what_breaks_while_fulfilling_leaves_it_unpaid(
    alice: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(self: TopUpFulfilment, **kwargs: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(TopUpFulfilment, "paid", breaks)
    opened = top_up(alice)
    with pytest.raises(RuntimeError, match="a bug"):
        settle(opened, SUCCESS)
    opened.refresh_from_db()
    assert opened.status == Status.PROCESSING
    assert not Entry.objects.filter(account=alice).exists()


# What the database refuses --------------------------------------------------------------------
Change = Callable[[Transaction], Any]


def update(**fields: Any) -> Change:
    return lambda transaction: Transaction.objects.filter(pk=transaction.pk).update(**fields)


@pytest.mark.parametrize(
    ("status", "change"),
    [
        (Status.FAILED, update(status=Status.PROCESSING)),
        (Status.FAILED, update(status=Status.CHECKOUT)),
        (Status.PROCESSING, update(status=Status.CHECKOUT)),
        (Status.PAID, update(status=Status.FAILED, paid_at=None, receipt_number="")),
        (Status.PAID, update(status=Status.PROCESSING, paid_at=None, receipt_number="")),
    ],
)
def test_an_illegal_transition_is_refused(alice: Account, status: str, change: Change) -> None:
    transaction = top_up(alice, status)
    with pytest.raises(IntegrityError, match=r"legal transition|never changes"), database.atomic():
        change(transaction)


@pytest.mark.parametrize("status", [Status.PAID, Status.FAILED])
def test_a_transaction_is_not_opened_as_settled(alice: Account, status: str) -> None:
    opened = top_up(alice)
    opened.pk, opened.number = None, "T-SETTLED"
    opened.status, opened.paid_at, opened.failed_at = status, NOW, NOW
    opened.stripe_payment_intent_id, opened.receipt_number = "pi_1", "BT-1"
    with pytest.raises(IntegrityError, match="is opened as"), database.atomic():
        opened.save()


@pytest.mark.parametrize(
    "change",
    [
        update(amount=Decimal(26)),
        update(charged_amount=Decimal("9.640")),
        update(exchange_rate=Decimal("0.4")),
        update(number="T-OTHER"),
        update(purpose=Purpose.RENEWAL),
        update(subject_id=7),
    ],
)
def test_who_what_for_and_how_much_are_fixed_when_it_is_opened(
    alice: Account, change: Change
) -> None:
    transaction = top_up(alice)
    with pytest.raises(IntegrityError, match="fixed when it is opened"), database.atomic():
        change(transaction)


@pytest.mark.parametrize(
    "change",
    [
        update(stripe_payment_intent_id="pi_other"),
        update(card_last4="0000"),
        update(receipt_number="BT-999999"),
        update(paid_at=None),
        lambda transaction: transaction.delete(),
        lambda transaction: transaction.lines.update(description="Something else"),
        lambda transaction: transaction.lines.all().delete(),
        lambda transaction: Line.objects.create(
            transaction=transaction, position=2, description="More", unit_price=1, amount=1
        ),
    ],
)
def test_a_paid_transaction_and_its_lines_never_change(alice: Account, change: Change) -> None:
    paid = top_up(alice, Status.PAID)
    with pytest.raises(IntegrityError), database.atomic():
        change(paid)


def settle_and_commit(transaction: Transaction) -> None:
    """Settle, and check what the database checks when the transaction is committed."""
    settle(transaction, SUCCESS)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.mark.parametrize("change", ["one more", "none"])
def test_the_lines_must_sum_to_the_amount(alice: Account, change: str) -> None:
    opened = top_up(alice)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    if change == "none":
        opened.lines.all().delete()
    else:
        Line.objects.create(
            transaction=opened, position=2, description="More", unit_price=1, amount=1
        )
    with pytest.raises(IntegrityError, match="its lines sum to"), database.atomic():
        settle_and_commit(opened)
    assert balance_of(alice) == 0


def test_one_payment_pays_one_transaction(alice: Account) -> None:
    settle(top_up(alice), SUCCESS)
    with pytest.raises(IntegrityError, match="one_transaction_per_payment_intent"):
        settle(top_up(alice), SUCCESS)
    assert balance_of(alice) == 25


def test_a_line_can_t_be_moved_away_from_a_paid_transaction(alice: Account) -> None:
    paid = make_transaction(alice, status=Status.PAID)
    other = make_transaction(alice, status=Status.PROCESSING)
    with pytest.raises(DatabaseError, match="never change"), database.atomic():
        paid.lines.update(transaction=other, position=2)
