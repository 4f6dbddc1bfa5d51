"""The end of every scenario: trouble is over, what is open is asked about, the books are right."""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta

from django.db.models import Sum
from django.utils import timezone

from accounts import card_sweeps
from invoices import reversals, sweeper
from invoices.models import Purpose, Status, Transaction
from plans import renewals
from plans.models import UsageRecord
from tests.books import assert_books_are_right
from wallet import refills

#: How much later the sweeper comes by, each time: by then all that is open is to be asked about.
_ROUNDS = [timedelta(minutes=minutes) for minutes in (2, 10, 30, 60, 120)]


def drain() -> None:
    """What the worker's sweeps do, until nothing is unknown."""
    for later in _ROUNDS:
        now = timezone.now() + later
        sweeper.sweep(now=now)
        reversals.sweep(now=now)
        card_sweeps.finish_verifications(now=now)
        renewals.renew_due(now=timezone.now())
        refills.refill_due(now=timezone.now())
        if not Transaction.objects.filter(status=Status.PROCESSING).exists():
            break


def assert_all_is_right(confirmed: Iterable[str] = ()) -> str:
    """Assert that nothing is unknown, lost or doubled; return what was billed, in words.

    `confirmed` are the ids of the usage records that somebody was told are recorded.
    """
    assert not Transaction.objects.filter(status=Status.PROCESSING).exists(), "still unknown"
    assert_books_are_right()
    ids = list(confirmed)
    twice = [each for each, count in Counter(ids).items() if count > 1]
    assert twice == [], "the load confirmed a record twice: its ids are wrong"
    recorded = list(UsageRecord.objects.values_list("record_id", flat=True))
    assert len(recorded) == len(set(recorded)), "a record was recorded twice"
    if ids:
        assert set(recorded) == set(ids), (
            f"{len(set(ids) - set(recorded))} confirmed records are lost, "
            f"{len(set(recorded) - set(ids))} are there that nobody was told of"
        )
    return what_was_billed()


def what_was_billed() -> str:
    """Count what was recorded and paid."""
    paid = Transaction.objects.filter(status=Status.PAID)
    kinds = [
        f"{paid.filter(purpose=purpose).count()} {name}"
        for purpose, name in (
            (Purpose.TOP_UP, "top-ups"),
            (Purpose.AUTO_REFILL, "refills"),
            (Purpose.RENEWAL, "renewals"),
        )
    ]
    total = paid.aggregate(total=Sum("charged_amount"))["total"] or 0
    return f"{UsageRecord.objects.count():,} records, {', '.join(kinds)}, {total} OMR captured"
