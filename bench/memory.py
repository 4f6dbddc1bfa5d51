"""Goal 6: what a web process holds after many records."""

from typing import Final

from bench import dataset
from bench.database import empty_database
from bench.http import BATCH_CONNECTIONS, USAGE
from bench.ingest import SIZE, check_invariants
from bench.load import Load, Loader, request
from bench.measure import Run
from bench.scenario import Scenario
from bench.server import running

_RECORDS: Final = 20_000
_FULL_RECORDS: Final = 1_000_000
_LOOKS: Final = 10


class Memory(Scenario):
    """The memory of the web server's workers."""

    title = "Memory of a web process"
    meaning = """
        Goal 6: the resident memory of the larger of gunicorn's two workers while records come in
        batches of 1,000 by four connections, looked at ten times. The full form sends a million.
        """
    rounds = 1
    full_rounds = 1

    def run(self, run: Run) -> None:
        """Send records, and look at the workers from time to time."""
        records = _FULL_RECORDS if run.full else _RECORDS
        run.dataset = f"{dataset.ACCOUNTS:,} accounts, {records:,} records over HTTP"
        if not run.full:
            run.leave_out(f"memory after {_FULL_RECORDS:,} records: here it is after {records:,}")
        with empty_database("memory"), running() as server, Loader() as loader:
            accounts = dataset.account_ids()
            at_the_start = max(server.memory())
            largest = []
            for number in range(_LOOKS):
                bodies = dataset.bodies(accounts, SIZE, records // _LOOKS // SIZE, f"part-{number}")
                requests = [request("POST", USAGE, key=server.key, body=body) for body in bodies]
                loader.send(Load(server.port, requests, connections=BATCH_CONNECTIONS))
                largest.append(max(server.memory()))
            check_invariants(sent=records)
        run.measure("a worker that has answered nothing", "MB", [at_the_start])
        run.measure("the larger worker, ten times on the way", "MB", largest)
        run.goal(6, f"a web process after {records:,} records", "MB", largest[-1:], at_most=200)
