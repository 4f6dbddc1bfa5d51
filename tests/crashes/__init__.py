"""The portal among crashes, in separate processes: `python -m tests.crashes`, `make crashes`."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Scenario:
    """What is done, for how long unless told otherwise, and what it needs."""

    what: str
    seconds: float
    needs_redis: bool = False
    #: The size of the database's own small disk, in megabytes; 0 for the disk that is there.
    disk: int = 0


SCENARIOS: Final = {
    "killing": Scenario("web, workers and beat are killed with SIGKILL under load", 120),
    "database": Scenario("PostgreSQL is stopped at once and started again under load", 60),
    "away": Scenario("PostgreSQL is away for a minute under load, and comes back", 65),
    "disk": Scenario("the database's disk is full, and is not any more", 45, disk=200),
    "redis": Scenario("Redis is flushed, killed and silenced under load", 60, needs_redis=True),
    "writers": Scenario("50 processes report usage of one account", 30),
    "races": Scenario("ingest, top-ups, refunds, renewals and refills at once", 30),
    "deadlocks": Scenario("wallets are locked in reversed order by another hand", 20),
}
