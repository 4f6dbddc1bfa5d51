"""The whole path, from the first call of the platform to the receipt, as the customer lives it."""

import io
import re

import pytest
from django.utils import timezone
from playwright.sync_api import expect
from pypdf import PdfReader

from accounts.models import Account, CardStatus
from invoices.models import Transaction
from tests.live_portal import (
    MASTERCARD,
    PASSWORD,
    VISA_WITH_CHALLENGE,
    Portal,
    Visit,
    Visitor,
    at_once,
    link_in_last_mail,
)
from wallet import refills

pytestmark = pytest.mark.browser

OWNER = "layla@muscatfreight.test"
COMPANY = "Muscat Freight LLC"


def test_a_customer_from_the_first_call_to_the_receipt(portal: Portal, visit: Visit) -> None:
    account = portal.platform.provision(COMPANY, owner=OWNER, timezone="Asia/Muscat")
    owner = visit()
    sets_a_password(owner)
    signs_in_and_finds_an_empty_account(owner)
    adds_a_card_with_a_challenge(owner, account)
    subscribes_to_growth(owner, account)
    tops_up_on_stripes_page(owner, account)
    makes_calls(portal, account)
    turns_on_auto_refill(owner, account)
    leaves_a_payment_page(owner)
    is_declined(owner)
    reads_the_history_and_the_receipt(owner)
    pays_on_the_page_left_open(owner, account)
    owner.sign_out()
    owner.open("/billing/")
    owner.sees("Sign in to billing")


def sets_a_password(owner: Visitor) -> None:
    """Nobody invented a password for the owner: the first one comes by the reset mail."""
    owner.open("/")
    owner.page.get_by_role("link", name=re.compile("[Ff]orgot")).click()
    owner.sees("Reset your password")
    owner.page.get_by_label("Email").fill(OWNER)
    owner.press("Send the link")
    owner.sees("Check your e-mail")
    link = link_in_last_mail(to=OWNER)
    assert link.startswith(owner.portal.url)
    owner.page.goto(link)
    owner.sees("Choose a new password")
    owner.page.get_by_label("New Password", exact=True).fill(PASSWORD)
    owner.page.get_by_label("New Password (again)").fill(PASSWORD)
    owner.press("Save the password")
    owner.sees("Your password is changed")


def signs_in_and_finds_an_empty_account(owner: Visitor) -> None:
    owner.sign_in(OWNER)
    owner.reads(COMPANY)
    expect(owner.panel("Credit balance")).to_contain_text("$0.00")
    expect(owner.panel("Credit balance")).to_contain_text("Services active")
    expect(owner.panel("Pay as you go plan")).to_contain_text("No monthly fee")
    expect(owner.panel("Recent activity")).to_contain_text("The plan Pay as you go began")
    expect(owner.page.get_by_role("switch", name="Auto-Refill")).to_be_disabled()


def adds_a_card_with_a_challenge(owner: Visitor, account: Account) -> None:
    owner.go("Payment Methods")
    owner.reads("No card yet")
    owner.follow("Add Payment Method")
    owner.sees("Add Payment Method")
    owner.reads("$1.00 hold")
    owner.page.get_by_label("Name on card").fill("Layla Al Said")
    owner.type_card(VISA_WITH_CHALLENGE)
    owner.press("Save card")
    owner.answer_challenge(passed=False)
    expect(owner.page.get_by_role("alert")).to_contain_text("unable to authenticate")
    owner.press("Save card")
    owner.answer_challenge(passed=True)
    owner.sees("Payment Methods")
    owner.reads("Visa ending 3155 was added. It is your default card.")
    row = owner.page.get_by_role("article", name="Visa ending 3155")
    expect(row).to_contain_text("Default")
    expect(row).to_contain_text("Expires 12 / 2040")
    expect(row).to_contain_text("Layla Al Said")

    card = account.cards.get()
    assert (card.status, card.is_default) == (CardStatus.VERIFIED, True)
    hold = owner.portal.stripe.payment_intents.retrieve(card.stripe_hold_id)
    assert (hold.amount, hold.currency, hold.status) == (390, "omr", "canceled")
    assert hold.amount_received == 0

    owner.go("Billing History")
    owner.reads("No payments yet")


def subscribes_to_growth(owner: Visitor, account: Account) -> None:
    owner.go("Plan")
    owner.follow("Choose Growth")
    owner.sees("Subscribe to Growth")
    expect(owner.panel("First period")).to_contain_text("$99.00")
    expect(owner.panel("First period")).to_contain_text("OMR 38.120")
    assert not Transaction.objects.exists()  # shown before anything is charged
    owner.press("Subscribe and pay $99.00")
    owner.sees("Billing Overview")
    owner.reads("You are on Growth now.")
    expect(owner.panel("Growth plan")).to_contain_text("Active")
    expect(owner.panel("Included in your plan")).to_contain_text("500")

    told = owner.portal.platform.get(f"accounts/{account.pk}/")
    assert told["plan"] == "growth"
    assert told["subscription"]["status"] == "active"
    assert account.subscriptions.get(status="active").current_period_number == 1
    assert told["balance"] == "0.000000"  # a plan is not credit


def tops_up_on_stripes_page(owner: Visitor, account: Account) -> None:
    owner.follow("Another amount or card")
    owner.sees("Add credit")
    owner.chooses("$25", charged="OMR 9.630")
    owner.page.get_by_label("Another card").check()
    summary = owner.panel("Summary")
    expect(summary).to_contain_text("Payment page")
    expect(summary).to_contain_text("OMR 9.630")
    owner.picture()
    owner.press("Continue to payment")
    owner.pay_on_stripes_page(MASTERCARD)
    owner.sees("$25.00 was added")
    owner.reads("Your balance is $25.00.")
    # The browser's return and the webhook both said so; it counts once.
    owner.portal.webhooks_delivered()
    assert owner.portal.kinds_of_credit(account) == ["top_up"]
    assert owner.portal.balance(account) == "25.000000"
    owner.page.reload()
    owner.reads("Your balance is $25.00.")
    owner.follow("Back to Billing Overview")
    expect(owner.panel("Credit balance")).to_contain_text("$25.00")


def makes_calls(portal: Portal, account: Account) -> None:
    included = portal.platform.report(account, "call_minutes", "500")
    assert (included["included_quantity"], included["amount"]) == ("500.000000", "0.000000")
    beyond = portal.platform.report(account, "call_minutes", "160.5")
    assert (beyond["billed_quantity"], beyond["amount"]) == ("160.500000", "16.050000")
    assert portal.platform.authorization(account) == {
        "allowed": True,
        "services": "active",
        "reasons": [],
        "balance": "8.950000",
        "included_remaining": "0.000000",
    }


def turns_on_auto_refill(owner: Visitor, account: Account) -> None:
    owner.go("Billing Overview")
    expect(owner.panel("Credit balance")).to_contain_text("$8.95")
    expect(owner.panel("Spend this period")).to_contain_text("$16.05")
    panel = owner.panel("Auto-Refill")
    panel.get_by_label("Threshold").fill("10")
    panel.get_by_label("Top Up Amount").fill("30")
    panel.get_by_role("switch", name="Auto-Refill").check()
    panel.get_by_role("button", name="Save").click()
    owner.sees("Turn on Auto-Refill?")
    owner.reads("$30.00 will be charged now")
    owner.reads("OMR 11.550")
    assert not account.transactions.filter(purpose="auto_refill").exists()
    owner.press("Turn on and charge $30.00")
    owner.sees("Billing Overview")
    owner.reads("Auto-Refill is on. The first top-up is being charged now.")

    # What workers do, nudged and sweeping at once: one of them finds something to do.
    assert sorted(at_once(4, lambda: refills.refill_due(now=timezone.now()))) == [0, 0, 0, 1]
    assert refills.refill_due(now=timezone.now()) == 0
    owner.portal.webhooks_delivered()
    assert owner.portal.kinds_of_credit(account) == ["top_up", "auto_refill"]
    assert account.transactions.filter(purpose="auto_refill").count() == 1
    owner.page.reload()
    owner.sees("Billing Overview")
    expect(owner.panel("Credit balance")).to_contain_text("$38.95")
    expect(panel.get_by_role("switch", name="Auto-Refill")).to_be_checked()
    expect(panel).to_contain_text("Paid, $30.00")


def leaves_a_payment_page(owner: Visitor) -> None:
    owner.follow("Another amount or card")
    owner.page.get_by_label("Own amount in USD").fill("40")
    owner.page.get_by_label("Another card").check()
    expect(owner.panel("Summary")).to_contain_text("OMR 15.400")
    owner.press("Continue to payment")
    owner.page.locator("#back").click()
    owner.sees("You left the payment page")
    owner.reads("Nothing was charged.")


def is_declined(owner: Visitor) -> None:
    owner.portal.sandbox.fail_next(action="decline", decline_code="insufficient_funds")
    owner.go("Billing Overview")
    owner.chooses("$50", charged="OMR 19.250")
    owner.press("Add $50.00")
    owner.sees("The payment failed")
    owner.reads("Nothing was charged.")


def reads_the_history_and_the_receipt(owner: Visitor) -> None:
    owner.go("Billing History")
    rows = owner.panel("Transactions").locator("tbody tr")
    expect(rows).to_have_count(5)
    for row, expected in zip(
        rows.all(),
        [
            ("Top-up", "Failed", "$50.00", "OMR 19.250"),
            ("Top-up", "Checkout", "$40.00", "OMR 15.400"),
            ("Auto-refill", "Paid", "$30.00", "OMR 11.550"),
            ("Top-up", "Paid", "$25.00", "OMR 9.630"),
            ("Plan", "Paid", "$99.00", "OMR 38.120"),
        ],
        strict=True,
    ):
        for text in expected:
            expect(row).to_contain_text(text)
    owner.page.get_by_label("Status").select_option("Paid")
    expect(rows).to_have_count(3)
    owner.page.get_by_label("Kind").select_option("Top-up")
    expect(rows).to_have_count(1)
    rows.first.get_by_role("link", name="Top-up").click()
    owner.sees("Top-up")
    owner.reads("Mastercard •••• 4444")

    name, pdf = owner.download(owner.page.get_by_role("link", name="Download PDF Receipt"))
    transaction = Transaction.objects.get(amount=25)
    assert name == f"receipt-{transaction.receipt_number}.pdf"
    text = read_pdf(pdf)
    for part in (
        "Badal Technologies",
        "Sultanate of Oman",
        COMPANY,
        OWNER,
        transaction.receipt_number,
        transaction.number,
        "Mastercard ending 4444",
        "$25.00",
        "OMR 9.630",
        "0.385",
    ):
        assert part in text, part


def pays_on_the_page_left_open(owner: Visitor, account: Account) -> None:
    owner.go("Billing History")
    owner.page.get_by_role("link", name=re.compile("^Continue payment")).click()
    owner.pay_on_stripes_page(VISA_WITH_CHALLENGE)
    owner.answer_challenge(passed=True)
    owner.sees("$40.00 was added")
    owner.reads("Your balance is $78.95.")
    owner.portal.webhooks_delivered()
    assert owner.portal.kinds_of_credit(account) == ["top_up", "auto_refill", "top_up"]


def read_pdf(content: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)
