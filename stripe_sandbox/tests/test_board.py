"""The page at "/": what happened, and a button for what may go wrong, in a real Chromium."""

from __future__ import annotations

from typing import Any

import pytest

from .harness import Receiver, Sandbox, wait_for
from .test_checkout import basket
from .test_payments import CHARGE, saved

sync_api = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.browser


def pay(client: Any, method: str = "pm_card_visa", **more: Any) -> Any:
    return client.payment_intents.create({**CHARGE, "payment_method": method, **more})


def press(page: Any, name: str) -> None:
    """Press the first button whose name begins so, and wait until it was carried out."""
    page.get_by_role("button", name=name).first.click()
    sync_api.expect(page.locator("#note")).to_contain_text(f"Done. {name}")


def seen(page: Any, text: str) -> None:
    sync_api.expect(page.get_by_text(text).first).to_be_visible()


def test_refunds_in_full_in_part_and_failed(page: Any, sandbox: Sandbox, client: Any) -> None:
    paid = pay(client)
    page.goto(sandbox.url)
    page.get_by_role("button", name="Refund part").click()
    page.get_by_label("Amount").fill("1000")
    page.keyboard.press("Enter")
    seen(page, "refund of 1.000 OMR: succeeded")
    press(page, "Refund fails")
    seen(page, "refund of 1.000 OMR: failed")
    press(page, "Refund: ")
    seen(page, "refund of 3.850 OMR: succeeded")
    assert client.charges.retrieve(paid.latest_charge).refunded
    assert page.get_by_role("button", name="Refund: ").count() == 0


def test_a_refund_in_part_may_be_thought_better_of(
    page: Any, sandbox: Sandbox, client: Any
) -> None:
    pay(client)
    page.goto(sandbox.url)
    for leave in (lambda: page.keyboard.press("Escape"), lambda: page.click("text=Cancel")):
        page.get_by_role("button", name="Refund part").click()
        page.get_by_label("Amount").fill("1000")
        leave()
    assert client.refunds.list().data == []


def test_disputes_are_won_lost_withdrawn_and_asked_first(
    page: Any, sandbox: Sandbox, client: Any
) -> None:
    for _ in range(3):
        pay(client)
    page.goto(sandbox.url)
    press(page, "Dispute: ")
    press(page, "Win: ")
    seen(page, "dispute: won")
    press(page, "Dispute: ")
    press(page, "Withdraw: ")
    press(page, "Inquiry: ")
    seen(page, "dispute: warning needs response")
    press(page, "Escalate: ")
    press(page, "Lose: ")
    seen(page, "dispute: lost")
    states = sorted(dispute.status for dispute in client.disputes.list().data)
    assert states == ["lost", "won", "won"]


@pytest.mark.parametrize(
    ("button", "said", "action"),
    [
        ("Decline the next card", "1 × insufficient_funds", "decline"),
        ("Have the next bank ask", "1 × authentication_required", "decline"),
        ("Delay the next payment by 5 s", "1 × 5 s before acting", "delay"),
        ("Delay its answer by 5 s", "1 × 5 s before the answer", "delay_answer"),
        ("Answer 500 to the next payment", "3 × HTTP 500", "status"),
        ("Drop its answer", "3 × answer dropped", "drop_connection"),
        ("Refuse to void the next hold", "/v1/payment_intents/*/cancel", "status"),
    ],
)
def test_trouble_is_planned_and_forgotten(
    page: Any, sandbox: Sandbox, button: str, said: str, action: str
) -> None:
    page.goto(sandbox.url)
    press(page, button)
    seen(page, said)
    [planned] = sandbox.control("next", method="GET")["data"]
    assert planned["action"] == action
    press(page, "Forget what was planned")
    assert sandbox.control("next", method="GET") == {"data": []}


def test_webhooks_are_paused_held_released_and_sent_again(
    page: Any, sandbox: Sandbox, client: Any, receiver: Receiver
) -> None:
    client.webhook_endpoints.create(
        {"url": receiver.url, "enabled_events": ["customer.created", "customer.deleted"]}
    )
    page.goto(sandbox.url)
    press(page, "Hold webhooks")
    made = client.customers.create({})
    client.customers.delete(made.id)
    page.get_by_role("button", name="Refresh").click()
    seen(page, "Held: 2 deliveries wait.")
    press(page, "Release in reverse, twice each")
    wait_for(lambda: len(receiver.received) == 4)
    press(page, "Resend: customer.deleted")
    wait_for(lambda: len(receiver.received) == 5)
    assert receiver.types[-1] == "customer.deleted"
    press(page, "Pause webhooks")
    client.customers.create({})
    press(page, "Resume webhooks")
    assert len(receiver.received) == 5


def test_payment_pages_are_paid_expired_and_paid_all_the_same(
    page: Any, sandbox: Sandbox, client: Any
) -> None:
    for number in (1, 2):
        client.checkout.sessions.create(basket(metadata={"transaction": f"T-{number}"}))
    page.goto(sandbox.url)
    press(page, "Pay: T-2")
    press(page, "Expire: T-1")
    press(page, "Pay all the same: T-1")
    states = [(one.status, one.payment_status) for one in client.checkout.sessions.list().data]
    assert states == [("complete", "paid"), ("expired", "paid")]


def test_saved_cards_decline_are_renewed_and_charged_by_hand(
    page: Any, sandbox: Sandbox, client: Any, customer: Any
) -> None:
    method = saved(sandbox, customer)
    page.goto(sandbox.url)
    press(page, "Decline from now on: visa •••• 4242 of Owner")
    press(page, "Works again")
    before = client.payment_methods.retrieve(method).card.exp_year
    press(page, "Renewed by its bank")
    assert client.payment_methods.retrieve(method).card.exp_year == before + 4
    press(page, "Charge by hand")
    [paid] = client.payment_intents.list({"customer": customer.id}).data
    assert (paid.status, paid.metadata.to_dict()) == ("succeeded", {})


def test_a_challenge_is_answered(page: Any, sandbox: Sandbox, client: Any) -> None:
    pay(
        client,
        "pm_card_authenticationRequired",
        payment_method_types=["card"],
        off_session=False,
    )
    page.goto(sandbox.url)
    press(page, "Bank says yes")
    assert client.payment_intents.list().data[0].status == "succeeded"


def test_what_is_refused_is_said_and_the_focus_stays(
    page: Any, sandbox: Sandbox, client: Any
) -> None:
    paid = pay(client)
    page.goto(sandbox.url)
    client.refunds.create({"payment_intent": paid.id})
    page.get_by_role("button", name="Refund: ").click()
    sync_api.expect(page.locator("#note")).to_contain_text("has already been refunded")
    press(page, "Hold webhooks")
    press(page, "Release in order")
    press(page, "Decline the next card")
    press(page, "Decline the next card")
    assert page.evaluate("document.activeElement.textContent") == "Decline the next card"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_it_is_accessible_and_fits(
    page: Any, sandbox: Sandbox, client: Any, customer: Any, scheme: str, width: int
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(sandbox.url)
    empty = axe.run(page)
    saved(sandbox, customer)
    for method in ("pm_card_visa", "pm_card_createDispute", "pm_card_pendingRefund"):
        pay(client, method)
    client.checkout.sessions.create(basket())
    client.webhook_endpoints.create({"url": "http://127.0.0.1:9/", "enabled_events": ["*"]})
    sandbox.control("webhooks", {"held": True})
    sandbox.control("next", {"action": "decline"})
    page.goto(sandbox.url)
    for found in (empty, axe.run(page)):
        assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("button", name="Refund part").first.click()
    found = axe.run(page)
    assert found.violations_count == 0, found.generate_report()
