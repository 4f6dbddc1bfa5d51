"""Against carding: a few cards an hour, whoever tries and from wherever."""

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from pytest_django import Settings

from accounts import card_attempts, cards, gateway
from accounts.card_attempts import TooManyAttempts
from accounts.models import (
    Account,
    AuditEvent,
    CardAttempt,
    CardAttemptOutcome,
    CardStatus,
    User,
)
from accounts.stripe_objects import Setup
from accounts.tests.factories import NOW, make_account

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def limits(settings: Settings) -> None:
    settings.CARD_ATTEMPTS_PER_HOUR = {"account": 3, "user": 4, "address": 5}


@pytest.fixture
def alice() -> Account:
    return make_account(name="Alice Trading")


@pytest.fixture
def user() -> User:
    return User.objects.create_user("alice@trading.test")


def begin(
    account: Account, user: User, *, address: str | None = "192.0.2.7", now: object = NOW
) -> Setup:
    return card_attempts.begin(account=account, by=user, ip_address=address, now=now)  # type: ignore[arg-type]


def test_a_few_cards_an_hour_may_be_tried_in_an_account(
    alice: Account, user: User, sandbox: "Sandbox"
) -> None:
    for _ in range(3):
        assert begin(alice, user).client_secret
    with pytest.raises(TooManyAttempts, match="Too many cards were tried"):
        begin(alice, user)
    assert begin(alice, user, now=NOW + timedelta(hours=1)).client_secret


def test_a_user_of_several_accounts_has_one_limit(user: User, sandbox: "Sandbox") -> None:
    for _ in range(4):
        begin(make_account(), user)
    with pytest.raises(TooManyAttempts):
        begin(make_account(), user)


def test_an_address_has_one_limit_whoever_signs_in_there(sandbox: "Sandbox") -> None:
    for number in range(5):
        begin(make_account(), User.objects.create_user(f"u{number}@trading.test"))
    stranger = User.objects.create_user("last@trading.test")
    with pytest.raises(TooManyAttempts):
        begin(make_account(), stranger)
    assert begin(make_account(), stranger, address="198.51.100.1").client_secret


def test_the_message_does_not_say_which_limit_was_reached(
    alice: Account, user: User, sandbox: "Sandbox"
) -> None:
    messages = set()
    for account in [alice] * 4 + [make_account() for _ in range(3)]:
        try:
            begin(account, user)
        except TooManyAttempts as refusal:
            messages.add(refusal.message)
    assert len(messages) == 1


def test_what_was_refused_does_not_count(alice: Account, user: User, sandbox: "Sandbox") -> None:
    for moment in range(3):
        begin(alice, user, now=NOW + moment * MINUTE)
    for moment in range(10):
        with pytest.raises(TooManyAttempts):
            begin(alice, user, now=NOW + timedelta(minutes=40 + moment))
    assert begin(alice, user, now=NOW + timedelta(minutes=61)).client_secret


def test_staff_see_each_attempt_and_once_an_hour_that_they_are_refused(
    alice: Account, user: User, sandbox: "Sandbox"
) -> None:
    for _ in range(3):
        begin(alice, user)
    for _ in range(5):
        with pytest.raises(TooManyAttempts):
            begin(alice, user)
    assert alice.card_attempts.filter(outcome=CardAttemptOutcome.REFUSED).count() == 5
    attempt = alice.card_attempts.latest("pk")
    assert (attempt.user, attempt.ip_address, attempt.failure_code) == (
        user,
        "192.0.2.7",
        "account",
    )
    event = AuditEvent.objects.get(account=alice, action="card_attempts_refused")
    assert event.details == {"limit": "account", "ip_address": "192.0.2.7"}


def test_an_attempt_counts_though_stripe_gave_no_answer(
    alice: Account, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_answer(account: Account) -> Setup:
        raise gateway.GatewayUnavailable

    monkeypatch.setattr(cards, "begin", no_answer)
    for _ in range(3):
        with pytest.raises(gateway.GatewayUnavailable):
            begin(alice, user)
    with pytest.raises(TooManyAttempts):
        begin(alice, user)


def test_the_card_that_came_of_it_is_its_outcome(
    alice: Account, user: User, sandbox: "Sandbox"
) -> None:
    good, bad = begin(alice, user), begin(alice, user)
    sandbox.confirm_setup(good.id)
    sandbox.confirm_setup(bad.id, "pm_card_chargeCustomerFail")
    for setup, status in ((good, CardStatus.VERIFIED), (bad, CardStatus.REJECTED)):
        card = cards.add(account=alice, setup_intent_id=setup.id, by=user, now=NOW)
        assert card.status == status
    outcomes = alice.card_attempts.order_by("pk").values_list("outcome", "failure_code")
    assert list(outcomes) == [("added", ""), ("rejected", "card_declined")]


def test_each_card_tried_with_one_setup_counts(
    alice: Account, user: User, sandbox: "Sandbox"
) -> None:
    setup = begin(alice, user)
    for _ in range(3):
        card_attempts.note_failure(setup_intent_id=setup.id, code="card_declined")
    attempt = alice.card_attempts.get()
    assert (attempt.outcome, attempt.tries) == (CardAttemptOutcome.DECLINED, 3)
    with pytest.raises(TooManyAttempts):
        begin(alice, user)


def test_a_setup_with_which_too_many_cards_were_tried_is_canceled(
    alice: Account, user: User, sandbox: "Sandbox"
) -> None:
    setup = begin(alice, user)
    for _ in range(3):
        card_attempts.note_failure(setup_intent_id=setup.id, code="card_declined")
    assert card_attempts.close_overused(now=NOW) == 1
    assert gateway.retrieve_setup(setup.id).status == "canceled"
    assert card_attempts.close_overused(now=NOW) == 0


@pytest.mark.django_db(transaction=True)
def test_twenty_at_once_are_as_few_as_one_after_the_other(
    alice: Account, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    setups = iter(Setup(f"seti_{n}", f"seti_{n}_secret", "", "cus", None) for n in range(99))
    monkeypatch.setattr(cards, "begin", lambda account: next(setups))
    refused = []

    def attempt() -> None:
        try:
            begin(alice, user)
        except TooManyAttempts as refusal:
            refused.append(refusal)
        finally:
            connection.close()

    threads = [threading.Thread(target=attempt) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 17
    assert CardAttempt.objects.filter(outcome=CardAttemptOutcome.BEGUN).count() == 3
