"""Auto-refill: due strictly below the threshold, once per crossing, careful after declines."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.db import transaction as database

from accounts import card_changes, cards
from accounts.models import Account, Card, Message
from accounts.stripe_objects import Outcome, Payment, PaymentMethod
from accounts.tests.factories import NOW, make_account, make_card
from accounts.tests.stripe_side import (
    decline_from_now_on,
    lose_answers,
    payments,
    refuse_service,
)
from invoices import charging, settlement, sweeper
from invoices.models import Purpose, Status, Transaction
from wallet import refill_rules, refills
from wallet.models import AutoRefill
from wallet.tests.factories import balance_of, make_payer, make_wallet, move, switch_on

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
AddCard = Callable[..., Card]


@pytest.fixture
def alice(add_card: AddCard) -> Account:
    return make_payer(add_card, "20", name="Alice Trading")


def is_due(account: Account, now: datetime = NOW) -> bool:
    return refills.due(now=now).filter(wallet__account=account).exists()


def refills_of(account: Account) -> list[str]:
    """Return how each refill of the account ended, oldest first."""
    made = Transaction.objects.filter(account=account, purpose=Purpose.AUTO_REFILL)
    return list(made.order_by("pk").values_list("status", flat=True))


def rule_of(account: Account) -> AutoRefill:
    return AutoRefill.objects.get(wallet__account=account)


def told(account: Account, event: str) -> list[dict[str, object]]:
    messages = Message.objects.filter(account=account, event=event).order_by("pk")
    return [message.payload for message in messages]


# When it is due -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("balance", "due"), [("19.99", True), ("19.999999", True), ("20.00", False), ("-3", True)]
)
def test_a_refill_is_due_strictly_below_the_threshold(balance: str, due: bool) -> None:
    bob = make_account()
    make_wallet(bob, balance)
    make_card(bob, is_default=True)
    switch_on(bob, threshold="20")
    assert is_due(bob) is due


def test_it_is_off_until_somebody_switches_it_on(alice: Account) -> None:
    move(alice, "-19")
    rule = refill_rules.of_wallet(wallet=alice.wallet)
    assert not rule.enabled
    assert refills.refill_due(now=NOW) == 0
    assert refills_of(alice) == []


def test_a_threshold_of_zero_refills_only_what_is_owed(alice: Account) -> None:
    switch_on(alice, threshold="0")
    move(alice, "-20")
    assert not is_due(alice)
    move(alice, "-0.000001")
    assert is_due(alice)


def test_a_refill_charges_the_default_card_and_credits_once(alice: Account) -> None:
    switch_on(alice, threshold="20", amount="25")
    move(alice, "-0.01")
    assert refills.refill_due(now=NOW) == 1
    assert balance_of(alice) == Decimal("44.99")
    assert refills.refill_due(now=NOW) == 0
    [payment] = payments(purpose="auto_refill")
    assert payment.amount_received == 9630
    assert Transaction.objects.get(purpose=Purpose.AUTO_REFILL).status == Status.PAID


def test_a_refill_smaller_than_the_gap_is_repeated_until_the_threshold_is_reached(
    alice: Account,
) -> None:
    switch_on(alice, threshold="20", amount="10")
    move(alice, "-45")
    assert refills.refill_due(now=NOW) == 5
    assert balance_of(alice) == 25


def test_a_refill_resumes_what_a_negative_balance_paused(alice: Account) -> None:
    switch_on(alice, threshold="0", amount="25")
    move(alice, "-21")
    alice.refresh_from_db()
    assert alice.services == "paused"
    refills.refill_due(now=NOW)
    alice.refresh_from_db()
    assert alice.services == "active"


def test_only_the_accounts_named_are_looked_at(alice: Account, add_card: AddCard) -> None:
    bob = make_payer(add_card)
    for account in (alice, bob):
        switch_on(account, threshold="100", amount="100")
    assert refills.refill_due(now=NOW, account_ids=[bob.pk]) == 1
    assert (refills_of(alice), refills_of(bob)) == ([], ["paid"])


# Settings -------------------------------------------------------------------------------------
def test_switching_on_needs_a_card() -> None:
    bob = make_account()
    make_wallet(bob)
    with pytest.raises(ValidationError) as refused:
        switch_on(bob)
    assert list(refused.value.message_dict) == ["enabled"]


@pytest.mark.parametrize(
    ("threshold", "amount", "field"),
    [
        ("-0.01", "25", "threshold"),
        ("20.001", "25", "threshold"),
        ("NaN", "25", "threshold"),
        ("100000.01", "25", "threshold"),
        ("20", "9.99", "amount"),
        ("20", "5000.01", "amount"),
    ],
)
def test_amounts_that_cannot_be_are_named_by_field(
    alice: Account, threshold: str, amount: str, field: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        switch_on(alice, threshold=threshold, amount=amount)
    assert list(refused.value.message_dict) == [field]
    assert not AutoRefill.objects.filter(enabled=True).exists()


def test_while_it_is_on_the_last_card_stays(alice: Account) -> None:
    switch_on(alice)
    with pytest.raises(ValidationError, match="Auto-Refill charges this card"):
        cards.remove(card=alice.cards.get(), by=None, now=NOW)


# Declines -------------------------------------------------------------------------------------
def test_after_a_decline_it_waits_an_hour_then_six_and_after_the_third_suspends_itself(
    alice: Account, sandbox: "Sandbox"
) -> None:
    switch_on(alice, threshold="100")
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")

    assert refills.refill_due(now=NOW) == 1
    assert rule_of(alice).next_attempt_at == NOW + HOUR
    assert refills.refill_due(now=NOW + HOUR - timedelta(seconds=1)) == 0

    second = NOW + HOUR
    assert refills.refill_due(now=second) == 1
    assert rule_of(alice).next_attempt_at == second + 6 * HOUR
    assert refills.refill_due(now=second + 6 * HOUR - timedelta(seconds=1)) == 0

    third = second + 6 * HOUR
    assert refills.refill_due(now=third) == 1
    assert rule_of(alice).suspended_at == third
    assert refills.refill_due(now=third + timedelta(days=30)) == 0

    assert refills_of(alice) == ["failed"] * 3
    reasons = [notice["reason"] for notice in told(alice, "auto_refill_failed")]
    assert reasons == ["The card has insufficient funds."] * 2
    assert len(told(alice, "auto_refill_suspended")) == 1
    assert len(told(alice, "auto_refill.suspended")) == 1


def test_a_success_forgets_earlier_declines(alice: Account, sandbox: "Sandbox") -> None:
    switch_on(alice, threshold="30")
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")
    refills.refill_due(now=NOW)
    decline_from_now_on(sandbox, alice.cards.get(), None)
    refills.refill_due(now=NOW + HOUR)
    assert rule_of(alice).consecutive_failures == 0
    assert balance_of(alice) == 45


def suspend(account: Account, sandbox: "Sandbox") -> datetime:
    """Let three refills in a row be declined; return when the last one was."""
    decline_from_now_on(sandbox, account.cards.get(), "lost_card")
    moments = (NOW, NOW + HOUR, NOW + 7 * HOUR)
    for now in moments:
        refills.refill_due(now=now)
    assert rule_of(account).suspended_at == moments[-1]
    return moments[-1]


def test_a_new_default_card_ends_the_suspension(
    alice: Account, sandbox: "Sandbox", add_card: AddCard
) -> None:
    switch_on(alice, threshold="30")
    now = suspend(alice, sandbox) + HOUR
    card = add_card(alice, "pm_card_mastercard", now)
    assert refills.refill_due(now=now) == 0, "saving a card is not changing the default"
    cards.make_default(card=card, by=None, now=now)
    assert refills.refill_due(now=now) == 1
    assert balance_of(alice) == 45


@pytest.mark.parametrize("is_suspended", [False, True])
def test_a_bank_that_renews_the_card_ends_a_wait_and_no_suspension(
    alice: Account, sandbox: "Sandbox", is_suspended: bool
) -> None:
    """Who disputes a payment is sent another card by the bank, and is not charged with it."""
    switch_on(alice, threshold="30")
    card = alice.cards.get()
    if is_suspended:
        now = suspend(alice, sandbox) + HOUR
    else:
        decline_from_now_on(sandbox, card, "expired_card")
        refills.refill_due(now=NOW)
        now = NOW + timedelta(minutes=1)
    decline_from_now_on(sandbox, card, None)
    renewed = PaymentMethod(
        card.stripe_payment_method_id, card.brand, "1881", 3, 2034, card.fingerprint, ""
    )
    alice.refresh_from_db()
    card_changes.update(method=renewed, customer_id=alice.stripe_customer_id, told_at=now, now=now)
    assert refills.refill_due(now=now) == (0 if is_suspended else 1)


def test_a_card_detached_in_stripes_dashboard_ends_no_suspension(
    alice: Account, sandbox: "Sandbox", add_card: AddCard
) -> None:
    switch_on(alice, threshold="30")
    now = suspend(alice, sandbox) + HOUR
    first, other = alice.cards.get(), add_card(alice, "pm_card_mastercard", now)
    card_changes.detached(
        payment_method_id=first.stripe_payment_method_id,
        customer_id=Account.objects.get(pk=alice.pk).stripe_customer_id,
        now=now,
    )
    assert cards.default_card(account=alice) == other
    assert refills.refill_due(now=now) == 0


def test_switching_it_on_again_ends_the_suspension(alice: Account, sandbox: "Sandbox") -> None:
    switch_on(alice, threshold="30")
    now = suspend(alice, sandbox) + HOUR
    decline_from_now_on(sandbox, alice.cards.get(), None)
    switch_on(alice, threshold="30", now=now)
    rule = rule_of(alice)
    assert (rule.suspended_at, rule.consecutive_failures) == (None, 0)
    assert refills.refill_due(now=now) == 1


def test_changing_the_amount_does_not_end_the_wait_after_a_decline(
    alice: Account, sandbox: "Sandbox"
) -> None:
    switch_on(alice, threshold="30")
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")
    refills.refill_due(now=NOW)
    switch_on(alice, threshold="30", amount="50", now=NOW)
    assert refills.refill_due(now=NOW) == 0


# At most one ----------------------------------------------------------------------------------
def test_an_unknown_outcome_blocks_a_second_refill_until_it_is_known(
    alice: Account, sandbox: "Sandbox"
) -> None:
    switch_on(alice, threshold="30")
    lose_answers(sandbox)
    refills.refill_due(now=NOW)
    assert refills_of(alice) == ["processing"]
    for minutes in (1, 10, 60):
        assert refills.refill_due(now=NOW + timedelta(minutes=minutes)) == 0
    assert sweeper.sweep(now=NOW + timedelta(hours=2)) == 1
    assert balance_of(alice) == 45
    assert len(payments(purpose="auto_refill")) == 1


def test_a_stripe_that_is_down_is_no_decline(alice: Account, sandbox: "Sandbox") -> None:
    switch_on(alice, threshold="30")
    refuse_service(sandbox, 503)
    refills.refill_due(now=NOW)
    assert rule_of(alice).consecutive_failures == 0
    assert told(alice, "auto_refill_failed") == []


def test_the_database_admits_one_open_refill(alice: Account) -> None:
    open_refill: dict[str, Any] = {
        "account": alice,
        "purpose": Purpose.AUTO_REFILL,
        "lines": [charging.NewLine("Auto-refill", Decimal(25))],
        "status": Status.PROCESSING,
        "card": alice.cards.get(),
        "now": NOW,
    }
    charging.open_transaction(**open_refill)
    with pytest.raises(charging.AlreadyOpen):
        charging.open_transaction(**open_refill)
    assert refills_of(alice) == ["processing"]


def test_a_late_success_of_a_refill_reported_as_failed_is_credited_once(
    alice: Account, sandbox: "Sandbox"
) -> None:
    switch_on(alice, threshold="30")
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")
    refills.refill_due(now=NOW)
    failed = Transaction.objects.get(account=alice, purpose=Purpose.AUTO_REFILL)
    late = Payment(Outcome.SUCCEEDED, "pi_late", 9630, "omr")
    for _ in range(2):
        settlement.settle(transaction_id=failed.pk, payment=late, now=NOW + HOUR)
    assert balance_of(alice) == 45
    assert rule_of(alice).consecutive_failures == 0


# Caps -----------------------------------------------------------------------------------------
def test_the_sixth_refill_of_a_day_waits_until_the_first_is_a_day_old_and_says_so(
    alice: Account,
) -> None:
    switch_on(alice, threshold="20", amount="10")
    for hour in range(5):
        move(alice, "-10")
        assert refills.refill_due(now=NOW + hour * HOUR) == 1
    move(alice, "-10")
    for minute in (300, 301, 302):
        assert refills.refill_due(now=NOW + timedelta(minutes=minute)) == 0
    [notice] = told(alice, "auto_refill_capped")
    assert "5 times in 24 hours" in str(notice["reason"])
    assert rule_of(alice).capped_until == NOW + timedelta(days=1)
    assert refills.refill_due(now=NOW + timedelta(days=1)) == 1


def test_one_account_in_trouble_does_not_hold_back_the_next(
    alice: Account, add_card: AddCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = make_payer(add_card)
    for account in (alice, bob):
        switch_on(account, threshold="30", amount="50")
    execute = charging.execute

    def fails_for_alice(*, transaction_id: int, now: datetime) -> Transaction:
        if Transaction.objects.get(pk=transaction_id).account == alice:
            raise RuntimeError("a bug")
        return execute(transaction_id=transaction_id, now=now)

    monkeypatch.setattr(charging, "execute", fails_for_alice)
    refills.refill_due(now=NOW)
    assert refills_of(bob) == ["paid"]


@pytest.mark.parametrize("change", [{"threshold": Decimal(-1)}, {"amount": Decimal(0)}])
def test_the_database_refuses_amounts_that_cannot_be(
    alice: Account, change: dict[str, Decimal]
) -> None:
    switch_on(alice)
    with pytest.raises(IntegrityError), database.atomic():
        AutoRefill.objects.filter(wallet__account=alice).update(**change)
