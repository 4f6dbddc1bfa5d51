"""Plans: the comparison, the quote, subscribing, paying what is due."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts import gateway
from accounts.models import Account
from accounts.stripe_objects import Outcome, Payment
from accounts.tests.factories import make_card
from billing_portal.dashboard.plan_page import PlanCard, build_plan_page
from billing_portal.dashboard.plan_state import read_plan_state
from billing_portal.dashboard.tests import scenes
from plans import subscriptions

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]


def cards_of(account: Account, *, may_act: bool = True) -> dict[str, PlanCard]:
    """Return the plans of the comparison."""
    state = read_plan_state(account=account, may_act=may_act, now=timezone.now())
    return {plan.slug: plan for plan in build_plan_page(state).plans}


def agree(client: Client, slug: str, **data: str) -> Any:
    """Look at the page of a plan and agree to what it shows."""
    sealed = client.get(f"/billing/plan/{slug}/").context["quote"].sealed
    return client.post(f"/billing/plan/{slug}/", {"quote": sealed, **data}, follow=True)


@pytest.fixture(autouse=True)
def catalogue() -> None:
    scenes.plan_version("payg")


def bank_says(monkeypatch: pytest.MonkeyPatch, outcome: Outcome) -> None:
    """Answer the next charge."""

    def charge(**asked: object) -> Payment:
        return Payment(
            outcome,
            payment_intent_id="pi_1",
            amount_minor=38120,
            currency="omr",
            failure_code="card_declined",
            failure_message="Your bank declined the card.",
        )

    monkeypatch.setattr(gateway, "charge_card", charge)


def test_public_plans_stand_side_by_side_with_their_prices(account: Account) -> None:
    plans = cards_of(account)

    assert list(plans) == ["payg", "starter", "growth"]  # enterprise is not public
    assert plans["growth"].price == "$99.00"
    assert plans["growth"].action_href == "/billing/plan/growth/"


def test_the_plan_in_force_is_marked_and_can_t_be_chosen_again(account: Account) -> None:
    scenes.start_plan(account, "payg", at=timezone.now())

    plans = cards_of(account)

    assert (plans["payg"].badge, plans["payg"].action_href) == ("Current plan", "")
    assert plans["starter"].action_href == "/billing/plan/starter/"


def test_a_viewer_compares_without_buttons(account: Account) -> None:
    assert not any(plan.action_href for plan in cards_of(account, may_act=False).values())


def test_the_quote_shows_exactly_what_will_be_charged(account: Account, sign_in: SignIn) -> None:
    make_card(account, is_default=True)

    html = sign_in(account).get("/billing/plan/growth/").content.decode()

    for text in ("$99.00", "OMR 38.120", "Visa •••• 4242", "Subscribe and pay $99.00"):
        assert text in html


def test_without_a_card_the_way_leads_through_adding_one(account: Account, sign_in: SignIn) -> None:
    html = sign_in(account).get("/billing/plan/growth/").content.decode()

    assert "/billing/payment-methods/add/?next=/billing/plan/growth/" in html
    assert "Subscribe and pay" not in html


def test_a_free_plan_starts_without_a_card(account: Account, sign_in: SignIn) -> None:
    response = agree(sign_in(account), "payg")

    assert "You are on Pay as you go now." in response.content.decode()
    current = subscriptions.current(account=account)
    assert current is not None
    assert current.plan_version.plan.slug == "payg"


def test_subscribing_charges_and_begins_the_first_period(
    account: Account, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_card(account, is_default=True)
    bank_says(monkeypatch, Outcome.SUCCEEDED)

    response = agree(sign_in(account), "growth")

    assert "You are on Growth now." in response.content.decode()
    assert subscriptions.current(account=account) is not None


def test_a_declined_card_is_explained_and_nothing_begins(
    account: Account, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_card(account, is_default=True)
    bank_says(monkeypatch, Outcome.DECLINED)

    response = agree(sign_in(account), "growth")

    assert response.status_code == 422
    assert "Your bank declined the card. Nothing was charged." in response.content.decode()
    assert subscriptions.current(account=account) is None


@pytest.mark.parametrize("quote", ["", "98.00", "a:b:c"])
def test_a_quote_other_than_the_one_shown_is_never_charged(
    account: Account, sign_in: SignIn, quote: str
) -> None:
    make_card(account, is_default=True)

    response = sign_in(account).post("/billing/plan/growth/", {"quote": quote})

    assert response.status_code == 422
    assert "look at it again" in response.content.decode()
    assert account.transactions.count() == 0


@pytest.mark.parametrize("slug", ["enterprise", "nonsense"])
def test_a_plan_that_is_not_offered_does_not_exist(
    account: Account, sign_in: SignIn, slug: str
) -> None:
    assert sign_in(account).get(f"/billing/plan/{slug}/").status_code == 404


def test_pay_now_when_nothing_is_due_says_so(account: Account, sign_in: SignIn) -> None:
    response = sign_in(account).post("/billing/pay-now/", follow=True)

    assert "Nothing is unpaid." in response.content.decode()


def test_an_unpaid_renewal_is_itemised_and_can_be_paid_at_once(
    sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = scenes.past_due_company()
    client = sign_in(account)

    overview = client.get("/billing/").context["overview"]

    assert overview.banners[0].title == "Your plan's renewal failed."
    assert overview.banners[0].text.startswith("The card has insufficient funds. We try again on ")
    assert (overview.banners[0].action, overview.banners[0].is_post) == ("Pay now", True)
    assert overview.plan.badge == "Past due"
    assert [(line.label, line.note, line.value) for line in overview.plan.charge.lines] == [
        ("Growth plan", "", "$99.00"),
        ("Phone number (5 held, 2 included)", "3 numbers at $2.50", "$7.50"),
    ]
    assert overview.plan.charge.total == "$106.50"
    assert "until then usage is deducted" in overview.allowance_note

    charged: list[str] = []

    def charge(**asked: object) -> Payment:
        charged.append(str(asked["amount"].amount))  # type: ignore[attr-defined]
        return Payment(
            Outcome.SUCCEEDED, payment_intent_id="pi_1", amount_minor=41000, currency="omr"
        )

    monkeypatch.setattr(gateway, "charge_card", charge)
    response = client.post("/billing/pay-now/", follow=True)

    assert charged == ["41.000"]
    assert "The renewal is paid." in response.content.decode()
    assert response.context["overview"].plan.badge == "Active"


def test_a_failed_renewal_can_be_paid_from_its_page(sign_in: SignIn) -> None:
    account = scenes.past_due_company()
    failed = account.transactions.get(purpose="renewal")

    mine = sign_in(account).get(f"/billing/history/{failed.number}/").content.decode()
    viewer = sign_in(account, role="viewer").get(f"/billing/history/{failed.number}/")

    assert "/billing/pay-now/" in mine
    assert "/billing/pay-now/" not in viewer.content.decode()
