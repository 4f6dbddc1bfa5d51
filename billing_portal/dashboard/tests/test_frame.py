"""What all pages share: the frame, and the regions that HTMX swaps (docs/dashboard.md)."""

from collections.abc import Callable

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import include, path
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import Account
from billing_portal.dashboard.access import MemberRequest, member_page
from billing_portal.dashboard.shell import page

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]


@member_page
def empty_page(request: MemberRequest) -> HttpResponse:
    """A page with nothing in it."""
    return page(request, "base.html", {}, nav="plan")


urlpatterns = [path("empty/", empty_page), path("", include("billing_portal.urls"))]


def test_the_frame_asks_for_session_user_and_memberships(
    account: Account,
    sign_in: SignIn,
    settings: Settings,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    settings.ROOT_URLCONF = __name__
    client = sign_in(account)

    with django_assert_num_queries(3):
        html = client.get("/empty/").content.decode()

    assert account.name in html
    assert '<a href="/billing/plan/" aria-current="page">' in html


def test_a_region_is_rendered_alone_when_htmx_asks_for_it(
    account: Account, sign_in: SignIn
) -> None:
    client = sign_in(account)
    address, asked = "/billing/history/?status=paid", {"HX-Request": "true"}

    region = client.get(address, headers={**asked, "HX-Target": "history-list"})
    whole = client.get(address, headers={**asked, "HX-Target": "something-else"})

    assert "Nothing matches these filters" in region.content.decode()
    assert "<html" not in region.content.decode()
    assert "<html" in whole.content.decode()
    assert "<html" in client.get(address).content.decode()


def test_when_the_session_ended_htmx_leads_to_signing_in_and_back(client: Client) -> None:
    here = "/billing/history/?status=paid"
    asked = {
        "HX-Request": "true",
        "HX-Target": "history-list",
        "HX-Current-URL": f"http://testserver{here}",
    }

    response = client.get(f"{here}&kind=renewal", headers=asked)

    assert response["HX-Redirect"] == (
        "/accounts/login/?next=%2Fbilling%2Fhistory%2F%3Fstatus%3Dpaid"
    )
