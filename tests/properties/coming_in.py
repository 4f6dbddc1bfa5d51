"""Money that comes in: top-ups, payment pages and auto-refill, with and without answers."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from invoices import charging, checkout
from invoices.models import Transaction
from tests.properties.example import Example, cents, credit, troubles
from tests.properties.world import OF_CHARGES, dollars
from wallet import refill_rules, refills, topups
from wallet.refill_rules import Terms

PAYMENT_INTENTS = "/v1/payment_intents"
MINIMUM = Decimal(10)


class MoneyComesIn(Example):
    """What customers buy, and what the portal buys for them."""

    # Money that comes in -----------------------------------------------------------------------
    @rule(amount=credit, trouble=troubles)
    def top_up(self, amount: Fraction, trouble: str) -> None:
        """One click: paid, declined, or without an answer. While one is open, no second one."""
        was_open = self.books.is_open("top_up")
        with self.world.trouble(trouble, PAYMENT_INTENTS):
            try:
                transaction = topups.charge_saved_card(
                    account=self.world.account,
                    amount=dollars(amount),
                    minimum=MINIMUM,
                    by=None,
                    now=self.world.now,
                )
            except charging.AlreadyOpen:
                assert was_open
                return
        assert not was_open
        payment = self.books.open("top_up", amount, self.world.now)
        payment.number = transaction.number
        if trouble != "down":
            payment.at_stripe = self.books.bank_answers()
        if not trouble:
            self.books.settle(payment, self.world.now)

    @rule(amount=credit)
    def open_page(self, amount: Fraction) -> None:
        """A payment page of Stripe is opened, and left for now."""
        transaction = topups.open_payment_page(
            account=self.world.account,
            amount=dollars(amount),
            minimum=MINIMUM,
            return_path="/",
            cancel_path="/",
            by=None,
            now=self.world.now,
        )
        payment = self.books.open("top_up", amount, self.world.now)
        payment.number, payment.status = transaction.number, "checkout"

    @precondition(lambda self: self.open_pages())
    @rule(data=st.data(), returns=st.booleans())
    def pay_page(self, data: st.DataObject, returns: bool) -> None:
        """A page is paid; the customer comes back, or closes the window."""
        payment = data.draw(st.sampled_from(self.open_pages()))
        row = Transaction.objects.get(number=payment.number)
        self.world.sandbox.control(
            f"checkout/{row.stripe_checkout_session_id}/pay", {"payment_method": "pm_card_visa"}
        )
        payment.at_stripe = "captured"
        if returns:
            checkout.refresh(transaction_id=row.pk, now=self.world.now)
            payment.asked = self.world.now
            self.books.settle(payment, self.world.now)

    @precondition(lambda self: self.unknown())
    @rule(data=st.data(), copies=st.integers(1, 3))
    def news_of_a_charge(self, data: st.DataObject, copies: int) -> None:
        """Stripe tells what became of a charge whose answer was lost: once or several times."""
        payment = data.draw(st.sampled_from(self.unknown()))
        self.world.tell(self.world.events(OF_CHARGES, payment.number) * copies)
        self.books.settle(payment, self.world.now)

    @rule(data=st.data())
    def old_news(self, data: st.DataObject) -> None:
        """Stripe tells again what it told before, out of order: nothing changes."""
        if told := self.world.told():
            self.world.tell(data.draw(st.lists(st.sampled_from(told), max_size=3)))

    @rule(declines=st.sampled_from([False, False, True]))
    def bank(self, declines: bool) -> None:
        """The bank declines the card from now on, or accepts it."""
        self.world.bank_declines("insufficient_funds" if declines else None)
        self.books.card_declines = declines

    # Auto-refill -------------------------------------------------------------------------------
    @rule(enabled=st.sampled_from([True, True, True, False]), threshold=cents, amount=credit)
    def configure(self, enabled: bool, threshold: Fraction, amount: Fraction) -> None:
        """The customer switches auto-refill on or off, or changes its terms."""
        refill_rules.configure(
            account=self.world.account,
            enabled=enabled,
            terms=Terms(dollars(threshold), dollars(amount)),
            minimum=MINIMUM,
            by=None,
            now=self.world.now,
        )
        set_ = self.books.rule
        switched = enabled != set_.enabled or (enabled and set_.suspended)
        if enabled and switched:
            set_.start_afresh()
        if switched or (threshold, amount) != (set_.threshold, set_.amount):
            set_.capped_until = None
        set_.enabled, set_.threshold, set_.amount = enabled, threshold, amount

    @rule(trouble=troubles)
    def refill(self, trouble: str) -> None:
        """The worker looks: it charges while the balance is below the threshold, and it may."""
        with self.world.trouble(trouble, PAYMENT_INTENTS):
            made = refills.refill_due(now=self.world.now)
        assert made == self.books.refills(self.world.now, trouble=trouble)
        self.number_the_refills()
