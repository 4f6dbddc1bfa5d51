"""Credit added or taken by staff."""

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection
from django.db import transaction as database
from djmoney.money import Money

from accounts.models import Account, AuditEvent, User
from accounts.money import usd
from accounts.staff_roles import StaffRole
from accounts.tests.factories import NOW, make_staff
from invoices.models import Refund
from invoices.tests.factories import make_transaction
from wallet import adjustments
from wallet.models import Adjustment, Entry, EntryKind, Wallet
from wallet.tests.factories import balance_of

pytestmark = pytest.mark.django_db


def test_credit_is_given_with_a_reason_and_on_record(alice: Account, finance: User) -> None:
    entry = adjustments.adjust(
        account=alice, amount=Decimal("7.50"), reason=" Outage on Sunday ", author=finance, now=NOW
    )
    assert (entry.kind, entry.description) == (EntryKind.ADJUSTMENT, "Adjustment: Outage on Sunday")
    assert balance_of(alice) == Decimal("12.50")
    event = AuditEvent.objects.get(account=alice)
    assert (event.actor, event.reason) == (finance, "Outage on Sunday")
    assert event.details == {"amount": "7.50", "balance_after": "12.500000"}


def test_taking_more_than_there_is_pauses_services(alice: Account, finance: User) -> None:
    adjustments.adjust(
        account=alice, amount=Decimal(-8), reason="Credited twice", author=finance, now=NOW
    )
    alice.refresh_from_db()
    assert (balance_of(alice), alice.services) == (Decimal(-3), "paused")


@pytest.mark.parametrize(
    ("amount", "reason", "field"),
    [
        ("0", "Because", "amount"),
        ("0.001", "Because", "amount"),
        ("NaN", "Because", "amount"),
        ("Infinity", "Because", "amount"),
        ("100000.01", "Because", "amount"),
        ("-100000.01", "Because", "amount"),
        ("5", "   ", "reason"),
    ],
)
def test_a_slip_of_the_keyboard_changes_nothing(
    alice: Account, finance: User, amount: str, reason: str, field: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        adjustments.adjust(
            account=alice, amount=Decimal(amount), reason=reason, author=finance, now=NOW
        )
    assert list(refused.value.message_dict) == [field]
    assert balance_of(alice) == 5
    assert not Adjustment.objects.exists()


def test_nobody_approves_their_own_adjustment(alice: Account, finance: User) -> None:
    with pytest.raises(ValidationError, match="Somebody else"):
        adjustments.adjust(
            account=alice,
            amount=Decimal(900),
            reason="Outage of a week",
            author=finance,
            approver=finance,
            now=NOW,
        )
    assert not Adjustment.objects.exists()


def test_beyond_ones_limit_nothing_is_adjusted_alone(alice: Account, finance: User) -> None:
    with pytest.raises(ValidationError, match=r"up to \$500.00 alone"):
        adjust(alice, finance, "500.01")
    adjust(alice, finance, "500")
    assert Adjustment.objects.get().author_limit == 500
    nobody = User.objects.create_user("nobody@badal.test", is_staff=True)
    with pytest.raises(ValidationError, match=r"up to \$0.00 alone"):
        adjust(alice, nobody, "0.01")


def test_whoever_has_several_roles_has_the_highest_limit(alice: Account) -> None:
    both = make_staff(StaffRole.SUPPORT)
    both.groups.add(Group.objects.get(name=StaffRole.FINANCE))
    adjust(alice, both, "500")
    assert balance_of(alice) == 505


def test_a_reversal_names_what_it_takes_back_and_is_made_once(
    alice: Account, finance: User
) -> None:
    wrong = adjust(alice, finance, "20").adjustment
    assert wrong is not None
    entry = adjustments.reverse(adjustment=wrong, reason="Meant for Bob", by=finance, now=NOW)
    assert (entry.amount, balance_of(alice)) == (-20, 5)
    assert entry.description == (
        "Reversal of the adjustment of 2026-11-23 (Outage on Sunday): Meant for Bob"
    )
    assert AuditEvent.objects.get(action="adjustment_reversed").reason == "Meant for Bob"
    with pytest.raises(ValidationError, match="reversed already"):
        adjustments.reverse(adjustment=wrong, reason="Again", by=finance, now=NOW)
    reversal = entry.adjustment
    assert reversal is not None
    with pytest.raises(ValidationError, match="a reversal itself"):
        adjustments.reverse(adjustment=reversal, reason="Again", by=finance, now=NOW)


@pytest.mark.parametrize(
    "fields",
    [
        {"author_limit": None},
        {"author_limit": 9},
        {"approved": True},
        {"reverses": True, "amount": -9},
    ],
)
def test_the_database_refuses_what_nobody_approved(
    alice: Account, finance: User, fields: dict[str, Any]
) -> None:
    wrong = adjust(alice, finance, "10").adjustment
    row: dict[str, Any] = {"amount": 10, "author_limit": 500, **fields}
    if row.pop("approved", False):
        row["approved_by"] = make_staff(StaffRole.ADMINISTRATOR)
    if row.pop("reverses", False):
        row["reverses"] = wrong
    wallet = Wallet.objects.get(account=alice)

    def write() -> None:
        Adjustment.objects.create(
            wallet=wallet, reason="By hand", author=finance, created_at=NOW, **row
        )
        # What is checked at the end of a transaction.
        connection.check_constraints()

    with pytest.raises(IntegrityError), database.atomic():
        write()


def test_the_database_keeps_no_refund_that_names_who_was_never_asked(
    alice: Account, finance: User
) -> None:
    payment = make_transaction(alice, amount="25")

    def write() -> None:
        Refund.objects.create(
            account=alice,
            transaction=payment,
            number="R-1",
            origin="portal",
            amount=usd(5),
            charged_amount=Money("1.930", "OMR"),
            reason="By hand",
            made_by=make_staff(StaffRole.SUPPORT),
            approved_by=finance,
            created_at=NOW,
        )
        connection.check_constraints()

    with pytest.raises(IntegrityError, match="nobody was asked"), database.atomic():
        write()


def adjust(account: Account, author: User, amount: str) -> Entry:
    return adjustments.adjust(
        account=account,
        amount=Decimal(amount),
        reason="Outage on Sunday",
        author=author,
        now=NOW,
    )
