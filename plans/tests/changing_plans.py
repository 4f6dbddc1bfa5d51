"""Changing plans the way a customer does: look at the quote, then agree to it."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from accounts.models import Account, Message
from accounts.money import to_minor_units
from accounts.stripe_objects import Outcome, Payment
from billing_portal import audit
from invoices import settlement
from invoices.charging import NewLine
from invoices.models import Transaction
from plans import plan_changes, plan_quotes, rentals, usage
from plans.models import Allowance
from plans.plan_changes import Agreed
from plans.plan_quotes import Quote
from plans.tests.factories import make_record
from plans.tests.subscribers import feature, subscription_of, version_of
from plans.usage import Result

#: A period of 30 days: 1 to 30 November 2026. After twelve of them eighteen are left.
START = datetime(2026, 11, 1, tzinfo=UTC)
TWELFTH = datetime(2026, 11, 13, tzinfo=UTC)
END = datetime(2026, 12, 1, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


def look(account: Account, plan: str, *, at: datetime) -> Quote:
    """Return the quote that the page of a plan shows."""
    return plan_quotes.quote(account=account, plan_version=version_of(plan), at=at)


def move(account: Account, plan: str, *, now: datetime, seen_at: datetime | None = None) -> Agreed:
    """Agree to the quote that was shown at `seen_at`, or just now."""
    quote = look(account, plan, at=seen_at or now)
    return plan_changes.agree(
        account=account,
        plan_version=version_of(plan),
        sealed=plan_quotes.seal(quote, account=account),
        by=None,
        now=now,
    )


def written(lines: Iterable[NewLine]) -> list[tuple[str, Decimal]]:
    """Return description and amount of each line."""
    return [(line.description, line.amount) for line in lines]


def use(account: Account, minutes: object, at: datetime, *, now: datetime | None = None) -> Result:
    """Report call minutes and return the result."""
    record = make_record(
        account, feature="call_minutes", quantity=Decimal(str(minutes)), occurred_at=at
    )
    [result] = usage.record(records=[record], now=now or at)
    return result


def allowance(account: Account, key: str = "call_minutes") -> tuple[Decimal, Decimal]:
    """Return what the newest period includes of a feature, and what was used of it."""
    row = Allowance.objects.filter(account=account, feature__key=key).order_by("renewal_id").last()
    return (row.included, row.used) if row else (Decimal(0), Decimal(0))


def hold(account: Account, key: str, quantity: int, now: datetime) -> None:
    rentals.set_quantity(account=account, feature=feature(key), quantity=quantity, now=now)


def plan_of(account: Account) -> str:
    return subscription_of(account).plan_version.plan.slug


def told(account: Account, event: str) -> int:
    return Message.objects.filter(account=account, event=event).count()


def settle_late(transaction: Transaction, now: datetime) -> None:
    """Have Stripe say that a payment it reported as failed succeeded after all."""
    minor = to_minor_units(transaction.charged_amount)
    late = Payment(Outcome.SUCCEEDED, f"pi_late_{transaction.pk}", minor, "omr")
    settlement.settle(transaction_id=transaction.pk, payment=late, now=now)


def assert_clean(now: datetime) -> None:
    __tracebackhide__ = True
    assert audit.run(now=now) == []
