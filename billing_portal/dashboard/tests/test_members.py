"""Members: who is listed, who may change it, and the page behind an invitation's link."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from pytest_django.asserts import assertRedirects

from accounts import api_keys
from accounts.models import Account, Invitation, Membership, User
from accounts.roles import Role
from accounts.tests.people import sent_token
from billing_portal.dashboard.tests import scenes

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]
PAGE = "/billing/settings/members/"
PASSWORD = "a camel crosses the wadi"


@pytest.fixture
def owner(account: Account) -> User:
    return scenes.make_member(account, email="layla@muscat.test", first_name="Layla Al Said")


def main(client: Client, address: str = PAGE) -> str:
    return client.get(address).content.decode().split("<main")[1]


def invite(client: Client, email: str = "omar@muscat.test", role: str = "billing") -> Invitation:
    client.post(reverse("member-invite"), {"email": email, "role": role})
    return Invitation.objects.get(email=email)


# The page -------------------------------------------------------------------------------------
def test_members_are_listed_with_role_and_last_sign_in(
    account: Account, owner: User, sign_in: SignIn
) -> None:
    scenes.make_member(account, Role.VIEWER, email="omar@muscat.test")
    html = main(sign_in(account, user=owner))
    for told in ("Layla Al Said", "layla@muscat.test", "omar@muscat.test", "Viewer", "Never"):
        assert told in html
    assert "You</span>" in html


def test_the_page_asks_as_often_whatever_the_number_of_members(
    account: Account,
    owner: User,
    sign_in: SignIn,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    client = sign_in(account, user=owner)
    for n in range(30):
        scenes.make_member(account, Role.VIEWER, email=f"{n}@muscat.test")
    for n in range(5):
        invite(client, f"new{n}@muscat.test")
    with django_assert_max_num_queries(6):
        assert main(client).count("@muscat.test") > 35


def test_an_owner_invites_sends_again_and_revokes(
    account: Account, owner: User, sign_in: SignIn
) -> None:
    client = sign_in(account, user=owner)
    invitation = invite(client)
    assert "omar@muscat.test gets an e-mail" in main(client)
    again = client.post(reverse("invitation-resend", args=[invitation.pk]), follow=True)
    assert "Wait ten minutes" in again.content.decode()
    client.post(reverse("invitation-revoke", args=[invitation.pk]))
    assert "The invitation of omar@muscat.test is revoked." in main(client)
    assert "omar@muscat.test" not in main(client)


def test_an_address_that_is_none_is_explained_and_stays(
    account: Account, owner: User, sign_in: SignIn
) -> None:
    client = sign_in(account, user=owner)
    answer = client.post(reverse("member-invite"), {"email": "omar", "role": "viewer"})
    assert answer.status_code == 422
    assert "Enter an e-mail address" in answer.content.decode()
    assert 'value="omar"' in answer.content.decode()


def test_an_owner_gives_a_role_and_takes_the_access_at_once(
    account: Account, owner: User, sign_in: SignIn
) -> None:
    omar = scenes.make_member(account, Role.VIEWER, email="omar@muscat.test")
    membership = Membership.objects.get(user=omar)
    his, hers = sign_in(account, user=omar), sign_in(account, user=owner)
    assert his.get(reverse("top-up")).status_code == 403
    hers.post(reverse("member-role", args=[membership.pk]), {"role": "billing"})
    assert his.get(reverse("top-up")).status_code == 200
    assert "omar@muscat.test has the role Billing now." in main(hers)
    hers.post(reverse("member-remove", args=[membership.pk]))
    assert his.get(reverse("billing-overview")).status_code == 403
    assert "omar@muscat.test was removed" in main(hers)


def test_of_a_removed_owner_s_keys_the_others_are_told(
    account: Account, owner: User, sign_in: SignIn
) -> None:
    zafar = scenes.make_member(account, email="zafar@muscat.test")
    now = timezone.now()
    api_keys.create_for_account(account=account, name="Reports", by=zafar, now=now)
    api_keys.create_for_account(account=account, name="Hers", by=owner, now=now)
    client = sign_in(account, user=owner)
    assert "Made by <bdi>zafar@muscat.test</bdi>" in main(client, "/billing/settings/api-keys/")
    membership = Membership.objects.get(user=zafar)
    client.post(reverse("member-remove", args=[membership.pk]))
    assert "They made API keys that still work: Reports." in main(client)


def test_the_only_owner_reads_why_they_stay_and_a_request_is_refused_too(
    account: Account, owner: User, sign_in: SignIn
) -> None:
    client = sign_in(account, user=owner)
    html = main(client)
    assert "make somebody else an owner first" in html
    assert reverse("member-leave") not in html
    membership = Membership.objects.get(user=owner)
    for path, typed in (
        (reverse("member-leave"), {}),
        (reverse("member-remove", args=[membership.pk]), {}),
        (reverse("member-role", args=[membership.pk]), {"role": "viewer"}),
    ):
        answer = client.post(path, typed, follow=True).content.decode()
        assert "An account needs an owner." in answer
    assert client.get(PAGE).status_code == 200


@pytest.mark.parametrize("role", ["billing", "viewer"])
def test_others_look_and_may_leave(
    account: Account, owner: User, sign_in: SignIn, role: str
) -> None:
    invite(sign_in(account, user=owner), "new@muscat.test")
    client = sign_in(account, role=role)
    html = main(client)
    assert "Only owners invite members" in html
    assert "new@muscat.test" in html
    for word in ("Save the role", "Remove this member", "Send again", "Revoke"):
        assert word not in html
    assert html.count("<form") == html.count(reverse("member-leave")) == 1
    client.post(reverse("member-leave"))
    assert client.get(PAGE).status_code == 403


def test_members_and_invitations_of_another_account_do_not_exist(
    account: Account, owner: User, sign_in: SignIn
) -> None:
    other = scenes.make_company()
    stranger = Membership.objects.get(user=scenes.make_member(other))
    theirs = invite(sign_in(other, user=stranger.user), "new@elsewhere.test")
    client = sign_in(account, user=owner)
    for path in (
        reverse("member-role", args=[stranger.pk]),
        reverse("member-remove", args=[stranger.pk]),
        reverse("invitation-resend", args=[theirs.pk]),
        reverse("invitation-revoke", args=[theirs.pk]),
    ):
        assert client.post(path, {"role": "viewer"}).status_code == 404
    assert stranger.user.email not in main(client)


# The link -------------------------------------------------------------------------------------
def test_somebody_new_chooses_a_password_and_is_in(
    account: Account, owner: User, sign_in: SignIn, client: Client
) -> None:
    invite(sign_in(account, user=owner))
    address = f"/invitations/{sent_token()}/"
    html = client.get(address).content.decode()
    assert account.name in html
    assert "layla@muscat.test" in html

    short = client.post(address, {"name": "Omar", "password": "short"})
    assert short.status_code == 422
    assert "too short" in short.content.decode()
    joined = client.post(address, {"name": "Omar", "password": PASSWORD}, follow=True)

    assert f"Welcome to {account.name}. Your role is Billing." in joined.content.decode()
    assert client.get(address).status_code == 404
    client.logout()
    signed_in = client.post("/accounts/login/", {"login": "omar@muscat.test", "password": PASSWORD})
    assertRedirects(signed_in, "/billing/", fetch_redirect_response=False)


def test_a_user_of_another_account_signs_in_joins_and_looks_at_the_new_one(
    account: Account, owner: User, sign_in: SignIn, client: Client
) -> None:
    elsewhere = scenes.make_company(name="Zafar Trading")
    omar = scenes.make_member(elsewhere, email="omar@muscat.test")
    invite(sign_in(account, user=owner), role="viewer")
    address = f"/invitations/{sent_token()}/"

    html = client.get(address).content.decode()
    assert f"/accounts/login/?next=%2Finvitations%2F{address.split('/')[2]}%2F" in html
    assert "Zafar" not in html
    assert client.post(address, {"password": PASSWORD}).status_code == 200
    assert omar.memberships.count() == 1

    client.force_login(omar, backend="django.contrib.auth.backends.ModelBackend")
    assert "Accept the invitation" in client.get(address).content.decode()
    joined = client.post(address, follow=True).content.decode()
    assert f"Welcome to {account.name}" in joined
    assert account.name in joined.split("<main")[0]


def test_somebody_else_is_asked_to_sign_out_first(
    account: Account, owner: User, sign_in: SignIn
) -> None:
    client = sign_in(account, user=owner)
    invite(client)
    address = f"/invitations/{sent_token()}/"
    assert "You are signed in as layla@muscat.test" in client.get(address).content.decode()
    client.post(address)
    assert account.memberships.count() == 1


def test_links_that_let_nobody_in_look_the_same(
    account: Account, owner: User, sign_in: SignIn, client: Client
) -> None:
    """Wrong, expired or revoked, of a known address or not: no difference to learn from."""
    hers = sign_in(account, user=owner)
    revoked = invite(hers)
    gone = sent_token()
    hers.post(reverse("invitation-revoke", args=[revoked.pk]))
    expired = invite(hers, "old@muscat.test")
    late = sent_token()
    Invitation.objects.filter(pk=expired.pk).update(
        sent_at=timezone.now() - timedelta(days=9),
        expires_at=timezone.now() - timedelta(days=2),
    )
    pages = {
        (answer.status_code, answer.content.decode().partition("<h1>")[2].partition("</a>")[0])
        for token in (gone, late, "0" * 64, "nonsense")
        for answer in (client.get(f"/invitations/{token}/"), client.post(f"/invitations/{token}/"))
    }
    assert len(pages) == 1
    ((status, told),) = pages
    assert status == 404
    assert "does not work any more" in told
    assert len(mail.outbox) == 2
