"""A second pair of eyes: adjustments and refunds that somebody else has to agree to.

Approving does it. An adjustment is posted in the same transaction; of a refund the intent is
recorded in it, and Stripe is asked afterwards as for any refund: whoever dies between, the sweeper
goes on from the refund that is pending. What it is about is locked first (the payment or the
wallet), then the request, so that of two who decide at once one does.
"""

from datetime import datetime, timedelta
from decimal import Decimal

from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError
from django.db import transaction as database
from django.db.models import Q, QuerySet
from django.db.models.functions import Abs

from accounts import reasons
from accounts.models import Account, AuditEvent, User
from accounts.money import format_usd
from accounts.staff_limits import adjustment_limit, approval_limit, refund_limit
from invoices import refund_settlement, refunds
from invoices.models import Refund, RefundStatus, Transaction
from wallet import adjustments, approval_notices, ledger
from wallet.models import Adjustment, ApprovalKind, ApprovalRequest, ApprovalState

#: What nobody decided on for so long has to be asked for again.
LIFETIME = timedelta(days=14)
PERMISSION = "wallet.decide_approval"


@database.atomic
def ask_for_adjustment(
    *,
    account: Account,
    amount: Decimal,
    reason: str,
    by: User,
    now: datetime,
    request_key: str,
    reverses: Adjustment | None = None,
) -> ApprovalRequest:
    """Ask that somebody else approves an adjustment (USD, signed), or the reversal of one.

    Under the same `request_key` it is asked for once. Raises ValidationError as adjust() does.
    """
    reason = adjustments.check(amount=amount, reason=reason)
    # Two who ask to reverse the same one at once: the second is told, not refused by an index.
    ledger.lock(account_ids=[account.pk])
    if reverses is not None:
        if refusal := adjustments.why_not_reversed(reverses):
            raise ValidationError(refusal)
        asked = reverses.reversal_requests.filter(state=ApprovalState.REQUESTED)
        if asked.exclude(request_key=request_key).exists():
            raise ValidationError("Its reversal waits for approval already.")
    return _ask(
        account_id=account.pk,
        kind=ApprovalKind.REVERSAL if reverses else ApprovalKind.ADJUSTMENT,
        amount=amount,
        reverses=reverses,
        reason=reason,
        requested_by=by,
        limit_at_request=adjustment_limit(by),
        request_key=request_key,
        now=now,
    )


@database.atomic
def ask_for_refund(
    *,
    transaction_id: int,
    amount: Decimal,
    reason: str,
    by: User,
    now: datetime,
    request_key: str,
) -> ApprovalRequest:
    """Ask that somebody else approves a refund of `amount` USD. Raises ValidationError."""
    transaction = Transaction.objects.get(pk=transaction_id)
    reason = reasons.checked(reason)
    refunds.quote(transaction=transaction, amount=amount)
    return _ask(
        account_id=transaction.account_id,
        kind=ApprovalKind.REFUND,
        amount=amount,
        transaction=transaction,
        reason=reason,
        requested_by=by,
        limit_at_request=refund_limit(by),
        request_key=request_key,
        now=now,
    )


def _ask(*, request_key: str, now: datetime, **asked: object) -> ApprovalRequest:
    request, is_new = ApprovalRequest.objects.get_or_create(
        request_key=request_key,
        defaults={**asked, "requested_at": now, "expires_at": now + LIFETIME},
    )
    if is_new:
        _note(request, "approval_requested", request.requested_by, request.reason, now)
        approval_notices.tell_that_it_waits(
            request=request, colleagues=who_may_decide(request=request, now=now), now=now
        )
    return request


def who_may_decide(*, request: ApprovalRequest, now: datetime) -> list[User]:
    """Return the colleagues who could decide on a request now, by their address."""
    app_label, _, codename = PERMISSION.partition(".")
    named = {"content_type__app_label": app_label, "codename": codename}
    allowed = Permission.objects.filter(**named)
    colleagues = User.objects.filter(
        Q(is_superuser=True) | Q(groups__permissions__in=allowed) | Q(user_permissions__in=allowed),
        is_active=True,
        is_staff=True,
    )
    return [
        colleague
        for colleague in colleagues.distinct().order_by("email")
        if not why_not(request=request, by=colleague, now=now)
    ]


def why_not(*, request: ApprovalRequest, by: User, now: datetime) -> str:
    """Say why somebody can't decide on a request now, or "" when they can."""
    if request.state != ApprovalState.REQUESTED:
        return f"It is {request.state} already."
    if request.requested_by_id == by.pk:
        return "Somebody else has to decide than who asked."
    if not by.has_perm(PERMISSION):
        return "You may not decide on what colleagues ask for."
    limit = approval_limit(by)
    if abs(request.amount) > limit:
        return f"You decide on up to {format_usd(limit)}. Ask somebody with a higher limit."
    if now > request.expires_at:
        return "Nobody decided on it in time. Have it asked for again."
    return ""


def waiting_for(user: User, *, now: datetime) -> QuerySet[ApprovalRequest]:
    """Return what this person may decide on now, the oldest first."""
    if not user.has_perm(PERMISSION):
        return ApprovalRequest.objects.none()
    return (
        ApprovalRequest.objects.annotate(size=Abs("amount"))
        .filter(
            state=ApprovalState.REQUESTED,
            expires_at__gte=now,
            size__lte=approval_limit(user),
        )
        .exclude(requested_by=user)
        .order_by("requested_at", "pk")
    )


def approve(*, request_id: int, by: User, reason: str, now: datetime) -> ApprovalRequest:
    """Agree to what was asked for, and do it.

    Never call it inside a database transaction: a refund asks Stripe. When it can't be done any
    more, the request fails and says why; approving twice is refused. Raises ValidationError.
    """
    reason = reasons.checked(reason)
    request = ApprovalRequest.objects.select_related("account").get(pk=request_id)
    if refusal := why_not(request=request, by=by, now=now):
        raise ValidationError(refusal)
    try:
        with database.atomic(durable=True):
            request = _lock(request, by, now)
            _decide(request, by, reason, now)
            _bring_about(request, by, now)
    except _CannotBeDone as error:
        _fail(request, by, reason, str(error), now)
        raise ValidationError(f"It can't be done any more: {error}") from error
    if request.refund_id is not None:
        refunds.execute(refund_id=request.refund_id, now=now)
        request.refresh_from_db()
    return request


class _CannotBeDone(Exception):
    """What was possible when it was asked for no longer is."""


def _lock(request: ApprovalRequest, by: User, now: datetime) -> ApprovalRequest:
    """Lock what a request is about, then the request; refuse when somebody was quicker."""
    if request.transaction_id is not None:
        refund_settlement.lock(request.transaction_id)
    else:
        ledger.lock(account_ids=[request.account_id])
    locked = ApprovalRequest.objects.select_for_update(no_key=True, of=("self",)).select_related(
        "account", "requested_by", "reverses__wallet__account", "transaction"
    )
    request = locked.get(pk=request.pk)
    if refusal := why_not(request=request, by=by, now=now):
        raise ValidationError(refusal)
    return request


def _decide(request: ApprovalRequest, by: User, reason: str, now: datetime) -> None:
    request.decided_by, request.decided_at, request.decision_reason = by, now, reason
    _note(request, "approval_approved", by, reason, now)


def _bring_about(request: ApprovalRequest, by: User, now: datetime) -> None:
    try:
        if request.transaction_id is not None:
            request.refund = refunds.record(
                transaction=refund_settlement.lock(request.transaction_id),
                amount=request.amount,
                reason=request.reason,
                by=request.requested_by,
                approver=by,
                now=now,
                request_key=f"approval-{request.pk}",
            )
            request.state = ApprovalState.APPROVED
        else:
            entry = adjustments.adjust(
                account=request.account,
                amount=request.amount,
                reason=request.reason,
                author=request.requested_by,
                approver=by,
                reverses=request.reverses,
                now=now,
            )
            request.adjustment = entry.adjustment
            request.state = ApprovalState.EXECUTED
    except ValidationError as error:
        raise _CannotBeDone(" ".join(error.messages)) from error
    request.save()
    if request.state == ApprovalState.EXECUTED:
        _ended(request, by, request.reason, now)


def _fail(request: ApprovalRequest, by: User, reason: str, why: str, now: datetime) -> None:
    with database.atomic():
        request = _lock(request, by, now)
        request.decided_by, request.decided_at, request.decision_reason = by, now, reason
        request.state, request.failure_message = ApprovalState.FAILED, why[:500]
        request.save()
        _ended(request, by, why, now)


@database.atomic
def decline(*, request_id: int, by: User, reason: str, now: datetime) -> ApprovalRequest:
    """Refuse what was asked for. Raises ValidationError."""
    reason = reasons.checked(reason)
    request = _lock(ApprovalRequest.objects.get(pk=request_id), by, now)
    return _close(request, ApprovalState.DECLINED, by, reason, now)


@database.atomic
def withdraw(*, request_id: int, by: User, reason: str, now: datetime) -> ApprovalRequest:
    """Take back what one asked for oneself. Raises ValidationError."""
    reason = reasons.checked(reason)
    request = ApprovalRequest.objects.select_for_update(no_key=True).get(pk=request_id)
    if request.requested_by_id != by.pk:
        raise ValidationError("Only who asked for it withdraws it.")
    if request.state != ApprovalState.REQUESTED:
        raise ValidationError(f"It is {request.state} already.")
    return _close(request, ApprovalState.WITHDRAWN, by, reason, now)


def _close(
    request: ApprovalRequest, state: ApprovalState, by: User, reason: str, now: datetime
) -> ApprovalRequest:
    request.state, request.decided_by = state, by
    request.decided_at, request.decision_reason = now, reason
    request.save()
    if state == ApprovalState.WITHDRAWN:
        _note(request, "approval_withdrawn", by, reason, now)
    else:
        _ended(request, by, reason, now)
    return request


def expire_due(*, now: datetime, limit: int = 100) -> int:
    """Close what nobody decided on in time, at most `limit` requests; return how many.

    Each in a transaction of its own, so that who asked is told exactly when it is closed.
    """
    waits = ApprovalRequest.objects.filter(state=ApprovalState.REQUESTED, expires_at__lt=now)
    return sum(_expire(pk, now) for pk in waits.order_by("pk").values_list("pk", flat=True)[:limit])


@database.atomic
def _expire(pk: int, now: datetime) -> bool:
    still_waits = ApprovalRequest.objects.filter(pk=pk, state=ApprovalState.REQUESTED)
    request = still_waits.select_for_update(no_key=True).first()
    if request is None:
        return False
    request.state, request.decided_at = ApprovalState.EXPIRED, now
    request.save()
    _ended(request, None, "Nobody decided on it in time.", now)
    return True


def refund_ended(refund: Refund, now: datetime) -> None:
    """Say at its request how an approved refund ended; its payment is locked."""
    request = ApprovalRequest.objects.select_for_update(no_key=True).filter(refund=refund).first()
    if request is None or request.state == ApprovalState.EXECUTED:
        return
    if refund.status == RefundStatus.SUCCEEDED:
        request.state, why = ApprovalState.EXECUTED, request.reason
    else:
        request.state, why = ApprovalState.FAILED, refund.failure_message or "The refund failed."
        request.failure_message = why
    request.save()
    _ended(request, request.decided_by, why, now)


def _ended(request: ApprovalRequest, actor: User | None, why: str, now: datetime) -> None:
    """Keep how it ended, and tell who asked."""
    _note(request, f"approval_{request.state}", actor, why, now)
    approval_notices.tell_how_it_ended(request=request, now=now)


def _note(
    request: ApprovalRequest, action: str, actor: User | None, reason: str, now: datetime
) -> None:
    AuditEvent.objects.create(
        account_id=request.account_id,
        actor=actor,
        action=action,
        reason=reason,
        details={
            "request": request.pk,
            "kind": request.kind,
            "amount": str(request.amount),
            "asked_by": str(request.requested_by),
            **({"transaction": request.transaction.number} if request.transaction else {}),
            **({"reverses": request.reverses_id} if request.reverses_id else {}),
        },
        created_at=now,
    )
