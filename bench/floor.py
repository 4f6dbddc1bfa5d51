"""The floor under goal 1: what storing costs when nobody rates, with our invariants and without."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import thread_time
from typing import Final

from django.db import transaction

from bench import copying, database, dataset, engine
from bench.database import empty_database, execute
from bench.ingest import SIZE, check_invariants
from bench.measure import Run, ratios
from bench.scenario import Scenario

_SINGLES: Final = 50
#: So many batches use up the allowances: every record is billed.
_WARM_UP: Final = 25

# What a single record leaves behind, written as it is: the record, its allowance, its entry (and by
# its trigger the wallet). Without invariants the tables are bare ones with the same indexes.
_STORE_ONE: Final = """
CREATE FUNCTION {name}(place bigint) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    used plans_usagerecord;
    posted wallet_entry;
BEGIN
    SELECT * INTO used FROM stage_plans_usagerecord OFFSET place LIMIT 1;
    SELECT * INTO posted FROM stage_wallet_entry OFFSET place LIMIT 1;
    INSERT INTO {prefix}plans_usagerecord VALUES (used.*);
    UPDATE {prefix}plans_allowance SET billed_quantity = billed_quantity + used.billed_quantity
    WHERE account_id = used.account_id AND renewal_id = used.renewal_id
      AND feature_id = used.feature_id;
    INSERT INTO {prefix}wallet_entry VALUES (posted.*);
    {wallet}
END $$
"""
_MOVE_WALLET: Final = """
    UPDATE bare_wallet_wallet SET balance = posted.balance_after, last_sequence = posted.sequence
    WHERE id = posted.wallet_id;
"""
_DRAW: Final = """
UPDATE plans_allowance AS allowance SET billed_quantity = allowance.billed_quantity + drawn.billed
FROM (SELECT account_id, renewal_id, feature_id, sum(billed_quantity) AS billed
      FROM stage_plans_usagerecord GROUP BY 1, 2, 3) AS drawn
WHERE allowance.account_id = drawn.account_id AND allowance.renewal_id = drawn.renewal_id
  AND allowance.feature_id = drawn.feature_id
"""


class Floor(Scenario):
    """Where the time of a batch and of a single record goes."""

    title = "The floor under goal 1: the same rows, and nobody rates them"
    meaning = """
        Processor time of the server's process, all in turn, of rows that rating made, was asked for
        and took back; other work on the machine lengthens what elapses, this it lengthens less. All
        tables hold the same rows at the start. "With our invariants" is COPY, or INSERT ... SELECT,
        into our own tables, whose triggers check every reference and the chain of the ledger and
        move the wallets. What rating takes beyond that is locking, looking up (duplicates, periods,
        prices, allowances), arithmetic, words and the answer. The rows of a single record are
        written by one call with a commit, their values known beforehand; "bare" is into tables with
        our indexes and neither constraints nor triggers.
        """
    rounds = 9
    full_rounds = 25

    def run(self, run: Run) -> None:
        """Measure storing and rating in turn."""
        run.dataset = f"{dataset.ACCOUNTS:,} accounts, every record billed"
        with empty_database("floor"):
            accounts = dataset.account_ids()
            for body in dataset.bodies(accounts, SIZE, _WARM_UP, "warm-up"):
                engine.rate(body)
            _make_tables()
            batches, singles = _Batches(), _Singles()
            for number in range(-2, run.rounds):  # two rounds settle plans and caches
                [body] = dataset.bodies(accounts, SIZE, 1, f"batch-{number}")
                batches.measure(body, keep=number >= 0)
                bodies = dataset.bodies(accounts, 1, 2 * _SINGLES, f"single-{number}")
                singles.measure(bodies[:_SINGLES], bodies[_SINGLES:], keep=number >= 0)
            check_invariants(sent=_WARM_UP * SIZE + (run.rounds + 2) * 2 * _SINGLES)
        batches.report(run)
        singles.report(run)


class _Batches:
    """1,000 records, each time taken back."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = {}

    def measure(self, body: bytes, *, keep: bool) -> None:
        taken: dict[str, float] = {}
        with _taken_back():
            before = copying.newest()
            started = thread_time()
            taken["rated"] = _server(lambda: engine.rate(body))
            taken["python"] = thread_time() - started
            parts = copying.written_since(before, 1)
        with _taken_back():
            taken["copy"] = _server(lambda: copying.copy(parts, "bench_"))
        with _taken_back():
            taken["copy_checked"] = _server(lambda: copying.copy(parts, ""))
        copying.copy(parts, "stage_")
        with _taken_back():
            taken["insert_checked"] = _server(_insert)
            taken["draw"] = _server(lambda: execute(_DRAW))
        _empty_stage()
        if keep:
            _add(self.times, taken, factor=1e3)

    def report(self, run: Run) -> None:
        for key, name in {
            "copy": "1,000 records: bare COPY",
            "copy_checked": "1,000 records: COPY, with our invariants",
            "insert_checked": "1,000 records: INSERT ... SELECT, with our invariants",
            "draw": "1,000 records: drawing from their allowances",
            "rated": "1,000 records: rated, all in all",
            "python": "1,000 records: Python, from JSON to the answer",
        }.items():
            run.measure(name, "ms", self.times[key])
        stored = [sum(each) for each in zip(
            *(self.times[key] for key in ("insert_checked", "draw", "python")), strict=True
        )]  # fmt: skip
        run.measure(
            "bare COPY / INSERT with our invariants, allowances and Python, and nothing rated",
            "%", ratios(self.times["copy"], stored),
        )  # fmt: skip


class _Singles:
    """Records one by one, each with its commit."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = {}

    def measure(self, stored: list[bytes], rated: list[bytes], *, keep: bool) -> None:
        with _taken_back():
            before = copying.newest()
            for body in stored:
                engine.rate(body)
            [part] = copying.written_since(before, 1)
        copying.copy([part], "stage_")
        taken: dict[str, float] = {}
        for key, work in {
            "commit": lambda: copying.commit_rows(range(_SINGLES)),
            "bare": lambda: _store("store_bare"),
            "checked": lambda: _store("store_checked"),
            "rated": lambda: [engine.rate(body) for body in rated],
        }.items():
            taken[key] = _server(work)
        _empty_stage()
        if keep:
            _add(self.times, taken, factor=1e6 / _SINGLES)

    def report(self, run: Run) -> None:
        for key, name in {
            "commit": "one record: a bare commit of one row",
            "bare": "one record: its rows and changes, bare",
            "checked": "one record: its rows and changes, with our invariants",
            "rated": "one record: rated",
        }.items():
            run.measure(name, "µs", self.times[key])
        run.measure(
            "a bare commit of one row / a record's rows with our invariants, and nothing rated",
            "%", ratios(self.times["commit"], self.times["checked"]),
        )  # fmt: skip


def _make_tables() -> None:
    """Make tables to copy into, to keep rows in, and ones without constraints."""
    copying.make_tables("bench_", keys=[])
    copying.make_row_table()
    for table in copying.TABLES:
        execute(f"CREATE UNLOGGED TABLE stage_{table} (LIKE {table})")
    for table in (*copying.TABLES, "plans_allowance", "wallet_wallet"):
        execute(f"CREATE TABLE bare_{table} (LIKE {table} INCLUDING INDEXES INCLUDING STORAGE)")
    for prefix in ("bench_", "bare_"):
        copying.fill(prefix, through=copying.newest())
    for table in ("plans_allowance", "wallet_wallet"):
        execute(f"INSERT INTO bare_{table} SELECT * FROM {table}")
    execute(_STORE_ONE.format(name="store_bare", prefix="bare_", wallet=_MOVE_WALLET))
    execute(_STORE_ONE.format(name="store_checked", prefix="", wallet=""))
    execute("ANALYZE")


def _insert() -> None:
    for table in copying.TABLES:
        execute(f"INSERT INTO {table} SELECT * FROM stage_{table}")


def _store(function: str) -> None:
    for place in range(_SINGLES):
        execute(f"SELECT {function}(%(place)s)", place=place)


def _empty_stage() -> None:
    execute(f"TRUNCATE {', '.join(f'stage_{table}' for table in copying.TABLES)}")


@contextmanager
def _taken_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def _server(work: Callable[[], object]) -> float:
    """Return the seconds of processor time that the server's process takes for it."""
    [(process,)] = database.fetch("SELECT pg_backend_pid()")
    spent = Path(f"/proc/{process}/schedstat")
    before = int(spent.read_text().split()[0])
    work()
    return (int(spent.read_text().split()[0]) - before) / 1e9


def _add(times: dict[str, list[float]], taken: dict[str, float], *, factor: float) -> None:
    for key, seconds in taken.items():
        times.setdefault(key, []).append(seconds * factor)
