"""What the portal asks of Stripe is what Stripe's SDK declares: each function of the gateway.

A function that the gateway gains needs an example here: the tests fail until it has one.
"""

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from djmoney.money import Money

from accounts import gateway
from accounts.models import Account, Card
from accounts.stripe_objects import CheckoutSession, Payment
from accounts.tests.factories import NOW, make_account
from accounts.tests.stripe_contract import ContractBroken, Requests, judge
from accounts.webhooks import EVENTS

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

#: These ask Stripe nothing: the SDK's client itself, arithmetic on what Stripe sent, and who waits.
SILENT = {"client", "in_background", "verify_signature", "with_answers"}
DAY = timedelta(days=1)
PRICE = Money("3.850", "OMR")


@dataclass
class Scene:
    """An account with a saved card, whose hold was placed and voided on the way."""

    account: Account
    card: Card
    sandbox: "Sandbox"
    another_card: Callable[[], Card]

    @property
    def hold(self) -> str:
        return self.card.stripe_hold_id

    @property
    def customer(self) -> str:
        return self.account.stripe_customer_id

    def charge(self, key: str = "charge-1") -> Payment:
        return gateway.charge_card(
            customer_id=self.customer,
            payment_method_id=self.card.stripe_payment_method_id,
            amount=PRICE,
            description="Renewal of Starter",
            metadata={"transaction": "T-1"},
            idempotency_key=key,
        )

    def listen(self) -> str:
        made = gateway.create_webhook_endpoint(
            url="https://portal.test/stripe/webhook/1/",
            events=EVENTS,
            metadata={"djstripe_uuid": "1"},
        )
        return str(made["id"])

    def open_checkout(self) -> CheckoutSession:
        return gateway.open_checkout(
            customer_id=self.customer,
            amount=PRICE,
            description="Top-up of $10.00",
            metadata={"transaction": "T-1"},
            success_url="https://portal.test/done",
            cancel_url="https://portal.test/back",
            idempotency_key="checkout-1",
        )


@pytest.fixture
def scene(add_card: Any, sandbox: "Sandbox") -> Scene:
    account = make_account(name="Alice Trading")
    card = add_card(account)
    return Scene(account, card, sandbox, lambda: add_card(account, "pm_card_mastercard"))


EXAMPLES: dict[str, Callable[[Scene], None]] = {}


def example(function: Callable[[Scene], None]) -> Callable[[Scene], None]:
    """Keep it as the example of the gateway's function of the same name."""
    EXAMPLES[function.__name__] = function
    return function


@example
def create_customer(scene: Scene) -> None:
    gateway.create_customer(account=make_account(name="Bob Cargo"))


@example
def create_setup(scene: Scene) -> None:
    gateway.create_setup(customer_id=scene.customer)


@example
def retrieve_setup(scene: Scene) -> None:
    gateway.retrieve_setup(scene.card.stripe_setup_intent_id)


@example
def cancel_setup(scene: Scene) -> None:
    gateway.cancel_setup(gateway.create_setup(customer_id=scene.customer).id)


@example
def place_hold(scene: Scene) -> None:
    gateway.place_hold(
        customer_id=scene.customer,
        payment_method_id=scene.card.stripe_payment_method_id,
        setup_intent_id="seti_example",
        amount=Money("0.390", "OMR"),
    )


@example
def void_hold(scene: Scene) -> None:
    held = gateway.place_hold(
        customer_id=scene.customer,
        payment_method_id=scene.card.stripe_payment_method_id,
        setup_intent_id="seti_voided",
        amount=Money("0.390", "OMR"),
    )
    gateway.void_hold(held.payment_intent_id)


@example
def find_holds(scene: Scene) -> None:
    gateway.find_holds(
        customer_id=scene.customer, setup_intent_id=scene.card.stripe_setup_intent_id
    )


@example
def detach_card(scene: Scene) -> None:
    gateway.detach_card(scene.another_card().stripe_payment_method_id)


@example
def charge_card(scene: Scene) -> None:
    scene.charge()


@example
def cancel_payment(scene: Scene) -> None:
    scene.sandbox.fail_next(action="decline")
    gateway.cancel_payment(scene.charge("charge-2").payment_intent_id)


@example
def retrieve_payment(scene: Scene) -> None:
    gateway.retrieve_payment(scene.charge().payment_intent_id)


@example
def refund(scene: Scene) -> None:
    gateway.refund(
        payment_intent_id=scene.charge().payment_intent_id,
        amount=Money("1.000", "OMR"),
        metadata={"refund": "R-1"},
        idempotency_key="refund-1",
    )


@example
def list_refunds(scene: Scene) -> None:
    gateway.list_refunds(payment_intent_id=scene.charge().payment_intent_id)


@example
def open_checkout(scene: Scene) -> None:
    scene.open_checkout()


@example
def retrieve_checkout(scene: Scene) -> None:
    gateway.retrieve_checkout(scene.open_checkout().id)


@example
def find_payment(scene: Scene) -> None:
    gateway.find_payment(transaction_number="T-1")


@example
def create_webhook_endpoint(scene: Scene) -> None:
    scene.listen()


@example
def list_disputes(scene: Scene) -> None:
    gateway.list_disputes(payment_intent_id=scene.charge().payment_intent_id)


@example
def list_payments(scene: Scene) -> None:
    newest = gateway.list_payments(since=NOW - DAY, until=NOW + DAY, after=scene.hold)
    assert newest == []


@example
def list_webhook_endpoints(scene: Scene) -> None:
    gateway.list_webhook_endpoints()


@example
def update_webhook_endpoint(scene: Scene) -> None:
    gateway.update_webhook_endpoint(scene.listen(), events=EVENTS)


@example
def delete_webhook_endpoint(scene: Scene) -> None:
    gateway.delete_webhook_endpoint(scene.listen())


def functions() -> set[str]:
    """Return what the gateway offers that asks Stripe."""
    offered = {name for name in gateway.__all__ if callable(getattr(gateway, name))}
    return {name for name in offered if not inspect.isclass(getattr(gateway, name))} - SILENT


def calls_written() -> set[str]:
    """Return the SDK's methods that the gateway's source calls, like `payment_intents.create`."""
    found = set()
    for path in Path(gateway.__file__).parent.glob("*.py"):
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef):
                found |= _calls(function)
    return found


def _calls(function: ast.FunctionDef) -> set[str]:
    known: dict[str, str] = {}  # `intents = client().v1.payment_intents`
    found = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            known[node.targets[0].id] = ast.unparse(node.value)
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            first, *rest = ast.unparse(node.func).split(".")
            _, marker, called = ".".join([known.get(first, first), *rest]).partition("client().v1.")
            if marker and "(" not in called:
                found.add(called)
    return found


# The tests ------------------------------------------------------------------------------------
def test_each_function_of_the_gateway_has_an_example() -> None:
    assert set(EXAMPLES) == functions()


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_a_function_sends_what_stripe_declares(
    name: str, scene: Scene, stripe_requests: Requests
) -> None:
    before = len(stripe_requests.sent)
    EXAMPLES[name](scene)
    assert len(stripe_requests.sent) > before


def test_each_call_of_the_sdk_that_is_written_was_made(
    scene: Scene, stripe_requests: Requests
) -> None:
    for run in EXAMPLES.values():
        run(scene)
    assert calls_written() - set(stripe_requests.sent) == set()


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": 3850.0},
        {"amount": "3850"},
        {"amount": True},
        {"flavour": "mint"},
        {"currency": None},
        {"capture_method": "whenever"},
        {"off_session": "always"},
        {"metadata": {"transaction": 1}},
        {"payment_method_types": "card"},
        {"payment_method_options": {"card": {"request_three_d_secure": "maybe"}}},
    ],
)
def test_what_stripe_does_not_declare_is_not_sent(wrong: dict[str, Any], scene: Scene) -> None:
    right = {"amount": 3850, "currency": "omr", "confirm": True}
    intents = gateway.client().v1.payment_intents
    judge(intents.create, right, {"idempotency_key": "1"}, "example")
    with pytest.raises(ContractBroken):
        judge(intents.create, {**right, **wrong}, {}, "example")


def test_what_would_be_done_twice_needs_a_key(scene: Scene) -> None:
    intents, refund = gateway.client().v1.payment_intents, {"payment_intent": "pi_1"}
    judge(intents.cancel, {}, {}, "payment_intents.cancel")
    with pytest.raises(ContractBroken, match="done twice"):
        judge(gateway.client().v1.refunds.create, refund, {}, "refunds.create")
