"""Payment Methods: what is shown, adding, the default, removing."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts import cards, gateway
from accounts.models import Account, CardStatus
from accounts.stripe_objects import Setup
from accounts.tests.factories import NOW, make_card
from billing_portal.dashboard.saved_cards import build_cards
from billing_portal.dashboard.tests import scenes
from invoices.models import Status
from invoices.tests.factories import make_transaction

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]
ADD = "/billing/payment-methods/add/"


@pytest.fixture
def _stripe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stripe forgets cards without being asked over the network."""
    monkeypatch.setattr(gateway, "detach_card", lambda payment_method_id: None)


def test_the_default_card_says_what_it_pays_for() -> None:
    account = scenes.busy_company()
    scenes.switch_refill_on(account)

    default, other = build_cards(account=account, may_manage=True, now=timezone.now())

    assert default.used_for == "Used for top-ups, plan renewals and Auto-Refill."
    assert (default.is_default, default.expires_soon, default.is_expired) == (True, True, False)
    assert default.holder == "Layla Al Said"
    assert other.used_for == "Used when you choose it for a top-up."
    assert other.label.label == "Mastercard •••• 4444"


def test_the_only_card_of_a_paid_plan_can_t_be_removed_and_says_why(account: Account) -> None:
    make_card(account, is_default=True)
    scenes.start_plan(account, "growth", at=timezone.now())

    (card,) = build_cards(account=account, may_manage=True, now=timezone.now())

    assert card.remove_href == ""
    assert card.keep_reason == "Your Growth plan is charged to this card. Add another card first."


def test_only_owners_remove_the_card_that_a_subscription_is_charged_to(
    account: Account, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "detach_card", lambda payment_method_id: None)
    used = make_card(account, is_default=True)
    other = make_card(account, brand="mastercard", last4="4444")
    scenes.start_plan(account, "growth", at=timezone.now())
    billing = sign_in(account, role="billing")

    shown = billing.get("/billing/payment-methods/").context["cards"]
    refused = billing.post(reverse("payment-method-remove", args=[used.pk]))

    assert [card.remove_href != "" for card in shown] == [False, True]
    assert shown[0].keep_reason == (
        "Your plan is charged to this card, so only an owner can remove it."
    )
    assert refused.status_code == 403
    assert account.cards.get(is_default=True) == used
    # The other one pays for nothing by itself.
    assert billing.post(reverse("payment-method-remove", args=[other.pk])).status_code == 302
    again = make_card(account, brand="mastercard", last4="4444")
    [shown_to_owner, _] = sign_in(account).get("/billing/payment-methods/").context["cards"]
    assert shown_to_owner.remove_words == (
        "It will not be charged again. Mastercard ending 4444 becomes the default."
    )
    sign_in(account).post(reverse("payment-method-remove", args=[used.pk]))
    assert account.cards.get(is_default=True) == again


def test_billing_members_remove_a_card_that_only_tops_up(
    account: Account, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "detach_card", lambda payment_method_id: None)
    scenes.start_plan(account, "payg", at=timezone.now())
    card = make_card(account, is_default=True)

    sign_in(account, role="billing").post(reverse("payment-method-remove", args=[card.pk]))

    card.refresh_from_db()
    assert card.status == CardStatus.REMOVED


def test_when_a_card_was_last_charged(account: Account) -> None:
    card = make_card(account, is_default=True)
    make_card(account, brand="mastercard", last4="4444")
    make_transaction(account, card=card, created_at=NOW - timedelta(days=9))
    make_transaction(account, card=card, created_at=NOW)
    make_transaction(account, card=card, status=Status.FAILED, created_at=NOW + timedelta(days=1))

    first, second = build_cards(account=account, may_manage=True, now=timezone.now())

    assert first.last_used == "Last charged on Nov 23, 2026."
    assert second.last_used == "Not charged yet."


def test_the_list_takes_few_queries(
    sign_in: SignIn, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    account = scenes.busy_company()
    client = sign_in(account)

    with django_assert_max_num_queries(12):
        client.get("/billing/payment-methods/")


def test_removed_and_rejected_cards_are_not_shown(account: Account) -> None:
    make_card(account, status=CardStatus.REMOVED)
    make_card(account, status=CardStatus.REJECTED)

    assert build_cards(account=account, may_manage=True, now=timezone.now()) == ()


def test_set_as_default(account: Account, sign_in: SignIn) -> None:
    make_card(account, is_default=True)
    second = make_card(account, brand="mastercard", last4="4444")

    response = sign_in(account).post(
        reverse("payment-method-default", args=[second.pk]), follow=True
    )

    second.refresh_from_db()
    assert second.is_default
    assert "Mastercard ending 4444 is now your default card." in response.content.decode()


@pytest.mark.usefixtures("_stripe")
def test_remove(account: Account, sign_in: SignIn) -> None:
    card = make_card(account, is_default=True)
    client = sign_in(account)

    response = client.post(reverse("payment-method-remove", args=[card.pk]), follow=True)

    card.refresh_from_db()
    assert card.status == CardStatus.REMOVED
    assert "Visa ending 4242 was removed." in response.content.decode()
    again = client.post(reverse("payment-method-remove", args=[card.pk]))
    assert again.status_code == 404


def test_the_setup_intent_s_secret_goes_to_the_browser(
    account: Account, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = Setup("seti_1", "seti_1_secret_2", "requires_payment_method", "cus_1", None)
    monkeypatch.setattr(cards, "begin", lambda account: setup)

    response = sign_in(account).post(reverse("payment-method-setup-intent"))

    assert response.json() == {"client_secret": "seti_1_secret_2"}


@pytest.mark.parametrize(
    "trouble", [gateway.GatewayUnavailable("timeout"), gateway.GatewayRefused("No such customer")]
)
def test_when_stripe_gives_no_secret_the_browser_is_told_so(
    account: Account, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    def in_trouble(account: Account) -> Setup:
        raise trouble

    monkeypatch.setattr(cards, "begin", in_trouble)

    response = sign_in(account).post(reverse("payment-method-setup-intent"))

    assert response.status_code == 503
    assert "Nothing was charged" in response.json()["detail"]


@pytest.mark.parametrize("setup_intent", ["", "pi_1", "seti_", "seti_1 or 1=1", "x" * 300])
def test_what_is_no_setup_intent_is_not_asked_about(
    account: Account, sign_in: SignIn, setup_intent: str
) -> None:
    response = sign_in(account).post(ADD, {"setup_intent": setup_intent})

    assert response.status_code == 422
    assert account.cards.count() == 0


@pytest.mark.parametrize(
    ("status", "code", "text"),
    [
        (CardStatus.VERIFIED, 200, "Visa ending 4242 was added."),
        (CardStatus.VERIFYING, 200, "Visa ending 4242 is being verified"),
        (CardStatus.REJECTED, 422, "The card has insufficient funds."),
    ],
)
def test_adding_says_how_the_verification_ended(
    account: Account,
    sign_in: SignIn,
    monkeypatch: pytest.MonkeyPatch,
    status: CardStatus,
    code: int,
    text: str,
) -> None:
    def add(**_: object) -> object:
        return make_card(
            account,
            status=status,
            rejection_message="The card has insufficient funds.",
        )

    monkeypatch.setattr(cards, "add", add)

    response = sign_in(account).post(ADD, {"setup_intent": "seti_1"}, follow=True)

    assert response.status_code == code
    assert text in response.content.decode()


@pytest.mark.parametrize(
    ("wanted", "reached"),
    [
        ("/billing/plan/growth/", "/billing/plan/growth/"),
        ("https://evil.example/", "/billing/payment-methods/"),
        ("//evil.example/", "/billing/payment-methods/"),
        ("javascript:alert(1)", "/billing/payment-methods/"),
    ],
)
def test_after_adding_one_stays_on_this_site(
    account: Account, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch, wanted: str, reached: str
) -> None:
    monkeypatch.setattr(cards, "add", lambda **_: make_card(account))

    response = sign_in(account).post(ADD, {"setup_intent": "seti_1", "next": wanted})

    assert response["Location"] == reached
