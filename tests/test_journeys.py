"""Shorter journeys of customers through the whole portal, in a real browser."""

import io
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect
from pypdf import PdfReader

from accounts.models import Card
from accounts.tests.stripe_side import decline_from_now_on
from billing_portal.dashboard.tests.scenes import make_member
from plans import provisioning, renewals, subscriptions
from plans.models import Plan
from tests.live_portal import (
    MASTERCARD,
    PASSWORD,
    VISA,
    Portal,
    Visit,
    Visitor,
    give_password,
)

AddCard = Callable[..., Card]

pytestmark = pytest.mark.browser

OWNER = "layla@muscatfreight.test"
COMPANY = "Muscat Freight LLC"


def read_pdf(content: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)


def test_services_pause_below_zero_and_a_top_up_resumes_them(portal: Portal, visit: Visit) -> None:
    account = portal.platform.provision("Nizwa Dates", owner="salim@nizwa.test")
    give_password("salim@nizwa.test")
    assert portal.platform.authorization(account)["allowed"]  # exactly zero: not paused yet

    portal.platform.report(account, "call_minutes", "42")
    asked = portal.platform.authorization(account)
    assert (asked["allowed"], asked["services"]) == (False, "paused")
    assert (asked["reasons"], asked["balance"]) == (["negative_balance"], "-6.300000")

    owner = visit(dark=True)
    owner.sign_in("salim@nizwa.test")
    expect(owner.panel("Credit balance")).to_contain_text("Services paused")
    expect(owner.panel("Credit balance")).to_contain_text("\N{MINUS SIGN}$6.30")
    owner.reads("They resume by themselves as soon as the balance is above zero.")
    # The banner proposes what the plan accepts and what lifts the balance above zero.
    owner.follow("Add credit")
    owner.sees("Add credit")
    expect(owner.panel("Summary")).to_contain_text("$3.70")
    owner.press("Continue to payment")
    owner.pay_on_stripes_page(VISA)
    owner.sees("$10.00 was added")
    owner.follow("Back to Billing Overview")
    expect(owner.panel("Credit balance")).to_contain_text("Services active")
    expect(owner.panel("Credit balance")).to_contain_text("$3.70")
    asked = portal.platform.authorization(account)
    assert (asked["allowed"], asked["reasons"], asked["balance"]) == (True, [], "3.700000")


def test_credit_appears_when_only_the_webhook_comes(portal: Portal, visit: Visit) -> None:
    account = portal.platform.provision("Sur Shipyard", owner="huda@sur.test")
    give_password("huda@sur.test")
    owner = visit()
    owner.sign_in("huda@sur.test")
    owner.chooses("$50", charged="OMR 19.250")
    owner.press("Add $50.00")
    owner.page.wait_for_url(f"{portal.sandbox.url}/c/pay/**")
    session_id = owner.page.url.rpartition("/")[2]
    # The battery dies just after the payment: the browser never comes back.
    portal.sandbox.control(f"checkout/{session_id}/pay", {"payment_method": "pm_card_amex"})
    portal.webhooks_delivered()
    assert portal.kinds_of_credit(account) == ["top_up"]
    # It does come back the next day, signed out, and once more.
    owner.context.clear_cookies()
    for path in (f"/billing/top-up/return/?session_id={session_id}",) * 2:
        owner.open(path)
        if "/accounts/login/" in owner.page.url:
            owner.fills_in_sign_in("huda@sur.test")
        owner.sees("$50.00 was added")
        owner.reads("Your balance is $50.00.")
    assert portal.kinds_of_credit(account) == ["top_up"]


def test_credit_appears_once_however_late_and_often_webhooks_come(
    portal: Portal, visit: Visit
) -> None:
    account = portal.platform.provision("Sohar Steel", owner="amal@sohar.test")
    give_password("amal@sohar.test")
    portal.sandbox.control("webhooks", {"held": True})
    owner = visit()
    owner.sign_in("amal@sohar.test")
    owner.press("Add $25.00")
    with owner.expecting("402 .*"):
        owner.pay_on_stripes_page("4000 0000 0000 9995")
        expect(owner.page.locator("#error")).to_contain_text("insufficient funds")
    owner.pay_on_stripes_page(MASTERCARD)
    owner.sees("$25.00 was added")
    assert portal.kinds_of_credit(account) == ["top_up"]
    # Then they come in the wrong order, and each twenty times at once.
    portal.sandbox.control("webhooks", {"held": False, "order": "reverse"})
    told = ["payment_intent.payment_failed", "charge.succeeded", "checkout.session.completed"]
    events = portal.stripe.events.list({"types": told}).data
    assert {event.type for event in events} == set(told)
    for event in events:
        portal.sandbox.control(f"events/{event.id}/resend", {"times": 20})
    portal.webhooks_delivered()
    assert portal.kinds_of_credit(account) == ["top_up"]
    assert portal.balance(account) == "25.000000"
    assert account.transactions.get().status == "paid"


def test_a_renewal_that_was_declined_is_paid_by_hand(
    portal: Portal, visit: Visit, add_card: AddCard
) -> None:
    now = timezone.now()
    last_month = now - timedelta(days=32)
    account = provisioning.provision(
        external_id="bahla", name="Bahla Pottery", owner_email="maha@bahla.test", now=last_month
    )
    give_password("maha@bahla.test")
    card = add_card(account, now=last_month)
    growth = subscriptions.latest_version(plan=Plan.objects.get(slug="growth"))
    assert growth is not None
    subscriptions.subscribe(account=account, plan_version=growth, by=None, now=last_month)
    decline_from_now_on(portal.sandbox, card, "insufficient_funds")
    assert renewals.renew_due(now=now).failed == 1

    owner = visit()
    owner.sign_in("maha@bahla.test")
    owner.reads("Your plan's renewal failed. The card has insufficient funds.")
    assert portal.platform.authorization(account)["allowed"]  # for seven days
    owner.panel("Growth plan").get_by_role("button", name="Pay now").click()
    owner.sees("Renewal")
    owner.reads("The card has insufficient funds. Nothing was charged.")
    decline_from_now_on(portal.sandbox, card, None)
    owner.press("Pay now")
    owner.sees("Billing Overview")
    owner.reads("The renewal is paid. Thank you.")
    expect(owner.panel("Growth plan")).to_contain_text("Active")
    owner.go("Billing History")
    badges = owner.panel("Transactions").locator("tbody tr .badge")
    expect(badges).to_have_text(["Paid", "Failed", "Failed", "Paid"])
    subscription = account.subscriptions.get(status="active")
    assert subscription.current_period_number == 2


def test_a_viewer_sees_everything_and_changes_nothing(
    portal: Portal, visit: Visit, add_card: AddCard
) -> None:
    account = portal.platform.provision(COMPANY, owner=OWNER, plan="growth")
    give_password(OWNER)
    card = add_card(account)
    owner = visit()
    owner.sign_in(OWNER)
    owner.follow("Pay for the plan")
    owner.press("Subscribe and pay $99.00")
    owner.sees("Billing Overview")
    owner.press("Add $50.00")
    owner.reads("$50.00 was added. OMR 19.250 was charged to Visa ending 4242.")
    number = account.transactions.latest("created_at").number
    portal.webhooks_delivered()

    make_member(account, "viewer", email="auditor@muscatfreight.test")
    give_password("auditor@muscatfreight.test")
    viewer = visit()
    viewer.sign_in("auditor@muscatfreight.test")
    for text in ("$50.00", "Growth plan", "0 of 500 minutes", "Top-up"):
        viewer.reads(text)
    offers_nothing_to_change(viewer)
    for name, text in (
        ("Payment Methods", "Visa •••• 4242"),
        ("Billing History", "OMR 19.250"),
        ("Plan", "Current plan"),
    ):
        viewer.go(name)
        viewer.reads(text)
        offers_nothing_to_change(viewer)
    viewer.open(f"/billing/history/{number}/")
    _, pdf = viewer.download(viewer.page.get_by_role("link", name="Download PDF Receipt"))
    assert number in read_pdf(pdf)
    offers_nothing_to_change(viewer)

    for path, fields in (
        ("top-up/", {"amount": "50.00", "shown": "50.00", "pay_with": str(card.pk)}),
        ("auto-refill/", {"enabled": "on", "threshold": "90", "amount": "50", "confirmed": "1"}),
        ("payment-methods/setup-intent/", {}),
        ("payment-methods/add/", {"setup_intent": "seti_1"}),
        (f"payment-methods/{card.pk}/default/", {}),
        (f"payment-methods/{card.pk}/remove/", {}),
        ("plan/starter/", {"total": "29.00"}),
        ("pay-now/", {}),
    ):
        with viewer.expecting(f"403 /billing/{path}"):
            assert viewer.forges(f"/billing/{path}", fields) == 403
    portal.webhooks_delivered()
    assert account.transactions.count() == 2
    assert list(account.cards.values_list("status", "is_default")) == [("verified", True)]


def offers_nothing_to_change(viewer: Visitor) -> None:
    expect(viewer.page.locator("main form[method=post]")).to_have_count(0)
    expect(viewer.page.locator("main a[href*='top-up'], main a[href*='/add/']")).to_have_count(0)


def test_on_a_phone_a_card_is_added_and_charged_in_one_click(portal: Portal, visit: Visit) -> None:
    account = portal.platform.provision("مسقط للشحن", owner="noor@shahn.test")
    give_password("noor@shahn.test")
    owner = visit(width=390)
    owner.sign_in("noor@shahn.test")
    owner.reads("مسقط للشحن")
    owner.assert_fits()
    owner.go("Payment Methods")
    owner.assert_fits()
    owner.follow("Add Payment Method")
    owner.sees("Add Payment Method")
    owner.page.get_by_label("Name on card").fill("Noor Al Balushi")
    owner.type_card("4000 0000 0000 0002")
    owner.assert_fits()
    with owner.expecting("402 .*/v1/setup_intents/.*/confirm"):
        owner.press("Save card")
        expect(owner.page.get_by_role("alert")).to_contain_text("Your card was declined.")
        owner.picture()
    # The same form takes another card after a decline.
    owner.type_card(VISA)
    owner.press("Save card")
    owner.sees("Payment Methods")
    owner.reads("Visa ending 4242 was added.")
    owner.assert_fits()
    owner.go("Billing Overview")
    owner.page.get_by_role("button", name="Add $25.00").dblclick()  # an impatient thumb
    owner.reads("$25.00 was added. OMR 9.630 was charged to Visa ending 4242.")
    expect(owner.panel("Credit balance")).to_contain_text("$25.00")
    owner.assert_fits()
    owner.picture()
    portal.webhooks_delivered()
    assert portal.kinds_of_credit(account) == ["top_up"]
    owner.go("Billing History")
    owner.assert_fits()
    owner.sign_out()


def test_who_was_signed_out_meanwhile_is_told_so_and_finds_back(
    portal: Portal, visit: Visit, add_card: AddCard
) -> None:
    account = portal.platform.provision("Ibra Dates", owner="zahra@ibra.test")
    give_password("zahra@ibra.test")
    add_card(account)
    owner = visit()
    owner.sign_in("zahra@ibra.test")
    owner.open("/billing/payment-methods/add/")
    owner.page.get_by_label("Name on card").fill("Zahra Al Hinai")
    owner.type_card(VISA)
    owner.context.clear_cookies(name="sessionid")
    owner.press("Save card")
    expect(owner.page.get_by_role("alert")).to_contain_text("You were signed out meanwhile.")

    owner.sign_in("zahra@ibra.test")
    owner.context.clear_cookies(name="sessionid")
    save = owner.panel("Auto-Refill").get_by_role("button", name="Save")
    owner.panel("Auto-Refill").get_by_label("Threshold").fill("15.00")
    save.click()
    told = owner.page.get_by_role("alert")
    expect(told).to_contain_text("You are signed out.")
    assert owner.refusals == ["401 /billing/auto-refill/"]
    owner.refusals.clear()
    with owner.context.expect_page() as opened:
        told.get_by_role("link", name="Sign in").click()
    opened.value.get_by_label("Email").fill("zahra@ibra.test")
    opened.value.get_by_label("Password", exact=True).fill(PASSWORD)
    opened.value.get_by_role("button", name="Sign in").click()
    expect(opened.value.get_by_role("heading", name="Billing Overview")).to_be_visible()

    save.click()
    expect(owner.page.get_by_role("status").filter(has_text="Auto-Refill")).to_be_focused()
    expect(owner.panel("Auto-Refill").get_by_label("Threshold")).to_have_value("15.00")


def test_without_javascript_credit_is_bought_on_stripes_page(portal: Portal, visit: Visit) -> None:
    account = portal.platform.provision("Salalah Frankincense", owner="said@salalah.test")
    give_password("said@salalah.test")
    owner = visit(script=False)
    owner.sign_in("said@salalah.test")
    owner.follow("Another amount or card")
    owner.page.get_by_label("Own amount in USD").fill("12.50")
    owner.press("Continue to payment")
    owner.reads("Check the amounts, then confirm.")  # nothing is charged that was not shown
    expect(owner.panel("Summary")).to_contain_text("OMR 4.810")
    owner.picture()
    owner.press("Continue to payment")
    owner.page.wait_for_url(f"{portal.sandbox.url}/c/pay/**")
    # Stripe's page itself needs a script; it sends the customer back like this.
    session_id = owner.page.url.rpartition("/")[2]
    paid = portal.sandbox.control(f"checkout/{session_id}/pay")
    owner.page.goto(paid["success_url"].replace("{CHECKOUT_SESSION_ID}", session_id))
    owner.sees("$12.50 was added")
    portal.webhooks_delivered()
    assert portal.kinds_of_credit(account) == ["top_up"]
    owner.follow("Back to Billing Overview")
    expect(owner.panel("Credit balance")).to_contain_text("$12.50")
    owner.sign_out()


def test_a_browser_that_complains_fails_its_test(visit: Visit) -> None:
    visitor = visit()
    visitor.open("/accounts/login/")
    with visitor.page.expect_console_message(lambda message: "policy:" in message.text):
        visitor.page.evaluate(
            "document.head.append(Object.assign(document.createElement('script'), {text: '1'}))"
        )
    assert any("script-src-elem forbids inline" in each for each in visitor.complaints)
    visitor.complaints.clear()
