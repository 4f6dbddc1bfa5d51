"""The Overview reads the database as often for an old and busy account as for a new one."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import Account, CardStatus
from accounts.tests.factories import make_card
from billing_portal.dashboard.tests import scenes
from invoices.models import Status
from invoices.tests.factories import make_transaction
from plans import cancellation, opening, spend_caps

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]
#: Reading the page costs this much, however long the account's history is.
QUERIES = 12


def test_the_page_takes_a_constant_number_of_queries(
    django_assert_max_num_queries: DjangoAssertNumQueries, sign_in: SignIn
) -> None:
    account = scenes.busy_company()
    client = sign_in(account)
    client.get("/billing/")

    with django_assert_max_num_queries(QUERIES):
        client.get("/billing/")
    for day in range(10):
        at = timezone.now() - timedelta(days=day)
        make_transaction(account, status=Status.FAILED, created_at=at)
        scenes.use(account, "call_minutes", "12", at=at)
    with django_assert_max_num_queries(QUERIES):
        client.get("/billing/")


def test_an_earlier_period_costs_no_further_query(
    django_assert_max_num_queries: DjangoAssertNumQueries, sign_in: SignIn
) -> None:
    now = timezone.now()
    account = scenes.make_company(balance="900")
    make_card(account, is_default=True)
    scenes.start_plan(account, "growth", at=now - timedelta(days=34))
    scenes.use(account, "call_minutes", "2500", at=now - timedelta(days=33))
    opening.open_page(now=now)
    scenes.use(account, "call_minutes", "12", at=now - timedelta(days=2))
    client = sign_in(account)
    client.get("/billing/")

    with django_assert_max_num_queries(QUERIES):
        page = client.get("/billing/")
    assert "Last period by this day" in page.content.decode()


# What an account is like, however much of it needs to be said.
def low_without_auto_refill() -> Account:
    account = scenes.make_company(balance="5")
    make_card(account, is_default=True)
    scenes.start_plan(account, "payg", at=timezone.now() - timedelta(days=20))
    for day in range(4, 0, -1):
        scenes.use(account, "call_minutes", "4", at=timezone.now() - timedelta(days=day))
    return account


def refilled_up_to_a_maximum() -> Account:
    account = low_without_auto_refill()
    scenes.switch_refill_on(account, monthly_maximum=Decimal(200))
    return account


def suspended() -> Account:
    account = low_without_auto_refill()
    scenes.switch_refill_on(account, suspended_at=timezone.now(), consecutive_failures=3)
    return account


def past_due_with_a_cap() -> Account:
    account = scenes.past_due_company()
    scenes.use(account, "call_minutes", "2100", at=timezone.now() - timedelta(days=2))
    spend_caps.set_cap(account=account, cap=Decimal(20), by=None, now=timezone.now())
    return account


def past_due_without_a_card() -> Account:
    account = past_due_with_a_cap()
    account.cards.update(is_default=False, status=CardStatus.REMOVED, removed_at=timezone.now())
    return account


def canceled() -> Account:
    account = scenes.past_due_company()
    cancellation.cancel(account=account, by=None, now=timezone.now())
    return account


@pytest.mark.parametrize(
    "make",
    [
        scenes.make_company,
        low_without_auto_refill,
        refilled_up_to_a_maximum,
        suspended,
        past_due_with_a_cap,
        past_due_without_a_card,
        canceled,
    ],
)
def test_whatever_state_an_account_is_in(
    make: Callable[[], Account],
    django_assert_max_num_queries: DjangoAssertNumQueries,
    sign_in: SignIn,
) -> None:
    client = sign_in(make())
    client.get("/billing/")

    with django_assert_max_num_queries(QUERIES):
        client.get("/billing/")
