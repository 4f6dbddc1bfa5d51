"""The oracle: what the books of one customer must be, in plain Python and exact fractions.

It shares no code with the portal. It knows no database, no locks, no retries and no webhooks, only
what DESIGN.md says of money: so whatever the portal goes through, this is where it has to end.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction

CENT = Fraction(1, 100)
MILLIONTH = Fraction(1, 1_000_000)
TEN_BAISA = Fraction(10, 1000)
RATE = Fraction("0.385")
ZERO = Fraction(0)

DAY = timedelta(hours=24)
#: Stripe's memory of a key, as the portal trusts it.
KEY_LIFETIME = timedelta(hours=20)
BACK_OFF = (timedelta(hours=1), timedelta(hours=6))
REFILLS_A_DAY = 5


def half_up(amount: Fraction, step: Fraction) -> Fraction:
    """Round a positive amount half up to a step."""
    return (amount / step + Fraction(1, 2)).__floor__() * step


@dataclass(frozen=True)
class Part:
    """A payment, or what of it goes back: dollars with the tax in them, and rials."""

    amount: Fraction
    tax: Fraction
    rials: Fraction

    @property
    def net(self) -> Fraction:
        return self.amount - self.tax

    def minus(self, other: "Part") -> "Part":
        return Part(self.amount - other.amount, self.tax - other.tax, self.rials - other.rials)


def price(net: Fraction, tax_rate: Fraction) -> Part:
    """What `net` dollars of credit cost: tax on top, charged in rials in steps of ten baisa."""
    tax = half_up(net * tax_rate / 100, CENT)
    return Part(net + tax, tax, half_up((net + tax) * RATE, TEN_BAISA))


@dataclass
class GoesBack:
    """A refund or a dispute. `at_stripe` is what Stripe did; `status` what the portal knows."""

    part: Part
    created: datetime
    status: str
    at_stripe: str = ""
    #: Of the portal's row, or of Stripe's object.
    name: str = ""


@dataclass
class Payment:
    """A top-up or a refill. `at_stripe`: "", `captured` or `declined`."""

    number: str
    kind: str
    whole: Part
    created: datetime
    status: str
    at_stripe: str = ""
    #: When Stripe was last asked about a payment page.
    asked: datetime | None = None
    credit_moved: Fraction = ZERO
    refunds: list[GoesBack] = field(default_factory=list)
    dispute: GoesBack | None = None

    @property
    def bought(self) -> Fraction:
        return self.whole.net if self.status == "paid" else ZERO

    @property
    def is_disputed(self) -> bool:
        return self.dispute is not None and self.dispute.status in ("opened", "lost")

    def is_page_due(self, now: datetime) -> bool:
        """Whether the sweeper asks: after as long again as the page has been open, up to 6 hours.

        And once more when it has closed.
        """
        if self.asked is None:
            return True
        closes = self.created + DAY
        wait = min(max(self.asked - self.created, timedelta(minutes=1)), timedelta(hours=6))
        return self.asked + wait <= now or self.asked < closes <= now

    def left(self, *, pending: bool) -> Part:
        """What refunds left of it, those that are `pending` counted or not."""
        known = ("succeeded", "pending") if pending else ("succeeded",)
        left = self.whole
        for refund in self.refunds:
            if refund.status in known:
                left = left.minus(refund.part)
        return left

    def left_at_stripe(self) -> Fraction:
        """The rials that Stripe could still refund."""
        gone = [each.part.rials for each in self.refunds if each.at_stripe == "succeeded"]
        return self.whole.rials - sum(gone, ZERO)

    def tax_of(self, amount: Fraction, left: Part) -> Fraction:
        """The tax in a part of it: proportional, but what stays is never taxed beyond itself."""
        tax = half_up(amount * self.whole.tax / self.whole.amount, CENT)
        return max(min(tax, left.tax), amount - left.net)

    def part_of_amount(self, amount: Fraction) -> Part | None:
        """What refunding `amount` dollars comes to; None when it can't be paid in rials."""
        left = self.left(pending=True)
        if amount == left.amount:
            return left
        rials = half_up(amount * self.whole.rials / self.whole.amount, TEN_BAISA)
        rials = min(rials, left.rials - TEN_BAISA)
        return Part(amount, self.tax_of(amount, left), rials) if rials > 0 else None

    def part_of_rials(self, rials: Fraction, left: Part) -> Part:
        """What the rials that somebody else moved at Stripe are worth."""
        if rials >= left.rials:
            return Part(left.amount, left.tax, rials)
        amount = half_up(rials * self.whole.amount / self.whole.rials, CENT)
        amount = max(min(amount, left.amount - CENT), ZERO)
        return Part(amount, self.tax_of(amount, left), rials)


@dataclass
class Rule:
    """Auto-refill."""

    enabled: bool = False
    threshold: Fraction = ZERO
    amount: Fraction = ZERO
    failures: int = 0
    next_attempt: datetime | None = None
    capped_until: datetime | None = None
    suspended: bool = False

    def start_afresh(self) -> None:
        """The customer says so again: forget the declines."""
        self.failures, self.next_attempt, self.suspended = 0, None, False

    def paid(self) -> None:
        """A charge went well: no declines in a row. Only the customer ends a suspension."""
        self.failures, self.next_attempt = 0, None

    def declined(self, now: datetime) -> None:
        """Wait an hour, then six; the third time, for the customer."""
        if not self.enabled:
            return
        self.failures += 1
        if self.failures > len(BACK_OFF):
            self.suspended, self.next_attempt = True, None
        else:
            self.next_attempt = now + BACK_OFF[self.failures - 1]


@dataclass
class Books:
    """Everything that is known of one customer."""

    included: Fraction
    unit_price: Fraction
    tax_rate: Fraction
    balance: Fraction = ZERO
    is_paused: bool = False
    card_declines: bool = False
    entries: list[tuple[str, Fraction]] = field(default_factory=list)
    used: dict[str, tuple[Fraction, Fraction, Fraction]] = field(default_factory=dict)
    payments: list[Payment] = field(default_factory=list)
    rule: Rule = field(default_factory=Rule)

    def move(self, kind: str, amount: Fraction) -> None:
        """Write a line of the ledger; below zero services pause, above it they resume."""
        if not amount:
            return
        self.balance += amount
        self.entries.append((kind, amount))
        if self.balance:
            self.is_paused = self.balance < 0

    def use(self, name: str, quantity: Fraction) -> tuple[Fraction, Fraction, Fraction]:
        """Rate a record: what is included first, the rest at the price, rounded once."""
        included = min(quantity, self.included)
        self.included -= included
        cost = half_up((quantity - included) * self.unit_price, MILLIONTH)
        self.used[name] = (quantity, included, cost)
        self.move("usage", -cost)
        return self.used[name]

    # Money that comes in -----------------------------------------------------------------------
    def bank_answers(self) -> str:
        return "declined" if self.card_declines else "captured"

    def open(self, kind: str, net: Fraction, now: datetime) -> Payment:
        """Record the intent to buy credit."""
        payment = Payment("", kind, price(net, self.tax_rate), now, "processing")
        self.payments.append(payment)
        return payment

    def is_open(self, kind: str) -> bool:
        return any(each.kind == kind and each.status == "processing" for each in self.payments)

    def settle(self, payment: Payment, now: datetime) -> None:
        """The portal learns what became of a payment."""
        if payment.status == "paid" or not payment.at_stripe:
            return
        if payment.at_stripe == "captured":
            payment.status = "paid"
            self.move(payment.kind, payment.whole.net)
            if payment.kind == "auto_refill":
                self.rule.paid()
        elif payment.status == "processing":
            payment.status = "failed"
            if payment.kind == "auto_refill":
                self.rule.declined(now)

    def refills(self, now: datetime, *, trouble: str = "") -> int:
        """Refill until the balance is at the threshold or something is in the way; how many.

        With trouble no answer comes, so that there is one at most; `down`, nobody was asked.
        """
        made = 0
        while self._is_refill_due(now):
            kinds = [each for each in self.payments if each.kind == "auto_refill"]
            today = [p for p in kinds if p.status != "failed" and p.created > now - DAY]
            if len(today) >= REFILLS_A_DAY:
                self.rule.capped_until = today[-REFILLS_A_DAY].created + DAY
                break
            payment = self.open("auto_refill", self.rule.amount, now)
            if trouble != "down":
                payment.at_stripe = self.bank_answers()
            if not trouble:
                self.settle(payment, now)
            made += 1
        return made

    def _is_refill_due(self, now: datetime) -> bool:
        rule = self.rule
        waits = [rule.next_attempt, rule.capped_until]
        return (
            rule.enabled
            and not rule.suspended
            and all(moment is None or moment <= now for moment in waits)
            and self.balance < rule.threshold
            and not self.is_open("auto_refill")
        )

    # Money that goes back ----------------------------------------------------------------------
    def follow(self, payment: Payment, kind: str) -> None:
        """The credit taken back is the net of what went back, and never more than was bought."""
        gone = [each.part.net for each in payment.refunds if each.status == "succeeded"]
        if payment.is_disputed:
            assert payment.dispute is not None
            gone.append(payment.dispute.part.net)
        change = -min(payment.bought, sum(gone, ZERO)) - payment.credit_moved
        payment.credit_moved += change
        self.move(kind, change)

    def ask_for_refund(self, payment: Payment, refund: GoesBack) -> None:
        """Stripe gets the question; it refuses what was ever disputed."""
        if not refund.at_stripe:
            refund.at_stripe = "refused" if payment.dispute else "succeeded"

    def hear_of_refunds(self) -> None:
        """Stripe tells of every refund that it made."""
        for payment in self.payments:
            for refund in payment.refunds:
                if refund.status == "pending" and refund.at_stripe == "succeeded":
                    self.settle_refund(payment, refund)

    def settle_refund(self, payment: Payment, refund: GoesBack) -> None:
        """The portal learns what became of a refund."""
        refund.status = "succeeded" if refund.at_stripe == "succeeded" else "failed"
        if refund.status == "succeeded":
            self.follow(payment, "refund")

    # What the sweeps find ----------------------------------------------------------------------
    def sweep(self, now: datetime) -> None:
        """Ask about everything that is open, then refill what is due."""
        for payment in self.payments:
            if payment.status == "processing":
                if not payment.at_stripe:
                    is_young = now - payment.created < KEY_LIFETIME
                    payment.at_stripe = self.bank_answers() if is_young else "declined"
                self.settle(payment, now)
            elif payment.status == "checkout" and payment.is_page_due(now):
                payment.asked = now
                self.settle(payment, now)
        for payment in self.payments:
            for refund in payment.refunds:
                if refund.status == "pending":
                    if now - refund.created < KEY_LIFETIME:
                        self.ask_for_refund(payment, refund)
                    self.settle_refund(payment, refund)
        self.refills(now)
