"""The people of the demo, and what they may do."""

import pytest
from django.test import Client

from accounts.models import User
from accounts.tests.factories import NOW
from billing_portal import demo

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _people() -> None:
    demo.seed(password="a-long-enough-password", now=NOW)


def sign_in(email: str) -> Client:
    """Return a browser in which this person has signed in."""
    client = Client()
    assert client.login(username=email, password="a-long-enough-password")
    return client


@pytest.mark.parametrize("email", ["support@demo.test", "finance@demo.test", "admin@demo.test"])
def test_staff_see_accounts_and_transactions(email: str) -> None:
    staff = sign_in(email)

    for page in ("/admin/", "/admin/accounts/account/", "/admin/invoices/transaction/"):
        assert staff.get(page).status_code == 200


def test_finance_adjusts_credit_and_refunds_and_support_only_looks() -> None:
    support = User.objects.get(email="support@demo.test")
    finance = User.objects.get(email="finance@demo.test")

    for permission in ("wallet.add_adjustment", "invoices.add_refund"):
        assert not support.has_perm(permission)
        assert finance.has_perm(permission)
    assert not finance.has_perm("accounts.change_account")


def test_a_customer_is_not_let_into_the_admin() -> None:
    assert sign_in("owner@demo.test").get("/admin/accounts/account/").status_code == 302
