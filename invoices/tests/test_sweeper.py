"""Whom the sweeper asks about, and when: often while news is likely, never more than its limits."""

import itertools
from datetime import timedelta

import pytest

from accounts import gateway, sweeps
from accounts.models import Account
from accounts.tests.factories import NOW, make_account
from invoices import checkout, sweeper
from invoices.models import Status, Transaction
from invoices.tests.factories import make_transaction

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture
def alice() -> Account:
    return make_account(name="Alice Trading")


def asked_minutes(transaction: Transaction, *, until: int) -> list[int]:
    """Return at which minutes a sweeper that comes by every minute asks about a transaction."""
    asked = []
    for minute in range(until + 1):
        now = NOW + minute * MINUTE
        if transaction.pk in sweeper.due(Status(transaction.status), now=now):
            asked.append(minute)
            Transaction.objects.filter(pk=transaction.pk).update(asked_at=now)
    return asked


def test_a_page_is_asked_about_ever_more_rarely_and_once_it_has_closed(alice: Account) -> None:
    page = make_transaction(
        alice, status=Status.CHECKOUT, expires_at=NOW + timedelta(hours=24, minutes=1)
    )
    assert asked_minutes(page, until=1445) == [2, 4, 8, 16, 32, 64, 128, 256, 512, 872, 1232, 1441]


def test_a_charge_without_an_answer_is_asked_about_at_least_every_quarter_of_an_hour(
    alice: Account,
) -> None:
    charge = make_transaction(alice, status=Status.PROCESSING)
    asked = asked_minutes(charge, until=180)
    assert asked[:6] == [2, 3, 4, 5, 7, 9]
    assert max(later - earlier for earlier, later in itertools.pairwise(asked)) == 15


def test_what_is_settled_or_expired_is_not_asked_about(alice: Account) -> None:
    for status in (Status.PAID, Status.FAILED):
        make_transaction(alice, status=status)
    make_transaction(alice, status=Status.CHECKOUT, expired_at=NOW)
    for status in (Status.CHECKOUT, Status.PROCESSING):
        assert not sweeper.due(status, now=NOW + timedelta(days=2)).exists()


def test_more_than_a_run_may_ask_about_waits_for_the_next_and_comes_first_then(
    alice: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeper, "PAGES_PER_RUN", 2)
    pages = [
        make_transaction(alice, status=Status.CHECKOUT, created_at=NOW + n * timedelta(seconds=1))
        for n in range(3)
    ]
    for page in pages:
        Transaction.objects.filter(pk=page.pk).update(stripe_checkout_session_id=f"cs_{page.pk}")
    asked: list[str] = []

    def no_answer(session_id: str) -> None:
        asked.append(session_id)
        raise gateway.GatewayUnavailable("Nobody answers.")

    monkeypatch.setattr(gateway, "retrieve_checkout", no_answer)
    sweeper.sweep(now=NOW + 3 * MINUTE)
    # Pages that are opened meanwhile don't push back the one that has waited longer.
    late = make_transaction(alice, status=Status.CHECKOUT, created_at=NOW + 2 * MINUTE)
    Transaction.objects.filter(pk=late.pk).update(stripe_checkout_session_id="cs_late")
    sweeper.sweep(now=NOW + 4 * MINUTE)
    assert asked == [f"cs_{page.pk}" for page in pages] + ["cs_late"]


def test_open_pages_never_hold_up_a_charge(alice: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeper, "PAGES_PER_RUN", 1)
    for _ in range(3):
        make_transaction(alice, status=Status.CHECKOUT)
    charge = make_transaction(alice, status=Status.PROCESSING, created_at=NOW + MINUTE)
    looked_at: list[int] = []

    def look(*, transaction_id: int, now: object) -> Transaction:
        looked_at.append(transaction_id)
        return charge

    monkeypatch.setattr(checkout, "refresh", look)
    sweeper.sweep(now=NOW + 5 * MINUTE)
    assert looked_at[0] == charge.pk


def test_a_run_ends_in_time_while_stripe_says_nothing(
    alice: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeps, "RUN_SECONDS", 0)
    for _ in range(3):
        make_transaction(alice, status=Status.PROCESSING)
    looked_at: list[int] = []
    monkeypatch.setattr(checkout, "refresh", lambda **asked: looked_at.append(1))
    sweeper.sweep(now=NOW + 5 * MINUTE)
    assert looked_at == []
