"""Stripe.js and the payment page in a real Chromium, under a strict Content-Security-Policy."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from .harness import Sandbox
from .test_checkout import basket
from .test_on_session import declined_off_session

sync_api = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.browser

HERE = Path(__file__).parent
GOOD = "4242424242424242"
ALWAYS_ASKS = "4000002760003184"


@pytest.fixture
def merchant(sandbox: Sandbox) -> Iterator[str]:
    """A merchant's page on another origin, with a policy that forbids inline anything."""
    policy = (
        f"default-src 'none'; script-src 'self' {sandbox.url}; style-src 'self'; "
        f"frame-src {sandbox.url}; connect-src 'self' {sandbox.url}"
    )
    files = {
        "/": ("merchant.html", "text/html"),
        "/merchant.js": ("merchant.js", "text/javascript"),
        "/merchant.css": ("merchant.css", "text/css"),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name, kind = files.get(self.path.split("?")[0], ("merchant.css", "text/css"))
            body = (HERE / name).read_text(encoding="utf-8").replace("SANDBOX", sandbox.url)
            self.send_response(200)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def type_card(frame: Any, number: str) -> None:
    """By keyboard: each full field moves on to the next."""
    frame.locator('[name="cardnumber"]').press_sequentially(number)
    frame.locator('[name="exp-date"]').press_sequentially("1240")
    frame.locator('[name="cvc"]').press_sequentially("123")


def open_merchant(page: Any, merchant: str, secret: str) -> Any:
    page.goto(f"{merchant}?secret={secret}")
    page.wait_for_selector("body[data-ready]")
    return page.frame_locator('iframe[title="Secure card number input frame"]')


def result(page: Any, text: str) -> None:
    sync_api.expect(page.locator("#result")).to_contain_text(text)


def setup(sandbox: Sandbox) -> Any:
    customer = sandbox.client.customers.create({})
    return sandbox.client.setup_intents.create({"customer": customer.id})


def test_a_card_is_saved(page: Any, merchant: str, sandbox: Sandbox) -> None:
    intent = setup(sandbox)
    card = open_merchant(page, merchant, intent.client_secret)
    assert page.locator("#card").bounding_box()["height"] in range(40, 47)
    card.locator('[name="cardnumber"]').click()
    page.keyboard.type("4242424242424242" + "1240" + "123")  # the fields pass the focus on
    sync_api.expect(page.locator("#change")).to_have_text("visa|true|false|")
    assert card.locator('[name="cardnumber"]').input_value() == "4242 4242 4242 4242"
    assert card.locator('[name="exp-date"]').input_value() == "12 / 40"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "save"
    page.keyboard.press("Enter")
    result(page, "setup_intent succeeded")
    done = sandbox.client.setup_intents.retrieve(intent.id, {"expand": ["payment_method"]})
    assert done.payment_method.card.last4 == "4242"
    assert done.payment_method.billing_details.name == "Owner"
    assert done.payment_method.customer == intent.customer


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("4242424242424241", "error invalid_number"),
        ("4000000000009995", "error card_declined Your card has insufficient funds."),
        ("42424242", "error incomplete_number"),
    ],
)
def test_a_bad_card_is_told(
    page: Any, merchant: str, sandbox: Sandbox, number: str, message: str
) -> None:
    card = open_merchant(page, merchant, setup(sandbox).client_secret)
    type_card(card, number)
    page.keyboard.press("Enter")  # sends the form around the field
    result(page, message)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("#test-source-authorize-3ds", "setup_intent succeeded"),
        ("#test-source-fail-3ds", "error setup_intent_authentication_failure We are unable"),
        ("Escape", "error setup_intent_authentication_failure We are unable"),
    ],
)
def test_a_challenge_decides(
    page: Any, merchant: str, sandbox: Sandbox, answer: str, expected: str
) -> None:
    card = open_merchant(page, merchant, setup(sandbox).client_secret)
    type_card(card, ALWAYS_ASKS)
    page.click("#save")
    dialog = page.get_by_role("dialog", name="3-D Secure authentication")
    bank = dialog.frame_locator("iframe")
    bank.locator("#test-source-authorize-3ds").wait_for()
    if answer == "Escape":
        page.keyboard.press("Escape")
    else:
        bank.locator(answer).click()
    result(page, expected)
    assert page.get_by_role("dialog").count() == 0


def test_who_gives_up_before_the_bank_has_answered_is_heard(
    page: Any, merchant: str, sandbox: Sandbox
) -> None:
    slow: list[Any] = []
    page.route("**/static/challenge.js", lambda route: slow.extend([route]))
    card = open_merchant(page, merchant, setup(sandbox).client_secret)
    type_card(card, ALWAYS_ASKS)
    page.click("#save")
    page.get_by_role("dialog", name="3-D Secure authentication").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")  # of which a page is not asked
    while not slow:
        page.wait_for_timeout(10)
    slow[0].continue_()
    result(page, "error setup_intent_authentication_failure")
    assert page.get_by_role("dialog").count() == 0


def test_a_payment_is_confirmed_in_the_browser(page: Any, merchant: str, sandbox: Sandbox) -> None:
    intent = sandbox.client.payment_intents.create({"amount": 3850, "currency": "omr"})
    card = open_merchant(page, merchant, intent.client_secret)
    type_card(card, ALWAYS_ASKS)
    page.click("#save")
    page.frame_locator("dialog iframe").locator("#test-source-authorize-3ds").click()
    result(page, "payment_intent succeeded")


def test_saved_cards_and_new_ones_need_no_form(page: Any, merchant: str, sandbox: Sandbox) -> None:
    intent = setup(sandbox)
    card = open_merchant(page, merchant, intent.client_secret)
    type_card(card, GOOD)
    made = page.evaluate("stripe.createPaymentMethod({ type: 'card', card })")
    assert made["paymentMethod"]["card"]["last4"] == "4242"
    done = page.evaluate(
        "([secret, id]) => stripe.confirmCardSetup(secret, { payment_method: id })",
        [intent.client_secret, made["paymentMethod"]["id"]],
    )
    assert done["setupIntent"]["status"] == "succeeded"
    seen = page.evaluate("secret => stripe.retrieveSetupIntent(secret)", intent.client_secret)
    assert seen["setupIntent"]["id"] == intent.id
    assert "metadata" not in seen["setupIntent"]
    page.evaluate("card.clear()")
    sync_api.expect(page.locator("#change")).to_have_text("unknown|false|true|")


def test_a_payment_left_waiting_is_authenticated_later(
    page: Any, merchant: str, sandbox: Sandbox
) -> None:
    intent = sandbox.client.payment_intents.create(
        {
            "amount": 3850,
            "currency": "omr",
            "confirm": True,
            "payment_method_types": ["card"],
            "payment_method": "pm_card_authenticationRequired",
        }
    )
    open_merchant(page, merchant, intent.client_secret)
    page.evaluate(
        "clientSecret => { stripe.handleNextAction({ clientSecret }).then((answer) => {"
        "document.getElementById('result').textContent = answer.paymentIntent.status; }); }",
        intent.client_secret,
    )
    bank = page.frame_locator("dialog iframe")
    sync_api.expect(bank.locator("#test-source-authorize-3ds")).to_be_focused()
    page.keyboard.press("Enter")
    result(page, "succeeded")


def test_a_payment_declined_off_session_is_completed_with_the_saved_card(
    page: Any, merchant: str, sandbox: Sandbox
) -> None:
    intent, method = declined_off_session(sandbox, sandbox.client.customers.create({}))
    open_merchant(page, merchant, intent.client_secret)
    confirm = (
        "([secret, id]) => { stripe.confirmCardPayment(secret, { payment_method: id }).then("
        "(answer) => { document.getElementById('result').textContent = answer.error"
        " ? `error ${answer.error.code}` : answer.paymentIntent.status; }); }"
    )
    bank = page.frame_locator("dialog iframe")
    page.evaluate(confirm, [intent.client_secret, method])
    bank.locator("#test-source-fail-3ds").click()
    result(page, "error payment_intent_authentication_failure")
    page.evaluate(confirm, [intent.client_secret, method])
    bank.locator("#test-source-authorize-3ds").click()
    result(page, "succeeded")


def pay_page(page: Any, sandbox: Sandbox, merchant: str) -> Any:
    session = sandbox.client.checkout.sessions.create(
        basket(
            success_url=f"{merchant}?done={{CHECKOUT_SESSION_ID}}",
            cancel_url=merchant,
            customer_email="owner@example.com",
        )
    )
    page.goto(session.url)
    return session


def test_the_payment_page_takes_another_card_after_a_decline(
    page: Any, merchant: str, sandbox: Sandbox
) -> None:
    session = pay_page(page, sandbox, merchant)
    sync_api.expect(page.locator("h1")).to_have_text("7.700 OMR")
    assert page.locator("#back").get_attribute("href") == merchant
    page.fill("#name", "Owner")
    type_card(page, "4000000000000002")
    page.click("#pay")
    sync_api.expect(page.locator("#error")).to_have_text("Your card was declined.")
    page.fill("#cardnumber", "")
    page.fill("#exp-date", "")
    page.fill("#cvc", "")
    type_card(page, ALWAYS_ASKS)
    page.click("#pay")
    bank = page.frame_locator("dialog iframe")
    bank.locator("#test-source-fail-3ds").click()
    sync_api.expect(page.locator("#error")).to_contain_text("unable to authenticate")
    page.click("#pay")
    bank.locator("#test-source-authorize-3ds").click()
    page.wait_for_url(f"**/?done={session.id}")
    paid = sandbox.client.checkout.sessions.retrieve(session.id)
    assert (paid.payment_status, paid.customer_details.name) == ("paid", "Owner")
    page.goto(f"{sandbox.url}/c/pay/{session.id}")
    sync_api.expect(page.locator("h1")).to_have_text("This payment was already made")


def test_a_page_that_expires_says_so(page: Any, merchant: str, sandbox: Sandbox) -> None:
    session = pay_page(page, sandbox, merchant)
    sandbox.client.checkout.sessions.expire(session.id)
    type_card(page, GOOD)
    page.click("#pay")
    sync_api.expect(page.locator("h1")).to_have_text("This payment page has expired")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible_and_fit_a_phone(
    page: Any, merchant: str, sandbox: Sandbox, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.emulate_media(color_scheme=scheme)
    session = pay_page(page, sandbox, merchant)
    intent = sandbox.client.payment_intents.create(
        {
            "amount": 3850,
            "currency": "omr",
            "confirm": True,
            "payment_method_types": ["card"],
            "payment_method": "pm_card_authenticationRequired",
        }
    )
    secret = setup(sandbox).client_secret
    addresses = [
        session.url,
        intent.next_action.use_stripe_sdk.to_dict()["stripe_js"],
        f"{merchant}?secret={secret}",
    ]
    for address in addresses:
        page.goto(address)
        found = axe.run(page)
        assert found.violations_count == 0, (address, found.generate_report())
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, address
