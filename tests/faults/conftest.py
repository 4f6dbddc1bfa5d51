"""What the examples of trouble share: processes to kill, and a worker that comes by afterwards."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from django.db import connection

from tests.faults.mortals import Mortals

if TYPE_CHECKING:
    from conftest import Sandbox


@pytest.fixture(scope="session")
def _mortals(django_db_setup: None, sandbox_process: "Sandbox") -> Iterator[Mortals]:
    mortals = Mortals(
        database=str(connection.settings_dict["NAME"]), stripe_url=sandbox_process.url
    )
    yield mortals
    mortals.close()


@pytest.fixture
def mortals(_mortals: Mortals, sandbox: "Sandbox", transactional_db: None) -> Mortals:
    """Processes that do a deed and die, on this test's committed data and its sandbox."""
    return _mortals


#: Has the worker do what is due at a moment.
Worker = Callable[[datetime], None]


@pytest.fixture
def worker() -> Worker:
    """The worker's sweeps, as beat has them run every minute."""
    from accounts import card_sweeps
    from invoices import reversals, sweeper
    from plans import renewals
    from wallet import refills

    def run(now: datetime) -> None:
        sweeper.sweep(now=now)
        reversals.sweep(now=now)
        card_sweeps.finish_verifications(now=now)
        renewals.renew_due(now=now)
        refills.refill_due(now=now)

    return run
