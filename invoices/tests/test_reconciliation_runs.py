"""The nightly comparison as it runs: page by page, resumed, at once, by command and task."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts import gateway
from accounts.models import Account, Card
from billing_portal.models import Heartbeat
from billing_portal.tasks import reconcile_payments
from invoices import reconciliation
from invoices.models import ReconciliationRun
from invoices.reconciliation_models import Phase
from invoices.tests.test_reconciliation import paid_page, reconcile, top_up
from wallet.tests.factories import balance_of, make_payer

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

AddCard = Callable[..., Card]
MINUTE = timedelta(minutes=1)
#: The sandbox's clock is set to it, so that a payment's age is what the example says.
START = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
NIGHT = START + timedelta(hours=18)


@pytest.fixture(autouse=True)
def _clock(sandbox: "Sandbox") -> None:
    sandbox.control("clock", {"now": START.isoformat().replace("+00:00", "Z")})


@pytest.fixture
def alice(add_card: AddCard) -> Account:
    return make_payer(add_card, name="Alice Trading")


# Paid there and not here ----------------------------------------------------------------------


# Runs -----------------------------------------------------------------------------------------
def test_only_payments_of_the_window_are_compared(alice: Account, sandbox: "Sandbox") -> None:
    sandbox.control("payments", {"amount": 5000, "currency": "omr"})
    assert reconcile(START + 10 * MINUTE).run.payments == 0, "it may still be on its way"
    assert reconcile(START + timedelta(days=31)).run.payments == 0, "it is too long ago"
    assert reconcile(START + timedelta(days=29)).run.payments == 1


def test_a_run_takes_no_more_than_a_page_at_a_time_and_sees_every_payment(
    alice: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "PAGE", 2)
    for minute in range(5):
        top_up(alice, now=START + minute * MINUTE)
    report = reconcile()
    assert (report.run.payments, report.run.transactions, report.findings) == (5, 5, [])


@pytest.mark.parametrize("lost_page", [1, 2, 3])
def test_a_run_that_was_cut_short_goes_on_from_there(
    alice: Account, sandbox: "Sandbox", monkeypatch: pytest.MonkeyPatch, lost_page: int
) -> None:
    monkeypatch.setattr(reconciliation, "PAGE", 2)
    for _ in range(3):
        paid_page(alice, sandbox)
    list_payments, asked = gateway.list_payments, []

    def lose_a_page(**question: Any) -> Any:
        asked.append(question["after"])
        if len(asked) == lost_page:
            raise gateway.GatewayUnavailable("Nobody answers.")
        return list_payments(**question)

    monkeypatch.setattr(gateway, "list_payments", lose_a_page)
    with pytest.raises(gateway.GatewayUnavailable):
        reconcile()
    report = reconcile(NIGHT + timedelta(hours=1))
    # The window is that of the night on which it began.
    assert report.run.started_at == NIGHT
    assert (report.run.payments, report.run.transactions, report.run.repaired) == (3, 3, 3)
    assert len(asked) == len(set(asked)) + 1, "only the lost page is asked for again"
    assert balance_of(alice) == 75
    assert not ReconciliationRun.objects.exclude(phase=Phase.DONE).exists()


def test_two_runs_at_once_repeat_nothing(alice: Account, sandbox: "Sandbox") -> None:
    paid_page(alice, sandbox)
    run = ReconciliationRun.objects.create(
        since=START - MINUTE, until=NIGHT - 15 * MINUTE, started_at=NIGHT
    )
    stale = ReconciliationRun.objects.get(pk=run.pk)
    reconciliation._compare_page_of_payments(run, NIGHT)
    with pytest.raises(reconciliation.RunElsewhere):
        reconciliation._compare_page_of_payments(stale, NIGHT)
    assert balance_of(alice) == 25


# Command and task -----------------------------------------------------------------------------
def test_the_command_says_what_was_compared(alice: Account, sandbox: "Sandbox") -> None:
    sandbox.control("clock", {"now": None})
    output = StringIO()
    call_command("reconcile", stdout=output)
    assert "0 payments at Stripe, 0 paid transactions here, 0 repaired." in output.getvalue()


def test_the_command_fails_for_what_it_must_not_repair(alice: Account, sandbox: "Sandbox") -> None:
    hour_ago = timezone.now() - timedelta(hours=1)
    sandbox.control("clock", {"now": hour_ago.isoformat().replace("+00:00", "Z")})
    sandbox.control("payments", {"amount": 5000, "currency": "omr"})
    output = StringIO()
    with pytest.raises(CommandError, match="1 findings need a person"):
        call_command("reconcile", "--days", "2", stdout=output)
    assert "FOUND Captured for no transaction of ours" in output.getvalue()


@pytest.mark.parametrize("days", ["0", "367"])
def test_the_command_refuses_days_that_make_no_sense(days: str) -> None:
    with pytest.raises(CommandError, match="from 1 to 366"):
        call_command("reconcile", "--days", days)


def test_the_command_says_to_run_it_again_without_an_answer(sandbox: "Sandbox") -> None:
    sandbox.fail_next(
        action="status",
        status=500,
        count=3,
        match={"path": "/v1/payment_intents", "method": "GET"},
    )
    with pytest.raises(CommandError, match="Run it again"):
        call_command("reconcile")


def test_the_heartbeat_stays_back_while_something_needs_a_person(
    alice: Account, sandbox: "Sandbox"
) -> None:
    reconcile_payments()
    Heartbeat.objects.filter(name="reconciliation").update(at=START)
    hour_ago = timezone.now() - timedelta(hours=1)
    sandbox.control("clock", {"now": hour_ago.isoformat().replace("+00:00", "Z")})
    sandbox.control("payments", {"amount": 5000, "currency": "omr"})
    assert reconcile_payments() == 1
    assert Heartbeat.objects.get(name="reconciliation").at == START
