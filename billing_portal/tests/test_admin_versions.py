"""What staff see of a draft before they publish it, and what publishing and archiving do."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Account, AuditEvent, Card, Message
from accounts.money import usd
from billing_portal.tests.test_admin_actions import signed_in, staff
from plans import renewals, subscriber_moves, versions
from plans.models import Plan, PlanChange, PlanVersion, SubscriberMove
from plans.tests.subscribers import make_subscriber, version_of

pytestmark = pytest.mark.django_db

WHY = "New prices of 2027"


@pytest.fixture
def alice(add_card: Callable[..., Card]) -> Account:
    """On growth for $99 a month since forty days ago, in her second period."""
    account = make_subscriber(add_card, "growth", now=timezone.now() - timedelta(days=40))
    renewals.renew_due(now=timezone.now() - timedelta(days=8))
    return account


@pytest.fixture
def draft(alice: Account) -> PlanVersion:
    """Growth for $119."""
    draft = versions.draft_from(version=version_of("growth"))
    PlanVersion.objects.filter(pk=draft.pk).update(monthly_price=usd(119))
    return draft


@pytest.fixture
def administrator(db: None) -> Client:
    names = ("view_plan", "view_planversion", "publish_planversion", "archive_plan")
    return signed_in(staff("chief@staff.test", *names))


def url(name: str, version: PlanVersion) -> str:
    return reverse(f"admin:plans_planversion_{name}", args=[version.pk])


def test_a_draft_is_read_beside_the_version_in_force(
    draft: PlanVersion, administrator: Client
) -> None:
    page = administrator.get(url("preview", draft))
    assert [row[1:] for row in page.context["differences"]["rows"]] == [
        ["Monthly price", "$99.00", "$119.00"]
    ]
    html = page.content.decode()
    assert "The last whole period of the 1 account on the plan" in html
    assert "1 would have paid more, 0 less." in html
    assert "The largest rise is $20.00." in html
    assert "1 would move at their next renewal" in html


def test_publishing_may_move_subscribers_and_tell_them(
    draft: PlanVersion, alice: Account, administrator: Client
) -> None:
    assert administrator.post(url("publish", draft), {"reason": " "}).context["form"].errors
    draft.refresh_from_db()
    assert draft.published_at is None

    wish = {"reason": WHY, "moves_subscribers": "on", "tells_customers": "on"}
    html = administrator.post(url("publish", draft), wish, follow=True).content.decode()
    assert "Growth v2 is published" in html
    assert "Moving to Growth v2 at the next renewal: 1 account, told by e-mail." in html
    published = AuditEvent.objects.get(action="plan_version_published")
    assert published.actor is not None
    assert (published.actor.email, published.reason) == ("chief@staff.test", WHY)

    assert subscriber_moves.carry_out(now=timezone.now()) == 1
    assert PlanChange.objects.get(account=alice).to_version == draft
    assert Message.objects.filter(account=alice, event="plan_change_scheduled").count() == 1


def test_published_twice_says_so_and_moves_nobody(
    draft: PlanVersion, administrator: Client
) -> None:
    administrator.post(url("publish", draft), {"reason": WHY})
    wish = {"reason": WHY, "moves_subscribers": "on"}
    html = administrator.post(url("publish", draft), wish, follow=True).content.decode()
    assert "is published already" in html
    assert not SubscriberMove.objects.exists()


def test_a_plan_is_archived_and_restored_with_a_reason(
    alice: Account, administrator: Client
) -> None:
    plan = Plan.objects.get(slug="growth")
    archive = reverse("admin:plans_plan_archive", args=[plan.pk])
    assert (
        "Who is on it stays, and renews as before: 1."
        in administrator.get(archive).content.decode()
    )
    administrator.post(archive, {"reason": WHY})
    plan.refresh_from_db()
    assert plan.archived_at is not None
    administrator.post(reverse("admin:plans_plan_restore", args=[plan.pk]), {"reason": WHY})
    plan.refresh_from_db()
    assert plan.archived_at is None
    events = AuditEvent.objects.filter(action__startswith="plan_", reason=WHY).order_by("pk")
    assert [event.action for event in events] == ["plan_archived", "plan_restored"]


def test_who_may_only_look_publishes_and_archives_nothing(draft: PlanVersion) -> None:
    looker = signed_in(staff("looker@staff.test", "view_plan", "view_planversion"))
    assert looker.get(url("preview", draft)).status_code == 200
    for name in ("publish", "move_subscribers"):
        assert looker.get(url(name, draft)).status_code == 403
        assert looker.post(url(name, draft), {"reason": WHY}).status_code == 403
    archive = reverse("admin:plans_plan_archive", args=[draft.plan_id])
    assert looker.post(archive, {"reason": WHY}).status_code == 403
