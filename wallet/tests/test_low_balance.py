"""A low balance is told once for each crossing of the customer's limit."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, connection, transaction
from pytest_django import Settings

from accounts import outbox
from accounts.models import Account, AuditEvent, Message, MessageChannel
from accounts.tests.factories import NOW, make_account, make_card
from accounts.tests.platform_side import SECRET
from wallet import low_balance
from wallet.models import Wallet
from wallet.tests.factories import make_wallet, move, post_usage, switch_on

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def a_platform_listens(settings: Settings) -> None:
    settings.PLATFORM_WEBHOOK_URL = "http://127.0.0.1:1/hooks"
    settings.PLATFORM_WEBHOOK_SECRET = SECRET


@pytest.fixture
def alice() -> Account:
    """Has $20 and is told below $10."""
    account = make_account(name="Alice Trading")
    make_wallet(account, "20")
    set_limit(account, "10")
    return account


def set_limit(account: Account, limit: str | None) -> None:
    low_balance.set_limit(
        account=account, limit=None if limit is None else Decimal(limit), by=None, now=NOW
    )


def told(account: Account) -> list[Any]:
    """Return what the customer was told of a low balance, oldest first."""
    notices = Message.objects.filter(account=account, event="low_balance").order_by("pk")
    return [notice.payload["balance"] for notice in notices]


def test_the_customer_and_the_platform_are_told_of_the_crossing(alice: Account) -> None:
    move(alice, "-10.01")

    email = Message.objects.get(channel=MessageChannel.EMAIL)
    assert (email.event, email.recipient) == ("low_balance", alice.owner_email)
    assert email.payload == {"balance": "$9.99", "threshold": "$10.00", "path": "/billing/top-up/"}
    event = Message.objects.get(channel=MessageChannel.PLATFORM)
    assert (event.event, event.payload) == (
        "balance.low",
        {"balance": "9.990000", "limit": "10.00"},
    )
    assert email.key == event.key


@pytest.mark.parametrize(
    ("moves", "notices"),
    [
        (["-10"], []),  # $10.00 is not below $10
        (["-10.000001"], ["$10.00"]),
        (["-11", "-1", "-1"], ["$9.00"]),  # down and further down
        (["-11", "+5", "-5"], ["$9.00", "$9.00"]),  # back above it in between
        (["-11", "+0.50", "-1"], ["$9.00"]),  # it rose, but not back
        (["-10", "-1"], ["$9.00"]),
        (["-21"], ["−$1.00"]),  # from above to below zero in one call
    ],
)
def test_told_once_for_each_crossing(alice: Account, moves: list[str], notices: list[str]) -> None:
    for amount in moves:
        move(alice, amount)
    assert told(alice) == notices


def test_who_begins_with_nothing_never_fell(alice: Account) -> None:
    bob = make_account()
    make_wallet(bob)
    move(bob, "3")
    move(bob, "-1")
    assert told(bob) == []


def test_until_the_customer_sets_another_limit_it_is_five_dollars() -> None:
    bob = make_account()
    make_wallet(bob, "5")
    move(bob, "-0.01")
    assert told(bob) == ["$4.99"]


def test_without_a_limit_nothing_is_told(alice: Account) -> None:
    set_limit(alice, None)
    move(alice, "-30")
    assert told(alice) == []


def test_a_limit_of_zero_tells_of_a_debt(alice: Account) -> None:
    set_limit(alice, "0")
    move(alice, "-20")
    assert told(alice) == []
    move(alice, "-0.01")
    assert told(alice) == ["−$0.01"]


def test_raising_the_limit_above_the_balance_tells_nothing_new(alice: Account) -> None:
    set_limit(alice, "50")
    move(alice, "-1")
    assert told(alice) == []
    move(alice, "40")
    move(alice, "-40")
    assert told(alice) == ["$19.00"]


def test_a_lower_limit_is_a_crossing_of_its_own(alice: Account) -> None:
    move(alice, "-11")
    set_limit(alice, "5")
    move(alice, "-5")
    assert told(alice) == ["$9.00", "$4.00"]


def test_with_auto_refill_on_it_says_what_that_does(alice: Account) -> None:
    make_card(alice, is_default=True)
    switch_on(alice, threshold="7.50", amount="25")
    move(alice, "-11")

    outbox.deliver_due(now=NOW)

    [email] = mail.outbox
    assert "it adds $25.00 whenever the balance is below $7.50" in str(email.body)
    assert "/billing/#auto-refill" in str(email.body)


@pytest.mark.parametrize("waits", ["suspended_at", "capped_until", "next_attempt_at"])
def test_a_refill_that_waits_is_no_comfort(alice: Account, waits: str) -> None:
    make_card(alice, is_default=True)
    rule = switch_on(alice, threshold="7.50", amount="25")
    setattr(rule, waits, NOW + timedelta(hours=1))
    rule.save()
    move(alice, "-11")

    outbox.deliver_due(now=NOW)

    assert "Top up now" in str(mail.outbox[0].body)


# In the hot path ------------------------------------------------------------------------------
@pytest.fixture
def customers() -> list[Account]:
    customers = [make_account() for _ in range(20)]
    for account in customers:
        make_wallet(account, "20")
        set_limit(account, "10")
    return customers


def test_a_batch_costs_no_statement_more_for_those_it_does_not_tell(
    customers: list[Account],
) -> None:
    many = post_usage([(account, "1") for account in customers], name="first")
    one = post_usage([(customers[0], "1")], name="second")
    assert many == one
    assert not Message.objects.exists()


def test_a_batch_tells_of_twenty_in_as_many_statements_as_of_one(
    customers: list[Account],
) -> None:
    many = post_usage([(account, "11") for account in customers[1:]], name="first")
    one = post_usage([(customers[0], "11")], name="second")
    assert many == one
    assert [told(account) for account in customers] == [["$9.00"]] * 20


# Setting it -----------------------------------------------------------------------------------
@pytest.mark.parametrize("limit", ["-0.01", "10.001", "NaN", "Infinity", "100000.01"])
def test_a_limit_that_is_no_amount_is_refused(alice: Account, limit: str) -> None:
    with pytest.raises(ValidationError) as refused:
        set_limit(alice, limit)
    assert list(refused.value.message_dict) == ["limit"]
    assert Wallet.objects.get(account=alice).low_balance_limit == 10


@pytest.mark.parametrize("limit", ["-0.01", "NaN", "100000.01"])
def test_the_database_refuses_it_too(alice: Account, limit: str) -> None:
    change = "UPDATE wallet_wallet SET low_balance_limit = %s::numeric"
    with pytest.raises((IntegrityError, DataError)), transaction.atomic():
        connection.cursor().execute(change, [limit])


def test_who_changed_the_limit_is_on_record(alice: Account) -> None:
    set_limit(alice, "10")  # as it is: nothing to note
    set_limit(alice, None)

    events = AuditEvent.objects.filter(account=alice, action="low_balance_limit_set")
    assert [event.details for event in events.order_by("pk")] == [
        {"before": "5.00", "limit": "10"},
        {"before": "10.00", "limit": None},
    ]
