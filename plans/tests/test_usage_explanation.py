"""Why was I charged? The explanation adds up with the record, to the millionth."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Account
from accounts.money import to_millionths
from accounts.tests.factories import NOW, make_account
from plans import usage
from plans.models import Renewal, UsageRecord
from plans.tests.factories import (
    GROWTH_TIERS,
    make_customer,
    make_record,
    make_subscription,
    make_version,
    make_wallet,
)
from plans.usage_explanation import Explanation, Reason, explain
from wallet.models import Entry

pytestmark = pytest.mark.django_db


def used(account: Account, quantity: str, *, at: datetime = NOW, now: datetime = NOW) -> None:
    """Report so many minutes."""
    record = make_record(account, quantity, occurred_at=at)
    usage.record(records=[record], now=now)


def explained(account: Account, position: int = -1) -> Explanation:
    """Explain one of the account's records, in the order reported; check that it adds up."""
    record = list(UsageRecord.objects.filter(account=account).order_by("pk"))[position]
    explanation = explain(record=record)
    assert_adds_up(explanation)
    return explanation


def assert_adds_up(explanation: Explanation) -> None:
    record = explanation.record
    total = sum((part.amount for part in explanation.parts), Decimal(0))
    assert to_millionths(total) == record.amount
    assert sum(part.units for part in explanation.parts) == record.billed_quantity
    assert record.included_quantity + record.billed_quantity == record.quantity
    assert explanation.included_after == record.included_before - record.included_quantity >= 0
    assert explanation.granted >= record.included_before
    assert record.balance_before - record.amount == record.balance_after
    entries = Entry.objects.filter(account=record.account_id, usage_id=record.record_id)
    written = [(-entry.amount, entry.balance_after) for entry in entries]
    assert written == ([(record.amount, record.balance_after)] if record.amount else [])


def test_a_call_on_the_edge_of_the_allowance() -> None:
    account = make_customer(balance="20", version=make_version(included="500"))
    used(account, "499")
    used(account, "12")
    used(account, "3")

    first, edge, last = (explained(account, n) for n in range(3))

    assert [each.reason for each in (first, edge, last)] == [
        Reason.INCLUDED,
        Reason.PARTLY_INCLUDED,
        Reason.ALLOWANCE_USED,
    ]
    assert (edge.granted, edge.record.included_before, edge.included_after) == (500, 1, 0)
    assert [(part.units, part.price, part.amount) for part in edge.parts] == [
        (11, Decimal("0.10"), Decimal("1.10"))
    ]
    assert first.parts == ()
    assert first.included_after == 1


def test_a_call_through_two_tiers_has_a_part_for_each_price() -> None:
    version = make_version(included="0", tiers=GROWTH_TIERS)
    account = make_customer(balance="9000", version=version)
    used(account, "4990")
    used(account, "15030")

    through = explained(account)

    assert [
        (part.units, part.price, part.discount_percent, part.amount) for part in through.parts
    ] == [
        (10, Decimal("0.1"), 0, Decimal("1")),
        (15000, Decimal("0.09"), 10, Decimal("1350")),
        (20, Decimal("0.08"), 20, Decimal("1.6")),
    ]
    assert through.reason == Reason.NOT_INCLUDED
    assert not through.is_rounded


def test_a_late_call_is_explained_by_its_own_period_and_a_negative_balance_is_said() -> None:
    account = make_customer(balance="0.05", version=make_version(included="1"))
    now = NOW + timedelta(days=32)
    used(account, "1")
    used(account, "5", at=now, now=now)
    used(account, "2", at=NOW + timedelta(days=3), now=now)

    late = explained(account)

    assert late.record.renewal == Renewal.objects.get(account=account, number=1)
    assert (late.reason, late.granted, late.record.included_before) == (
        Reason.ALLOWANCE_USED,
        1,
        0,
    )
    assert (late.record.balance_before, late.record.balance_after) == (
        Decimal("-0.35"),
        Decimal("-0.55"),
    )


def test_before_a_period_is_paid_nothing_is_included() -> None:
    account = make_customer_who_owes()
    used(account, "4")
    Renewal.objects.filter(account=account).update(status="paid", paid_at=NOW + timedelta(days=2))

    unpaid = explained(account)

    assert (unpaid.reason, unpaid.granted) == (Reason.RENEWAL_UNPAID, 0)


def test_nothing_used_and_less_than_a_millionth() -> None:
    version = make_version(included="0", unit_price="0.00000040")
    account = make_customer(balance="1", version=version)
    used(account, "0")
    used(account, "1")
    used(account, "2")

    nothing, too_little, rounded = (explained(account, n) for n in range(3))

    assert nothing.reason == Reason.NOTHING_USED
    assert (too_little.record.amount, too_little.is_rounded) == (0, True)
    assert (rounded.record.amount, rounded.exact_amount) == (
        Decimal("0.000001"),
        Decimal("0.0000008"),
    )


def make_customer_who_owes() -> Account:
    """The first period is due."""
    account = make_account()
    make_wallet(account, balance="5")
    make_subscription(account, make_version(), last_period_paid=False)
    return account


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    quantities=st.lists(st.decimals(min_value=0, max_value=9000, places=6), min_size=1, max_size=6),
    price=st.decimals(min_value=0, max_value=1, places=8),
)
def test_whatever_was_used_the_explanation_adds_up(
    quantities: list[Decimal], price: Decimal
) -> None:
    version = make_version(included="700", unit_price=str(price), tiers=GROWTH_TIERS)
    account = make_customer(balance="10", version=version)
    usage.record(records=[make_record(account, str(each)) for each in quantities], now=NOW)

    for record in UsageRecord.objects.filter(account=account):
        assert_adds_up(explain(record=record))
