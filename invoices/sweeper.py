"""The sweeper: every minute Stripe is asked about what has been open for too long.

The longer a transaction has been open, the less likely is news of it, and the longer the sweeper
waits between two askings: a day's payment page is asked about a dozen times, not every minute. So
ten thousand pages left open don't hammer Stripe; what the limits leave for later comes first then.
"""

from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db.models import DateTimeField, DurationField, ExpressionWrapper, F, Q, QuerySet
from django.db.models.functions import Coalesce, Greatest, Least

from accounts import sweeps
from accounts.models import AuditEvent, User
from invoices import checkout
from invoices.models import OPEN_STATUSES, Status, Transaction

#: How long a transaction may stay open before it is asked about, and the least between askings.
SWEEP_AFTER = timedelta(minutes=1)
#: A charge whose answer is unknown holds up what it pays for: asked about again after a quarter of
#: its age, at the latest after this.
LONGEST_WAIT_FOR_CHARGE = timedelta(minutes=15)
#: A payment page: after as long again as it has been open, at the latest after this.
LONGEST_WAIT_FOR_PAGE = timedelta(hours=6)
#: What one run asks about; each has its own limit, so that pages never hold up charges.
CHARGES_PER_RUN = 200
PAGES_PER_RUN = 200


def sweep(*, now: datetime) -> int:
    """Ask about every transaction that has been open for too long; return how many were settled."""
    charges = due(Status.PROCESSING, now=now)[:CHARGES_PER_RUN]
    pages = due(Status.CHECKOUT, now=now)[:PAGES_PER_RUN]

    def ask(transaction_id: int) -> bool:
        transaction = checkout.refresh(transaction_id=transaction_id, now=now)
        return not transaction.is_open or transaction.is_expired

    return sweeps.Run().each([*charges, *pages], ask, broke="sweep_broke")


def may_be_asked(transaction: Transaction, *, now: datetime) -> bool:
    """Return whether Stripe may still have something to say of it."""
    return transaction.is_open or transaction.can_be_confirmed(now)


def ask_now(*, transaction: Transaction, by: User, reason: str, now: datetime) -> Transaction:
    """Ask Stripe about one transaction at once, because staff want to know; return it as it is.

    Who asked and why is recorded first. When Stripe gives no answer nothing changes. Raises
    ValidationError for one whose end is known.
    """
    if not may_be_asked(transaction, now=now):
        raise ValidationError(f"{transaction} is not open: Stripe has said what became of it.")
    AuditEvent.objects.create(
        account_id=transaction.account_id,
        actor=by,
        action="stripe_asked",
        reason=reason,
        details={"transaction": transaction.number},
        created_at=now,
    )
    return checkout.refresh(transaction_id=transaction.pk, now=now)


def due(status: Status, *, now: datetime) -> QuerySet[Transaction, int]:
    """Return the ids of the open transactions to ask about at `now`, the longest overdue first."""
    age = F("asked_at") - F("created_at")
    if status == Status.PROCESSING:
        wait = Least(
            Greatest(ExpressionWrapper(age / 4, DurationField()), SWEEP_AFTER),
            LONGEST_WAIT_FOR_CHARGE,
        )
    else:
        wait = Least(
            Greatest(ExpressionWrapper(age, DurationField()), SWEEP_AFTER), LONGEST_WAIT_FOR_PAGE
        )
    return (
        Transaction.objects.filter(
            status__in=OPEN_STATUSES,
            created_at__lt=now - SWEEP_AFTER,
            expired_at__isnull=True,
        )
        .filter(status=status)
        .annotate(
            ask_at=Coalesce(
                ExpressionWrapper(F("asked_at") + wait, DateTimeField()),
                ExpressionWrapper(F("created_at") + SWEEP_AFTER, DateTimeField()),
            )
        )
        # A page that has closed since it was asked about has its last word to say.
        .filter(Q(ask_at__lte=now) | Q(expires_at__lte=now, asked_at__lt=F("expires_at")))
        .order_by("ask_at", "pk")
        .values_list("pk", flat=True)
    )
