"""Moving the subscribers of a plan to its new version: ordered once, carried out to the end."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.db import transaction as database

from accounts.models import Account, AuditEvent, Card, Message, User
from accounts.tests.factories import NOW
from plans import cancellation, catalogue, renewals, subscriber_moves, versions
from plans.models import PlanChange, PlanVersion, SubscriberMove
from plans.tests.subscribers import make_subscriber, subscription_of, version_of

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(days=5)
WHY = "New prices of 2027"


@pytest.fixture
def subscribers(add_card: Callable[..., Card]) -> list[Account]:
    """Three accounts on the first version of growth."""
    return [make_subscriber(add_card, "growth") for _ in range(3)]


@pytest.fixture
def salma() -> User:
    return User.objects.create_user("salma@staff.test", is_staff=True)


def second_version() -> PlanVersion:
    draft = versions.draft_from(version=version_of("growth"))
    return versions.publish(version=draft, by=None, reason=WHY, now=NOW)


def order(version: PlanVersion, by: User | None = None, *, tells: bool = True) -> SubscriberMove:
    return subscriber_moves.order(
        plan_version=version, by=by, reason=WHY, tells_customers=tells, now=LATER
    )


def test_a_run_that_is_cut_short_is_gone_on_with(subscribers: list[Account], salma: User) -> None:
    move = order(second_version(), salma)
    assert subscriber_moves.carry_out(now=LATER, most=2) == 2
    move.refresh_from_db()
    assert (move.moved, move.finished_at) == (2, None)

    assert subscriber_moves.carry_out(now=LATER, most=2) == 1
    assert subscriber_moves.carry_out(now=LATER, most=2) == 0
    move.refresh_from_db()
    assert (move.moved, move.finished_at) == (3, LATER)
    changes = PlanChange.objects.filter(status="scheduled")
    assert {(one.account, one.requested_by, one.reason) for one in changes} == {
        (account, salma, WHY) for account in subscribers
    }
    assert Message.objects.filter(event="plan_change_scheduled").count() == 3
    assert AuditEvent.objects.get(action="subscriber_move_ordered").actor == salma


def test_customers_are_told_only_if_staff_chose_so(subscribers: list[Account]) -> None:
    version = second_version()
    order(version, tells=False)
    assert subscriber_moves.carry_out(now=LATER) == 3
    renewals.renew_due(now=NOW + timedelta(days=31))
    assert {subscription_of(account).plan_version for account in subscribers} == {version}
    assert not Message.objects.filter(event__startswith="plan_change").exists()


def test_who_is_leaving_is_left_alone(subscribers: list[Account]) -> None:
    cancellation.cancel(account=subscribers[0], by=None, now=LATER)
    version = second_version()
    assert subscriber_moves.to_move(plan_version=version).count() == 2
    order(version)
    assert subscriber_moves.carry_out(now=LATER) == 2


def test_one_order_for_a_version_at_a_time(subscribers: list[Account]) -> None:
    version = second_version()
    move = order(version)
    with pytest.raises(ValidationError, match="already"):
        order(version)
    move.pk = None
    with pytest.raises(IntegrityError, match="one_unfinished_move"), database.atomic():
        move.save()
    subscriber_moves.carry_out(now=LATER)
    order(version)


def test_a_draft_takes_nobody() -> None:
    catalogue.load(now=NOW)
    with pytest.raises(ValidationError, match="not published yet"):
        order(versions.draft_from(version=version_of("growth")))
