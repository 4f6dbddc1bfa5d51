"""The audit finds each broken invariant and names the row.

What the database refuses is broken here behind its back, as a replica on which no trigger runs.
"""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from djstripe.models import Charge

from accounts.models import Account
from accounts.money import usd
from accounts.tests.factories import NOW, make_account, make_card
from billing_portal import audit
from invoices.models import Purpose, Status
from invoices.tests.factories import make_transaction
from plans import usage
from plans.models import Renewal
from plans.tests.factories import make_subscription, make_version
from plans.usage_records import ParsedRecord
from wallet import ledger
from wallet.models import AutoRefill, EntryKind
from wallet.tests.factories import switch_on

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> Account:
    """Alice topped up by 25 dollars and made a call beyond her allowance of 5 minutes."""
    account = make_account(name="Alice")
    ledger.open_wallet(account=account, now=NOW)
    make_subscription(account, make_version(included="5"), anchor=NOW, number=2)
    make_transaction(account, status=Status.PAID, amount="25.00", purpose=Purpose.TOP_UP)
    ledger.post(
        account_id=account.pk,
        kind=EntryKind.TOP_UP,
        amount=Decimal(25),
        description="Credit top-up",
        now=NOW,
        transaction=account.transactions.get(),
    )
    usage.record(
        records=[
            ParsedRecord(
                id="call-1",
                account=str(account.pk),
                feature="call_minutes",
                quantity=Decimal(12),
                occurred_at=NOW,
            )
        ],
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


def execute(*statements: str) -> None:
    """Run SQL."""
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def test_what_the_services_did_breaks_nothing(alice: Account) -> None:
    assert audit.run(now=NOW) == []


@pytest.mark.usefixtures("behind_the_back")
@pytest.mark.parametrize(
    ("invariant", "named", "corruption"),
    [
        ("I1", "balance 99", ["UPDATE wallet_wallet SET balance = 99"]),
        ("I16", "of tax", ["UPDATE invoices_line SET is_tax = true"]),
        ("I1", "number 7", ["UPDATE wallet_entry SET sequence = 7 WHERE sequence = 2"]),
        ("I1", "24.300000 after", ["UPDATE wallet_entry SET amount = -0.5 WHERE sequence = 2"]),
        (
            "I2",
            "entries_are_append_only",
            ["ALTER TABLE wallet_entry DISABLE TRIGGER entries_are_append_only"],
        ),
        ("I3", "credited 20", ["UPDATE wallet_entry SET amount = 20 WHERE sequence = 1"]),
        ("I3", "is failed", ["UPDATE invoices_transaction SET status = 'failed', paid_at = NULL, "
                             "failed_at = created_at, receipt_number = ''"]),
        ("I3", "pays 0 renewals", ["UPDATE invoices_transaction SET purpose = 'renewal'",
                                   "DELETE FROM wallet_entry WHERE sequence = 1"]),
        ("I4", "settled", ["UPDATE invoices_transaction SET paid_at = 'yesterday', "
                           "created_at = 'today'"]),
        (
            "I7",
            "period 3",
            ["UPDATE plans_renewal SET number = 3, period_start = start_of_period(anchor, 3), "
             "period_end = start_of_period(anchor, 4) WHERE number = 2"],
        ),
        ("I7", "is in period 2, opened are 1",
         ["DELETE FROM plans_allowance WHERE used = 0",
          "DELETE FROM plans_renewal WHERE number = 2"]),
        ("I8", "0 entries", ["DELETE FROM wallet_entry WHERE kind = 'usage'"]),
        ("I8", "for record call-1", ["DELETE FROM plans_usagerecord"]),
        ("I9", "5.000000 of 5.000000 used", ["DELETE FROM plans_usagerecord"]),
        ("I9", "3.000000 of 5.000000 used", ["UPDATE plans_allowance SET used = 3"]),
        ("I13", "paused for {negative_balance}",
         ["UPDATE accounts_account SET pause_reasons = '{negative_balance}'"]),
        ("I13", "paused for {subscription_unpaid}",
         ["UPDATE accounts_account SET pause_reasons = '{subscription_unpaid}'"]),
        ("I13", "of 1.00 spent, paused for {}",
         ["UPDATE wallet_wallet SET spend_cap = 1, unspent_balance = balance + 1, "
          "spend_since = 0"]),
        ("I13", "paused for {spend_cap}",
         ["UPDATE accounts_account SET pause_reasons = '{spend_cap}'"]),
        ("I1", "3.000000 counted after entry 1",
         ["UPDATE wallet_wallet SET spend_cap = 9, unspent_balance = balance + 3, "
          "spend_since = 1"]),
        ("I1", "counts after entry 1, the next usage came at",
         ["UPDATE wallet_wallet SET spend_cap = 9, unspent_balance = 25, spend_since = 1"]),
        ("I1", "counts after entry 2, the last usage before it came at",
         ["UPDATE wallet_wallet SET spend_cap = 9, unspent_balance = balance, spend_since = 2",
          "UPDATE wallet_entry SET created_at = created_at + interval '2 months' "
          "WHERE sequence = 2"]),
        ("I13", "unpaid since", ["UPDATE plans_subscription SET status = 'past_due', "
                                 "past_due_since = anchor - interval '9 days'"]),
    ],
)  # fmt: skip
def test_a_broken_invariant_is_named_with_its_row(
    invariant: str, named: str, corruption: list[str]
) -> None:
    execute(*corruption)

    # The full audit finds it, and the one of what came since yesterday.
    for since in (None, NOW - timedelta(days=1)):
        found = [str(violation) for violation in audit.run(now=NOW, since=since)]
        assert any(line.startswith(f"{invariant} ") and named in line for line in found), found


@pytest.mark.usefixtures("behind_the_back")
def test_two_open_attempts_at_one_obligation_are_found(alice: Account) -> None:
    execute(
        "DROP INDEX one_open_attempt_per_obligation",
        "DROP INDEX one_open_refill_per_account",
    )
    card = make_card(alice, is_default=True)
    for _ in range(2):
        make_transaction(
            alice,
            card=card,
            status=Status.PROCESSING,
            amount="25.00",
            purpose=Purpose.AUTO_REFILL,
            obligation="auto_refill",
        )

    for since in (None, NOW - timedelta(days=1)):
        broken = {violation.invariant for violation in audit.run(now=NOW, since=since)}
        assert broken == {"I5", "I6"}


@pytest.mark.usefixtures("behind_the_back")
def test_a_capture_that_nobody_intended_is_found(alice: Account) -> None:
    Charge.objects.create(
        id="ch_stray",
        livemode=False,
        amount=Decimal("3.85"),
        currency="omr",
        stripe_data={
            "captured": True,
            "status": "succeeded",
            "amount_captured": 3850,
            "currency": "omr",
            "metadata": {},
        },
    )

    for since in (None, NOW - timedelta(days=1)):
        (violation,) = audit.run(now=NOW, since=since)
        assert violation.invariant == "I4"
        assert "ch_stray of 3850 omr" in violation.row


@pytest.mark.usefixtures("behind_the_back")
def test_overlapping_subscriptions_are_found(alice: Account) -> None:
    make_subscription(
        alice, make_version(), anchor=NOW + timedelta(days=1), ended_at=NOW + timedelta(days=9)
    )

    for since in (None, NOW - timedelta(days=1)):
        (violation,) = audit.run(now=NOW, since=since)
        assert (violation.invariant, violation.rule) == (
            "I7",
            "subscriptions of an account do not overlap",
        )


def test_the_command_says_that_all_holds(alice: Account) -> None:
    output = StringIO()

    call_command("audit", stdout=output)

    every = ", ".join(f"I{number}" for number in range(1, 17))
    assert f"checks hold: {every}." in output.getvalue()


@pytest.mark.usefixtures("behind_the_back")
def test_the_command_fails_and_names_what_is_broken() -> None:
    execute("UPDATE wallet_wallet SET balance = 99")
    output = StringIO()

    with pytest.raises(CommandError, match="break an invariant"):
        call_command("audit", stdout=output)

    assert (
        "BROKEN I1 a balance equals the sum of its entries, numbered from one without gaps: wallet"
        in output.getvalue()
    )


@pytest.mark.usefixtures("behind_the_back")
@pytest.mark.parametrize(
    ("named", "corruption"),
    [
        ("for 98.00 USD", ["UPDATE plans_renewal SET amount = 98 WHERE amount = 99"]),
        ("which is failed", ["UPDATE invoices_transaction SET status = 'failed', paid_at = NULL, "
                             "failed_at = created_at, receipt_number = '' "
                             "WHERE purpose = 'renewal'"]),
        ("subject 0", ["UPDATE invoices_transaction SET subject_id = 0 "
                                "WHERE purpose = 'renewal'"]),
    ],
)  # fmt: skip
def test_a_period_that_was_not_paid_as_it_says_is_found(
    alice: Account, named: str, corruption: list[str]
) -> None:
    [renewal] = Renewal.objects.filter(account=alice, number=2)
    payment = make_transaction(
        alice, amount="99.00", purpose=Purpose.RENEWAL, subject_id=renewal.pk
    )
    Renewal.objects.filter(pk=renewal.pk).update(amount=usd(99), transaction=payment)
    assert audit.run(now=NOW) == []

    execute(*corruption)

    for since in (None, NOW - timedelta(days=1)):
        found = [str(violation) for violation in audit.run(now=NOW, since=since)]
        assert any(line.startswith("I3 ") and named in line for line in found), found


@pytest.mark.parametrize("change", [{"amount": 500}, {"threshold": 90}, {"monthly_maximum": 900}])
def test_a_refill_rule_that_nobody_agreed_to_is_found(
    alice: Account, change: dict[str, int]
) -> None:
    make_card(alice, is_default=True)
    switch_on(alice, threshold="0", amount="25")
    assert audit.run(now=NOW) == []

    AutoRefill.objects.filter(wallet__account=alice).update(**change)

    [violation] = audit.run(now=NOW)
    assert str(violation).startswith("I4 auto-refill charges by what its customer agreed to")
