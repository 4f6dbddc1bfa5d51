"""Transactions for the tests, brought to their state by the steps the database allows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import count
from typing import Any

from django.conf import settings
from django.db import transaction as database

from accounts.models import Account
from accounts.money import convert_to_omr, usd
from accounts.tests.factories import NOW
from invoices.models import Line, Purpose, Status, Transaction
from invoices.settlement import billing_details

RATE = Decimal("0.385")
STEP = Decimal("0.010")

_numbers = count(1)


@dataclass(frozen=True, kw_only=True)
class LineSpec:
    """One line of a transaction to be made."""

    description: str = "Account top-up"
    amount: Decimal
    quantity: Decimal = Decimal(1)
    unit_price: Decimal | None = None  # the amount, for a quantity of one
    period_start: datetime | None = None
    period_end: datetime | None = None
    is_tax: bool = False


def make_transaction(
    account: Account,
    *,
    status: str = Status.PAID,
    amount: Decimal | str = "99.00",
    lines: Sequence[LineSpec] = (),
    **fields: Any,
) -> Transaction:
    """Open a transaction with its lines and bring it to `status`.

    With `lines`, the amount is their sum. What a state needs (payment intent, receipt number,
    times) is filled in unless `fields` says otherwise.
    """
    number = next(_numbers)
    lines = lines or [LineSpec(amount=Decimal(amount))]
    total = sum((line.amount for line in lines), Decimal(0))
    settled = _what_the_state_needs(status, number, account)
    settled = {name: fields.pop(name, value) for name, value in settled.items()}
    with database.atomic():
        transaction = Transaction.objects.create(
            **{
                "account": account,
                "number": f"T-{number:06}",
                "purpose": Purpose.TOP_UP,
                "status": Status.CHECKOUT if status == Status.CHECKOUT else Status.PROCESSING,
                "amount": usd(total),
                "charged_amount": convert_to_omr(total, rate=RATE, step=STEP),
                "exchange_rate": RATE,
                "card_brand": "visa",
                "card_last4": "4242",
                "created_at": NOW,
                **fields,
            }
        )
        Line.objects.bulk_create(
            Line(
                transaction=transaction,
                position=position,
                description=line.description,
                quantity=line.quantity,
                unit_price=usd(line.amount if line.unit_price is None else line.unit_price),
                amount=usd(line.amount),
                period_start=line.period_start,
                period_end=line.period_end,
                is_tax=line.is_tax,
            )
            for position, line in enumerate(lines, start=1)
        )
        if settled:
            Transaction.objects.filter(pk=transaction.pk).update(status=status, **settled)
    transaction.refresh_from_db()
    return transaction


def _what_the_state_needs(status: str, number: int, account: Account) -> dict[str, Any]:
    if status == Status.PAID:
        return {
            "paid_at": NOW,
            "stripe_payment_intent_id": f"pi_test_{number}",
            "receipt_number": f"BT-{number:06}",
            "seller": settings.SELLER,
            "billed_to": billing_details(account),
        }
    if status == Status.FAILED:
        return {
            "failed_at": NOW,
            "failure_code": "insufficient_funds",
            "failure_message": "Your card has insufficient funds.",
        }
    return {}
