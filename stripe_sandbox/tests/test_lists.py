"""Walking through everything: pages, ranges of time, search; what a reconciliation does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import stripe

from .harness import Sandbox
from .test_payments import CHARGE

PAYMENT = {**CHARGE, "payment_method": "pm_card_visa"}
EACH = (
    "payment_intents",
    "charges",
    "refunds",
    "disputes",
    "events",
    "balance_transactions",
)


def noon(day: int) -> int:
    return int(datetime(2026, 1, day, 12, tzinfo=UTC).timestamp())


@pytest.fixture
def month(sandbox: Sandbox, client: Any) -> Any:
    """Seven days, each with a payment refunded in part and then disputed."""
    for day in range(1, 8):
        sandbox.control("clock", {"now": f"2026-01-0{day}T12:00:00Z"})
        paid = client.payment_intents.create({**PAYMENT, "metadata": {"transaction": f"T-{day}"}})
        client.refunds.create({"payment_intent": paid.id, "amount": 10})
        sandbox.control(f"charges/{paid.latest_charge}/dispute")
    return client


@pytest.mark.parametrize("resource", EACH)
def test_all_of_it_is_walked_once_newest_first(month: Any, resource: str) -> None:
    service = getattr(month, resource)
    whole = service.list({"limit": 100}).data
    walked = list(service.list({"limit": 3}).auto_paging_iter())
    assert [one.id for one in walked] == [one.id for one in whole]
    assert len({one.id for one in walked}) == len(walked) >= 7
    assert [one.created for one in walked] == sorted((one.created for one in walked), reverse=True)


@pytest.mark.parametrize("resource", EACH)
def test_a_range_of_time_is_walked_whole_and_alone(month: Any, resource: str) -> None:
    service = getattr(month, resource)
    span = {"created": {"gte": noon(3), "lt": noon(6)}, "limit": 2}
    walked = list(service.list(span).auto_paging_iter())
    whole = [one for one in service.list({"limit": 100}).data if noon(3) <= one.created < noon(6)]
    assert [one.id for one in walked] == [one.id for one in whole]


def test_what_comes_in_meanwhile_is_not_walked_twice(month: Any, sandbox: Sandbox) -> None:
    first = month.charges.list({"limit": 3})
    month.payment_intents.create(PAYMENT)
    rest = month.charges.list({"limit": 100, "starting_after": first.data[-1].id}).data
    ids = [one.id for one in [*first.data, *rest]]
    assert len(ids) == len(set(ids)) == 7


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ("metadata['transaction']:'T-2'", [2]),
        (f"created>={noon(6)}", [7, 6]),
        (f"created>{noon(2)} AND created<{noon(5)}", [4, 3]),
        (f"created<{noon(3)} AND status:'succeeded' AND amount:3850", [2, 1]),
        (f"-metadata['transaction']:null AND created>{noon(6)}", [7]),
        ("metadata['transaction']:null", []),
        ("-metadata['transaction']:'T-7' AND created>" + str(noon(5)), [6]),
        ("status:'canceled'", []),
    ],
)
def test_search(month: Any, query: str, days: list[int]) -> None:
    found = month.payment_intents.search({"query": query}).data
    assert [one.metadata["transaction"] for one in found] == [f"T-{day}" for day in days]


def test_search_pages(month: Any) -> None:
    query = {"query": "status:'succeeded'", "limit": 3}
    assert len(list(month.payment_intents.search(query).auto_paging_iter())) == 7


@pytest.mark.parametrize("query", ["nonsense", "flavour:'x'", "created>'soon'", "created:null"])
def test_a_search_that_makes_no_sense_is_refused(client: Any, query: str) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        client.payment_intents.search({"query": query})


def test_lists_are_narrowed(month: Any) -> None:
    paid = month.payment_intents.list({"limit": 1}).data[0]
    for resource in ("charges", "refunds", "disputes"):
        [one] = getattr(month, resource).list({"payment_intent": paid.id}).data
        assert one.payment_intent == paid.id
    for resource in ("refunds", "disputes"):
        assert len(getattr(month, resource).list({"charge": paid.latest_charge}).data) == 1
    kinds = {
        kind: len(month.balance_transactions.list({"type": kind, "limit": 100}).data)
        for kind in ("charge", "refund", "adjustment")
    }
    assert kinds == {"charge": 7, "refund": 7, "adjustment": 7}
    several = {"types": ["charge.refunded", "charge.dispute.created"], "limit": 100}
    assert len(month.events.list(several).data) == 14
