"""Reconciliation in the admin: what a night found, and a person dealing with it."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, User
from accounts.tests.factories import NOW, make_account
from invoices.models import ReconciliationFinding, ReconciliationRun
from invoices.reconciliation_models import FindingKind, Phase

pytestmark = pytest.mark.django_db


@pytest.fixture
def finding() -> ReconciliationFinding:
    """A payment made in Stripe's dashboard, found last night."""
    run = ReconciliationRun.objects.create(
        since=NOW - timedelta(days=30),
        until=NOW,
        phase=Phase.DONE,
        payments=7,
        unexplained=1,
        started_at=NOW,
        finished_at=NOW,
    )
    return ReconciliationFinding.objects.create(
        kind=FindingKind.UNKNOWN_PAYMENT,
        subject="pi_stray",
        account=make_account(name="Muscat Freight LLC"),
        detail="5.000 OMR names no transaction.",
        first_run=run,
        last_run=run,
        found_at=NOW,
    )


def staff(*codenames: str) -> tuple[Client, User]:
    user = User.objects.create_user("finance@staff.test", "a-long-password", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client, user


SEE = ("view_reconciliationrun", "view_reconciliationfinding")


def address(finding: ReconciliationFinding, page: str = "change") -> str:
    return reverse(f"admin:invoices_reconciliationfinding_{page}", args=[finding.pk])


def test_a_run_shows_its_counts_and_findings(finding: ReconciliationFinding) -> None:
    client, _ = staff(*SEE)
    run = reverse("admin:invoices_reconciliationrun_change", args=[finding.last_run_id])
    shown = client.get(run).content.decode()
    assert "5.000 OMR names no transaction." in shown
    assert "To deal with" in shown
    listed = client.get(reverse("admin:invoices_reconciliationrun_changelist"))
    assert listed.status_code == 200
    findings = client.get(reverse("admin:invoices_reconciliationfinding_changelist"))
    assert "Captured for no transaction of ours" in findings.content.decode()


def test_the_night_that_found_it_first_still_shows_it(finding: ReconciliationFinding) -> None:
    client, _ = staff(*SEE)
    first, night = finding.first_run_id, NOW + timedelta(days=1)
    again = ReconciliationRun.objects.create(
        since=NOW, until=night, phase=Phase.DONE, started_at=night, finished_at=night
    )
    ReconciliationFinding.objects.update(last_run=again)
    for run in (first, again.pk):
        shown = client.get(reverse("admin:invoices_reconciliationrun_change", args=[run]))
        assert shown.content.decode().count("5.000 OMR names no transaction.") == 1


def test_who_may_deals_with_a_finding_and_says_what_was_done(
    finding: ReconciliationFinding,
) -> None:
    client, user = staff(*SEE, "change_reconciliationfinding")
    assert "Mark as dealt with" in client.get(address(finding)).content.decode()
    page = address(finding, "deal_with")
    assert "put right there" in client.get(page).content.decode()

    client.post(page, {"reason": "Refunded in the dashboard; the customer had paid by phone."})

    finding.refresh_from_db()
    assert (finding.dealt_with_by, finding.note[:8]) == (user, "Refunded")
    event = AuditEvent.objects.get(action="reconciliation_finding_dealt_with")
    assert (event.actor, event.details["subject"]) == (user, "pi_stray")
    assert "Mark as dealt with" not in client.get(address(finding)).content.decode()
    again = client.post(page, {"reason": "Once more."}, follow=True)
    assert "This is dealt with already." in again.content.decode()
    assert AuditEvent.objects.filter(action="reconciliation_finding_dealt_with").count() == 1


def test_nothing_is_dealt_with_without_a_word(finding: ReconciliationFinding) -> None:
    client, _ = staff(*SEE, "change_reconciliationfinding")
    assert client.post(address(finding, "deal_with"), {"reason": " "}).status_code == 200
    finding.refresh_from_db()
    assert finding.dealt_with_at is None


def test_who_may_only_look_deals_with_nothing(finding: ReconciliationFinding) -> None:
    client, _ = staff(*SEE)
    assert client.post(address(finding, "deal_with"), {"reason": "Mine."}).status_code == 403
    finding.refresh_from_db()
    assert finding.dealt_with_at is None
