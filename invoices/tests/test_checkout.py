"""Hosted payment pages: credited exactly once, whoever brings the news first."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ValidationError

from accounts import gateway
from accounts.models import Account
from accounts.tests.factories import NOW, make_account
from accounts.tests.stripe_side import lose_answers, payments, refuse_service
from invoices import checkout, sweeper
from invoices.models import Status, Transaction
from invoices.tests.stripe_events import events, listen, post
from wallet import topups
from wallet.tests.factories import balance_of, make_wallet

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture
def alice() -> Account:
    account = make_account(name="Alice Trading")
    make_wallet(account)
    return account


def open_page(account: Account, amount: str = "25") -> Transaction:
    """Open a payment page for a top-up, as the dashboard does."""
    return topups.open_payment_page(
        account=account,
        amount=Decimal(amount),
        minimum=Decimal(10),
        return_path="/billing/top-up/return/?session={CHECKOUT_SESSION_ID}",
        cancel_path="/billing/top-up/",
        by=None,
        now=NOW,
    )


def pay(sandbox: "Sandbox", page: Transaction, method: str = "pm_card_visa") -> None:
    """Pay on the page, as the customer does."""
    sandbox.control(f"checkout/{page.stripe_checkout_session_id}/pay", {"payment_method": method})


def come_back(page: Transaction) -> Transaction:
    """Return from the page to the portal."""
    return checkout.refresh(transaction_id=page.pk, now=NOW + MINUTE)


# The page -------------------------------------------------------------------------------------
def test_a_page_shows_what_is_charged_and_what_for(alice: Account, sandbox: "Sandbox") -> None:
    page = open_page(alice)
    assert page.status == Status.CHECKOUT
    assert page.checkout_url.startswith(sandbox.url)
    session = gateway.client().v1.checkout.sessions.retrieve(page.stripe_checkout_session_id)
    assert (session.amount_total, session.currency) == (9630, "omr")
    assert session.to_dict()["metadata"]["transaction"] == page.number


def test_pages_may_be_opened_as_often_as_a_customer_likes(
    alice: Account, sandbox: "Sandbox"
) -> None:
    first, second = open_page(alice), open_page(alice, "10")
    for page in (second, first):
        pay(sandbox, page)
        come_back(page)
    assert balance_of(alice) == 35


def test_an_amount_below_the_minimum_opens_no_page(alice: Account, sandbox: "Sandbox") -> None:
    with pytest.raises(ValidationError, match="at least"):
        open_page(alice, "9.99")
    assert not Transaction.objects.exists()


def test_a_page_that_was_not_paid_credits_nothing(alice: Account, sandbox: "Sandbox") -> None:
    page = come_back(open_page(alice))
    assert (page.status, balance_of(alice)) == (Status.CHECKOUT, 0)


def test_a_declined_card_may_be_followed_by_another_one(alice: Account, sandbox: "Sandbox") -> None:
    page = open_page(alice)
    with pytest.raises(Exception, match="402"):
        pay(sandbox, page, "pm_card_chargeDeclinedInsufficientFunds")
    declined = come_back(page)
    assert (declined.status, declined.failure_code) == (Status.CHECKOUT, "insufficient_funds")
    pay(sandbox, page, "pm_card_mastercard")
    paid = come_back(page)
    assert (paid.status, paid.card_brand, paid.failure_code) == (Status.PAID, "mastercard", "")


# Whichever arrives first ----------------------------------------------------------------------
Arrival = Callable[[Any, Transaction], object]


def the_browser(endpoint: Any, page: Transaction) -> None:
    come_back(page)


def the_webhooks(endpoint: Any, page: Transaction) -> None:
    for kind in ("checkout.session.completed", "payment_intent.succeeded", "charge.succeeded"):
        assert post(endpoint, events(kind)[0]).status_code == 200


def the_sweeper(endpoint: Any, page: Transaction) -> None:
    sweeper.sweep(now=NOW + 20 * MINUTE)


@pytest.mark.parametrize(
    "arrivals",
    [
        (the_browser, the_webhooks),
        (the_webhooks, the_browser),
        (the_sweeper, the_webhooks, the_browser),
        (the_webhooks, the_webhooks, the_sweeper),
    ],
    ids=lambda arrivals: " then ".join(arrival.__name__ for arrival in arrivals),
)
def test_a_paid_page_is_credited_once(
    alice: Account, sandbox: "Sandbox", arrivals: tuple[Arrival, ...]
) -> None:
    endpoint = listen(sandbox)
    page = open_page(alice)
    pay(sandbox, page)
    for number, arrival in enumerate(arrivals, start=1):
        arrival(endpoint, page)
        assert balance_of(alice) == 25, f"after arrival {number}"
    page.refresh_from_db()
    assert (page.status, page.card_last4) == (Status.PAID, "4242")


def test_a_customer_who_pays_and_closes_the_browser_is_credited_by_the_sweeper(
    alice: Account, sandbox: "Sandbox"
) -> None:
    page = open_page(alice)
    pay(sandbox, page)
    assert sweeper.sweep(now=NOW + 2 * MINUTE) == 1
    assert balance_of(alice) == 25


def test_a_stripe_that_does_not_answer_changes_nothing(
    alice: Account, sandbox: "Sandbox", monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_page(alice)
    pay(sandbox, page)

    def no_answer(session_id: str) -> None:
        raise gateway.GatewayUnavailable("timeout")

    with monkeypatch.context() as patch:
        patch.setattr(gateway, "retrieve_checkout", no_answer)
        assert come_back(page).status == Status.CHECKOUT
    assert come_back(page).status == Status.PAID


# Expiry ---------------------------------------------------------------------------------------
def test_an_expired_page_is_marked_and_stays_checkout(alice: Account, sandbox: "Sandbox") -> None:
    page = open_page(alice)
    sandbox.control(f"checkout/{page.stripe_checkout_session_id}/expire")
    assert sweeper.sweep(now=NOW + 2 * MINUTE) == 1
    page.refresh_from_db()
    assert (page.status, page.is_expired) == (Status.CHECKOUT, True)
    assert sweeper.sweep(now=NOW + 60 * MINUTE) == 0, "nobody asks about it again"


def test_a_page_marked_expired_that_was_paid_after_all_is_credited_once(
    alice: Account, sandbox: "Sandbox"
) -> None:
    endpoint = listen(sandbox)
    page = open_page(alice)
    Transaction.objects.filter(pk=page.pk).update(expired_at=NOW)
    pay(sandbox, page)
    for _ in range(2):
        the_webhooks(endpoint, page)
    page.refresh_from_db()
    assert page.status == Status.PAID
    assert balance_of(alice) == 25


@pytest.mark.parametrize("trouble", ["lost answer", "down"])
def test_a_page_that_could_not_be_opened_is_expired_by_the_sweeper(
    alice: Account, sandbox: "Sandbox", trouble: str
) -> None:
    if trouble == "down":
        refuse_service(sandbox, 503, "/v1/checkout")
    else:
        lose_answers(sandbox, "/v1/checkout")
    with pytest.raises(gateway.GatewayUnavailable):
        open_page(alice)
    sweeper.sweep(now=NOW + 2 * MINUTE)
    page = Transaction.objects.get(account=alice)
    assert (page.status, page.is_expired) == (Status.CHECKOUT, True)
    assert payments(transaction=page.number) == []


@pytest.mark.parametrize("swept", ["while Stripe is asked", "just after its answer"])
def test_a_page_that_opens_only_after_the_sweeper_came_by_can_be_paid(
    alice: Account, sandbox: "Sandbox", monkeypatch: pytest.MonkeyPatch, swept: str
) -> None:
    ask, expire = gateway.open_checkout, checkout._expire

    def slowly(**asked: Any) -> Any:
        if swept == "while Stripe is asked":
            sweeper.sweep(now=NOW + 2 * MINUTE)
        return ask(**asked)

    with monkeypatch.context() as patch:
        patch.setattr(gateway, "open_checkout", slowly)
        page = open_page(alice)
    if swept == "just after its answer":  # by a sweep that read the row before
        stale = Transaction.objects.get(pk=page.pk)
        stale.stripe_checkout_session_id = ""
        expire(stale, NOW + 2 * MINUTE)
        page.refresh_from_db()
    assert not page.is_expired
    pay(sandbox, page)
    assert come_back(page).status == Status.PAID


def test_who_wants_to_know_has_stripe_asked_at_once_but_not_for_each_click(
    alice: Account, sandbox: "Sandbox"
) -> None:
    page = open_page(alice)
    assert checkout.check_again(transaction_id=page.pk, now=NOW).status == Status.CHECKOUT
    pay(sandbox, page)
    too_soon = checkout.check_again(transaction_id=page.pk, now=NOW + timedelta(seconds=9))
    assert (too_soon.status, too_soon.asked_at) == (Status.CHECKOUT, NOW)
    paid = checkout.check_again(transaction_id=page.pk, now=NOW + timedelta(seconds=10))
    assert paid.status == Status.PAID
    assert balance_of(alice) == 25


def test_who_wants_to_know_about_an_expired_page_that_was_paid_is_credited(
    alice: Account, sandbox: "Sandbox"
) -> None:
    page = open_page(alice)
    sandbox.control(f"checkout/{page.stripe_checkout_session_id}/expire")
    sweeper.sweep(now=NOW + 2 * MINUTE)
    sandbox.control(
        f"checkout/{page.stripe_checkout_session_id}/pay",
        {"payment_method": "pm_card_visa", "although_expired": True},
    )
    paid = checkout.check_again(transaction_id=page.pk, now=NOW + 5 * MINUTE)
    assert (paid.status, balance_of(alice)) == (Status.PAID, 25)
