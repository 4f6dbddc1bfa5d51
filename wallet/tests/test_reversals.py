"""What a dispute brings about in the wallet beside the credit it takes."""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from accounts.models import Account, Card, Message
from accounts.tests.factories import NOW
from accounts.tests.stripe_side import lose_answers
from invoices import sweeper
from invoices.tests.disputers import decide, dispute, dispute_events, tell
from invoices.tests.stripe_events import listen
from invoices.tests.test_charging import charge
from wallet import refills
from wallet.models import AutoRefill
from wallet.tests.factories import balance_of, make_payer, move, switch_off, switch_on

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

AddCard = Callable[..., Card]


def rule_of(account: Account) -> AutoRefill:
    return AutoRefill.objects.get(wallet__account=account)


def told(account: Account, event: str) -> list[dict[str, str]]:
    messages = Message.objects.filter(account=account, event=event)
    return list(messages.values_list("payload", flat=True))


def test_who_disputes_a_top_up_is_not_charged_for_another_one_by_itself(
    sandbox: "Sandbox", add_card: AddCard
) -> None:
    """alice used her $25 and disputes the payment: her balance falls below the threshold."""
    endpoint = listen(sandbox)
    alice = make_payer(add_card)
    payment = charge(alice)
    move(alice, "-25")
    switch_on(alice, threshold="0")
    disputed = dispute(sandbox, payment)

    tell(endpoint, *dispute_events())
    assert balance_of(alice) == -25

    assert refills.refill_due(now=NOW + timedelta(days=1)) == 0
    assert rule_of(alice).suspended_at is not None
    [notice] = told(alice, "auto_refill_suspended")
    assert notice["disputed"] == payment.number
    assert told(alice, "auto_refill.suspended") == [{"reason": "dispute"}]

    decide(sandbox, disputed, "win")
    tell(endpoint, *dispute_events())
    assert balance_of(alice) == 0
    assert rule_of(alice).suspended_at is not None  # until alice switches it on again
    assert len(told(alice, "auto_refill_suspended")) == 1


def test_a_refill_that_was_under_way_does_not_end_the_suspension_of_a_dispute(
    sandbox: "Sandbox", add_card: AddCard
) -> None:
    """A refill's answer is lost, alice disputes her top-up, and then the refill turns out paid."""
    endpoint = listen(sandbox)
    alice = make_payer(add_card)
    payment = charge(alice)
    switch_on(alice, threshold="30", amount="10")
    lose_answers(sandbox)
    refills.refill_due(now=NOW)
    dispute(sandbox, payment)
    tell(endpoint, *dispute_events())
    assert rule_of(alice).suspended_at is not None

    sweeper.sweep(now=NOW + timedelta(minutes=2))

    assert balance_of(alice) == 10
    assert rule_of(alice).suspended_at is not None
    assert refills.refill_due(now=NOW + timedelta(days=1)) == 0


def test_a_rule_that_is_off_is_left_alone_by_a_dispute(
    sandbox: "Sandbox", add_card: AddCard
) -> None:
    endpoint = listen(sandbox)
    alice = make_payer(add_card)
    payment = charge(alice)
    switch_on(alice, threshold="0")
    switch_off(alice)
    dispute(sandbox, payment)

    tell(endpoint, *dispute_events())

    assert rule_of(alice).suspended_at is None
    assert told(alice, "auto_refill_suspended") == []
