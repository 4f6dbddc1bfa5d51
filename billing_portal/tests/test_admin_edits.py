"""What staff edit by a form: never without a reason, and always on record."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

import pytest
from allauth.account.models import EmailAddress
from django.contrib import admin
from django.db.models import Model
from django.test import Client, RequestFactory
from django.urls import reverse

from accounts.models import AuditEvent, Invitation, Membership, Message, User
from accounts.money import format_unit_price
from accounts.roles import Role
from accounts.tests.factories import NOW
from billing_portal.admin.base import ReadOnlyAdmin
from billing_portal.admin.edits import REASON, EditedAdmin
from billing_portal.dashboard.tests.plain_html import Visitor
from billing_portal.tests.admin_company import Company, make_company

pytestmark = pytest.mark.django_db

WHY = "The customer sent the new commercial register"


@pytest.fixture
def company() -> Company:
    return make_company()


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def page_of(record: Model) -> str:
    options = record._meta
    return reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[record.pk])


def test_whatever_can_be_changed_here_asks_why(company: Company) -> None:
    """Every page of the admin is read-only, or its form has a reason that can't be left out."""
    request = RequestFactory().post("/")
    request.user = User.objects.create_superuser("root@staff.test")
    editable = {type(record): record for record in [company.account, *records(company)]}
    for model, its_admin in admin.site._registry.items():
        if isinstance(its_admin, ReadOnlyAdmin):
            continue
        assert isinstance(its_admin, EditedAdmin), f"{model} is edited without a reason"
        record = editable[model]
        assert its_admin.has_change_permission(request, record)
        forms = [its_admin.get_form(request, record, change=True)]
        if its_admin.has_add_permission(request):
            forms.append(its_admin.get_form(request, None, change=False))
        assert all(cast(Any, form).base_fields[REASON].required for form in forms), model
        assert not its_admin.has_delete_permission(request, record)


def records(company: Company) -> dict[Model, Mapping[str, str]]:
    """Return a record of each kind that is edited, and what is typed into its form."""
    price = company.draft.prices.get()
    return {
        User.objects.get(email="owner@muscat.test"): {"first_name": "Salim"},
        company.key: {"name": "Data warehouse"},
        company.draft.plan: {"name": "Growth plus"},
        company.draft: {"monthly_price_0": "109.00"},
        price.feature: {"name": "Minutes of calls"},
        price: {"unit_price_0": "0.095"},
    }


def state_of(record: Model) -> Mapping[str, object]:
    return type(record)._default_manager.filter(pk=record.pk).values().get()


def test_each_form_changes_nothing_without_a_reason_and_says_with_one_what_it_changed(
    company: Company,
) -> None:
    root = User.objects.create_superuser("root@staff.test")
    visitor = Visitor(signed_in(root))
    for record, typed in records(company).items():
        before, events = state_of(record), AuditEvent.objects.count()
        page = page_of(record)
        visitor.open(page)
        visitor.send(page, **typed, reason="  ")
        visitor.sees("Say why, for whoever reads this next.")
        assert (state_of(record), AuditEvent.objects.count()) == (before, events)

        visitor.send(page, **typed, reason=WHY)
        event = AuditEvent.objects.latest("pk")
        assert AuditEvent.objects.count() == events + 1, (record, visitor.html)
        assert (event.actor, event.reason) == (root, WHY)
        for name, value in typed.items():
            field = name.removesuffix("_0")
            assert value in str(event.details["after"][field])
            assert event.details["before"][field] == written(before, field)


def written(values: Mapping[str, object], field: str) -> object:
    """Return a value as the audit trail has it."""
    value = values[field]
    return format_unit_price(value) if isinstance(value, Decimal) else value


def test_prices_of_a_version_are_kept_as_they_were_and_as_they_are(company: Company) -> None:
    price = company.draft.prices.get()
    visitor = Visitor(signed_in(User.objects.create_superuser("root@staff.test")))
    page = page_of(company.draft)
    visitor.open(page)
    visitor.send(page, **{"prices-0-unit_price_0": "0.095", "reason": WHY})
    event = AuditEvent.objects.get(action="record_edited")
    (row,) = event.details["rows"]
    assert row == {
        "row": f"feature price {price}",
        "done": "changed",
        "before": {"unit_price": "$0.10"},
        "after": {"unit_price": "$0.095"},
    }


def test_nothing_that_was_typed_as_a_password_is_kept(company: Company) -> None:
    visitor = Visitor(signed_in(User.objects.create_superuser("root@staff.test")))
    page, secret = reverse("admin:accounts_user_add"), "a-very-long-password"
    visitor.open(page)
    wish = {"email": "new@muscat.test", "password1": secret, "password2": secret}
    visitor.send(page, **wish, reason="")
    assert not User.objects.filter(email="new@muscat.test").exists()
    visitor.send(page, **wish, reason=WHY)
    assert User.objects.get(email="new@muscat.test").check_password(secret)
    event = AuditEvent.objects.get(action="record_added")
    assert (event.reason, event.details["after"]) == (WHY, {"email": "new@muscat.test"})
    assert secret not in str(event.details)


def test_an_account_is_read_until_somebody_edits_it(company: Company) -> None:
    visitor = Visitor(signed_in(company.admin))
    page = page_of(company.account)
    visitor.open(page)
    visitor.sees("What happened")
    assert 'name="_save"' not in visitor.html
    visitor.follow("edit Edit")
    visitor.send(page, owner_email="salim@muscat.test", timezone="UTC", reason=WHY)
    # Back at its story, which says so.
    visitor.sees("What happened")
    visitor.sees("salim@muscat.test")
    event = AuditEvent.objects.get(action="account_edited")
    assert (event.account, event.reason) == (company.account, WHY)
    assert event.details["before"]["owner_email"] == company.account.owner_email
    assert event.details["after"]["owner_email"] == "salim@muscat.test"


def test_members_changed_by_staff_have_events_of_their_own_and_keep_no_power_to_invite(
    company: Company,
) -> None:
    """As on the customer's own page: who manages no more has no open invitations."""
    account = company.account
    old = account.memberships.get()
    accountant = User.objects.create_user("accountant@muscat.test")
    Membership.objects.create(account=account, user=accountant, role=Role.OWNER, created_at=NOW)
    visitor = Visitor(signed_in(company.admin))
    page = page_of(account)
    visitor.open(f"{page}?edit=1")
    visitor.send(page, **{"memberships-0-role": "viewer", "reason": WHY})
    old.refresh_from_db()
    assert old.role == Role.VIEWER
    event = AuditEvent.objects.get(action="member_role_changed")
    assert (event.actor, event.reason) == (company.admin, WHY)
    assert event.details == {"member": "owner@muscat.test", "before": "owner", "after": "viewer"}
    assert Invitation.objects.get().revoked_at is not None


def test_a_key_is_made_for_a_reason(company: Company) -> None:
    visitor = Visitor(signed_in(company.admin))
    page = reverse("admin:accounts_apikey_new_key")
    visitor.open(page)
    wish = {"name": "Data warehouse", "scopes": "usage:write"}
    visitor.send(page, **wish, reason=" ")
    visitor.sees("Say why")
    visitor.send(page, **wish, reason="Asked for by the data team")
    visitor.sees("Copy the key now")
    event = AuditEvent.objects.filter(action="api_key_created").latest("pk")
    assert (event.actor, event.reason) == (company.admin, "Asked for by the data team")


def test_a_draft_of_a_version_is_begun_for_a_reason(company: Company) -> None:
    client = signed_in(company.admin)
    draft = reverse("admin:plans_planversion_draft", args=[company.version.pk])
    assert "Say why" in client.post(draft, {"reason": " "}).content.decode()
    assert not AuditEvent.objects.filter(action="plan_version_drafted").exists()
    client.post(draft, {"reason": "Prices of 2027"})
    event = AuditEvent.objects.get(action="plan_version_drafted")
    assert (event.actor, event.reason) == (company.admin, "Prices of 2027")


def test_who_gets_another_address_by_staff_is_no_longer_found_by_the_one_before(
    company: Company,
) -> None:
    """Whoever reads the old mailbox can't have a new password; and is told of the change."""
    owner = User.objects.get(email="owner@muscat.test")
    assert EmailAddress.objects.filter(user=owner, email=owner.email, verified=True).exists()
    visitor = Visitor(signed_in(User.objects.create_superuser("root@staff.test")))
    page = page_of(owner)
    visitor.open(page)
    visitor.send(page, email="salim@muscat.test", reason=WHY)
    owner.refresh_from_db()
    assert owner.email == "salim@muscat.test"
    assert not EmailAddress.objects.exists()
    event = AuditEvent.objects.get(action="member_email_changed")
    assert (event.account, event.reason) == (company.account, WHY)
    assert event.details["before"] == "owner@muscat.test"
    assert Message.objects.get(event="email_changed").recipient == "owner@muscat.test"


def test_the_last_owner_can_not_be_taken_by_staff_either(company: Company) -> None:
    account = company.account
    owner = account.memberships.get(role=Role.OWNER)
    visitor = Visitor(signed_in(User.objects.create_superuser("root@staff.test")))
    for wish in ({"memberships-0-role": "viewer"}, {"memberships-0-DELETE": "on"}):
        visitor.open(f"{page_of(account)}?edit=1")
        visitor.send(page_of(account), **wish, reason=WHY)
        visitor.sees("An account needs an owner.")
        owner.refresh_from_db()
        assert owner.role == Role.OWNER
