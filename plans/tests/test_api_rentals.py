"""Rentals over the REST API: looking, quoting, taking, releasing."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
import time_machine

from accounts.models import Account, AuditEvent, Card
from accounts.tests.stripe_side import lose_answers
from plans.tests.api_client import Platform
from plans.tests.subscribers import make_subscriber
from plans.tests.test_rentals import HALFWAY, START

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(add_card: Callable[..., Card]) -> Account:
    """On growth since 1 November: 2 numbers are included, the third costs $2.50 a month."""
    return make_subscriber(add_card, "growth", now=START)


@pytest.fixture
def platform() -> Platform:
    return Platform()


def numbers(account: Account) -> str:
    return f"accounts/{account.pk}/rentals/phone_number/"


def test_a_quote_is_charged_minutes_later(alice: Account, platform: Platform) -> None:
    with time_machine.travel(HALFWAY, tick=False) as clock:
        preview = platform.get(f"{numbers(alice)}?quantity=102")
        assert (preview["change"], preview["held"]) == ("taken", 0)
        assert (preview["amount"], preview["charged_amount"]) == ("125.00", "48.130")
        assert preview["monthly_amount"] == "250.00"
        clock.shift(540)
        assert platform.get(f"{numbers(alice)}?quantity=102")["amount"] == "124.95"
        wish = {"quantity": 102, "quote": preview["quote"]}
        held = platform.send("PUT", numbers(alice), wish).json()
    assert (held["quantity"], held["transaction"]["amount"]) == (102, "125.00")
    event = AuditEvent.objects.get(account=alice, action="rental_taken")
    assert (event.actor, event.details["via"]) == (None, "api")


def test_a_quote_that_is_over_is_a_conflict(alice: Account, platform: Platform) -> None:
    with time_machine.travel(HALFWAY, tick=False) as clock:
        quote = platform.get(f"{numbers(alice)}?quantity=5")["quote"]
        clock.shift(601)
        answer = platform.send("PUT", numbers(alice), {"quantity": 5, "quote": quote})
    assert (answer.status_code, answer.json()["code"]) == (409, "quote_expired")
    assert "look at it again" in answer.json()["detail"]


@time_machine.travel(HALFWAY, tick=False)
def test_while_a_payment_is_open_it_is_a_conflict(
    alice: Account, platform: Platform, sandbox: "Sandbox"
) -> None:
    lose_answers(sandbox)
    waiting = platform.send("PUT", numbers(alice), {"quantity": 5}).json()
    assert (waiting["quantity"], waiting["transaction"]["status"]) == (0, "processing")
    for answer in (
        platform.send("PUT", numbers(alice), {"quantity": 6}),
        platform.send("GET", f"{numbers(alice)}?quantity=6"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "payment_open")


@time_machine.travel(HALFWAY, tick=False)
def test_every_rental_of_the_plan_is_listed_with_what_is_held(
    alice: Account, platform: Platform
) -> None:
    platform.send("PUT", numbers(alice), {"quantity": 5})
    platform.send("PUT", numbers(alice), {"quantity": 3})
    listed = platform.get(f"accounts/{alice.pk}/rentals/")["results"]
    assert [each["feature"] for each in listed] == [
        "phone_number",
        "user_seat",
        "call_concurrency",
        "whitelabel_license",
    ]
    assert listed[0] == {
        "feature": "phone_number",
        "quantity": 5,
        "quantity_at_renewal": 3,
        "since": "2026-11-16T00:00:00Z",
        "included": 2,
        "unit_price": "2.50000000",
        "maximum": None,
    }
    assert (listed[2]["quantity"], listed[2]["since"], listed[2]["maximum"]) == (0, None, 50)
    page = platform.get(f"accounts/{alice.pk}/rentals/?page_size=1")
    following = platform.client.get(page["next"]).json()
    assert [page["results"], following["results"]] == [listed[:1], listed[1:2]]


@pytest.mark.parametrize("quantity", ["", "x", "-1", "1.5", "1_0"])
def test_a_preview_wants_a_whole_number(alice: Account, platform: Platform, quantity: str) -> None:
    answer = platform.send("GET", f"{numbers(alice)}?quantity={quantity}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert "quantity" in answer.json()["fields"]


@time_machine.travel(HALFWAY, tick=False)
def test_above_the_maximum_is_refused(alice: Account, platform: Platform) -> None:
    path = f"accounts/{alice.pk}/rentals/call_concurrency/"
    for answer in (
        platform.send("GET", f"{path}?quantity=51"),
        platform.send("PUT", path, {"quantity": 51}),
    ):
        assert answer.status_code == 400
        assert "at most 50" in json.dumps(answer.json())
    assert Decimal(platform.get(f"{path}?quantity=50")["net_amount"]) == Decimal("80.00")
