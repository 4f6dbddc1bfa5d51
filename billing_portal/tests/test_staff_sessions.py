"""How long staff stay signed in: a working day, or an hour without doing anything."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.conf import settings
from django.test import Client

from accounts.models import User
from accounts.staff_roles import StaffRole
from accounts.tests.factories import make_staff
from billing_portal.dashboard.tests.scenes import make_company, make_member

pytestmark = pytest.mark.django_db

MORNING = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
DESK = "/admin/"
LIST = "/admin/accounts/account/?q=muscat"


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(MORNING, tick=False) as traveller:
        yield traveller


@pytest.fixture
def desk(clock: time_machine.Traveller) -> Client:
    return signed_in(make_staff(StaffRole.SUPPORT))


def signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    assert client.get(DESK).status_code in (200, 302)
    return client


def test_who_goes_on_working_stays_signed_in_until_the_day_is_over(
    desk: Client, clock: time_machine.Traveller
) -> None:
    for _ in range(15):
        clock.shift(47 * MINUTE)
        assert desk.get(DESK).status_code == 200
    clock.shift(16 * MINUTE)  # twelve hours and a minute

    answer = desk.get(LIST)
    assert (answer.status_code, answer["Location"]) == (
        302,
        "/accounts/login/?next=/admin/accounts/account/%3Fq%3Dmuscat",
    )
    assert "You were signed out to be safe" in desk.get(answer["Location"]).content.decode()
    assert settings.SESSION_COOKIE_NAME not in desk.cookies or not desk.session.get("_auth_user_id")


@pytest.mark.parametrize(("minutes", "status"), [(59, 200), (61, 302)])
def test_who_does_nothing_for_an_hour_is_signed_out(
    desk: Client, clock: time_machine.Traveller, minutes: int, status: int
) -> None:
    clock.shift(minutes * MINUTE)
    assert desk.get(DESK).status_code == status
    assert desk.get(DESK).status_code == status, "and stays so"


def test_what_was_sent_then_is_not_done_and_leads_to_the_desk(
    desk: Client, clock: time_machine.Traveller
) -> None:
    clock.shift(2 * HOUR)
    answer = desk.post("/admin/accounts/account/add-note/", {"note": "Called back."})
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/?next=/admin/")


def test_a_part_of_a_page_leads_the_whole_page_to_signing_in(
    desk: Client, clock: time_machine.Traveller
) -> None:
    clock.shift(2 * HOUR)
    here = {"HX-Request": "true", "HX-Current-URL": f"http://testserver{DESK}"}
    answer = desk.get("/billing/history/", headers=here)
    assert answer["HX-Redirect"] == "/accounts/login/?next=/admin/"


def test_customers_and_programs_stay_signed_in(clock: time_machine.Traveller) -> None:
    client = signed_in(make_member(make_company()))
    clock.shift(30 * HOUR)
    assert client.get("/billing/").status_code == 200


def test_the_time_of_use_is_not_written_with_every_click(
    desk: Client, clock: time_machine.Traveller
) -> None:
    clock.shift(MINUTE / 2)
    desk.get(DESK)
    assert desk.session["staff_used"] == MORNING.isoformat()
    clock.shift(MINUTE)
    desk.get(DESK)
    assert desk.session["staff_used"] == (MORNING + 1.5 * MINUTE).isoformat()
