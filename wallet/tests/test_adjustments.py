"""Credit added or taken by staff."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from accounts.models import Account, AuditEvent, User
from accounts.tests.factories import NOW, make_account
from wallet import adjustments
from wallet.models import Adjustment, EntryKind
from wallet.tests.factories import balance_of, make_wallet

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> Account:
    account = make_account(name="Alice Trading")
    make_wallet(account, "5")
    return account


@pytest.fixture
def finance() -> User:
    return User.objects.create_user("finance@badal.test", is_staff=True)


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


def test_who_approved_it_is_on_record(alice: Account, finance: User) -> None:
    chief = User.objects.create_user("chief@badal.test", is_staff=True)
    adjustments.adjust(
        account=alice,
        amount=Decimal(900),
        reason="Outage of a week",
        author=finance,
        approver=chief,
        now=NOW,
    )
    assert Adjustment.objects.get().approved_by == chief
    assert AuditEvent.objects.get(account=alice).details["approved_by"] == "chief@badal.test"


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
