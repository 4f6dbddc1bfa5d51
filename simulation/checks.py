"""What must be true: after each step, each day, and of the books in the end."""

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Sum

from accounts.models import Card, CardStatus
from accounts.money import to_minor_units
from billing_portal import audit
from invoices import reconciliation
from invoices.models import (
    HOLDING_STATUSES,
    OPEN_STATUSES,
    Dispute,
    PaymentQuestion,
    Refund,
    RefundStatus,
    Status,
    Transaction,
)
from simulation.stripe_at_hand import StripeAtHand
from wallet.models import BOUGHT_KINDS, ApprovalRequest, ApprovalState, Entry

#: What workers promise to do within an hour or a day: here beat may stop for longer. In the end,
#: all of it must be done.
PROMISES = (
    "a hold ends voided",
    "services are paused once the grace of an unpaid renewal has run out",
)


class Broken(Exception):
    """Something that must always hold does not."""


class Complaints(logging.Handler):
    """What the portal itself calls an error: a sweep that swallows an exception only logs it."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it, with its traceback."""
        if isinstance(record.msg, dict):  # structlog's
            told = {name: text for name, text in record.msg.items() if name in _TELLING}
            said = " ".join(str(text) for text in told.values())
        else:
            said = self.format(record)
        is_outage = said.splitlines()[-1].startswith(_OUTAGE)
        is_promise = any(promise in said for promise in PROMISES)
        if not is_outage and not is_promise and not said.startswith(_EXPECTED):
            self.told.append(said)


#: Errors for a person to look at, of a kind that the simulation causes on purpose; what a web
#: process broke at is raised besides.
_EXPECTED = ("reconciliation_finding", "refund_differs", "Internal Server Error")
#: What of a structured message says what is wrong.
_TELLING = ("event", "violation", "exception")
#: That Stripe or the mail server is away is logged, too, and no mistake.
_OUTAGE = (
    "accounts.gateway.connection.GatewayUnavailable",
    "accounts.emails.MailServerAway",
    "smtplib.SMTPDataError: (451",
)


@contextmanager
def listening() -> Iterator[Complaints]:
    """Within, the portal's complaints are heard, and nothing else is logged."""
    complaints = Complaints()
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    root.handlers = [complaints]
    root.setLevel(logging.ERROR)
    try:
        yield complaints
    finally:
        root.handlers = handlers
        root.setLevel(level)


def after_a_step(*, now: datetime, since: datetime, complaints: Complaints) -> None:
    """Check the invariants on what the step touched. Raises Broken."""
    if complaints.told:
        raise Broken("The portal complained: " + "; ".join(complaints.told))
    _raise(audit.run(now=now, since=since - timedelta(hours=3)), but_for=PROMISES)


def of_everything(*, now: datetime) -> None:
    """Check the invariants on all that there is. Raises Broken."""
    _raise(audit.run(now=now), but_for=PROMISES)


def _raise(violations: list[audit.Violation], *, but_for: Collection[str] = ()) -> None:
    broken = [str(violation) for violation in violations if violation.rule not in but_for]
    if broken:
        raise Broken("; ".join(broken))


# In the end ---------------------------------------------------------------------------------
def unfinished() -> list[str]:
    """Return what is not known, or not done, yet."""
    kept = {
        "open transactions": Transaction.objects.filter(status__in=OPEN_STATUSES, expired_at=None),
        "pending refunds": Refund.objects.filter(status=RefundStatus.PENDING),
        "cards being verified": Card.objects.filter(status=CardStatus.VERIFYING),
        "holds not voided": Card.objects.exclude(stripe_hold_id="").filter(hold_voided_at=None),
        "questions to Stripe": PaymentQuestion.objects.all(),
        "decisions under way": ApprovalRequest.objects.filter(state=ApprovalState.APPROVED),
    }
    return [f"{rows.count()} {name}" for name, rows in kept.items() if rows.exists()]


class Books:
    """What Stripe has, what the portal has, and what customers got for it: in baisa and USD."""

    def __init__(self, at_hand: StripeAtHand) -> None:
        self._stripe = at_hand
        self.captured = self.refunded = self.disputed = 0
        self.differences: list[str] = []
        #: What is missing or too much, in baisa.
        self.drift = 0

    def compare(self) -> None:
        """Compare every payment, refund and dispute, one by one."""
        intents = {e["id"]: e for e in self._stripe.objects("payment_intent")}
        captured = {i: e["amount_received"] for i, e in intents.items() if e["amount_received"]}
        paid = {
            each.stripe_payment_intent_id: to_minor_units(each.charged_amount)
            for each in Transaction.objects.filter(status=Status.PAID)
        }
        self.captured = sum(captured.values())
        self._differ("captured", captured, paid)

        refunds = {
            each["id"]: each["amount"]
            for each in self._stripe.objects("refund")
            if each["status"] == "succeeded" and each["payment_intent"] in captured
        }
        ours = {
            each.stripe_refund_id: to_minor_units(each.charged_amount)
            for each in Refund.objects.filter(status=RefundStatus.SUCCEEDED)
        }
        self.refunded = sum(refunds.values())
        self._differ("refunded", refunds, ours)

        held = {
            each["id"]: each["amount"]
            for each in self._stripe.objects("dispute")
            if each["status"] in _BANK_HAS_THE_MONEY
        }
        ours = {
            each.stripe_dispute_id: to_minor_units(each.charged_amount)
            for each in Dispute.objects.filter(status__in=HOLDING_STATUSES)
        }
        self.disputed = sum(held.values())
        self._differ("disputed", held, ours)
        self._holds(intents)
        self._credit()

    def _differ(self, what: str, there: dict[str, int], here: dict[str, int]) -> None:
        for name in sorted(there.keys() | here.keys()):
            if there.get(name, 0) != here.get(name, 0):
                self.drift += abs(there.get(name, 0) - here.get(name, 0))
                self.differences.append(
                    f"{what} {name}: {there.get(name, 0)} there, {here.get(name, 0)} here"
                )

    def _holds(self, intents: dict[str, dict[str, Any]]) -> None:
        self.differences += [
            f"a hold was left: {name}"
            for name, intent in intents.items()
            if intent["capture_method"] == "manual" and intent["status"] != "canceled"
        ]

    def _credit(self) -> None:
        """Whatever was paid is credit or something that was bought, for its net amount."""
        bought = Entry.objects.filter(kind__in=BOUGHT_KINDS).values_list("transaction_id")
        credited = dict(bought.annotate(Sum("amount")).order_by("transaction_id"))
        for each in Transaction.objects.filter(status=Status.PAID).order_by("pk"):
            amount = credited.pop(each.pk, None)
            sells_credit = each.purpose in ("top_up", "auto_refill")
            if amount is None and not sells_credit:
                continue  # a period, a plan or a rental: I3 holds that it was brought about
            if amount != each.net_amount.amount:
                self.drift += to_minor_units(each.charged_amount)
                self.differences.append(f"{each.number}: {each.net_amount} paid, {amount} credited")
        for transaction, amount in credited.items():
            self.differences.append(f"transaction {transaction} not paid and {amount} credited")
            self.drift += int(amount * 385)


_BANK_HAS_THE_MONEY = ("needs_response", "under_review", "lost")


def in_the_end(*, at_hand: StripeAtHand, now: datetime) -> Books:
    """Check everything, once all has healed. Raises Broken."""
    _raise(audit.run(now=now))
    if left := unfinished():
        raise Broken("Not finished in the end: " + ", ".join(left))
    report = reconciliation.reconcile(now=now, days=10_000)
    found = [f"{each.kind} {each.subject}: {each.detail}" for each in report.findings]
    if found or report.run.repaired:
        raise Broken(f"The comparison found in the end: {found}, repaired {report.run.repaired}")
    books = Books(at_hand)
    books.compare()
    if books.differences:
        raise Broken("The books differ: " + "; ".join(books.differences))
    return books
