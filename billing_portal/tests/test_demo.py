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


@pytest.mark.parametrize("email", list(demo.STAFF))
def test_staff_see_accounts_and_transactions(email: str) -> None:
    staff = sign_in(email)

    for page in ("/admin/", "/admin/accounts/account/", "/admin/invoices/transaction/"):
        assert staff.get(page).status_code == 200


@pytest.mark.parametrize(
    ("email", "adjusts", "refunds", "edits"),
    [
        ("support@demo.test", True, False, False),
        ("finance@demo.test", True, True, False),
        ("auditor@demo.test", False, False, False),
        ("admin@demo.test", True, True, True),
    ],
)
def test_staff_may_what_their_role_may(
    email: str, adjusts: bool, refunds: bool, edits: bool
) -> None:
    person = User.objects.get(email=email)

    assert person.has_perm("wallet.add_adjustment") is adjusts
    assert person.has_perm("invoices.add_refund") is refunds
    assert person.has_perm("accounts.change_account") is edits
    assert not person.is_superuser


def test_a_customer_is_not_let_into_the_admin() -> None:
    assert sign_in("owner@demo.test").get("/admin/accounts/account/").status_code == 302
