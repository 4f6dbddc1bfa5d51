"""Things happen in another order than they should, twice, at once, or not at all.

In the end each flow is done once and the books are right.
"""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from accounts import cards
from accounts.models import Account, Card, Message
from accounts.tests.factories import NOW, make_account
from accounts.tests.stripe_side import lose_answers, payments
from invoices import checkout, sweeper
from invoices.models import Purpose, Status, Transaction
from invoices.tests.stripe_events import events, listen, post
from invoices.tests.test_checkout import open_page, pay
from plans.models import Renewal, RenewalStatus
from plans.tests.subscribers import make_subscriber, subscription_of
from tests.books import assert_books_are_right
from tests.faults import deeds
from tests.faults.conftest import Worker
from tests.faults.network import Trouble, troubled
from tests.test_concurrency import at_once, refused
from wallet import refill_rules
from wallet.models import AutoRefill, Entry
from wallet.tests.factories import balance_of, make_payer, make_terms, make_wallet, switch_on

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

AddCard = Callable[..., Card]
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
NEXT_PERIOD = NOW + timedelta(days=31)


@pytest.fixture
def alice(add_card: AddCard) -> Account:
    return make_payer(add_card)


# Webhooks -------------------------------------------------------------------------------------
def test_the_webhook_comes_before_the_answer(sandbox: "Sandbox", alice: Account) -> None:
    endpoint = listen(sandbox)

    def deliver() -> None:
        for kind in ("charge.succeeded", "payment_intent.succeeded"):
            assert post(endpoint, events(kind)[0]).status_code == 200

    with troubled(Trouble("wait", lands=True, times=1, meanwhile=deliver)):
        deeds.top_up(str(alice.pk), NOW.isoformat())

    assert balance_of(alice) == 25
    assert Message.objects.filter(account=alice, event="transaction_paid").count() == 1
    assert_books_are_right()


def test_the_webhook_comes_and_the_answer_never(
    sandbox: "Sandbox", alice: Account, worker: Worker
) -> None:
    endpoint = listen(sandbox)
    lose_answers(sandbox)
    deeds.top_up(str(alice.pk), NOW.isoformat())
    assert post(endpoint, events("charge.succeeded")[0]).status_code == 200
    assert balance_of(alice) == 25
    worker(NOW + 2 * MINUTE)
    assert balance_of(alice) == 25
    assert_books_are_right()


def test_neither_webhook_nor_answer_comes(
    sandbox: "Sandbox", alice: Account, worker: Worker
) -> None:
    lose_answers(sandbox)
    deeds.top_up(str(alice.pk), NOW.isoformat())
    worker(NOW + 2 * MINUTE)
    assert balance_of(alice) == 25
    assert_books_are_right()


def test_a_failure_told_after_the_success_changes_nothing(
    sandbox: "Sandbox", worker: Worker
) -> None:
    """A first card is declined on the page, a second one pays; the decline is told last."""
    endpoint = listen(sandbox)
    alice = make_account()
    make_wallet(alice)
    page = open_page(alice)
    with pytest.raises(Exception, match="402"):
        pay(sandbox, page, "pm_card_chargeDeclined")
    [declined] = events("payment_intent.payment_failed")
    pay(sandbox, page)

    assert post(endpoint, events("charge.succeeded")[0]).status_code == 200
    assert post(endpoint, declined).status_code == 200
    worker(NOW + 20 * MINUTE)

    page.refresh_from_db()
    assert (page.status, page.failure_code) == (Status.PAID, "")
    assert balance_of(alice) == 25
    assert_books_are_right()


def test_a_success_that_comes_after_a_failure_still_counts_once(
    sandbox: "Sandbox", alice: Account, worker: Worker
) -> None:
    """Stripe said no to the question, and the charge was made after all."""
    endpoint = listen(sandbox)
    lose_answers(sandbox)
    deeds.top_up(str(alice.pk), NOW.isoformat())
    charge = alice.transactions.get()
    Transaction.objects.filter(pk=charge.pk).update(status=Status.FAILED, failed_at=NOW)
    for _ in range(2):
        assert post(endpoint, events("charge.succeeded")[0]).status_code == 200
    worker(NOW + 2 * MINUTE)
    charge.refresh_from_db()
    assert charge.status == Status.PAID
    assert balance_of(alice) == 25
    assert_books_are_right()


# At once --------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_twenty_at_once(sandbox: "Sandbox", alice: Account, worker: Worker) -> None:
    """The same payment is told by twenty: webhooks, the browser, sweepers."""
    endpoint = listen(sandbox)
    page = open_page(alice)
    pay(sandbox, page)
    # The newest: the card's hold has one, too.
    capture, completed = events("charge.succeeded")[0], events("checkout.session.completed")[0]
    results = at_once(
        *[lambda: post(endpoint, capture)] * 5,
        *[lambda: post(endpoint, completed)] * 5,
        *[lambda: checkout.refresh(transaction_id=page.pk, now=NOW + MINUTE)] * 5,
        *[lambda: sweeper.sweep(now=NOW + 20 * MINUTE)] * 5,
    )
    assert [result for result in results if isinstance(result, Exception)] == []
    # dj-stripe may lose the race for its own row of the event: Stripe then sends it again.
    assert post(endpoint, capture).status_code == 200
    assert balance_of(alice) == 25
    assert Entry.objects.filter(account=alice).count() == 1
    assert_books_are_right()


@pytest.mark.django_db(transaction=True)
def test_twenty_clicks_at_once_whose_answers_are_lost(
    sandbox: "Sandbox", alice: Account, worker: Worker
) -> None:
    lose_answers(sandbox)
    results = at_once(*[lambda: deeds.top_up(str(alice.pk), NOW.isoformat())] * 20)
    charged = len(results) - refused(results)
    worker(NOW + 2 * MINUTE)
    assert balance_of(alice) == 25 * charged
    assert len(payments(purpose="top_up")) == charged
    assert_books_are_right()


@pytest.mark.django_db(transaction=True)
def test_the_return_and_the_webhook_come_together(sandbox: "Sandbox") -> None:
    endpoint = listen(sandbox)
    alice = make_account()
    make_wallet(alice)
    page = open_page(alice)
    pay(sandbox, page)
    capture = events("charge.succeeded")[0]
    results = at_once(
        lambda: checkout.refresh(transaction_id=page.pk, now=NOW + MINUTE),
        lambda: post(endpoint, capture),
    )
    assert [result for result in results if isinstance(result, Exception)] == []
    assert balance_of(alice) == 25
    assert_books_are_right()


@pytest.mark.django_db(transaction=True)
def test_two_beats_renew_and_refill_once(
    sandbox: "Sandbox", add_card: AddCard, worker: Worker
) -> None:
    alice = make_subscriber(add_card, "growth")
    switch_on(alice, threshold="20", amount="25")
    results = at_once(*[lambda: worker(NEXT_PERIOD)] * 2)
    assert [result for result in results if isinstance(result, Exception)] == []
    assert alice.transactions.filter(purpose=Purpose.RENEWAL).count() == 1
    assert balance_of(alice) == 25
    assert_books_are_right()


# Late -----------------------------------------------------------------------------------------
def test_a_page_whose_session_expired_was_paid(sandbox: "Sandbox", worker: Worker) -> None:
    """Stripe closes the page, and the payment made on it in the last second is told later."""
    endpoint = listen(sandbox)
    alice = make_account()
    make_wallet(alice)
    page = open_page(alice)
    pay(sandbox, page)
    Transaction.objects.filter(pk=page.pk).update(expired_at=NOW + DAY)
    for _ in range(2):
        assert post(endpoint, events("charge.succeeded")[0]).status_code == 200
    worker(NOW + DAY)
    page.refresh_from_db()
    assert (page.status, balance_of(alice)) == (Status.PAID, 25)
    assert_books_are_right()


def test_beat_was_away_for_three_days(
    sandbox: "Sandbox", add_card: AddCard, worker: Worker
) -> None:
    """A top-up, a card and a renewal were left behind; Stripe has forgotten the keys by now."""
    alice = make_subscriber(add_card, "growth")
    late = NEXT_PERIOD + 3 * DAY
    lose_answers(sandbox)
    deeds.top_up(str(alice.pk), (NEXT_PERIOD - MINUTE).isoformat())
    setup = cards.begin(account=alice)
    sandbox.confirm_setup(setup.id, "pm_card_mastercard")
    lose_answers(sandbox)
    deeds.add_card(str(alice.pk), (NEXT_PERIOD - MINUTE).isoformat(), setup_intent=setup.id)

    for minutes in range(3):
        worker(late + minutes * MINUTE)

    assert balance_of(alice) == 25
    [renewal] = Renewal.objects.filter(account=alice, number=2)
    assert renewal.status == RenewalStatus.PAID
    assert alice.transactions.filter(purpose=Purpose.RENEWAL).count() == 1
    assert_books_are_right()


def test_beat_was_away_for_three_periods(add_card: AddCard, worker: Worker) -> None:
    alice = make_subscriber(add_card, "growth")
    late = NOW + timedelta(days=95)
    for minutes in range(5):
        worker(late + minutes * MINUTE)
    paid = Renewal.objects.filter(subscription=subscription_of(alice), status=RenewalStatus.PAID)
    assert list(paid.order_by("paid_at").values_list("number", flat=True)) == [1, 2, 3, 4]
    assert_books_are_right()


# Changed in the middle ------------------------------------------------------------------------
@pytest.mark.parametrize("lands", [False, True], ids=["before the charge", "after the charge"])
def test_the_card_is_removed_in_the_middle(
    sandbox: "Sandbox", alice: Account, worker: Worker, lands: bool
) -> None:
    card = alice.cards.get()

    def remove() -> None:
        cards.remove(card=card, by=None, now=NOW)

    with troubled(Trouble("wait", lands=lands, times=1, meanwhile=remove)):
        deeds.top_up(str(alice.pk), NOW.isoformat())
    worker(NOW + 2 * MINUTE)
    charge = alice.transactions.get()
    # Stripe charges no card that is detached.
    assert charge.status == (Status.PAID if lands else Status.FAILED)
    assert balance_of(alice) == (25 if lands else 0)
    assert_books_are_right()


def test_the_card_is_removed_while_the_answer_of_its_charge_is_lost(
    sandbox: "Sandbox", alice: Account, worker: Worker
) -> None:
    lose_answers(sandbox)
    deeds.top_up(str(alice.pk), NOW.isoformat())
    cards.remove(card=alice.cards.get(), by=None, now=NOW)
    worker(NOW + 2 * MINUTE)
    assert balance_of(alice) == 25
    assert_books_are_right()


@pytest.mark.parametrize(
    ("enabled", "amount"), [(False, "25"), (True, "100")], ids=["switched off", "amount edited"]
)
def test_the_refill_is_changed_while_one_is_in_flight(
    sandbox: "Sandbox", add_card: AddCard, worker: Worker, enabled: bool, amount: str
) -> None:
    alice = make_payer(add_card, "19")
    switch_on(alice, threshold="20", amount="25")

    def change() -> None:
        refill_rules.configure(
            account=alice,
            enabled=enabled,
            terms=make_terms(threshold="20", amount=amount),
            minimum=Decimal(10),
            by=None,
            now=NOW,
        )

    with troubled(Trouble("timeout", lands=True, meanwhile=change)):
        deeds.refill(str(alice.pk), NOW.isoformat())
    worker(NOW + 2 * MINUTE)
    # What was charged is what is credited, and the change holds from the next one on.
    assert balance_of(alice) == 44
    refill = AutoRefill.objects.get(wallet__account=alice)
    assert (refill.enabled, refill.amount.amount) == (enabled, Decimal(amount))
    assert alice.transactions.get().amount.amount == 25
    assert_books_are_right()
