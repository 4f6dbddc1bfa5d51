"""An owner's month with JavaScript switched off: what the HTML itself offers is enough.

What a browser makes of it (folded questions, fields that need a script hidden) is looked at in
test_in_a_browser.py; only the card field, and the bank's question, need JavaScript.
"""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Account, ApiKey, Invitation
from accounts.roles import Role
from accounts.tests.factories import make_card
from billing_portal.dashboard.tests import scenes
from billing_portal.dashboard.tests.plain_html import Visitor
from wallet.models import AutoRefill, Wallet

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> Account:
    """On pay as you go with $60, a call, two cards and a colleague."""
    company = scenes.make_company()
    scenes.start_plan(company, "payg", at=timezone.now() - timedelta(days=2))
    scenes.top_up(company, "60.00", at=timezone.now() - timedelta(days=1))
    scenes.use(company, "call_minutes", "12", at=timezone.now() - timedelta(hours=3))
    scenes.make_member(company, Role.VIEWER, email="omar@muscat.test")
    make_card(company, is_default=True)
    make_card(company, brand="mastercard", last4="4444")
    return company


@pytest.fixture
def owner(account: Account, sign_in: Callable[..., Client]) -> Visitor:
    return Visitor(sign_in(account))


def test_every_section_of_the_settings_is_saved(account: Account, owner: Visitor) -> None:
    owner.open("/billing/")
    owner.follow("Settings")
    owner.send("/billing-details/", billing_name="Muscat Freight SAOC")
    owner.send("/receipt-copies/", addresses="books@muscat.test")
    owner.send("/time/", timezone="Asia/Dubai")
    owner.send("/low-balance/", told="on", limit="15")
    owner.send("/spend-cap/", capped="on", cap="80")

    account.refresh_from_db()
    wallet = Wallet.objects.get(account=account)
    assert account.billing_name == "Muscat Freight SAOC"
    assert account.receipt_copies == ["books@muscat.test"]
    assert str(account.timezone) == "Asia/Dubai"
    assert (wallet.low_balance_limit, wallet.spend_cap) == (15, 80)


def test_colleagues_and_keys_are_let_in_and_out(account: Account, owner: Visitor) -> None:
    owner.open("/billing/settings/members/")
    owner.send("/members/invite/", email="clerk@muscat.test", role="billing")
    owner.send("/revoke/")
    owner.sees("The invitation of clerk@muscat.test is revoked.")
    owner.send("/remove/")
    owner.sees("omar@muscat.test was removed")
    owner.follow("API keys")
    owner.send("/api-keys/new/", name="Spreadsheet")
    owner.sees("bp_")
    owner.send("/revoke/")
    owner.sees("Spreadsheet is revoked")
    owner.follow("Activity")
    owner.sees("Spreadsheet")

    assert Invitation.objects.get(account=account).revoked_at is not None
    assert ApiKey.objects.get(account=account).revoked_at is not None
    assert not account.memberships.filter(user__email="omar@muscat.test").exists()


def test_a_line_is_found_and_explained(owner: Visitor) -> None:
    owner.open("/billing/usage/")
    owner.send("/usage/", group="workspace")
    owner.sees("By workspace")
    owner.follow("Usage history")
    owner.send("/usage/history/", feature="call_minutes")
    owner.follow("Open the explanation")
    owner.sees("$1.80")


def test_cards_auto_refill_and_the_plan_are_changed(account: Account, owner: Visitor) -> None:
    owner.open("/billing/payment-methods/")
    owner.send("/default/")
    owner.send(f"/{account.cards.get(last4='4242').pk}/remove/")
    owner.sees("was removed")
    owner.open("/billing/")
    owner.send("/auto-refill/", enabled="on", threshold="10", amount="25")
    owner.open("/billing/plan/")
    owner.follow("Cancel the plan")
    owner.send("/cancel-plan/")
    owner.send("/keep-plan/")
    owner.sees("You keep Pay as you go.")

    assert [card.last4 for card in account.cards.filter(status="verified")] == ["4444"]
    assert AutoRefill.objects.get(wallet__account=account).enabled
    assert not account.subscriptions.get().cancel_at_period_end


def test_credit_is_bought_after_its_price_was_shown(owner: Visitor) -> None:
    owner.open("/billing/top-up/?amount=25.00")
    owner.send("/top-up/", own_amount="37.50")
    owner.sees("Check the amounts, then confirm.")
    owner.sees("Pay $37.50")
