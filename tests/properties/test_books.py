"""The books of a customer are what a plain model says, whatever happens in whatever order.

A rule-based state machine: usage, top-ups that succeed, are declined or get no answer, payment
pages, refunds from here and from Stripe's dashboard, disputes, adjustments and their reversals,
auto-refill and time, on the real services, PostgreSQL and the sandbox Stripe. After each step the
books equal the model's; at the end the audit finds nothing and Stripe has what the portal has.
"""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ValidationError
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule, run_state_machine_as_test
from pytest_django import Settings

from accounts.models import Account, Card
from accounts.tests.factories import NOW
from invoices import reversals, sweeper
from invoices.models import Dispute, Refund, RefundStatus, Transaction
from plans import usage
from plans.models import Allowance, UsageRecord
from plans.tests.factories import make_record
from tests.books import assert_books_are_right
from tests.properties.coming_in import MoneyComesIn
from tests.properties.example import cents
from tests.properties.examples import examples
from tests.properties.going_back import MoneyGoesBack
from tests.properties.model import Part
from tests.properties.world import dollars
from wallet import adjustments, refills
from wallet.models import Adjustment, AutoRefill, Entry, Wallet

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

waits = st.sampled_from(
    [timedelta(minutes=1), timedelta(minutes=70), timedelta(hours=7), timedelta(hours=21)]
)
quantities = st.integers(0, 200_000_000).map(lambda number: Fraction(number, 1_000_000))


class BooksOfACustomer(MoneyComesIn, MoneyGoesBack):
    """What may happen to one customer's money, and what it must come to."""

    def __init__(self, sandbox: "Sandbox", add_card: Callable[..., Card]) -> None:
        super().__init__(sandbox, add_card)
        self.reversed: set[int] = set()
        self.entries_seen = 0

    def teardown(self) -> None:
        """In the end Stripe answers: nothing is left open, and the books are right."""
        try:
            self.world.wait(timedelta(hours=7))
            self.sweep()
            self.the_books_are_the_models()
            assert not self.unknown()
            with self.world.today():
                assert_books_are_right()
        finally:
            self.world.end()

    # What is used ------------------------------------------------------------------------------
    @rule(
        sent=st.lists(st.tuples(st.integers(1, 30), quantities), min_size=1, max_size=5),
        copies=st.integers(1, 2),
    )
    def use(self, sent: list[tuple[int, Fraction]], copies: int) -> None:
        """The platform reports calls; some again, some with other content under the same id."""
        account, now = self.world.account, self.world.now
        # The same call happened at the same moment, however late it is reported again.
        moments = dict(
            UsageRecord.objects.filter(account=account).values_list("record_id", "occurred_at")
        )
        named = [(f"call-{number}", quantity) for number, quantity in sent] * copies
        records = [
            make_record(
                account, str(dollars(quantity)), id=name, occurred_at=moments.get(name, now)
            )
            for name, quantity in named
        ]
        results = usage.record(records=records, now=now)
        for (name, quantity), result in zip(named, results, strict=True):
            if name not in self.books.used:
                self.books.use(name, quantity)
                assert result.status == "recorded"
            same, *figures = self.books.used[name]
            if same != quantity:
                assert (result.status, result.code) == ("rejected", "conflict")
                continue
            assert result.status in ("recorded", "duplicate")
            assert [
                Fraction(result.included_quantity or 0),
                Fraction(result.amount or 0),
            ] == figures

    # Staff -------------------------------------------------------------------------------------
    @rule(amount=cents, takes=st.booleans())
    def adjust(self, amount: Fraction, takes: bool) -> None:
        """Staff give or take credit."""
        signed = -amount if takes else amount
        adjustments.adjust(
            account=self.world.account,
            amount=dollars(signed).quantize(Decimal("0.01")),
            reason="Of the example",
            author=self.world.staff,
            now=self.world.now,
        )
        self.books.move("adjustment", signed)

    @precondition(lambda self: Adjustment.objects.exists())
    @rule(data=st.data())
    def reverse(self, data: st.DataObject) -> None:
        """Staff take an adjustment back: once, and not a reversal."""
        made = list(Adjustment.objects.order_by("pk"))
        adjustment = data.draw(st.sampled_from(made))
        may_be = adjustment.reverses_id is None and adjustment.pk not in self.reversed
        try:
            adjustments.reverse(
                adjustment=adjustment, reason="Of the example", by=self.world.staff,
                now=self.world.now,
            )  # fmt: skip
        except ValidationError:
            assert not may_be
            return
        assert may_be
        self.reversed.add(adjustment.pk)
        self.books.move("adjustment", -Fraction(adjustment.amount))

    # Time --------------------------------------------------------------------------------------
    @precondition(lambda self: self.world.now < NOW + timedelta(days=20))
    @rule(time=waits)
    def wait(self, time: timedelta) -> None:
        """Nothing happens for a while."""
        self.world.wait(time)

    @rule()
    def sweep(self) -> None:
        """A while later the worker asks about everything that is open, and refills what is due."""
        now = self.world.wait(timedelta(minutes=20))
        sweeper.sweep(now=now)
        reversals.sweep(now=now)
        refills.refill_due(now=now)
        self.books.sweep(now)
        self.number_the_refills()

    # What must be true after each --------------------------------------------------------------
    @invariant()
    def the_books_are_the_models(self) -> None:
        """Balance, ledger, allowance, payments and what went back of them are as the model says."""
        self.world.check_what_is_deferred()
        account = Account.objects.get(pk=self.world.account.pk)
        assert Fraction(Wallet.objects.get(account=account).balance) == self.books.balance
        assert (account.services == "paused") == self.books.is_paused
        allowance = Allowance.objects.filter(account=account).first()
        left = allowance.included - allowance.used if allowance else 0
        assert Fraction(left) == self.books.included
        self.the_ledger_goes_on()
        self.payments_are_the_models()
        self.auto_refill_is_the_models()

    def the_ledger_goes_on(self) -> None:
        """Entries are numbered without gaps, and each says the balance after it.

        Of one step the order is the portal's own affair.
        """
        entries = Entry.objects.filter(account=self.world.account).order_by("sequence")
        balance, found = Fraction(0), []
        for number, entry in enumerate(entries, start=1):
            assert entry.sequence == number
            balance += Fraction(entry.amount)
            assert Fraction(entry.balance_after) == balance
            found.append((entry.kind, Fraction(entry.amount)))
        seen, self.entries_seen = self.entries_seen, len(found)
        assert Counter(found[seen:]) == Counter(self.books.entries[seen:])

    def payments_are_the_models(self) -> None:
        """Each payment is in the model's state, for its amounts, and so is what went back of it."""
        rows = {row.number: row for row in Transaction.objects.filter(account=self.world.account)}
        assert set(rows) == {each.number for each in self.books.payments}
        refunds = {row.number: row for row in Refund.objects.filter(account=self.world.account)}
        for payment in self.books.payments:
            row = rows[payment.number]
            assert (row.status, part_of(row)) == (payment.status, payment.whole)
            went_back = [each for each in payment.refunds if each.status == RefundStatus.SUCCEEDED]
            refunded = sum((each.part.amount for each in went_back), Fraction(0))
            assert Fraction(row.refunded_amount.amount) == refunded
            for refund in payment.refunds:
                known = refunds.pop(refund.name)
                assert (known.status, part_of(known)) == (refund.status, refund.part)
            if payment.dispute is not None:
                told = Dispute.objects.get(transaction=row)
                assert (told.status, part_of(told)) == (
                    payment.dispute.status,
                    payment.dispute.part,
                )
        assert refunds == {}

    def auto_refill_is_the_models(self) -> None:
        """The rule waits, is capped and suspended exactly as the model's."""
        rule = AutoRefill.objects.filter(wallet__account=self.world.account).first()
        expected = self.books.rule
        if rule is None:
            assert not expected.enabled
            return
        assert (
            rule.enabled,
            rule.consecutive_failures,
            rule.next_attempt_at,
            rule.capped_until,
            rule.suspended_at is not None,
        ) == (
            expected.enabled,
            expected.failures,
            expected.next_attempt,
            expected.capped_until,
            expected.suspended,
        )


def part_of(row: Any) -> Part:
    """The amounts of a transaction, a refund or a dispute."""
    return Part(
        Fraction(row.amount.amount),
        Fraction(row.tax_amount.amount),
        Fraction(row.charged_amount.amount),
    )


def test_the_books_of_a_customer_are_what_the_model_says(
    sandbox: "Sandbox", add_card: Callable[..., Card], settings: Settings
) -> None:
    settings.CHARGE_TAX = True
    run_state_machine_as_test(
        lambda: BooksOfACustomer(sandbox, add_card),  # type: ignore[arg-type]
        settings=examples(4, steps=25),
    )
