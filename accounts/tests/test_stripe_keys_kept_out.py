"""Stripe's secret key is in the environment, and in no table."""

from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from djstripe.models import Account, APIKey, Event

from accounts import cards
from accounts.stripe_keys_kept_out import fingerprint
from accounts.tests.factories import make_account
from invoices.tests.stripe_events import events, listen, post

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db


def test_an_event_leaves_the_key_s_fingerprint_and_not_the_key(sandbox: "Sandbox") -> None:
    endpoint = listen(sandbox)
    for _ in range(2):
        cards.ensure_customer(account=make_account())
    for event in events("customer.created"):
        assert post(endpoint, event).status_code == 200
    kept = APIKey.objects.get()
    assert kept.secret == fingerprint(settings.STRIPE_SECRET_KEY)
    assert "sk_" not in str(APIKey.objects.values().get())
    owner = Account.objects.get()
    assert {event.djstripe_owner_account for event in Event.objects.all()} == {owner}
    # What dj-stripe asks Stripe with is the key all the same.
    assert owner.default_api_key == settings.STRIPE_SECRET_KEY
