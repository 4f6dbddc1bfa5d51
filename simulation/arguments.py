"""What may be said on the command line: to `manage.py simulate`, and to the process of a run."""

from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from itertools import count
from random import SystemRandom
from typing import Any

from simulation.options import DAYS_OF_A_MONTH, Options

#: Of seeds in a row each runs in another way, so that not all look for the same.
_RATES = (0.05, 0.02, 0.1, 0.2)
_ACCOUNTS = (4, 2, 6, 3, 8)
#: A plan is renewed, and its renewal may fail and be paid late, in the second month.
_DAYS = (30, 50, 75)


def add(parser: ArgumentParser) -> None:
    """Add what says which run it is."""
    parser.add_argument("--seed", type=int, help="the same seed, the same run; default: any")
    parser.add_argument("--accounts", type=int, default=4, help="how many customers")
    parser.add_argument("--months", type=int, default=1, help="how long, in months of 30 days")
    parser.add_argument("--days", type=int, default=0, help="how long, in days, instead of months")
    parser.add_argument(
        "--faults", type=float, default=0.05, help="how likely something goes wrong, 0 to 0.5"
    )
    parser.add_argument(
        "--pace", type=int, default=100, help="minutes between two steps, on average"
    )
    parser.add_argument(
        "--speed",
        action="store_true",
        help="leave out what is slow and moves no money: receipts that go out with e-mails are not "
        "drawn, and everything is audited once a week instead of once a day",
    )


def add_many(parser: ArgumentParser) -> None:
    """Add what asks for many runs."""
    parser.add_argument(
        "--minutes",
        type=float,
        default=0,
        help="run seed after seed for so long, with ever other faults, customers and days",
    )
    parser.add_argument("--seeds", type=int, nargs="*", default=[], help="run each of these")
    parser.add_argument(
        "--whole",
        action="store_true",
        help="fail unless the runs of --seeds, and of a few next to them, together have each kind "
        "of deed, of what may come of them and of fault",
    )
    parser.add_argument("--fresh", action="store_true", help="and one that nobody has run before")
    parser.add_argument("--processes", type=int, default=1, help="how many runs at once")


def options(given: Mapping[str, Any]) -> Options:
    """Return the run that was asked for."""
    return _with_seed(given, _any_seed() if given["seed"] is None else given["seed"])


def wanted(given: Mapping[str, Any]) -> Iterator[Options]:
    """Yield the runs that were asked for; with `--minutes` without end."""
    if given["minutes"]:
        first = _any_seed() if given["seed"] is None else given["seed"]
        for seed in count(first):
            yield Options(
                seed=seed,
                accounts=_ACCOUNTS[seed % len(_ACCOUNTS)],
                days=given["days"] or _DAYS[seed % len(_DAYS)],
                rate=_RATES[seed % len(_RATES)],
                pace=given["pace"],
                is_quick=given["speed"],
            )
        return
    seeds = [*given["seeds"], *([_any_seed()] if given["fresh"] else [])]
    if not seeds:
        yield options(given)
    for seed in seeds:
        yield _with_seed(given, seed)


def _with_seed(given: Mapping[str, Any], seed: int) -> Options:
    return Options(
        seed=seed,
        accounts=given["accounts"],
        days=given["days"] or given["months"] * DAYS_OF_A_MONTH,
        rate=given["faults"],
        pace=given["pace"],
        is_quick=given["speed"],
    )


def _any_seed() -> int:
    return SystemRandom().randrange(1, 10**9)
