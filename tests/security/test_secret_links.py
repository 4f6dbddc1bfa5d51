"""Links that were mailed to one person: whoever else has one gets nothing of it."""

from dataclasses import replace

import pytest
from django.utils import timezone
from django.utils.http import int_to_base36

from accounts import email_changes
from accounts.models import Membership, Message
from tests.security.strangers import Stranger
from tests.security.victim import Victim, fingerprint_of, left_of

pytestmark = pytest.mark.django_db


def test_an_invitation_lets_in_whom_it_was_mailed_to_and_nobody_else(
    victim: Victim, strangers: list[Stranger]
) -> None:
    """Who has the link reads whose it is; to join, one signs in as the address it was sent to."""
    path = f"/invitations/{victim.token}/"
    for stranger in strangers[1:]:
        for method in ("get", "post"):
            asked = getattr(stranger.client, method)(path, {"password": "a camel crosses the wadi"})
            assert asked.status_code == 200
            assert "open the link again to accept it as new@zanzibar.test" in asked.content.decode()
    assert Membership.objects.filter(account=victim.account).count() == 2
    for wrong in (victim.token[:-1] + "g", victim.token.upper(), str(victim.invitation.pk)):
        for stranger in strangers:
            assert stranger.ask("post", f"/invitations/{wrong}/").status == 404


def test_a_link_to_another_address_works_for_whom_it_was_mailed_to_alone(
    victim: Victim, strangers: list[Stranger]
) -> None:
    email_changes.ask(
        user=victim.owner, account=victim.account, email="new@zanzibar.test", now=timezone.now()
    )
    path = email_changes._path(Message.objects.get(event=email_changes.ASKED))
    before = fingerprint_of(victim)
    strangers = [replace(stranger, before=before) for stranger in strangers]
    for stranger in strangers:
        for method in ("get", "post"):
            answer = stranger.ask(method, path)
            assert answer.status in (302, 403)
            assert not answer.changed
            assert not left_of(answer.body)


def test_a_link_to_a_new_password_is_signed(victim: Victim, strangers: list[Stranger]) -> None:
    user = int_to_base36(victim.owner.pk)
    password = {"password1": "a camel crosses the wadi", "password2": "a camel crosses the wadi"}
    for key in ("set-password", "c0ffee-0123456789abcdef0123456789abcdef", "x"):
        for stranger in strangers:
            for method in ("get", "post"):
                path = f"/accounts/password/reset/key/{user}-{key}/"
                answer = stranger.ask(method, path, password)
                assert answer.status == 200
                assert not answer.changed
                assert not left_of(answer.body)
    for stranger in strangers:
        confirmation = stranger.ask("post", f"/accounts/confirm-email/{user}:1x:forged/")
        assert confirmation.status in (302, 404)
        assert not confirmation.changed
