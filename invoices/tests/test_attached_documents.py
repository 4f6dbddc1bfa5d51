"""The receipt goes out with the e-mail of a payment, drawn when it is sent."""

from typing import Any

import pytest
from django.core import mail

from accounts import outbox
from accounts.models import Account, Message
from accounts.stripe_objects import Outcome, Payment
from accounts.tests.factories import NOW, make_account
from invoices import receipts, settlement
from invoices.models import Status, Transaction
from invoices.tests.factories import make_transaction
from wallet import ledger

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> Account:
    account = make_account(name="شركة مسقط للشحن")
    ledger.open_wallet(account=account, now=NOW)
    return account


def pay(account: Account) -> Transaction:
    """A top-up of $25 that the bank accepts."""
    opened = make_transaction(account, status=Status.PROCESSING, amount="25.00")
    payment = Payment(Outcome.SUCCEEDED, f"pi_{opened.number}", 9630, "omr")
    return settlement.settle(transaction_id=opened.pk, payment=payment, now=NOW)


def sent() -> Any:
    assert outbox.deliver_due(now=NOW) == 1
    return mail.outbox[-1]


def test_the_receipt_is_attached_as_on_the_payments_page(alice: Account) -> None:
    paid = pay(alice)

    email = sent()

    [(name, content, media_type)] = email.attachments
    assert (name, media_type) == (f"receipt-{paid.receipt_number}.pdf", "application/pdf")
    assert content == receipts.render(paid)
    assert "The PDF receipt is attached, and on the page of the payment:" in email.body


def test_it_says_what_was_true_when_it_was_paid(alice: Account) -> None:
    paid = pay(alice)
    before = receipts.render(paid)
    Account.objects.filter(pk=alice.pk).update(name="Another name", timezone="Asia/Tokyo")

    assert sent().attachments[0][1] == before


def test_a_receipt_that_cannot_be_drawn_holds_back_no_email(
    alice: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    pay(alice)

    def broken(transaction: Transaction) -> bytes:
        raise RuntimeError("no font")

    monkeypatch.setattr(receipts, "render", broken)
    email = sent()

    assert email.attachments == []
    assert "The PDF receipt is on the page of the payment:" in email.body


def test_of_another_accounts_payment_nothing_is_attached(alice: Account) -> None:
    pay(alice)
    Message.objects.filter(event="transaction_paid").update(account=make_account())
    assert sent().attachments == []
