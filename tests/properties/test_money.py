"""Rials and dollars: charges and refunds in steps of ten baisa, and the parts are the payment."""

from decimal import Decimal
from fractions import Fraction

import pytest
from djmoney.money import Money
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from accounts.money import convert_to_omr, from_minor_units, to_minor_units
from invoices import tax
from invoices.proportions import Portion, part_of_amount, part_of_charge
from tests.properties.examples import examples
from tests.properties.model import half_up, price

RATE = Decimal("0.385")
STEP = Decimal("0.010")
CENT = Decimal("0.01")
NOTHING = Portion(Decimal(0), Decimal(0), Decimal(0))

dollars = st.decimals(min_value=Decimal("0.60"), max_value=100_000, places=2)
rates = st.sampled_from([Decimal(0), Decimal(5), Decimal("7.5"), Decimal(15), Decimal(100)])


@examples(200)
@given(
    amount=dollars,
    rate=st.one_of(st.just(RATE), st.decimals(Decimal("0.01"), 5, places=6)),
)
def test_a_charge_is_the_nearest_multiple_of_ten_baisa(amount: Decimal, rate: Decimal) -> None:
    """Half up; never more than half a step from what it is worth; and Stripe gets it whole."""
    charged = convert_to_omr(amount, rate=rate, step=STEP)
    exact = Fraction(amount) * Fraction(rate)
    assert Fraction(charged) == half_up(exact, Fraction(STEP))
    assert abs(Fraction(charged) - exact) <= Fraction(STEP) / 2
    minor = to_minor_units(Money(charged, "OMR"))
    assert minor % 10 == 0
    assert from_minor_units(minor, "omr") == charged


@examples(200)
@given(amounts=st.lists(dollars, min_size=2, max_size=2).map(sorted))
def test_who_buys_more_is_never_charged_less(amounts: list[Decimal]) -> None:
    less, more = (convert_to_omr(amount, rate=RATE, step=STEP) for amount in amounts)
    assert less <= more


@examples(200)
@given(net=dollars, rate=rates)
def test_tax_is_rounded_once_and_leaves_the_net_as_it_was(net: Decimal, rate: Decimal) -> None:
    added = tax.tax_on(net, rate=rate)
    expected = price(Fraction(net), Fraction(rate))
    assert (Fraction(added), Fraction(net + added)) == (expected.tax, expected.amount)


class PartsOfAPayment(RuleBasedStateMachine):
    """A payment goes back in parts of any size: chosen in dollars here, or in rials at Stripe."""

    @initialize(net=dollars, rate=rates)
    def pay(self, net: Decimal, rate: Decimal) -> None:
        """The card is charged what the price comes to in rials."""
        added = tax.tax_on(net, rate=rate)
        charged = convert_to_omr(net + added, rate=RATE, step=STEP)
        self.whole = self.left = Portion(net + added, added, charged)
        self.parts: list[Portion] = []

    @precondition(lambda self: self.left.amount > 0)
    @rule(data=st.data())
    def give_back_dollars(self, data: st.DataObject) -> None:
        """Staff choose dollars: the card gets what they were charged as, in steps of ten baisa."""
        amount = data.draw(st.decimals(CENT, self.left.amount, places=2))
        exact = Fraction(amount) * Fraction(self.whole.charged) / Fraction(self.whole.amount)
        try:
            part = part_of_amount(amount, whole=self.whole, left=self.left, step=STEP)
        except ValueError:
            # Less than half a step, or too little would stay.
            assert exact < STEP / 2 or self.left.charged <= STEP
            return
        assert part.amount == amount
        assert part.charged % STEP == 0
        is_clamped = amount == self.left.amount or part.charged == self.left.charged - STEP
        assert is_clamped or abs(Fraction(part.charged) - exact) <= Fraction(STEP) / 2
        self.give_back(part)

    @precondition(lambda self: self.left.charged > 0)
    @rule(data=st.data())
    def give_back_rials(self, data: st.DataObject) -> None:
        """Stripe's dashboard refunds rials, a bank takes them back: the dollars follow."""
        charged = STEP * data.draw(st.integers(1, int(self.left.charged / STEP)))
        part = part_of_charge(charged, whole=self.whole, left=self.left)
        assert part.charged == charged
        exact = Fraction(charged) * Fraction(self.whole.amount) / Fraction(self.whole.charged)
        is_clamped = charged == self.left.charged or part.amount == self.left.amount - CENT
        assert is_clamped or abs(Fraction(part.amount) - exact) <= Fraction(CENT) / 2
        self.give_back(part)

    @precondition(lambda self: self.left.amount > 0)
    @rule()
    def give_back_the_rest(self) -> None:
        """The last part takes what is left of each."""
        self.give_back(
            part_of_amount(self.left.amount, whole=self.whole, left=self.left, step=STEP)
        )
        assert self.left == NOTHING

    @precondition(lambda self: self.left == NOTHING)
    @rule(amount=dollars)
    def give_back_what_is_gone(self, amount: Decimal) -> None:
        """Of nothing there is no part."""
        with pytest.raises(ValueError, match="can't be paid"):
            part_of_amount(amount, whole=self.whole, left=self.left, step=STEP)

    def give_back(self, part: Portion) -> None:
        """Keep a part, and what is left without it."""
        assert part.charged > 0
        assert 0 <= part.tax <= part.amount
        self.parts.append(part)
        self.left = self.left.minus(part)

    @invariant()
    def the_parts_and_what_is_left_are_the_payment(self) -> None:
        """To the cent and the baisa, tax for tax; and nothing is left of one without the others."""
        total = self.left
        for part in self.parts:
            total = total.minus(Portion(-part.amount, -part.tax, -part.charged))
        assert total == self.whole
        assert min(self.left.amount, self.left.tax, self.left.charged) >= 0
        assert self.left.amount - self.left.tax >= 0
        assert (self.left.amount == 0) == (self.left.charged == 0)


TestPartsOfAPayment = PartsOfAPayment.TestCase
TestPartsOfAPayment.settings = examples(100, steps=12)
