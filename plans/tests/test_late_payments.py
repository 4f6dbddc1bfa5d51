"""A payment that was reported as failed and succeeds later: the money is never lost."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from accounts.models import Account
from accounts.money import to_minor_units
from accounts.stripe_objects import Outcome, Payment
from accounts.tests.factories import NOW, make_account
from conftest import Sandbox
from invoices import settlement
from invoices.models import Status, Transaction
from plans import catalogue, rental_changes, rentals, subscriptions
from plans.models import Feature, Plan, PlanVersion
from wallet import ledger
from wallet.models import Wallet

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(sandbox: Sandbox, add_card: Callable[..., object]) -> Account:
    """Alice is on pay as you go and has a card that declines."""
    catalogue.load(now=NOW)
    account = make_account(name="Alice")
    ledger.open_wallet(account=account, now=NOW)
    subscriptions.start_free(account=account, plan_version=version("payg"), now=NOW)
    add_card(account)
    return account


def version(slug: str) -> PlanVersion:
    """Return what is sold of a plan."""
    found = subscriptions.latest_version(plan=Plan.objects.get(slug=slug))
    assert found is not None
    return found


def succeed_late(transaction: Transaction) -> Transaction:
    """Let the bank say that it took the money after all."""
    payment = Payment(
        outcome=Outcome.SUCCEEDED,
        payment_intent_id=f"pi_late_{transaction.pk}",
        amount_minor=to_minor_units(transaction.charged_amount),
        currency="omr",
    )
    return settlement.settle(
        transaction_id=transaction.pk, payment=payment, now=NOW + timedelta(hours=2)
    )


def decline_next(sandbox: Sandbox) -> None:
    """Decline the next charge."""
    sandbox.fail_next(action="decline", decline_code="insufficient_funds")


def test_a_late_payment_for_a_rental_that_was_given_up_is_credit(
    alice: Account, sandbox: Sandbox
) -> None:
    phone_number = Feature.objects.get(key="phone_number")
    decline_next(sandbox)
    two = rentals.set_quantity(account=alice, feature=phone_number, quantity=2, now=NOW)
    three = rentals.set_quantity(account=alice, feature=phone_number, quantity=3, now=NOW)
    assert two is not None
    assert three is not None
    assert (two.status, three.status) == (Status.FAILED, Status.PAID)

    succeed_late(two)

    held = rental_changes.open_rental(account=alice, feature=phone_number)
    assert held is not None
    assert held.quantity == 3
    assert Wallet.objects.get(account=alice).balance == 6
