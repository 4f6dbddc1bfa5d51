"""The same gateway, another stand-in: what localstripe serves, it serves as our sandbox does.

Each story is told twice, to the sandbox Stripe and to localstripe, by the same calls.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import stripe
from djmoney.money import Money
from pytest_django import Settings

from accounts import gateway
from accounts.gateway import GatewayRefused
from accounts.models import Account
from accounts.stripe_objects import Outcome, Payment
from accounts.tests import localstripe
from accounts.tests.factories import make_account
from conftest import free_port

pytestmark = pytest.mark.django_db

PRICE = Money("3.850", "OMR")
VERIFICATION = Money("0.390", "OMR")


@pytest.fixture(scope="module")
def localstripe_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if not localstripe.installed():
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(localstripe.MISSING)
        pytest.skip(localstripe.MISSING)
    log = tmp_path_factory.mktemp("localstripe") / "log"
    with localstripe.running(free_port(), log) as url:
        yield url


@pytest.fixture(params=["sandbox", "localstripe"])
def stand_in(request: pytest.FixtureRequest) -> str:
    """Have the gateway talk to one of the two; its name."""
    if request.param == "sandbox":
        request.getfixturevalue("sandbox")
    else:
        request.getfixturevalue("through_localstripe")
    return str(request.param)


@pytest.fixture
def through_localstripe(
    localstripe_url: str,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    stripe_requests: Any,
) -> Iterator[None]:
    settings.STRIPE_API_BASE = localstripe_url
    settings.STRIPE_SECRET_KEY = localstripe.KEY
    monkeypatch.setattr(stripe, "RequestsClient", localstripe.Client)
    localstripe.Client.left_out.clear()
    gateway.client.cache_clear()
    yield
    gateway.client.cache_clear()


@pytest.fixture
def alice(stand_in: str) -> Account:
    account = make_account(name="Alice Trading")
    account.stripe_customer_id = gateway.create_customer(account=account)
    account.save()
    return account


def save_card(account: Account, magic: str = "pm_card_visa") -> str:
    """Save a card through a SetupIntent, as the browser does; its id."""
    setup = gateway.create_setup(customer_id=account.stripe_customer_id)
    service = gateway.client().v1
    method = service.payment_methods.retrieve(magic).id
    service.setup_intents.confirm(setup.id, {"payment_method": method, "use_stripe_sdk": True})
    # Stripe attaches it by itself; localstripe does not. Asked twice, it is the same card.
    service.payment_methods.attach(method, {"customer": account.stripe_customer_id})
    return method


def card_that_asks() -> str:
    """A card whose bank always wants to hear from the customer, typed into a form."""
    card: Any = {"number": "4000002760003184", "exp_month": 12, "exp_year": 2030, "cvc": "123"}
    return gateway.client().v1.payment_methods.create({"type": "card", "card": card}).id


def charge(account: Account, method: str, *, on_session: bool = False) -> Payment:
    return gateway.charge_card(
        customer_id=account.stripe_customer_id,
        payment_method_id=method,
        amount=PRICE,
        description="Renewal of Starter",
        metadata={"transaction": "T-1"},
        idempotency_key="charge-1",
        on_session=on_session,
    )


def cards(account: Account) -> list[str]:
    listed = gateway.client().v1.payment_methods.list(
        {"customer": account.stripe_customer_id, "type": "card"}
    )
    return [method.id for method in listed.data]


def test_a_customer_is_made_and_described(alice: Account) -> None:
    customer = gateway.client().v1.customers.retrieve(alice.stripe_customer_id)
    assert (customer.name, customer.email) == ("Alice Trading", alice.contact_email)
    assert customer.to_dict()["metadata"] == {"account": str(alice.pk)}


def test_a_card_is_saved_read_listed_and_removed(alice: Account) -> None:
    setup = gateway.create_setup(customer_id=alice.stripe_customer_id)
    assert setup.status == "requires_payment_method"
    assert setup.client_secret.startswith(f"{setup.id}_secret_")
    method = save_card(alice)
    assert cards(alice) == [method]
    gateway.detach_card(method)
    assert cards(alice) == []


def test_a_setup_that_succeeded_shows_its_card(alice: Account) -> None:
    setup = gateway.create_setup(customer_id=alice.stripe_customer_id)
    confirmed = {"payment_method": "pm_card_visa", "use_stripe_sdk": True}
    gateway.client().v1.setup_intents.confirm(setup.id, confirmed)  # type: ignore[arg-type]
    found = gateway.retrieve_setup(setup.id)
    assert (found.status, found.customer_id) == ("succeeded", alice.stripe_customer_id)
    assert found.payment_method is not None
    assert (found.payment_method.brand, found.payment_method.last4) == ("visa", "4242")


def test_a_card_that_cannot_be_saved_is_refused(alice: Account) -> None:
    setup = gateway.create_setup(customer_id=alice.stripe_customer_id)
    with pytest.raises(stripe.CardError) as caught:
        gateway.client().v1.setup_intents.confirm(
            setup.id, {"payment_method": "pm_card_visa_chargeDeclined", "use_stripe_sdk": True}
        )
    assert caught.value.code == "card_declined"


def test_a_saved_card_pays(alice: Account) -> None:
    paid = charge(alice, save_card(alice))
    assert (paid.outcome, paid.amount_minor, paid.currency) == (Outcome.SUCCEEDED, 3850, "omr")
    number, same = gateway.retrieve_payment(paid.payment_intent_id)
    assert (number, same) == ("T-1", paid)


def test_a_decline_is_an_outcome(alice: Account) -> None:
    declined = charge(alice, save_card(alice, "pm_card_chargeCustomerFail"))
    assert (declined.outcome, declined.failure_code) == (Outcome.DECLINED, "card_declined")
    assert declined.failure_message.startswith("Your bank declined the card.")


def test_a_bank_may_ask_a_customer_who_is_there(alice: Account) -> None:
    asked = charge(alice, card_that_asks(), on_session=True)
    assert asked.outcome == Outcome.REQUIRES_ACTION
    assert gateway.cancel_payment(asked.payment_intent_id).outcome == Outcome.CANCELED
    assert gateway.cancel_payment(asked.payment_intent_id).outcome == Outcome.CANCELED


def test_a_card_that_is_not_there_is_refused(alice: Account) -> None:
    with pytest.raises(GatewayRefused):
        charge(alice, "pm_unknown")


def test_a_hold_is_placed_found_and_let_go(alice: Account) -> None:
    held = gateway.place_hold(
        customer_id=alice.stripe_customer_id,
        payment_method_id=save_card(alice),
        setup_intent_id="seti_1",
        amount=VERIFICATION,
    )
    assert held.outcome == Outcome.PENDING
    found = gateway.find_holds(customer_id=alice.stripe_customer_id, setup_intent_id="seti_1")
    assert held.payment_intent_id in found
    for _ in range(2):
        gateway.void_hold(held.payment_intent_id)
    assert gateway.retrieve_payment(held.payment_intent_id)[1].outcome == Outcome.CANCELED


def test_a_hold_may_be_captured(alice: Account) -> None:
    held = gateway.place_hold(
        customer_id=alice.stripe_customer_id,
        payment_method_id=save_card(alice),
        setup_intent_id="seti_2",
        amount=VERIFICATION,
    )
    gateway.client().v1.payment_intents.capture(held.payment_intent_id)
    assert gateway.retrieve_payment(held.payment_intent_id)[1].outcome == Outcome.SUCCEEDED
    with pytest.raises(GatewayRefused):
        gateway.void_hold(held.payment_intent_id)


def test_a_payment_is_refunded_in_parts(alice: Account) -> None:
    paid = charge(alice, save_card(alice))
    for number, amount in ((1, "1.000"), (2, "2.850")):
        gateway.refund(
            payment_intent_id=paid.payment_intent_id,
            amount=Money(amount, "OMR"),
            metadata={"refund": f"R-{number}"},
            idempotency_key=f"refund-{number}",
        )
    refunds = gateway.list_refunds(payment_intent_id=paid.payment_intent_id)
    assert sorted(refund.amount_minor for refund in refunds) == [1000, 2850]


# Where localstripe differs, so that a difference that goes away or comes up is seen ------------
@pytest.mark.parametrize(
    ("stand_in", "outcome"),
    [("sandbox", Outcome.DECLINED), ("localstripe", Outcome.REQUIRES_ACTION)],
    indirect=["stand_in"],
)
def test_stripe_declines_what_a_bank_asks_of_a_customer_who_is_away(
    alice: Account, outcome: Outcome
) -> None:
    assert charge(alice, card_that_asks()).outcome == outcome


def test_what_localstripe_is_not_asked_is_known_and_nothing_else(
    through_localstripe: None,
) -> None:
    account = make_account()
    account.stripe_customer_id = gateway.create_customer(account=account)
    method = save_card(account)
    charge(account, method)
    held = gateway.place_hold(
        customer_id=account.stripe_customer_id,
        payment_method_id=method,
        setup_intent_id="seti_3",
        amount=VERIFICATION,
    )
    gateway.find_holds(customer_id=account.stripe_customer_id, setup_intent_id="seti_3")
    gateway.void_hold(held.payment_intent_id)
    gateway.list_refunds(payment_intent_id=held.payment_intent_id)
    assert localstripe.Client.left_out == {
        "payment_intents: description": 2,
        "payment_intents: cancellation_reason": 1,
        "payment_intents: customer": 1,
    }
