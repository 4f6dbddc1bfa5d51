"""Signing in: no session that somebody planted, none that outlives the password, no hint who is a
customer, no guessing without end, and no way on to another site."""

import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts import email_changes, invitations, sign_outs
from accounts.models import User
from accounts.roles import Role
from accounts.tests.people import invite
from billing_portal.dashboard.tests import scenes
from plans.tests.api_client import Platform

pytestmark = pytest.mark.django_db

LOGIN, RESET = "/accounts/login/", "/accounts/password/reset/"
ANOTHER = "a camel crosses the wadi"


@pytest.fixture(autouse=True)
def _counted_anew() -> Iterator[None]:
    """Limits are counted in the cache: what other tests did does not count."""
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def layla() -> User:
    return scenes.make_member(scenes.make_company(), email="layla@muscat.test")


def sign_in(client: Client, email: str, password: str = scenes.PASSWORD, **more: str) -> str:
    """Sign in; return where that leads, or "" when it leads nowhere."""
    answer = client.post(LOGIN, {"login": email, "password": password, **more})
    return answer.headers.get("Location", "")


def is_in(client: Client) -> bool:
    return client.get("/billing/").status_code == 200


# Sessions -------------------------------------------------------------------------------------
def test_a_session_that_was_planted_is_not_the_one_that_is_signed_in(layla: User) -> None:
    """After the password there is another one, and that from before is worthless."""
    attacker, browser = Client(), Client()
    attacker.post("/language/", {"language": "ar"})
    session = attacker.session
    session["planted"] = "x"
    session.save()
    planted = str(session.session_key)
    browser.cookies["sessionid"] = planted
    browser.get(LOGIN)
    token = browser.cookies["csrftoken"].value

    assert sign_in(browser, layla.email) == "/billing/"

    assert browser.cookies["sessionid"].value != planted
    assert browser.cookies["csrftoken"].value != token
    assert not Session.objects.filter(session_key=planted).exists()
    attacker.cookies["sessionid"] = planted
    assert is_in(browser)
    assert not is_in(attacker)


def test_the_session_of_one_person_does_not_become_anothers(layla: User) -> None:
    omar = scenes.make_member(scenes.make_company(name="Nizwa Dates"), email="omar@nizwa.test")
    browser = Client()
    sign_in(browser, layla.email)
    session = browser.session
    session["of_layla"] = "x"
    session.save()
    browser.post("/accounts/logout/")
    sign_in(browser, omar.email)
    assert "of_layla" not in browser.session


def test_joining_with_an_invitation_begins_a_session_too(layla: User) -> None:
    account = layla.memberships.get().account
    invitation = invite(account, "new@muscat.test", Role.VIEWER, now=timezone.now())
    browser = Client()
    session = browser.session
    session["planted"] = "x"
    session.save()
    browser.cookies["sessionid"] = planted = str(session.session_key)
    path = f"/invitations/{invitations._token(invitation)}/"
    assert browser.post(path, {"password": ANOTHER}).status_code == 302
    assert browser.cookies["sessionid"].value != planted
    assert not Session.objects.filter(session_key=planted).exists()


def sessions(layla: User) -> tuple[Client, Client]:
    """Two browsers, both signed in."""
    here, there = Client(), Client()
    for browser in (here, there):
        assert sign_in(browser, layla.email) == "/billing/"
        assert is_in(browser)
    return here, there


def test_another_password_ends_every_other_session(layla: User) -> None:
    here, there = sessions(layla)
    changed = {"oldpassword": scenes.PASSWORD, "password1": ANOTHER, "password2": ANOTHER}
    assert here.post("/accounts/password/change/", changed).status_code == 302
    assert is_in(here)
    assert not is_in(there)


def test_a_password_that_was_reset_ends_every_session(layla: User) -> None:
    here, there = sessions(layla)
    stranger = Client()
    stranger.post(RESET, {"email": layla.email})
    link = re.search(r"https?://[^/]+(/\S+)", str(mail.outbox[-1].body))
    assert link
    form = stranger.get(link[1], follow=True).redirect_chain[-1][0]
    stranger.post(form, {"password1": ANOTHER, "password2": ANOTHER})
    assert not is_in(here)
    assert not is_in(there)
    # The link is used up: whoever finds it later in a mailbox can do nothing with it.
    again = Client().get(link[1], follow=True)
    assert "password1" not in again.content.decode()


def test_staff_end_every_session_of_a_person(layla: User) -> None:
    here, there = sessions(layla)
    admin = User.objects.create_superuser("admin@badal.test")
    sign_outs.sign_out_everywhere(user=layla, by=admin, reason="Lost", now=timezone.now())
    assert not is_in(here)
    assert not is_in(there)


def test_signing_out_ends_the_session_itself_and_wants_a_post(layla: User) -> None:
    browser = Client()
    sign_in(browser, layla.email)
    key = browser.cookies["sessionid"].value
    assert browser.get("/accounts/logout/").status_code == 200
    assert is_in(browser)
    browser.post("/accounts/logout/")
    thief = Client()
    thief.cookies["sessionid"] = key
    assert not is_in(thief)


def test_who_may_not_sign_in_any_more_is_out_at_once(layla: User) -> None:
    browser, _ = sessions(layla)
    User.objects.filter(pk=layla.pk).update(is_active=False)
    assert not is_in(browser)


# Who is a customer ----------------------------------------------------------------------------
def said(html: str, *typed: str) -> str:
    """A page without what differs each time, and without what was typed."""
    html = re.sub(r'csrfmiddlewaretoken" value="\w+"', "", html)
    for each in typed:
        html = html.replace(each, "")
    return html


def test_signing_in_wrongly_does_not_say_what_was_wrong(layla: User) -> None:
    """Nobody, a customer with another password, one who never chose one, one who was shut out."""
    User.objects.create_user("owner@new.test")
    User.objects.create_user("gone@muscat.test", scenes.PASSWORD, is_active=False)
    answers = set()
    for email in ("nobody@muscat.test", layla.email, "owner@new.test", "gone@muscat.test"):
        answer = Client().post(LOGIN, {"login": email, "password": "wrong" * 3})
        answers.add((answer.status_code, said(answer.content.decode(), email)))
    assert len(answers) == 1


def test_forgetting_a_password_does_not_say_who_is_a_customer(layla: User) -> None:
    User.objects.create_user("owner@new.test")
    User.objects.create_user("gone@muscat.test", scenes.PASSWORD, is_active=False)
    answers = set()
    for email in ("nobody@muscat.test", layla.email, "owner@new.test", "gone@muscat.test"):
        client = Client()
        answer = client.post(RESET, {"email": email}, follow=True)
        answers.add((str(answer.redirect_chain), said(answer.content.decode(), email)))
    assert len(answers) == 1


def test_no_other_form_says_who_is_a_customer_either(layla: User) -> None:
    omar = scenes.make_member(scenes.make_company(name="Nizwa Dates"), email="omar@nizwa.test")
    account = omar.memberships.get().account
    client = Client()
    client.force_login(omar)
    client.post("/accounts/reauthenticate/", {"password": scenes.PASSWORD})
    told = set()
    for email in ("nobody@muscat.test", layla.email):
        invited = {"email": email, "role": "viewer"}
        page = client.post("/billing/settings/members/invite/", invited, follow=True)
        told.add(said(page.content.decode().split("<h2")[0], email))
        page = client.post("/billing/settings/sign-in/email/", {"email": email}, follow=True)
        told.add(said(page.content.decode(), email))
    assert len(told) == 2
    assert Client().get("/accounts/signup/").status_code == 200
    signing_up = {"email": layla.email, "password1": ANOTHER, "password2": ANOTHER}
    assert b"layla" not in Client().post("/accounts/signup/", signing_up).content
    assert account.memberships.count() == 1


# Guessing without end -------------------------------------------------------------------------
def test_a_password_is_guessed_a_few_times_from_wherever(layla: User) -> None:
    """The address of the guesser does not matter for one customer: they have many."""
    for number in range(5):
        client = Client(REMOTE_ADDR=f"198.51.100.{number}")
        assert sign_in(client, layla.email, "wrong" * 3) == ""
    client = Client(REMOTE_ADDR="198.51.100.99")
    refused = client.post(LOGIN, {"login": layla.email, "password": scenes.PASSWORD})
    assert "Too many failed login attempts. Try again later." in refused.content.decode()
    assert not is_in(client)
    # Whatever the case of the address: it is one customer.
    assert sign_in(Client(REMOTE_ADDR="198.51.100.98"), layla.email.upper()) == ""


def test_one_address_guesses_a_few_times_whoever_it_tries() -> None:
    statuses = [
        Client().post(LOGIN, {"login": f"user{n}@muscat.test", "password": "x"}).status_code
        for n in range(31)
    ]
    assert statuses[-1] == 429
    page = Client().post(LOGIN, {"login": "last@muscat.test", "password": "x"})
    assert "Wait a few minutes, then try again." in page.content.decode()


def test_a_forged_forwarding_header_is_no_new_address(settings: Settings) -> None:
    """Behind one proxy of ours only what it added itself counts: the last address."""
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    for number in range(31):
        forged = {"X-Forwarded-For": f"203.0.113.{number}, 192.0.2.7"}
        sent = {"login": f"user{number}@muscat.test", "password": "x"}
        status = Client().post(LOGIN, sent, headers=forged).status_code
    assert status == 429


def test_resets_are_asked_for_a_few_times(layla: User) -> None:
    statuses = [Client().post(RESET, {"email": layla.email}).status_code for _ in range(6)]
    assert statuses == [302] * 5 + [429]
    assert len(mail.outbox) == 5
    page = Client().post(RESET, {"email": layla.email})
    assert "Wait a few minutes, then try again." in page.content.decode()
    assert Client().post(RESET, {"email": "nobody@muscat.test"}).status_code == 302


def test_the_old_password_is_guessed_a_few_times(layla: User) -> None:
    """Of a browser that was left open: neither the new password nor what asks for it again."""
    client = Client()
    client.force_login(layla)
    wrong = {"oldpassword": "x", "password1": ANOTHER, "password2": ANOTHER}
    for path, sent, most in (
        ("/accounts/password/change/", wrong, 5),
        ("/accounts/reauthenticate/", {"password": "x"}, 10),
    ):
        statuses = [client.post(path, sent).status_code for _ in range(most + 1)]
        assert statuses[-1] == 429, path
    layla.refresh_from_db()
    assert layla.check_password(scenes.PASSWORD)


def test_a_key_of_the_api_is_refused_in_words(settings: Settings) -> None:
    """How it is counted: test_api_limits."""
    settings.API_REQUESTS_PER_MINUTE = {"default": 1}
    platform = Platform()
    platform.send("GET", "features/")
    refused = platform.send("GET", "features/")
    assert refused.status_code == 429
    assert refused.json()["code"] == "throttled"
    assert refused.json()["detail"].startswith("Request was throttled.")


def test_letters_to_a_new_address_are_few(layla: User) -> None:
    client = Client()
    client.force_login(layla)
    client.post("/accounts/reauthenticate/", {"password": scenes.PASSWORD})
    path = "/billing/settings/sign-in/email/"
    for number in range(email_changes.MAXIMUM_A_DAY):
        asked = client.post(path, {"email": f"new{number}@muscat.test"})
        assert asked.status_code == 302
    refused = client.post(path, {"email": "onemore@muscat.test"})
    assert refused.status_code == 422
    assert "You asked too often today. Try again tomorrow." in refused.content.decode()


# On to another site ---------------------------------------------------------------------------
ELSEWHERE = (
    "https://evil.test/",
    "//evil.test/",
    "///evil.test/",
    "/\\evil.test/",
    "\\\\evil.test/",
    "https:evil.test",
    "http:///evil.test",
    "javascript:alert(1)",
    "data:text/html,x",
    "\thttps://evil.test/",
    "https://testserver@evil.test/",
    "https://testserver.evil.test/",
)


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_no_form_and_no_link_leads_to_another_site(layla: User, elsewhere: str) -> None:
    query = urlencode({"next": elsewhere})
    browser = Client(headers={"Referer": elsewhere.strip()})
    assert sign_in(browser, layla.email, next=elsewhere) == "/billing/"
    for path, sent in (
        (f"{LOGIN}?{query}", {}),
        ("/language/", {"language": "en", "next": elsewhere}),
        (f"/language/?{query}", {"language": "en"}),
        (f"/accounts/reauthenticate/?{query}", {"password": scenes.PASSWORD, "next": elsewhere}),
        (f"/admin/login/?{query}", {}),
        ("/billing/switch-account/", {"account": "1", "next": elsewhere}),
        (f"/accounts/logout/?{query}", {"next": elsewhere}),
    ):
        for answer in (browser.get(path), browser.post(path, sent)):
            location = answer.headers.get("Location", "/")
            assert re.match(r"/[^/\\]|/$", location), (path, location)
    field = Client()
    field.force_login(layla)
    page = field.get(f"/billing/payment-methods/add/?{query}").content.decode()
    assert "evil" not in page
    part = Client().get(
        "/billing/history/", headers={"HX-Request": "true", "HX-Current-URL": elsewhere.strip()}
    )
    assert re.match(r"/accounts/login/\?next=%2F(?!%2F|%5C)", part.headers["HX-Redirect"])


def test_the_address_that_was_asked_for_is_not_believed(layla: User, settings: Settings) -> None:
    """A link in an e-mail leads to us, whatever Host somebody sends for their victim."""
    settings.ALLOWED_HOSTS = ["billing.example.com", "10.0.0.7"]
    settings.PORTAL_URL = "https://billing.example.com"
    for host in ("evil.test", "billing.example.com.evil.test", "billing.example.com@evil.test"):
        refused = Client(headers={"Host": host}).post(RESET, {"email": layla.email})
        assert refused.status_code == 400
    assert mail.outbox == []
    # Another port is allowed with a host, and somebody else may listen there.
    for host in ("billing.example.com", "billing.example.com:8443", "10.0.0.7"):
        forged = {"Host": host, "X-Forwarded-Host": "evil.test", "Forwarded": "host=evil.test"}
        assert Client(headers=forged).post(RESET, {"email": layla.email}).status_code == 302
    assert len(mail.outbox) == 3
    for letter in mail.outbox:
        assert set(re.findall(r"https?://[^/\s]+", str(letter.body))) == {
            "https://billing.example.com"
        }
