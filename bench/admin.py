"""The support desk's lists and the account's page, with as much in the tables as there may be."""

import gc
import hashlib
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

from django.conf import settings
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from bench import admin_data, database, growth_data
from bench.growth_data import Dataset
from bench.measure import Run
from bench.scenario import Scenario

#: Accounts, entries and transactions.
SIZE: Final = (2_000, 100_000, 20_000)
FULL_SIZE: Final = (100_000, 10_000_000, 1_000_000)
#: How often a page is opened in a round, once it is warm.
TIMES: Final = 10
MOST_QUERIES: Final = 15
MOST_MILLISECONDS: Final = 150
#: Opening what is not the portal's own says nothing about it.
_OURS: Final = {"accounts", "invoices", "wallet", "plans"}


class DeskScenario(Scenario):
    """What is opened again and again on the desk's database, made anew each day."""

    rounds = 1
    full_rounds = 3
    #: Of what the short form has fewer: "the desk", "pages".
    has_fewer_in_short = ""

    def run(self, run: Run) -> None:
        """Make the database, or take that of today; open each page."""
        accounts, entries, transactions = FULL_SIZE if run.full else SIZE
        run.dataset = (
            f"{accounts:,} accounts, {entries:,} entries, a tenth of them one account's, "
            f"{transactions:,} transactions"
        )
        if not run.full:
            what = self.has_fewer_in_short
            run.leave_out(f"{what} with {FULL_SIZE[1]:,} entries: here there are {entries:,}")
        home = connection.settings_dict["NAME"]
        try:
            found = desk(run, accounts, entries, transactions)
            # As a worker of gunicorn's spares the collector what was loaded (web_server.py).
            gc.collect()
            gc.freeze()
            self.report(run, found)
        finally:
            gc.unfreeze()
            database.connect(home)

    @abstractmethod
    def report(self, run: Run, found: Dataset) -> None:
        """Open each page, and say how long it took."""


class Admin(DeskScenario):
    """Each page, opened again and again by one member of staff."""

    title = "The support desk"
    meaning = """
        Issue 6: every list of the admin, a search and a filter of the long ones, and an account's
        page with its timeline, take at most 150 ms (p95), and a list fewer than 15 queries; the
        account's page and the front page, which are many lists, have no bound on their number of
        queries. Apart from the goal: the month-end report and the totals before an export, which
        add up what their month has. Through Django's test client: no network, templates included.
        """
    has_fewer_in_short = "the desk"

    def report(self, run: Run, found: Dataset) -> None:
        """Open every list, the front page and two accounts."""
        _report(run, found)


def desk(run: Run, accounts: int, entries: int, transactions: int) -> Dataset:
    """Connect to today's database of this size, made when there is none; return what is in it."""
    made_by = [
        *database.migrations(),
        Path(growth_data.__file__),
        Path(admin_data.__file__),
    ]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in made_by)).hexdigest()[:8]
    name = f"desk_{entries}_{datetime.now(UTC):%Y%m%d}_{digest}"
    if not database.exists(name):
        database.drop_like(f"desk_{entries}_")
        run.say(f"making {entries:,} entries of {accounts:,} accounts")
        started = time.monotonic()
        admin_data.make_desk(
            "desk_unfinished",
            accounts=accounts,
            entries=entries,
            transactions=transactions,
            now=timezone.now(),
        )
        database.rename("desk_unfinished", name)
        run.say(f"made in {time.monotonic() - started:.0f} s")
    database.connect(name)
    return growth_data.describe()


def _report(run: Run, found: Dataset) -> None:
    office = _office()
    slowest: list[float] = [0.0] * run.rounds
    most_queries: list[float] = [0.0] * run.rounds
    for what, address, is_list in _pages(found):
        times, queries = [], []
        for number in range(run.rounds):
            p95, asked = opened(office, address)
            times.append(p95)
            queries.append(float(asked))
            slowest[number] = max(slowest[number], p95)
            if is_list:
                most_queries[number] = max(most_queries[number], asked)
        run.measure(f"{what}: {max(queries):.0f} queries", "ms", times)
    for what, address in _reports(found):
        timed = [opened(office, address, times=2) for _ in range(run.rounds)]
        most = max(asked for _, asked in timed)
        run.measure(f"{what}: {most} queries", "ms", [p95 for p95, _ in timed])
    run.goal(6, "the slowest page, p95", "ms", slowest, at_most=MOST_MILLISECONDS)
    run.goal(6, "most queries of a list", "", most_queries, at_most=MOST_QUERIES - 1)


def _office() -> Client:
    settings.ALLOWED_HOSTS = ["*"]
    staff, _ = User.objects.get_or_create(
        email="staff@bench.test", defaults={"is_staff": True, "is_superuser": True}
    )
    office = Client()
    office.force_login(staff, backend="django.contrib.auth.backends.ModelBackend")
    return office


def _pages(found: Dataset) -> Iterator[tuple[str, str, bool]]:
    """What is opened, its address, and whether it is a list."""
    yield "the front page", reverse("admin:index"), False
    for model in admin.site._registry:
        options = model._meta
        if options.app_label in _OURS:
            yield str(options.verbose_name_plural), _list(options.label_lower), True
    for label, query in _NARROWED:
        yield f"{label} ?{query}", f"{_list(label)}?{query}", True
    for label in ("wallet.entry", "plans.usagerecord", "invoices.transaction"):
        query = f"account__id__exact={found.busy}"
        yield f"{label} of the busiest", f"{_list(label)}?{query}", True
        day = f"{found.made_at - timedelta(days=90):%Y-%m-%d}"
        column = "occurred_at" if label == "plans.usagerecord" else "created_at"
        query = f"{column}_from_0={day}&{column}_to_0={day}"
        yield f"{label} of a day", f"{_list(label)}?{query}", True
    for name, account in (("busiest", found.busy), ("usual", found.usual)):
        page = reverse("admin:accounts_account_change", args=[account])
        yield f"the {name} account", page, False
        yield f"the {name} account, usage", f"{page}?kind=usage", False
        yield f"the {name} account, a year ago", f"{page}?until={_year_ago(found)}", False


def _reports(found: Dataset) -> Iterator[tuple[str, str]]:
    """What adds up a month, and its address: the longer, the more the month has."""
    month = found.made_at.replace(day=1) - timedelta(days=1)
    report = reverse("admin:wallet_entry_month_end")
    yield "the month-end report of the last month", f"{report}?month={month:%Y-%m}"
    first = month.replace(day=1)
    until = month + timedelta(days=1)
    days = f"since={first:%Y-%m-%d}T00:00&until={until:%Y-%m-%d}T00:00"
    for label in ("invoices.transaction", "wallet.entry"):
        yield f"{label}, totals before an export of a month", f"{_list(label)}export/?{days}"


#: A search and a filter each, with what is there for few rows and for many.
_NARROWED: Final = (
    ("accounts.account", "q=company+77"),
    ("accounts.account", "q=compan"),
    ("accounts.account", "q=nobody"),
    ("accounts.account", "q=owner-77%40demo"),
    ("accounts.account", "q=0077"),
    ("accounts.account", "q=branch+77"),
    ("accounts.account", "services=paused"),
    ("accounts.account", "plan=growth"),
    ("accounts.account", "plan=none"),
    ("accounts.account", "balance=negative"),
    ("accounts.user", "q=owner-77"),
    ("accounts.card", "q=0077"),
    ("accounts.card", "brand=amex"),
    ("accounts.message", "q=company+77"),
    ("accounts.message", "event=transaction_failed"),
    ("accounts.message", "event=dispute_opened"),
    ("accounts.auditevent", "q=company+77"),
    ("accounts.auditevent", "action=spend_cap_set"),
    ("invoices.transaction", "q=F-77"),
    ("invoices.transaction", "q=company+77"),
    ("invoices.transaction", "status__exact=failed"),
    ("invoices.transaction", "status__exact=processing"),
    ("wallet.entry", "q=company+77"),
    ("wallet.entry", "q=call-77"),
    ("wallet.entry", "kind__exact=top_up"),
    ("wallet.entry", "kind__exact=dispute"),
    ("plans.usagerecord", "q=company+77"),
    ("plans.usagerecord", "q=call-77"),
    ("plans.usagerecord", "feature__id__exact=1"),
    ("plans.renewal", "q=company+77"),
    ("plans.renewal", "status__exact=due"),
    ("plans.allowance", "feature__id__exact=1"),
)


def _list(label: str) -> str:
    return reverse(f"admin:{label.replace('.', '_')}_changelist")


def _year_ago(found: Dataset) -> str:
    return f"{found.made_at - timedelta(days=365):%Y-%m-%d}"


def opened(office: Client, address: str, *, times: int = TIMES) -> tuple[float, int]:
    """Return the milliseconds of a page (p95 of so many), and its queries."""
    taken = []
    for turn in range(times + 1):
        with _counted() as queries:
            started = time.perf_counter()
            answer = office.get(address)
            seconds = time.perf_counter() - started
        # Of a search that means one thing, what counts is how soon it leads there.
        assert answer.status_code in (200, 302), (address, answer.status_code)
        if turn:  # the first one warms up
            taken.append(seconds * 1000)
    return quantiles(taken, n=20, method="inclusive")[-1], queries[0]


@contextmanager
def _counted() -> Iterator[list[int]]:
    number = [0]

    def counted(execute: Callable[..., Any], *arguments: Any) -> Any:
        number[0] += 1
        return execute(*arguments)

    with connection.execute_wrapper(counted):
        yield number
