"""The one source of chance, and what else of a process is different each time."""

import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from random import Random
from typing import TypeVar
from unittest import mock

import stripe
from django.utils import timezone

from accounts.gateway import pace
from simulation.clock import Clock

T = TypeVar("T")


class Chance:
    """Every choice of a run, out of one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._random = Random(seed)

    def happens(self, probability: float) -> bool:
        """Whether something of this probability happens now."""
        return self._random.random() < probability

    def one_of(self, choices: Sequence[T]) -> T:
        """Any of these."""
        return self._random.choice(choices)

    def weighed(self, choices: Sequence[tuple[int, T]]) -> T:
        """One of these, each with its weight."""
        return self._random.choices(
            [choice for _, choice in choices], [weight for weight, _ in choices]
        )[0]

    def between(self, least: int, most: int) -> int:
        """A whole number, both ends included."""
        return self._random.randint(least, most)

    def about(self, mean: float) -> float:
        """A positive number around a mean: mostly less, now and then far more."""
        return self._random.expovariate(1 / mean)

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The same, in any order."""
        return self._random.sample(items, len(items))


@contextmanager
def determined(chance: Chance, clock: Clock) -> Iterator[None]:
    """Within, this process knows the virtual clock alone, and its ids are those of the seed.

    Ids come from a sequence of their own: how many are made influences no choice.
    """
    ids: Callable[[int], bytes] = Random(f"ids of {chance.seed}").randbytes
    with ExitStack() as stack:
        for patch in (
            mock.patch.object(os, "urandom", ids),
            mock.patch.object(random, "_urandom", ids),
            mock.patch.object(timezone, "now", side_effect=lambda: clock.now),
            # It waits on a real clock for a moment at which to charge.
            mock.patch.object(pace, "wait_for_moment", return_value=None),
            mock.patch.object(stripe.HTTPClient, "INITIAL_DELAY", 0),
        ):
            stack.enter_context(patch)
        yield
