"""`manage.py create_staff --email ada@example.com --role support`."""

import secrets
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone

from accounts.models import AuditEvent, User
from accounts.staff_roles import StaffRole

ROLES = {role.lower(): role for role in StaffRole}


class Command(BaseCommand):
    """Create a member of staff and print the password, once."""

    help = "Create a member of staff and print the password. It can't be shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the e-mail address and the role."""
        parser.add_argument("--email", required=True)
        parser.add_argument("--role", required=True, choices=ROLES)

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the password on standard output, everything else on standard error."""
        email, role = options["email"].strip(), options["role"]
        try:
            validate_email(email)
        except ValidationError as error:
            raise CommandError(f"{email} is no e-mail address.") from error
        if User.objects.filter(email__iexact=email).exists():
            raise CommandError(f"There is a user {email} already.")
        password = secrets.token_urlsafe(15)
        with transaction.atomic():
            user = User.objects.create_user(email, password, is_staff=True)
            user.groups.set([Group.objects.get(name=ROLES[role])])
            AuditEvent.objects.create(
                action="staff_created",
                details={"email": user.email, "role": role},
                created_at=timezone.now(),
            )
        self.stderr.write(
            f"{email} may sign in at /admin/ with this password. They are asked there to set up "
            "a second factor: an authenticator app or a passkey, with recovery codes to keep."
        )
        self.stdout.write(password)
