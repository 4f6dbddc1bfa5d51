"""The table of roles covers every permission, and the groups in the database equal it."""

import re
from fnmatch import fnmatch

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission

from accounts import staff_groups
from accounts.models import User
from accounts.staff_roles import GIVEN_TO_NOBODY, PERMISSIONS, StaffRole, permissions_of


def stock_permissions() -> set[str]:
    """What Django makes of each model."""
    return {
        f"{model._meta.app_label}.{action}_{model._meta.model_name}"
        for model in apps.get_models()
        for action in model._meta.default_permissions
    }


def declared_permissions() -> set[str]:
    """What models declare themselves."""
    return {
        f"{model._meta.app_label}.{codename}"
        for model in apps.get_models()
        for codename, _ in model._meta.permissions
    }


def names_in(group: Group) -> list[str]:
    return sorted(
        f"{one.content_type.app_label}.{one.codename}"
        for one in group.permissions.select_related("content_type")
    )


def test_every_permission_of_the_table_exists() -> None:
    assert set(PERMISSIONS) - stock_permissions() - declared_permissions() == set()


def test_what_a_model_declares_is_given_to_a_role() -> None:
    """A new permission that fails here needs its line in accounts/staff_roles.py."""
    assert declared_permissions() - set(PERMISSIONS) == set()


def test_what_django_makes_is_given_to_a_role_or_to_nobody_for_a_reason() -> None:
    forgotten = {
        name
        for name in stock_permissions() - set(PERMISSIONS)
        if not any(fnmatch(name, pattern) for pattern in GIVEN_TO_NOBODY)
    }
    assert forgotten == set()


def test_every_reason_is_needed() -> None:
    rest = stock_permissions() - set(PERMISSIONS)
    needless = [
        pattern for pattern in GIVEN_TO_NOBODY if not any(fnmatch(name, pattern) for name in rest)
    ]
    assert needless == []


def test_auditors_look_and_administrators_have_it_all() -> None:
    looks = [name for name in set(PERMISSIONS) & stock_permissions() if ".view_" in name]
    # They take out as files what they see, and read the books; nothing changes by that.
    reads = [name for name in PERMISSIONS if re.search(r"\.(export|read)_", name)]
    assert permissions_of(StaffRole.AUDITOR) == sorted([*looks, *reads])
    assert permissions_of(StaffRole.ADMINISTRATOR) == sorted(PERMISSIONS)


@pytest.mark.django_db
def test_the_groups_in_the_database_are_the_table() -> None:
    found = {group.name: names_in(group) for group in Group.objects.all()}
    assert found == {role.value: permissions_of(role) for role in StaffRole}


@pytest.mark.django_db
def test_permissions_that_django_has_not_made_yet_are_made_with_its_words() -> None:
    columns = ("content_type__app_label", "codename", "name")
    before = set(Permission.objects.values_list(*columns))
    Permission.objects.all().delete()
    Group.objects.all().delete()

    staff_groups.make_groups(apps=apps, using="default")

    test_the_groups_in_the_database_are_the_table()
    made = set(Permission.objects.values_list(*columns))
    assert len(made) == len(PERMISSIONS)
    assert made <= before


@pytest.mark.django_db
def test_another_run_undoes_what_was_changed_by_hand_and_leaves_people_where_they_are() -> None:
    support = Group.objects.get(name=StaffRole.SUPPORT)
    salma = User.objects.create_user("salma@badal.test", is_staff=True)
    salma.groups.set([support])
    support.permissions.set(Permission.objects.filter(codename="add_refund"))

    staff_groups.make_groups(apps=apps, using="default")

    test_the_groups_in_the_database_are_the_table()
    assert salma.groups.get() == support


def test_a_permission_that_no_model_declares_is_named() -> None:
    with pytest.raises(LookupError, match=r"invoices\.add_typo"):
        staff_groups.declared("invoices.add_typo")
