"""`manage.py import_usage FILE`: usage records from NDJSON, CSV or Parquet, each charged once."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError
from django.utils import timezone
from tqdm import tqdm

from plans import usage_import
from plans.usage_files import FileError
from plans.usage_import import BATCH_SIZE, UsageImport
from plans.usage_records import MAXIMUM_RECORDS


class Command(BaseCommand):
    """Goes on where it was stopped or killed; run again, it charges nothing twice."""

    help = (
        "Import usage records from FILE.ndjson, .jsonl or .csv (also .gz), or .parquet. Whatever "
        "was recorded before, by this or through the API, is not charged again. What is rejected "
        "is reported beside the file, with the reason and the line itself."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the file and how to go about it."""
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="Check each record against the database, as the import would, and record nothing.",
        )
        parser.add_argument(
            "--restart",
            action="store_true",
            help="Begin with the first line, not where the last import of the file was stopped.",
        )
        parser.add_argument(
            "--batch-size",
            type=int,
            default=BATCH_SIZE,
            help=f"Records in a database transaction; {BATCH_SIZE:,} unless given.",
        )
        parser.add_argument(
            "--directory",
            type=Path,
            help="Where progress and rejected lines are kept; beside the file unless given.",
        )

    def handle(
        self,
        *args: Any,
        file: Path,
        dry_run: bool,
        restart: bool,
        batch_size: int,
        directory: Path | None,
        **options: Any,
    ) -> None:
        """Import the file; exit 1 when a line was rejected, or the end not reached."""
        if not 1 <= batch_size <= MAXIMUM_RECORDS:
            raise CommandError(f"--batch-size must be from 1 to {MAXIMUM_RECORDS:,}.")
        try:
            with usage_import.begin(
                file, directory=directory, restart=restart, dry_run=dry_run
            ) as run:
                self._run(run, batch_size=batch_size)
        except FileError as error:
            raise CommandError(str(error)) from error

    def _run(self, run: UsageImport, *, batch_size: int) -> None:
        if run.began_after:
            self.stdout.write(f"Going on after line {run.began_after:,}.")
        problem = ""
        with tqdm(
            total=run.file.size, unit=run.file.unit, unit_scale=True, disable=None, leave=False
        ) as bar:
            try:
                for progress in run.run(batch_size=batch_size, clock=timezone.now):
                    bar.update(run.file.position() - bar.n)
                    bar.set_postfix(rejected=progress.rejected, refresh=False)
            except FileError as error:
                problem = str(error)
            except (OperationalError, InterfaceError) as error:
                problem = f"The database went away ({error})."
            except KeyboardInterrupt:
                problem = "Stopped."
        self._report(run)
        if problem:
            again = "" if run.is_dry else " Run it again: it goes on from here."
            raise CommandError(f"{problem} It ended after line {run.progress.line:,}.{again}")
        if run.progress.rejected:
            raise CommandError(f"{run.progress.rejected:,} lines were rejected; see {run.report}.")

    def _report(self, run: UsageImport) -> None:
        progress = run.progress
        recorded = "would be recorded" if run.is_dry else "recorded"
        self.stdout.write(
            f"{progress.recorded:,} {recorded}, {progress.duplicates:,} there already, "
            f"{progress.rejected:,} rejected."
        )
