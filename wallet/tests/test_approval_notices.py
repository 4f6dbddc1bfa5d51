"""What staff are told of approvals, and how a request ends that nobody decides on."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from accounts.models import Account, Message, User
from accounts.staff_roles import StaffRole
from accounts.tests.factories import NOW, make_staff
from wallet import adjustments, approvals
from wallet.models import ApprovalRequest, ApprovalState
from wallet.tests.test_approvals import LATER, approve, ask, decline, story_of

pytestmark = pytest.mark.django_db


def told(event: str) -> list[tuple[str, dict[str, Any]]]:
    """Who was sent what about approvals."""
    sent = Message.objects.filter(event=event).order_by("recipient", "pk")
    return [(message.recipient, message.payload) for message in sent]


def test_those_who_may_approve_are_told_once_that_it_waits(alice: Account, support: User) -> None:
    finance = make_staff(StaffRole.FINANCE, "finance@badal.test")
    make_staff(StaffRole.ADMINISTRATOR, "chief@badal.test")
    make_staff(StaffRole.AUDITOR, "auditor@badal.test")
    left = make_staff(StaffRole.FINANCE, "left@badal.test")
    User.objects.filter(pk=left.pk).update(is_active=False)

    asked = ask(alice, support)
    ask(alice, support)  # the form sent again

    waits = {
        "asked_by": "support@badal.test",
        "kind": "Adjustment",
        "amount": "$100.00",
        "reason": "Outage on Sunday",
        "expires_at": asked.expires_at.isoformat(),
        "path": f"/admin/wallet/approvalrequest/{asked.pk}/change/",
    }
    assert told("approval_requested") == [
        ("chief@badal.test", waits),
        ("finance@badal.test", waits),
    ]
    # Not who asks, nor whose limit is below it.
    ask(alice, finance, "-6000", key="2")
    assert [who for who, about in told("approval_requested") if about["amount"] != "$100.00"] == [
        "chief@badal.test"
    ]


def test_who_asked_is_told_how_it_ended(alice: Account, support: User, finance: User) -> None:
    done, declined, old, own = (ask(alice, support, key=key) for key in "1234")
    approve(done, finance)
    decline(declined, finance)
    approvals.withdraw(request_id=own.pk, by=support, reason="A slip", now=LATER)
    assert approvals.expire_due(now=old.expires_at) == 0
    for _ in range(2):
        approvals.expire_due(now=old.expires_at + timedelta(seconds=1))

    assert [
        (who, about["outcome"], about["decided_by"], about["decision"])
        for who, about in told("approval_ended")
    ] == [
        ("support@badal.test", "done", "finance@badal.test", "Agreed"),
        ("support@badal.test", "declined", "finance@badal.test", "Too much"),
        ("support@badal.test", "expired", "", ""),
    ]
    old.refresh_from_db()
    assert old.state == ApprovalState.EXPIRED
    with pytest.raises(ValidationError, match="expired already"):
        approve(old, finance)
    assert story_of(alice)[-1] == "approval_expired"


def test_who_left_meanwhile_is_told_nothing_and_what_they_asked_for_stands(
    alice: Account, support: User, finance: User
) -> None:
    asked = ask(alice, support)
    User.objects.filter(pk=support.pk).update(is_active=False)
    assert approve(asked, finance).state == ApprovalState.EXECUTED
    assert told("approval_ended") == []


def test_who_asked_reads_why_what_was_approved_could_not_be_done(
    alice: Account, support: User, finance: User
) -> None:
    wrong = adjustments.adjust(
        account=alice, amount=Decimal(400), reason="A slip", author=finance, now=NOW
    ).adjustment
    assert wrong is not None
    asked = approvals.ask_for_adjustment(
        account=alice,
        amount=-wrong.amount,
        reason="Meant for Bob",
        by=support,
        now=NOW,
        request_key="1",
        reverses=wrong,
    )
    adjustments.reverse(adjustment=wrong, reason="Meant for Bob", by=finance, now=NOW)
    with pytest.raises(ValidationError, match="reversed already"):
        approve(asked, finance)
    [(who, about)] = told("approval_ended")
    assert (who, about["outcome"]) == ("support@badal.test", "failed")
    assert about["failure"] == "It is reversed already."


def test_a_reversal_that_nobody_decided_on_is_asked_for_again(
    alice: Account, support: User, finance: User
) -> None:
    wrong = approve(ask(alice, support), finance).adjustment
    assert wrong is not None

    def ask_to_reverse(key: str, now: datetime) -> ApprovalRequest:
        return approvals.ask_for_adjustment(
            account=alice,
            amount=-wrong.amount,
            reason="Meant for Bob",
            by=support,
            now=now,
            request_key=key,
            reverses=wrong,
        )

    later = ask_to_reverse("2", NOW).expires_at + timedelta(minutes=1)
    approvals.expire_due(now=later)
    assert ask_to_reverse("3", later).state == ApprovalState.REQUESTED
