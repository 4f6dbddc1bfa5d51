"""The network fails while money moves: nothing is known, so nothing is decided yet.

A request is lost before Stripe gets it, or Stripe acts and the answer is lost, or Stripe answers
with an error of its own. In the end each flow is done once and the books are right.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from accounts import cards, gateway
from accounts.models import Account, Card, CardStatus
from accounts.tests.factories import NOW, make_account
from invoices.models import Purpose, Status
from invoices.tests.test_checkout import open_page, pay
from plans.tests.subscribers import make_subscriber
from tests.books import assert_books_are_right
from tests.faults import deeds
from tests.faults.conftest import Worker
from tests.faults.network import Trouble, troubled
from wallet.tests.factories import balance_of, make_payer, make_wallet, move, switch_on

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

AddCard = Callable[..., Card]
MINUTE = timedelta(minutes=1)
NEXT_PERIOD = NOW + timedelta(days=31)

TROUBLES = {
    "timeout before Stripe": Trouble("timeout"),
    "timeout after the charge": Trouble("timeout", lands=True),
    "connection reset before Stripe": Trouble("reset"),
    "connection reset after the charge": Trouble("reset", lands=True),
    "500": Trouble("answer", status=500),
    "500 after the charge": Trouble("answer", status=500, lands=True),
    "429": Trouble("answer", status=429),
}
at_each_trouble = pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES.keys())


@dataclass(frozen=True)
class Flow:
    """A way in which a saved card is charged, and who it is charged for."""

    purpose: Purpose
    make: Callable[[AddCard], Account]
    deed: Callable[[str, str], None]
    at: datetime = NOW


def payer(add_card: AddCard) -> Account:
    return make_payer(add_card)


def payer_below_the_threshold(add_card: AddCard) -> Account:
    account = make_payer(add_card, "20")
    switch_on(account, threshold="20", amount="25")
    move(account, "-1")
    return account


def on_payg(add_card: AddCard) -> Account:
    return make_subscriber(add_card, "payg")


def on_growth(add_card: AddCard) -> Account:
    return make_subscriber(add_card, "growth")


def renew(account: str, now: str) -> None:
    deeds.renew(account, now, threads="0")


FLOWS = [
    Flow(Purpose.TOP_UP, payer, deeds.top_up),
    Flow(Purpose.AUTO_REFILL, payer_below_the_threshold, deeds.refill),
    Flow(Purpose.PLAN_CHANGE, on_payg, deeds.subscribe),
    Flow(Purpose.RENTAL, on_growth, deeds.rent),
    Flow(Purpose.RENEWAL, on_growth, renew, at=NEXT_PERIOD),
]


@at_each_trouble
@pytest.mark.parametrize("flow", FLOWS, ids=[flow.purpose.value for flow in FLOWS])
def test_a_charge_in_trouble_is_processing_then_paid_once(
    add_card: AddCard, worker: Worker, flow: Flow, trouble: Trouble
) -> None:
    alice = flow.make(add_card)
    with troubled(replace(trouble)):
        flow.deed(str(alice.pk), flow.at.isoformat())
    charge = alice.transactions.get(purpose=flow.purpose, created_at=flow.at)
    assert charge.status == Status.PROCESSING

    worker(flow.at + 2 * MINUTE)

    [charge] = alice.transactions.filter(purpose=flow.purpose, created_at__gte=flow.at)
    assert charge.status == Status.PAID
    assert_books_are_right()


@at_each_trouble
def test_a_card_whose_hold_is_in_trouble_is_verified_once_with_the_one_hold(
    sandbox: "Sandbox", worker: Worker, trouble: Trouble
) -> None:
    alice = make_account()
    setup = cards.begin(account=alice)
    sandbox.confirm_setup(setup.id)
    with troubled(replace(trouble)):
        deeds.add_card(str(alice.pk), NOW.isoformat(), setup_intent=setup.id)
    assert alice.cards.get().status == CardStatus.VERIFYING

    worker(NOW + 2 * MINUTE)

    assert alice.cards.get().status == CardStatus.VERIFIED
    assert_books_are_right()


@at_each_trouble
def test_a_payment_page_that_could_not_be_opened_is_expired_and_another_is_paid(
    sandbox: "Sandbox", worker: Worker, trouble: Trouble
) -> None:
    alice = make_account()
    make_wallet(alice)
    with (
        troubled(replace(trouble, path="/v1/checkout/sessions")),
        pytest.raises(gateway.GatewayUnavailable),
    ):
        open_page(alice)
    worker(NOW + 20 * MINUTE)
    page = alice.transactions.get()
    assert (page.status, page.is_expired) == (Status.CHECKOUT, True)

    another = open_page(alice)
    pay(sandbox, another)
    deeds.checkout.refresh(transaction_id=another.pk, now=NOW + 30 * MINUTE)

    assert balance_of(alice) == 25
    assert_books_are_right()


@at_each_trouble
def test_a_customer_who_comes_back_while_stripe_is_in_trouble_is_credited_later(
    sandbox: "Sandbox", worker: Worker, trouble: Trouble
) -> None:
    alice = make_account()
    make_wallet(alice)
    pay(sandbox, open_page(alice))
    with troubled(replace(trouble, method="get", path="/v1/checkout/sessions")):
        deeds.come_back(str(alice.pk), NOW.isoformat())
    assert balance_of(alice) == 0

    worker(NOW + 20 * MINUTE)

    assert balance_of(alice) == 25
    assert_books_are_right()
