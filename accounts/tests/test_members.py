"""Members: another role, leaving, and the last owner, who stays whatever is tried."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from accounts import members
from accounts.models import Account, AuditEvent, Membership
from accounts.roles import Role
from accounts.tests.factories import NOW, make_account
from accounts.tests.people import make_member

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> Account:
    return make_account()


@pytest.fixture
def layla(account: Account) -> Membership:
    return make_member(account, "layla@muscat.test")


def recorded(account: Account) -> list[tuple[str, str, dict[str, Any]]]:
    events = AuditEvent.objects.filter(account=account).order_by("pk")
    return [(event.action, str(event.actor), event.details) for event in events]


def test_a_viewer_becomes_an_owner_and_the_first_owner_may_go(
    account: Account, layla: Membership
) -> None:
    omar = make_member(account, "omar@muscat.test", Role.VIEWER)
    members.change_role(membership=omar, role=Role.OWNER, by=layla.user, now=NOW)
    members.remove(membership=layla, by=layla.user, now=NOW)

    assert [m.user.email for m in account.memberships.all()] == ["omar@muscat.test"]
    assert recorded(account) == [
        (
            "member_role_changed",
            "layla@muscat.test",
            {
                "member": "omar@muscat.test",
                "before": "viewer",
                "after": "owner",
            },
        ),
        ("member_left", "layla@muscat.test", {"member": "layla@muscat.test", "role": "owner"}),
    ]


def test_a_member_is_removed_and_is_none_any_more(account: Account, layla: Membership) -> None:
    omar = make_member(account, "omar@muscat.test", Role.BILLING)
    members.remove(membership=omar, by=layla.user, now=NOW)
    assert recorded(account)[-1][0] == "member_removed"
    for again in (
        lambda: members.remove(membership=omar, by=layla.user, now=NOW),
        lambda: members.change_role(membership=omar, role="owner", by=layla.user, now=NOW),
    ):
        with pytest.raises(ValidationError, match="not a member any more"):
            again()


def test_the_last_owner_is_told_to_make_another_first(account: Account, layla: Membership) -> None:
    make_member(account, "omar@muscat.test", Role.BILLING)
    with pytest.raises(ValidationError, match="Make somebody else an owner first"):
        members.change_role(membership=layla, role=Role.VIEWER, by=layla.user, now=NOW)
    with pytest.raises(ValidationError, match="Make somebody else an owner first"):
        members.remove(membership=layla, by=layla.user, now=NOW)
    assert recorded(account) == []


def test_there_are_three_roles(account: Account, layla: Membership) -> None:
    with pytest.raises(ValidationError, match="one of the roles"):
        members.change_role(membership=layla, role="root", by=layla.user, now=NOW)
    with pytest.raises(IntegrityError, match="a_member_has_a_known_role"):
        Membership.objects.filter(pk=layla.pk).update(role="root")


def demote(layla: Membership) -> None:
    Membership.objects.filter(pk=layla.pk).update(role=Role.VIEWER)


def move(layla: Membership) -> None:
    Membership.objects.filter(pk=layla.pk).update(account=make_account())


def delete(layla: Membership) -> None:
    layla.delete()


def delete_user(layla: Membership) -> None:
    layla.user.delete()


@pytest.mark.parametrize("take", [demote, move, delete, delete_user])
def test_the_database_keeps_the_last_owner(
    layla: Membership, take: Callable[[Membership], None]
) -> None:
    with pytest.raises(IntegrityError, match="last owner"):
        take(layla)


@pytest.mark.django_db(transaction=True)
def test_of_two_owners_who_remove_each_other_at_once_one_stays() -> None:
    account = make_account()
    both = [make_member(account, f"owner{n}@muscat.test") for n in (1, 2)]
    at_once = threading.Barrier(2)
    refused = []

    def take(membership: Membership) -> None:
        try:
            with transaction.atomic():
                at_once.wait()
                Membership.objects.filter(pk=membership.pk).delete()
        except IntegrityError as error:
            refused.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=take, args=[each]) for each in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    assert account.memberships.count() == 1
