"""Beat and the workers: scheduled tasks that come, stop or double; nudges that are lost or late."""

from collections import Counter
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from unittest import mock

from celery.exceptions import Retry
from django_celery_beat.models import PeriodicTask
from kombu.exceptions import OperationalError

from accounts.gateway import GatewayUnavailable
from billing_portal.celery import app
from simulation.chance import Chance
from simulation.clock import Clock
from simulation.processes import Processes


class WorkerFault(StrEnum):
    """What may befall beat, the broker and the workers."""

    DIED = "a process died between two steps"
    BEAT_STOPPED = "beat stopped for a while"
    BEAT_DOUBLED = "beat ticked twice"
    NUDGE_LOST = "a nudge was lost"
    NUDGE_TWICE = "a nudge came twice"
    BROKER_AWAY = "the broker was away for a while"
    BROKER_EMPTY = "the broker came back empty"
    MEANWHILE = "another worker ran in the middle"


Job = tuple[str, list[Any]]


class Workers:
    """What beat and the broker hand out, done one after the other; each may die on the way."""

    def __init__(self, chance: Chance, clock: Clock, processes: Processes, *, rate: float) -> None:
        self.rate = rate
        self.counts: Counter[WorkerFault] = Counter()
        self.ran: Counter[str] = Counter()
        self._chance = chance
        self._clock = clock
        self._processes = processes
        self._sent_at: dict[str, datetime] = {}
        self._stopped_until = self._broker_back_at = clock.true
        app.loader.import_default_modules()  # where the tasks are
        self._connection = app.connection_for_read()
        self._queue = self._connection.SimpleQueue(app.conf.task_default_queue)
        self._queue.clear()
        self._tell_broker = app.send_task
        self._patch = mock.patch.object(app, "send_task", self._send_task)
        self._patch.start()

    def close(self) -> None:
        """Let go of the broker."""
        self._patch.stop()
        self._queue.close()
        self._connection.close()

    def tick(self) -> None:
        """Let beat look at its schedule, and workers do what it and the broker have for them."""
        self._have_the_broker_come_and_go()
        if self.has_no_broker:
            return
        if self._clock.true >= self._stopped_until:
            self.run(self._due())
        if self._chance.happens(self.rate / 4):
            self.counts[WorkerFault.BEAT_STOPPED] += 1
            hours = self._chance.one_of((1, 3, 12, 30, 300))
            self._stopped_until = self._clock.true + timedelta(hours=hours)
        self.run(self.nudges())

    @property
    def has_no_broker(self) -> bool:
        """Whether beat and services talk to nobody just now, and workers hear nobody."""
        return self._clock.true < self._broker_back_at

    def heal(self) -> None:
        """Have the broker there, and beat tick again."""
        self.rate = 0
        self._stopped_until = self._broker_back_at = self._clock.true

    def run(self, jobs: list[Job]) -> None:
        """Do these, and what they nudge; a job whose worker died comes again (late acks)."""
        for job in jobs:
            while not self._lives_through(job):
                pass

    def nudges(self) -> list[Job]:
        """Take what waits at the broker."""
        taken: list[Job] = []
        while self._queue.qsize():
            message = self._queue.get(block=False)
            message.ack()
            job = (str(message.headers["task"]), list(message.payload[0]))
            if self._chance.happens(self.rate):
                self.counts[WorkerFault.NUDGE_LOST] += 1
                continue
            taken.append(job)
            if self._chance.happens(self.rate):
                self.counts[WorkerFault.NUDGE_TWICE] += 1
                taken.append(job)
        return taken

    def come_by(self) -> None:
        """Have another worker do something while a process waits for Stripe."""
        if self.has_no_broker:
            return
        self.counts[WorkerFault.MEANWHILE] += 1
        self.run([*self.nudges(), (self._chance.one_of(_MONEY_TASKS), [])])

    def _have_the_broker_come_and_go(self) -> None:
        if self.has_no_broker or not self._chance.happens(self.rate / 5):
            return
        self.counts[WorkerFault.BROKER_AWAY] += 1
        hours = self._chance.one_of((1, 3, 12, 30))
        self._broker_back_at = self._clock.true + timedelta(hours=hours)
        if self._chance.happens(0.5):
            self.counts[WorkerFault.BROKER_EMPTY] += 1
            self._queue.clear()

    def _send_task(self, task: str, args: tuple[Any, ...]) -> Any:
        """What services send goes to the broker, while it is there."""
        if self.has_no_broker:
            raise OperationalError("The broker is away.")
        return self._tell_broker(task, args=args)

    def _due(self) -> list[Job]:
        due: list[Job] = []
        now = self._clock.true
        tasks = PeriodicTask.objects.filter(enabled=True).exclude(task="celery.backend_cleanup")
        for scheduled in tasks.select_related("interval").order_by("task", "name"):
            sent_at = self._sent_at.get(scheduled.name)
            if sent_at is not None and now - sent_at < scheduled.interval.schedule.run_every:
                continue
            self._sent_at[scheduled.name] = now
            due.append((scheduled.task, []))
            if self._chance.happens(self.rate / 4):
                self.counts[WorkerFault.BEAT_DOUBLED] += 1
                due.append((scheduled.task, []))
        return due

    def _lives_through(self, job: Job) -> bool:
        task, arguments = job
        dies_at = None
        if self._chance.happens(self.rate):
            dies_at = 1 + int(self._chance.about(25))
        self.ran[task] += 1
        try:
            lived, _ = self._processes.run(lambda: app.tasks[task](*arguments), dies_at=dies_at)
        except (GatewayUnavailable, Retry):
            return True  # it comes again by itself: by its retry, or by the next tick
        if not lived:
            self.counts[WorkerFault.DIED] += 1
        return bool(lived)


#: What moves money, in any order.
_MONEY_TASKS = (
    "accounts.finish_verifications",
    "invoices.sweep",
    "invoices.sweep_reversals",
    "plans.renew_due",
    "wallet.refill_due",
)
