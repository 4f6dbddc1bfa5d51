"""`manage.py demo`: the whole portal on one machine, with a company's past months in it."""

import json
import logging
import os
import secrets
import shutil
import sys
import time
from argparse import SUPPRESS, ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TextIO

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.utils import timezone

from accounts import event_log
from billing_portal import embedded_postgres
from billing_portal.demo_programs import (
    FIRST_SANDBOX_PORT,
    beat,
    choose_port,
    free_port,
    listen,
    sandbox,
    web,
    worker,
)
from billing_portal.embedded_postgres_user import EmbeddedPostgresError
from billing_portal.supervisor import (
    Supervisor,
    SupervisorError,
    saying_what_is_wrong,
)

LOGINS = {
    "owner@demo.test": "owner of the demo company",
    "billing@demo.test": "pays there, manages no members",
    "viewer@demo.test": "may look, not touch",
    "owner@other.test": "owner of another company",
    "viewer@other.test": "may look at that one",
    "support@demo.test": "staff: support",
    "finance@demo.test": "staff: finance",
    "admin@demo.test": "staff: administrator",
    "auditor@demo.test": "staff: auditor",
}

#: How long the demo's company has been a customer, and the chance it had.
PAST_DAYS, PAST_SEED = 113, 7


@dataclass
class DemoState:
    """What a second run must know of the first. Kept in the data folder, for its owner only."""

    #: The database that the first run began to fill, and whether it came to the end of that.
    database: str = ""
    filled: bool = False
    password: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    api_key: str = ""
    sandbox_port: int = FIRST_SANDBOX_PORT

    @staticmethod
    def file() -> Path:
        """Where it is kept."""
        return settings.DATA_DIR / "demo-state.json"

    @classmethod
    def load(cls) -> "DemoState":
        """Return what was kept, or a new state."""
        try:
            return cls(**json.loads(cls.file().read_text()))
        except (OSError, ValueError, TypeError):
            return cls()

    def save(self) -> None:
        """Keep it."""
        write_privately(self.file(), json.dumps(asdict(self), indent=2) + "\n")


class Command(BaseCommand):
    """Starts database, sandbox Stripe, web, worker and beat, and stops them on Ctrl-C."""

    help = "Run the whole portal on this machine, with a company in it, until Ctrl-C."
    # They would open the database before it is known to be the demo's. The steps run them.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument(
            "--reset", action="store_true", help="delete the demo's data first and begin anew"
        )
        parser.add_argument("--prepare", action="store_true", help=SUPPRESS)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until told to stop; exit 0 then, and 1 when something keeps failing."""
        if not settings.DEBUG:
            raise CommandError("The demo runs with DEBUG on only: it is not for production.")
        if options["prepare"]:
            prepare(self._step)
        else:
            sys.exit(self._serve(reset=options["reset"]))

    # The supervisor ---------------------------------------------------------------------------
    def _serve(self, *, reset: bool) -> int:
        demo_file = settings.DATA_DIR / "demo.json"
        environment = {**os.environ, "DEBUG": "1", "DATA_DIR": str(settings.DATA_DIR)}
        environment["PYTHONUNBUFFERED"] = "1"

        def at_the_end() -> None:
            demo_file.unlink(missing_ok=True)
            if embedded_postgres.joined(settings.DATA_DIR):
                embedded_postgres.stop(settings.DATA_DIR)

        supervisor = Supervisor(
            folder=settings.DATA_DIR,
            working_folder=settings.BASE_DIR,
            environment=environment,
            say=self._say,
            at_the_end=at_the_end,
        )
        began = time.monotonic()
        with saying_what_is_wrong(self._complain) as status, supervisor:
            demo_file.unlink(missing_ok=True)
            state = begin(reset=reset, say=self._say)
            port = choose_port(self._say)
            # Kept until the web server takes it over: the first run takes a minute until then.
            kept = listen(port)
            url = f"http://127.0.0.1:{port}"
            environment["PORT"] = str(port)
            sandbox_url = ""
            if settings.STRIPE_SANDBOX_URL:
                state.sandbox_port = free_port(state.sandbox_port)
                state.save()
                sandbox_url = f"http://127.0.0.1:{state.sandbox_port}"
                environment["STRIPE_SANDBOX_URL"] = sandbox_url
                with self._step("sandbox Stripe"):
                    supervisor.start(sandbox(state.sandbox_port))
                    supervisor.wait_until_ready("sandbox")
            manage = str(settings.BASE_DIR / "manage.py")
            supervisor.run("prepare", [sys.executable, manage, "demo", "--prepare"])
            state = DemoState.load()
            with self._step("web, worker and beat"):
                programs = [web(port), worker(), beat()]
                kept.close()
                for program in programs:
                    supervisor.start(program)
                supervisor.wait_until_ready(*(program.name for program in programs))
            write_privately(
                demo_file,
                json.dumps(
                    {
                        "url": url,
                        "sandbox_url": sandbox_url,
                        "password": state.password,
                        "api_key": state.api_key,
                        "logins": list(LOGINS),
                        "pid": os.getpid(),
                    },
                    indent=2,
                )
                + "\n",
            )
            self._say(f"ready in {time.monotonic() - began:.0f} s\n")
            self.stdout.write(box(url=url, sandbox_url=sandbox_url, state=state))
            self.stdout.flush()
            supervisor.watch(see_to=self._keep_the_database)
        if status[0] == 0:
            self._say("everything has stopped")
        return status[0]

    def _keep_the_database(self) -> None:
        """Start the embedded PostgreSQL again when it has ended: no other program would."""
        here = settings.DATA_DIR
        if not embedded_postgres.joined(here) or embedded_postgres.runs(here):
            return
        self._say("PostgreSQL has ended; it is started again")
        try:
            embedded_postgres.start(here)
        except EmbeddedPostgresError as error:
            self._say(str(error))
            time.sleep(2)  # then again: a full disk may have room by then

    # The terminal -----------------------------------------------------------------------------
    def _say(self, text: str) -> None:
        self.stdout.write(f"  {text}")
        self.stdout.flush()

    def _complain(self, text: str) -> None:
        self.stderr.write(f"\n{text}\n")

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        self.stdout.write(f"  {name} ...", ending="")
        self.stdout.flush()
        began = time.monotonic()
        try:
            yield
        except BaseException:
            self.stdout.write("")
            raise
        self.stdout.write(f" {time.monotonic() - began:.1f} s")
        self.stdout.flush()


# Preparing -----------------------------------------------------------------------------------
def begin(*, reset: bool, say: Callable[[str], None]) -> DemoState:
    """Return the state of the demo, of which whatever must not stay has been deleted."""
    state = DemoState.load()
    here = database_name()
    ours = state.database == here or embedded_postgres.joined(settings.DATA_DIR)
    try:
        if reset and not ours and has_people():
            raise SupervisorError(
                "DATABASE_URL leads to a database that this demo has not made, so it is not "
                "reset. Empty it yourself, or leave DATABASE_URL out."
            )
        if reset:
            say("deleting the demo's data")
            wipe()
            state = DemoState(sandbox_port=state.sandbox_port)
        elif state.filled and state.database == here and has_people():
            return state
        elif has_people():
            if state.database != here:
                anew = "`make demo-reset` deletes them; or set" if ours else "Set"
                raise SupervisorError(
                    "The database has people that this demo has not made. "
                    f"{anew} DATA_DIR or DATABASE_URL to another place."
                )
            say("the first run was interrupted: it begins anew")
            wipe()
        state.filled = False
        state.database = here
        state.save()
    finally:
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]
    return state


def prepare(step: Callable[[str], Any]) -> None:
    """Bring the database up to date; the first time, fill it with a company's past months."""
    # Imported here: the supervisor needs no models.
    from plans import catalogue

    state = DemoState.load()
    now = timezone.now()
    with step("database schema"):
        call_command("migrate", verbosity=0, interactive=False, skip_checks=False)
    with step("catalogue"):
        catalogue.load(now=now)
    if not state.filled:
        fill(state, step)
        state.filled = True
        state.save()
    if settings.STRIPE_SANDBOX_URL:
        with step("webhook endpoint"):
            register_webhooks()


def fill(state: DemoState, step: Callable[[str], Any]) -> None:
    """Make the people of the demo and, with the sandbox, their past months."""
    # Imported here: the supervisor needs no models.
    from billing_portal import demo

    with step("people"):
        state.api_key = demo.seed(password=state.password, now=timezone.now())
    if settings.STRIPE_SANDBOX_URL:
        with step("the past months"):
            live_through_the_past_months()


def live_through_the_past_months() -> None:
    """Have the demo's customers do what they did, with a virtual clock that ends now."""
    # Imported here: the supervisor needs no models.
    from billing_portal.demo_months import engine
    from billing_portal.demo_months.bank import Bank

    # Thousands of payments in half a minute: what is watched is the line with the days.
    logging.getLogger(event_log.NAME).setLevel(logging.WARNING)
    now = timezone.now()
    line = DaysOnOneLine(sys.stdout)
    engine.run(
        bank=Bank(settings.STRIPE_SANDBOX_URL),
        start=now - timedelta(days=PAST_DAYS),
        end=now,
        seed=PAST_SEED,
        progress=lambda day, days: line.show(f"day {day} of {days}"),
    )


class DaysOnOneLine:
    """Shows the day that is being lived through behind the step's name; in a file, nothing."""

    def __init__(self, terminal: TextIO) -> None:
        self.terminal = terminal
        self.shown = 0

    def show(self, text: str) -> None:
        """Show the text in place of the one before."""
        if self.terminal.isatty():
            line = f" {text}"
            self.terminal.write("\b" * self.shown + line)
            self.terminal.flush()
            self.shown = len(line)


def register_webhooks() -> None:
    """Tell the sandbox where the portal listens."""
    # Imported here: the supervisor needs no models.
    from accounts import webhook_endpoint

    webhook_endpoint.register_endpoint(portal_url=settings.PORTAL_URL)


def database_name() -> str:
    """Name the database without its password. The embedded one may move with its folder."""
    if embedded_postgres.joined(settings.DATA_DIR):
        return "embedded"
    database = settings.DATABASES["default"]
    host = database["HOST"] or database["OPTIONS"].get("host", "")
    return f"{host}:{database['PORT']}/{database['NAME']}"


def has_people() -> bool:
    """Tell whether anybody was ever put into the database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('accounts_user') IS NOT NULL")
        if not cursor.fetchone()[0]:
            return False
        cursor.execute("SELECT EXISTS (SELECT FROM accounts_user)")
        return bool(cursor.fetchone()[0])


def wipe() -> None:
    """Delete what the demo has made: its tables and its part of the data folder."""
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA public CASCADE")
        cursor.execute("CREATE SCHEMA public")
    for name in ("stripe_sandbox", "mail", "logs"):
        shutil.rmtree(settings.DATA_DIR / name, ignore_errors=True)
    (settings.DATA_DIR / "logs").mkdir(exist_ok=True)
    for message in (settings.DATA_DIR / "broker").glob("*/*"):
        message.unlink(missing_ok=True)
    DemoState.file().unlink(missing_ok=True)


# Telling -------------------------------------------------------------------------------------
def box(*, url: str, sandbox_url: str, state: DemoState) -> str:
    """Return what a person wants to know, in a frame."""
    lines = [
        f"Billing portal   {url}",
        f"Admin            {url}/admin/",
        f"API              {url}/api/docs/",
    ]
    if settings.MAILBOX_DIR:
        lines.append(f"Mailbox          {url}/mailbox/")
    if sandbox_url:
        lines.append(f"Sandbox Stripe   {sandbox_url}")
    lines += ["", *(f"{email:<18} {who}" for email, who in LOGINS.items()), ""]
    lines.append(f"Password         {state.password}")
    if state.api_key:
        lines.append(f"API key          {state.api_key}")
    lines += [
        "",
        f"Logs             {settings.DATA_DIR / 'logs'}",
        "",
        "Ctrl-C stops everything. `make demo` starts where it left off.",
    ]
    width = max(map(len, lines))
    edge = "+" + "-" * (width + 4) + "+"
    return "\n".join([edge, *(f"|  {line:<{width}}  |" for line in lines), edge])


def write_privately(path: Path, text: str) -> None:
    """Write a file that only its owner can read; others see all of it or none."""
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    temporary.replace(path)
