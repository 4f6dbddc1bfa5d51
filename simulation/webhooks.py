"""Stripe's events on their way to the portal: in time, late, twice, out of order, or never."""

import json
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit

import stripe
from django.test import Client

from simulation.chance import Chance
from simulation.clock import Clock
from simulation.processes import Processes
from simulation.stripe_at_hand import StripeAtHand
from stripe_sandbox.delivery import sign


class WebhookFault(StrEnum):
    """What may befall an event."""

    LATE = "an event came late"
    TWICE = "an event came twice"
    OUT_OF_ORDER = "events came out of order"
    NEVER = "an event never came"
    DIED = "a web process died with an event"
    UNANSWERED = "Stripe was away while an event came"


@dataclass(frozen=True)
class Delivery:
    """An event, and when it arrives."""

    event: str
    at: datetime


class Courier:
    """Takes what the sandbox has queued, and brings it when chance has it."""

    def __init__(
        self,
        chance: Chance,
        clock: Clock,
        processes: Processes,
        at_hand: StripeAtHand,
        *,
        rate: float,
    ) -> None:
        self.rate = rate
        self.counts: Counter[WebhookFault] = Counter()
        self.delivered = 0
        self._chance = chance
        self._clock = clock
        self._processes = processes
        self._stripe = at_hand
        self._waiting: list[Delivery] = []
        self._endpoint, self._secret = "", ""

    def listen(self, url: str, secret: str) -> None:
        """Bring events here."""
        self._endpoint, self._secret = urlsplit(url).path, secret

    @property
    def waiting(self) -> int:
        """How many are on their way."""
        return len(self._waiting)

    def bring(self) -> None:
        """Bring what has arrived by now."""
        self._collect()
        arrived = [each for each in self._waiting if each.at <= self._clock.true]
        self._waiting = [each for each in self._waiting if each.at > self._clock.true]
        if len(arrived) > 1 and self._chance.happens(self.rate * 2):
            self.counts[WebhookFault.OUT_OF_ORDER] += 1
            arrived = self._chance.shuffled(arrived)
        for delivery in arrived:
            self._bring(delivery)

    def _collect(self) -> None:
        """Decide what becomes of each new event."""
        with self._stripe.store.quiet() as tx:
            rows = tx.connection.execute(
                "SELECT id, event FROM deliveries WHERE state = 'held' ORDER BY id"
            ).fetchall()
            tx.connection.execute("DELETE FROM deliveries WHERE state = 'held'")
        now = self._clock.true
        for _, event in rows:
            if self._chance.happens(self.rate / 2):
                self.counts[WebhookFault.NEVER] += 1
                continue
            self._waiting.append(Delivery(event, now + self._delay()))
            if self._chance.happens(self.rate):
                self.counts[WebhookFault.TWICE] += 1
                self._waiting.append(Delivery(event, now + self._delay()))

    def _delay(self) -> timedelta:
        if not self._chance.happens(self.rate):
            return timedelta(0)
        self.counts[WebhookFault.LATE] += 1
        return timedelta(minutes=self._chance.one_of((5, 90, 600, 3000)))

    def _bring(self, delivery: Delivery) -> None:
        payload = json.dumps(self._stripe.find(delivery.event), indent=2).encode()
        # Signatures are checked against a real clock: this is the only thing that it decides.
        signature = sign(payload, self._secret, int(time.time()))

        def post() -> int:
            answer = Client().post(
                self._endpoint,
                data=payload,
                content_type="application/json",
                headers={"Stripe-Signature": signature},
                SERVER_NAME="localhost",
            )
            return answer.status_code

        dies_at = 1 + int(self._chance.about(30)) if self._chance.happens(self.rate) else None
        self.delivered += 1
        try:
            lived, status = self._processes.run(post, dies_at=dies_at)
        except stripe.StripeError:
            # dj-stripe asks Stripe about some objects while it takes an event in: 500, and again.
            self.counts[WebhookFault.UNANSWERED] += 1
        else:
            if lived and status == 200:
                return
            if lived:
                raise AssertionError(f"A webhook was answered {status}.")
            self.counts[WebhookFault.DIED] += 1
        self._waiting.append(Delivery(delivery.event, self._clock.true + timedelta(minutes=30)))
