"""Which language an answer is in."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.test import Client

from accounts import outbox
from accounts.models import Account
from accounts.tests.factories import NOW
from accounts.tests.test_notices import EXAMPLES
from billing_portal.dashboard.forms import AmountField
from billing_portal.dashboard.tests.scenes import make_member

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]
SETTINGS = "/billing/settings/"
LANGUAGE = "/billing/settings/language/"
ARABIC = '<html lang="ar" dir="rtl">'
ENGLISH = '<html lang="en" dir="ltr">'


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("ar", ARABIC),
        ("ar-OM,ar;q=0.9,en;q=0.5", ARABIC),
        ("en-GB,en;q=0.9,ar;q=0.5", ENGLISH),
        ("sv", ENGLISH),
        ("", ENGLISH),
    ],
)
def test_who_has_chosen_no_language_gets_their_browsers(asked: str, answered: str) -> None:
    page = Client().get("/accounts/login/", headers={"Accept-Language": asked})

    assert answered in page.content.decode()
    assert "Accept-Language" in page.headers["Vary"]


def test_the_language_of_the_sign_in_page_is_a_click_away(db: None) -> None:
    client = Client()
    assert 'value="ar" lang="ar"' in client.get("/accounts/login/").content.decode()

    client.post("/language/", {"language": "ar", "next": "/accounts/login/?next=/billing/plan/"})

    assert ARABIC in client.get("/accounts/login/").content.decode()


def test_a_choice_in_the_settings_goes_before_what_the_browser_asks(
    account: Account, sign_in: SignIn
) -> None:
    user = make_member(account, "viewer")
    client = sign_in(account, user=user)
    english = {"Accept-Language": "en"}

    client.post(LANGUAGE, {"language": "ar"})
    assert ARABIC in client.get(SETTINGS, headers=english).content.decode()
    # Signed out, too: the page to sign in on is next.
    client.post("/accounts/logout/")
    assert ARABIC in client.get("/accounts/login/", headers=english).content.decode()

    client = sign_in(account, user=user)
    client.post(LANGUAGE, {"language": ""})
    assert ENGLISH in client.get(SETTINGS, headers=english).content.decode()


def test_a_language_that_is_none_changes_nothing(account: Account, sign_in: SignIn) -> None:
    user = make_member(account, "owner")
    client = sign_in(account, user=user)
    client.post(LANGUAGE, {"language": "ar"})

    client.post(LANGUAGE, {"language": "tlh"})

    user.refresh_from_db()
    assert user.language == "ar"


def test_staff_and_programs_are_answered_in_english(admin_client: Client) -> None:
    arabic = {"Accept-Language": "ar"}

    assert 'lang="en' in admin_client.get("/admin/", headers=arabic).content.decode()
    assert "credentials" in admin_client.get("/api/v1/plans/", headers=arabic).json()["detail"]


@pytest.mark.parametrize(
    ("owner", "default", "sent"),
    [("ar", "", "ar"), ("", "ar", "ar"), ("en", "ar", "en"), ("", "", "en")],
)
def test_an_e_mail_is_in_the_owners_language_else_the_accounts(
    account: Account, owner: str, default: str, sent: str
) -> None:
    user = make_member(account, "owner")
    user.language = owner
    user.save()
    account.language = default
    account.save()

    outbox.record_email(
        account=account,
        event="transaction_paid",
        key="paid",
        context=EXAMPLES["transaction_paid"],
        now=NOW,
        recipient="bookkeeping@muscat.test",
    )
    outbox.deliver_due(now=NOW)

    (email,) = mail.outbox
    assert email.extra_headers["Content-Language"] == sent
    assert isinstance(email, EmailMultiAlternatives)
    html = str(email.alternatives[0][0])
    assert f'<html lang="{sent}" dir="{"rtl" if sent == "ar" else "ltr"}">' in html


def test_an_amount_may_be_typed_in_arabic_digits() -> None:
    assert AmountField().clean("\u0661\u066c\u0662\u0663\u0660\u066b\u0665") == Decimal("1230.5")
