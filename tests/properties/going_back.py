"""Money that goes back: refunds from here and from Stripe's dashboard, and disputes."""

from decimal import Decimal

from django.core.exceptions import ValidationError
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from invoices import refunds
from invoices.models import Refund, Transaction
from invoices.tests.disputers import decide, dispute
from invoices.tests.refunders import charge_of
from tests.properties.example import Example, cents, troubles
from tests.properties.model import TEN_BAISA, GoesBack
from tests.properties.world import OF_DISPUTES, OF_REFUNDS, dollars

REFUNDS = "/v1/refunds"


class MoneyGoesBack(Example):
    """What staff, card holders and banks do to payments."""

    # Money that goes back ----------------------------------------------------------------------
    @precondition(lambda self: self.paid())
    @rule(data=st.data(), trouble=troubles)
    def refund(self, data: st.DataObject, trouble: str) -> None:
        """Staff refund a payment, all or a part; what can't be refunded is refused."""
        payment = data.draw(st.sampled_from(self.paid()))
        left = payment.left(pending=True)
        amount = data.draw(
            st.one_of(st.just(left.amount), cents.map(lambda some: min(some, left.amount)))
        )
        may_be = not payment.is_disputed and amount > 0
        part = payment.part_of_amount(amount) if may_be else None
        row = Transaction.objects.get(number=payment.number)
        with self.world.trouble(trouble, REFUNDS):
            try:
                made = refunds.make_refund(
                    transaction_id=row.pk,
                    amount=dollars(amount).quantize(Decimal("0.01")),
                    reason="Paid twice by mistake",
                    by=self.world.staff,
                    now=self.world.now,
                )
            except ValidationError:
                assert part is None
                return
        assert part is not None
        refund = GoesBack(part, self.world.now, "pending", name=made.number)
        payment.refunds.append(refund)
        if trouble != "down":
            self.books.ask_for_refund(payment, refund)
        if not trouble:
            self.books.settle_refund(payment, refund)

    @precondition(lambda self: self.refundable_at_stripe())
    @rule(data=st.data())
    def refund_in_dashboard(self, data: st.DataObject) -> None:
        """Somebody refunds in Stripe's own dashboard, in steps of ten baisa."""
        payment = data.draw(st.sampled_from(self.refundable_at_stripe()))
        steps = data.draw(st.integers(1, int(payment.left_at_stripe() / TEN_BAISA)))
        rials = min(steps * TEN_BAISA, payment.left_at_stripe())
        row = Transaction.objects.get(number=payment.number)
        self.world.sandbox.control(
            f"charges/{charge_of(row.stripe_payment_intent_id)}/refund",
            {"amount": int(rials * 1000)},
        )
        self.world.tell(data.draw(st.permutations(self.world.events(OF_REFUNDS))))
        self.books.hear_of_refunds()
        part = payment.part_of_rials(rials, payment.left(pending=True))
        refund = GoesBack(part, self.world.now, "succeeded", at_stripe="succeeded")
        refund.name = Refund.objects.filter(transaction=row).latest("pk").number
        payment.refunds.append(refund)
        self.books.follow(payment, "refund")

    @precondition(lambda self: self.refunded())
    @rule(data=st.data())
    def refund_comes_back(self, data: st.DataObject) -> None:
        """The card's bank hands the money of a refund back: its credit is returned."""
        payment, refund = data.draw(st.sampled_from(self.refunded()))
        stripe_id = Refund.objects.get(number=refund.name).stripe_refund_id
        self.world.tell(self.world.events(OF_REFUNDS))
        self.books.hear_of_refunds()
        self.world.sandbox.control(f"refunds/{stripe_id}/fail")
        self.world.tell(data.draw(st.permutations(self.world.events(OF_REFUNDS))))
        refund.status = refund.at_stripe = "failed"
        self.books.follow(payment, "refund")

    @precondition(lambda self: self.disputable())
    @rule(data=st.data(), partly=st.booleans())
    def dispute(self, data: st.DataObject, partly: bool) -> None:
        """The card holder disputes a payment: its bank takes the money, the credit follows."""
        payment = data.draw(st.sampled_from(self.disputable()))
        rials = payment.left_at_stripe()
        if partly:
            rials = min(rials, data.draw(st.integers(1, 500)) * TEN_BAISA)
        row = Transaction.objects.get(number=payment.number)
        name = dispute(self.world.sandbox, row, amount=int(rials * 1000))
        left = payment.left(pending=False)
        payment.dispute = GoesBack(
            payment.part_of_rials(rials, left), self.world.now, "opened", name=name
        )
        self.world.tell(data.draw(st.permutations(self.world.events(OF_DISPUTES))))
        self.books.follow(payment, "dispute")
        if self.books.rule.enabled and not self.books.rule.suspended:
            self.books.rule.suspended, self.books.rule.next_attempt = True, None

    @precondition(lambda self: self.disputed())
    @rule(data=st.data(), how=st.sampled_from(["win", "lose", "withdraw"]))
    def decide(self, data: st.DataObject, how: str) -> None:
        """The bank decides."""
        payment = data.draw(st.sampled_from(self.disputed()))
        assert payment.dispute is not None
        decide(self.world.sandbox, payment.dispute.name, how)
        self.world.tell(data.draw(st.permutations(self.world.events(OF_DISPUTES))))
        payment.dispute.status = "lost" if how == "lose" else "won"
        self.books.follow(payment, "dispute_reversal")
