"""The people of the demo. Its company's past months are made by the simulation."""

from datetime import datetime
from typing import Any

from django.contrib.auth.models import Permission
from django.db import transaction

from accounts import api_keys
from accounts.models import User

#: Staff. Until roles come with their groups, support sees everything, finance adjusts credit too.
STAFF: dict[str, dict[str, Any]] = {
    "support@demo.test": {"first_name": "Salma", "last_name": "Al Harthy"},
    "finance@demo.test": {"first_name": "Yusuf", "last_name": "Al Balushi"},
    "admin@demo.test": {"first_name": "Maryam", "last_name": "Al Lawati", "is_superuser": True},
}
MEMBERS: dict[str, dict[str, Any]] = {
    "owner@demo.test": {"first_name": "Aisha", "last_name": "Al Kindi"},
    "viewer@demo.test": {"first_name": "Omar", "last_name": "Al Siyabi"},
    "owner@other.test": {"first_name": "Huda", "last_name": "Al Rawahi"},
}


@transaction.atomic
def seed(*, password: str, now: datetime) -> str:
    """Create the demo's people with this password; return an API key for the platform."""
    for email, fields in MEMBERS.items():
        User.objects.create_user(email, password, **fields)
    for email, fields in STAFF.items():
        User.objects.create_user(email, password, is_staff=True, **fields)
    _let_staff_in()
    _, token = api_keys.create(name="Voice platform (demo)", now=now)
    return token


def _let_staff_in() -> None:
    """Let support see all records, and finance adjust, refund, change plans and rentals."""
    see = Permission.objects.filter(
        content_type__app_label__in=["accounts", "invoices", "wallet", "plans"],
        codename__startswith="view_",
    )
    act = Permission.objects.filter(
        codename__in=[
            "add_adjustment",
            "add_refund",
            "change_reconciliationfinding",
            "change_subscription",
            "change_rental",
        ]
    )
    act = act.filter(content_type__app_label__in=["invoices", "wallet", "plans"])
    User.objects.get(email="support@demo.test").user_permissions.set(see)
    User.objects.get(email="finance@demo.test").user_permissions.set(see | act)
