"""Changing, canceling and keeping a plan, through the pages, as the customer does."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import Account, Card
from accounts.roles import Role
from conftest import Sandbox
from plans import renewals, subscriptions
from plans.models import PlanChange
from plans.tests.changing_plans import hold, plan_of
from plans.tests.subscribers import make_subscriber

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]
AddCard = Callable[..., Card]


@pytest.fixture
def bob(add_card: AddCard) -> Account:
    """On starter since ten days ago."""
    return make_subscriber(add_card, "starter", now=timezone.now() - timedelta(days=10))


def quote_of(client: Client, slug: str) -> Any:
    return client.get(f"/billing/plan/{slug}/").context["quote"]


def agree(client: Client, slug: str) -> Any:
    sealed = quote_of(client, slug).sealed
    return client.post(f"/billing/plan/{slug}/", {"quote": sealed}, follow=True)


def plan_cards(client: Client) -> dict[str, Any]:
    return {card.slug: card for card in client.get("/billing/plan/").context["plans"].plans}


def text_of(response: Any) -> str:
    return str(response.content.decode())


def test_each_plan_has_the_button_that_leads_to_it(bob: Account, sign_in: SignIn) -> None:
    cards = plan_cards(sign_in(bob))
    assert cards["growth"].action == "Upgrade to Growth"
    assert (cards["starter"].badge, cards["starter"].action) == ("Current plan", "")
    assert cards["payg"].action == "Downgrade to Pay as you go"


@pytest.mark.parametrize(
    ("plan", "other"), [("starter", "growth"), ("growth", "starter"), ("payg", "growth")]
)
def test_the_exact_price_of_a_change_asks_the_database_twelve_times_at_most(
    add_card: AddCard,
    sign_in: SignIn,
    django_assert_max_num_queries: DjangoAssertNumQueries,
    plan: str,
    other: str,
) -> None:
    company = make_subscriber(add_card, plan, now=timezone.now() - timedelta(days=10))
    for rental in ("phone_number", "user_seat"):
        hold(company, rental, 2, timezone.now())
    client = sign_in(company)

    with django_assert_max_num_queries(12):
        assert quote_of(client, other).sealed


def test_an_upgrade_charges_the_total_that_was_shown(bob: Account, sign_in: SignIn) -> None:
    client = sign_in(bob)
    quote = quote_of(client, "growth")
    assert [line.label for line in quote.now.lines] == ["Growth plan", "Unused: Starter plan"]
    assert quote.button == f"Upgrade and pay {quote.now.total}"
    assert quote.later.total == "$99.00"

    response = agree(client, "growth")

    assert "You are on Growth now." in text_of(response)
    paid = bob.transactions.first()
    assert paid is not None
    assert f"${paid.amount.amount}" == quote.now.total
    assert plan_of(bob) == "growth"


def test_a_quote_that_is_too_old_is_shown_anew(
    bob: Account, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = sign_in(bob)
    sealed = quote_of(client, "growth").sealed
    later = timezone.now() + timedelta(minutes=11)
    monkeypatch.setattr("billing_portal.dashboard.views.plan.timezone.now", lambda: later)
    response = client.post("/billing/plan/growth/", {"quote": sealed})
    assert response.status_code == 422
    assert "look at it again" in text_of(response)
    assert plan_of(bob) == "starter"


def test_a_downgrade_waits_is_shown_and_can_be_taken_back(bob: Account, sign_in: SignIn) -> None:
    client = sign_in(bob)
    hold(bob, "phone_number", 2, timezone.now())
    quote = quote_of(client, "payg")
    assert quote.now is None
    assert quote.later.total == "$6.00"
    assert "Nothing is charged now" in " ".join(quote.notes)

    response = agree(client, "payg")

    assert "Your plan changes to Pay as you go on " in text_of(response)
    cards = plan_cards(client)
    assert cards["payg"].badge.startswith("From ")
    assert (cards["starter"].action, cards["starter"].is_undo) == ("Keep Starter", True)
    overview = client.get("/billing/").context["overview"]
    assert overview.banners[0].title.startswith("Your plan changes to Pay as you go on ")
    assert overview.plan.text.startswith("Changes to Pay as you go")
    assert overview.plan.charge.total == "$6.00"

    assert "You keep Starter." in text_of(client.post("/billing/keep-plan/", follow=True))
    assert PlanChange.objects.get(account=bob).status == "canceled"
    assert "nothing to take back" in text_of(client.post("/billing/keep-plan/", follow=True))


def test_what_will_be_released_is_said_before(add_card: AddCard, sign_in: SignIn) -> None:
    account = make_subscriber(add_card, "growth", now=timezone.now() - timedelta(days=3))
    hold(account, "call_concurrency", 50, timezone.now())
    quote = quote_of(sign_in(account), "starter")
    assert quote.releases_title.startswith("Released on ")
    assert [(each.label, each.value, each.note) for each in quote.releases] == [
        ("Call concurrency", "30 of 50", "Starter allows 20")
    ]


def test_canceling_says_what_ends_and_can_be_undone(bob: Account, sign_in: SignIn) -> None:
    client = sign_in(bob)
    hold(bob, "phone_number", 2, timezone.now())
    cancel = client.get("/billing/cancel-plan/").context["cancel"]
    assert [each.label for each in cancel.ends] == ["Starter plan", "Phone number"]
    assert cancel.stays[0].label == "Credit"
    assert cancel.alternative == "Change to Pay as you go instead"

    response = client.post("/billing/cancel-plan/", follow=True)

    assert "Canceled: Starter ends on " in text_of(response)
    assert plan_cards(client)["growth"].action_href == ""
    overview = client.get("/billing/").context["overview"]
    assert (overview.plan.badge, overview.banners[0].action) == ("Ends soon", "Keep Starter")
    again = client.post("/billing/cancel-plan/")
    assert again.status_code == 422
    assert "canceled already" in text_of(again)

    client.post("/billing/keep-plan/")
    assert client.get("/billing/").context["overview"].plan.badge == "Active"


def test_the_page_of_a_canceled_account_leads_back(bob: Account, sign_in: SignIn) -> None:
    client = sign_in(bob)
    client.post("/billing/cancel-plan/")
    current = subscriptions.current(account=bob)
    assert current is not None
    assert current.current_period_end is not None
    renewals.renew_due(now=current.current_period_end)

    overview = client.get("/billing/").context["overview"]
    assert overview.banners[0].title == "Starter has ended."
    page = client.get("/billing/plan/").context["plans"]
    assert page.intro.startswith("Starter ended on ")
    assert not page.can_cancel
    assert plan_cards(client)["starter"].action == "Choose Starter"

    assert "You are on Starter now." in text_of(agree(client, "starter"))


def test_past_due_only_paying_or_canceling_at_once_is_offered(
    add_card: AddCard, sign_in: SignIn, sandbox: Sandbox
) -> None:
    account = make_subscriber(add_card, "starter", now=timezone.now() - timedelta(days=40))
    sandbox.control(
        f"payment_methods/{account.cards.get().stripe_payment_method_id}/behaviour",
        {"decline_code": "insufficient_funds"},
    )
    renewals.renew_due(now=timezone.now())
    client = sign_in(account)
    assert "Pay it first" in plan_cards(client)["growth"].action
    cancel = client.get("/billing/cancel-plan/").context["cancel"]
    assert (cancel.button, cancel.alternative) == ("Cancel now", "")
    assert "Canceled: Starter ended on " in text_of(
        client.post("/billing/cancel-plan/", follow=True)
    )
    assert subscriptions.current(account=account) is None


@pytest.mark.parametrize("path", ["plan/growth/", "cancel-plan/", "keep-plan/"])
def test_a_viewer_changes_nothing(bob: Account, sign_in: SignIn, path: str) -> None:
    viewer = sign_in(bob, role=Role.VIEWER)
    assert viewer.post(f"/billing/{path}").status_code == 403
    assert not any(card.action for card in plan_cards(viewer).values())
