"""The audit of states, holds, tenants, approvals and payments (I11, I12, I14, I15, I16).

What the database refuses is broken here behind its back, as a replica on which no trigger runs.
"""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.db import transaction as database
from djstripe.models import Charge

from accounts.models import Account, CardStatus, User
from accounts.staff_roles import StaffRole
from accounts.tests.factories import NOW, make_account, make_card, make_staff
from billing_portal import audit
from billing_portal.audit import tenants
from invoices.models import Purpose, Status, Transaction
from invoices.tests.factories import make_transaction
from plans.models import Allowance
from plans.tests.factories import make_subscription, make_version
from wallet import approvals, ledger
from wallet.models import Entry, EntryKind

pytestmark = pytest.mark.django_db


def company(name: str) -> Account:
    """A company with a card, credit it bought, an adjustment and two periods."""
    account = make_account(name=name)
    ledger.open_wallet(account=account, now=NOW)
    make_subscription(account, make_version(included="5"), anchor=NOW, number=2)
    card = make_card(account, is_default=True)
    payment = make_transaction(account, amount="25.00", purpose=Purpose.TOP_UP, card=card)
    ledger.post(
        account_id=account.pk,
        kind=EntryKind.TOP_UP,
        amount=Decimal(25),
        description="Credit top-up",
        now=NOW,
        transaction=payment,
    )
    asked = approvals.ask_for_adjustment(
        account=account,
        amount=Decimal(5),
        reason="Goodwill",
        by=User.objects.create_user(f"{name}@staff.test"),
        request_key=name,
        now=NOW,
    )
    chief = make_staff(StaffRole.FINANCE, f"{name}-chief@staff.test")
    approvals.approve(request_id=asked.pk, by=chief, reason="Agreed", now=NOW)
    return account


@pytest.fixture
def alice() -> Account:
    return company("alice")


@pytest.fixture
def bob() -> Account:
    return company("bob")


@pytest.fixture
def behind_the_back(alice: Account, bob: Account) -> Iterator[None]:
    """Let SQL do what triggers and constraints refuse."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET session_replication_role = replica")
        yield
        cursor.execute("SET session_replication_role = DEFAULT")


def found_by_each(invariant: str) -> tuple[list[str], list[str]]:
    """Return what the full audit says breaks an invariant, and what that of what is new says."""
    now = NOW + timedelta(minutes=5)
    whole, new = (
        [str(each) for each in audit.run(now=now, since=since) if each.invariant == invariant]
        for since in (None, NOW - timedelta(days=1))
    )
    return whole, new


def found(invariant: str) -> list[str]:
    """Return what the audit says breaks an invariant; that of what is new says the same."""
    whole, new = found_by_each(invariant)
    assert sorted(new) == sorted(whole)
    return whole


def execute(statement: str) -> None:
    """Run SQL."""
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_what_is_right_breaks_nothing(alice: Account, bob: Account) -> None:
    assert audit.run(now=NOW) == []


PAID = "UPDATE invoices_transaction SET"


@pytest.mark.usefixtures("behind_the_back")
@pytest.mark.parametrize(
    ("invariant", "named", "corruption"),
    [
        ("I11", "transaction_transitions",
         "ALTER TABLE invoices_transaction DISABLE TRIGGER transaction_transitions"),
        ("I11", "is paid: paid", f"{PAID} failure_code = 'expired_card'"),
        ("I11", "is nonsense", f"{PAID} status = 'nonsense', paid_at = NULL, receipt_number = ''"),
        ("I11", "is processing: paid never, failed 20",
         f"{PAID} status = 'processing', paid_at = NULL, receipt_number = '', failed_at = now()"),
        ("I11", "is verified: default t, hold voided 20",
         "UPDATE accounts_card SET removed_at = now()"),
        ("I11", "1 verified cards, 0 of them default",
         "UPDATE accounts_card SET is_default = false"),
        ("I15", "was made and approved by user",
         "UPDATE wallet_adjustment SET approved_by_id = author_id"),
        ("I15", "its author's limit was 0.00, nobody approved",
         "UPDATE wallet_adjustment SET approved_by_id = NULL"),
        ("I15", "in 0 requests", "UPDATE wallet_approvalrequest SET amount = 50"),
        ("I15", "approvals_go_forward",
         "ALTER TABLE wallet_approvalrequest DISABLE TRIGGER approvals_go_forward"),
        ("I16", "lines_of_a_paid_transaction_never_change",
         "ALTER TABLE invoices_line DISABLE TRIGGER lines_of_a_paid_transaction_never_change"),
        ("I16", "lines sum to 20.00", "UPDATE invoices_line SET amount = 20"),
        ("I16", "lines sum to 0", "DELETE FROM invoices_line"),
        ("I16", "its lines have 25.00 of tax", "UPDATE invoices_line SET is_tax = true"),
    ],
)  # fmt: skip
def test_a_broken_invariant_is_named_with_its_row(
    invariant: str, named: str, corruption: str
) -> None:
    # A CHECK holds for a replica, too.
    execute(
        "ALTER TABLE wallet_adjustment DROP CONSTRAINT who_approves_an_adjustment_is_not_its_author"
    )
    execute(corruption)
    assert any(named in line for line in found(invariant)), found(invariant)


@pytest.mark.usefixtures("behind_the_back")
def test_a_payment_that_pays_twice_is_found(alice: Account, bob: Account) -> None:
    execute("DROP INDEX one_transaction_per_payment_intent")
    execute(f"{PAID} stripe_payment_intent_id = 'pi_same'")
    [line] = found("I16")
    assert "payment pi_same pays for T-" in line


def charge_of(payment: Transaction, **changes: Any) -> Charge:
    """What Stripe told of the payment's capture."""
    told = {
        "captured": True,
        "status": "succeeded",
        "amount_captured": int(payment.charged_amount.amount * 1000),
        "amount_refunded": 0,
        "currency": "omr",
        "payment_intent": payment.stripe_payment_intent_id,
        "metadata": {"transaction": payment.number},
        **changes,
    }
    return Charge.objects.create(
        id=f"ch_{Charge.objects.count()}",
        livemode=False,
        amount=Decimal("9.63"),
        currency="omr",
        stripe_data=told,
    )


def test_a_capture_like_its_transaction_is_right(alice: Account) -> None:
    charge_of(alice.transactions.get())
    assert audit.run(now=NOW) == []


@pytest.mark.parametrize(
    "changes", [{"amount_captured": 5000}, {"currency": "usd"}, {"payment_intent": "pi_another"}]
)
def test_a_capture_unlike_its_transaction_is_found(alice: Account, changes: dict[str, Any]) -> None:
    charge_of(alice.transactions.get(), **changes)
    [line] = found("I16")
    assert "Stripe told of" in line


def test_a_capture_whose_transaction_is_not_paid_is_found(alice: Account) -> None:
    lost = make_transaction(alice, status=Status.PROCESSING, card=alice.cards.get())
    charge_of(lost, payment_intent="pi_lost")
    [line] = found("I16")
    assert f"{lost.number} (processing)" in line


# Holds ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("card", "is_found"),
    [
        ({"status": CardStatus.VERIFYING, "created_at": NOW}, False),
        ({"status": CardStatus.VERIFYING, "created_at": NOW - timedelta(hours=2)}, True),
        ({"status": CardStatus.REJECTED}, True),
        ({"status": CardStatus.REJECTED, "stripe_hold_id": ""}, False),
        ({"status": CardStatus.REMOVED, "removed_at": NOW}, True),
    ],
)
def test_a_hold_that_is_not_voided_is_found(
    alice: Account, card: dict[str, Any], is_found: bool
) -> None:
    make_card(alice, hold_voided_at=None, **card)
    assert bool(found("I12")) == is_found


def test_a_hold_that_pays_for_something_is_found(alice: Account) -> None:
    hold = make_card(alice).stripe_hold_id
    make_transaction(alice, status=Status.FAILED, stripe_payment_intent_id=hold)
    [line] = found("I12")
    assert f"hold {hold} of card" in line


@pytest.mark.parametrize(("refunded", "is_found"), [(0, True), (390, False)])
def test_a_hold_that_was_captured_is_found_until_it_is_refunded(
    alice: Account, refunded: int, is_found: bool
) -> None:
    charge_of(
        alice.transactions.get(),
        metadata={"hold": "seti_1"},
        amount_captured=390,
        amount_refunded=refunded,
    )
    assert bool(found("I12")) == is_found


# Tenants --------------------------------------------------------------------------------------
@pytest.mark.usefixtures("behind_the_back")
@pytest.mark.parametrize(
    ("named", "corruption"),
    [
        ("refers to accounts_card",
         "UPDATE invoices_transaction SET card_id = (SELECT id FROM accounts_card WHERE account_id "
         "<> invoices_transaction.account_id)"),
        ("posts adjustment",
         "UPDATE wallet_adjustment SET wallet_id = (SELECT id FROM wallet_wallet WHERE id <> "
         "wallet_adjustment.wallet_id)"),
        ("wallet_entry",
         "UPDATE wallet_entry SET sequence = sequence + 100, account_id = "
         "(SELECT id FROM accounts_account WHERE id <> wallet_entry.account_id)"),
        ("refers to plans_subscription",
         "UPDATE plans_renewal SET account_id = (SELECT id FROM accounts_account WHERE id <> "
         "plans_renewal.account_id)"),
        ("pays for",
         "UPDATE invoices_transaction SET purpose = 'plan_change', subject_id = (SELECT id FROM "
         "plans_subscription WHERE account_id <> invoices_transaction.account_id)"),
        ("which is not there",
         "UPDATE invoices_transaction SET purpose = 'rental', subject_id = 0"),
    ],
)  # fmt: skip
def test_what_refers_to_another_account_is_found(named: str, corruption: str) -> None:
    execute(corruption)
    whole, new = found_by_each("I14")
    assert any(named in line for line in whole), whole
    # What is new is looked up by account: the other end of a reference may be beyond its reach.
    assert any(named in line for line in new), new
    assert set(new) <= set(whole)


@pytest.mark.usefixtures("behind_the_back")
def test_a_key_that_is_gone_is_found() -> None:
    execute("ALTER TABLE invoices_transaction DROP CONSTRAINT a_transaction_charges_its_own_card")
    [line] = found("I14")
    assert "key a_transaction_charges_its_own_card is missing" in line


@pytest.mark.parametrize("refers", ["a card", "a transaction", "an allowance"])
def test_the_database_keeps_accounts_apart(alice: Account, bob: Account, refers: str) -> None:
    def refer() -> None:
        if refers == "a card":
            make_transaction(alice, card=bob.cards.get())
        elif refers == "a transaction":
            ledger.post(
                account_id=alice.pk,
                kind=EntryKind.REFUND,
                amount=Decimal(-1),
                description="Of the example",
                now=NOW,
                transaction=bob.transactions.get(),
            )
        else:
            Allowance.objects.filter(account=alice).update(account=bob)

    def commit() -> None:
        with database.atomic(), connection.cursor() as cursor:
            refer()
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    with pytest.raises(IntegrityError, match=r"its_own|of its account"):
        commit()


def test_the_database_refuses_to_change_who_approved(alice: Account) -> None:
    adjustment = Entry.objects.get(account=alice, kind=EntryKind.ADJUSTMENT).adjustment
    assert adjustment is not None
    adjustment.approved_by = adjustment.author
    with pytest.raises(IntegrityError, match="append-only"):
        adjustment.save()


def test_every_reference_between_accounts_is_checked() -> None:
    """A table that says whose it is, and refers to one that does, is in the audit's list."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT key.conrelid::regclass::text, key_column.attname,
                   key.confrelid::regclass::text
            FROM pg_constraint AS key
            JOIN pg_attribute AS key_column
              ON key_column.attrelid = key.conrelid AND key_column.attnum = key.conkey[1]
            JOIN pg_attribute AS mine
              ON mine.attrelid = key.conrelid AND mine.attname = 'account_id'
            JOIN pg_attribute AS theirs
              ON theirs.attrelid = key.confrelid AND theirs.attname = 'account_id'
            WHERE key.contype = 'f' AND cardinality(key.conkey) = 1
            """
        )
        referring = set(cursor.fetchall())
    ours = ("accounts_", "invoices_", "wallet_", "plans_", "billing_portal_")
    assert {row for row in referring if row[0].startswith(ours)} <= set(tenants.REFERENCES)
