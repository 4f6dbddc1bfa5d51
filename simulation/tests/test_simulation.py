"""The simulation itself: it is the same each time, and it finds what is wrong."""

import re
from collections.abc import Callable

import pytest
from django.db import connection

from simulation import database
from simulation.customers import Customer
from simulation.options import Options
from simulation.run import Failed, simulate
from simulation.world import World

pytestmark = pytest.mark.django_db(transaction=True)

SMALL = Options(seed=5, accounts=1, days=1, rate=0.1, is_quick=True)


#: As a service would that credited twice; the triggers that refuse it are switched off.
_CREDIT_TWICE = """
SET session_replication_role = replica;
UPDATE wallet_wallet AS wallet SET balance = balance + entry.amount
FROM wallet_entry AS entry
WHERE entry.wallet_id = wallet.id AND entry.sequence = wallet.last_sequence
  AND entry.kind = 'top_up';
UPDATE wallet_entry AS entry SET amount = 2 * amount, balance_after = balance_after + amount
FROM wallet_wallet AS wallet
WHERE entry.wallet_id = wallet.id AND entry.sequence = wallet.last_sequence
  AND entry.kind = 'top_up';
SET session_replication_role = DEFAULT;
"""


def test_the_same_seed_is_the_same_run(afresh: Callable[[], None]) -> None:
    once = simulate(SMALL).lines()
    afresh()
    again = simulate(SMALL).lines()

    assert once == again
    assert "drift            $0.00" in once


@pytest.mark.usefixtures("afresh")
def test_another_balance_is_found_and_can_be_replayed() -> None:
    is_done = False

    def steal(world: World) -> None:
        nonlocal is_done
        if world.report.steps < 9 or is_done:
            return
        is_done = True
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            cursor.execute("UPDATE wallet_wallet SET balance = balance + 0.01")
            cursor.execute("SET session_replication_role = DEFAULT")

    with pytest.raises(Failed) as failed:
        simulate(SMALL, meddle=steal)

    told = str(failed.value)
    # What no entry explains is found by the audit of everything, if not by that of what is new.
    assert re.search(r"FAILED seed 5 at step \d+: .*I1 ", told)
    assert (
        "Replay: manage.py simulate --seed 5 --accounts 1 --days 1 --faults 0.1 --pace 100" in told
    )


@pytest.mark.usefixtures("afresh")
def test_who_credits_twice_what_was_paid_does_not_get_away_with_it() -> None:
    def credit(world: World) -> None:
        customer = Customer(world, 1)
        if customer.has_joined:
            customer.pay_on_a_page()  # each time, until it goes well
        with connection.cursor() as cursor:
            cursor.execute(_CREDIT_TWICE)

    with pytest.raises(Failed, match=r"FAILED seed 5 at step \d+: .*I3 a paid transaction brought"):
        simulate(SMALL, meddle=credit)


@pytest.mark.usefixtures("afresh")
def test_a_capture_that_brought_about_nothing_is_found() -> None:
    is_made = False

    def capture(world: World) -> None:
        nonlocal is_made
        if world.report.steps >= 9 and not is_made:
            is_made = True
            world.stripe.control("payments", {"amount": 3850, "payment_method": "pm_card_visa"})

    with pytest.raises(Failed, match=r"FAILED seed 5 at step \d+: .*I4 no capture is known"):
        simulate(SMALL, meddle=capture)


@pytest.mark.parametrize(
    ("url", "is_embedded", "is_refused"),
    [
        ("postgresql://portal@db.example.com/billing", False, True),
        ("postgresql://portal@db.example.com/simulation", False, False),
        ("postgresql://postgres@/postgres?host=/tmp", True, False),
    ],
)
def test_a_customers_database_is_not_touched(url: str, is_embedded: bool, is_refused: bool) -> None:
    if not is_refused:
        database.check(url, is_embedded=is_embedded)
        return
    with pytest.raises(database.NotOurs, match="does not touch billing"):
        database.check(url, is_embedded=is_embedded)
