"""What is repeated, how often and how soon; and that it takes effect once."""

import random
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from billing_portal_client import (
    BillingPortal,
    PortalError,
    PortalFailed,
    Retries,
    Throttled,
    UnexpectedAnswer,
    Unreachable,
)

from accounts.models import Account
from client_tests.conftest import LivePortal, minutes
from client_tests.fault_proxy import Trouble


def test_provisioning_takes_effect_once_whatever_is_lost(live: LivePortal) -> None:
    troubles: list[Trouble] = ["lost_before", "lost_after", "half", "busy", "moved"]
    for number, trouble in enumerate(troubles):
        live.proxy.plan.extend([trouble, trouble])
        live.proxy.headers.clear()
        live.provision(f"customer-{number}")
        assert Account.objects.count() == number + 1
        keys = [headers["Idempotency-Key"] for headers in live.proxy.headers]
        assert len(keys) == 3
        assert len(set(keys)) == 1


def test_usage_that_was_reported_twice_counts_once(live: LivePortal) -> None:
    live.provision()
    live.proxy.plan.extend(["lost_after", "half"])
    report = live.client.usage.report([minutes("2", id="call-1")])
    assert (report.recorded, report.duplicates) == (0, 1)
    assert list(live.ledger()) == ["call-1"]


def test_a_slow_answer_is_given_up_and_the_call_decides(live: LivePortal) -> None:
    account = live.provision()
    live.proxy.plan.append("slow")
    with pytest.raises(Unreachable, match="ReadTimeout"):
        live.client.authorization.check(account, timeout=0.1)
    assert live.client.authorization.check(account, timeout=5).allowed


def test_an_answer_that_is_not_the_portals_is_told_apart(live: LivePortal) -> None:
    account = live.provision()
    live.proxy.plan.append("moved")
    with pytest.raises(UnexpectedAnswer):
        live.client.authorization.check(account)


# Counted, not awaited ---------------------------------------------------------------------------
@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the client would have slept."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(random, "uniform", lambda lowest, highest: highest)
    return slept


def ask(*answers: httpx.Response, retries: Retries | None = None) -> int:
    """Ask a portal that gives these answers; return how often it was asked."""
    left = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        return left.pop(0)

    transport = httpx.MockTransport(answer)
    with BillingPortal(
        "http://portal", api_key="k", retries=retries, transport=transport
    ) as client:
        try:
            client.usage.report([minutes()])
        finally:
            asked = len(answers) - len(left)
    return asked


GOOD = {"recorded": 1, "duplicates": 0, "rejected": 0, "results": []}


def test_the_wait_doubles_up_to_the_longest(sleeps: list[float]) -> None:
    busy = [httpx.Response(status) for status in (502, 503, 504, 429)]
    retries = Retries(attempts=5, first_seconds=1, longest_seconds=3)
    assert ask(*busy, httpx.Response(200, json=GOOD), retries=retries) == 5
    assert sleeps == [1, 2, 3, 3]


def test_the_wait_is_random_from_nothing_up() -> None:
    delays = [Retries(first_seconds=1, longest_seconds=8).delay(2) for _ in range(200)]
    assert 0 <= min(delays) < 1
    assert 3 < max(delays) <= 4


def test_retry_after_is_honoured(sleeps: list[float]) -> None:
    at = format_datetime(datetime.now(tz=UTC) + timedelta(seconds=5), usegmt=True)
    throttled = [httpx.Response(429, headers={"Retry-After": value}) for value in ("3", at)]
    assert ask(*throttled, httpx.Response(200, json=GOOD)) == 3
    assert sleeps[0] == 3.25
    assert 4 < sleeps[1] < 5.6


def test_a_repetition_that_overtakes_the_first_request_waits_for_its_answer(
    sleeps: list[float],
) -> None:
    under_way = {"code": "request_in_progress", "detail": "This request is under way."}
    early = httpx.Response(409, json=under_way, headers={"Retry-After": "60"})
    assert ask(early, httpx.Response(200, json=GOOD)) == 2
    assert sleeps == [0.25]


def test_a_wait_beyond_patience_is_told_at_once(sleeps: list[float]) -> None:
    with pytest.raises(Throttled) as throttled:
        ask(httpx.Response(429, headers={"Retry-After": "60"}))
    assert throttled.value.retry_after == 60
    assert sleeps == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 415, 500])
def test_the_portals_word_is_not_asked_for_twice(sleeps: list[float], status: int) -> None:
    with pytest.raises(PortalError):
        ask(httpx.Response(status), httpx.Response(200, json=GOOD))
    assert sleeps == []


def test_patience_ends(sleeps: list[float]) -> None:
    with pytest.raises(PortalFailed) as failed:
        ask(*[httpx.Response(503)] * 4)
    assert (failed.value.status, failed.value.code) == (503, "")
    assert len(sleeps) == 3


def test_fields_that_were_added_are_ignored_and_missing_ones_told() -> None:
    assert ask(httpx.Response(200, json=GOOD | {"weather": "fine"})) == 1
    with pytest.raises(UnexpectedAnswer, match="`rejected` is missing"):
        ask(*[httpx.Response(200, json={"recorded": 1, "duplicates": 0})] * 4,
            retries=Retries(attempts=1))  # fmt: skip
