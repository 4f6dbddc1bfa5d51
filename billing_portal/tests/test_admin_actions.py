"""What staff do from an account's page: adjust credit, lock and unlock, edit it."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connections
from django.test import Client
from django.urls import reverse

from accounts.models import Account, AuditEvent, Membership, Message, User
from accounts.tests.factories import NOW, make_account
from billing_portal.tests.admin_company import balance_of, history_of
from plans.tests.factories import make_wallet
from wallet.models import Adjustment, Entry


@pytest.fixture
def account(db: None) -> Account:
    account = make_account(name="Muscat Freight LLC")
    make_wallet(account, balance="-3.20")
    return account


@pytest.fixture
def support(db: None) -> User:
    return staff("support@staff.test", "view_account", "add_adjustment", "lock_services")


def staff(email: str, *codenames: str) -> User:
    user = User.objects.create_user(email, "a-long-password", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    if "add_adjustment" in codenames:
        # For its limit; what they may do is in the permissions named here.
        Group.objects.get(name="Support").user_set.add(user)
    return user


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def url(name: str, account: Account) -> str:
    return reverse(f"admin:accounts_account_{name}", args=[account.pk])


def wanted(amount: str = "10.00", **fields: str) -> dict[str, str]:
    return {"direction": "add", "amount": amount, "reason": "Dropped calls on Monday", **fields}


def confirmed(client: Client, account: Account, wish: dict[str, str]) -> dict[str, str]:
    """Return what the confirmation page would post."""
    page = client.post(url("adjust_credit", account), wish)
    assert page.context["effect"] is not None, page.context["form"].errors
    return {**wish, "last_adjustment": str(page.context["last_adjustment"]), "_apply": ""}


def test_the_effect_is_shown_before_anything_happens(account: Account, support: User) -> None:
    page = signed_in(support).post(url("adjust_credit", account), wanted())
    text = page.content.decode()
    assert "Add credit" in text
    assert "Deduct credit" not in text
    assert "−$3.20" in text
    assert "$6.80" in text
    assert "paused → active" in text
    assert balance_of(account) == Decimal("-3.20")
    assert not Adjustment.objects.exists()
    assert Account.objects.get(pk=account.pk).services == "paused"
    assert "credit_adjusted" not in history_of(account)


def test_confirmed_credit_is_added_with_its_reason_and_author(
    account: Account, support: User
) -> None:
    client = signed_in(support)
    answer = client.post(url("adjust_credit", account), confirmed(client, account, wanted()))
    assert answer.status_code == 302
    assert balance_of(account) == Decimal("6.80")
    adjustment = Adjustment.objects.get()
    assert (adjustment.reason, adjustment.author) == ("Dropped calls on Monday", support)
    assert "credit_adjusted" in history_of(account)
    assert Account.objects.get(pk=account.pk).services == "active"


def test_credit_is_deducted(account: Account, support: User) -> None:
    client = signed_in(support)
    wish = wanted("1.80", direction="deduct")
    assert "Deduct credit" in client.post(url("adjust_credit", account), wish).content.decode()
    client.post(url("adjust_credit", account), confirmed(client, account, wish))
    assert balance_of(account) == Decimal("-5.00")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"reason": ""}, "reason"),
        ({"reason": "   "}, "reason"),
        ({"amount": "0"}, "amount"),
        ({"amount": "-5"}, "amount"),
        ({"amount": "1.005"}, "amount"),
        ({"amount": "100000.01"}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"amount": "1e400"}, "amount"),
        ({"amount": "ten"}, "amount"),
        ({"direction": "sideways"}, "direction"),
    ],
)
@pytest.mark.parametrize("apply", [{}, {"_apply": ""}])
def test_a_bad_wish_is_explained_at_its_field(
    account: Account, support: User, fields: dict[str, str], field: str, apply: dict[str, str]
) -> None:
    wish = {**wanted(), **fields, **apply, "last_adjustment": "0"}
    page = signed_in(support).post(url("adjust_credit", account), wish)
    assert page.status_code == 200
    assert field in page.context["form"].errors
    assert balance_of(account) == Decimal("-3.20")


def test_a_double_submit_adjusts_once(account: Account, support: User) -> None:
    client = signed_in(support)
    twice = confirmed(client, account, wanted())
    client.post(url("adjust_credit", account), twice)
    again = client.post(url("adjust_credit", account), twice, follow=True)
    assert "Nothing was done by this click" in again.content.decode()
    assert balance_of(account) == Decimal("6.80")
    assert Adjustment.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_ten_clicks_at_once_adjust_once() -> None:
    account = make_account()
    make_wallet(account)
    support = staff("support@staff.test", "view_account", "add_adjustment")
    clients = [signed_in(support) for _ in range(10)]
    wish = confirmed(clients[0], account, wanted())

    def click(client: Client) -> int:
        try:
            return client.post(url("adjust_credit", account), wish).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(click, clients))
    assert answers == [302] * 10
    assert balance_of(account) == Decimal("10.00")
    assert Entry.objects.filter(kind="adjustment").count() == 1


def test_two_who_credit_the_same_account_are_told(account: Account, support: User) -> None:
    client = signed_in(support)
    colleague = signed_in(staff("colleague@staff.test", "view_account", "add_adjustment"))
    mine = confirmed(client, account, wanted())
    theirs = confirmed(colleague, account, wanted())
    client.post(url("adjust_credit", account), mine)
    colleague.post(url("adjust_credit", account), theirs)
    assert balance_of(account) == Decimal("6.80")


def test_adjusting_needs_its_own_permission(account: Account) -> None:
    client = signed_in(staff("viewer@staff.test", "view_account", "change_account"))
    assert client.get(url("adjust_credit", account)).status_code == 403
    forged = {**wanted(), "last_adjustment": "0", "_apply": ""}
    assert client.post(url("adjust_credit", account), forged).status_code == 403
    assert balance_of(account) == Decimal("-3.20")


def test_locking_pauses_and_unlocking_resumes(db: None, support: User) -> None:
    account = make_account()
    make_wallet(account, balance="5")
    client = signed_in(support)

    client.post(url("lock", account), {"reason": "Chargeback under way"})
    locked = Account.objects.get(pk=account.pk)
    assert (locked.services, locked.lock_note) == ("paused", "Chargeback under way")
    event = AuditEvent.objects.get(account=account, action="services_paused")
    assert (event.actor, event.reason) == (support, "Chargeback under way")
    assert Message.objects.filter(account=account, event="services_paused").count() == 1

    page = client.get(url("change", account)).content.decode()
    assert "Unlock services" in page
    assert "Chargeback under way" in page

    client.post(url("unlock", account), {"reason": "Settled"})
    unlocked = Account.objects.get(pk=account.pk)
    assert (unlocked.services, unlocked.lock_note) == ("active", "")


def test_unlocking_leaves_other_reasons(account: Account, support: User) -> None:
    client = signed_in(support)
    client.post(url("lock", account), {"reason": "Odd traffic"})
    page = client.get(url("unlock", account)).content.decode()
    assert "stay paused for another reason: The balance is below zero" in page
    client.post(url("unlock", account), {"reason": "It was a test"})
    assert Account.objects.get(pk=account.pk).pause_reasons == ["negative_balance"]


@pytest.mark.parametrize("action", ["lock", "unlock"])
def test_locking_needs_a_note(account: Account, support: User, action: str) -> None:
    before = Account.objects.get(pk=account.pk).pause_reasons
    page = signed_in(support).post(url(action, account), {"reason": " "})
    assert page.status_code == 200
    assert Account.objects.get(pk=account.pk).pause_reasons == before


@pytest.mark.parametrize("name", ["adjust_credit", "lock", "unlock"])
@pytest.mark.parametrize("object_id", ["00000000-0000-0000-0000-000000000000", "none"])
def test_an_unknown_account_is_not_found(support: User, name: str, object_id: str) -> None:
    address = reverse(f"admin:accounts_account_{name}", args=[object_id])
    assert signed_in(support).get(address).status_code == 404


def edited(account: Account, **fields: Any) -> dict[str, Any]:
    """Return the account's form as the page would post it."""
    form: dict[str, Any] = {
        "name": account.name,
        "owner_email": account.owner_email,
        "external_id": account.external_id,
        "timezone": "UTC",
        "reason": "The customer wrote",
        "memberships-TOTAL_FORMS": "0",
        "memberships-INITIAL_FORMS": "0",
        "memberships-2-TOTAL_FORMS": "0",
        "memberships-2-INITIAL_FORMS": "0",
        **fields,
    }
    return form


def test_editing_an_account_is_on_record_and_touches_nothing_else(account: Account) -> None:
    client = signed_in(User.objects.create_superuser("admin@staff.test"))
    forged = edited(
        account,
        name="Muscat Freight & Sons LLC",
        pause_reasons="",
        stripe_customer_id="cus_other",
        balance="1000000",
    )
    answer = client.post(url("change", account), forged)
    assert answer.status_code == 302
    account.refresh_from_db()
    assert account.name == "Muscat Freight & Sons LLC"
    assert account.stripe_customer_id == ""
    assert account.pause_reasons == ["negative_balance"]
    assert balance_of(account) == Decimal("-3.20")
    assert "account_edited" in history_of(account)


def test_members_are_added_and_their_role_changed(account: Account) -> None:
    client = signed_in(User.objects.create_superuser("admin@staff.test"))
    owner = User.objects.create_user("owner@muscat.test")
    clerk = User.objects.create_user("clerk@muscat.test")
    old = Membership.objects.create(account=account, user=owner, role="billing", created_at=NOW)
    form = edited(
        account,
        **{
            "memberships-TOTAL_FORMS": "1",
            "memberships-INITIAL_FORMS": "1",
            "memberships-0-id": str(old.pk),
            "memberships-0-account": str(account.pk),
            "memberships-0-role": "viewer",
            "memberships-2-TOTAL_FORMS": "1",
            "memberships-2-INITIAL_FORMS": "0",
            "memberships-2-0-id": "",
            "memberships-2-0-account": str(account.pk),
            "memberships-2-0-user": str(clerk.pk),
            "memberships-2-0-role": "billing",
        },
    )
    answer = client.post(url("change", account), form)
    assert answer.status_code == 302, answer.context["errors"]
    roles = dict(Membership.objects.values_list("user__email", "role"))
    assert roles == {"owner@muscat.test": "viewer", "clerk@muscat.test": "billing"}


def test_the_last_owner_is_not_taken_from_an_account(account: Account) -> None:
    client = signed_in(User.objects.create_superuser("admin@staff.test"))
    owner = User.objects.create_user("owner@muscat.test")
    only = Membership.objects.create(account=account, user=owner, role="owner", created_at=NOW)
    row = {
        "memberships-TOTAL_FORMS": "1",
        "memberships-INITIAL_FORMS": "1",
        "memberships-0-id": str(only.pk),
        "memberships-0-account": str(account.pk),
    }
    for change in ({"memberships-0-role": "viewer"}, {"memberships-0-DELETE": "on"}):
        form = edited(account, **{"memberships-0-role": "owner", **row, **change})
        page = client.post(url("change", account), form)
        assert page.status_code == 200
        assert "Make somebody else an owner first" in page.content.decode()
    assert Membership.objects.get().role == "owner"


def test_a_member_is_not_added_twice(account: Account) -> None:
    client = signed_in(User.objects.create_superuser("admin@staff.test"))
    owner = User.objects.create_user("owner@muscat.test")
    Membership.objects.create(account=account, user=owner, role="owner", created_at=NOW)
    form = edited(
        account,
        **{
            "memberships-2-TOTAL_FORMS": "1",
            "memberships-2-INITIAL_FORMS": "0",
            "memberships-2-0-account": str(account.pk),
            "memberships-2-0-user": str(owner.pk),
            "memberships-2-0-role": "viewer",
        },
    )
    page = client.post(url("change", account), form)
    assert page.status_code == 200
    assert "already exists" in page.content.decode()
    assert Membership.objects.count() == 1
