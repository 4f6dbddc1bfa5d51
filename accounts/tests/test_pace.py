"""The pace of charges: so many a second, of all connections together, and customers first."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from djmoney.money import Money
from pytest_django import Settings

from accounts import gateway
from accounts.gateway import pace
from accounts.models import Account, Card
from accounts.stripe_objects import Outcome, Payment
from accounts.tests.factories import make_account
from accounts.tests.stripe_side import payments

if TYPE_CHECKING:
    from conftest import Sandbox


def moments(number: int, *, ahead: float = 60) -> list[Any]:
    """Take moments one after the other on a connection of its own, as a process does."""
    try:
        return [pace._take(ahead) for _ in range(number)]
    finally:
        connection.close()


def charge(account: Account) -> Payment:
    card: Card = account.cards.get()
    return gateway.charge_card(
        customer_id=account.stripe_customer_id,
        payment_method_id=card.stripe_payment_method_id,
        amount=Money("3.850", "OMR"),
        description="Of the example",
        metadata={"transaction": "T-1"},
        idempotency_key="charge-1",
    )


@pytest.fixture
def alice(add_card: Callable[..., Card]) -> Account:
    account = make_account()
    add_card(account)
    return account


# How many -------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_no_second_has_more_moments_than_the_limit_whoever_asks(settings: Settings) -> None:
    limit = settings.STRIPE_CHARGES_PER_SECOND = 40
    with ThreadPoolExecutor(6) as processes:
        taken = [m for each in processes.map(moments, [20] * 6) for m in each]
    # What is known of a moment is after and before what the database's clock said.
    earliest = sorted(moment.until - pace.LATEST_SECONDS for moment in taken)
    latest = sorted(moment.at for moment in taken)
    assert len(taken) == 120
    for number, beginning in enumerate(earliest[:-limit]):
        assert latest[number + limit] - beginning >= 1 + pace.SPREAD_SECONDS - 0.001


@pytest.mark.django_db
def test_a_limit_that_nobody_reaches_delays_nobody() -> None:
    first = pace._take(1)
    time.sleep(0.01)
    second = pace._take(1)
    assert first is not None
    assert second is not None
    assert second.at - time.monotonic() <= 0.001
    assert first.until - first.at <= pace.LATEST_SECONDS


@pytest.mark.django_db
def test_a_charge_that_would_come_late_takes_another_moment(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STRIPE_CHARGES_PER_SECOND = 20
    slept: list[float] = []
    asleep = time.sleep

    def oversleep(seconds: float) -> None:
        slept.append(seconds)
        asleep(seconds if len(slept) > 2 else seconds + pace.LATEST_SECONDS)

    monkeypatch.setattr(time, "sleep", oversleep)
    pace.wait_for_moment()
    assert len(slept) == 3


@pytest.mark.django_db
def test_a_process_that_is_always_late_charges_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "LATEST_SECONDS", -1)
    with pytest.raises(pace.TooBusy):
        pace.wait_for_moment()


@pytest.mark.django_db
def test_a_server_clock_that_was_set_back_an_hour_stops_nobody() -> None:
    pace._take(1)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_gatewaypace SET next_at = now() + interval '1 hour'")
    moment = pace._take(1)
    assert moment is not None
    assert moment.at - time.monotonic() < 1


# Who first ------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_a_run_is_given_no_moment_far_ahead_and_a_customer_the_next_free_one(
    settings: Settings,
) -> None:
    settings.STRIPE_CHARGES_PER_SECOND = 25
    with gateway.in_background():
        queued = 0
        while pace._take(pace.QUEUE_SECONDS) is not None:
            queued += 1
    assert queued <= pace.QUEUE_SECONDS * 25 + 2
    asked_at = time.monotonic()
    moment = pace._take(pace.PATIENCE_SECONDS)
    assert moment is not None
    assert moment.until - pace.LATEST_SECONDS - asked_at <= pace.QUEUE_SECONDS + 2 / 25


@pytest.mark.django_db
def test_a_run_waits_while_customers_are_in_front(settings: Settings) -> None:
    settings.STRIPE_CHARGES_PER_SECOND = 25
    customers = [pace._take(pace.PATIENCE_SECONDS) for _ in range(15)]
    assert None not in customers
    with gateway.in_background():
        pace.wait_for_moment()
    assert customers[-1] is not None
    assert time.monotonic() > customers[-1].at


@pytest.mark.django_db
def test_more_customers_than_can_wait_are_told_so_and_nothing_is_asked_of_stripe(
    alice: Account, settings: Settings
) -> None:
    settings.STRIPE_CHARGES_PER_SECOND = 1
    while pace._take(pace.PATIENCE_SECONDS) is not None:
        pass
    with pytest.raises(gateway.GatewayUnavailable):
        charge(alice)
    assert payments(transaction="T-1") == []


@pytest.mark.django_db
def test_looking_something_up_takes_no_moment(alice: Account, settings: Settings) -> None:
    paid = charge(alice)
    settings.STRIPE_CHARGES_PER_SECOND = 1
    while pace._take(pace.PATIENCE_SECONDS) is not None:
        pass
    assert gateway.retrieve_payment(paid.payment_intent_id)[1].outcome == Outcome.SUCCEEDED


# Refused for now ------------------------------------------------------------------------------
@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/v1/payment_intents", "/v1/customers"])
def test_what_stripe_has_no_time_for_is_asked_again_under_its_key(
    alice: Account, sandbox: "Sandbox", path: str
) -> None:
    sandbox.fail_next(action="status", status=429, count=2, match={"path": path})
    assert charge(alice).outcome == Outcome.SUCCEEDED
    assert gateway.create_customer(account=alice) == alice.stripe_customer_id
    assert len(payments(transaction="T-1")) == 1
