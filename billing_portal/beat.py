"""Beat's scheduler: a database that is away is waited for.

Without it a job that is due is sent all the same, on the schedule as it was read last: workers find
in the database what there is to do, and wait for it themselves.
"""

import time
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError
from django_celery_beat.schedulers import DatabaseScheduler

log = structlog.get_logger(__name__)

#: Until the database is asked again for a first schedule. A try takes ten seconds by itself: so
#: long a connection is waited for.
_PAUSE_SECONDS = 1


class PatientScheduler(DatabaseScheduler):
    """Reads the schedule from the database, and outlives it."""

    def all_as_schedule(self) -> dict[str, Any]:
        """Return the schedule; while the database is away, as it was read last."""
        while True:
            try:
                schedule: dict[str, Any] = super().all_as_schedule()
            except (OperationalError, InterfaceError) as error:
                log.warning("schedule_not_read", why=str(error))
                if self._schedule is not None:
                    # Made anew, for only its model knows when a job was sent last.
                    return {
                        name: self.Entry(entry.model, app=self.app)
                        for name, entry in self._schedule.items()
                    }
                time.sleep(_PAUSE_SECONDS)
            else:
                return schedule
