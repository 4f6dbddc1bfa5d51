"""What the rules of every part share: the customer, the model of their books, their payments."""

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize

from accounts.models import Card
from invoices.models import Purpose, Transaction
from tests.properties.model import DAY, Books, GoesBack, Payment
from tests.properties.world import World

if TYPE_CHECKING:
    from conftest import Sandbox

cents = st.integers(1, 20_000).map(lambda number: Fraction(number, 100))
credit = st.integers(1_000, 9_000).map(lambda number: Fraction(number, 100))
#: Twice as often none.
troubles = st.sampled_from(["", "", "lost", "down"])


class Example(RuleBasedStateMachine):
    """One customer, really and in the model."""

    books: Books

    def __init__(self, sandbox: "Sandbox", add_card: Callable[..., Card]) -> None:
        super().__init__()
        self.world = World(sandbox, add_card)

    @initialize(
        included=st.sampled_from(["0", "120.5"]),
        unit_price=st.sampled_from(["0.10", "0.33333333", "1.75000001"]),
        country=st.sampled_from(["OM", "AE"]),
    )
    def sign_up(self, included: str, unit_price: str, country: str) -> None:
        """A customer of a plan: one in Oman pays 5 % on top, one in Dubai nothing."""
        self.world.begin(included=included, unit_price=unit_price, country=country)
        tax_rate = Fraction(5 if country == "OM" else 0)
        self.books = Books(Fraction(included), Fraction(unit_price), tax_rate)

    def number_the_refills(self) -> None:
        """Let the model know what the portal calls the refills that it made: in the same order."""
        known = {each.number for each in self.books.payments}
        made = Transaction.objects.filter(account=self.world.account, purpose=Purpose.AUTO_REFILL)
        numbers = [row.number for row in made.order_by("pk") if row.number not in known]
        unnamed = [each for each in self.books.payments if not each.number]
        for payment, number in zip(unnamed, numbers, strict=True):
            payment.number = number

    def paid(self) -> list[Payment]:
        """The payments that are."""
        return [each for each in self.books.payments if each.status == "paid"]

    def unknown(self) -> list[Payment]:
        """Those whose answer was lost on its way."""
        return [
            each for each in self.books.payments if each.status == "processing" and each.at_stripe
        ]

    def open_pages(self) -> list[Payment]:
        """The payment pages that can be paid."""
        return [
            each
            for each in self.books.payments
            if each.status == "checkout"
            and not each.at_stripe
            and self.world.now < each.created + DAY
        ]

    def refundable_at_stripe(self) -> list[Payment]:
        """Those of which Stripe would refund something."""
        return [
            each
            for each in self.paid()
            if each.dispute is None
            and each.left_at_stripe() > 0
            and not any(refund.status == "pending" for refund in each.refunds)
        ]

    def refunded(self) -> list[tuple[Payment, GoesBack]]:
        """The refunds that the card has."""
        return [
            (payment, refund)
            for payment in self.paid()
            for refund in payment.refunds
            if refund.status == "succeeded"
        ]

    def disputable(self) -> list[Payment]:
        """Those that were never disputed and not refunded in full."""
        return [each for each in self.paid() if each.dispute is None and each.left_at_stripe() > 0]

    def disputed(self) -> list[Payment]:
        """Those on which the bank has to decide."""
        return [each for each in self.paid() if each.dispute and each.dispute.status == "opened"]
