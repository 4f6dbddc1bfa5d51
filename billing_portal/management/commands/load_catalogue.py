"""`manage.py load_catalogue`: the features and plans to begin with."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from plans import catalogue


class Command(BaseCommand):
    """Creates what is missing; plans that exist are left as staff made them."""

    help = "Create the features and plans of the seed catalogue that do not exist yet."

    def handle(self, *args: Any, **options: Any) -> None:
        """Load it."""
        catalogue.load(now=timezone.now())
        self.stdout.write("The catalogue is loaded.")
