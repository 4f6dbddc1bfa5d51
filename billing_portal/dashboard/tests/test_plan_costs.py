"""What each plan would have cost, and what each has, on the Plan page."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Account, Card
from accounts.roles import Role
from billing_portal.dashboard.plan_costs_panel import REGION, CostsPanel
from billing_portal.dashboard.plan_table import PlanTable
from plans import subscriptions
from plans.models import Plan, Subscription
from plans.renewals import renew_due
from plans.tests.changing_plans import hold, use
from plans.tests.subscribers import make_subscriber, version_of

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]
AddCard = Callable[..., Card]
HOUR = timedelta(hours=1)


@pytest.fixture
def begun() -> datetime:
    return timezone.now().replace(microsecond=0) - timedelta(days=40)


@pytest.fixture
def alice(add_card: AddCard, begun: datetime) -> Account:
    """On growth for 40 days: in the first period she used 640 minutes and took five numbers."""
    alice = make_subscriber(add_card, "growth", now=begun)
    hold(alice, "phone_number", 5, begun)
    use(alice, 640, begun + HOUR)
    renew_due(now=timezone.now())
    return alice


def page_of(client: Client, address: str = "/billing/plan/", **headers: str) -> Any:
    return client.get(address, headers=headers)


def costs_of(client: Client, address: str = "/billing/plan/") -> CostsPanel:
    costs: CostsPanel = page_of(client, address).context["costs"]
    return costs


def table_of(client: Client) -> PlanTable:
    table: PlanTable = page_of(client).context["table"]
    return table


def cells_of(table: PlanTable, title: str) -> dict[str, Any]:
    """Return a row's cells by plan."""
    row = next(row for row in table.rows if row.title == title)
    return {cell.plan: cell for cell in row.cells}


def test_each_plan_is_priced_on_the_last_period(alice: Account, sign_in: SignIn) -> None:
    costs = costs_of(sign_in(alice))

    assert costs.title == "What would the last period have cost?"
    assert costs.verdict == "Starter would have cost $11.70 less than Growth, your plan."
    assert [(row.name, row.amount, row.difference) for row in costs.rows] == [
        ("Starter", "$108.80", "$11.70 less than Growth"),  # 29 + 540 × 0.12 + 5 × 3
        ("Pay as you go", "$111.00", "$9.50 less than Growth"),  # 640 × 0.15 + 5 × 3
        ("Growth", "$120.50", ""),  # 99 + 140 × 0.10 + 3 × 2.50
    ]
    assert [row.name for row in costs.rows if row.is_cheapest] == ["Starter"]
    assert [row.name for row in costs.rows if row.is_current] == ["Growth"]
    assert [
        (line.label, line.note, line.value, line.difference) for line in costs.rows[0].lines
    ] == [
        ("Monthly price", "", "$29.00", "$70.00 less"),
        (
            "Call minutes",
            "640 minutes used, 540 minutes beyond what is included",
            "$64.80",
            "$50.80 more",
        ),
        (
            "Phone number",
            "Up to 5 numbers held, 5 numbers beyond what is included",
            "$15.00",
            "$7.50 more",
        ),
    ]


def test_fewer_periods_than_were_asked_for_are_told_of(alice: Account, sign_in: SignIn) -> None:
    costs = costs_of(sign_in(alice), "/billing/plan/?periods=6")

    assert costs.few == "You have had only 1 whole period so far."
    assert [(option.label, option.is_current) for option in costs.options] == [
        ("1 period", False),
        ("3 periods", False),
        ("6 periods", True),
    ]


def test_what_is_not_offered_is_as_if_nothing_was_asked(alice: Account, sign_in: SignIn) -> None:
    assert costs_of(sign_in(alice), "/billing/plan/?periods=7").options[0].is_current


def test_htmx_swaps_the_costs_alone(alice: Account, sign_in: SignIn) -> None:
    headers = {"HX-Request": "true", "HX-Target": REGION}

    html = page_of(sign_in(alice), "/billing/plan/?periods=3", **headers).content.decode()

    assert "$108.80" in html
    assert "<html" not in html


def test_a_viewer_sees_it_too(alice: Account, sign_in: SignIn) -> None:
    assert len(costs_of(sign_in(alice, role=Role.VIEWER)).rows) == 3


def test_the_page_asks_the_database_little(
    alice: Account, sign_in: SignIn, django_assert_max_num_queries: Any
) -> None:
    client = sign_in(alice)
    with django_assert_max_num_queries(12):
        page_of(client, "/billing/plan/?periods=6")


def test_the_first_period_is_priced_as_it_stands(add_card: AddCard, sign_in: SignIn) -> None:
    now = timezone.now() - timedelta(days=1)
    bob = make_subscriber(add_card, "starter", now=now)
    use(bob, 10, now + HOUR)

    costs = costs_of(sign_in(bob))

    assert costs.title == "What would this period have cost so far?"
    assert (costs.options, costs.few) == ((), "")
    assert costs.verdict == "Pay as you go would have cost $27.50 less than Starter, your plan."


def test_without_a_plan_it_says_what_will_be_here(account: Account, sign_in: SignIn) -> None:
    costs = costs_of(sign_in(account))

    assert costs.rows == ()
    assert costs.text.startswith("Once you have been on a plan")


def test_a_plan_that_lacks_what_was_held_says_so(
    add_card: AddCard, begun: datetime, sign_in: SignIn
) -> None:
    carol = make_subscriber(add_card, "growth", now=begun)
    hold(carol, "whitelabel_license", 1, begun)
    hold(carol, "call_concurrency", 15, begun)
    renew_due(now=timezone.now())

    costs = costs_of(sign_in(carol))

    assert costs.verdict == "Growth, your plan, is the cheapest for this."
    assert {row.name: row.lacking for row in costs.rows} == {
        "Growth": (),
        "Starter": ("White-label licence is not in this plan, and not in this amount.",),
        "Pay as you go": (
            "Call concurrency: you held 15; this plan allows 10, and only so many are priced.",
            "White-label licence is not in this plan, and not in this amount.",
        ),
    }


def test_the_table_says_what_differs_from_the_plan_in_force(
    alice: Account, sign_in: SignIn
) -> None:
    table = table_of(sign_in(alice))

    assert (table.names, table.current) == (("Pay as you go", "Starter", "Growth"), "Growth")
    minutes = cells_of(table, "Call minutes")
    assert minutes["Growth"].text == "500 minutes included"
    assert minutes["Growth"].details == (
        "then $0.10 per minute",
        "10% less beyond 5,000 minutes",
        "20% less beyond 20,000 minutes",
    )
    assert minutes["Growth"].differences == ()
    assert [each.text for each in minutes["Starter"].differences] == [
        "400 minutes fewer included",
        "$0.02 more each",
    ]
    assert cells_of(table, "Monthly price")["Starter"].differences[0].text == "$70.00 less"
    licence = cells_of(table, "White-label licence")["Starter"]
    assert (licence.is_absent, licence.differences[0].text) == (True, "Not in this plan")
    slots = cells_of(table, "Call concurrency")
    assert slots["Growth"].details == ("then $4.00 per slot a month", "at most 50")


def test_a_plan_in_force_that_is_sold_no_more_is_still_shown(
    alice: Account, sign_in: SignIn
) -> None:
    Plan.objects.filter(slug="growth").update(archived_at=timezone.now())
    client = sign_in(alice)

    assert table_of(client).current == "Growth"
    assert [row.name for row in costs_of(client).rows if row.is_current] == ["Growth"]


def test_an_enterprise_plan_stands_beside_the_public_ones_of_whom_it_was_given(
    alice: Account, sign_in: SignIn
) -> None:
    Subscription.objects.filter(pk=subscriptions.current(account=alice).pk).update(  # type: ignore[union-attr]
        plan_version=version_of("enterprise")
    )

    table = table_of(sign_in(alice))

    assert table.names == ("Pay as you go", "Starter", "Growth", "Enterprise")
    assert table.current == "Enterprise"
