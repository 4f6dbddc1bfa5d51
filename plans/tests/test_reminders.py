"""Reminders: three days ahead, once for each period, with what will be charged to which card."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from pytest_django import Settings

from accounts import outbox
from accounts.models import Account, Card, Message
from plans import cancellation, reminders, renewals
from plans.tests.changing_plans import DAY, END, HOUR, START, TWELFTH, hold, move
from plans.tests.subscribers import make_subscriber

pytestmark = pytest.mark.django_db

AddCard = Callable[..., Card]
#: Three days before the renewal.
AHEAD = END - timedelta(days=3)


@pytest.fixture
def alice(add_card: AddCard) -> Account:
    """On growth since 1 November."""
    return make_subscriber(add_card, "growth", now=START)


def reminders_of(account: Account) -> list[dict[str, Any]]:
    found = Message.objects.filter(account=account, event="renewal_reminder").order_by("pk")
    return [message.payload for message in found]


def test_three_days_ahead_the_customer_is_told_what_will_be_charged(alice: Account) -> None:
    hold(alice, "phone_number", 5, START)
    assert reminders.remind_due(now=AHEAD - timedelta(seconds=1)) == 0
    assert reminders.remind_due(now=AHEAD) == 1
    [told] = reminders_of(alice)
    assert [(line["description"], line["note"], line["amount"]) for line in told["lines"]] == [
        ("Growth plan", "", "$99.00"),
        ("Phone number (5 held, 2 included)", "3 numbers at $2.50", "$7.50"),
    ]
    assert (told["amount"], told["charged"]) == ("$106.50", "OMR 41.000")
    assert (told["card"], told["card_expires"]) == ("Visa •••• 4242", False)
    assert told["renews_at"] == END.isoformat()


def test_it_is_told_once_for_each_period(alice: Account) -> None:
    for hours in range(0, 72, 6):
        reminders.remind_due(now=AHEAD + hours * HOUR)
    renewals.renew_due(now=END)
    assert len(reminders_of(alice)) == 1
    reminders.remind_due(now=END + 29 * DAY)
    assert len(reminders_of(alice)) == 2


def test_a_beat_that_was_away_reminds_late_but_not_of_the_past(alice: Account) -> None:
    reminders.remind_due(now=END)
    assert reminders_of(alice) == []
    assert reminders.remind_due(now=END - HOUR) == 1


def test_without_a_card_it_says_so(alice: Account) -> None:
    Card.objects.filter(account=alice).update(is_default=False)
    reminders.remind_due(now=AHEAD)
    [told] = reminders_of(alice)
    assert (told["card"], told["path"]) == ("", "/billing/payment-methods/")
    outbox.deliver_due(now=AHEAD)
    text = next(each.body for each in mail.outbox if "renews on" in each.subject)
    assert "There is no payment method to charge." in text


@pytest.mark.parametrize(("month", "expires"), [(11, True), (12, False)])
def test_a_card_that_will_have_expired_by_then_is_named(
    alice: Account, month: int, expires: bool
) -> None:
    """The renewal is on 1 December: a card of 11/2026 is over, one of 12/2026 is not."""
    Card.objects.filter(account=alice).update(exp_month=month, exp_year=2026)
    reminders.remind_due(now=AHEAD)
    assert reminders_of(alice)[0]["card_expires"] is expires


def test_nothing_is_told_of_a_plan_that_ends_or_costs_nothing(
    alice: Account, add_card: AddCard
) -> None:
    free = make_subscriber(add_card, "payg", now=START)
    cancellation.cancel(account=alice, by=None, now=TWELFTH)
    assert reminders.remind_due(now=AHEAD) == 0
    assert reminders_of(alice) == reminders_of(free) == []


def test_who_keeps_the_plan_after_all_is_reminded(alice: Account) -> None:
    cancellation.cancel(account=alice, by=None, now=TWELFTH)
    reminders.remind_due(now=AHEAD)
    cancellation.keep(account=alice, by=None, now=AHEAD + HOUR)
    assert reminders.remind_due(now=AHEAD + 2 * HOUR) == 1


def test_it_foretells_the_plan_that_is_changed_to(alice: Account) -> None:
    move(alice, "starter", now=TWELFTH)
    reminders.remind_due(now=AHEAD)
    [told] = reminders_of(alice)
    assert (told["plan"], told["amount"]) == ("Starter", "$29.00")


def test_tax_is_in_the_total_and_has_its_line(alice: Account, settings: Settings) -> None:
    settings.CHARGE_TAX = True
    Account.objects.filter(pk=alice.pk).update(country="OM")
    reminders.remind_due(now=AHEAD)
    [told] = reminders_of(alice)
    assert told["lines"][-1] == {"description": "VAT 5 %", "note": "", "amount": "$4.95"}
    assert told["amount"] == "$103.95"
