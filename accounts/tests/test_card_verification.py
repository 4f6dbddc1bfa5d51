"""Verifying a card when answers are lost: the hold always ends voided, the card always settled."""

import functools
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import stripe
from djstripe.models import SetupIntent

from accounts import card_sweeps, cards, gateway
from accounts.models import Account, Card, CardStatus
from accounts.tests.factories import NOW, make_account, make_card
from accounts.tests.stripe_side import (
    held_payments,
    lose_answers,
    payments,
    refuse_service,
)
from accounts.tests.test_cards import confirmed_setup

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

AddCard = Callable[..., Card]
MINUTE = timedelta(minutes=1)


@pytest.fixture
def alice() -> Account:
    return make_account(name="Alice Trading")


@pytest.fixture(autouse=True)
def _nothing_needs_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """What depends on a card is the examples' own business."""
    monkeypatch.setattr(cards, "_needs", [])


# Lost answers ---------------------------------------------------------------------------------
def test_a_lost_answer_leaves_the_card_verifying_until_the_sweeper_finds_the_one_hold(
    alice: Account, sandbox: "Sandbox"
) -> None:
    setup = confirmed_setup(sandbox, alice)
    lose_answers(sandbox)
    card = cards.add(account=alice, setup_intent_id=setup, by=None, now=NOW)
    assert card.status == CardStatus.VERIFYING
    assert len(held_payments()) == 1

    assert card_sweeps.finish_verifications(now=NOW + MINUTE) == 0, "a minute has not passed yet"
    assert card_sweeps.finish_verifications(now=NOW + 2 * MINUTE) == 1
    card.refresh_from_db()
    assert (card.status, card.is_default) == (CardStatus.VERIFIED, True)
    assert [hold.status for hold in payments()] == ["canceled"]


def test_a_card_that_cannot_be_finished_holds_back_no_other(
    alice: Account, sandbox: "Sandbox", monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, left = [
        make_card(
            make_account(), status=CardStatus.VERIFYING, hold_voided_at=None, stripe_hold_id=""
        )
        for _ in range(2)
    ]
    finish = cards.finish_verification

    def break_for_one(*, card: Card, now: Any) -> Card:
        if card == broken:
            raise RuntimeError("Nobody expected this.")
        return finish(card=card, now=now)

    monkeypatch.setattr(cards, "finish_verification", break_for_one)
    assert card_sweeps.finish_verifications(now=NOW + 2 * MINUTE) == 1
    left.refresh_from_db()
    assert left.status == CardStatus.REJECTED


def test_a_hold_left_open_is_voided_also_when_the_card_was_saved_meanwhile(
    alice: Account, sandbox: "Sandbox", add_card: AddCard
) -> None:
    setup = confirmed_setup(sandbox, alice)
    lose_answers(sandbox)
    left = cards.add(account=alice, setup_intent_id=setup, by=None, now=NOW)
    sandbox_is_well(sandbox)
    assert left.status == CardStatus.VERIFYING
    assert len(held_payments()) == 1
    add_card(alice)

    card_sweeps.finish_verifications(now=NOW + timedelta(minutes=2))

    left.refresh_from_db()
    assert (left.status, left.rejection_message) == (
        CardStatus.REJECTED,
        "Visa •••• 4242 is saved already.",
    )
    assert held_payments() == []


def test_a_card_that_another_sweep_verified_meanwhile_is_not_its_own_twin(
    alice: Account, sandbox: "Sandbox"
) -> None:
    setup = confirmed_setup(sandbox, alice)
    lose_answers(sandbox)
    card = cards.add(account=alice, setup_intent_id=setup, by=None, now=NOW)
    stale = Card.objects.get(pk=card.pk)
    cards.finish_verification(card=card, now=NOW + 2 * MINUTE)
    assert cards.finish_verification(card=stale, now=NOW + 2 * MINUTE).status == CardStatus.VERIFIED
    method = gateway.client().v1.payment_methods.retrieve(card.stripe_payment_method_id)
    assert method.customer == alice.stripe_customer_id, "it can still be charged"


def test_a_hold_stripe_does_not_find_by_searching_yet_is_voided_all_the_same(
    alice: Account, sandbox: "Sandbox", add_card: AddCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Searching lags behind by a minute or more: docs.stripe.com/search, data freshness."""
    setup = confirmed_setup(sandbox, alice)
    lose_answers(sandbox)
    left = cards.add(account=alice, setup_intent_id=setup, by=None, now=NOW)
    sandbox_is_well(sandbox)
    add_card(alice)
    nothing_yet = SimpleNamespace(data=[])
    monkeypatch.setattr(stripe.PaymentIntentService, "search", lambda *args: nothing_yet)
    card_sweeps.finish_verifications(now=NOW + 2 * MINUTE)
    left.refresh_from_db()
    assert left.status == CardStatus.REJECTED
    assert held_payments() == []


def test_a_void_that_stripe_remembers_as_failed_is_asked_for_anew(
    alice: Account, sandbox: "Sandbox", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stripe answers the same under the same key for a day, also when that was a 500."""
    cancel = stripe.PaymentIntentService.cancel
    failed: set[str] = set()

    @functools.wraps(cancel)
    def cancel_once_failed(
        service: Any, intent: str, params: Any = None, options: Any = None
    ) -> Any:
        key = (options or {}).get("idempotency_key", "")
        if not failed or key in failed:
            failed.add(key or "a key of the SDK's")
            raise stripe.APIError("Something went wrong on our end.")
        return cancel(service, intent, params, options)

    monkeypatch.setattr(stripe.PaymentIntentService, "cancel", cancel_once_failed)
    setup = confirmed_setup(sandbox, alice)
    card = cards.add(account=alice, setup_intent_id=setup, by=None, now=NOW)
    assert card.status == CardStatus.VERIFYING
    card_sweeps.finish_verifications(now=NOW + 2 * MINUTE)
    card.refresh_from_db()
    assert card.status == CardStatus.VERIFIED
    assert held_payments() == []


def test_a_lost_void_is_asked_for_again(alice: Account, sandbox: "Sandbox") -> None:
    setup = confirmed_setup(sandbox, alice)
    # Everything below a PaymentIntent fails, that is: its cancellation.
    sandbox.fail_next(action="status", status=500, count=9, match={"path": "/v1/payment_intents/"})
    card = cards.add(account=alice, setup_intent_id=setup, by=None, now=NOW)
    assert card.status == CardStatus.VERIFYING
    assert card.stripe_hold_id != ""
    sandbox_is_well(sandbox)
    card_sweeps.finish_verifications(now=NOW + 2 * MINUTE)
    card.refresh_from_db()
    assert card.status == CardStatus.VERIFIED
    assert [hold.status for hold in payments()] == ["canceled"]


def test_a_hold_whose_key_stripe_may_have_forgotten_is_looked_up_and_voided(
    alice: Account, sandbox: "Sandbox"
) -> None:
    setup = confirmed_setup(sandbox, alice)
    lose_answers(sandbox)
    card = cards.add(account=alice, setup_intent_id=setup, by=None, now=NOW)
    card_sweeps.finish_verifications(now=NOW + timedelta(hours=30))
    card.refresh_from_db()
    assert card.status == CardStatus.REJECTED
    assert card.rejection_message == "The card could not be verified in time. Add it again."
    assert [hold.status for hold in payments()] == ["canceled"]


def sandbox_is_well(sandbox: "Sandbox") -> None:
    """Forget the planned trouble."""
    request = urllib.request.Request(f"{sandbox.url}/_sandbox/next", method="DELETE")
    urllib.request.urlopen(request, timeout=5).close()


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_stripe_that_is_down_verifies_nothing_and_forgets_nothing(
    alice: Account, sandbox: "Sandbox", status: int
) -> None:
    setup = confirmed_setup(sandbox, alice)
    refuse_service(sandbox, status)
    card = cards.add(account=alice, setup_intent_id=setup, by=None, now=NOW)
    assert card.status == CardStatus.VERIFYING
    assert payments() == []
    card_sweeps.finish_verifications(now=NOW + 2 * MINUTE)
    card.refresh_from_db()
    assert card.status == CardStatus.VERIFIED
    assert len(payments()) == 1


def test_one_card_without_an_answer_does_not_hold_back_the_next(
    alice: Account, sandbox: "Sandbox", add_card: AddCard
) -> None:
    add_card(alice)
    twin = make_card(
        alice,
        status=CardStatus.VERIFYING,
        is_default=False,
        hold_voided_at=None,
        fingerprint=alice.cards.get().fingerprint,
        exp_year=alice.cards.get().exp_year,
        exp_month=alice.cards.get().exp_month,
    )
    bob = make_account()
    setup = confirmed_setup(sandbox, bob)
    refuse_service(sandbox, 500)
    waiting = cards.add(account=bob, setup_intent_id=setup, by=None, now=NOW)
    refuse_service(sandbox, 500, f"/v1/payment_methods/{twin.stripe_payment_method_id}")

    card_sweeps.finish_verifications(now=NOW + 2 * MINUTE)
    waiting.refresh_from_db()
    twin.refresh_from_db()
    assert waiting.status == CardStatus.VERIFIED
    assert twin.status == CardStatus.VERIFYING


def test_a_browser_that_never_came_back_has_its_card_saved(
    alice: Account, sandbox: "Sandbox"
) -> None:
    setup = confirmed_setup(sandbox, alice)
    synced(setup)
    assert card_sweeps.finish_verifications(now=later_today()) == 1
    card = alice.cards.get()
    assert (card.stripe_setup_intent_id, card.status) == (setup, CardStatus.VERIFIED)
    assert card_sweeps.finish_verifications(now=later_today()) == 0


def test_a_setup_that_cannot_be_saved_does_not_hold_back_the_next(
    alice: Account, sandbox: "Sandbox", add_card: AddCard
) -> None:
    card = add_card(alice)
    synced(confirmed_setup(sandbox, alice, card.stripe_payment_method_id))
    bob = make_account()
    synced(confirmed_setup(sandbox, bob))
    card_sweeps.finish_verifications(now=later_today())
    assert bob.cards.get().status == CardStatus.VERIFIED


def synced(setup_intent_id: str) -> SetupIntent:
    """Keep a SetupIntent in dj-stripe's table, as its webhook does."""
    intent = gateway.client().v1.setup_intents.retrieve(setup_intent_id)
    kept: SetupIntent = SetupIntent.sync_from_stripe_data(intent.to_dict())
    return kept


def later_today() -> Any:
    """Return a moment two minutes after what the sandbox has just made."""
    newest = SetupIntent.objects.order_by("-created").first()
    assert newest is not None
    return newest.created + 2 * MINUTE
