"""The nightly comparison of Stripe's payments with ours, in both directions.

What is paid there and not here is carried out, once, through the settling that everything goes
through; what was refunded there and not here is recorded the same way. What must not be repaired by
a program is kept as a finding until a person has dealt with it.

A run walks page by page: a page is asked for outside any transaction, then what it brings about is
committed with the place it has come to. So it takes no more memory than a page, a run that dies is
gone on with by the next one, and two runs at once hinder and repeat nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.db import transaction as database
from django.db.models import Exists, OuterRef

from accounts import gateway, outbox
from accounts.models import AuditEvent, User
from accounts.stripe_objects import ListedPayment, Outcome
from invoices import payment_comparison
from invoices.models import (
    ReconciliationFinding,
    ReconciliationRun,
    SeenPayment,
    Status,
    Transaction,
)
from invoices.reconciliation_models import REPAIRS, Phase

log = structlog.get_logger(__name__)

#: How far back a run looks.
DAYS = 30
#: What is younger may still be on its way; the sweeper looks after it.
LEAVE_ALONE = timedelta(minutes=15)
#: A page of payments, and a chunk of transactions.
PAGE = 100
#: Findings that the e-mail to staff spells out.
MOST_IN_EMAIL = 20


@dataclass(frozen=True, slots=True)
class Report:
    """How a run ended."""

    run: ReconciliationRun
    findings: Sequence[ReconciliationFinding]


class RunElsewhere(Exception):
    """Another process is walking the same run."""


def reconcile(*, now: datetime, days: int = DAYS) -> Report:
    """Compare the payments of the last `days`, or go on with a run that was cut short.

    Returns the run with what it found that needs a person. Raises GatewayUnavailable when Stripe
    gives no answer (call it again: it goes on from there) and RunElsewhere.
    """
    run = _begin(now=now, days=days)
    while run.phase == Phase.STRIPE:
        _compare_page_of_payments(run, now)
    while run.phase == Phase.PORTAL:
        _compare_page_of_transactions(run, now)
    return Report(run, to_deal_with(run))


def to_deal_with(run: ReconciliationRun) -> list[ReconciliationFinding]:
    """Return what a run found that needs a person and nobody has dealt with."""
    open_ones = ReconciliationFinding.objects.filter(last_run=run, dealt_with_at__isnull=True)
    return list(open_ones.order_by("pk"))


def _begin(*, now: datetime, days: int) -> ReconciliationRun:
    unfinished = ReconciliationRun.objects.filter(finished_at__isnull=True)
    if (run := unfinished.first()) is not None:
        return run
    until = now - LEAVE_ALONE
    try:
        with database.atomic():
            return ReconciliationRun.objects.create(
                since=now - timedelta(days=days), until=until, started_at=now
            )
    except IntegrityError as error:
        raise RunElsewhere("Another run has just begun.") from error


def _advance(run: ReconciliationRun, *, phase: Phase, cursor: str, now: datetime) -> None:
    """Note how far the run has come, in the transaction of what it found. Raises RunElsewhere."""
    finished_at = now if phase == Phase.DONE else None
    moved = ReconciliationRun.objects.filter(pk=run.pk, phase=run.phase, cursor=run.cursor).update(
        phase=phase,
        cursor=cursor,
        payments=run.payments,
        transactions=run.transactions,
        repaired=run.repaired,
        unexplained=run.unexplained,
        finished_at=finished_at,
    )
    if not moved:
        raise RunElsewhere("Another process goes on with this run.")
    run.phase, run.cursor, run.finished_at = phase, cursor, finished_at


# Stripe's payments against ours ---------------------------------------------------------------
def _compare_page_of_payments(run: ReconciliationRun, now: datetime) -> None:
    page = gateway.list_payments(since=run.since, until=run.until, after=run.cursor, limit=PAGE)
    if not page:
        with database.atomic(durable=True):
            _advance(run, phase=Phase.PORTAL, cursor="", now=now)
        return
    captured = [listed for listed in page if listed.payment.outcome == Outcome.SUCCEEDED]
    ours = payment_comparison.transactions_of(captured)
    for listed in captured:
        _compare(run, listed, ours.get(listed.id), now)
    met = [transaction.pk for transaction in ours.values()]
    with database.atomic(durable=True):
        paid = Transaction.objects.filter(
            pk__in=met,
            status=Status.PAID,
            stripe_payment_intent_id__in=[listed.id for listed in captured],
        )
        SeenPayment.objects.bulk_create(
            (SeenPayment(run=run, transaction=transaction) for transaction in paid),
            ignore_conflicts=True,
        )
        run.payments += len(captured)
        _advance(run, phase=Phase.STRIPE, cursor=page[-1].id, now=now)


def _compare(
    run: ReconciliationRun, listed: ListedPayment, transaction: Transaction | None, now: datetime
) -> None:
    """Repair or note what one captured payment and its transaction differ in.

    Each in a transaction of its own, for it takes the locks of what was bought.
    """
    try:
        with database.atomic(durable=True):
            _note(run, payment_comparison.compare(listed, transaction, now=now), now)
        if transaction is not None:
            for difference in payment_comparison.compare_reversals(listed, transaction, now=now):
                with database.atomic(durable=True):
                    _note(run, difference, now)
    except gateway.GatewayUnavailable:
        raise
    except Exception as error:
        # Whatever is wrong with one payment must not hold back the others.
        log.exception("payment_not_compared", payment=listed.id)
        _note(run, payment_comparison.not_carried_out(listed, transaction, error), now)


# Our transactions against Stripe's payments ---------------------------------------------------
def _compare_page_of_transactions(run: ReconciliationRun, now: datetime) -> None:
    """Look up what is paid here and was not met at Stripe."""
    begun_at = int(run.cursor or 0)
    paid = Transaction.objects.filter(
        status=Status.PAID, created_at__gte=run.since, created_at__lt=run.until, pk__gt=begun_at
    )
    seen = SeenPayment.objects.filter(run=run, transaction=OuterRef("pk"))
    page = list(paid.annotate(is_seen=Exists(seen)).order_by("pk")[:PAGE])
    differences = [
        difference
        for transaction in page
        if not transaction.is_seen
        and (difference := payment_comparison.look_up(transaction)) is not None
    ]
    with database.atomic(durable=True):
        for difference in differences:
            _note(run, difference, now)
        run.transactions += len(page)
        if page:
            _advance(run, phase=Phase.PORTAL, cursor=str(page[-1].pk), now=now)
        else:
            _finish(run, now)


def _finish(run: ReconciliationRun, now: datetime) -> None:
    """Close the run, and tell staff what it found that is new."""
    findings = to_deal_with(run)
    run.unexplained = len(findings)
    run.repaired = run.new_findings.filter(kind__in=REPAIRS).count()
    _advance(run, phase=Phase.DONE, cursor="", now=now)
    SeenPayment.objects.filter(run=run).delete()
    new = [finding for finding in findings if finding.first_run_id == run.pk]
    log.info(
        "reconciled",
        payments=run.payments,
        transactions=run.transactions,
        repaired=run.repaired,
        unexplained=run.unexplained,
    )
    if not new:
        return
    outbox.record_email(
        account=None,
        event="reconciliation_findings",
        key=f"reconciliation_findings:{run.pk}",
        recipient=settings.STAFF_EMAIL,
        context={
            "count": len(new),
            "findings": [f"{one}. {one.detail}" for one in new[:MOST_IN_EMAIL]],
            "more": max(len(new) - MOST_IN_EMAIL, 0),
            "path": f"/admin/invoices/reconciliationrun/{run.pk}/change/",
        },
        now=now,
    )


# Findings -------------------------------------------------------------------------------------
def _note(
    run: ReconciliationRun, difference: payment_comparison.Difference | None, now: datetime
) -> None:
    """Keep a difference, if there is one; one that was found before is found again."""
    if difference is None:
        return
    is_repaired = difference.kind in REPAIRS
    finding, is_new = ReconciliationFinding.objects.get_or_create(
        kind=difference.kind,
        subject=difference.subject,
        defaults={
            "account_id": difference.account_id,
            "transaction": difference.transaction,
            "detail": difference.detail[:500],
            "first_run": run,
            "last_run": run,
            "found_at": now,
            "dealt_with_at": now if is_repaired else None,
            "note": "Repaired by the comparison itself." if is_repaired else "",
        },
    )
    if not is_new:
        ReconciliationFinding.objects.filter(pk=finding.pk).update(
            last_run=run, detail=difference.detail[:500]
        )
    tell = log.warning if is_repaired else log.error
    tell(
        "reconciliation_finding",
        kind=difference.kind,
        subject=difference.subject,
        detail=difference.detail,
    )


@database.atomic
def deal_with(*, finding_id: int, note: str, by: User, now: datetime) -> ReconciliationFinding:
    """Note what a person did about a finding: from then on it needs nobody.

    Raises ValidationError without a note, or when it was dealt with before.
    """
    note = note.strip()
    if not note:
        raise ValidationError({"note": "Say what was done, for whoever reads this next."})
    finding = ReconciliationFinding.objects.select_for_update().get(pk=finding_id)
    if finding.dealt_with_at is not None:
        raise ValidationError("This is dealt with already.")
    finding.dealt_with_at, finding.dealt_with_by, finding.note = now, by, note
    finding.save(update_fields=["dealt_with_at", "dealt_with_by", "note"])
    AuditEvent.objects.create(
        account_id=finding.account_id,
        actor=by,
        action="reconciliation_finding_dealt_with",
        reason=note,
        details={"kind": finding.kind, "subject": finding.subject},
        created_at=now,
    )
    return finding
