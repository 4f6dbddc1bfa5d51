"""How much a member of staff may move alone, and how much they may approve of what others ask.

The limits are settings, dollars by role; whoever has several roles has the highest, and whoever has
none needs approval for everything. A superuser counts as an administrator.
"""

from collections.abc import Mapping
from decimal import Decimal

from django.conf import settings

from accounts.models import User
from accounts.staff_roles import StaffRole


def adjustment_limit(user: User) -> Decimal:
    """Return up to how many USD they adjust credit without anybody's approval."""
    return _highest(user, settings.STAFF_ADJUSTMENT_LIMITS)


def refund_limit(user: User) -> Decimal:
    """Return up to how many USD they refund without anybody's approval."""
    return _highest(user, settings.STAFF_REFUND_LIMITS)


def approval_limit(user: User) -> Decimal:
    """Return up to how many USD they may approve of what a colleague asks for."""
    return _highest(user, settings.STAFF_APPROVAL_LIMITS)


def _highest(user: User, limits: Mapping[str, Decimal]) -> Decimal:
    roles = set(user.groups.values_list("name", flat=True))
    if user.is_superuser:
        roles.add(StaffRole.ADMINISTRATOR)
    return max((limits.get(role, Decimal(0)) for role in roles), default=Decimal(0))
