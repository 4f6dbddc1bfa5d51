"""Money goes back while something goes wrong: credit is taken back, and given again, once."""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from djstripe.models import WebhookEndpoint

from accounts.models import Account, Card
from accounts.tests.factories import NOW
from invoices import reversals
from invoices.models import DisputeStatus, RefundStatus, Transaction
from invoices.tests.disputers import decide, dispute, dispute_events, tell
from invoices.tests.refunders import refund, refunds_at_stripe
from invoices.tests.stripe_events import listen
from tests.books import assert_books_are_right
from tests.faults import deeds
from tests.faults.network import Trouble, troubled
from wallet.tests.factories import balance_of, make_payer

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

AddCard = Callable[..., Card]
MINUTE = timedelta(minutes=1)


@pytest.fixture
def endpoint(sandbox: "Sandbox") -> WebhookEndpoint:
    return listen(sandbox)


@pytest.fixture
def alice(add_card: AddCard) -> Account:
    return make_payer(add_card)


def top_up(account: Account) -> Transaction:
    deeds.top_up(str(account.pk), NOW.isoformat())
    return account.transactions.get()


@pytest.mark.parametrize("does", ["timeout", "reset", "answer"])
def test_partial_refunds_twice_whose_answers_are_lost(alice: Account, does: str) -> None:
    paid = top_up(alice)
    for amount in ("10", "15"):
        with troubled(Trouble(does, path="/v1/refunds", lands=True)):  # type: ignore[arg-type]
            assert refund(paid, amount).status == RefundStatus.PENDING
        reversals.sweep(now=NOW + 2 * MINUTE)
    assert len(refunds_at_stripe(paid)) == 2
    paid.refresh_from_db()
    assert paid.refunded_amount == paid.amount
    assert balance_of(alice) == 0
    assert_books_are_right()


@pytest.mark.parametrize("told", ["in order", "in reverse", "twice", "never"])
@pytest.mark.parametrize(
    ("decision", "status", "left"),
    [
        ("win", DisputeStatus.WON, 25),
        ("withdraw", DisputeStatus.WON, 25),
        ("lose", DisputeStatus.LOST, 0),
    ],
)
def test_a_dispute_opened_and_decided(
    sandbox: "Sandbox",
    endpoint: WebhookEndpoint,
    alice: Account,
    decision: str,
    status: DisputeStatus,
    left: int,
    told: str,
) -> None:
    paid = top_up(alice)
    opened = dispute(sandbox, paid)
    if told != "never":
        tell(endpoint, *dispute_events()[:1])
        assert balance_of(alice) == 0
    decide(sandbox, opened, decision)
    news = dispute_events()
    if told == "never":
        reversals.ask(payment_intent_id=paid.stripe_payment_intent_id, now=NOW + MINUTE)
    else:
        tell(endpoint, *(news[::-1] if told == "in reverse" else news))
    if told == "twice":
        tell(endpoint, *news)
    assert paid.disputes.get().status == status
    assert balance_of(alice) == left
    assert_books_are_right()
