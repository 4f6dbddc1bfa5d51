"""Staff end the wait after a decline; what only the customer decides stays with the customer."""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.core.exceptions import ValidationError

from accounts import cards
from accounts.models import Account, AuditEvent, Card, User
from accounts.tests.factories import NOW
from accounts.tests.stripe_side import decline_from_now_on
from invoices.models import Status, Transaction
from invoices.tests.refunders import finance
from wallet import refill_retries, refills
from wallet.models import AutoRefill
from wallet.tests.factories import make_payer, move, switch_off, switch_on

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def alice(add_card: Callable[..., Card], sandbox: "Sandbox") -> Account:
    """Her refill was declined a moment ago; by now the bank would let it pass."""
    account = make_payer(add_card, "10", name="Alice Trading")
    switch_on(account, threshold="20", amount="25", monthly_maximum="60")
    decline_from_now_on(sandbox, account.cards.get(), "insufficient_funds")
    refills.refill_due(now=NOW)
    decline_from_now_on(sandbox, account.cards.get(), None)
    return account


@pytest.fixture
def colleague(db: None) -> User:
    return finance()


def retry(account: Account, colleague: User) -> Transaction | None:
    return refill_retries.retry(
        account=account, by=colleague, reason="Agreed on the phone", now=NOW + HOUR / 2
    )


def rule_of(account: Account) -> AutoRefill:
    return AutoRefill.objects.get(wallet__account=account)


def test_staff_refill_at_once_what_was_declined(alice: Account, colleague: User) -> None:
    attempt = retry(alice, colleague)
    assert attempt is not None
    assert attempt.status == Status.PAID


@pytest.mark.parametrize("left", ["off", "suspended", "without a rule"])
def test_a_rule_that_is_off_or_suspended_is_the_customers_to_switch_on(
    alice: Account, colleague: User, left: str
) -> None:
    if left == "off":
        switch_off(alice)
    elif left == "suspended":
        AutoRefill.objects.update(suspended_at=NOW)
    else:
        AutoRefill.objects.all().delete()
    with pytest.raises(ValidationError, match="only the customer can switch it on"):
        retry(alice, colleague)
    assert not AuditEvent.objects.filter(action="payment_retried").exists()
    assert not alice.transactions.filter(status=Status.PAID).exists()


def test_staff_do_not_refill_beyond_a_cap(
    alice: Account, colleague: User, add_card: Callable[..., Card]
) -> None:
    """Two refills of 25 dollars are paid; a third would exceed her 60 dollars a month."""
    cards.make_default(card=add_card(alice, "pm_card_mastercard"), by=None, now=NOW)
    for _ in range(3):
        move(alice, "-25")
        refills.refill_due(now=NOW)
    before = rule_of(alice).capped_until
    assert before is not None
    with pytest.raises(ValidationError, match="a cap holds it back"):
        retry(alice, colleague)
    assert rule_of(alice).capped_until == before
    assert alice.transactions.filter(status=Status.PAID).count() == 2
