"""The audit of what is new: what it finds, what it leaves to the full one, and what it says."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from accounts.models import Account
from accounts.tests.factories import NOW, make_account
from billing_portal import audit, tasks
from billing_portal.models import Heartbeat
from plans import daily_spend, usage
from plans.tests.factories import make_subscription, make_version
from plans.usage_records import ParsedRecord
from wallet import ledger

pytestmark = pytest.mark.django_db

LONG_AGO, TODAY = NOW, NOW + timedelta(days=9)
YESTERDAY = TODAY - timedelta(days=1)


def call(account: Account, name: str, *, days_later: int) -> None:
    """Report a call of 4 minutes."""
    at = NOW + timedelta(days=days_later)
    record = ParsedRecord(
        id=name,
        account=str(account.pk),
        feature="call_minutes",
        quantity=Decimal(4),
        occurred_at=at,
    )
    usage.record(records=[record], now=at)


@pytest.fixture
def shop() -> Account:
    """Called long ago and today; 5 minutes were included."""
    account = make_account(name="Shop")
    ledger.open_wallet(account=account, now=LONG_AGO)
    make_subscription(account, make_version(included="5"), anchor=LONG_AGO)
    for number, days_later in enumerate((0, 0, 9, 9), start=1):
        call(account, f"call-{number}", days_later=days_later)
    return account


@pytest.fixture
def behind_the_back(shop: Account) -> Iterator[None]:
    """Let SQL do what triggers and constraints refuse."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET session_replication_role = replica")
        yield
        cursor.execute("SET session_replication_role = DEFAULT")


def execute(statement: str) -> None:
    """Run SQL."""
    with connection.cursor() as cursor:
        cursor.execute(statement)


def broken(*, new: bool) -> set[str]:
    """Which invariants the audit of what is new, or the full one, finds broken."""
    since = YESTERDAY if new else None
    return {violation.invariant for violation in audit.run(now=TODAY, since=since)}


def test_what_the_services_did_breaks_nothing(shop: Account) -> None:
    assert broken(new=True) == broken(new=False) == set()


@pytest.mark.usefixtures("behind_the_back")
@pytest.mark.parametrize(
    ("invariant", "corruption"),
    [
        # The oldest new entry has to continue the newest old one.
        ("I1", "UPDATE wallet_entry SET amount = amount - 1 WHERE usage_id = 'call-3'"),
        ("I1", "DELETE FROM wallet_entry WHERE usage_id = 'call-2'"),
        ("I1", "DELETE FROM wallet_entry WHERE usage_id = 'call-4'"),
        ("I1", "UPDATE wallet_wallet SET last_sequence = 9"),
        ("I8", "DELETE FROM wallet_entry WHERE usage_id = 'call-3'"),
        ("I8", "DELETE FROM plans_usagerecord WHERE record_id = 'call-4'"),
        ("I8", "UPDATE wallet_entry SET amount = amount - 1 WHERE usage_id = 'call-3'"),
        # An old call is charged again.
        ("I8", """DROP INDEX one_entry_per_usage_record;
                  INSERT INTO wallet_entry (account_id, wallet_id, sequence, kind, amount,
                      balance_after, description, usage_id, created_at)
                  SELECT account_id, wallet_id, 9, kind, amount, balance_after + amount,
                      description, usage_id, (SELECT max(created_at) FROM wallet_entry)
                  FROM wallet_entry WHERE usage_id = 'call-2'"""),
        # So has the oldest new record what was billed before it; the newest ends at the allowance.
        ("I9", "UPDATE plans_allowance SET billed_quantity = 10"),
        ("I9", "UPDATE plans_usagerecord SET quantity = 3, billed_quantity = 3 "
               "WHERE record_id = 'call-3'"),
        ("I9", "DELETE FROM plans_usagerecord WHERE record_id = 'call-4'"),
    ],
)  # fmt: skip
def test_what_broke_since_yesterday_is_found(invariant: str, corruption: str) -> None:
    execute(corruption)
    assert invariant in broken(new=True)
    assert invariant in broken(new=False)


@pytest.mark.usefixtures("behind_the_back")
@pytest.mark.parametrize(
    ("invariant", "corruption"),
    [
        ("I1", "UPDATE wallet_entry SET amount = amount - 1 WHERE sequence = 1"),
        ("I8", "UPDATE plans_usagerecord SET amount = 0, balance_after = balance_before "
               "WHERE record_id = 'call-2'"),
        ("I9", "DELETE FROM plans_usagerecord WHERE record_id = 'call-1'"),
    ],
)  # fmt: skip
def test_what_was_changed_of_long_ago_is_left_to_the_full_audit(
    invariant: str, corruption: str
) -> None:
    execute(corruption)
    assert broken(new=True) == set()
    assert invariant in broken(new=False)


@pytest.mark.usefixtures("behind_the_back")
def test_daily_sums_that_are_not_the_ledger_s_are_found_by_the_full_audit(shop: Account) -> None:
    daily_spend.add_up(account_id=shop.pk)
    assert broken(new=True) == broken(new=False) == set()
    execute("UPDATE plans_dailyspend SET amount = amount + 1 WHERE id = (SELECT max(id) "
            "FROM plans_dailyspend)")  # fmt: skip
    assert broken(new=True) == set()
    assert broken(new=False) == {"I9"}


def test_the_command_says_since_when_and_what_it_did_not_look_at(shop: Account) -> None:
    output = StringIO()
    call_command("audit", since="2026-01-01", stdout=output)
    assert "no full audit has found nothing yet" in output.getvalue()
    assert "checks hold for what came since 2026-01-01 00:00:00 UTC" in output.getvalue()

    call_command("audit", stdout=StringIO())
    held = audit.checkpoint()
    assert held is not None
    output = StringIO()
    call_command("audit", since="yesterday", stdout=output)
    assert f"the full audit of {held:%Y-%m-%d %H:%M:%S} UTC held" in output.getvalue()
    call_command("audit", since="checkpoint", stdout=output)

    Heartbeat.objects.update(at=timezone.now() - timedelta(days=5))
    output = StringIO()
    call_command("audit", since="yesterday", stdout=output)
    assert "Between that one and then nothing was looked at" in output.getvalue()


@pytest.mark.parametrize("words", ["last week", "2026-13-01", "checkpoint", ""])
def test_a_moment_that_is_none_is_refused_in_words(words: str) -> None:
    with pytest.raises(CommandError, match=r"is no moment|No full audit"):
        call_command("audit", since=words)


@pytest.mark.usefixtures("behind_the_back")
def test_only_a_full_audit_that_finds_nothing_leaves_a_checkpoint() -> None:
    execute("UPDATE wallet_wallet SET balance = 99")
    with pytest.raises(CommandError):
        call_command("audit", stdout=StringIO())
    assert tasks.check_invariants() > 0
    assert audit.checkpoint() is None
    execute("UPDATE wallet_wallet SET balance = (SELECT sum(amount) FROM wallet_entry)")
    assert tasks.check_invariants() == 0
    assert audit.checkpoint() is not None


def test_every_hour_what_came_since_the_checkpoint_is_checked(shop: Account) -> None:
    assert tasks.check_what_is_new() == 0
    assert Heartbeat.objects.filter(name="audit of what is new").exists()
    assert audit.checkpoint() is None
