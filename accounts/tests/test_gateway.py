"""The seam to Stripe: few outcomes, no call inside a database transaction."""

from typing import TYPE_CHECKING, Any

import pytest
from django.db import transaction
from djmoney.money import Money

from accounts import cards, gateway
from accounts.models import Account, Card
from accounts.stripe_objects import Outcome, Payment
from accounts.tests.factories import make_account
from accounts.tests.stripe_side import lose_answers, payments, refuse_service

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(add_card: Any) -> Account:
    account = make_account(name="Alice Trading")
    add_card(account)
    return account


def charge(account: Account, key: str = "charge-1", **fields: Any) -> Payment:
    card: Card = account.cards.get()
    return gateway.charge_card(
        **{
            "customer_id": account.stripe_customer_id,
            "payment_method_id": card.stripe_payment_method_id,
            "amount": Money("3.850", "OMR"),
            "description": "Of the example",
            "metadata": {"transaction": "T-1"},
            "idempotency_key": key,
            **fields,
        }
    )


@pytest.mark.django_db(transaction=True)
def test_it_refuses_to_be_called_inside_a_database_transaction(sandbox: "Sandbox") -> None:
    account = make_account()
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        gateway.create_customer(account=account)
    assert gateway.create_customer(account=account).startswith("cus_")


def test_a_customer_whose_answer_was_lost_is_found_again_under_another_name(
    sandbox: "Sandbox",
) -> None:
    account = make_account(name="Alice Trading")
    lose_answers(sandbox, "/v1/customers")
    with pytest.raises(gateway.GatewayUnavailable):
        gateway.create_customer(account=account)
    account.name, account.owner_email = "Alice & Sons", "alice@sons.test"
    customer_id = gateway.create_customer(account=account)
    [customer] = gateway.client().v1.customers.list().data
    assert customer.id == customer_id
    assert (customer.name, customer.email) == ("Alice & Sons", "alice@sons.test")
    assert customer.to_dict()["metadata"] == {"account": str(account.pk)}


def test_a_name_or_address_that_stripe_refuses_does_not_hold_up_paying(
    sandbox: "Sandbox",
) -> None:
    account = make_account()
    sandbox.fail_next(action="status", status=400, match={"path": "/v1/customers/cus_"})
    assert gateway.create_customer(account=account).startswith("cus_")


def test_a_success_says_what_was_captured_and_from_which_card(alice: Account) -> None:
    paid = charge(alice)
    assert (paid.outcome, paid.amount_minor, paid.currency) == (Outcome.SUCCEEDED, 3850, "omr")
    assert (paid.card_brand, paid.card_last4) == ("visa", "4242")


def test_asked_again_under_the_same_key_stripe_answers_the_same(alice: Account) -> None:
    assert charge(alice) == charge(alice)
    assert charge(alice, "charge-2") != charge(alice)
    assert len(payments(transaction="T-1")) == 2


def test_the_same_key_for_something_else_is_no_answer(alice: Account) -> None:
    charge(alice)
    with pytest.raises(gateway.GatewayUnavailable):
        charge(alice, amount=Money("5.000", "OMR"))
    assert len(payments(transaction="T-1")) == 1


def test_a_decline_is_an_outcome_also_when_it_is_asked_for_again(
    alice: Account, sandbox: "Sandbox"
) -> None:
    sandbox.fail_next(action="decline", decline_code="insufficient_funds")
    first, again = charge(alice), charge(alice)
    assert first == again
    assert (first.outcome, first.failure_code) == (Outcome.DECLINED, "insufficient_funds")
    assert first.failure_message == "The card has insufficient funds."


@pytest.mark.parametrize("status", [500, 503, 429, 409, 401])
def test_whatever_is_no_answer_is_unknown_and_never_failed(
    alice: Account, sandbox: "Sandbox", status: int
) -> None:
    refuse_service(sandbox, status)
    if status == 409:  # the SDK asks again after a conflict, too
        sandbox.fail_next(action="status", status=409, count=2)
    with pytest.raises(gateway.GatewayUnavailable):
        charge(alice)


def test_a_lost_answer_is_unknown_and_found_again_under_its_key(
    alice: Account, sandbox: "Sandbox"
) -> None:
    lose_answers(sandbox)
    with pytest.raises(gateway.GatewayUnavailable):
        charge(alice)
    assert charge(alice).outcome == Outcome.SUCCEEDED
    assert len(payments(transaction="T-1")) == 1


def test_one_lost_answer_is_asked_for_again_by_itself(alice: Account, sandbox: "Sandbox") -> None:
    sandbox.fail_next(action="drop_connection", match={"path": "/v1/payment_intents"})
    assert charge(alice).outcome == Outcome.SUCCEEDED
    assert len(payments(transaction="T-1")) == 1


def test_a_refused_request_is_told_from_an_unknown_one(alice: Account) -> None:
    with pytest.raises(gateway.GatewayRefused):
        charge(alice, payment_method_id="pm_unknown")


def test_a_payment_is_found_by_its_transaction_and_what_never_was_is_canceled(
    alice: Account,
) -> None:
    paid = charge(alice)
    assert gateway.find_payment(transaction_number="T-1") == paid
    never = gateway.find_payment(transaction_number="T-2")
    assert (never.outcome, never.failure_code) == (Outcome.CANCELED, "not_charged")


def test_a_customer_is_made_once(sandbox: "Sandbox") -> None:
    account = make_account()
    lose_answers(sandbox, "/v1/customers")
    with pytest.raises(gateway.GatewayUnavailable):
        cards.ensure_customer(account=account)
    customer = cards.ensure_customer(account=account)
    assert cards.ensure_customer(account=account) == customer
    assert len(gateway.client().v1.customers.list().data) == 1


def test_voiding_and_detaching_twice_is_fine(alice: Account) -> None:
    card = alice.cards.get()
    for _ in range(2):
        gateway.void_hold(card.stripe_hold_id)
        gateway.detach_card(card.stripe_payment_method_id)
