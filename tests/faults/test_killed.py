"""A process is killed while it moves money: whatever it left undone is done once, by the worker.

Each flow is killed at each point at which something has happened that nobody has written down yet.
In the end the books are right: every capture at Stripe is one paid transaction, no hold is left.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from accounts import cards
from accounts.models import Card, CardStatus
from accounts.tests.factories import NOW, make_account
from invoices.models import Purpose, Status
from invoices.tests.test_checkout import open_page, pay
from plans.models import Renewal, RenewalStatus
from plans.tests.subscribers import make_subscriber, subscription_of
from tests.books import assert_books_are_right
from tests.faults.conftest import Worker
from tests.faults.mortals import Mortals
from tests.faults.network import Trouble
from wallet.tests.factories import balance_of, make_payer, make_wallet, move, switch_on

if TYPE_CHECKING:
    from conftest import Sandbox

AddCard = Callable[..., Card]
MINUTE = timedelta(minutes=1)
NEXT_PERIOD = NOW + timedelta(days=31)
KILLED = -9


@dataclass(frozen=True)
class Death:
    """A point at which a process dies, and what the worker finds at Stripe afterwards."""

    network: Trouble | None = None
    at: str = ""


#: From the row that says what is intended to the commit that says what became of it.
DEATHS = {
    "before Stripe is asked": Death(network=Trouble("kill", times=1)),
    "after Stripe charged": Death(network=Trouble("kill", lands=True, times=1)),
    "with the answer in hand": Death(at="before invoices.settlement.settle"),
    "within settling": Death(at="before accounts.outbox.record"),
    "after settling": Death(at="after invoices.settlement.settle"),
}
at_each_point = pytest.mark.parametrize("death", DEATHS.values(), ids=DEATHS.keys())


@at_each_point
def test_killed_while_topping_up(
    mortals: Mortals, worker: Worker, add_card: AddCard, death: Death
) -> None:
    alice = make_payer(add_card)

    ended = mortals.do(
        "top_up", account=str(alice.pk), now=NOW.isoformat(), network=death.network, at=death.at
    )

    assert ended == KILLED
    worker(NOW + 2 * MINUTE)
    assert alice.transactions.get().status == Status.PAID
    assert balance_of(alice) == 25
    assert_books_are_right()


@at_each_point
def test_killed_while_refilling(
    mortals: Mortals, worker: Worker, add_card: AddCard, death: Death
) -> None:
    alice = make_payer(add_card, "20")
    switch_on(alice, threshold="20", amount="25")
    move(alice, "-1")

    ended = mortals.do(
        "refill", account=str(alice.pk), now=NOW.isoformat(), network=death.network, at=death.at
    )

    assert ended == KILLED
    worker(NOW + 2 * MINUTE)
    assert alice.transactions.get().purpose == Purpose.AUTO_REFILL
    assert balance_of(alice) == 44
    assert_books_are_right()


@at_each_point
def test_killed_while_subscribing(
    mortals: Mortals, worker: Worker, add_card: AddCard, death: Death
) -> None:
    alice = make_subscriber(add_card, "payg")

    ended = mortals.do(
        "subscribe", account=str(alice.pk), now=NOW.isoformat(), network=death.network, at=death.at
    )

    assert ended == KILLED
    worker(NOW + 2 * MINUTE)
    assert subscription_of(alice).plan_version.plan.slug == "growth"
    assert alice.transactions.get().status == Status.PAID
    assert_books_are_right()


@at_each_point
def test_killed_while_upgrading(
    mortals: Mortals, worker: Worker, add_card: AddCard, death: Death
) -> None:
    alice = make_subscriber(add_card, "starter")

    ended = mortals.do(
        "upgrade", account=str(alice.pk), now=NOW.isoformat(), network=death.network, at=death.at
    )

    assert ended == KILLED
    worker(NOW + 2 * MINUTE)
    assert subscription_of(alice).plan_version.plan.slug == "growth"
    assert [each.amount.amount for each in alice.transactions.order_by("pk")] == [29, 70]
    assert_books_are_right()


@at_each_point
def test_killed_while_renting(
    mortals: Mortals, worker: Worker, add_card: AddCard, death: Death
) -> None:
    alice = make_subscriber(add_card, "growth")

    ended = mortals.do(
        "rent", account=str(alice.pk), now=NOW.isoformat(), network=death.network, at=death.at
    )

    assert ended == KILLED
    worker(NOW + 2 * MINUTE)
    [rental] = alice.rentals.filter(ended_at=None)
    assert (rental.quantity, rental.started_at is not None) == (5, True)
    assert alice.transactions.filter(purpose=Purpose.RENTAL).count() == 1
    assert_books_are_right()


#: A run claims many together, so it also dies with all of them claimed and none charged.
CLAIMS = {
    "before the claim": Death(at="before invoices.charging.open_many"),
    "within the claim": Death(at="after invoices.charging.open_many"),
    "after the claim": Death(at="after plans.renewal_claims.claim"),
}


@pytest.mark.parametrize(
    ("threads", "death"),
    [
        *[pytest.param("0", death, id=name) for name, death in DEATHS.items()],
        *[pytest.param("3", death, id=f"{name}, in threads") for name, death in DEATHS.items()],
        *[pytest.param("3", death, id=name) for name, death in CLAIMS.items()],
    ],
)
def test_the_worker_is_killed_in_the_middle_of_a_renewal_run(
    mortals: Mortals, worker: Worker, add_card: AddCard, death: Death, threads: str
) -> None:
    accounts = [make_subscriber(add_card, "growth") for _ in range(3)]
    # The second of three charges; there is only one claim.
    nth = 1 if death in CLAIMS.values() else 2
    network = replace(death.network, passes=1) if death.network else None

    ended = mortals.do(
        "renew",
        account="",
        now=NEXT_PERIOD.isoformat(),
        threads=threads,
        network=network,
        at=death.at,
        nth=nth,
    )

    assert ended == KILLED
    worker(NEXT_PERIOD + 2 * MINUTE)
    for account in accounts:
        second = Renewal.objects.get(account=account, number=2)
        assert second.status == RenewalStatus.PAID
        assert account.transactions.filter(purpose=Purpose.RENEWAL).count() == 1
    assert_books_are_right()


# Payment pages --------------------------------------------------------------------------------
@pytest.mark.parametrize("lands", [False, True], ids=["before Stripe", "after Stripe"])
def test_killed_while_opening_a_payment_page(
    mortals: Mortals, worker: Worker, sandbox: "Sandbox", lands: bool
) -> None:
    alice = make_account()
    make_wallet(alice)
    ended = mortals.do(
        "open_page",
        account=str(alice.pk),
        now=NOW.isoformat(),
        network=Trouble("kill", path="/v1/checkout/sessions", lands=lands, times=1),
    )
    assert ended == KILLED
    worker(NOW + 20 * MINUTE)
    # Nobody was given its address: it can't be paid.
    page = alice.transactions.get()
    assert (page.status, page.is_expired) == (Status.CHECKOUT, True)
    assert_books_are_right()


@pytest.mark.parametrize(
    "at",
    [
        "before accounts.gateway.retrieve_checkout",
        "after accounts.gateway.retrieve_checkout",
        "before accounts.outbox.record",
        "after invoices.settlement.settle",
    ],
)
def test_killed_while_the_customer_comes_back_from_the_page(
    mortals: Mortals, worker: Worker, sandbox: "Sandbox", at: str
) -> None:
    alice = make_account()
    make_wallet(alice)
    pay(sandbox, open_page(alice))
    ended = mortals.do("come_back", account=str(alice.pk), now=(NOW + MINUTE).isoformat(), at=at)
    assert ended == KILLED
    worker(NOW + 20 * MINUTE)
    assert alice.transactions.get().status == Status.PAID
    assert balance_of(alice) == 25
    assert_books_are_right()


# Cards ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "death",
    [
        Death(network=Trouble("kill", times=1)),
        Death(network=Trouble("kill", lands=True, times=1)),
        Death(at="before accounts.gateway.void_hold"),
        Death(at="after accounts.gateway.void_hold"),
        Death(at="before accounts.cards.tell_new_default"),
    ],
    ids=[
        "before the hold",
        "after the hold",
        "before its void",
        "after its void",
        "within settling",
    ],
)
def test_killed_while_a_card_is_verified(
    mortals: Mortals, worker: Worker, sandbox: "Sandbox", death: Death
) -> None:
    alice = make_account()
    setup = cards.begin(account=alice)
    sandbox.confirm_setup(setup.id)
    ended = mortals.do(
        "add_card",
        account=str(alice.pk),
        now=NOW.isoformat(),
        setup_intent=setup.id,
        network=death.network,
        at=death.at,
    )
    assert ended == KILLED
    worker(NOW + 2 * MINUTE)
    card = alice.cards.get()
    assert (card.status, card.is_default) == (CardStatus.VERIFIED, True)
    assert_books_are_right()
