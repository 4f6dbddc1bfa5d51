"""Accounts for the tests, made the way the portal makes them."""

from datetime import UTC, datetime
from itertools import count
from typing import Any

from django.contrib.auth.models import Group

from accounts.models import Account, Card, CardStatus, User
from accounts.staff_roles import StaffRole

#: The moment most worked examples start at.
NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)

_numbers = count(1)


def make_account(**fields: Any) -> Account:
    """Create an account; `fields` replaces what matters to the example."""
    number = next(_numbers)
    return Account.objects.create(
        **{
            "name": f"Muscat Freight {number} LLC",
            "external_id": f"customer-{number}",
            "owner_email": f"owner{number}@muscat.test",
            "created_at": NOW,
            **fields,
        }
    )


def make_staff(role: StaffRole, email: str = "") -> User:
    """Make a member of staff in the group of their role."""
    user = User.objects.create_user(email or f"{role.lower()}@badal.test", is_staff=True)
    user.groups.set([Group.objects.get(name=role)])
    return user


def make_card(account: Account, **fields: Any) -> Card:
    """Create a verified Visa of `account` whose hold is voided."""
    number = next(_numbers)
    return Card.objects.create(
        **{
            "account": account,
            "stripe_payment_method_id": f"pm_test_{number}",
            "stripe_setup_intent_id": f"seti_test_{number}",
            "brand": "visa",
            "last4": "4242",
            "exp_month": 12,
            "exp_year": 2030,
            "status": CardStatus.VERIFIED,
            "stripe_hold_id": f"pi_hold_{number}",
            "hold_voided_at": NOW,
            "created_at": NOW,
            **fields,
        }
    )
