"""Secrets that must be read to be used: nothing in the database gives them away."""

import json
from io import StringIO

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, yield_hotp_counters_from_time
from allauth.mfa.totp.internal.auth import hotp_value as code_of
from django.core.management import CommandError, call_command
from djstripe.models import WebhookEndpoint
from pytest_django import Settings

from accounts import encryption
from accounts.encryption import Unreadable
from accounts.kept_secrets import signing_secret_of
from accounts.models import User
from accounts.tests.factories import NOW
from invoices.tests.stripe_events import post

pytestmark = pytest.mark.django_db

SECRET = "JBSWY3DPEHPK3PXP"
OTHER_KEY = "another-key-" * 6


@pytest.fixture
def salma() -> User:
    """Signs in with an app on her phone, and has codes for the day when it is lost."""
    person = User.objects.create_user("salma@badal.test", "a-long-password")
    TOTP.activate(person, SECRET)
    RecoveryCodes.activate(person)
    return person


def app_of(person: User) -> TOTP:
    return TOTP(Authenticator.objects.get(user=person, type="totp"))


def codes_of(person: User) -> list[str]:
    kept = Authenticator.objects.get(user=person, type="recovery_codes")
    return list(RecoveryCodes(kept).generate_codes())


def now_shown() -> str:
    """What the app shows."""
    return str(format_hotp_value(code_of(SECRET, next(iter(yield_hotp_counters_from_time())))))


def test_a_second_factor_works_and_what_is_kept_of_it_is_no_secret(salma: User) -> None:
    kept = json.dumps(list(Authenticator.objects.values_list("data", flat=True)))

    assert SECRET not in kept
    assert kept.count("fernet:") == 2
    with time_machine.travel(NOW, tick=False):
        assert app_of(salma).validate_code(now_shown())
    assert len(codes_of(salma)) == 10


def test_what_an_older_key_encrypted_is_read_and_can_be_encrypted_anew(
    salma: User, settings: Settings
) -> None:
    before = codes_of(salma)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], OTHER_KEY
    assert codes_of(salma) == before

    said = StringIO()
    call_command("encrypt_secrets", stdout=said)
    assert "2 secrets" in said.getvalue()
    settings.SECRET_KEY_FALLBACKS = []
    assert codes_of(salma) == before


def test_under_a_key_that_is_not_known_any_more_nothing_is_read_and_nothing_is_changed(
    salma: User, settings: Settings
) -> None:
    kept = list(Authenticator.objects.values_list("data", flat=True))
    settings.SECRET_KEY = OTHER_KEY

    with pytest.raises(Unreadable, match="SECRET_KEY_FALLBACKS"):
        codes_of(salma)
    with pytest.raises(CommandError, match="SECRET_KEY_FALLBACKS"):
        call_command("encrypt_secrets")
    assert list(Authenticator.objects.values_list("data", flat=True)) == kept


def test_a_secret_that_somebody_wrote_into_the_table_is_none() -> None:
    with pytest.raises(Unreadable):
        encryption.decrypt(SECRET)


def test_stripes_signing_secret_is_kept_encrypted_and_events_are_taken(
    endpoint: WebhookEndpoint, event: dict[str, object], settings: Settings
) -> None:
    kept = json.dumps(list(WebhookEndpoint.objects.values_list("secret", "stripe_data")))
    assert signing_secret_of(endpoint).startswith("whsec_")
    assert "whsec_" not in kept

    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], OTHER_KEY
    call_command("encrypt_secrets", stdout=StringIO())
    settings.SECRET_KEY_FALLBACKS = []
    endpoint.refresh_from_db()
    assert post(endpoint, event).status_code == 200


def test_stripe_sends_again_what_comes_while_the_signing_secret_is_unreadable(
    endpoint: WebhookEndpoint, event: dict[str, object], settings: Settings
) -> None:
    """A 400 would be taken for an answer."""
    known = signing_secret_of(endpoint)
    with_key = settings.SECRET_KEY
    settings.SECRET_KEY = OTHER_KEY
    assert post(endpoint, event, secret=known).status_code == 500
    settings.SECRET_KEY = with_key
    assert post(endpoint, event).status_code == 200
