"""Usage: figures of some days, divided by feature or workspace, compared with the days before."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import Account
from billing_portal.dashboard.tests import scenes
from plans import daily_spend, usage
from plans.tests.factories import make_feature, make_record, make_subscription, make_version

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]
DAY = timedelta(days=1)


@pytest.fixture
def account() -> Account:
    """In its second period for ten days: a minute costs ten cents, a detection two."""
    company = scenes.make_company(balance="-1234567.89")
    make_feature("voicemail_detection", name="Voicemail detection", unit="detection")
    version = make_version(included="0", features={"voicemail_detection": ("0", "0.02")})
    make_subscription(company, version, anchor=timezone.now() - 41 * DAY, number=2)
    return company


def call(account: Account, quantity: int, *, days_ago: int, **fields: str) -> None:
    now = timezone.now()
    record = make_record(account, quantity, occurred_at=now - days_ago * DAY, **fields)
    usage.record(records=[record], now=now)


def figures(client: Client, query: str = "") -> dict[str, tuple[str, str]]:
    response = client.get(reverse("usage") + query)
    assert response.status_code == 200
    return {str(fact.label): (fact.value, fact.note) for fact in response.context["usage"].facts}


def some_calls(account: Account) -> None:
    call(account, 10, days_ago=2, workspace="Ruwi")
    call(account, 20, days_ago=1, workspace="Ruwi")
    call(account, 50, days_ago=1, feature="voicemail_detection")


def test_a_period_is_compared_with_as_many_days_of_the_last_one(
    account: Account, sign_in: SignIn, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    some_calls(account)
    call(account, 20, days_ago=32, workspace="Ruwi")
    call(account, 90, days_ago=20, workspace="Ruwi")
    client = sign_in(account, "viewer")

    with django_assert_max_num_queries(12):
        response = client.get(reverse("usage"))

    page = response.context["usage"]
    shown = {str(fact.label): (fact.value, fact.note) for fact in page.facts}
    assert shown == {
        "Cost": ("$4.00", "100% more than before"),
        "Records": ("3", "200% more than before"),
        "Average per record": ("$1.333333", "33% less than before"),
    }
    assert [(share.name, share.amount, share.part, share.quantity) for share in page.shares] == [
        ("Call minutes", "$3.00", "75%", "30 minutes"),
        ("Voicemail detection", "$1.00", "25%", "50 detections"),
    ]
    # Each line is of one feature, of which a call has one record.
    assert (page.calls_column, page.average_column) == ("Calls", "Average per call")
    assert page.chart is not None
    assert [row.before for row in page.chart.rows] == ["$0.00", "$2.00"]
    daily_spend.add_up(account_id=account.pk)
    assert figures(client) == shown


def test_by_workspace_and_of_one_feature(account: Account, sign_in: SignIn) -> None:
    some_calls(account)
    client = sign_in(account)

    page = client.get(reverse("usage") + "?group=workspace").context["usage"]
    assert [(share.name, share.amount) for share in page.shares] == [
        ("Ruwi", "$3.00"),
        ("No workspace", "$1.00"),
    ]
    assert (page.calls_column, page.average_column) == ("Records", "Average per record")
    assert not page.has_quantity
    of_one = figures(client, "?feature=call_minutes&workspace=Ruwi&days=30_days")
    assert of_one["Quantity"][0] == "30 minutes"
    assert of_one["Calls"][0] == "2"
    assert of_one["Cost"] == ("$3.00", "")


def test_each_line_leads_to_what_it_consists_of(account: Account, sign_in: SignIn) -> None:
    some_calls(account)
    client = sign_in(account)

    def hrefs(query: str) -> dict[str, str]:
        page = client.get(f"/billing/usage/{query}").context["usage"]
        return {share.name: share.href for share in page.shares}

    of_features = hrefs("?days=30_days")
    assert of_features["Call minutes"] == (
        "/billing/usage/?days=30_days&feature=call_minutes&group=workspace"
    )
    assert hrefs("?feature=call_minutes&group=workspace&days=30_days") == {
        "Ruwi": "/billing/usage/?days=30_days&feature=call_minutes&workspace=Ruwi",
    }
    assert hrefs("?feature=call_minutes&workspace=Ruwi&days=30_days") == {"Call minutes": ""}
    overview = client.get("/billing/").context["overview"]
    assert overview.workspaces[0].href == "/billing/usage/?workspace=Ruwi"


def test_what_grew_many_times_over_is_not_a_percentage(account: Account, sign_in: SignIn) -> None:
    call(account, 1, days_ago=32)
    call(account, 390, days_ago=1)
    assert figures(sign_in(account))["Cost"] == ("$39.00", "390 times as much as before")


def test_months_an_own_range_and_a_range_that_makes_no_sense(
    account: Account, sign_in: SignIn
) -> None:
    some_calls(account)
    call(account, 90, days_ago=34)
    client = sign_in(account)

    months = client.get(reverse("usage") + "?days=3_months&by=month").context["usage"]
    day = (timezone.now() - DAY).astimezone(account.timezone).date()
    own = figures(client, f"?date_from={day}&date_to={day}")
    wrong = client.get(reverse("usage") + f"?date_from={day}&date_to={day - DAY}&days=nonsense")

    assert months.chart is not None
    assert len(months.chart.bars) == 4
    assert own["Cost"][0] == "$3.00"
    assert "This is before the first date" in wrong.content.decode()
    for query in ("?date_from=0001-01-01", "?date_to=2999-12-31", "?date_from=2000-01-01"):
        assert client.get(reverse("usage") + query).status_code == 200


def test_what_the_plan_includes_costs_nothing_and_no_usage_is_said(
    account: Account, sign_in: SignIn
) -> None:
    client = sign_in(account)
    empty = client.get(reverse("usage"))
    assert "No usage in this period yet" in empty.content.decode()
    call(account, 0, days_ago=1)

    free = client.get(reverse("usage"))

    assert free.context["usage"].chart is None
    assert "your plan included all of it" in free.content.decode()
    nobody = sign_in(scenes.make_company(name="Without a plan"))
    assert nobody.get(reverse("usage")).status_code == 200
    assert nobody.get(reverse("usage") + "?days=last_period").status_code == 200


def test_htmx_is_answered_with_the_figures_alone(account: Account, sign_in: SignIn) -> None:
    headers = {"HX-Request": "true", "HX-Target": "usage-figures"}
    response = sign_in(account).get(reverse("usage"), headers=headers)
    assert "<html" not in response.content.decode()
