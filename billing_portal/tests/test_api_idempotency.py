"""Idempotency-Key: carried out once, answered as the first time, whoever dies when."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
import time_machine
from django.core.cache import cache
from django.db import IntegrityError
from django.utils import timezone

from accounts import idempotency
from accounts.models import Account, Card, IdempotentRequest
from accounts.tasks import forget_idempotent_requests
from accounts.tests.factories import NOW
from accounts.tests.stripe_side import decline_from_now_on
from invoices.models import Transaction
from plans import catalogue
from plans.models import Rental
from plans.tests.api_client import Platform
from plans.tests.subscribers import make_subscriber
from plans.tests.test_rentals import HALFWAY, START

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

NIZWA = {"external_id": "c-1", "name": "Nizwa", "owner_email": "o@nizwa.test"}


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    """Stand still, halfway through a period."""
    cache.clear()
    with time_machine.travel(HALFWAY, tick=False) as traveller:
        yield traveller
    cache.clear()


@pytest.fixture
def platform() -> Platform:
    catalogue.load(now=NOW)
    return Platform()


@pytest.fixture
def alice(platform: Platform, add_card: Callable[..., Card]) -> Account:
    """On growth since 1 November."""
    return make_subscriber(add_card, "growth", now=START)


def provision(platform: Platform, key: str | None = "k-1", **changes: Any) -> Any:
    headers = {"Idempotency-Key": key} if key is not None else {}
    return platform.send("POST", "accounts/", {**NIZWA, **changes}, headers=headers)


def hold(platform: Platform, account: Account, quantity: Any, key: str = "k-1") -> Any:
    path = f"accounts/{account.pk}/rentals/phone_number/"
    return platform.send("PUT", path, {"quantity": quantity}, headers={"Idempotency-Key": key})


def code_of(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Let the process die when the answer is about to be kept, until the patch is undone."""

    def die(**_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr("accounts.idempotency.keep", die)
        yield patch


# Accounts -------------------------------------------------------------------------------------
def test_the_first_answer_comes_again(platform: Platform) -> None:
    first = provision(platform)
    assert (first.status_code, first.has_header("Idempotency-Replayed")) == (201, False)
    platform.send("PATCH", "accounts/external:c-1/", {"name": "Nizwa SAOC"})
    again = provision(platform)
    assert (again.status_code, again["Idempotency-Replayed"]) == (201, "true")
    assert again.content == first.content
    assert again["Content-Type"] == first["Content-Type"]
    assert Account.objects.count() == 1


def test_the_same_content_in_another_order_is_the_same(platform: Platform) -> None:
    provision(platform)
    body = dict(reversed(NIZWA.items()))
    again = platform.send("POST", "accounts/", body, headers={"Idempotency-Key": '"k-1"'})
    assert again["Idempotency-Replayed"] == "true"


def test_another_body_under_the_key_is_a_conflict(platform: Platform) -> None:
    provision(platform)
    assert code_of(provision(platform, external_id="c-2")) == (409, "idempotency_key_reused")
    assert Account.objects.count() == 1


def test_keys_belong_to_whoever_sent_them_and_to_one_thing(
    platform: Platform, alice: Account
) -> None:
    provision(platform)
    assert provision(Platform()).status_code == 200  # made before, by another
    assert hold(platform, alice, 0).status_code == 200
    assert IdempotentRequest.objects.count() == 3


def test_an_error_is_not_kept_for_it_changed_nothing(platform: Platform) -> None:
    assert provision(platform, timezone="Mars").status_code == 400
    assert provision(platform).status_code == 201
    assert code_of(provision(platform, "k-2", name="Other")) == (409, "conflict")
    assert IdempotentRequest.objects.count() == 1


@pytest.mark.parametrize("key", ["", '""', "a b", "é", "x" * 256, 'a"b'])
def test_a_key_is_visible_ascii(platform: Platform, key: str) -> None:
    refused = provision(platform, key)
    assert code_of(refused) == (400, "invalid_request")
    assert set(refused.json()["fields"]) == {"Idempotency-Key"}
    assert not Account.objects.exists()


def test_while_the_first_is_under_way_the_second_is_told_to_wait(platform: Platform) -> None:
    provision(platform)
    IdempotentRequest.objects.update(
        status=None, body="", claimed_until=HALFWAY + timedelta(seconds=60)
    )
    refused = provision(platform)
    assert code_of(refused) == (409, "request_in_progress")
    assert 60 <= int(refused["Retry-After"]) <= 61


def test_whoever_dies_before_the_answer_is_kept_has_made_no_account(
    platform: Platform, dying: pytest.MonkeyPatch, clock: time_machine.Traveller
) -> None:
    with pytest.raises(SystemExit):
        provision(platform)
    assert not Account.objects.exists()
    dying.undo()
    assert code_of(provision(platform)) == (409, "request_in_progress")
    clock.shift(60)
    assert provision(platform).status_code == 201
    assert provision(platform)["Idempotency-Replayed"] == "true"


def test_after_a_fault_of_ours_it_may_be_sent_again_at_once(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(**_: object) -> None:
        raise RuntimeError

    platform.client.raise_request_exception = False
    with monkeypatch.context() as patch:
        patch.setattr("accounts.idempotency.keep", break_down)
        assert provision(platform).status_code == 500
    assert not Account.objects.exists()
    assert provision(platform).status_code == 201


# Rentals: a charge can't be undone ------------------------------------------------------------
def test_a_rental_is_charged_once(platform: Platform, alice: Account) -> None:
    first = hold(platform, alice, 5)
    assert (first.status_code, first.json()["quantity"]) == (200, 5)
    again = hold(platform, alice, 5)
    assert (again.content, again["Idempotency-Replayed"]) == (first.content, "true")
    assert code_of(hold(platform, alice, 6)) == (409, "idempotency_key_reused")
    assert Transaction.objects.filter(purpose="rental").count() == 1


def test_a_declined_charge_is_not_tried_again_under_its_key(
    platform: Platform, alice: Account, sandbox: "Sandbox"
) -> None:
    card = alice.cards.get()
    decline_from_now_on(sandbox, card, "insufficient_funds")
    first = hold(platform, alice, 5)
    assert code_of_transaction(first) == "failed"
    decline_from_now_on(sandbox, card, None)
    assert hold(platform, alice, 5).content == first.content
    assert Transaction.objects.filter(purpose="rental").count() == 1
    assert code_of_transaction(hold(platform, alice, 5, "k-2")) == "paid"


def code_of_transaction(response: Any) -> str:
    status: str = response.json()["transaction"]["status"]
    return status


def test_whoever_dies_after_the_charge_is_answered_with_that_charge(
    platform: Platform,
    alice: Account,
    dying: pytest.MonkeyPatch,
    clock: time_machine.Traveller,
) -> None:
    with pytest.raises(SystemExit):
        hold(platform, alice, 5)
    [charged] = Transaction.objects.filter(purpose="rental")
    dying.undo()
    assert code_of(hold(platform, alice, 5)) == (409, "request_in_progress")
    clock.shift(60)
    answer = hold(platform, alice, 5).json()
    assert answer["quantity"] == 5
    assert answer["transaction"]["number"] == charged.number
    assert answer["transaction"]["status"] == "paid"
    assert Transaction.objects.filter(purpose="rental").count() == 1
    assert Rental.objects.filter(ended_at__isnull=True).count() == 1


# What is kept ---------------------------------------------------------------------------------
def test_answers_are_forgotten_after_two_days(platform: Platform) -> None:
    provision(platform)
    now = timezone.now()
    assert idempotency.forget_old(now=now + timedelta(hours=48)) == 0
    assert idempotency.forget_old(now=now + timedelta(hours=48, seconds=1)) == 1
    schedules = import_module("billing_portal.migrations.0003_schedules")
    assert forget_idempotent_requests.name == schedules.TASKS["Forget answers of the API"][0]
    assert forget_idempotent_requests() == 0


def test_the_database_keeps_one_answer_and_only_of_what_succeeded(platform: Platform) -> None:
    provision(platform)
    with pytest.raises(IntegrityError, match="only_success_is_answered_again"):
        IdempotentRequest.objects.update(status=500)
