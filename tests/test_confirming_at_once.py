"""A customer answers their bank while the portal tries again: whoever is first, it is paid once."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from accounts import cards
from accounts.models import Account, Card
from accounts.tests.factories import NOW
from accounts.tests.stripe_side import answer_the_bank, payments
from invoices import checkout, confirmations, sweeper
from invoices.models import Purpose, Status, Transaction
from plans import opening, renewal_charges, renewals
from plans.models import Renewal, RenewalStatus
from plans.tests.subscribers import make_subscriber
from tests.test_concurrency import at_once
from wallet import refills
from wallet.tests.factories import balance_of, make_payer, switch_on

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

AddCard = Callable[..., Card]
ASKS = "pm_card_authenticationRequired"
MINUTE = timedelta(minutes=1)
LATER = NOW + timedelta(hours=2)


def captured(account: Account) -> list[str]:
    """The transactions that the bank took money for."""
    found = payments(account=str(account.pk))
    return [each.to_dict()["metadata"]["transaction"] for each in found if each.amount_received]


def everything_is_known(first: Transaction) -> None:
    """What the page, the webhooks or the next minutes' sweeps find out."""
    checkout.refresh(transaction_id=first.pk, now=LATER + MINUTE)
    sweeper.sweep(now=LATER + 2 * MINUTE)
    confirmations.sweep(now=LATER + 30 * MINUTE)


@pytest.mark.parametrize("round_number", range(3))
def test_a_refill_confirmed_while_it_is_tried_again_is_one_credit(
    round_number: int, add_card: AddCard, sandbox: "Sandbox"
) -> None:
    alice = make_payer(lambda account: add_card(account, ASKS))
    switch_on(alice)
    refills.refill_due(now=NOW, account_ids=[alice.pk])
    first = Transaction.objects.get(account=alice)
    assert first.can_be_confirmed(NOW)
    cards.make_default(card=add_card(alice), by=None, now=NOW)
    at_once(
        lambda: answer_the_bank(sandbox, first.stripe_payment_intent_id),
        lambda: checkout.refresh(transaction_id=first.pk, now=LATER),
        lambda: refills.refill_due(now=LATER, account_ids=[alice.pk]),
        lambda: confirmations.sweep(now=LATER),
    )
    everything_is_known(first)
    assert len(captured(alice)) == 1
    assert balance_of(alice) == Decimal(25)
    paid = Transaction.objects.get(account=alice, status=Status.PAID)
    assert captured(alice) == [paid.number]


@pytest.mark.parametrize("round_number", range(3))
def test_a_renewal_confirmed_while_it_is_paid_with_another_card_is_paid_once(
    round_number: int, add_card: AddCard, sandbox: "Sandbox"
) -> None:
    alice = make_subscriber(add_card)
    asks = add_card(alice, ASKS)
    cards.make_default(card=asks, by=None, now=NOW)
    renewal = renewal_due(alice)
    began = renewal.period_start
    renewals.renew_due(now=began)
    first = Transaction.objects.get(account=alice, purpose=Purpose.RENEWAL)
    assert first.can_be_confirmed(began)
    visa = alice.cards.exclude(pk=asks.pk).get()
    cards.make_default(card=visa, by=None, now=began)
    now = began + MINUTE
    at_once(
        lambda: answer_the_bank(sandbox, first.stripe_payment_intent_id),
        lambda: renewal_charges.pay_now(account=alice, by=None, now=now, is_on_session=True),
        lambda: renewals.renew_due(now=now),
        lambda: checkout.refresh(transaction_id=first.pk, now=now),
    )
    checkout.refresh(transaction_id=first.pk, now=now + MINUTE)
    sweeper.sweep(now=now + 3 * MINUTE)
    renewal.refresh_from_db()
    assert renewal.status == RenewalStatus.PAID
    renewed = Transaction.objects.filter(account=alice, purpose=Purpose.RENEWAL)
    paid = renewed.get(status=Status.PAID)
    assert [number for number in captured(alice) if renewed.filter(number=number)] == [paid.number]
    assert balance_of(alice) == 0


def renewal_due(account: Account) -> Renewal:
    """The second period, opened and not charged yet."""
    end = account.subscriptions.get(status="active").current_period_end
    assert end is not None
    opening.open_due_periods(now=end, account_ids=[account.pk])
    return Renewal.objects.get(account=account, number=2)
