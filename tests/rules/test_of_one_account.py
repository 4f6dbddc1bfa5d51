"""Nothing of one account refers to another's (I14): the keys that carry the account see to it.

Triggers often refuse first; they are switched off here, so that it is the keys that are tried.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, models
from django.db import transaction as database
from djmoney.money import Money

from accounts.models import Account
from accounts.money import usd
from accounts.staff_roles import StaffRole
from accounts.tests.factories import NOW, make_card, make_staff
from invoices.models import (
    Dispute,
    ReconciliationFinding,
    ReconciliationRun,
    Refund,
    Status,
    Transaction,
)
from invoices.tests.factories import make_transaction
from plans import usage
from plans.models import Allowance, PlanChange, Renewal, Subscription, UsageRecord
from plans.tests.factories import make_customer, make_record, make_version
from wallet.models import Adjustment, ApprovalRequest, Wallet

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(days=1)


def refund_of(account: Account) -> Refund:
    return Refund.objects.create(
        account=account,
        transaction=account.transactions.get(),
        number="R-1",
        origin="stripe",
        amount=usd(5),
        charged_amount=Money("1.930", "OMR"),
        reason="Paid twice",
        created_at=NOW,
    )


def dispute_of(account: Account) -> Dispute:
    return Dispute.objects.create(
        account=account,
        transaction=account.transactions.get(),
        status="opened",
        amount=usd(5),
        charged_amount=Money("1.930", "OMR"),
        stripe_dispute_id=f"dp_{account.pk}",
        opened_at=NOW,
        asked_at=NOW,
    )


def finding_of(account: Account) -> ReconciliationFinding:
    run, _ = ReconciliationRun.objects.get_or_create(
        since=NOW, until=LATER, defaults={"started_at": NOW}
    )
    return ReconciliationFinding.objects.create(
        account=account,
        transaction=account.transactions.get(),
        kind="missing",
        subject=f"pi_{account.pk}",
        first_run=run,
        last_run=run,
        found_at=NOW,
    )


def change_of(account: Account) -> PlanChange:
    subscription = Subscription.objects.get(account=account)
    return PlanChange.objects.create(
        account=account,
        subscription=subscription,
        from_version=subscription.plan_version,
        to_version=make_version(),
        status="applied",
        period_number=1,
        renewal=Renewal.objects.get(account=account),
        transaction=account.transactions.get(),
        effective_at=NOW,
        created_at=NOW,
    )


def adjustment_of(account: Account) -> Adjustment:
    return Adjustment.objects.create(
        wallet=Wallet.objects.get(account=account),
        amount=5,
        reason="Outage",
        author=make_staff(StaffRole.FINANCE, f"{account.pk}@badal.test"),
        author_limit=500,
        created_at=NOW,
    )


def request_of(account: Account) -> ApprovalRequest:
    return ApprovalRequest.objects.create(
        account=account,
        kind="refund",
        amount=5,
        transaction=account.transactions.get(),
        reason="Paid twice",
        request_key=f"form-{account.pk}",
        requested_by=make_staff(StaffRole.FINANCE, f"{account.pk}@badal.test"),
        limit_at_request=0,
        requested_at=NOW,
        expires_at=LATER,
    )


def only(model: type[models.Model]) -> Callable[[Account], models.Model]:
    return lambda account: model._default_manager.get(account=account)


#: The key and what it refers to; what has it; and what of bob's alice's is made to refer to.
KEYS: Mapping[str, tuple[Callable[[Account], Any], str, Callable[[Account], Any]]] = {
    "a_transaction_charges_its_own_card cards_of_an_account": (
        only(Transaction), "card", lambda bob: bob.cards.get()),
    "a_transaction_supersedes_its_own transactions_of_an_account": (
        only(Transaction), "supersedes", only(Transaction)),
    "a_refund_is_of_its_own_transaction": (refund_of, "transaction", only(Transaction)),
    "a_dispute_is_of_its_own_transaction": (dispute_of, "transaction", only(Transaction)),
    "a_finding_is_of_its_own_transaction": (finding_of, "transaction", only(Transaction)),
    "a_renewal_is_of_its_account_and_anchor subscription_account_anchor": (
        only(Renewal), "subscription", only(Subscription)),
    "a_renewal_is_paid_by_its_own_transaction": (only(Renewal), "transaction", only(Transaction)),
    "an_allowance_is_of_its_own_renewal renewals_of_an_account": (
        only(Allowance), "renewal", only(Renewal)),
    "a_plan_change_is_of_its_own_subscription subscriptions_of_an_account": (
        change_of, "subscription", only(Subscription)),
    "a_plan_change_is_of_its_own_renewal": (change_of, "renewal", only(Renewal)),
    "a_plan_change_is_paid_by_its_own_transaction": (change_of, "transaction", only(Transaction)),
    "a_reversal_is_of_its_own_wallet adjustments_of_a_wallet": (
        adjustment_of, "reverses", adjustment_of),
    "a_request_is_of_its_own_transaction": (request_of, "transaction", only(Transaction)),
}  # fmt: skip


@pytest.fixture
def alice() -> Account:
    return make_payer("Alice Trading")


@pytest.fixture
def bob() -> Account:
    return make_payer("Bob Shipping")


def make_payer(name: str) -> Account:
    account = make_customer(name=name)
    make_transaction(account, status=Status.PAID, card=make_card(account))
    return account


@pytest.mark.parametrize(("key", "example"), KEYS.items(), ids=list(KEYS))
def test_what_is_of_alice_never_refers_to_what_is_of_bob(
    key: str, example: tuple[Callable[[Account], Any], str, Callable[[Account], Any]],
    alice: Account, bob: Account,
) -> None:  # fmt: skip
    make, field, other = example
    row = make(alice)
    connection.check_constraints()
    with connection.cursor() as cursor:
        cursor.execute(f'ALTER TABLE "{row._meta.db_table}" DISABLE TRIGGER USER')

    def refer() -> None:
        type(row).objects.filter(pk=row.pk).update(**{field: other(bob)})
        connection.check_constraints()

    with pytest.raises(IntegrityError, match=f'"{key.split()[0]}"'), database.atomic():
        refer()


def test_usage_is_of_its_own_period(alice: Account, bob: Account) -> None:
    """usage_is_of_its_own_period: records have no keys, a trigger checks a statement's at once."""
    usage.record(records=[make_record(alice, 5)], now=NOW)
    record = UsageRecord.objects.get(account=alice)
    record.pk, record.record_id = None, "another"
    record.renewal = Renewal.objects.get(account=bob)
    with pytest.raises(IntegrityError, match="a period of its own account"), database.atomic():
        record.save(force_insert=True)
