"""Cards, payments, holds, refunds and disputes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import stripe

from .harness import Sandbox

CHARGE = {"amount": 3850, "currency": "omr", "confirm": True, "off_session": True}
DECLINES = [
    ("4000000000000002", "card_declined", "generic_decline"),
    ("4000000000009995", "card_declined", "insufficient_funds"),
    ("4000000000009987", "card_declined", "lost_card"),
    ("4000000000009979", "card_declined", "stolen_card"),
    ("4000000000000069", "expired_card", "expired_card"),
    ("4000000000000127", "incorrect_cvc", "incorrect_cvc"),
    ("4000000000000119", "processing_error", "processing_error"),
]


def card(number: str) -> dict[str, Any]:
    return {
        "type": "card",
        "card": {"number": number, "exp_month": 12, "exp_year": 2040, "cvc": "123"},
    }


def saved(sandbox: Sandbox, customer: Any, method: str = "pm_card_visa") -> Any:
    """A card saved as the browser would, challenge passed."""
    intent = sandbox.client.setup_intents.create({"customer": customer.id})
    done = sandbox.control(f"setup_intents/{intent.id}/confirm", {"payment_method": method})
    assert done["status"] == "succeeded", done
    return done["payment_method"]


@pytest.mark.parametrize(
    ("number", "brand"),
    [
        ("4242424242424242", "visa"),
        ("5555555555554444", "mastercard"),
        ("378282246310005", "amex"),
        ("6011111111111117", "discover"),
        ("3056930009020004", "diners"),
        ("3566002020360505", "jcb"),
        ("6200000000000005", "unionpay"),
    ],
)
def test_good_cards_pay(client: Any, number: str, brand: str) -> None:
    paid = client.payment_intents.create(
        {
            **CHARGE,
            "payment_method_data": card(number),
            "description": "Top-up",
            "metadata": {"t": "1"},
            "expand": ["latest_charge.balance_transaction"],
        }
    )
    charge = paid.latest_charge
    assert (paid.status, paid.amount_received) == ("succeeded", 3850)
    assert charge.payment_method_details.card.brand == brand
    assert (charge.description, charge.metadata.to_dict()) == ("Top-up", {"t": "1"})
    assert charge.balance_transaction.net == 3850 - charge.balance_transaction.fee


@pytest.mark.parametrize(("number", "code", "decline_code"), DECLINES)
def test_declining_cards_leave_a_failed_charge(
    sandbox: Sandbox, client: Any, number: str, code: str, decline_code: str
) -> None:
    with pytest.raises(stripe.CardError) as caught:
        client.payment_intents.create({**CHARGE, "payment_method_data": card(number)})
    error: Any = caught.value.error
    assert caught.value.http_status == 402
    assert (error.code, error.decline_code) == (code, decline_code)
    intent = client.payment_intents.retrieve(error.payment_intent["id"])
    assert (intent.status, intent.payment_method) == ("requires_payment_method", None)
    assert intent.last_payment_error.decline_code == decline_code
    charge = client.charges.retrieve(error.charge)
    assert (charge.status, charge.paid, charge.failure_code) == ("failed", False, code)
    assert sandbox.event_types(intent.id) == [
        "payment_intent.created",
        "payment_intent.payment_failed",
    ]
    # another card pays the same intent
    again = client.payment_intents.confirm(
        intent.id, {"payment_method": "pm_card_visa", "off_session": True}
    )
    assert again.status == "succeeded"


@pytest.mark.parametrize(("number", "code", "decline_code"), DECLINES)
def test_declining_cards_cannot_be_saved(
    client: Any, customer: Any, number: str, code: str, decline_code: str
) -> None:
    with pytest.raises(stripe.CardError) as caught:
        client.setup_intents.create(
            {
                "customer": customer.id,
                "confirm": True,
                "payment_method_data": card(number),
                "payment_method_types": ["card"],
            }
        )
    error: Any = caught.value.error
    assert error.setup_intent["last_setup_error"]["decline_code"] == decline_code
    method = client.payment_methods.create(card(number))
    with pytest.raises(stripe.CardError):
        client.payment_methods.attach(method.id, {"customer": customer.id})
    assert client.customers.payment_methods.list(customer.id).data == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"number": "4242424242424241"}, "incorrect_number"),
        ({"exp_month": 13}, "invalid_expiry_month"),
        ({"exp_year": 2020}, "invalid_expiry_year"),
        ({"cvc": "12"}, "invalid_cvc"),
        ({"number": "4111111111111111"}, "card_declined"),
    ],
)
def test_mistyped_cards_are_refused(client: Any, change: dict[str, Any], code: str) -> None:
    data = card("4242424242424242")
    data["card"].update(change)
    with pytest.raises(stripe.CardError) as caught:
        client.payment_methods.create(data)
    assert caught.value.code == code


def test_a_card_that_attaches_may_decline_later(
    sandbox: Sandbox, client: Any, customer: Any
) -> None:
    method = saved(sandbox, customer, "pm_card_chargeCustomerFail")
    with pytest.raises(stripe.CardError):
        client.payment_intents.create({**CHARGE, "customer": customer.id, "payment_method": method})


def test_a_saved_card_declines_and_works_again_on_command(
    sandbox: Sandbox, client: Any, customer: Any
) -> None:
    method = saved(sandbox, customer)
    charge = {**CHARGE, "customer": customer.id, "payment_method": method}
    path = f"payment_methods/{method}/behaviour"
    sandbox.control(path, {"decline_code": "lost_card"})
    with pytest.raises(stripe.CardError):
        client.payment_intents.create(charge)
    sandbox.control(path, {"decline_code": None})
    assert client.payment_intents.create(charge).status == "succeeded"
    sandbox.control(path, {"exp_year": 2041, "last4": "1111"})
    assert client.payment_methods.retrieve(method).card.last4 == "1111"
    assert sandbox.event_types(method)[-1] == "payment_method.automatically_updated"


def test_a_card_set_up_with_a_challenge_pays_off_session(
    sandbox: Sandbox, client: Any, customer: Any
) -> None:
    intent = client.setup_intents.create({"customer": customer.id})
    confirmed = client.setup_intents.confirm(
        intent.id,
        {"payment_method": "pm_card_authenticationRequiredOnSetup", "use_stripe_sdk": True},
    )
    assert confirmed.status == "requires_action"
    assert confirmed.next_action.type == "use_stripe_sdk"
    fresh = client.setup_intents.create({"customer": customer.id})
    done = sandbox.control(
        f"setup_intents/{fresh.id}/confirm",
        {"payment_method": "pm_card_authenticationRequiredOnSetup"},
    )
    paid = client.payment_intents.create(
        {**CHARGE, "customer": customer.id, "payment_method": done["payment_method"]}
    )
    assert paid.status == "succeeded"


@pytest.mark.parametrize(
    "method", ["pm_card_authenticationRequired", "pm_card_threeDSecure2Required"]
)
def test_a_card_that_always_asks_is_declined_off_session(
    sandbox: Sandbox, client: Any, customer: Any, method: str
) -> None:
    card_id = saved(sandbox, customer, method)
    with pytest.raises(stripe.CardError) as caught:
        client.payment_intents.create(
            {**CHARGE, "customer": customer.id, "payment_method": card_id}
        )
    error: Any = caught.value.error
    assert (error.code, error.decline_code) == ("authentication_required",) * 2
    assert error.payment_intent["status"] == "requires_payment_method"
    assert error.payment_method["id"] == card_id


@pytest.mark.parametrize(
    ("passed", "status"), [(True, "succeeded"), (False, "requires_payment_method")]
)
def test_a_challenge_decides_an_on_session_payment(
    sandbox: Sandbox, client: Any, passed: bool, status: str
) -> None:
    intent = client.payment_intents.create(
        {
            "amount": 3850,
            "currency": "omr",
            "confirm": True,
            "payment_method_types": ["card"],
            "payment_method": "pm_card_authenticationRequired",
        }
    )
    assert (intent.status, intent.latest_charge) == ("requires_action", None)
    sandbox.control(f"payment_intents/{intent.id}/authenticate", {"passed": passed})
    assert client.payment_intents.retrieve(intent.id).status == status


def test_confirming_on_the_server_with_redirects_allowed_needs_a_return_url(client: Any) -> None:
    on_session = {
        "amount": 3850,
        "currency": "omr",
        "confirm": True,
        "payment_method": "pm_card_visa",
    }
    with pytest.raises(stripe.InvalidRequestError, match="return_url"):
        client.payment_intents.create(on_session)
    automatic = {"enabled": True, "allow_redirects": "never"}
    paid = client.payment_intents.create({**on_session, "automatic_payment_methods": automatic})
    assert paid.status == "succeeded"


def test_a_hold_is_captured_or_let_go(sandbox: Sandbox, client: Any) -> None:
    hold = {**CHARGE, "amount": 390, "payment_method": "pm_card_visa", "capture_method": "manual"}
    held = client.payment_intents.create(hold)
    assert (held.status, held.amount_capturable) == ("requires_capture", 390)
    canceled = client.payment_intents.cancel(held.id, {"cancellation_reason": "abandoned"})
    charge = client.charges.retrieve(held.latest_charge)
    assert (canceled.status, canceled.amount_received) == ("canceled", 0)
    assert (charge.captured, charge.refunded, charge.balance_transaction) == (False, True, None)
    with pytest.raises(stripe.InvalidRequestError):
        client.payment_intents.capture(held.id)

    other = client.payment_intents.create({**hold, "amount": 3850})
    captured = client.payment_intents.capture(other.id, {"amount_to_capture": 1000})
    assert (captured.status, captured.amount_received) == ("succeeded", 1000)
    assert client.charges.retrieve(other.latest_charge).amount_captured == 1000
    with pytest.raises(stripe.InvalidRequestError):
        client.refunds.create({"payment_intent": other.id, "amount": 1010})
    with pytest.raises(stripe.InvalidRequestError):
        client.payment_intents.cancel(other.id)


def test_payments_are_exact_when_many_ask_at_once(sandbox: Sandbox) -> None:
    client = sandbox.client
    intent = client.payment_intents.create({"amount": 3850, "currency": "omr"})

    def confirm(_: int) -> bool:
        try:
            client.payment_intents.confirm(
                intent.id, {"payment_method": "pm_card_visa", "off_session": True}
            )
        except stripe.InvalidRequestError:
            return False
        return True

    def refund(_: int) -> bool:
        try:
            client.refunds.create({"payment_intent": intent.id, "amount": 1000})
        except stripe.InvalidRequestError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(confirm, range(8))) == 1
        assert len(client.charges.list({"payment_intent": intent.id}).data) == 1
        assert sum(pool.map(refund, range(8))) == 3
    charge = client.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]}).latest_charge
    assert charge.amount_refunded == 3000


def test_a_detached_card_is_gone_for_good(sandbox: Sandbox, client: Any, customer: Any) -> None:
    method = saved(sandbox, customer)
    client.customers.update(customer.id, {"invoice_settings": {"default_payment_method": method}})
    client.payment_methods.detach(method)
    assert client.customers.payment_methods.list(customer.id).data == []
    assert client.customers.retrieve(customer.id).invoice_settings.default_payment_method is None
    with pytest.raises(stripe.InvalidRequestError):
        client.payment_methods.attach(method, {"customer": customer.id})


def test_a_card_pays_only_for_its_customer(sandbox: Sandbox, client: Any, customer: Any) -> None:
    method = saved(sandbox, customer)
    stranger = client.customers.create({})
    for extra in ({}, {"customer": stranger.id}):
        with pytest.raises(stripe.InvalidRequestError):
            client.payment_intents.create({**CHARGE, "payment_method": method, **extra})


def test_a_magic_id_makes_a_new_card_each_time(client: Any, customer: Any) -> None:
    for _ in range(2):
        client.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    methods = client.customers.payment_methods.list(customer.id).data
    assert len({one.id for one in methods}) == 2
    assert len({one.card.fingerprint for one in methods}) == 1


def test_a_deleted_customer_is_marked_so(client: Any, customer: Any) -> None:
    assert client.customers.delete(customer.id).deleted
    assert client.customers.retrieve(customer.id).deleted
    assert client.customers.list().data == []
    with pytest.raises(stripe.InvalidRequestError):
        client.customers.update(customer.id, {"name": "x"})
