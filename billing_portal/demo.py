"""The people of the demo. Its company's past months are made by `demo_months`."""

from datetime import datetime
from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction

from accounts import api_keys
from accounts.models import User
from accounts.staff_roles import StaffRole

STAFF: dict[str, tuple[StaffRole, dict[str, Any]]] = {
    "support@demo.test": (
        StaffRole.SUPPORT,
        {"first_name": "Salma", "last_name": "Al Harthy"},
    ),
    "finance@demo.test": (
        StaffRole.FINANCE,
        {"first_name": "Yusuf", "last_name": "Al Balushi"},
    ),
    "admin@demo.test": (
        StaffRole.ADMINISTRATOR,
        {"first_name": "Maryam", "last_name": "Al Lawati"},
    ),
    "auditor@demo.test": (
        StaffRole.AUDITOR,
        {"first_name": "Khalid", "last_name": "Al Zadjali"},
    ),
}
MEMBERS: dict[str, dict[str, Any]] = {
    "owner@demo.test": {"first_name": "Aisha", "last_name": "Al Kindi"},
    "billing@demo.test": {"first_name": "Zahra", "last_name": "Al Farsi"},
    "viewer@demo.test": {"first_name": "Omar", "last_name": "Al Siyabi"},
    "owner@other.test": {"first_name": "Huda", "last_name": "Al Rawahi"},
    "viewer@other.test": {"first_name": "Said", "last_name": "Al Mahri"},
}


@transaction.atomic
def seed(*, password: str, now: datetime) -> str:
    """Create the demo's people with this password; return an API key for the platform."""
    for email, fields in MEMBERS.items():
        User.objects.create_user(email, password, **fields)
    for email, (role, fields) in STAFF.items():
        user = User.objects.create_user(email, password, is_staff=True, **fields)
        user.groups.set([Group.objects.get(name=role)])
    _, token = api_keys.create(name="Voice platform (demo)", now=now)
    return token
