"""Goal 3: a request to the web server, beside the engine in process and the baselines' views."""

from collections.abc import Sequence
from typing import Final

from django.db import connection

from bench import dataset, engine, orm_loop
from bench.database import empty_database
from bench.ingest import CHECKED, SIZE, check_invariants, seconds
from bench.load import Answers, Load, Loader, request
from bench.measure import Run, ratios
from bench.scenario import Scenario
from bench.server import Server, running

USAGE: Final = "/api/v1/usage/"
#: Who reports usage in batches, and who reports each call by itself.
BATCH_CONNECTIONS: Final = 4
SINGLE_CONNECTIONS: Final = 16
AUTHORIZATIONS_A_SECOND: Final = 200
#: The paced ingest load: batches of 1,000 a second.
PACED_BATCHES_A_SECOND: Final = 4


class Http(Scenario):
    """Requests."""

    title = "Requests to gunicorn as production runs it"
    meaning = """
        Goal 3: gunicorn with the image's settings (DEBUG off, two workers of eight threads), asked
        by a process of its own over kept-alive connections (`bench/load.py`: sockets and epoll), on
        the same cores as PostgreSQL and the server. Batches of 1,000 by four connections, against
        the engine in process with one writer; single records by 16 connections, against a view that
        rates one at a time through the ORM, and one that authenticates and does nothing, both with
        the API's own keys and limits. `authorization` is asked 200 times a second whether earlier
        answers have come or not, and its latency counts from when a request was due: beside batches
        of 1,000 sent back to back by one connection, and beside four such batches a second.
        """
    rounds = 3
    full_rounds = 9

    def run(self, run: Run) -> None:
        """Measure everything in turn, then look whether all of it is right."""
        run.dataset = f"{dataset.ACCOUNTS:,} accounts, nearly every record billed"
        with empty_database("http"), running() as server, Loader() as loader, Loader() as other:
            rounds = _Rounds(run, server, loader, other)
            for number in range(run.rounds):
                rounds.measure(number)
            _report(run, rounds.figures)
            check_invariants(sent=rounds.sent)
        run.note(f"Requests are counted against their key's limit in {server.cache}.")
        run.note(CHECKED)


class _Rounds:
    """Everything that is measured in a round, by name."""

    def __init__(self, run: Run, server: Server, loader: Loader, other: Loader) -> None:
        self.server, self.loader, self.other = server, loader, other
        self.batches = 24 if run.full else 8
        self.singles = 2000 if run.full else 600
        self.seconds = 10 if run.full else 2
        self.figures: dict[str, list[float]] = {}
        #: Records that are in the database when all goes well.
        self.sent = 0
        self.accounts = dataset.account_ids()
        orm_loop.make_tables()
        self._rate("warm-up", 5)
        self._post(USAGE, self._bodies("warm-up-http", SIZE, 8), BATCH_CONNECTIONS)
        self.sent += 8 * SIZE
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")

    def measure(self, number: int) -> None:
        """Measure all of it once, in turn."""
        label = f"round-{number}"
        self._keep("engine", self._rate(f"engine-{label}", self.batches))
        bodies = self._bodies(f"batches-{label}", SIZE, self.batches)
        answers = self._post(USAGE, bodies, BATCH_CONNECTIONS)
        self.sent += SIZE * len(bodies)
        self._keep("batches", len(bodies) * SIZE / answers.seconds)
        self._measure_singles(label)
        self._authorize("alone", None)
        # More than one connection can get answered in that time.
        backlog = self._bodies(f"back-to-back-{label}", SIZE, 40 * self.seconds)
        self._authorize("back_to_back", self._usage(backlog, rate=None))
        paced = self._bodies(f"paced-{label}", SIZE, PACED_BATCHES_A_SECOND * self.seconds)
        self._authorize("paced", self._usage(paced, rate=PACED_BATCHES_A_SECOND))

    def _rate(self, label: str, batches: int) -> float:
        """Rate batches in process; return records a second."""
        bodies = self._bodies(label, SIZE, batches)
        self.sent += SIZE * batches
        return SIZE * batches / seconds(lambda: [engine.rate(body) for body in bodies])

    def _measure_singles(self, label: str) -> None:
        for name, path, number in (
            ("single", USAGE, self.singles),
            ("orm", "/bench/orm/", self.singles // 4),
            ("nothing", "/bench/nothing/", self.singles),
        ):
            bodies = self._bodies(f"{name}-{label}", 1, number)
            answers = self._post(path, bodies, SINGLE_CONNECTIONS)
            self._keep(name, number / answers.seconds)
        self.sent += self.singles

    def _authorize(self, name: str, beside: Load | None) -> None:
        asked = [
            request(
                "GET",
                f"/api/v1/accounts/{account}/authorization/?feature=call_minutes",
                key=self.server.key,
            )
            for account in self.accounts
        ]
        if beside is not None:
            self.other.start(beside)
        answers = self.loader.send(
            Load(
                self.server.port,
                asked,
                connections=SINGLE_CONNECTIONS,
                rate=AUTHORIZATIONS_A_SECOND,
                seconds=self.seconds,
            )
        )
        self._keep(f"{name}_p50", answers.percentile(50))
        self._keep(f"{name}_p99", answers.percentile(99))
        if beside is not None:
            ingested = self.other.finish()
            self.sent += ingested.number * SIZE
            self._keep(f"{name}_ingest", ingested.number * SIZE / ingested.seconds)

    def _bodies(self, label: str, size: int, batches: int) -> list[bytes]:
        return dataset.bodies(self.accounts, size, batches, label)

    def _usage(self, bodies: Sequence[bytes], *, rate: float | None) -> Load:
        requests = [request("POST", USAGE, key=self.server.key, body=body) for body in bodies]
        return Load(self.server.port, requests, rate=rate, seconds=self.seconds)

    def _post(self, path: str, bodies: Sequence[bytes], connections: int) -> Answers:
        requests = [request("POST", path, key=self.server.key, body=body) for body in bodies]
        return self.loader.send(Load(self.server.port, requests, connections=connections))

    def _keep(self, name: str, figure: float) -> None:
        self.figures.setdefault(name, []).append(figure)


_NAMES: Final = {
    "engine": ("in process, batches of 1,000, one writer", "records/s"),
    "batches": ("over HTTP, batches of 1,000, 4 connections", "records/s"),
    "single": ("over HTTP, one by one, 16 connections", "records/s"),
    "orm": ("a view that rates one at a time through the ORM", "records/s"),
    "nothing": ("a view that authenticates and does nothing", "requests/s"),
    "alone_p50": ("authorization, alone, p50", "ms"),
    "alone_p99": ("authorization, alone, p99", "ms"),
    "back_to_back_ingest": ("batches back to back, meanwhile", "records/s"),
    "back_to_back_p50": ("authorization beside it, p50", "ms"),
    "back_to_back_p99": ("authorization beside it, p99", "ms"),
    "paced_ingest": ("4 batches a second, meanwhile", "records/s"),
    "paced_p50": ("authorization beside them, p50", "ms"),
    "paced_p99": ("authorization beside them, p99", "ms"),
}


def _report(run: Run, figures: dict[str, list[float]]) -> None:
    for key, (name, unit) in _NAMES.items():
        run.measure(name, unit, figures[key])
    for name, ours, theirs, unit, at_least in (
        ("batches over HTTP / in process", "batches", "engine", "%", 0.8),
        ("one by one / ORM view", "single", "orm", "×", 5),
        ("one by one / a view that does nothing", "single", "nothing", "%", 0.35),
    ):
        run.goal(3, name, unit, ratios(figures[ours], figures[theirs]), at_least=at_least)
    for name, key in (("batches back to back", "back_to_back"), ("4 batches a second", "paced")):
        run.goal(3, f"authorization p99 beside {name}", "ms", figures[f"{key}_p99"], at_most=15)
