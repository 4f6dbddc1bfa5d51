"""`manage.py simulate`: business and bad luck through the real services, from one seed."""

import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing_portal import embedded_postgres


class Command(BaseCommand):
    """Gives each run a database and a process of its own, and passes on what it says."""

    help = (
        "Simulate customers, staff, banks and every fault, with a virtual clock and the sandbox "
        "Stripe, on a database of its own. The same seed is the same run; exits 1 when something "
        "does not hold. See docs/simulation.md."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        # Imported here: it is not part of a production image.
        from simulation import arguments

        arguments.add(parser)
        arguments.add_many(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run what was asked for."""
        from simulation import arguments, database, runs

        url = os.environ["DATABASE_URL"]
        try:
            database.check(url, is_embedded=embedded_postgres.joined(settings.DATA_DIR))
        except database.NotOurs as error:
            raise CommandError(str(error)) from error
        self.stdout.write("On databases of its own, which are dropped afterwards.")
        total = runs.run(
            arguments.wanted(options),
            url=url,
            minutes=options["minutes"],
            processes=options["processes"],
            say=self.stdout.write,
            whole=options["seeds"] if options["whole"] else (),
        )
        if total.failed:
            raise CommandError(
                f"{total.failed} of the runs found a mistake; above is how to replay it."
            )
        if options["whole"] and total.never:
            raise CommandError(
                "Of these the seeds say nothing, for they never came about (simulation/kinds.py):\n"
                + "\n".join(total.never)
            )
