"""The monthly spend cap in Settings and on the Overview: set, nearly reached, reached, raised."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import Account
from billing_portal.dashboard.tests import scenes
from plans import usage
from plans.usage_records import ParsedRecord
from wallet.models import Wallet

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]
PAGE = "/billing/settings/"
CAP = "/billing/settings/spend-cap/"


@pytest.fixture
def account() -> Account:
    """On the free plan, whose minutes cost $0.15 each."""
    account = scenes.make_company(balance="300", receipt_email="finance@muscat.test")
    scenes.start_plan(account, "payg", at=timezone.now())
    return account


def spend(account: Account, minutes: int) -> None:
    now = timezone.now()
    record = ParsedRecord(
        id=f"call-{minutes}",
        account=str(account.pk),
        feature="call_minutes",
        quantity=Decimal(minutes),
        occurred_at=now,
    )
    (result,) = usage.record(records=[record], now=now)
    assert result.status == "recorded"


def cap_of(account: Account) -> Decimal | None:
    return Wallet.objects.get(account=account).spend_cap


def test_a_cap_is_set_raised_and_removed(account: Account, sign_in: SignIn) -> None:
    spend(account, 100)
    client = sign_in(account, role="billing")
    assert "There is no cap. Usage has cost $15.00 in this period." in page(client)

    said = client.post(CAP, {"capped": "on", "cap": "50"}, follow=True).content.decode()

    assert "Usage may cost at most $50.00 in a period." in said
    assert "At $40.00, finance@muscat.test gets an e-mail. At $50.00 services pause" in said
    assert "$15.00 of $50.00" in said
    assert "$15.00 is spent already: a cap of that much or less pauses services" in said
    said = client.post(CAP, {"cap": "50"}, follow=True).content.decode()
    assert "There is no spend cap any more." in said
    assert cap_of(account) is None


def page(client: Client, path: str = PAGE) -> str:
    return client.get(path).content.decode()


def test_the_overview_warns_and_says_what_resumes_services(
    account: Account, sign_in: SignIn
) -> None:
    client = sign_in(account)
    client.post(CAP, {"capped": "on", "cap": "10"})
    html = page(client, "/billing/")
    assert "Left of the spend cap" in html
    assert "The spend cap is nearly reached." not in html

    spend(account, 55)  # $8.25
    html = page(client, "/billing/")
    assert "The spend cap is nearly reached." in html
    assert 'href="/billing/settings/#spend-cap"' in html
    # Nobody is promised the e-mail that was sent.
    assert "gets an e-mail. At $10.00" not in page(client)

    spend(account, 20)  # $11.25
    html = page(client, "/billing/")
    assert "Services are paused: the spend cap is reached." in html
    assert "Raise the cap" in html
    assert "services are paused and new calls are refused" in page(client)

    client.post(CAP, {"capped": "on", "cap": "20"})
    assert client.get("/billing/").context["overview"].banners == ()


def test_a_viewer_sees_the_cap_and_may_not_change_it(account: Account, sign_in: SignIn) -> None:
    sign_in(account).post(CAP, {"capped": "on", "cap": "10"})
    spend(account, 70)
    viewer = sign_in(account, role="viewer")
    assert "$10.50 of $10.00" in page(viewer)
    assert "Services are paused: the spend cap is reached." in page(viewer, "/billing/")
    assert "Raise the cap" not in page(viewer, "/billing/")
    assert viewer.post(CAP, {}).status_code == 403
    assert cap_of(account) == 10


@pytest.mark.parametrize(
    ("cap", "problem"),
    [
        ("", "Enter an amount above zero, in whole cents."),
        ("0", "Enter an amount above zero, in whole cents."),
        ("25,50", "Enter an amount like 25 or 25.50."),
        ("1000000.01", "Enter at most $1,000,000.00."),
    ],
)
def test_bad_input_is_explained_and_what_was_typed_stays(
    account: Account, sign_in: SignIn, cap: str, problem: str
) -> None:
    response = sign_in(account).post(CAP, {"capped": "on", "cap": cap})
    html = response.content.decode()
    assert response.status_code == 422
    assert problem in html
    assert f'value="{cap}"' in html or not cap
    assert cap_of(account) is None


def test_who_set_it_is_among_what_happened(account: Account, sign_in: SignIn) -> None:
    client = sign_in(account)
    client.post(CAP, {"capped": "on", "cap": "10"})
    client.post(CAP, {})
    html = page(client, "/billing/settings/activity/")
    assert "Spend cap set to $10.00 a month" in html
    assert "Spend cap removed" in html


@pytest.mark.parametrize("cap", ["", "10"])
def test_the_page_asks_little(
    account: Account,
    sign_in: SignIn,
    django_assert_max_num_queries: DjangoAssertNumQueries,
    cap: str,
) -> None:
    client = sign_in(account)
    client.post(CAP, {"capped": "on", "cap": cap})
    with django_assert_max_num_queries(12):
        client.get(PAGE)
