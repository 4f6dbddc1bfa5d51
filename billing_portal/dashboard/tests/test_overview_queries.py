"""The Overview reads the database as often for an old and busy account as for a new one."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.tests.factories import make_card
from billing_portal.dashboard.tests import scenes
from invoices.models import Status
from invoices.tests.factories import make_transaction
from plans import opening

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
