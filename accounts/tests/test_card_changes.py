"""What banks and Stripe's dashboard do to a saved card, told by webhook."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from django.core.exceptions import ValidationError

from accounts import card_attempts, card_changes, cards, gateway
from accounts.models import Account, AuditEvent, Card, CardStatus, Message, User
from accounts.stripe_objects import PaymentMethod
from accounts.tests.factories import NOW, make_account, make_card
from invoices.tests.stripe_events import events, listen, post

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

AddCard = Callable[..., Card]


@pytest.fixture
def alice() -> Account:
    return make_account(name="Alice Trading")


def newest(kind: str) -> dict[str, object]:
    return events(kind)[0]


# The bank replaces a card -------------------------------------------------------------------------
def test_a_card_that_its_bank_replaced_is_updated_and_recorded(
    alice: Account, add_card: AddCard, sandbox: "Sandbox"
) -> None:
    endpoint = listen(sandbox)
    card = add_card(alice)
    sandbox.control(
        f"payment_methods/{card.stripe_payment_method_id}/behaviour",
        {"last4": "1881", "exp_month": 3, "exp_year": 2034},
    )
    event = newest("payment_method.automatically_updated")
    for _ in range(2):
        assert post(endpoint, event).status_code == 200
    card.refresh_from_db()
    assert (card.last4, card.exp_month, card.exp_year) == ("1881", 3, 2034)
    assert (card.status, card.is_default) == (CardStatus.VERIFIED, True)
    recorded = AuditEvent.objects.get(account=alice, action="card_updated")
    assert recorded.details["after"] == "visa 1881 03/2034"
    assert recorded.details["before"].startswith("visa 4242 ")


def test_a_card_edited_in_stripes_dashboard_is_updated(
    alice: Account, add_card: AddCard, sandbox: "Sandbox"
) -> None:
    endpoint = listen(sandbox)
    card = add_card(alice)
    gateway.client().v1.payment_methods.update(
        card.stripe_payment_method_id, {"card": {"exp_month": 7, "exp_year": 2035}}
    )
    assert post(endpoint, newest("payment_method.updated")).status_code == 200
    card.refresh_from_db()
    assert (card.exp_month, card.exp_year) == (7, 2035)


def method_of(card: Card, **changes: object) -> PaymentMethod:
    said = {
        "id": card.stripe_payment_method_id,
        "brand": card.brand,
        "last4": card.last4,
        "exp_month": card.exp_month,
        "exp_year": card.exp_year,
        "fingerprint": card.fingerprint,
        "holder_name": card.holder_name,
        **changes,
    }
    return PaymentMethod(**said)  # type: ignore[arg-type]


def test_an_event_never_touches_the_card_of_another_customer(alice: Account) -> None:
    alice.stripe_customer_id = "cus_alice"
    alice.save()
    card = make_card(alice)
    for stranger in ("cus_bob", ""):
        changed = card_changes.update(
            method=method_of(card, last4="0002"), customer_id=stranger, told_at=NOW, now=NOW
        )
        gone = card_changes.detached(
            payment_method_id=card.stripe_payment_method_id, customer_id=stranger, now=NOW
        )
        assert (changed, gone) == (None, None)
    card.refresh_from_db()
    assert (card.last4, card.status) == ("4242", CardStatus.VERIFIED)
    assert not AuditEvent.objects.filter(account=alice).exists()


def test_an_older_event_that_comes_late_changes_nothing(alice: Account) -> None:
    alice.stripe_customer_id = "cus_alice"
    alice.save()
    card = make_card(alice)
    for year, told_at in ((2033, NOW), (2031, NOW - timedelta(hours=1))):
        card_changes.update(
            method=method_of(card, exp_year=year),
            customer_id="cus_alice",
            told_at=told_at,
            now=NOW,
        )
    card.refresh_from_db()
    assert card.exp_year == 2033


def test_a_default_card_with_a_new_date_is_reason_to_try_again(
    alice: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice.stripe_customer_id = "cus_alice"
    alice.save()
    told: list[Account] = []
    monkeypatch.setattr(cards, "_renewed_listeners", [lambda account, now: told.append(account)])
    card, other = make_card(alice, is_default=True), make_card(alice)
    for each in (card, other):
        card_changes.update(
            method=method_of(each, exp_year=2040), customer_id="cus_alice", told_at=NOW, now=NOW
        )
        card_changes.update(
            method=method_of(each, exp_year=2040), customer_id="cus_alice", told_at=NOW, now=NOW
        )
    assert told == [alice]


# Detached in Stripe's dashboard -------------------------------------------------------------------
def test_a_card_detached_in_stripes_dashboard_is_gone_and_another_takes_its_place(
    alice: Account, add_card: AddCard, sandbox: "Sandbox"
) -> None:
    endpoint = listen(sandbox)
    card, other = add_card(alice), add_card(alice, "pm_card_mastercard")
    gateway.detach_card(card.stripe_payment_method_id)
    event = newest("payment_method.detached")
    for _ in range(2):
        assert post(endpoint, event).status_code == 200
    card.refresh_from_db()
    assert (card.status, card.is_default) == (CardStatus.REMOVED, False)
    assert cards.default_card(account=alice) == other
    actions = set(AuditEvent.objects.filter(account=alice).values_list("action", flat=True))
    assert {"card_detached", "card_made_default"} <= actions


def test_a_card_that_was_removed_here_is_not_removed_again(
    alice: Account, add_card: AddCard, sandbox: "Sandbox"
) -> None:
    endpoint = listen(sandbox)
    card = add_card(alice)
    cards.remove(card=card, by=None, now=NOW)
    assert post(endpoint, newest("payment_method.detached")).status_code == 200
    assert not AuditEvent.objects.filter(account=alice, action="card_detached").exists()


def test_a_decline_before_a_card_is_saved_is_counted(alice: Account, sandbox: "Sandbox") -> None:
    endpoint = listen(sandbox)
    user = User.objects.create_user("alice@trading.test")
    setup = card_attempts.begin(account=alice, by=user, ip_address=None, now=NOW)
    with pytest.raises(Exception, match="402"):
        sandbox.confirm_setup(setup.id, "pm_card_chargeDeclinedStolenCard")
    assert post(endpoint, newest("setup_intent.setup_failed")).status_code == 200
    attempt = alice.card_attempts.get()
    assert (attempt.outcome, attempt.failure_code) == ("declined", "stolen_card")


# Expiry -------------------------------------------------------------------------------------------
def test_an_expired_card_is_not_made_the_default(alice: Account) -> None:
    make_card(alice, is_default=True)
    old = make_card(alice, exp_month=10, exp_year=2026)
    with pytest.raises(ValidationError, match="has expired"):
        cards.make_default(card=old, by=None, now=NOW)


def test_a_card_that_has_not_expired_takes_the_place_of_one_removed(
    alice: Account, sandbox: "Sandbox"
) -> None:
    card = make_card(alice, is_default=True)
    good = make_card(alice, created_at=NOW - timedelta(days=9))
    make_card(alice, exp_month=10, exp_year=2026)
    cards.remove(card=card, by=None, now=NOW)
    assert cards.default_card(account=alice) == good


@pytest.mark.parametrize(
    ("day", "told"),
    [
        (datetime(2026, 12, 1, tzinfo=UTC), 0),
        (datetime(2026, 12, 2, tzinfo=UTC), 1),
        (datetime(2026, 12, 31, 12, tzinfo=UTC), 1),
        (datetime(2027, 1, 2, tzinfo=UTC), 0),
    ],
)
def test_who_pays_with_a_card_that_expires_within_a_month_is_told(
    alice: Account, day: datetime, told: int
) -> None:
    make_card(alice, is_default=True, exp_month=12, exp_year=2026)
    make_card(alice, exp_month=12, exp_year=2026)
    assert card_changes.tell_expiring(now=day) == told


def test_it_is_told_once_for_each_card_and_date(alice: Account) -> None:
    card = make_card(alice, is_default=True, exp_month=12, exp_year=2026)
    day = datetime(2026, 12, 10, tzinfo=UTC)
    assert [card_changes.tell_expiring(now=day) for _ in range(3)] == [1, 0, 0]
    message = Message.objects.get(account=alice)
    assert (message.event, message.payload["expiry"]) == ("card_expiring", "12 / 2026")
    Card.objects.filter(pk=card.pk).update(exp_year=2027)
    assert card_changes.tell_expiring(now=day + timedelta(days=365)) == 1
