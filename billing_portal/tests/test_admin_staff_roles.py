"""An administrator gives a colleague a role: with a reason, after seeing what changes, once."""

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from accounts import staff_members
from accounts.models import AuditEvent, User
from accounts.staff_roles import StaffRole
from accounts.tests.factories import NOW

pytestmark = pytest.mark.django_db

REASON = "Moves to the finance team in October"


def make_staff(role: StaffRole, name: str) -> User:
    person = User.objects.create_user(f"{name}@badal.test", is_staff=True)
    person.groups.set([Group.objects.get(name=role)])
    return person


@pytest.fixture
def maryam() -> User:
    return make_staff(StaffRole.ADMINISTRATOR, "maryam")


@pytest.fixture
def salma() -> User:
    return make_staff(StaffRole.SUPPORT, "salma")


def send(by: User, person: User, role: str, reason: str = REASON, seen: str = "") -> Any:
    client = Client()
    client.force_login(by)
    address = reverse("admin:accounts_user_change_role", args=[person.pk])
    return client.post(address, {"role": role, "reason": reason, "seen": seen})


def test_what_they_gain_and_lose_is_shown_before_it_is_done(maryam: User, salma: User) -> None:
    page = send(maryam, salma, "Finance")

    text = page.content.decode()
    assert "Support → Finance. They gain: " in text
    assert "add refund" in text
    assert "They lose" not in text
    assert staff_members.role_of(salma) == StaffRole.SUPPORT

    assert send(maryam, salma, "Finance", seen="Support → Finance").status_code == 302
    assert staff_members.role_of(salma) == StaffRole.FINANCE
    event = AuditEvent.objects.get(action="staff_role_changed")
    assert (event.actor, event.reason) == (maryam, REASON)
    assert event.details == {"user": salma.email, "from": "Support", "to": "Finance"}

    # The back button and a second click: it is another change now, and that is shown.
    again = send(maryam, salma, "Finance", seen="Support → Finance")
    assert "They gain and lose nothing." in again.content.decode()
    assert AuditEvent.objects.filter(action="staff_role_changed").count() == 1


def test_another_role_than_the_one_that_was_shown_is_shown_first(maryam: User, salma: User) -> None:
    page = send(maryam, salma, "Administrator", seen="Support → Finance")

    assert "Support → Administrator" in page.content.decode()
    assert staff_members.role_of(salma) == StaffRole.SUPPORT


@pytest.mark.parametrize("reason", ["", "   ", "no"])
def test_a_reason_is_needed(maryam: User, salma: User, reason: str) -> None:
    send(maryam, salma, "Finance", reason=reason, seen="Support → Finance")

    assert staff_members.role_of(salma) == StaffRole.SUPPORT


def test_whoever_leaves_is_let_in_no_more(maryam: User, salma: User) -> None:
    send(maryam, salma, "", seen="Support → none")

    salma.refresh_from_db()
    assert not salma.is_staff
    assert not salma.groups.exists()


def test_nobody_changes_their_own_role_or_a_superusers(maryam: User) -> None:
    chief = User.objects.create_superuser("chief@badal.test")

    page = send(maryam, maryam, "", seen="Administrator → none")
    assert "ask another administrator" in page.content.decode()
    assert send(maryam, chief, "Support", seen="none → Support").status_code == 403
    assert staff_members.role_of(maryam) == StaffRole.ADMINISTRATOR
    with pytest.raises(ValidationError):
        staff_members.change_role(
            person=chief, role=StaffRole.SUPPORT, by=maryam, reason=REASON, now=NOW
        )


def test_the_form_of_a_person_gives_no_rights(maryam: User, salma: User) -> None:
    client = Client()
    client.force_login(maryam)
    finance = Group.objects.get(name=StaffRole.FINANCE)
    sent = {"email": salma.email, "is_superuser": "on", "groups": finance.pk, "is_active": "on"}
    sent |= {"reason": REASON}
    sent |= {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}

    answer = client.post(reverse("admin:accounts_user_change", args=[salma.pk]), sent)

    assert answer.status_code == 302
    salma.refresh_from_db()
    assert salma.is_staff
    assert not salma.is_superuser
    assert staff_members.role_of(salma) == StaffRole.SUPPORT
