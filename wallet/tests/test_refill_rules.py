"""The rule for auto-refill: caps, consent, and changes while a charge is under way."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection
from django.db import transaction as database
from pytest_django import Settings

from accounts import cards
from accounts.models import Account, AuditEvent, Card, Message, User
from accounts.tests.factories import NOW
from accounts.tests.stripe_side import decline_from_now_on, lose_answers, payments
from invoices import sweeper
from invoices.models import Purpose, Transaction
from wallet import refill_caps, refill_rules, refills
from wallet.models import AutoRefill, AutoRefillConsent, Wallet
from wallet.refill_rules import Terms
from wallet.tests.factories import (
    balance_of,
    make_payer,
    make_terms,
    move,
    switch_off,
    switch_on,
)

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

AddCard = Callable[..., Card]
HOUR = timedelta(hours=1)


@pytest.fixture
def alice(add_card: AddCard) -> Account:
    """Has $20, a card and her month in Muscat, four hours ahead of UTC."""
    return make_payer(add_card, "20", name="Alice Trading", timezone="Asia/Muscat")


@pytest.fixture
def aisha() -> User:
    return User.objects.create_user("aisha@alice.test", first_name="Aisha", last_name="Al Kindi")


def rule_of(account: Account) -> AutoRefill:
    return AutoRefill.objects.get(wallet__account=account)


def told(account: Account, event: str) -> list[dict[str, str]]:
    messages = Message.objects.filter(account=account, event=event).order_by("pk")
    return [message.payload for message in messages]


def refill_once(account: Account, now: datetime) -> int:
    """Use up what one refill adds, and look."""
    move(account, "-25", now)
    return refills.refill_due(now=now)


# The monthly maximum ----------------------------------------------------------------------------
def test_a_refill_beyond_the_monthly_maximum_waits_for_the_next_month_and_says_so_once(
    alice: Account,
) -> None:
    switch_on(alice, threshold="20", amount="25", monthly_maximum="60")
    days = [NOW + timedelta(days=day) for day in (0, 1, 2, 3, 4)]
    assert [refill_once(alice, day) for day in days] == [1, 1, 0, 0, 0]

    [notice] = told(alice, "auto_refill_capped")
    assert notice["reason"] == (
        "It has charged $50.00 this month; another $25.00 would exceed your Monthly Maximum of "
        "$60.00."
    )
    december = datetime(2026, 11, 30, 20, 0, tzinfo=UTC)  # midnight in Muscat
    assert datetime.fromisoformat(notice["next_attempt_at"]) == december
    assert rule_of(alice).capped_until == december

    assert refills.refill_due(now=december - timedelta(seconds=1)) == 0
    assert refills.refill_due(now=december) == 2  # as many as the new month has room for
    assert len(told(alice, "auto_refill_capped")) == 2  # for November and for December


def test_a_month_ends_at_midnight_where_the_account_is(alice: Account) -> None:
    before, after = (datetime(2026, 11, 30, hour, 30, tzinfo=UTC) for hour in (19, 20))
    november = refill_caps.month_of(account=alice, now=before)
    assert november.starts.isoformat() == "2026-11-01T00:00:00+04:00"
    assert november.ends.isoformat() == "2026-12-01T00:00:00+04:00"
    december = refill_caps.month_of(account=alice, now=after)
    assert december.starts.isoformat() == "2026-12-01T00:00:00+04:00"
    assert december.ends.isoformat() == "2027-01-01T00:00:00+04:00"


def test_a_month_with_a_clock_change_has_its_own_midnights(alice: Account) -> None:
    alice.timezone = "Europe/Berlin"
    alice.save()
    alice.refresh_from_db()
    october = refill_caps.month_of(account=alice, now=datetime(2026, 10, 20, tzinfo=UTC))
    assert october.starts.isoformat() == "2026-10-01T00:00:00+02:00"
    assert october.ends.isoformat() == "2026-11-01T00:00:00+01:00"


def test_a_refill_whose_outcome_is_not_known_counts(alice: Account, sandbox: "Sandbox") -> None:
    switch_on(alice, threshold="100", amount="25", monthly_maximum="40")
    lose_answers(sandbox)
    refills.refill_due(now=NOW)
    assert refill_caps.charges_of(account=alice, now=NOW).this_month == 25
    sweeper.sweep(now=NOW + HOUR)
    assert refills.refill_due(now=NOW + HOUR) == 0
    assert len(told(alice, "auto_refill_capped")) == 1


def test_a_declined_refill_does_not_count(alice: Account, sandbox: "Sandbox") -> None:
    switch_on(alice, threshold="30", monthly_maximum="25")
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")
    refills.refill_due(now=NOW)
    decline_from_now_on(sandbox, alice.cards.get(), None)
    assert refills.refill_due(now=NOW + HOUR) == 1
    assert told(alice, "auto_refill_capped") == []


def test_tax_counts_for_it_is_charged(alice: Account, settings: Settings) -> None:
    settings.CHARGE_TAX = True
    alice.country = "OM"
    alice.save()
    switch_on(alice, threshold="100", amount="20", monthly_maximum="41.99")
    assert refills.refill_due(now=NOW) == 1  # $21.00 with VAT 5 %; two would be $42.00
    assert "another $21.00" in told(alice, "auto_refill_capped")[0]["reason"]


def test_raising_the_maximum_goes_on_at_once_and_reaching_it_again_is_told_again(
    alice: Account,
) -> None:
    switch_on(alice, threshold="50", amount="25", monthly_maximum="25")
    assert refills.refill_due(now=NOW) == 1
    assert refills.refill_due(now=NOW + HOUR) == 0
    switch_on(alice, threshold="80", amount="25", monthly_maximum="50", now=NOW + HOUR)
    assert refills.refill_due(now=NOW + HOUR) == 1
    assert refills.refill_due(now=NOW + 2 * HOUR) == 0
    assert len(told(alice, "auto_refill_capped")) == 2


def test_a_new_card_does_not_lift_a_cap(alice: Account) -> None:
    switch_on(alice, threshold="100", amount="25", monthly_maximum="25")
    refills.refill_due(now=NOW)
    refills.start_afresh(alice, NOW)
    assert refills.refill_due(now=NOW) == 0
    events = AuditEvent.objects.filter(account=alice, action="auto_refill_cap_reached")
    assert len(told(alice, "auto_refill_capped")) == events.count() == 1


@pytest.mark.parametrize("maximum", ["24.99", "NaN", "25.001", "1000000.01"])
def test_a_maximum_that_cannot_be_is_refused(alice: Account, maximum: str) -> None:
    with pytest.raises(ValidationError) as refused:
        switch_on(alice, amount="25", monthly_maximum=maximum)
    assert list(refused.value.message_dict) == ["monthly_maximum"]


# What saving charges ----------------------------------------------------------------------------
def charges_on_saving(account: Account, terms: Terms, *, now: datetime) -> int:
    wallet = Wallet.objects.select_related("auto_refill").get(account=account)
    return refill_rules.charges_on_saving(
        wallet=wallet,
        card=cards.default_card(account=account),
        charges=refill_caps.charges_of(account=account, now=now),
        terms=terms,
        now=now,
    )


def test_what_was_charged_is_read_with_the_wallet_as_well(alice: Account) -> None:
    def read_together() -> refill_caps.Charges:
        wallets = Wallet.objects.filter(account=alice)
        wallet = refill_caps.with_charges(wallets, account=alice, now=NOW).get()
        return refill_caps.charges_with(wallet)

    assert read_together() == refill_caps.Charges(0, Decimal(0), Decimal(0))
    switch_on(alice, threshold="45", amount="25")
    refills.refill_due(now=NOW)
    assert read_together() == refill_caps.charges_of(account=alice, now=NOW)
    assert read_together() == refill_caps.Charges(1, Decimal("25"), Decimal(0))


@pytest.mark.parametrize(
    ("threshold", "maximum", "count"),
    [
        ("20", None, 0),  # $20.00 is not below $20
        ("20.01", None, 1),
        ("45", None, 1),
        ("45.01", None, 2),
        ("1000", None, 5),  # no more than five a day
        ("1000", "60", 2),
    ],
)
def test_how_many_refills_switching_on_makes_at_once(
    alice: Account, threshold: str, maximum: str | None, count: int
) -> None:
    terms = make_terms(threshold=threshold, monthly_maximum=maximum)
    assert charges_on_saving(alice, terms, now=NOW) == count
    switch_on(alice, threshold=threshold, monthly_maximum=maximum)
    assert refills.refill_due(now=NOW) == count


def test_changing_amounts_in_the_wait_after_a_decline_charges_nothing(
    alice: Account, sandbox: "Sandbox"
) -> None:
    switch_on(alice, threshold="30")
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")
    refills.refill_due(now=NOW)
    terms = make_terms(threshold="40")
    assert charges_on_saving(alice, terms, now=NOW) == 0
    assert charges_on_saving(alice, terms, now=NOW + HOUR) == 1


# Consent ----------------------------------------------------------------------------------------
def test_who_agreed_to_what_is_kept_word_for_word(alice: Account, aisha: User) -> None:
    switch_on(alice, threshold="20", amount="25", by=aisha)
    switch_on(alice, threshold="20", amount="25", by=aisha, now=NOW + HOUR)  # nothing new
    switch_on(alice, threshold="10", amount="50", monthly_maximum="200", now=NOW + 2 * HOUR)
    switch_off(alice, by=aisha, now=NOW + 3 * HOUR)

    kept = AutoRefillConsent.objects.filter(account=alice).order_by("pk")
    assert [
        (each.action, each.given_by, each.amount.amount, each.monthly_maximum, each.created_at)
        for each in kept
    ] == [
        ("switched_on", aisha, 25, None, NOW),
        ("changed", None, 50, 200, NOW + 2 * HOUR),
        ("switched_off", aisha, 50, 200, NOW + 3 * HOUR),
    ]
    assert [each.text for each in kept] == [refill_rules.agreement()] * 2 + [""]
    assert "at most 5 times in 24 hours" in refill_rules.agreement()


def test_switching_a_suspended_rule_on_again_is_agreed_to_anew(alice: Account, aisha: User) -> None:
    rule = switch_on(alice, by=aisha)
    AutoRefill.objects.filter(pk=rule.pk).update(suspended_at=NOW, consecutive_failures=3)
    switch_on(alice, by=aisha, now=NOW + HOUR)
    newest = AutoRefillConsent.objects.filter(account=alice).latest("pk")
    assert (newest.action, newest.created_at) == ("switched_on", NOW + HOUR)
    assert rule_of(alice).consent == newest


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE wallet_autorefillconsent SET amount = 1000",
        "DELETE FROM wallet_autorefillconsent",
        "TRUNCATE wallet_autorefillconsent CASCADE",
    ],
)
def test_a_consent_cannot_be_changed_afterwards(alice: Account, statement: str) -> None:
    switch_on(alice)
    connection.cursor().execute("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(IntegrityError, match="append-only"), database.atomic():
        connection.cursor().execute(statement)


def test_the_database_lets_nothing_be_charged_without_consent(alice: Account) -> None:
    refill_rules.of_wallet(wallet=alice.wallet)
    with pytest.raises(IntegrityError, match="nothing_is_charged_without_consent"):
        AutoRefill.objects.filter(wallet__account=alice).update(enabled=True)


def test_what_is_changed_while_it_is_off_is_no_consent(alice: Account) -> None:
    refill_rules.configure(
        account=alice,
        enabled=False,
        terms=make_terms(amount="50"),
        minimum=Decimal(10),
        by=None,
        now=NOW,
    )
    assert not AutoRefillConsent.objects.exists()
    assert rule_of(alice).amount.amount == 50


# Under way --------------------------------------------------------------------------------------
@pytest.fixture
def under_way(alice: Account, sandbox: "Sandbox") -> Account:
    """A refill of $25 was charged, and its answer lost."""
    switch_on(alice, threshold="30", amount="25")
    lose_answers(sandbox)
    refills.refill_due(now=NOW)
    assert balance_of(alice) == 20
    return alice


def test_switched_off_while_under_way_it_is_finished_and_credited_once(under_way: Account) -> None:
    switch_off(under_way)
    for minutes in (60, 61, 62):
        sweeper.sweep(now=NOW + timedelta(minutes=minutes))
    assert balance_of(under_way) == 45
    assert len(payments(purpose="auto_refill")) == 1
    assert refills.refill_due(now=NOW + 2 * HOUR) == 0


def test_the_amount_edited_while_under_way_is_that_of_the_next_one(under_way: Account) -> None:
    switch_on(under_way, threshold="60", amount="50")
    sweeper.sweep(now=NOW + HOUR)
    assert balance_of(under_way) == 45
    refills.refill_due(now=NOW + HOUR)
    assert balance_of(under_way) == 95
    amounts = Transaction.objects.filter(purpose=Purpose.AUTO_REFILL).order_by("pk")
    assert [each.amount.amount for each in amounts] == [25, 50]


def test_a_decline_of_one_that_was_switched_off_meanwhile_promises_no_other_attempt(
    alice: Account, sandbox: "Sandbox"
) -> None:
    switch_on(alice, threshold="30")
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")
    transaction = refills._open(account=alice, now=NOW)
    assert transaction is not None
    switch_off(alice)
    refills.charging.execute(transaction_id=transaction.pk, now=NOW)

    [notice] = told(alice, "auto_refill_failed")
    assert "next_attempt_at" not in notice
    assert rule_of(alice).consecutive_failures == 0


# After a plan change ----------------------------------------------------------------------------
def test_a_plan_with_a_larger_minimum_leaves_what_was_agreed_to(alice: Account) -> None:
    switch_on(alice, threshold="30", amount="10")
    # The new plan's minimum is $25: it holds for the next change of the rule.
    assert refills.refill_due(now=NOW) == 1
    assert balance_of(alice) == 30
    with pytest.raises(ValidationError) as refused:
        refill_rules.configure(
            account=alice,
            enabled=True,
            terms=make_terms(amount="10"),
            minimum=Decimal(25),
            by=None,
            now=NOW,
        )
    assert refused.value.message_dict == {"amount": ["Enter at least $25.00."]}
