"""What staff are told of approvals: who may decide, that one waits; who asked, how theirs ended."""

from collections.abc import Iterable
from datetime import datetime

from accounts import outbox
from accounts.models import User
from accounts.money import format_usd
from wallet.models import ApprovalRequest, ApprovalState

#: How a request ended, for who asked; what one withdraws oneself one knows.
_OUTCOMES = {
    ApprovalState.EXECUTED: "done",
    ApprovalState.DECLINED: "declined",
    ApprovalState.FAILED: "failed",
    ApprovalState.EXPIRED: "expired",
}


def tell_that_it_waits(
    *, request: ApprovalRequest, colleagues: Iterable[User], now: datetime
) -> None:
    """Record an e-mail to each of these. Call it in the transaction in which it is asked for."""
    outbox.record(
        outbox.email(
            account=request.account,
            event="approval_requested",
            key=f"approval_requested:{request.pk}:{colleague.pk}",
            recipient=colleague.email,
            context={
                "asked_by": request.requested_by.email,
                "kind": request.get_kind_display(),
                "amount": format_usd(request.amount),
                "reason": request.reason,
                "expires_at": request.expires_at.isoformat(),
                "path": _page_of(request),
            },
            now=now,
        )
        for colleague in colleagues
    )


def tell_how_it_ended(*, request: ApprovalRequest, now: datetime) -> None:
    """Record an e-mail to who asked, once for each end. Call it in the transaction of the end.

    A refund that was given up for lost and is found at Stripe after all ends twice. Who has left
    meanwhile is told nothing.
    """
    asker, decider = request.requested_by, request.decided_by
    if not (asker.is_active and asker.is_staff):
        return
    outbox.record_email(
        account=request.account,
        event="approval_ended",
        key=f"approval_ended:{request.pk}:{request.state}",
        recipient=asker.email,
        context={
            "kind": request.get_kind_display(),
            "amount": format_usd(request.amount),
            "outcome": _OUTCOMES[ApprovalState(request.state)],
            "decided_by": decider.email if decider else "",
            "decision": request.decision_reason,
            "failure": request.failure_message if request.state == ApprovalState.FAILED else "",
            "reason": request.reason,
            "path": _page_of(request),
        },
        now=now,
    )


def _page_of(request: ApprovalRequest) -> str:
    return f"/admin/wallet/approvalrequest/{request.pk}/change/"
