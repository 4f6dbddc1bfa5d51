"""The admin: one module for each area, registered by importing it.

Third-party apps register their own pages when their admin modules are imported. That must have
happened before ours take their place, so it is done here, first.
"""

import allauth.account.admin
import allauth.mfa.admin
import django.contrib.auth.admin
import django_celery_beat.admin
import djstripe.admin  # noqa: F401

from billing_portal.admin import (
    accounts,
    api_keys,
    catalogue,
    money,
    operations,
    people,
    schedules,
    stripe_objects,
    usage,
)

__all__ = [
    "accounts",
    "api_keys",
    "catalogue",
    "money",
    "operations",
    "people",
    "schedules",
    "stripe_objects",
    "usage",
]
