"""The month-end report as tables: the same figures on the page, in the PDF and in the CSV."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Final

from accounts.models import Account
from accounts.money import format_quantity, format_usd, to_cents
from invoices.models import Purpose
from invoices.month_payments import DISPUTES, REFUNDS, Movement, Sum
from wallet.models import EntryKind
from wallet.month_end import MonthEnd
from wallet.roll_forward import Flow, Held


class Figure(Enum):
    """What a column of figures is in."""

    COUNT = "count"
    CENTS = "cents"
    EXACT = "exact"
    RIALS = "rials"


Value = Decimal | int | None


@dataclass(frozen=True)
class Row:
    """A line; without a value where there is nothing to say. `is_sum` is what others add up to."""

    title: str
    values: tuple[Value, ...]
    is_sum: bool = False


@dataclass(frozen=True)
class Table:
    """A part of the report. `problem` says in words what does not add up."""

    title: str
    columns: tuple[tuple[str, Figure], ...]
    rows: tuple[Row, ...]
    note: str = ""
    problem: str = ""


#: What each line of the ledger's kinds is called, in the order of the report; what is in no line of
#: these has one of its own below them.
_FLOWS: Final = {
    (EntryKind.TOP_UP, False): "Sold: top-ups",
    (EntryKind.AUTO_REFILL, False): "Sold: auto-refills",
    (EntryKind.ADJUSTMENT, False): "Granted by staff, deductions taken back",
    (EntryKind.ADJUSTMENT, True): "Deducted by staff, grants taken back",
    (EntryKind.USAGE, True): "Used",
    (EntryKind.REFUND, True): "Taken back with refunds",
    (EntryKind.REFUND, False): "Given again: refunds that came back",
    (EntryKind.DISPUTE, True): "Taken back with disputes",
    (EntryKind.DISPUTE_REVERSAL, False): "Given again: disputes won",
}

_MOVEMENTS: Final = {
    Movement.PAID: "Captured",
    Movement.REFUNDED: "Refunded",
    Movement.REFUND_RETURNED: "Refunds that came back",
    Movement.DISPUTED: "Taken by banks for disputes",
    Movement.DISPUTE_RETURNED: "Returned by banks: disputes won",
}


def tables(report: MonthEnd) -> list[Table]:
    """Return the report's parts, in its order."""
    return [
        _revenue(report),
        _money(report),
        _tax(report),
        _credit(report),
        _balances(report),
    ]


def _revenue(report: MonthEnd) -> Table:
    payments = report.payments

    def values(purpose: Purpose | None) -> tuple[Value, ...]:
        paid = payments.of(Movement.PAID, purpose=purpose)
        refunded = payments.of(*REFUNDS, purpose=purpose)
        disputed = payments.of(*DISPUTES, purpose=purpose)
        left = paid.net + refunded.net + disputed.net
        credited = report.credited[purpose] if purpose else sum(report.credited.values())
        return paid.count, paid.net, refunded.net, disputed.net, left, credited

    problem = "".join(
        f"{purpose.label}: {format_usd(amount)} of what was paid did not become credit. "
        for purpose, amount in report.uncredited.items()
    )
    return Table(
        title="Revenue by kind, without tax",
        columns=(
            ("Payments", Figure.COUNT),
            ("Net USD", Figure.CENTS),
            ("Refunded USD", Figure.CENTS),
            ("Disputed USD", Figure.CENTS),
            ("Left USD", Figure.CENTS),
            ("Became credit USD", Figure.CENTS),
        ),
        rows=(
            *(Row(str(purpose.label), values(purpose)) for purpose in Purpose),
            Row("All", values(None), is_sum=True),
        ),
        note="What went back counts in the month in which it went, under what it was paid for. "
        "Refunded is less what came back, disputed less what was won. Top-ups and auto-refills buy "
        "credit, which is earned as it is used; another payment becomes credit when what it paid "
        "for had been paid already.",
        problem=problem.strip(),
    )


def _money(report: MonthEnd) -> Table:
    payments = report.payments
    lost = payments.of(Movement.DISPUTE_LOST)
    return Table(
        title="Collected",
        columns=(
            ("Number", Figure.COUNT),
            ("Net USD", Figure.CENTS),
            ("VAT USD", Figure.CENTS),
            ("Total USD", Figure.CENTS),
            ("OMR", Figure.RIALS),
        ),
        rows=(
            *(_money_row(title, payments.of(one)) for one, title in _MOVEMENTS.items()),
            Row("Collected", (None, *_amounts(payments.of())), is_sum=True),
        ),
        note=f"Disputes that banks decided as lost in this month: {lost.count}, "
        f"{format_usd(-lost.amount)}. Their money had gone when they were opened.",
    )


def _tax(report: MonthEnd) -> Table:
    payments = report.payments
    returning = (*REFUNDS, *DISPUTES)

    def values(paid: Sum, returned: Sum) -> tuple[Value, ...]:
        return paid.count, paid.net + returned.net, paid.tax, returned.tax, paid.tax + returned.tax

    return Table(
        title="VAT",
        columns=(
            ("Payments", Figure.COUNT),
            ("Net USD", Figure.CENTS),
            ("Collected USD", Figure.CENTS),
            ("Returned USD", Figure.CENTS),
            ("Owed USD", Figure.CENTS),
        ),
        rows=(
            *(
                Row(
                    f"At {format_quantity(rate)} %",
                    values(
                        payments.at_rate(rate, Movement.PAID), payments.at_rate(rate, *returning)
                    ),
                )
                for rate in payments.tax_rates
            ),
            Row("All", values(payments.of(Movement.PAID), payments.of(*returning)), is_sum=True),
        ),
    )


def _credit(report: MonthEnd) -> Table:
    credit = report.credit
    shown = {**dict.fromkeys(_FLOWS, Flow()), **credit.flows}
    flows = [(_flow_title(*key), flow) for key, flow in shown.items()]
    opening, closing = credit.opening.amount, credit.closing.amount
    in_cents = to_cents(opening) + sum(to_cents(flow.amount) for _, flow in flows)
    problems = []
    if credit.difference:
        problems.append(
            f"Opening and entries come to {credit.difference:+f} USD less than closing."
        )
    if credit.broken:
        problems.append(f"Look at: {_named(credit.broken)}.")
    return Table(
        title="Credit that customers hold",
        columns=(("Entries", Figure.COUNT), ("Exact USD", Figure.EXACT), ("USD", Figure.CENTS)),
        rows=(
            Row("Opening", (None, opening, to_cents(opening)), is_sum=True),
            *(
                Row(title, (flow.count, flow.amount, to_cents(flow.amount)))
                for title, flow in flows
            ),
            Row("Rounding to cents", (None, None, to_cents(closing) - in_cents)),
            Row("Closing", (None, closing, to_cents(closing)), is_sum=True),
        ),
        note="The ledger is kept to a millionth of a dollar. Usage is in the month in which it was "
        "deducted, however late it was reported. Opening and closing are read off the ledger, and "
        "not worked out from the lines between them.",
        problem=" ".join(problems),
    )


def _balances(report: MonthEnd) -> Table:
    credit = report.credit

    def rows(when: str, held: Held) -> Iterator[Row]:
        for title, flow in (
            (f"{when}: positive balances, which we owe", held.credit),
            (f"{when}: negative balances, which we are owed", held.debt),
        ):
            yield Row(title, (flow.count, flow.amount, to_cents(flow.amount)))

    return Table(
        title="Balances apart",
        columns=(("Accounts", Figure.COUNT), ("Exact USD", Figure.EXACT), ("USD", Figure.CENTS)),
        rows=(*rows("Opening", credit.opening), *rows("Closing", credit.closing)),
    )


def _money_row(title: str, found: Sum) -> Row:
    return Row(title, (found.count, *_amounts(found)))


def _amounts(found: Sum) -> tuple[Decimal, ...]:
    return found.net, found.tax, found.amount, found.charged


def _flow_title(kind: EntryKind, is_taken: bool) -> str:
    direction = "taken" if is_taken else "added"
    return _FLOWS.get((kind, is_taken), f"{kind.label}, {direction}")


def _named(accounts: Iterable[object]) -> str:
    return ", ".join(Account.objects.filter(pk__in=list(accounts)).values_list("name", flat=True))
