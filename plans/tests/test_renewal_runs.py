"""Runs of renewals: many at once, shared by processes, stopped and gone on with."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.db import transaction as database
from django.db.models import Count
from pytest_django import DjangoAssertNumQueries, Settings

from accounts import nudges
from accounts.gateway import pace
from accounts.models import Account, Card
from accounts.tests.stripe_side import payments
from invoices import charging
from invoices.models import Purpose, Status, Transaction
from plans import opening, renewal_charges, renewal_claims, renewals, tasks
from plans.models import Renewal, RenewalStatus
from plans.tests.subscribers import make_subscriber

if TYPE_CHECKING:
    from conftest import Sandbox

ANCHOR = datetime(2027, 1, 31, 10, 0, tzinfo=UTC)
SECOND = datetime(2027, 2, 28, 10, 0, tzinfo=UTC)
THIRD = datetime(2027, 3, 31, 10, 0, tzinfo=UTC)
AddCard = Callable[..., Card]
in_threads = pytest.mark.django_db(transaction=True)


@pytest.fixture
def subscribers(add_card: AddCard) -> list[Account]:
    """Four accounts on starter, whose second period begins at SECOND."""
    return [make_subscriber(add_card, "starter", now=ANCHOR) for _ in range(4)]


@pytest.fixture
def in_small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two subscriptions to a page, two renewals to a claim."""
    monkeypatch.setattr(opening, "PAGE", 2)
    monkeypatch.setattr(renewal_claims, "CLAIM", 2)


def run(threads: int = 0, **options: Any) -> renewals.RenewalReport:
    return renewals.run(clock=lambda: SECOND, threads=threads, **options)


def elsewhere(*calls: Callable[[], Any]) -> list[Any]:
    """Do these at once, each on a connection of its own, as other processes do."""

    def do(call: Callable[[], Any]) -> Any:
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as processes:
        return list(processes.map(do, calls))


def assert_each_is_paid_once() -> None:
    second = Renewal.objects.filter(number=2)
    assert set(second.values_list("status", flat=True)) == {RenewalStatus.PAID}
    charges = Transaction.objects.filter(purpose=Purpose.RENEWAL)
    assert set(charges.values_list("status", flat=True)) == {Status.PAID}
    assert not charges.values("subject_id").annotate(n=Count("pk")).filter(n__gt=1).exists()
    assert len(payments(purpose="renewal")) == second.count() == charges.count()


# Many at once ---------------------------------------------------------------------------------
@in_threads
@pytest.mark.usefixtures("subscribers", "in_small_pages")
def test_runs_at_once_share_the_work_and_charge_each_renewal_once() -> None:
    reports = elsewhere(*[lambda: run(threads=2)] * 3)
    assert sum(report.opened for report in reports) == 4
    assert sum(report.paid for report in reports) == 4
    assert_each_is_paid_once()


@in_threads
def test_a_run_leaves_what_another_is_at_and_takes_the_rest(subscribers: list[Account]) -> None:
    opening.open_page(now=SECOND)
    first = Renewal.objects.filter(number=2).order_by("pk")[0]
    with database.atomic():
        Renewal.objects.select_for_update(no_key=True).get(pk=first.pk)
        [claim] = elsewhere(lambda: renewal_claims.claim(now=SECOND))
    subjects = [transaction.subject_id for transaction in claim.transactions]
    assert (len(subjects), first.pk in subjects) == (3, False)


@in_threads
@pytest.mark.usefixtures("subscribers", "in_small_pages")
def test_a_run_never_holds_more_than_a_claim_and_what_its_threads_are_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    execute = charging.execute_opened
    held: list[int] = []

    def counting(**charge: Any) -> Transaction:
        held.append(Transaction.objects.filter(status=Status.PROCESSING).count())
        return execute(**charge)

    monkeypatch.setattr(charging, "execute_opened", counting)
    assert run(threads=1).paid == 4
    assert len(held) == 4
    # One is charged; it is hungry while nothing waits, and is given a claim of two.
    assert max(held) <= 1 + renewal_claims.CLAIM


@pytest.mark.django_db
def test_the_number_of_statements_does_not_grow_with_the_page(
    add_card: AddCard, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    counts = []
    for number in (1, 3):
        for _ in range(number):
            make_subscriber(add_card, "starter", now=ANCHOR)
        with django_assert_max_num_queries(20) as opened:
            assert opening.open_page(now=SECOND).periods == number
        with django_assert_max_num_queries(20) as claimed:
            assert len(renewal_claims.claim(now=SECOND).transactions) == number
        counts.append((len(opened), len(claimed)))
    assert counts[0] == counts[1]


@pytest.mark.django_db
def test_what_is_under_way_or_not_the_oldest_is_left_out_and_the_next_is_met(
    subscribers: list[Account], in_small_pages: None
) -> None:
    renewals_of_two_months = opening.open_page(now=THIRD), opening.open_page(now=THIRD)
    assert [opened.periods for opened in renewals_of_two_months] == [4, 4]
    first, second = Renewal.objects.filter(number=2).order_by("next_attempt_at", "pk")[:2]
    renewal_charges._open_attempt(first, by=None, now=SECOND)
    claimed, place = [], None
    while (claim := renewal_claims.claim(now=THIRD, after=place)).last is not None:
        claimed += [transaction.pk for transaction in claim.transactions]
        place = claim.last
    subjects = Transaction.objects.filter(pk__in=claimed).values_list("subject_id", flat=True)
    assert second.pk in subjects
    assert set(subjects) == set(
        Renewal.objects.filter(number=2).exclude(pk=first.pk).values_list("pk", flat=True)
    )


# Who first ------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_a_run_charges_in_the_background_and_a_customer_who_pays_goes_first(
    subscribers: list[Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_background: list[bool] = []
    wait = pace.wait_for_moment

    def notes() -> None:
        in_background.append(pace._is_in_background.get())
        wait()

    monkeypatch.setattr(pace, "wait_for_moment", notes)
    opening.open_page(now=SECOND)
    renewal_charges.pay_now(account=subscribers[0], by=None, now=SECOND)
    assert run().paid == 3
    assert in_background == [False] + [True] * 3


# Stopped, and gone on with --------------------------------------------------------------------
@in_threads
@pytest.mark.usefixtures("subscribers", "in_small_pages")
def test_a_run_that_is_stopped_charges_what_it_claimed_and_begins_nothing_more() -> None:
    reports: list[renewals.RenewalReport] = []
    stopped = run(threads=1, tell=reports.append, is_over=lambda: any(r.paid for r in reports))
    assert stopped.is_cut_short
    assert 1 <= stopped.paid < 4
    assert not Transaction.objects.filter(status=Status.PROCESSING).exists()
    gone_on = run(threads=1)
    assert not gone_on.is_cut_short
    assert stopped.paid + gone_on.paid == 4
    assert_each_is_paid_once()


@pytest.mark.django_db
@pytest.mark.usefixtures("subscribers")
def test_a_command_that_is_stopped_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        renewals, "run", lambda **_: renewals.RenewalReport(paid=3, is_cut_short=True)
    )
    with pytest.raises(CommandError, match="Run it again to go on"):
        call_command("renew")


# The scheduled run ----------------------------------------------------------------------------
@in_threads
def test_while_a_scheduled_run_is_under_way_no_other_has_a_place(sandbox: "Sandbox") -> None:
    def has_a_place() -> bool:
        with renewals.scheduled_run() as is_the_only_one:
            return is_the_only_one

    with renewals.scheduled_run() as first:
        assert first
        assert elsewhere(has_a_place) == [False]
    assert elsewhere(has_a_place) == [True]


@in_threads
def test_a_scheduled_run_that_dies_leaves_its_place(sandbox: "Sandbox") -> None:
    def dies() -> None:
        renewals.scheduled_run().__enter__()
        with suppress(OperationalError), connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    elsewhere(dies)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with renewals.scheduled_run() as is_free:
            if is_free:
                return
        time.sleep(0.02)
    pytest.fail("Nobody could take its place.")


@in_threads
@pytest.mark.usefixtures("sandbox")
def test_a_tick_that_comes_during_a_run_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[bool] = []
    monkeypatch.setattr(renewals, "run", lambda **_: runs.append(True))
    with renewals.scheduled_run():
        elsewhere(tasks.renew_due)
    assert runs == []


@pytest.mark.django_db
@pytest.mark.parametrize(("seconds", "more"), [(-1, 1), (60, 0)])
def test_a_run_with_more_to_do_goes_on_in_a_task_of_its_own(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, seconds: int, more: int
) -> None:
    settings.RENEWAL_THREADS = 0
    tasks_begun: list[str] = []
    monkeypatch.setattr(tasks, "RUN_SECONDS", seconds)
    monkeypatch.setattr(nudges, "send", tasks_begun.append)
    tasks.renew_due()
    assert tasks_begun == ["plans.renew_due"] * more
