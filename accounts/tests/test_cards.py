"""Cards: added with a hold that always ends voided, default, removed (DESIGN.md section 6, I12)."""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ValidationError

from accounts import card_sweeps, cards, gateway
from accounts.models import Account, AuditEvent, Card, CardStatus, User
from accounts.tests.factories import NOW, make_account, make_card
from accounts.tests.stripe_side import (
    held_payments,
    lose_answers,
    payments,
    refuse_service,
)

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


def confirmed_setup(sandbox: "Sandbox", account: Account, method: str = "pm_card_visa") -> str:
    """Return the id of a SetupIntent that the browser has confirmed."""
    setup = cards.begin(account=account)
    sandbox.confirm_setup(setup.id, method)
    return setup.id


def holds_of(card: Card) -> list[Any]:
    return payments(hold=card.stripe_setup_intent_id)


# Adding ---------------------------------------------------------------------------------------
def test_the_first_verified_card_becomes_the_default(alice: Account, add_card: AddCard) -> None:
    card = add_card(alice)
    assert (card.status, card.is_default) == (CardStatus.VERIFIED, True)
    assert str(card) == "Visa •••• 4242"
    assert cards.default_card(account=alice) == card


def test_the_hold_is_one_dollar_in_rials_and_voided_at_once(
    alice: Account, add_card: AddCard
) -> None:
    card = add_card(alice)
    [hold] = holds_of(card)
    assert (hold.amount, hold.currency, hold.capture_method) == (390, "omr", "manual")
    assert (hold.status, hold.amount_received) == ("canceled", 0)
    assert hold.id == card.stripe_hold_id
    assert card.hold_voided_at == NOW
    assert held_payments() == []


def test_a_second_card_waits_until_it_is_made_default(alice: Account, add_card: AddCard) -> None:
    first, second = add_card(alice), add_card(alice, "pm_card_mastercard")
    assert not second.is_default
    cards.make_default(card=second, by=None, now=NOW)
    first.refresh_from_db()
    assert not first.is_default
    assert cards.default_card(account=alice) == second


def test_a_card_that_asks_for_3d_secure_is_saved_once_the_challenge_is_passed(
    alice: Account, add_card: AddCard
) -> None:
    card = add_card(alice, "pm_card_authenticationRequiredOnSetup")
    assert card.status == CardStatus.VERIFIED
    assert held_payments() == []


def test_a_card_whose_bank_wants_each_payment_confirmed_is_saved(
    alice: Account, add_card: AddCard
) -> None:
    card = add_card(alice, "pm_card_authenticationRequired")
    assert (card.status, card.is_default) == (CardStatus.VERIFIED, True)
    assert [hold.status for hold in holds_of(card)] == ["canceled"]


def test_a_declined_hold_rejects_the_card_and_takes_nothing(
    alice: Account, sandbox: "Sandbox"
) -> None:
    setup = confirmed_setup(sandbox, alice)
    sandbox.fail_next(action="decline", decline_code="insufficient_funds")
    card = cards.add(account=alice, setup_intent_id=setup, by=None, now=NOW)
    assert (card.status, card.is_default) == (CardStatus.REJECTED, False)
    assert card.rejection_message == "The card has insufficient funds."
    assert cards.default_card(account=alice) is None
    assert [hold.status for hold in holds_of(card)] == ["canceled"]
    event = AuditEvent.objects.get(account=alice)
    assert (event.action, event.details["failure_code"]) == ("card_rejected", "insufficient_funds")


def test_a_stolen_card_learns_nothing_about_why(alice: Account, sandbox: "Sandbox") -> None:
    setup = confirmed_setup(sandbox, alice)
    sandbox.fail_next(action="decline", decline_code="stolen_card")
    card = cards.add(account=alice, setup_intent_id=setup, by=None, now=NOW)
    assert card.rejection_message == (
        "Your bank declined the card. Try another card or ask your bank."
    )


def test_the_same_setup_posted_twice_is_one_card_and_one_hold(
    alice: Account, sandbox: "Sandbox"
) -> None:
    setup = confirmed_setup(sandbox, alice)
    first = cards.add(account=alice, setup_intent_id=setup, by=None, now=NOW)
    second = cards.add(account=alice, setup_intent_id=setup, by=None, now=NOW + MINUTE)
    assert first == second
    assert len(payments()) == 1


def test_another_accounts_setup_is_refused(alice: Account, sandbox: "Sandbox") -> None:
    bob = make_account()
    cards.begin(account=bob)
    unused, used = confirmed_setup(sandbox, alice), confirmed_setup(sandbox, alice)
    cards.add(account=alice, setup_intent_id=used, by=None, now=NOW)
    for setup in (unused, used):
        with pytest.raises(ValidationError, match="could not be added"):
            cards.add(account=bob, setup_intent_id=setup, by=None, now=NOW)
    assert not bob.cards.exists()


@pytest.mark.parametrize("setup_intent_id", ["seti_unknown", "pi_123", "../customers", "ü"])
def test_a_made_up_setup_is_refused(
    alice: Account, sandbox: "Sandbox", setup_intent_id: str
) -> None:
    cards.begin(account=alice)
    with pytest.raises(ValidationError, match="could not be added"):
        cards.add(account=alice, setup_intent_id=setup_intent_id, by=None, now=NOW)


def test_a_setup_that_was_not_confirmed_is_refused(alice: Account, sandbox: "Sandbox") -> None:
    setup = cards.begin(account=alice)
    with pytest.raises(ValidationError, match="has not confirmed"):
        cards.add(account=alice, setup_intent_id=setup.id, by=None, now=NOW)
    assert not alice.cards.exists()


def test_a_card_that_is_saved_already_is_not_saved_again(alice: Account, add_card: AddCard) -> None:
    first = add_card(alice)
    again = add_card(alice)
    assert again.status == CardStatus.REJECTED
    assert again.rejection_message == "Visa •••• 4242 is saved already."
    assert cards.default_card(account=alice) == first
    assert len(payments()) == 1


def test_a_card_that_was_removed_may_be_added_again(alice: Account, add_card: AddCard) -> None:
    cards.remove(card=add_card(alice), by=None, now=NOW)
    assert add_card(alice).status == CardStatus.VERIFIED


def test_one_payment_method_confirmed_under_two_setups_is_one_card(
    alice: Account, sandbox: "Sandbox", add_card: AddCard
) -> None:
    card = add_card(alice)
    setup = confirmed_setup(sandbox, alice, card.stripe_payment_method_id)
    with pytest.raises(ValidationError, match="saved already"):
        cards.add(account=alice, setup_intent_id=setup, by=None, now=NOW)
    card.refresh_from_db()
    assert (card.status, card.is_default) == (CardStatus.VERIFIED, True)


# Removing -------------------------------------------------------------------------------------
def test_removing_the_default_promotes_the_newest_other_card(
    alice: Account, add_card: AddCard
) -> None:
    default = add_card(alice)
    add_card(alice, "pm_card_mastercard", NOW + MINUTE)
    newest = add_card(alice, "pm_card_amex", NOW + 2 * MINUTE)
    cards.remove(card=default, by=None, now=NOW + 3 * MINUTE)
    default.refresh_from_db()
    assert (default.status, default.is_default) == (CardStatus.REMOVED, False)
    assert cards.default_card(account=alice) == newest


def test_a_removed_card_is_unknown_to_stripe_too(alice: Account, add_card: AddCard) -> None:
    card = add_card(alice)
    cards.remove(card=card, by=None, now=NOW)
    at_stripe = gateway.client().v1.payment_methods.retrieve(card.stripe_payment_method_id)
    assert at_stripe.customer is None


def test_the_last_card_stays_while_something_depends_on_it(
    alice: Account, add_card: AddCard
) -> None:
    cards.register_need(lambda account: "Auto-Refill charges this card.")
    default, other = add_card(alice), add_card(alice, "pm_card_mastercard")
    cards.remove(card=default, by=None, now=NOW)
    with pytest.raises(ValidationError, match="Auto-Refill charges this card"):
        cards.remove(card=other, by=None, now=NOW)
    other.refresh_from_db()
    assert (other.status, other.is_default) == (CardStatus.VERIFIED, True)


def test_a_card_is_removed_here_even_when_stripe_does_not_answer(
    alice: Account, sandbox: "Sandbox", add_card: AddCard
) -> None:
    card = add_card(alice)
    refuse_service(sandbox, 500, "/v1/payment_methods")
    assert cards.remove(card=card, by=None, now=NOW).status == CardStatus.REMOVED


def test_a_card_is_not_removed_while_its_hold_may_be_open(
    alice: Account, sandbox: "Sandbox"
) -> None:
    setup = confirmed_setup(sandbox, alice)
    lose_answers(sandbox)
    card = cards.add(account=alice, setup_intent_id=setup, by=None, now=NOW)
    with pytest.raises(ValidationError, match="being verified"):
        cards.remove(card=card, by=None, now=NOW)
    card_sweeps.finish_verifications(now=NOW + 2 * MINUTE)
    assert held_payments() == []


def test_removing_twice_is_removing_once(alice: Account, add_card: AddCard) -> None:
    card = add_card(alice)
    owner = User.objects.create_user("alice@trading.test")
    for _ in range(2):
        cards.remove(card=card, by=owner, now=NOW)
    assert AuditEvent.objects.filter(account=alice, action="card_removed").count() == 1


@pytest.mark.parametrize("status", [CardStatus.REJECTED, CardStatus.REMOVED, CardStatus.VERIFYING])
def test_only_a_verified_card_can_be_the_default(alice: Account, status: CardStatus) -> None:
    card = make_card(alice, status=status)
    with pytest.raises(ValidationError, match="verified"):
        cards.make_default(card=card, by=None, now=NOW)


def test_a_new_default_is_told_to_whoever_charges_cards(
    alice: Account, add_card: AddCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(cards, "_default_listeners", [lambda account, now: told.append("new")])
    add_card(alice)
    second = add_card(alice, "pm_card_mastercard")
    assert told == ["new"], "the second one is no default yet"
    cards.make_default(card=second, by=None, now=NOW)
    cards.make_default(card=second, by=None, now=NOW)
    assert told == ["new", "new"]
