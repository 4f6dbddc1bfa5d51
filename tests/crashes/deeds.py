"""What each of the processes does that are let go at once."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.utils import timezone

from accounts.models import Account
from invoices.models import Purpose, Status, Transaction
from invoices.tests import refunders
from plans import renewals, usage
from plans.usage_records import ParsedRecord
from wallet import refills, topups


def batch_of(accounts: Sequence[Account], name: str, *, size: int) -> list[ParsedRecord]:
    """Make a batch of calls of a minute each, whose ids begin with `name`."""
    now = timezone.now()
    return [
        ParsedRecord(
            id=f"{name}-{number}",
            account=str(accounts[number % len(accounts)].pk),
            feature="call_minutes",
            quantity=Decimal(1),
            occurred_at=now,
        )
        for number in range(size)
    ]


def report(batches: Iterable[list[ParsedRecord]]) -> list[str]:
    """Report the batches; return the ids of what was recorded, a repetition included."""
    confirmed = []
    for batch in batches:
        results = usage.record(records=batch, now=timezone.now())
        assert {result.status for result in results} <= {"recorded", "duplicate"}, results
        confirmed += [str(result.id) for result in results]
    return confirmed


def top_up(account: Account) -> list[str]:
    """Charge the saved card for $25; another one under way is said, and is no trouble."""
    with suppress(ValidationError):
        topups.charge_saved_card(
            account=account, amount=Decimal(25), minimum=Decimal(10), by=None, now=timezone.now()
        )
    return []


def refund(account: Account) -> list[str]:
    """Refund $5 of the first top-up."""
    payment = Transaction.objects.filter(
        account=account, purpose=Purpose.TOP_UP, status=Status.PAID
    ).earliest("pk")
    with suppress(ValidationError):
        refunders.refund(payment, "5", now=timezone.now())
    return []


def renew() -> list[str]:
    """Run the renewals, as the command does."""
    renewals.run(clock=timezone.now, threads=2)
    return []


def refill() -> list[str]:
    """Sweep the refills, as beat has it done."""
    refills.refill_due(now=timezone.now())
    return []
