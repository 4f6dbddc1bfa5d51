"""The bank wants the customer to confirm: a real browser, Stripe.js and Stripe's webhooks."""

import re
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone
from playwright.sync_api import expect

from accounts import cards, outbox
from accounts.models import Account, Card
from invoices.models import Purpose, Status, Transaction
from tests.live_portal import (
    Portal,
    Visit,
    Visitor,
    give_password,
    link_in_last_mail,
)
from wallet import refills
from wallet.models import AutoRefill
from wallet.tests.factories import switch_on

pytestmark = pytest.mark.browser

OWNER = "layla@muttrah.test"
ASKS = "pm_card_authenticationRequired"
ASKS_THEN_DECLINES = "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds"


@pytest.fixture
def account(portal: Portal) -> Account:
    account = portal.platform.provision("Muttrah Shipping LLC", owner=OWNER, plan="payg")
    give_password(OWNER)
    return account


def save_card(portal: Portal, account: Account, method: str) -> Card:
    account.refresh_from_db()
    setup = cards.begin(account=account)
    portal.sandbox.confirm_setup(setup.id, method)
    return cards.add(account=account, setup_intent_id=setup.id, by=None, now=timezone.now())


def refill_is_asked_for(portal: Portal, account: Account) -> Transaction:
    """Auto-refill charges the card while nobody is there; the bank wants it confirmed."""
    switch_on(account, amount="50", now=timezone.now())
    refills.refill_due(now=timezone.now(), account_ids=[account.pk])
    failed = Transaction.objects.get(account=account, purpose=Purpose.AUTO_REFILL)
    assert (failed.status, failed.failure_code) == (Status.FAILED, "authentication_required")
    return failed


def captured(portal: Portal) -> list[Any]:
    """The payments that the bank took money for, holds aside."""
    found = portal.stripe.payment_intents.list({"limit": 100}).data
    return [each for each in found if each.amount_received]


def confirms(visitor: Visitor, *, passed: bool = True) -> None:
    visitor.press("Confirm with your bank")
    visitor.answer_challenge(passed=passed)


def test_a_top_up_is_confirmed_on_the_spot_after_a_first_try_that_failed(
    portal: Portal, visit: Visit, account: Account
) -> None:
    save_card(portal, account, ASKS)
    owner = visit()
    owner.sign_in(OWNER)
    owner.open("/billing/top-up/?amount=25.00")
    owner.press("Pay $25.00")
    owner.sees("Confirm your payment")
    owner.reads("OMR 9.630")
    confirms(owner, passed=False)
    owner.reads("The payment was not confirmed. Nothing was charged; you can try again.")
    confirms(owner)
    owner.reads("Your payment of $25.00 is made; OMR 9.630 was charged.")
    owner.reads("Paid")
    portal.webhooks_delivered()
    assert portal.balance(account) == "25.000000"
    assert len(captured(portal)) == 1


def test_the_link_of_the_e_mail_leads_to_completing_the_same_payment(
    portal: Portal, visit: Visit, account: Account
) -> None:
    save_card(portal, account, ASKS)
    failed = refill_is_asked_for(portal, account)
    mail.outbox.clear()
    outbox.deliver_due(now=timezone.now())
    assert mail.outbox[-1].subject == "Confirm your payment of $50.00"
    owner = visit(width=390)
    owner.page.goto(link_in_last_mail(to=OWNER))
    owner.fills_in_sign_in(OWNER)
    owner.sees("Confirm your payment")
    owner.assert_fits()
    confirms(owner)
    owner.reads("Your payment of $50.00 is made; OMR 19.250 was charged.")
    portal.webhooks_delivered()
    assert portal.balance(account) == "50.000000"
    [payment] = captured(portal)
    assert payment.id == failed.stripe_payment_intent_id
    assert AutoRefill.objects.get(wallet__account=account).consecutive_failures == 0


def test_confirmed_and_then_declined_the_customer_reads_why(
    portal: Portal, visit: Visit, account: Account
) -> None:
    save_card(portal, account, ASKS_THEN_DECLINES)
    failed = refill_is_asked_for(portal, account)
    owner = visit()
    owner.sign_in(OWNER)
    owner.follow("Confirm payment")
    confirms(owner)
    owner.sees("Nothing to confirm")
    owner.reads("The card has insufficient funds. Nothing was charged.")
    expect(owner.page.get_by_role("button", name=re.compile("Confirm"))).to_have_count(0)
    failed.refresh_from_db()
    assert failed.failure_code == "insufficient_funds"
    assert captured(portal) == []


def test_what_was_paid_in_another_way_meanwhile_can_t_be_paid_again(
    portal: Portal, visit: Visit, account: Account
) -> None:
    save_card(portal, account, ASKS)
    failed = refill_is_asked_for(portal, account)
    owner = visit()
    owner.sign_in(OWNER)
    owner.open(f"/billing/history/{failed.number}/confirm/")
    owner.sees("Confirm your payment")
    # In the meantime another card becomes the default, and auto-refill tries again with it.
    other = save_card(portal, account, "pm_card_mastercard")
    cards.make_default(card=other, by=None, now=timezone.now())
    refills.refill_due(now=timezone.now(), account_ids=[account.pk])
    paid = Transaction.objects.get(account=account, status=Status.PAID)
    owner.press("Confirm with your bank")
    owner.sees("Nothing to confirm")
    owner.reads(f"It has been paid meanwhile, by {paid.number}.")
    portal.webhooks_delivered()
    assert portal.balance(account) == "50.000000"


def test_while_the_customer_answers_a_retry_takes_over_and_nothing_is_paid_twice(
    portal: Portal, visit: Visit, account: Account
) -> None:
    save_card(portal, account, ASKS)
    first = refill_is_asked_for(portal, account)
    owner = visit()
    owner.sign_in(OWNER)
    owner.open(f"/billing/history/{first.number}/confirm/")
    owner.press("Confirm with your bank")
    dialog = owner.page.get_by_role("dialog", name="3-D Secure authentication")
    expect(dialog).to_be_visible()
    # The bank's question is open when the retry is due.
    AutoRefill.objects.filter(wallet__account=account).update(next_attempt_at=None)
    refills.refill_due(now=timezone.now(), account_ids=[account.pk])
    second = Transaction.objects.get(account=account, supersedes=first)
    frame = dialog.frame_locator("iframe")
    with (
        owner.expecting("400 /3ds/.*"),
        owner.page.expect_response(lambda answer: "/3ds/" in answer.url and answer.status == 400),
        owner.page.expect_navigation(),  # the server is asked what came of it
    ):
        frame.locator("#test-source-authorize-3ds").click()
    portal.webhooks_delivered()
    first.refresh_from_db()
    assert (first.status, second.status) == (Status.FAILED, Status.FAILED)
    assert captured(portal) == []
    owner.open("/billing/")
    owner.follow("Confirm payment")
    owner.sees("Confirm your payment")
    confirms(owner)
    owner.reads("Your payment of $50.00 is made")
    assert [each.metadata["transaction"] for each in captured(portal)] == [second.number]


def test_without_javascript_the_page_says_what_to_do(
    portal: Portal, visit: Visit, account: Account
) -> None:
    save_card(portal, account, ASKS)
    refill_is_asked_for(portal, account)
    owner = visit(script=False)
    owner.sign_in(OWNER)
    owner.follow("Confirm payment")
    expect(owner.page.locator("noscript .banner")).to_be_visible()
    assert "is shown by Stripe and needs JavaScript." in owner.page.content()
    owner.press("Cancel this payment")
    owner.reads("The payment was canceled. Nothing was charged.")
