"""A hand at the database takes locks in another order: what it ends is done again, by itself."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import connection, transaction

from accounts.models import Account, Card
from accounts.tests.factories import NOW
from billing_portal import audit
from conftest import Sandbox
from invoices import charging
from invoices.models import Status
from invoices.tests.test_charging import open_top_up
from plans import cancellation, renewals, usage
from plans.models import Renewal, RenewalStatus, Subscription, SubscriptionStatus
from plans.tests.changing_plans import END, START
from plans.tests.factories import make_customer, make_record
from plans.tests.subscribers import make_subscriber
from tests.books import assert_books_are_right
from tests.live_portal import wait_until
from tests.test_usage_concurrency import make_large_batch
from wallet.models import Entry, Wallet
from wallet.tests.factories import balance_of, make_payer

pytestmark = pytest.mark.django_db(transaction=True)


def lock(table: str, pk: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT FROM {table} WHERE id = %s FOR UPDATE", [pk])


def someone_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        [waiting] = cursor.fetchone()
    return bool(waiting)


@contextmanager
def a_hand_in_reversed_order(
    last: tuple[str, int], first: tuple[str, int]
) -> Iterator[Callable[[Callable[[], object]], None]]:
    """Lock `last`, have the work lock `first` and wait, then want `first`: a deadlock.

    The hand is patient, so that the work is what PostgreSQL ends.
    """

    def meet(work: Callable[[], object]) -> None:
        def impatient() -> object:
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SET deadlock_timeout = '300ms'")
                return work()
            finally:
                with connection.cursor() as cursor:
                    # Else it is counted when the session has been idle for a while.
                    cursor.execute("SELECT pg_stat_force_next_flush()")
                connection.close()

        with ThreadPoolExecutor(1) as pool:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SET LOCAL deadlock_timeout = '60s'")
                lock(*last)
                worked = pool.submit(impatient)
                wait_until("the work waits", someone_waits_for_a_lock)
                lock(*first)
            worked.result(timeout=30)

    deadlocks = count_deadlocks()
    yield meet
    wait_until("the deadlock is counted", lambda: count_deadlocks() > deadlocks)


def count_deadlocks() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        [deadlocks] = cursor.fetchone()
    return int(deadlocks)


def wallet_of(account: Account) -> tuple[str, int]:
    return "wallet_wallet", Wallet.objects.get(account=account).pk


@pytest.mark.parametrize("count", [2, 240])
def test_a_batch_that_a_deadlock_ended_is_rated_once(count: int) -> None:
    accounts = [make_customer(balance="50") for _ in range(2)]
    first, last = sorted(map(wallet_of, accounts))
    batch = (
        [make_record(account, 7) for account in accounts]
        if count == 2
        else make_large_batch(accounts)
    )
    answers: list[usage.Result] = []
    with a_hand_in_reversed_order(last, first) as meet:
        meet(lambda: answers.extend(usage.record(records=batch, now=NOW)))
    assert [answer.status for answer in answers] == ["recorded"] * count
    assert audit.run(now=NOW) == []


def test_a_payment_whose_settlement_a_deadlock_ended_is_settled_once(
    add_card: Callable[..., Card],
) -> None:
    alice = make_payer(add_card)
    payment = open_top_up(alice)
    with a_hand_in_reversed_order(
        last=wallet_of(alice), first=("invoices_transaction", payment.pk)
    ) as meet:
        meet(lambda: charging.execute(transaction_id=payment.pk, now=NOW))
    payment.refresh_from_db()
    assert (payment.status, balance_of(alice)) == (Status.PAID, 25)
    assert Entry.objects.filter(account=alice).count() == 1
    assert_books_are_right()


def test_who_cancels_locks_what_is_unpaid_before_the_subscription(
    add_card: Callable[..., Card], sandbox: Sandbox
) -> None:
    """As who notes that a payment failed does: whoever is first, the other waits and goes on."""
    alice = make_subscriber(add_card, now=START)
    sandbox.fail_next(action="decline", decline_code="insufficient_funds")
    renewals.renew_due(now=END)
    unpaid = Renewal.objects.get(account=alice, status=RenewalStatus.DUE)

    def cancel() -> Subscription:
        try:
            return cancellation.cancel(account=alice, by=None, now=END)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            lock("plans_renewal", unpaid.pk)
            canceled = pool.submit(cancel)
            wait_until("who cancels waits", someone_waits_for_a_lock)
            subscriptions = Subscription.objects.select_for_update(no_key=True, nowait=True)
            subscriptions.get(pk=unpaid.subscription_id)
        assert canceled.result(timeout=30).status == SubscriptionStatus.CANCELED
    unpaid.refresh_from_db()
    assert unpaid.status == RenewalStatus.VOID
