"""Goals 1 and 2: how quickly usage is rated in process, beside the floor and the baselines."""

import random
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from django.db import connection
from django.utils import timezone

from bench import copying, dataset, engine, orm_loop
from bench.copying import copy
from bench.database import empty_database
from bench.hordak_baseline import Charge, Hordak
from bench.measure import Run, ratios
from bench.scenario import Scenario
from bench.writers import Writers
from billing_portal import audit

SIZE: Final = 1000
WRITERS: Final = 4
CHECKED: Final = (
    "After it: as many records as were sent, no deadlock, the full audit clean, and of each "
    "allowance as much drawn as the smaller of granted and used."
)


def seconds(work: Callable[[], object]) -> float:
    """Return how long it takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


class Ingest(Scenario):
    """Rating in process."""

    title = "Usage, from JSON to commit and answer, in process"
    meaning = """
        Goal 1: one writer, batches of 1,000 records over 1,000 accounts, with every constraint and
        trigger on. Bare COPY writes the very rows that rating wrote, into tables with the same
        indexes and constraints that hold what ours held before, a commit for each batch: at least
        60 % of that where ours carry foreign keys, which theirs then carry too, else 40 %. The
        baselines: django-hordak, which is
        spared rating, JSON and duplicates; and a loop over the ORM that locks, rates and saves one
        record at a time. Goal 2: all records of one account; and four processes whose accounts
        follow Zipf's law.
        """
    rounds = 5
    full_rounds = 15

    def run(self, run: Run) -> None:
        """Measure everything in turn, then look whether all of it is right."""
        run.dataset = f"{dataset.ACCOUNTS:,} accounts, nearly every record billed"
        batches = 10 if run.full else 4
        with empty_database("ingest"), Writers(WRITERS) as writers:
            rounds = _Rounds(batches, writers)
            for number in range(run.rounds):
                rounds.measure(number)
            _report(run, rounds.paces)
            check_invariants(sent=rounds.sent)
        run.note(CHECKED)


class _Rounds:
    """Everything that is measured in a round, and records a second of it, by name."""

    def __init__(self, batches: int, writers: Writers) -> None:
        self.batches, self.writers = batches, writers
        self.paces: dict[str, list[float]] = {}
        #: Records that are in the database when all goes well.
        self.sent = 0
        self.accounts = dataset.account_ids()
        orm_loop.make_tables()
        copying.make_row_table()
        self.hordak = Hordak(len(self.accounts))
        # Uses up the allowances, and lets connections, caches and plans settle.
        self._rate("warm-up", batches=5)
        self._rate("warm-up-hot", batches=2, accounts=self.accounts[:1])
        self.foreign_keys = copying.foreign_keys()
        copying.make_tables("bench_", keys=[])
        if self.foreign_keys:
            copying.make_tables("bench_keys_", keys=self.foreign_keys)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")

    def measure(self, number: int) -> None:
        """Measure all of it once, in turn."""
        label, rows = f"round-{number}", SIZE * self.batches
        before = copying.newest()
        self._keep("ours", rows, self._rate(label))
        parts = copying.written_since(before, self.batches)
        for prefix in ("bench_", "bench_keys_") if self.foreign_keys else ("bench_",):
            copying.fill(prefix, through=before)
        self._keep("copy", rows, seconds(lambda: copy(parts, "bench_")))
        if self.foreign_keys:
            self._keep("copy_keys", rows, seconds(lambda: copy(parts, "bench_keys_")))
        self._keep("hot", rows, self._rate(f"hot-{label}", accounts=self.accounts[:1]))
        self._keep("one_writer", rows, self._write(f"one-{label}", self.batches, writers=1))
        self._keep(
            "four_writers", rows * 2, self._write(f"4-{label}", self.batches * 2, writers=WRITERS)
        )
        charges = self._charges(rows // 2)
        self._keep("bulk", len(charges), seconds(lambda: self.hordak.in_bulk(charges, SIZE)))
        self._measure_singles(label, number=25 * self.batches)

    def _measure_singles(self, label: str, *, number: int) -> None:
        charges = self._charges(number // 2)
        self._keep("hordak", len(charges), seconds(lambda: self.hordak.one_by_one(charges)))
        self._keep("single", number, self._rate(f"single-{label}", size=1, batches=number))
        self._keep("commit", number, seconds(lambda: copying.commit_rows(range(number))))
        bodies = dataset.bodies(self.accounts, 1, number // 2, f"loop-{label}")
        self._keep("loop", len(bodies), seconds(lambda: [orm_loop.rate(b) for b in bodies]))

    def _keep(self, name: str, records: int, taken: float) -> None:
        self.paces.setdefault(name, []).append(records / taken)

    def _rate(
        self,
        label: str,
        *,
        size: int = SIZE,
        batches: int | None = None,
        accounts: list[str] | None = None,
    ) -> float:
        batches = batches or self.batches
        bodies = dataset.bodies(accounts or self.accounts, size, batches, label)
        self.sent += size * batches
        return seconds(lambda: [engine.rate(body) for body in bodies])

    def _write(self, label: str, batches: int, *, writers: int) -> float:
        bodies = dataset.bodies(
            self.accounts, SIZE, batches, label, zipf=True,
            features=["call_minutes", "voicemail_detection"],
        )  # fmt: skip
        self.sent += SIZE * batches
        return self.writers.rate(bodies, writers=writers)

    def _charges(self, number: int) -> list[Charge]:
        choose = random.Random(number)
        return [
            (choose.randrange(len(self.accounts)), Decimal(choose.randint(1, 10**6)).scaleb(-6))
            for _ in range(number)
        ]


_NAMES: Final = {
    "ours": "ours, batches of 1,000",
    "copy": "bare COPY, without foreign keys",
    "copy_keys": "bare COPY, with the foreign keys that our tables carry",
    "bulk": "django-hordak's models, bulk_create of 1,000",
    "hot": "ours, batches of 1,000, all of one account",
    "one_writer": "ours, Zipf-distributed accounts, 1 process",
    "four_writers": "ours, Zipf-distributed accounts, 4 processes",
    "single": "ours, one by one",
    "commit": "a bare commit of one row",
    "hordak": "django-hordak's API, one by one",
    "loop": "ORM loop, one by one",
}


def _report(run: Run, paces: dict[str, list[float]]) -> None:
    for key, name in _NAMES.items():
        if key in paces:
            run.measure(name, "records/s", paces[key])

    def goal(
        number: int, name: str, ours: str, theirs: str, at_least: float, unit: str = "×"
    ) -> None:
        values = ratios(paces[ours], paces[theirs])
        run.goal(number, name, unit, values, at_least=at_least)

    if "copy_keys" in paces:
        goal(1, "batches / COPY into tables with our foreign keys", "ours", "copy_keys", 0.6, "%")
    else:
        goal(1, "batches / COPY (our tables carry no foreign keys)", "ours", "copy", 0.4, "%")
    goal(1, "batches / django-hordak's bulk_create", "ours", "bulk", 5)
    goal(1, "batches / django-hordak's API", "ours", "hordak", 55)
    goal(1, "batches / ORM loop", "ours", "loop", 110)
    goal(1, "one by one / ORM loop", "single", "loop", 7.5)
    goal(1, "one by one / a bare commit", "single", "commit", 0.55, "%")
    goal(2, "one hot account / 1,000 accounts", "hot", "ours", 0.8, "%")
    goal(2, "4 processes / 1 process, Zipf", "four_writers", "one_writer", 1.5)


#: Balances can be right while allowances are not: a lost update of one draws it twice.
_WRONG_ALLOWANCES: Final = """
SELECT count(*) FROM (
    SELECT allowance.id
    FROM plans_allowance AS allowance
    LEFT JOIN plans_usagerecord AS record ON record.renewal_id = allowance.renewal_id
        AND record.feature_id = allowance.feature_id
    GROUP BY allowance.id
    HAVING coalesce(sum(record.included_quantity), 0)
           <> least(allowance.included, coalesce(sum(record.quantity), 0))
        OR allowance.used <> coalesce(sum(record.included_quantity), 0)
) AS wrong
"""


def check_invariants(*, sent: int) -> None:
    """Raise AssertionError unless all that was sent is there once, and exactly right.

    No two writers may have deadlocked on the way, even if one of them was asked again.
    """
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute(
            "SELECT (SELECT count(*) FROM plans_usagerecord), deadlocks FROM pg_stat_database"
            " WHERE datname = current_database()"
        )
        found, deadlocks = cursor.fetchone()
        cursor.execute(_WRONG_ALLOWANCES)
        wrong = cursor.fetchone()[0]
    assert found == sent, f"{sent:,} records were sent, {found:,} are there"
    assert not deadlocks, f"{deadlocks} deadlocks"
    assert not wrong, f"{wrong} allowances are not the smaller of granted and used"
    violations = audit.run(now=timezone.now())
    assert not violations, f"the audit found {violations[:3]}"
