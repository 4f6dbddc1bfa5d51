"""Staff get nowhere with a password alone, however they try."""

import time

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts import second_factors
from accounts.models import AuditEvent, User
from accounts.staff_roles import StaffRole
from accounts.tests.factories import NOW

pytestmark = pytest.mark.django_db

PASSWORD = "a-long-password"
SECRET = "JBSWY3DPEHPK3PXP"
DESK = "/admin/"


@pytest.fixture(autouse=True)
def _production(settings: Settings) -> None:
    settings.STAFF_NEED_SECOND_FACTOR = True


def make_staff(role: StaffRole, name: str = "salma") -> User:
    person = User.objects.create_user(f"{name}@badal.test", PASSWORD, is_staff=True)
    person.groups.set([Group.objects.get(name=role)])
    return person


def code_of(secret: str) -> str:
    """What the app on the phone shows, and will for another two seconds."""
    if time.time() % 30 > 28:
        time.sleep(2)
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))


def sign_in(person: User, next_page: str = DESK) -> Client:
    client = Client()
    client.post(
        reverse("account_login"), {"login": person.email, "password": PASSWORD, "next": next_page}
    )
    return client


def leads_to(client: Client, address: str = DESK) -> str:
    """Where a page sends one, or "" when it opens."""
    answer = client.get(address)
    if answer.status_code == 200:
        return ""
    assert answer.status_code == 302, answer.status_code
    return answer["Location"].partition("?")[0]


# What was set up is remembered when that has been committed.
@pytest.mark.django_db(transaction=True)
def test_staff_without_one_set_it_up_and_are_let_in() -> None:
    client = sign_in(make_staff(StaffRole.SUPPORT))

    assert leads_to(client) == reverse("mfa_index")
    assert "Set up an authenticator app" in client.get(reverse("mfa_index")).content.decode()
    activate = reverse("mfa_activate_totp")
    assert leads_to(client, activate) == reverse("account_reauthenticate")
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD, "next": activate})
    secret = client.get(activate).context["form"].secret
    answer = client.post(activate, {"code": code_of(secret)})
    # The codes for the day when the phone is lost come first.
    assert answer["Location"] == reverse("mfa_view_recovery_codes")
    page = client.get(answer["Location"]).content.decode()
    assert "Back to the support desk" in page
    assert leads_to(client) == ""


def test_whoever_has_one_is_asked_for_it_when_signing_in() -> None:
    person = make_staff(StaffRole.FINANCE)
    TOTP.activate(person, SECRET)
    client = sign_in(person)

    # Not signed in yet: the admin asks for a sign-in, which asks for the code.
    assert leads_to(client) == "/admin/login/"
    wrong = client.post(reverse("mfa_authenticate"), {"code": "000000"})
    assert wrong.status_code == 200
    assert leads_to(client) == "/admin/login/"

    client.post(reverse("mfa_authenticate"), {"code": code_of(SECRET)})
    assert leads_to(client) == ""


def test_a_recovery_code_stands_in_for_a_lost_phone() -> None:
    person = make_staff(StaffRole.SUPPORT)
    TOTP.activate(person, SECRET)
    code = RecoveryCodes.activate(person).get_unused_codes()[0]
    client = sign_in(person)

    client.post(reverse("mfa_authenticate"), {"code": code})

    assert leads_to(client) == ""


def test_the_admin_has_no_sign_in_of_its_own() -> None:
    person = make_staff(StaffRole.ADMINISTRATOR)
    TOTP.activate(person, SECRET)
    client = Client()

    answer = client.post("/admin/login/", {"username": person.email, "password": PASSWORD})

    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("account_login"))
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize("superuser", [False, True])
def test_a_session_that_never_used_it_opens_only_the_page_that_asks_for_it(
    superuser: bool,
) -> None:
    """As one that was open before it was set up, or was made by any other way of signing in."""
    person = make_staff(StaffRole.ADMINISTRATOR)
    User.objects.filter(pk=person.pk).update(is_superuser=superuser)
    TOTP.activate(person, SECRET)
    client = Client()
    client.force_login(person)

    for page in (
        DESK,
        reverse("admin:accounts_user_changelist"),
        reverse("billing-overview"),
        # With the password alone, none is added, and none is taken away.
        reverse("mfa_index"),
        reverse("mfa_activate_totp"),
        reverse("mfa_deactivate_totp"),
        reverse("mfa_add_webauthn"),
        reverse("mfa_generate_recovery_codes"),
        reverse("mfa_view_recovery_codes"),
        reverse("account_reauthenticate"),
        reverse("account_change_password"),
        "/api/docs/",
    ):
        assert leads_to(client, page) == reverse("mfa_reauthenticate"), page
        assert client.post(page)["Location"].startswith(reverse("mfa_reauthenticate")), page

    ask = reverse("mfa_reauthenticate")
    assert leads_to(client, ask) == ""
    answer = client.post(ask, {"code": code_of(SECRET), "next": DESK})
    assert answer["Location"] == DESK
    assert leads_to(client) == ""


def test_whoever_has_a_passkey_only_is_asked_for_that() -> None:
    person = make_staff(StaffRole.SUPPORT)
    Authenticator.objects.create(user=person, type="webauthn", data={"name": "Laptop"})
    client = Client()
    client.force_login(person)

    assert leads_to(client) == reverse("mfa_reauthenticate_webauthn")


def test_what_another_used_in_this_browser_opens_nothing() -> None:
    salma, yusuf = make_staff(StaffRole.SUPPORT), make_staff(StaffRole.FINANCE, "yusuf")
    TOTP.activate(salma, SECRET)
    TOTP.activate(yusuf, SECRET)
    client = sign_in(salma)
    client.post(reverse("mfa_authenticate"), {"code": code_of(SECRET)})
    assert leads_to(client) == ""

    client.force_login(yusuf)

    assert leads_to(client) == reverse("mfa_reauthenticate")


def test_customers_and_programs_are_not_asked() -> None:
    customer = User.objects.create_user("aisha@muscat.test", PASSWORD)
    client = sign_in(customer, reverse("mfa_index"))

    assert leads_to(client, reverse("mfa_index")) == ""
    assert client.get("/api/v1/features/").status_code == 401


def test_on_a_laptop_a_password_is_enough(settings: Settings) -> None:
    settings.STAFF_NEED_SECOND_FACTOR = False

    assert leads_to(sign_in(make_staff(StaffRole.SUPPORT))) == ""


# What is lost ---------------------------------------------------------------------------------
def administrator(name: str = "maryam") -> tuple[User, Client]:
    """An administrator who has used their second factor."""
    person = make_staff(StaffRole.ADMINISTRATOR, name)
    TOTP.activate(person, SECRET)
    client = sign_in(person)
    client.post(reverse("mfa_authenticate"), {"code": code_of(SECRET)})
    return person, client


def removal_of(person: User) -> str:
    return reverse("admin:accounts_user_remove_second_factor", args=[person.pk])


def test_an_administrator_takes_away_a_lost_one_and_what_it_opened_closes() -> None:
    salma = make_staff(StaffRole.SUPPORT)
    TOTP.activate(salma, SECRET)
    RecoveryCodes.activate(salma)
    stolen = sign_in(salma)
    stolen.post(reverse("mfa_authenticate"), {"code": code_of(SECRET)})
    assert leads_to(stolen) == ""
    maryam, client = administrator()

    page = client.get(removal_of(salma)).content.decode()
    assert "What goes: TOTP Authenticator, Recovery codes." in page
    for empty in ("", "  ", "no"):
        assert client.post(removal_of(salma), {"reason": empty}).status_code == 200
    answer = client.post(removal_of(salma), {"reason": "Phone stolen; called her back"})

    assert answer.status_code == 302
    assert not Authenticator.objects.filter(user=salma).exists()
    event = AuditEvent.objects.get(action="second_factor_removed")
    assert (event.actor, event.reason) == (maryam, "Phone stolen; called her back")
    assert event.details["user"] == salma.email
    assert leads_to(stolen) == reverse("mfa_index")
    # A second click finds nothing to remove, and says so.
    again = client.post(removal_of(salma), {"reason": "Phone stolen; called her back"})
    assert "nothing to remove" in again.content.decode()
    assert AuditEvent.objects.filter(action="second_factor_removed").count() == 1


def test_nobody_takes_away_their_own() -> None:
    maryam, client = administrator()

    answer = client.post(removal_of(maryam), {"reason": "It is a nuisance"})

    assert "ask another administrator" in answer.content.decode()
    assert (
        "Remove second factor"
        not in client.get(reverse("admin:accounts_user_change", args=[maryam.pk]))
        .content.decode()
        .partition("<main")[2]
    )
    assert Authenticator.objects.filter(user=maryam).exists()
    with pytest.raises(ValidationError):
        second_factors.remove(user=maryam, by=maryam, reason="It is a nuisance", now=NOW)


@pytest.mark.parametrize("role", [StaffRole.SUPPORT, StaffRole.FINANCE, StaffRole.AUDITOR])
def test_others_take_away_none(role: StaffRole, settings: Settings) -> None:
    settings.STAFF_NEED_SECOND_FACTOR = False
    salma = make_staff(StaffRole.SUPPORT)
    TOTP.activate(salma, SECRET)
    client = Client()
    client.force_login(make_staff(role, "other"))

    assert client.get(removal_of(salma)).status_code == 403
    assert client.post(removal_of(salma), {"reason": "Because"}).status_code == 403
    assert Authenticator.objects.filter(user=salma).exists()


def test_a_superusers_is_out_of_an_administrators_reach() -> None:
    chief = User.objects.create_superuser("chief@badal.test", PASSWORD)
    TOTP.activate(chief, SECRET)
    _, client = administrator()

    assert client.post(removal_of(chief), {"reason": "Because"}).status_code == 403
    assert Authenticator.objects.filter(user=chief).exists()
