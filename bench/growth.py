"""Goal 4: what costs the same with ten million entries as with a hundred thousand."""

import hashlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from statistics import median
from threading import Event, Thread
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from accounts import api_keys
from accounts.models import User
from bench import database, dataset, engine, growth_data
from bench.growth_data import Dataset
from bench.machine import ROOT
from bench.measure import Run, ratios
from bench.scenario import Scenario
from billing_portal import audit
from plans import authorization

SIZES: Final = (20_000, 200_000)
FULL_SIZES: Final = (100_000, 10_000_000)
#: Each thing is done so often in a row; the median counts.
TIMES: Final = 5
MEGABYTE: Final = 1024 * 1024
_BATCH: Final = 1_000

#: By name: milliseconds of one round, for the small and the large database.
Figures = dict[str, tuple[list[float], list[float]]]


class Growth(Scenario):
    """A small database and a large one, side by side."""

    title = "Growth: a hundred times as many entries"
    meaning = """
        Goal 4: the same work on two databases that differ in how much lies behind the accounts, in
        turn: the large one may take 1.25 times as long. The busiest account has a tenth of all
        entries; the last two days are the same in both. And the full audit of the large one: its
        time, and the memory of its process and of PostgreSQL's for it.
        """
    rounds = 3
    full_rounds = 7

    def run(self, run: Run) -> None:
        """Make the databases, or take those of today; measure on each in turn."""
        sizes = FULL_SIZES if run.full else SIZES
        run.dataset = (
            f"{growth_data.ACCOUNTS:,} accounts, {sizes[0]:,} and {sizes[1]:,} entries over "
            f"{growth_data.DAYS} days, {growth_data.RECENT:,} of them in the last two"
        )
        if not run.full:
            run.leave_out(f"growth to {FULL_SIZES[1]:,} entries: here it is {sizes[1]:,}")
            run.leave_out("pages that no goal names, and the full audit")
        home = connection.settings_dict["NAME"]
        try:
            databases = [_database(size, run) for size in sizes]
            figures: Figures = {}
            for number in range(run.rounds):
                for side, (name, found) in enumerate(databases):
                    database.connect(name)
                    for what, milliseconds in _round(found, number, run.full).items():
                        figures.setdefault(what, ([], []))[side].append(milliseconds)
            _report(run, figures, sizes)
            if run.full:
                _audit(run, databases[-1][0], sizes[-1])
        finally:
            database.connect(home)


#: The goals, by what is measured. The rest of what is measured is told beside them.
GOALS: Final = {
    "a batch of 1,000": "a batch of 1,000",
    "a batch of 1": "a batch of 1",
    "authorization": "authorization",
    "the Overview's queries": "the Overview's queries",
    "Billing History": "a history page",
    "audit --since yesterday": "audit --since yesterday",
}


def _report(run: Run, figures: Figures, sizes: tuple[int, int]) -> None:
    for what, (small, large) in figures.items():
        growth = ratios(large, small)
        if what in GOALS:
            run.goal(4, f"{GOALS[what]}, growth", "×", growth, at_most=1.25)
        else:
            run.measure(f"{what}, growth", "×", growth)
        run.measure(f"{what}, at {sizes[0]:,} entries", "ms", small)
        run.measure(f"{what}, at {sizes[1]:,} entries", "ms", large)


def _database(size: int, run: Run) -> tuple[str, Dataset]:
    """Return today's database of this size and what is in it, made when there is none."""
    made_by = [*database.migrations(), Path(growth_data.__file__)]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in made_by)).hexdigest()[:8]
    name = f"growth_{size}_{datetime.now(UTC):%Y%m%d}_{digest}"
    if database.exists(name):
        database.connect(name)
        return name, growth_data.describe()
    database.drop_like(f"growth_{size}_")
    run.say(f"making {size:,} entries")
    started = time.monotonic()
    growth_data.make("growth_unfinished", entries=size, now=timezone.now())
    database.rename("growth_unfinished", name)
    database.connect(name)
    run.say(f"made in {time.monotonic() - started:.0f} s")
    return name, growth_data.describe()


def _round(found: Dataset, number: int, every_page: bool) -> dict[str, float]:
    """Measure on the connected database; return the milliseconds by name."""
    accounts = growth_data.account_ids()
    busy, usual = found.busy, found.usual
    member, staff, platform = _clients(found)
    label = f"{os.getpid()}-{number}"
    bodies = iter(dataset.bodies(accounts, _BATCH, TIMES + 1, label))
    singles = iter(dataset.bodies([str(busy)], 1, 4 * TIMES + 1, f"{label}-one"))
    today = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    yesterday = today - timedelta(days=1)
    figures = {
        "a batch of 1,000": _milliseconds(lambda: engine.rate(next(bodies))),
        "a batch of 1": _milliseconds(lambda: engine.rate(next(singles)), times=4 * TIMES),
        "authorization": _milliseconds(
            lambda: authorization.check(
                account=str(busy), feature="call_minutes", now=timezone.now()
            ),
            times=10 * TIMES,
        ),
        "audit --since yesterday": _milliseconds(
            lambda: _assert_clean(audit.run(now=timezone.now(), since=yesterday)),
            times=2,
        ),
    }
    pages = _pages_of_goals(member)
    if every_page:
        pages = chain(pages, _other_pages(member, staff, platform, busy, usual))
    for name, client, address in pages:
        whole, queries = _page(client, address)
        figures[name] = queries
        if name == "the Overview's queries":
            figures["the Overview, in all"] = whole
    return figures


def _pages_of_goals(member: Client) -> Iterator[tuple[str, Client, str]]:
    """Name, client and address of the pages whose queries have a goal."""
    yield "the Overview's queries", member, "/billing/"
    yield "Billing History", member, "/billing/history/"
    yield "a usage page", member, "/billing/usage/?days=3_months&group=workspace"
    yield "a usage history page", member, "/billing/usage/history/"


def _other_pages(
    member: Client, staff: Client, platform: Client, busy: UUID, usual: UUID
) -> Iterator[tuple[str, Client, str]]:
    """Name, client and address of the others whose queries are measured."""
    yield (
        "a usage history page, far back",
        member,
        _deep(member, "/billing/usage/history/", "before"),
    )
    yield "Plan, priced on 6 periods", member, "/billing/plan/?periods=6"
    yield "Billing History, far back", member, _deep(member, "/billing/history/", "before")
    for what in ("entries", "usage", "transactions"):
        first = f"/api/v1/accounts/{busy}/{what}/"
        yield f"API, {what}", platform, first
        yield f"API, {what}, 20 pages on", platform, _cursor(platform, first, pages=20)
    for model in ("plans/usagerecord", "wallet/entry", "invoices/transaction", "accounts/account"):
        yield f"admin, {model}", staff, f"/admin/{model}/"
    for model in ("plans/usagerecord", "wallet/entry"):
        query = f"?account__id__exact={busy}"
        yield f"admin, {model} of the busiest", staff, f"/admin/{model}/{query}"
        yield f"admin, {model} of another", staff, f"/admin/{model}/?account__id__exact={usual}"
    yield "admin, the busiest account", staff, f"/admin/accounts/account/{busy}/change/"


def _clients(found: Dataset) -> tuple[Client, Client, Client]:
    """Sign in the busiest account's owner and a member of staff; give the platform a key."""
    settings.ALLOWED_HOSTS = ["*"]
    settings.API_REQUESTS_PER_MINUTE = dict.fromkeys(settings.API_REQUESTS_PER_MINUTE, 10**9)
    owner = User.objects.get(memberships__account=found.busy)
    staff, _ = User.objects.get_or_create(
        email="staff@bench.test", defaults={"is_staff": True, "is_superuser": True}
    )
    _, key = api_keys.create(name="Bench", now=timezone.now())
    member, office, platform = (
        Client(),
        Client(),
        Client(headers={"Authorization": f"Bearer {key}"}),
    )
    member.force_login(owner, backend="django.contrib.auth.backends.ModelBackend")
    office.force_login(staff, backend="django.contrib.auth.backends.ModelBackend")
    return member, office, platform


def _deep(client: Client, address: str, parameter: str, pages: int = 5) -> str:
    """Follow a page's link to older lines, so often."""
    for _ in range(pages):
        text = _ok(client.get(address)).content.decode()
        links = [
            part.split('"')[0] for part in text.split('href="') if f"{parameter}=" in part[:300]
        ]
        if not links:
            break
        address = links[0].replace("&amp;", "&")
    return address


def _cursor(client: Client, address: str, *, pages: int) -> str:
    for _ in range(pages):
        following = json.loads(_ok(client.get(address)).content)["next"]
        if following is None:
            break
        address = following
    return address


def _ok(response: Any) -> HttpResponse:
    assert response.status_code == 200, (response.status_code, response.content[:500])
    found: HttpResponse = response
    return found


def _page(client: Client, address: str) -> tuple[float, float]:
    """Return the milliseconds of a page in all, and those of its queries."""
    whole, queries = [], []
    for turn in range(TIMES + 1):
        with _queries_timed() as spent:
            started = time.perf_counter()
            _ok(client.get(address))
            seconds = time.perf_counter() - started
        if turn:  # the first one warms up
            whole.append(seconds * 1000)
            queries.append(sum(spent) * 1000)
    return median(whole), median(queries)


@contextmanager
def _queries_timed() -> Iterator[list[float]]:
    spent: list[float] = []

    def timed(execute: Callable[..., Any], *arguments: Any) -> Any:
        started = time.perf_counter()
        try:
            return execute(*arguments)
        finally:
            spent.append(time.perf_counter() - started)

    with connection.execute_wrapper(timed):
        yield spent


def _milliseconds(work: Callable[[], object], *, times: int = TIMES) -> float:
    """Return the median time of the work, once it is warm."""
    work()
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return median(taken) * 1000


def _assert_clean(violations: list[audit.Violation]) -> None:
    assert not violations, [str(violation) for violation in violations[:5]]


def _audit(run: Run, name: str, size: int) -> None:
    """Run `manage.py audit` on the large database: seconds, and the memory of all that work."""
    database.connect("postgres")
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
    before = _temporary(name)
    with _memory_of_postgres(name) as most:
        started = time.monotonic()
        command = [sys.executable, "manage.py", "audit"]
        subprocess.run(command, cwd=ROOT, env={**os.environ, "DATABASE_URL": url}, check=True)
        seconds = time.monotonic() - started
    process = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    files = (_temporary(name) - before) / MEGABYTE
    run.goal(4, f"full audit of {size:,} entries", "s", [seconds], at_most=60)
    run.goal(
        4, "full audit, memory of its process and PostgreSQL's", "MB", [process + max(most)],
        at_most=500,
    )  # fmt: skip
    run.measure("full audit: its process", "MB", [process])
    run.measure("full audit: PostgreSQL's processes beside shared buffers", "MB", [max(most)])
    run.measure("full audit: temporary files written", "MB", [files])


def _temporary(name: str) -> float:
    with connection.cursor() as cursor:
        cursor.execute("SELECT temp_bytes FROM pg_stat_database WHERE datname = %s", [name])
        return float(cursor.fetchone()[0])


@contextmanager
def _memory_of_postgres(name: str) -> Iterator[list[float]]:
    """Watch what PostgreSQL's processes for a database hold of their own, in megabytes."""
    most, over = [0.0], Event()

    def watch() -> None:
        while not over.wait(0.1):
            most.append(sum(map(_own_memory, _processes_of(name))))

    watcher = Thread(target=watch)
    watcher.start()
    try:
        yield most
    finally:
        over.set()
        watcher.join()


def _processes_of(name: str) -> list[Path]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            title = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:  # it has ended
            continue
        if (title.startswith("postgres:") and name in title) or "parallel worker" in title:
            found.append(process)
    return found


def _own_memory(process: Path) -> float:
    try:
        status = (process / "status").read_text()
    except OSError:
        return 0.0
    [line] = [line for line in status.splitlines() if line.startswith("RssAnon:")] or ["RssAnon: 0"]
    return int(line.split()[1]) / 1024
