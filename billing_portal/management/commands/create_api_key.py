"""`manage.py create_api_key --name "Voice platform"`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts import api_keys


class Command(BaseCommand):
    """Create a key of the REST API and print it, once."""

    help = "Create a key of the REST API and print it. It can't be shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the name."""
        parser.add_argument("--name", required=True, help="Who uses the key.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the key on standard output, everything else on standard error."""
        try:
            _, token = api_keys.create(name=options["name"], now=timezone.now())
        except ValueError as error:
            raise CommandError(str(error)) from error
        self.stderr.write("Keep this key: it can't be shown again.")
        self.stdout.write(token)
