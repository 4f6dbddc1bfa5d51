"""Plans changed while other things happen: threads, each with its own connection."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db.models import Sum

from accounts.models import Account, Card
from accounts.tests.stripe_side import payments
from billing_portal import audit
from invoices.models import Purpose, Status, Transaction
from plans import cancellation, plan_changes, plan_quotes, renewals, subscriptions, usage
from plans.models import Allowance, PlanChange, UsageRecord
from plans.tests.changing_plans import DAY, END, HOUR, MINUTE, TWELFTH, move, plan_of
from plans.tests.factories import make_record
from plans.tests.subscribers import make_subscriber, version_of
from tests.test_concurrency import at_once, refused
from wallet.tests.factories import balance_of

pytestmark = pytest.mark.django_db(transaction=True)

AddCard = Callable[..., Card]
START = datetime(2026, 11, 1, tzinfo=UTC)


def upgrades_of(account: Account) -> list[Transaction]:
    """Return the paid upgrades, beside the first payment for the plan itself."""
    paid = Transaction.objects.filter(
        account=account, purpose=Purpose.PLAN_CHANGE, status=Status.PAID
    )
    return list(paid.order_by("pk")[1:])


def test_an_upgrade_agreed_to_six_times_at_once_is_charged_once(add_card: AddCard) -> None:
    alice = make_subscriber(add_card, "starter", now=START)
    sealed = plan_quotes.seal(
        plan_quotes.quote(account=alice, plan_version=version_of("growth"), at=TWELFTH),
        account=alice,
    )

    def agree() -> object:
        return plan_changes.agree(
            account=alice,
            plan_version=version_of("growth"),
            sealed=sealed,
            by=None,
            now=TWELFTH + MINUTE,
        )

    results = at_once(*[agree] * 6)
    assert refused(results) == 5
    assert [paid.amount.amount for paid in upgrades_of(alice)] == [42]
    assert plan_of(alice) == "growth"
    assert audit.run(now=TWELFTH + HOUR) == []


def test_an_upgrade_and_the_renewal_at_once_each_charge_what_is_right(add_card: AddCard) -> None:
    """Whoever comes first: the upgrade pays the old period's rest, or it is refused or credit."""
    alice = make_subscriber(add_card, "starter", now=START)
    results = at_once(
        lambda: move(alice, "growth", now=END - DAY),
        lambda: renewals.renew_due(now=END),
        lambda: renewals.renew_due(now=END),
    )
    refused(results)
    renewals.renew_due(now=END + MINUTE)
    renewed = Transaction.objects.get(account=alice, purpose=Purpose.RENEWAL)
    upgraded = plan_of(alice) == "growth"
    if upgraded:
        assert renewed.amount.amount == 99
    else:
        assert renewed.amount.amount == 29
        assert balance_of(alice) == sum(paid.amount.amount for paid in upgrades_of(alice))
    assert len(payments(purpose="renewal")) == 1
    assert audit.run(now=END + HOUR) == []


def test_usage_reported_while_upgrading_draws_exactly_what_is_included(add_card: AddCard) -> None:
    """120 minutes in twelve batches: with 100, then 500 included, at $0.12, then $0.10."""
    alice = make_subscriber(add_card, "starter", now=START)

    def report() -> object:
        record = make_record(
            alice, feature="call_minutes", quantity=Decimal(60), occurred_at=TWELFTH - HOUR
        )
        return usage.record(records=[record], now=TWELFTH)

    results = at_once(*[report] * 6, lambda: move(alice, "growth", now=TWELFTH), *[report] * 6)
    assert refused(results) == 0
    drawn = UsageRecord.objects.filter(account=alice).aggregate(
        included=Sum("included_quantity"), billed=Sum("billed_quantity"), amount=Sum("amount")
    )
    allowance = Allowance.objects.get(account=alice, feature__key="call_minutes", included__gt=0)
    assert (allowance.included, allowance.used) == (500, drawn["included"])
    assert drawn["included"] + drawn["billed"] == 720
    assert balance_of(alice) == -drawn["amount"]
    assert audit.run(now=TWELFTH + HOUR) == []


def test_canceling_and_changing_at_once_leaves_one_of_them(add_card: AddCard) -> None:
    bob = make_subscriber(add_card, "growth", now=START)
    results = at_once(
        lambda: move(bob, "starter", now=TWELFTH),
        lambda: cancellation.cancel(account=bob, by=None, now=TWELFTH),
        lambda: move(bob, "payg", now=TWELFTH),
    )
    refused(results)
    current = subscriptions.current(account=bob)
    assert current is not None
    waiting = PlanChange.objects.filter(account=bob, status="scheduled").count()
    assert waiting + current.cancel_at_period_end == 1
    assert audit.run(now=TWELFTH + HOUR) == []
