"""Bring the catalogues of translations to what is marked in the code, and compile them."""

from typing import Any

from django.core.management.base import BaseCommand

from billing_portal import catalogues


class Command(BaseCommand):
    """`make messages`."""

    help = "Extracts what is marked for translation and compiles the catalogues."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Say what is still to be translated; how: docs/translating.md."""
        for language in catalogues.TRANSLATIONS:
            catalog = catalogues.update(language)
            problems = catalogues.problems(language)
            self.stdout.write(f"{language}: {len(catalog)} strings, {len(problems)} to look at")
            for problem in problems:
                self.stdout.write(f"  {problem}")
