"""The front page of the admin: the business and the machinery at a glance."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone
from djstripe.models import WebhookEventTrigger
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from billing_portal import audit, business_days
from billing_portal.admin import system_panel
from billing_portal.dashboard.tests import scenes
from billing_portal.models import AuditReport, Heartbeat
from billing_portal.tests.admin_company import make_company
from billing_portal.tests.test_admin_pages import signed_in
from wallet.models import AutoRefill

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return signed_in(User.objects.create_superuser("chief@staff.test", "secret"))


def states() -> dict[str, str]:
    """What the page says of each part of the machinery."""
    parts = system_panel.system(now=timezone.now())
    return {part.title: f"{part.state} {part.note}" for part in parts}


def test_the_state_of_the_business_is_shown_with_what_it_was(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    now = timezone.now()
    scenes.busy_company(created_at=now - timedelta(days=20))
    while business_days.bring_up_to_date(now=now) > 1:
        pass
    with django_assert_max_num_queries(25):
        page = client.get("/admin/")
    figures = {figure.title: figure for figure in page.context["business"].figures}
    assert "$99.00" in figures["Monthly recurring revenue"].value
    assert figures["Monthly recurring revenue"].note.startswith("Plans and rentals of 1 paid")
    assert "$100.00 sold" in figures["Credit sold and used"].value
    # The table holds what the chart draws, for who doesn't see it.
    sold = figures["Credit sold and used"].chart
    assert sum("$100.00" in str(row[1]) for row in sold.table["rows"]) == 1
    assert '"100.00"' in sold.data


def test_before_the_first_day_is_summed_up_nothing_is_claimed(client: Client) -> None:
    page = client.get("/admin/")
    assert page.context["business"] is None
    assert "State of the business" not in page.content.decode()


def test_support_sees_no_figures_of_the_business() -> None:
    make_company()
    business_days.bring_up_to_date(now=timezone.now())
    assert business_days.newest(days=1)
    user = User.objects.create_user("salma@staff.test", is_staff=True)
    user.user_permissions.add(
        Permission.objects.get(codename="view_account", content_type__app_label="accounts")
    )
    page = signed_in(user).get("/admin/").content.decode()
    assert "State of the business" not in page
    assert "Beat and worker" not in page


def test_a_machine_that_works_says_so_and_one_that_stands_still_too() -> None:
    now = timezone.now()
    assert "No tick yet" in states()["Beat and worker"]
    Heartbeat.objects.create(name="beat", at=now - timedelta(seconds=20))
    audit.note(violations=[], now=now - timedelta(hours=3), since=None)
    audit.note(violations=[], now=now, since=now - timedelta(hours=3))
    Heartbeat.objects.create(name="reconciliation", at=now - timedelta(hours=40))
    said = states()
    assert "Works" in said["Beat and worker"]
    assert "Works" in said["Queue"]
    assert "Works" in said["Full audit"]
    assert "held 3 h ago" in said["Full audit"]
    assert "Works" in said["Audit of what is new"]
    assert "Look here" in said["Reconciliation"]
    assert "Everything was sent" in said["Outbox"]

    Heartbeat.objects.filter(name="beat").update(at=now - timedelta(minutes=10))
    assert "Look here" in states()["Beat and worker"]


def test_a_broken_invariant_is_a_concern_until_an_audit_finds_nothing(client: Client) -> None:
    now = timezone.now()
    broken = audit.Violation("I1", "a balance is the sum of its entries", "wallet 7 holds $5")
    report = audit.note(violations=[broken], now=now, since=None)
    page = client.get("/admin/")
    assert {c.title: c.count for c in page.context["concerns"]}["Broken invariants"] == 1
    assert "Broken" in states()["Audit"]
    shown = client.get(f"/admin/billing_portal/auditreport/{report.pk}/change/").content.decode()
    assert "wallet 7 holds $5" in shown
    assert audit.checkpoint() is None

    audit.note(violations=[], now=now + timedelta(hours=1), since=None)
    page = client.get("/admin/")
    assert {c.title: c.count for c in page.context["concerns"]}["Broken invariants"] == 0


def test_reports_of_the_audit_are_kept_for_three_months() -> None:
    now = timezone.now()
    audit.note(violations=[], now=now - timedelta(days=91), since=None)
    audit.note(violations=[], now=now, since=None)
    assert AuditReport.objects.count() == 1


def test_a_suspended_refill_that_was_switched_off_needs_nobody(client: Client) -> None:
    company = make_company()
    now = timezone.now()
    rules = AutoRefill.objects.filter(wallet__account=company.account)
    for enabled in (False, True):
        rules.update(suspended_at=now, enabled=enabled)
        concerns = client.get("/admin/").context["concerns"]
        [suspended] = [one for one in concerns if one.title == "Refills suspended"]
        listed = client.get(suspended.url).context["cl"].result_list
        assert (suspended.count, len(listed)) == (int(enabled), int(enabled))


def test_a_webhook_that_failed_needs_a_person(client: Client) -> None:
    make_company()

    def failed() -> int:
        page = client.get("/admin/")
        concern = next(c for c in page.context["concerns"] if c.title == "Failed webhooks")
        assert len(client.get(concern.url).context["cl"].result_list) == concern.count
        return int(concern.count)

    assert failed() == 0
    WebhookEventTrigger.objects.create(
        remote_ip="127.0.0.1", headers={}, body="{}", valid=True, processed=False
    )
    assert failed() == 1
