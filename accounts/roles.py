"""What a member may do. Views and templates ask here, nowhere else."""

from django.db import models


class Role(models.TextChoices):
    """The role of a user in an account."""

    OWNER = "owner", "Owner"
    BILLING = "billing", "Billing"
    VIEWER = "viewer", "Viewer"


#: Roles that may pay, change cards, plan and auto-refill. Everybody else only looks.
ACTING_ROLES = frozenset({Role.OWNER, Role.BILLING})


def may_act(role: str) -> bool:
    """Return whether a member with this role may change anything."""
    return role in ACTING_ROLES
