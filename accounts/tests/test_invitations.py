"""Invitations: one link that works once, for the address it was sent to."""

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from accounts import emails, invitations, members
from accounts.models import Account, AuditEvent, Invitation, Message, User
from accounts.roles import Role
from accounts.tests.factories import NOW, make_account
from accounts.tests.people import invite, make_member, sent_token

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(minutes=11)
PASSWORD = "a camel crosses the wadi"


@pytest.fixture
def account() -> Account:
    account = make_account(name="Muscat Freight", timezone="Asia/Muscat")
    make_member(account, "layla@muscat.test")
    return account


def actions(account: Account) -> list[str]:
    return list(
        AuditEvent.objects.filter(account=account).order_by("pk").values_list("action", flat=True)
    )


def test_the_e_mail_says_who_invites_to_what_and_carries_the_only_link(account: Account) -> None:
    invitation = invite(account, "omar@muscat.test", Role.OWNER)
    token = sent_token()
    email: Any = mail.outbox[0]
    ((html, _),) = email.alternatives
    assert email.to == ["omar@muscat.test"]
    assert email.subject == "layla@muscat.test invited you to the billing of Muscat Freight"
    for form in (email.body, html):
        assert "As an owner you see and change everything" in form
        assert "30 November 2026" in form
        assert f"http://127.0.0.1:8000/invitations/{token}/" in form
    # Whoever reads the database or the admin finds no way in.
    message = Message.objects.get()
    assert token not in f"{message.payload} {invitation.token_hash} {message.key}"
    assert token not in str(emails.compose(message).body)


def test_a_user_accepts_once(account: Account) -> None:
    invite(account, "Omar@muscat.test", Role.BILLING)
    omar = User.objects.create_user("omar@muscat.test")
    token = sent_token()
    membership = invitations.accept(token=token, user=omar, now=NOW)
    assert (membership.user, membership.role) == (omar, Role.BILLING)
    with pytest.raises(invitations.NotOpen):
        invitations.accept(token=token, user=omar, now=NOW)
    assert actions(account) == ["member_invited", "member_joined"]


def test_somebody_new_chooses_a_password(account: Account) -> None:
    invitation = invite(account, "omar@muscat.test", Role.VIEWER)
    assert invitations.needs_password(invitation=invitation)
    user = invitations.accept_as_new(
        token=sent_token(), name=" Omar  Al Balushi ", password=PASSWORD, now=NOW
    )
    assert user.check_password(PASSWORD)
    assert user.spoken_name == "Omar Al Balushi"
    assert user.memberships.get().role == Role.VIEWER


def test_an_owner_who_never_signed_in_chooses_a_password_as_well(account: Account) -> None:
    provisioned = User.objects.create_user("omar@muscat.test")
    invite(account, "omar@muscat.test")
    user = invitations.accept_as_new(token=sent_token(), name="", password=PASSWORD, now=NOW)
    assert user == provisioned


@pytest.mark.parametrize(
    ("password", "name", "field"),
    [
        ("short", "Omar", "password"),
        ("omar@muscat.test", "", "password"),
        (PASSWORD, "O\0", "name"),
    ],
)
def test_a_password_that_is_none_is_refused_and_the_link_still_works(
    account: Account, password: str, name: str, field: str
) -> None:
    invite(account, "omar@muscat.test")
    token = sent_token()
    with pytest.raises(ValidationError) as refused:
        invitations.accept_as_new(token=token, name=name, password=password, now=NOW)
    assert refused.value.message_dict.keys() == {field}
    assert not User.objects.filter(email="omar@muscat.test").exists()
    assert invitations.find(token=token, now=NOW)


@pytest.mark.parametrize("fields", [{"password": "hers already"}, {"is_staff": True}])
def test_a_link_sets_no_password_of_somebody_who_can_sign_in(
    account: Account, fields: dict[str, Any]
) -> None:
    User.objects.create_user("omar@muscat.test", **fields)
    invitation = invite(account, "omar@muscat.test")
    assert not invitations.needs_password(invitation=invitation)
    with pytest.raises(invitations.ForSomebodyElse):
        invitations.accept_as_new(token=sent_token(), name="", password=PASSWORD, now=NOW)


def test_nobody_else_can_use_it(account: Account) -> None:
    invite(account, "omar@muscat.test")
    thief = User.objects.create_user("thief@elsewhere.test")
    token = sent_token()
    with pytest.raises(invitations.ForSomebodyElse):
        invitations.accept(token=token, user=thief, now=NOW)
    assert invitations.find(token=token, now=NOW)


@pytest.mark.parametrize("end", ["expired", "revoked", "sent again", "guessed"])
def test_a_link_that_has_ended_lets_nobody_in(account: Account, end: str) -> None:
    invitation = invite(account, "omar@muscat.test")
    omar = User.objects.create_user("omar@muscat.test")
    layla = User.objects.get(email="layla@muscat.test")
    token, at = sent_token(), LATER
    match end:
        case "expired":
            at = NOW + invitations.LASTS
        case "revoked":
            invitations.revoke(invitation=invitation, by=layla, now=NOW)
            invitations.revoke(invitation=invitation, by=layla, now=NOW)
        case "sent again":
            invitations.resend(invitation=invitation, by=layla, now=LATER)
        case _:
            token = "0" * 64
    with pytest.raises(invitations.NotOpen):
        invitations.accept(token=token, user=omar, now=at)
    if end == "revoked":
        assert actions(account) == ["member_invited", "invitation_revoked"]
        with pytest.raises(ValidationError, match="answered or revoked"):
            invitations.resend(invitation=invitation, by=layla, now=LATER)


def test_the_link_that_was_sent_again_works_for_another_week(account: Account) -> None:
    first = invite(account, "omar@muscat.test", Role.VIEWER)
    again = invite(account, "omar@muscat.test", Role.BILLING, now=LATER)
    assert again == first
    omar = User.objects.create_user("omar@muscat.test")
    token = sent_token()
    membership = invitations.accept(token=token, user=omar, now=NOW + invitations.LASTS)
    assert membership.role == Role.BILLING
    assert actions(account) == ["member_invited", "invitation_resent", "member_joined"]


def test_a_member_who_was_invited_before_keeps_their_role(account: Account) -> None:
    invite(account, "omar@muscat.test", Role.VIEWER)
    omar = make_member(account, "omar@muscat.test", Role.OWNER)
    membership = invitations.accept(token=sent_token(), user=omar.user, now=NOW)
    assert membership.role == Role.OWNER
    assert actions(account) == ["member_invited"]


@pytest.mark.parametrize("end", ["removed", "demoted"])
def test_an_owner_who_goes_leaves_no_door_open(account: Account, end: str) -> None:
    zafar = make_member(account, "zafar@muscat.test")
    layla = User.objects.get(email="layla@muscat.test")
    invite(account, "zafar@elsewhere.test", Role.OWNER, by=zafar.user)
    back = sent_token()
    stays = invite(account, "omar@muscat.test", by=layla)
    if end == "removed":
        members.remove(membership=zafar, by=layla, now=NOW)
    else:
        members.change_role(membership=zafar, role=Role.VIEWER, by=layla, now=NOW)
    with pytest.raises(invitations.NotOpen):
        invitations.find(token=back, now=NOW)
    assert list(invitations.waiting(account=account)) == [stays]
    assert "invitation_revoked" in actions(account)


def test_who_was_removed_can_be_invited_again(account: Account) -> None:
    omar = make_member(account, "omar@muscat.test", Role.VIEWER)
    members.remove(membership=omar, by=omar.user, now=NOW)
    invite(account, "omar@muscat.test")
    assert invitations.accept(token=sent_token(), user=omar.user, now=NOW)


# Whom and how often ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("email", "role", "field"),
    [
        ("", "viewer", "email"),
        ("omar", "viewer", "email"),
        ("omar@muscat.test\nBcc: all@evil.test", "viewer", "email"),
        (f"{'o' * 60}@{'muscat' * 40}.test", "viewer", "email"),
        ("LAYLA@muscat.test", "viewer", "email"),
        ("omar@muscat.test", "root", "role"),
    ],
)
def test_what_is_no_invitation_is_refused_by_field(
    account: Account, email: str, role: str, field: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        invite(account, email, role)
    assert refused.value.message_dict.keys() == {field}
    assert not Message.objects.exists()


def test_nobody_is_written_to_every_minute_or_forever(account: Account) -> None:
    invite(account, "omar@muscat.test")
    with pytest.raises(ValidationError, match="Wait ten minutes"):
        invite(account, "OMAR@muscat.test", now=NOW + timedelta(minutes=9))
    for hour in range(1, invitations.MAXIMUM_TIMES_SENT):
        invite(account, "omar@muscat.test", now=NOW + timedelta(hours=hour))
    with pytest.raises(ValidationError, match="5 times"):
        invite(account, "omar@muscat.test", now=NOW + timedelta(hours=9))
    assert Message.objects.count() == invitations.MAXIMUM_TIMES_SENT


def test_so_many_may_wait_and_so_many_are_written_to_in_a_day(account: Account) -> None:
    layla = User.objects.get(email="layla@muscat.test")
    for n in range(invitations.MAXIMUM_OPEN):
        invite(account, f"{n}@muscat.test")
    with pytest.raises(ValidationError, match="20 invitations wait"):
        invite(account, "one-more@muscat.test")
    for n in range(20, invitations.MAXIMUM_A_DAY):
        waiting = account.invitations.filter(revoked_at__isnull=True).first()
        assert waiting is not None
        invitations.revoke(invitation=waiting, by=layla, now=NOW)
        invite(account, f"{n}@muscat.test")
    waiting = account.invitations.filter(revoked_at__isnull=True).first()
    assert waiting is not None
    invitations.revoke(invitation=waiting, by=layla, now=NOW)
    with pytest.raises(ValidationError, match="Go on tomorrow"):
        invite(account, "one-more@muscat.test")
    assert invite(account, "one-more@muscat.test", now=NOW + timedelta(days=1, seconds=1))


def test_the_database_keeps_one_open_invitation_for_an_address(account: Account) -> None:
    invitation = invite(account, "omar@muscat.test")
    with pytest.raises(IntegrityError, match="one_open_invitation_per_address"):
        Invitation.objects.create(
            account=account,
            email="OMAR@muscat.test",
            role=Role.VIEWER,
            token_hash="x",
            created_at=NOW,
            sent_at=NOW,
            expires_at=invitation.expires_at,
        )
