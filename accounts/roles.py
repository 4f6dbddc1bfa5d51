"""What a member may do. Views and templates ask here, nowhere else."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """The role of a user in an account."""

    OWNER = "owner", _("Owner")
    BILLING = "billing", _("Billing")
    VIEWER = "viewer", _("Viewer")


#: Roles that may pay, change cards, plan and auto-refill. Everybody else only looks.
ACTING_ROLES = frozenset({Role.OWNER, Role.BILLING})
#: Roles that decide who else may come in, people and programs, and end what cards are charged for.
MANAGING_ROLES = frozenset({Role.OWNER})


def may_act(role: str) -> bool:
    """Return whether a member with this role may change anything."""
    return role in ACTING_ROLES


def may_manage(role: str) -> bool:
    """Return whether a member with this role manages members, API keys and cards in use."""
    return role in MANAGING_ROLES
