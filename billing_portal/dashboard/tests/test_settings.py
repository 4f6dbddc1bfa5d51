"""Settings: being told of a low balance, and billing details."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import Account, AuditEvent
from billing_portal.dashboard.tests import scenes
from wallet.models import Wallet

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]
PAGE = "/billing/settings/"
LOW_BALANCE = "/billing/settings/low-balance/"


@pytest.fixture
def payer() -> Account:
    return scenes.make_company(balance="30", receipt_email="finance@muscat.test")


def limit_of(account: Account) -> Decimal | None:
    return Wallet.objects.get(account=account).low_balance_limit


def test_the_page_says_below_what_and_whom(payer: Account, sign_in: SignIn) -> None:
    html = sign_in(payer).get(PAGE).content.decode()
    assert "When the balance falls below $5.00, finance@muscat.test gets one e-mail." in html


@pytest.mark.parametrize(
    ("typed", "saved"),
    [({"told": "on", "limit": "12.50"}, Decimal("12.50")), ({"limit": "12.50"}, None), ({}, None)],
)
def test_the_customer_sets_the_limit_or_switches_it_off(
    payer: Account, sign_in: SignIn, typed: dict[str, str], saved: Decimal | None
) -> None:
    response = sign_in(payer, role="billing").post(LOW_BALANCE, typed, follow=True)

    assert limit_of(payer) == saved
    said = "balance falls below $12.50" if saved else "You are not told of a low balance any more."
    assert said in response.content.decode()


def test_with_the_balance_below_it_already_the_page_says_when_the_next_one_comes(
    payer: Account, sign_in: SignIn
) -> None:
    response = sign_in(payer).post(LOW_BALANCE, {"told": "on", "limit": "50"}, follow=True)
    assert "The balance is below $50.00 already." in response.content.decode()


@pytest.mark.parametrize(
    ("limit", "problem"),
    [
        ("", "Enter an amount of zero or more."),
        ("-1", "Enter an amount of zero or more, in whole cents."),
        ("25,50", "Enter an amount like 25 or 25.50."),
        ("100000.01", "Enter at most $100,000.00."),
    ],
)
def test_bad_input_is_explained_and_what_was_typed_stays(
    payer: Account, sign_in: SignIn, limit: str, problem: str
) -> None:
    response = sign_in(payer).post(LOW_BALANCE, {"told": "on", "limit": limit})

    html = response.content.decode()
    assert response.status_code == 422
    assert problem in html
    assert f'value="{limit}"' in html or not limit
    assert limit_of(payer) == 5


def test_a_viewer_sees_it_and_may_not_change_it(payer: Account, sign_in: SignIn) -> None:
    viewer = sign_in(payer, role="viewer")
    html = viewer.get(PAGE).content.decode()
    assert "When the balance falls below $5.00" in html
    assert "<button" not in html.split("<main")[1].split("</main>")[0]
    assert viewer.post(LOW_BALANCE, {}).status_code == 403
    assert limit_of(payer) == 5


# Billing details ------------------------------------------------------------------------------
DETAILS = "/billing/settings/billing-details/"


def details(**changed: str) -> dict[str, str]:
    return {
        "billing_name": "Sohar Logistics LLC",
        "address_line1": "Way 4521",
        "address_line2": "",
        "city": "Sohar",
        "country": "OM",
        "tax_number": "OM1100045678",
        "receipt_email": "accounts@sohar.test",
        **changed,
    }


def test_billing_details_are_saved_and_named_on_the_next_receipt(
    payer: Account, sign_in: SignIn, settings: Settings
) -> None:
    settings.CHARGE_TAX = True
    client = sign_in(payer)
    saved = client.post(DETAILS, details(), follow=True).content.decode()
    assert "Receipts of earlier payments stay as they are." in saved
    assert "For Oman, VAT 5 % is added to what you buy from now on." in saved
    payer.refresh_from_db()
    assert (payer.billing_name, str(payer.country)) == ("Sohar Logistics LLC", "OM")
    event = AuditEvent.objects.get(account=payer, action="billing_details_changed")
    assert event.actor is not None


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"country": "XX"}, "Select a valid choice."),
        ({"receipt_email": "accounts"}, "Enter a valid email address."),
        ({"city": "x" * 101}, "at most 100 characters"),
    ],
)
def test_wrong_billing_details_are_explained_beside_the_field(
    payer: Account, sign_in: SignIn, changed: dict[str, str], problem: str
) -> None:
    answer = sign_in(payer).post(DETAILS, details(**changed))
    assert answer.status_code == 422
    assert problem in answer.content.decode()
    payer.refresh_from_db()
    assert payer.city == ""


def test_a_viewer_reads_billing_details(payer: Account, sign_in: SignIn) -> None:
    sign_in(payer).post(DETAILS, details())
    viewer = sign_in(payer, role="viewer")
    html = viewer.get(PAGE).content.decode()
    assert "Sohar Logistics LLC" in html
    assert "Oman" in html
    assert viewer.post(DETAILS, details()).status_code == 403


# Receipts, time, language ---------------------------------------------------------------------
COPIES = "/billing/settings/receipt-copies/"
TIME = "/billing/settings/time/"


def test_receipts_are_also_sent_to_the_accountant(payer: Account, sign_in: SignIn) -> None:
    client = sign_in(payer, role="billing")
    typed = {"addresses": "books@muscat.test\naudit@muscat.test, BOOKS@muscat.test;"}
    html = client.post(COPIES, typed, follow=True).content.decode()
    assert "It counts from the next receipt on." in html
    payer.refresh_from_db()
    assert payer.receipt_copies == ["books@muscat.test", "audit@muscat.test"]
    assert "audit@muscat.test" in sign_in(payer, role="viewer").get(PAGE).content.decode()


def test_an_address_that_is_none_is_named_and_what_was_typed_stays(
    payer: Account, sign_in: SignIn
) -> None:
    answer = sign_in(payer).post(COPIES, {"addresses": "books@muscat.test\nbooks"})
    assert answer.status_code == 422
    assert "books is no e-mail address." in answer.content.decode()
    assert "books@muscat.test\nbooks</textarea>" in answer.content.decode()


def test_times_follow_the_timezone_at_once(payer: Account, sign_in: SignIn) -> None:
    client = sign_in(payer)
    typed = {"timezone": "Pacific/Auckland", "language": "ar"}
    html = client.post(TIME, typed, follow=True).content.decode()
    assert "Times are in Pacific/Auckland." in html
    assert "(Pacific/Auckland)" in client.get("/billing/settings/activity/").content.decode()
    payer.refresh_from_db()
    assert payer.language == "ar"


@pytest.mark.parametrize(
    "typed",
    [{"timezone": "Mars/Olympus"}, {"timezone": "UTC", "language": "tlh"}, {}],
)
def test_a_zone_or_language_there_is_not_changes_nothing(
    payer: Account, sign_in: SignIn, typed: dict[str, str]
) -> None:
    assert sign_in(payer).post(TIME, typed).status_code == 422
    payer.refresh_from_db()
    assert (str(payer.timezone), payer.language) == ("Asia/Muscat", "")


def test_a_viewer_changes_neither(payer: Account, sign_in: SignIn) -> None:
    viewer = sign_in(payer, role="viewer")
    assert viewer.post(COPIES, {}).status_code == 403
    assert viewer.post(TIME, {"timezone": "UTC"}).status_code == 403


# Your sign-in ---------------------------------------------------------------------------------
def test_everybody_sets_their_own_language_password_and_second_factor(
    payer: Account, sign_in: SignIn
) -> None:
    html = sign_in(payer, role="viewer").get("/billing/settings/sign-in/").content.decode()
    for address in ("/accounts/password/change/", "/accounts/2fa/", "/billing/settings/language/"):
        assert f'"{address}"' in html
