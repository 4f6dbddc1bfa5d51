"""What a period includes: granted when it is paid, or at once when it costs nothing."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.db import IntegrityError, transaction

from accounts.models import Account, Card
from accounts.tests.stripe_side import decline_from_now_on
from plans import allowances, renewal_charges, renewals, usage
from plans.models import Allowance
from plans.tests.factories import make_record
from plans.tests.subscribers import make_subscriber, subscription_of
from wallet.tests.factories import balance_of

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 1, tzinfo=UTC)
END = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture
def alice(add_card: Callable[..., Card]) -> Account:
    return make_subscriber(add_card, "growth", now=START)


def minutes_of(account: Account, number: int) -> Allowance | None:
    """Return the call minutes of a period, if they were granted."""
    return Allowance.objects.filter(
        account=account,
        renewal__number=number,
        renewal__subscription=subscription_of(account),
        feature__key="call_minutes",
    ).first()


def use(account: Account, minutes: int, now: datetime) -> Decimal:
    """Report call minutes; return what they cost."""
    [result] = usage.record(
        records=[make_record(account, minutes, occurred_at=now)], now=now + timedelta(minutes=1)
    )
    assert result.status == "recorded"
    return result.amount


def test_a_paid_period_includes_what_the_plan_says_and_rentals_are_none_of_it(
    alice: Account,
) -> None:
    granted = Allowance.objects.filter(account=alice).values_list("feature__key", "included")
    assert dict(granted) == {
        "call_minutes": 500,
        "voicemail_detection": 500,
        "llm_tokens": 1000,
        "tts_retrieval_mb": 1000,
        "media_storage_gb": 10,
        "media_retrieval_gb": 10,
        "kb_storage_vectors_1k": 100,
    }


def test_what_is_left_does_not_move_to_the_next_period(alice: Account) -> None:
    use(alice, 495, START + timedelta(days=1))
    first = minutes_of(alice, 1)
    assert first is not None
    assert allowances.remaining(first) == 5
    renewals.renew_due(now=END)
    second = minutes_of(alice, 2)
    assert second is not None
    assert allowances.remaining(second) == 500


def test_until_the_renewal_is_paid_usage_costs_the_unit_price(
    alice: Account, sandbox: "Sandbox"
) -> None:
    card = alice.cards.get()
    decline_from_now_on(sandbox, card, "insufficient_funds")
    renewals.renew_due(now=END)
    assert use(alice, 10, END + timedelta(hours=1)) == Decimal("1.00")

    decline_from_now_on(sandbox, card, None)
    renewal_charges.pay_now(account=alice, by=None, now=END + timedelta(hours=2))
    granted = minutes_of(alice, 2)
    assert granted is not None
    assert (granted.included, granted.used) == (500, 0)
    assert use(alice, 10, END + timedelta(hours=3)) == 0
    assert balance_of(alice) == Decimal("-1.00"), "what was billed before stays billed"


def test_granting_twice_is_granting_once(alice: Account) -> None:
    use(alice, 100, START + timedelta(days=1))
    first = minutes_of(alice, 1)
    assert first is not None
    allowances.grant(first.renewal)
    granted = minutes_of(alice, 1)
    assert granted is not None
    assert (granted.included, granted.used) == (500, 100)


@pytest.mark.parametrize("used", ["-1", "500.000001"])
def test_the_database_refuses_a_use_beyond_what_was_granted(alice: Account, used: str) -> None:
    granted = minutes_of(alice, 1)
    assert granted is not None
    with pytest.raises(IntegrityError), transaction.atomic():
        Allowance.objects.filter(pk=granted.pk).update(used=Decimal(used))
