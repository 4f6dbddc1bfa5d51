"""Many at once, as in production: threads, each with its own connection, on committed data."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Barrier
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.db import transaction as database
from djstripe.models import Event

from accounts import card_sweeps, cards
from accounts.models import Account, Card, Message
from accounts.tests.factories import NOW, make_account
from accounts.tests.stripe_side import (
    decline_from_now_on,
    held_payments,
    lose_answers,
    payments,
)
from invoices import checkout, sweeper
from invoices.models import Purpose, Status, Transaction
from invoices.tests.stripe_events import events, listen, post
from invoices.tests.test_checkout import open_page, pay
from plans import (
    opening,
    past_due,
    renewal_charges,
    renewals,
    rental_changes,
    rentals,
    subscriptions,
)
from plans.models import Renewal, Rental, Subscription
from plans.tests.subscribers import (
    feature,
    make_subscriber,
    provision,
    subscription_of,
    version_of,
)
from wallet import refills, topups
from wallet.models import Entry
from wallet.tests.factories import balance_of, make_payer, make_wallet, move, switch_on

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

Result = TypeVar("Result")
AddCard = Callable[..., Card]
MINUTE = timedelta(minutes=1)


def at_once(*calls: Callable[[], Result]) -> list[Result | Exception]:
    """Run the calls in as many threads, let go together; return what each returned or raised."""
    start = Barrier(len(calls))

    def run(call: Callable[[], Result]) -> Result | Exception:
        start.wait(timeout=30)
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - the example judges it
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def refused(results: list[Any]) -> int:
    """Return how many were refused with words for the customer; anything else raised is a bug."""
    errors = [result for result in results if isinstance(result, Exception)]
    assert all(isinstance(error, ValidationError) for error in errors), errors
    return len(errors)


def paid_of(account: Account, purpose: Purpose) -> int:
    made = Transaction.objects.filter(account=account, purpose=purpose)
    assert set(made.values_list("status", flat=True)) <= {Status.PAID}
    return made.count()


# Credit ---------------------------------------------------------------------------------------
def test_the_same_webhook_twenty_times_at_once_is_one_credit(sandbox: "Sandbox") -> None:
    endpoint = listen(sandbox)
    alice = make_account()
    make_wallet(alice)
    page = open_page(alice)
    pay(sandbox, page)
    [capture] = events("charge.succeeded")
    answers = at_once(*[lambda: post(endpoint, capture).status_code] * 20)
    assert answers == [200] * 20
    assert Event.objects.filter(id=capture["id"]).count() == 1
    assert balance_of(alice) == 25
    assert Entry.objects.filter(account=alice).count() == 1
    assert Message.objects.filter(account=alice, event="transaction_paid").count() == 1


def test_browser_webhooks_and_sweeper_at_once_are_one_credit(sandbox: "Sandbox") -> None:
    endpoint = listen(sandbox)
    alice = make_account()
    make_wallet(alice)
    page = open_page(alice)
    pay(sandbox, page)
    [capture], [completed] = events("charge.succeeded"), events("checkout.session.completed")
    results = at_once(
        *[lambda: checkout.refresh(transaction_id=page.pk, now=NOW)] * 4,
        *[lambda: post(endpoint, capture)] * 4,
        *[lambda: post(endpoint, completed)] * 4,
        *[lambda: sweeper.sweep(now=NOW + 20 * MINUTE)] * 4,
    )
    assert [result for result in results if isinstance(result, Exception)] == []
    page.refresh_from_db()
    assert (page.status, balance_of(alice)) == (Status.PAID, 25)
    assert Entry.objects.filter(account=alice).count() == 1


def test_eight_clicks_at_once_are_one_charge(add_card: AddCard) -> None:
    alice = make_payer(add_card)

    def click() -> Transaction:
        return topups.charge_saved_card(
            account=alice, amount=Decimal(25), minimum=Decimal(10), by=None, now=NOW
        )

    with_delay = at_once(*[click] * 8)
    charged = len(with_delay) - refused(with_delay)
    assert charged >= 1
    assert balance_of(alice) == 25 * charged
    assert len(payments(purpose="top_up")) == charged


def test_fifty_refills_at_once_are_one_charge_and_one_credit(add_card: AddCard) -> None:
    alice = make_payer(add_card, "20")
    switch_on(alice, threshold="20", amount="25")
    move(alice, "-0.01")
    results = at_once(*[lambda: refills.refill_due(now=NOW)] * 50)
    assert (results.count(0), results.count(1)) == (49, 1)
    assert balance_of(alice) == Decimal("44.99")
    assert len(payments(purpose="auto_refill")) == 1


def test_concurrent_entries_of_one_wallet_lose_nothing() -> None:
    alice = make_account()
    make_wallet(alice)

    def earn() -> None:
        for _ in range(5):
            move(alice, "1.000001")

    results = at_once(*[earn] * 10)
    assert refused(results) == 0
    assert balance_of(alice) == Decimal("50.00005")
    sequences = Entry.objects.filter(account=alice).order_by("sequence")
    assert list(sequences.values_list("sequence", flat=True)) == list(range(1, 51))


def test_receipts_paid_at_once_are_numbered_without_gaps(add_card: AddCard) -> None:
    payers = [make_payer(add_card) for _ in range(6)]

    def top_up(account: Account) -> Transaction:
        return topups.charge_saved_card(
            account=account, amount=Decimal(25), minimum=Decimal(10), by=None, now=NOW
        )

    results = at_once(*[lambda account=account: top_up(account) for account in payers])
    assert refused(results) == 0
    numbers = Transaction.objects.order_by("receipt_number").values_list(
        "receipt_number", flat=True
    )
    assert list(numbers) == [f"BT-{number:06d}" for number in range(1, 7)]


# Cards ----------------------------------------------------------------------------------------
def test_one_setup_confirmed_six_times_at_once_is_one_card_and_one_hold(
    sandbox: "Sandbox",
) -> None:
    alice = make_account()
    setup = cards.begin(account=alice)
    sandbox.confirm_setup(setup.id)
    results = at_once(
        *[lambda: cards.add(account=alice, setup_intent_id=setup.id, by=None, now=NOW)] * 6
    )
    assert [result for result in results if isinstance(result, Exception)] == []
    card_sweeps.finish_verifications(now=NOW + 2 * MINUTE)
    assert alice.cards.get().is_default
    assert len(payments()) == 1
    assert held_payments() == []


def test_of_two_first_cards_at_once_one_is_the_default(sandbox: "Sandbox") -> None:
    alice = make_account()
    setups = [cards.begin(account=alice).id for _ in range(2)]
    for setup, method in zip(setups, ("pm_card_visa", "pm_card_mastercard"), strict=True):
        sandbox.confirm_setup(setup, method)
    at_once(
        *[
            lambda setup=setup: cards.add(account=alice, setup_intent_id=setup, by=None, now=NOW)
            for setup in setups
        ]
    )
    assert alice.cards.filter(status="verified").count() == 2
    assert alice.cards.filter(is_default=True).count() == 1


def test_removing_both_cards_at_once_leaves_no_half_state(add_card: AddCard) -> None:
    alice = make_payer(add_card)
    add_card(alice, "pm_card_mastercard")
    switch_on(alice)
    results = at_once(
        *[lambda card=card: cards.remove(card=card, by=None, now=NOW) for card in alice.cards.all()]
    )
    assert refused(results) == 1
    assert cards.default_card(account=alice) is not None


# Plans ----------------------------------------------------------------------------------------
ANCHOR = datetime(2027, 1, 31, 10, 0, tzinfo=UTC)
SECOND = datetime(2027, 2, 28, 10, 0, tzinfo=UTC)


def test_beats_at_once_bill_a_period_once(add_card: AddCard) -> None:
    alice = make_subscriber(add_card, "growth", now=ANCHOR)
    results = at_once(*[lambda: renewals.renew_due(now=SECOND)] * 6)
    assert [result for result in results if isinstance(result, Exception)] == []
    assert Renewal.objects.filter(account=alice, number=2).count() == 1
    assert paid_of(alice, Purpose.RENEWAL) == 1
    assert len(payments(purpose="renewal")) == 1


def test_a_beat_and_pay_now_at_once_charge_once(add_card: AddCard) -> None:
    alice = make_subscriber(add_card, "growth", now=ANCHOR)
    opening.open_page(now=SECOND)
    results = at_once(
        *[lambda: renewals.renew_due(now=SECOND)] * 3,
        *[lambda: renewal_charges.pay_now(account=alice, by=None, now=SECOND)] * 3,
    )
    refused(results)
    assert paid_of(alice, Purpose.RENEWAL) == 1


def test_declined_renewals_charged_at_once_never_deadlock(
    sandbox: "Sandbox", add_card: AddCard
) -> None:
    alice = make_subscriber(add_card, "growth", now=ANCHOR)
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")
    renewals.renew_due(now=SECOND)
    for minute in range(3):
        now = SECOND + minute * MINUTE
        results = at_once(
            *[lambda now=now: renewal_charges.pay_now(account=alice, by=None, now=now)] * 8
        )
        refused(results)
    assert subscription_of(alice).status == "past_due"


def test_a_new_default_card_while_a_renewal_is_paid_never_deadlocks(
    sandbox: "Sandbox", add_card: AddCard
) -> None:
    alice = make_subscriber(add_card, "growth", now=ANCHOR)
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")
    for days in (0, 1, 3, 5, 7):
        renewals.renew_due(now=SECOND + timedelta(days=days))
    alice.refresh_from_db()
    assert alice.services == "paused"
    others = [add_card(alice, method) for method in ("pm_card_mastercard", "pm_card_amex")]
    cards.make_default(card=others[0], by=None, now=SECOND)
    now = SECOND + timedelta(days=8)
    results = at_once(
        lambda: renewal_charges.pay_now(account=alice, by=None, now=now),
        *[lambda card=card: cards.make_default(card=card, by=None, now=now) for card in others],
    )
    assert [result for result in results if isinstance(result, Exception)] == []
    alice.refresh_from_db()
    assert alice.services == "active"


def test_subscribing_four_times_at_once_is_one_subscription(add_card: AddCard) -> None:
    alice = make_subscriber(add_card, "payg", now=ANCHOR)
    growth = version_of("growth")
    results = at_once(
        *[lambda: subscriptions.subscribe(account=alice, plan_version=growth, by=None, now=ANCHOR)]
        * 4
    )
    assert refused(results) == 3
    assert subscription_of(alice).plan_version == growth
    assert paid_of(alice, Purpose.PLAN_CHANGE) == 1


def test_taking_a_rental_four_times_at_once_is_paid_once(add_card: AddCard) -> None:
    alice = make_subscriber(add_card, "growth", now=ANCHOR)
    number = feature("phone_number")
    results = at_once(
        *[lambda: rentals.set_quantity(account=alice, feature=number, quantity=5, now=ANCHOR)] * 4
    )
    refused(results)
    rental = rental_changes.open_rental(account=alice, feature=number)
    assert rental is not None
    assert rental.quantity == 5
    assert paid_of(alice, Purpose.RENTAL) == 1


def test_many_who_take_at_once_never_hold_more_than_the_maximum(add_card: AddCard) -> None:
    """Fifty slots are the most; eight ask at once for 48 to 55."""
    alice = make_subscriber(add_card, "growth", now=ANCHOR)
    slots = feature("call_concurrency")
    results = at_once(
        *[
            lambda wanted=wanted: rentals.set_quantity(
                account=alice, feature=slots, quantity=wanted, now=ANCHOR
            )
            for wanted in range(48, 56)
        ]
    )
    assert refused(results) >= 5
    held = Rental.objects.filter(account=alice, started_at__isnull=False)
    assert held.filter(ended_at=None).count() == 1
    assert all(rental.quantity <= 50 for rental in held)
    paid = Transaction.objects.filter(account=alice, purpose=Purpose.RENTAL, status=Status.PAID)
    slots_paid = held.get(ended_at=None).quantity - 10
    assert sum(each.amount.amount for each in paid) == 4 * slots_paid


def test_free_plans_and_money_moving_at_once_never_deadlock(sandbox: "Sandbox") -> None:
    """One takes account then wallet, the other wallet then account."""
    alice, payg = provision(now=ANCHOR), version_of("payg")

    def go_up_and_down() -> None:
        for amount in ("-5", "6") * 3:
            move(alice, amount)

    for _ in range(5):
        Subscription.objects.filter(account=alice).update(status="canceled", ended_at=ANCHOR)
        results = at_once(
            lambda: subscriptions.start_free(account=alice, plan_version=payg, now=ANCHOR),
            go_up_and_down,
        )
        assert [result for result in results if isinstance(result, Exception)] == []


def test_a_sweep_and_a_webhook_at_once_settle_a_lost_charge_once(
    sandbox: "Sandbox", add_card: AddCard
) -> None:
    endpoint = listen(sandbox)
    alice = make_payer(add_card)
    lose_answers(sandbox)
    topups.charge_saved_card(
        account=alice, amount=Decimal(25), minimum=Decimal(10), by=None, now=NOW
    )
    capture = events("charge.succeeded")[0]
    results = at_once(
        *[lambda: sweeper.sweep(now=NOW + 2 * MINUTE)] * 4, *[lambda: post(endpoint, capture)] * 4
    )
    assert [result for result in results if isinstance(result, Exception)] == []
    assert balance_of(alice) == 25


def test_a_renewal_paid_while_the_grace_runs_out_does_not_leave_services_paused(
    add_card: AddCard, sandbox: "Sandbox"
) -> None:
    alice = make_subscriber(add_card, "growth")
    overdue = NOW + timedelta(days=40)
    current = Subscription.objects.filter(pk=subscription_of(alice).pk)
    current.update(status="past_due", past_due_since=NOW + timedelta(days=31))
    with ThreadPoolExecutor(1) as pool:
        with database.atomic():  # as settling does: all of it, or nothing of it, is seen
            subscriptions.lock_account(account_id=alice.pk)
            current.update(status="active", past_due_since=None)
            pausing = pool.submit(at_once, lambda: past_due.pause_unpaid(now=overdue))
            with pytest.raises(TimeoutError):
                pausing.result(timeout=0.5)
        assert pausing.result(timeout=30) == [0]
    alice.refresh_from_db()
    assert alice.pause_reasons == []


def test_a_cap_that_many_run_into_at_once_is_told_once(add_card: AddCard) -> None:
    alice = make_payer(add_card, "10")
    switch_on(alice, threshold="100", amount="25", monthly_maximum="50")
    at_once(*[lambda: refills.refill_due(now=NOW)] * 8)
    assert balance_of(alice) == 60
    assert len(payments(purpose="auto_refill")) == 2
    assert Message.objects.filter(account=alice, event="auto_refill_capped").count() == 1
