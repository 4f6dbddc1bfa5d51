"""The audit finds what does not add up of money that went back (I10)."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.db import connection

from accounts.models import Account, Card
from accounts.stripe_objects import DisputeStage, StripeDispute
from accounts.tests.factories import NOW
from billing_portal import audit
from invoices import disputes
from invoices.tests.refunders import refund
from invoices.tests.test_charging import charge
from wallet.tests.factories import make_payer

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(add_card: Callable[..., Card]) -> Account:
    """Alice bought 25 dollars of credit twice: 10 were refunded, and 25 are disputed."""
    account = make_payer(add_card, name="Alice")
    refund(charge(account), "10")
    disputed = charge(account)
    disputes.record(
        transaction_id=disputed.pk,
        report=StripeDispute(
            id="du_1",
            stage=DisputeStage.OPENED,
            charge_id="ch_1",
            payment_intent_id=disputed.stripe_payment_intent_id,
            amount_minor=9630,
            currency="omr",
            reason="fraudulent",
            evidence_due_at=None,
            opened_at=NOW,
        ),
        now=NOW,
    )
    return account


@pytest.fixture
def behind_the_back(alice: Account) -> Iterator[None]:
    """Let SQL do what triggers and constraints refuse."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET session_replication_role = replica")
        yield
        cursor.execute("SET session_replication_role = DEFAULT")


def test_what_the_services_refunded_breaks_nothing(alice: Account) -> None:
    assert audit.run(now=NOW) == []


@pytest.mark.usefixtures("behind_the_back")
@pytest.mark.parametrize(
    ("named", "corruption"),
    [
        ("refunds_add_up", "ALTER TABLE invoices_refund DISABLE TRIGGER refunds_add_up"),
        ("it says 9.00", "UPDATE invoices_transaction SET refunded_amount = 9 "
                         "WHERE refunded_amount > 0"),
        ("refunds give back 26.00", "UPDATE invoices_refund SET amount = 26"),
        ("10.00 went back of it, taken were 9.0", "UPDATE wallet_entry SET amount = -9 "
                                                  "WHERE kind = 'refund'"),
        ("its entries move 0", "UPDATE wallet_entry SET refund_id = NULL"),
        ("succeeded", "UPDATE invoices_refund SET credit_note_number = ''"),
        ("dispute du_1", "UPDATE wallet_entry SET amount = -26 WHERE kind = 'dispute'"),
        ("dispute du_1", "UPDATE invoices_dispute SET status = 'inquiry'"),
    ],
)  # fmt: skip
def test_what_does_not_add_up_is_named(named: str, corruption: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(corruption)

    for since in (None, NOW - timedelta(days=1)):
        found = [str(violation) for violation in audit.run(now=NOW, since=since)]
        assert any(line.startswith("I10 ") and named in line for line in found), found
