"""Usage is priced the same however it is cut: by the database's own functions, to the millionth.

What plans/pricing.py computes is held against exact fractions in plans/tests/test_pricing.py, and
the database against it, batch and record by record, in plans/tests/test_usage_model.py.
"""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from accounts.models import Account
from accounts.tests.factories import NOW
from plans import pricing, usage
from plans.models import Allowance
from plans.pricing import Tier
from plans.tests.factories import make_customer, make_record, make_version
from plans.usage import Result
from tests.properties.examples import examples
from tests.properties.model import half_up
from wallet.models import Entry, Wallet

pytestmark = pytest.mark.django_db

HALF_A_MILLIONTH = Fraction(1, 2_000_000)
TIERS = (("20", "10"), ("45.5", "12.5"), ("100", "33.33"))

quantities = st.decimals(min_value=0, max_value=60, places=6)
unit_prices = st.decimals(min_value=0, max_value=5, places=8)


def price_of(end: Fraction, unit_price: Fraction, tiers: Sequence[tuple[str, str]]) -> Fraction:
    """What the first `end` billed units of a period cost, exactly."""
    steps = [(Fraction(0), Fraction(0)), *((Fraction(a), Fraction(d)) for a, d in tiers)]
    total = Fraction(0)
    for index, (above, discount) in enumerate(steps):
        until = min(end, steps[index + 1][0]) if index + 1 < len(steps) else end
        total += max(Fraction(0), until - above) * unit_price * (100 - discount) / 100
    return total


class UsageCutIntoBatches(TestCase):
    """The same records, reported in one batch and in batches of any sizes."""

    @examples(12)
    @given(
        included=st.sampled_from(["0", "17.25", "90"]),
        unit_price=unit_prices,
        tiers=st.integers(0, 3),
        sent=st.lists(quantities, min_size=1, max_size=14),
        cuts=st.lists(st.integers(1, 13), max_size=4),
    )
    def test_any_split_costs_the_same_and_the_parts_add_up(
        self,
        included: str,
        unit_price: Decimal,
        tiers: int,
        sent: list[Decimal],
        cuts: list[int],
    ) -> None:
        version = make_version(included=included, unit_price=str(unit_price), tiers=TIERS[:tiers])
        whole, cut = (make_customer(version=version) for _ in range(2))
        edges = sorted({0, len(sent), *(place for place in cuts if place < len(sent))})
        at_once = self.report(whole, sent, [0, len(sent)])
        in_parts = self.report(cut, sent, edges)
        assert at_once == in_parts
        assert ledger_of(whole) == ledger_of(cut)
        exact = (Fraction(included), Fraction(unit_price), TIERS[:tiers])
        self.assert_it_adds_up(whole, at_once, sent, *exact)

    def report(self, account: Account, sent: list[Decimal], edges: list[int]) -> list[Result]:
        records = [
            make_record(account, str(quantity), id=f"call-{number}")
            for number, quantity in enumerate(sent)
        ]
        results: list[Result] = []
        for start, end in pairwise(edges):
            results += usage.record(records=records[start:end], now=NOW)
        return results

    def assert_it_adds_up(
        self,
        account: Account,
        results: list[Result],
        sent: list[Decimal],
        included: Fraction,
        unit_price: Fraction,
        tiers: Sequence[tuple[str, str]],
    ) -> None:
        """Each record is the exact price of its place, rounded once; so are they all together."""
        drawn, billed, owed = Fraction(0), Fraction(0), Fraction(0)
        for quantity, result in zip(sent, results, strict=True):
            draw = min(Fraction(quantity), included - drawn)
            start, billed = billed, billed + Fraction(quantity) - draw
            drawn += draw
            exact = price_of(billed, unit_price, tiers)
            exact -= price_of(start, unit_price, tiers)
            amount = Fraction(result.amount or 0)
            assert Fraction(result.included_quantity or 0) == draw
            assert Fraction(result.billed_quantity or 0) == Fraction(quantity) - draw
            assert amount == half_up(exact, 2 * HALF_A_MILLIONTH)
            owed += amount
        assert drawn + billed == sum(map(Fraction, sent), Fraction(0))
        assert -Fraction(Wallet.objects.get(account=account).balance) == owed
        exact = price_of(billed, unit_price, tiers)
        assert abs(owed - exact) <= len(sent) * HALF_A_MILLIONTH
        allowance = Allowance.objects.filter(account=account).first()
        assert Fraction(allowance.used if allowance else 0) == drawn


def ledger_of(account: Account) -> list[tuple[object, ...]]:
    entries = Entry.objects.filter(account=account).order_by("sequence")
    return list(entries.values_list("usage_id", "amount", "balance_after", "description"))


@examples(200)
@given(
    unit_price=unit_prices,
    tiers=st.integers(0, 3),
    before=st.lists(st.decimals(0, 200, places=6), min_size=2, max_size=2).map(sorted),
    billed=st.lists(st.decimals(0, 200, places=6), min_size=2, max_size=2).map(sorted),
)
def test_more_units_never_cost_less_and_later_ones_never_more(
    unit_price: Decimal, tiers: int, before: list[Decimal], billed: list[Decimal]
) -> None:
    steps = [Tier(Decimal(above), Decimal(discount)) for above, discount in TIERS[:tiers]]

    def cost(units: Decimal, start: Decimal) -> Decimal:
        return pricing.price_units(units, billed_before=start, unit_price=unit_price, tiers=steps)

    assert cost(billed[0], before[0]) <= cost(billed[1], before[0])
    assert cost(billed[1], before[1]) <= cost(billed[1], before[0])
    assert cost(billed[1], before[1]) <= unit_price * billed[1] + Decimal("0.0000005")
