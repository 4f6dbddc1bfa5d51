"""The admin: one module for each area, registered by importing it.

Third-party apps register their own pages when their admin modules are imported. That must have
happened before ours take their place, so it is done here, first.
"""

import allauth.account.admin
import allauth.mfa.admin  # noqa: F401
import django.contrib.auth.admin  # noqa: F401
import django_celery_beat.admin  # noqa: F401
import djstripe.admin  # noqa: F401
from allauth.account.decorators import secure_admin_login
from django.contrib import admin

from billing_portal.admin import (
    accounts,
    api_keys,
    approvals,
    catalogue,
    messages,
    money,
    operations,
    people,
    prices,
    reconciliation,
    refills,
    reversals,
    schedules,
    stripe_objects,
    usage,
)

__all__ = [
    "accounts",
    "api_keys",
    "approvals",
    "catalogue",
    "messages",
    "money",
    "operations",
    "people",
    "prices",
    "reconciliation",
    "refills",
    "reversals",
    "schedules",
    "stripe_objects",
    "usage",
]

# Django's own form would ask for a password only, and count no attempts.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
