"""Rentals: held at once, charged for the rest of the period, released when it ends."""

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.db import transaction as database
from pypdf import PdfReader
from pytest_django import Settings

from accounts import cards, service_state
from accounts.models import Account, AuditEvent, Card, PauseReason, User
from accounts.stripe_objects import Outcome, Payment
from accounts.tests.stripe_side import decline_from_now_on, lose_answers, payments
from invoices import charging, receipts, settlement, sweeper
from invoices.models import Purpose, Status, Transaction
from plans import quotes, renewals, rental_changes, rentals
from plans.models import Renewal, Rental, RentalVia
from plans.rental_changes import ChangeKind
from plans.tests.subscribers import (
    feature,
    make_subscriber,
    provision,
    subscription_of,
    version_of,
)
from wallet.models import Entry
from wallet.tests.factories import balance_of, move

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

#: A period of 30 days: 1 to 30 November 2026.
START = datetime(2026, 11, 1, tzinfo=UTC)
END = datetime(2026, 12, 1, tzinfo=UTC)
HALFWAY = datetime(2026, 11, 16, tzinfo=UTC)
AddCard = Callable[..., Card]


@pytest.fixture
def alice(add_card: AddCard) -> Account:
    """On growth since 1 November: 2 numbers, 3 seats and 10 slots are included."""
    return make_subscriber(add_card, "growth", now=START)


def hold(
    account: Account, key: str, quantity: int, now: datetime = HALFWAY, **fields: Any
) -> Transaction | None:
    return rentals.set_quantity(
        account=account, feature=feature(key), quantity=quantity, now=now, **fields
    )


def held(account: Account, key: str) -> int:
    rental = rental_changes.open_rental(account=account, feature=feature(key))
    return rental.quantity if rental else 0


def history(account: Account, key: str) -> list[tuple[int, datetime | None, datetime | None]]:
    """Return who held how many from when to when, oldest first."""
    rows = Rental.objects.filter(account=account, feature=feature(key)).order_by("pk")
    return [(row.quantity, row.started_at, row.ended_at) for row in rows]


# Taking ---------------------------------------------------------------------------------------
def test_what_the_plan_includes_is_free_and_held_at_once(alice: Account) -> None:
    assert hold(alice, "phone_number", 2) is None
    assert held(alice, "phone_number") == 2
    assert not Transaction.objects.filter(purpose=Purpose.RENTAL).exists()


def test_beyond_the_included_the_rest_of_the_period_is_charged(alice: Account) -> None:
    """Five numbers, two included: 3 × $2.50 for 15 of 30 days."""
    paid = hold(alice, "phone_number", 5)
    assert paid is not None
    assert (paid.status, paid.amount.amount) == (Status.PAID, Decimal("3.75"))
    line = paid.lines.get()
    assert (line.quantity, line.unit_price.amount) == (3, Decimal("2.50"))
    assert (line.period_start, line.period_end) == (HALFWAY, END)
    assert held(alice, "phone_number") == 5


def test_more_is_charged_only_for_what_is_more(alice: Account) -> None:
    hold(alice, "phone_number", 5)
    more = hold(alice, "phone_number", 6)
    assert more is not None
    assert more.amount.amount == Decimal("1.25")


@pytest.mark.parametrize(
    ("now", "dollars"),
    [
        (START, "199.00"),
        (START + timedelta(seconds=1), "199.00"),  # 198.99992
        (HALFWAY, "99.50"),
        (END - timedelta(days=1), "6.63"),  # 6.6333
        (END - timedelta(hours=3), "0.83"),  # 0.829
        (END - timedelta(days=1) + timedelta(microseconds=1), "6.63"),
    ],
)
def test_the_rest_of_the_period_is_counted_in_whole_seconds_half_up_to_a_cent(
    alice: Account, now: datetime, dollars: str
) -> None:
    paid = hold(alice, "whitelabel_license", 1, now)
    assert paid is not None
    assert paid.amount.amount == Decimal(dollars)


def test_less_than_stripe_charges_is_waived(alice: Account) -> None:
    """One number for two days of thirty: $0.17."""
    hold(alice, "phone_number", 2)
    assert hold(alice, "phone_number", 3, END - timedelta(days=2)) is None
    assert held(alice, "phone_number") == 3


def test_a_rental_taken_before_the_period_that_has_begun_is_opened_is_charged_for_it(
    alice: Account,
) -> None:
    """Beat has been away for 15 days of December: 16 of its 31 days are left."""
    late = END + timedelta(days=15)
    paid = hold(alice, "whitelabel_license", 1, late)
    assert paid is not None
    assert paid.amount.amount == Decimal("102.71")
    assert paid.lines.get().period_end == datetime(2027, 1, 1, tzinfo=UTC)


# Refusals -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("key", "quantity", "words"),
    [
        ("call_concurrency", 51, "at most 50"),
        ("whitelabel_license", 2, "at most 1"),
        ("phone_number", -1, "zero or more"),
        ("call_minutes", 1, "not in the plan"),
    ],
)
def test_what_the_plan_does_not_allow_is_refused(
    alice: Account, key: str, quantity: int, words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        hold(alice, key, quantity)
    assert held(alice, key) == 0


def test_what_is_not_in_the_plan_cannot_be_held(add_card: AddCard) -> None:
    starter = make_subscriber(add_card, "starter", now=START)
    with pytest.raises(ValidationError, match="not in the plan"):
        hold(starter, "whitelabel_license", 1)


def test_without_a_card_only_what_is_included_can_be_held(sandbox: "Sandbox") -> None:
    bob = provision(now=START)
    with pytest.raises(ValidationError, match="Add a payment method"):
        hold(bob, "phone_number", 1)
    assert history(bob, "phone_number") == []


def test_a_declined_card_holds_nothing(alice: Account, sandbox: "Sandbox") -> None:
    hold(alice, "phone_number", 2)
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")
    failed = hold(alice, "phone_number", 5)
    assert failed is not None
    assert failed.status == Status.FAILED
    assert held(alice, "phone_number") == 2


def test_a_second_call_while_the_first_is_under_way_is_refused(
    alice: Account, sandbox: "Sandbox"
) -> None:
    lose_answers(sandbox)
    hold(alice, "phone_number", 5)
    assert held(alice, "phone_number") == 0
    with pytest.raises(charging.AlreadyOpen):
        hold(alice, "phone_number", 5)
    sweeper.sweep(now=HALFWAY + timedelta(minutes=2))
    assert held(alice, "phone_number") == 5
    assert len(payments(purpose="rental")) == 1


def settle_late(transaction: Transaction) -> None:
    """Have Stripe say that a payment it reported as failed succeeded after all."""
    minor = int(transaction.charged_amount.amount * 1000)
    late = Payment(Outcome.SUCCEEDED, f"pi_late_{transaction.pk}", minor, "omr")
    now = HALFWAY + timedelta(hours=2)
    settlement.settle(transaction_id=transaction.pk, payment=late, now=now)


def test_a_late_success_for_what_was_given_up_becomes_credit(
    alice: Account, sandbox: "Sandbox"
) -> None:
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")
    failed = hold(alice, "phone_number", 5)
    assert failed is not None
    decline_from_now_on(sandbox, alice.cards.get(), None)
    hold(alice, "phone_number", 6)
    for _ in range(2):
        settle_late(failed)
    assert held(alice, "phone_number") == 6
    assert balance_of(alice) == Decimal("3.75")


def test_a_payment_learnt_of_when_its_period_is_over_becomes_credit(
    alice: Account, sandbox: "Sandbox"
) -> None:
    """The new period was charged without these: held now, they would be free until it ends."""
    hold(alice, "phone_number", 2)
    lose_answers(sandbox)
    hold(alice, "phone_number", 5, END - timedelta(days=14))
    renewals.renew_due(now=END)
    sweeper.sweep(now=END + timedelta(minutes=2))
    assert held(alice, "phone_number") == 2
    entry = Entry.objects.get(account=alice)
    assert (entry.amount, entry.description) == (
        Decimal("3.50"),
        "Credit for Phone number, paid when it was too late",
    )


def test_a_payment_for_more_than_the_plan_has_come_to_allow_becomes_credit(
    alice: Account, sandbox: "Sandbox"
) -> None:
    lose_answers(sandbox)
    hold(alice, "call_concurrency", 40)
    subscription = subscription_of(alice)
    subscription.plan_version = version_of("starter")
    subscription.save()
    sweeper.sweep(now=HALFWAY + timedelta(minutes=2))
    assert held(alice, "call_concurrency") == 0
    assert balance_of(alice) == Decimal("60.00")


# Releasing ------------------------------------------------------------------------------------
def test_what_is_released_stays_until_the_period_ends_and_is_not_renewed(alice: Account) -> None:
    hold(alice, "phone_number", 5)
    assert hold(alice, "phone_number", 3, HALFWAY + timedelta(days=1)) is None
    assert held(alice, "phone_number") == 5
    renewals.renew_due(now=END)
    assert held(alice, "phone_number") == 3
    second = Renewal.objects.get(account=alice, number=2)
    assert second.amount.amount == Decimal("101.50")  # 99 + 1 × 2.50


def test_the_renewal_s_receipt_says_how_many_of_what_for_which_days(alice: Account) -> None:
    hold(alice, "phone_number", 5)
    hold(alice, "user_seat", 3)  # all of them included: nothing to pay, no line
    renewals.renew_due(now=END)
    paid = Transaction.objects.get(account=alice, purpose=Purpose.RENEWAL)
    pdf = PdfReader(io.BytesIO(receipts.render(paid)))
    text = " ".join(" ".join(page.extract_text() for page in pdf.pages).split())
    assert "Growth plan 1 Dec 2026 – 1 Jan 2027 1 $99.00 $99.00" in text
    assert "Phone number (5 held, 2 included) 1 Dec 2026 – 1 Jan 2027 3 numbers $2.50 $7.50" in text
    assert "User seat" not in text
    assert "Total USD $106.50" in text


def test_a_release_taken_back_changes_nothing(alice: Account) -> None:
    hold(alice, "phone_number", 5)
    hold(alice, "phone_number", 0)
    assert hold(alice, "phone_number", 5) is None
    renewals.renew_due(now=END)
    assert held(alice, "phone_number") == 5


def test_taking_more_than_was_held_forgets_the_release(alice: Account) -> None:
    hold(alice, "phone_number", 5)
    hold(alice, "phone_number", 3)
    hold(alice, "phone_number", 6)
    renewals.renew_due(now=END)
    assert held(alice, "phone_number") == 6


def test_releasing_everything_ends_the_rental_at_the_renewal(alice: Account) -> None:
    hold(alice, "phone_number", 2)
    hold(alice, "phone_number", 0)
    renewals.renew_due(now=END + timedelta(minutes=1))
    assert history(alice, "phone_number") == [(2, HALFWAY, END)]


def test_the_history_says_how_many_were_held_when(alice: Account) -> None:
    day = timedelta(days=1)
    hold(alice, "phone_number", 2, START + day)
    hold(alice, "phone_number", 5, START + 2 * day)
    hold(alice, "phone_number", 4, START + 3 * day)
    renewals.renew_due(now=END)
    assert history(alice, "phone_number") == [
        (2, START + day, START + 2 * day),
        (5, START + 2 * day, END),
        (4, END, None),
    ]


def test_what_was_taken_after_the_period_began_is_not_released_with_it(alice: Account) -> None:
    """Beat has been away since the first of December; numbers came and went on the second."""
    late = END + timedelta(days=1)
    hold(alice, "phone_number", 2, late)
    hold(alice, "phone_number", 1, late + timedelta(hours=1))
    renewals.renew_due(now=late + timedelta(hours=2))
    assert history(alice, "phone_number") == [(2, late, None)]


def test_a_card_stays_while_rentals_are_charged_to_it(add_card: AddCard) -> None:
    payg = make_subscriber(add_card, "payg", now=START)
    hold(payg, "phone_number", 1)
    with pytest.raises(ValidationError, match="charged to this card"):
        cards.remove(card=payg.cards.get(), by=None, now=HALFWAY)


@pytest.mark.parametrize("quantity", [1, 2, 8])
def test_while_more_are_being_paid_for_nothing_else_is_asked(
    alice: Account, sandbox: "Sandbox", quantity: int
) -> None:
    """What is asked meanwhile would be undone when the payment arrives."""
    almost_over = END - timedelta(hours=1)  # even 8 would cost too little to be charged
    hold(alice, "phone_number", 2, START)
    lose_answers(sandbox)
    hold(alice, "phone_number", 5)
    with pytest.raises(charging.AlreadyOpen):
        hold(alice, "phone_number", quantity, almost_over)
    sweeper.sweep(now=HALFWAY + timedelta(minutes=2))
    assert held(alice, "phone_number") == 5
    hold(alice, "phone_number", quantity, almost_over)
    renewals.renew_due(now=END)
    assert held(alice, "phone_number") == quantity


def test_while_a_plan_is_being_paid_for_nothing_more_is_taken(
    alice: Account, sandbox: "Sandbox"
) -> None:
    """It may be another plan afterwards, with other prices and another maximum."""
    hold(alice, "phone_number", 5)
    charging.open_transaction(
        account=alice,
        purpose=Purpose.PLAN_CHANGE,
        lines=[charging.NewLine("Enterprise plan", Decimal("450.00"))],
        status=Status.PROCESSING,
        card=alice.cards.get(),
        obligation="plan_change",
        now=HALFWAY,
    )
    with pytest.raises(charging.AlreadyOpen):
        hold(alice, "phone_number", 6)
    assert hold(alice, "phone_number", 3) is None


# What was shown is what is charged ------------------------------------------------------------
def quoted(account: Account, quantity: int, now: datetime) -> quotes.Agreed:
    """Return what the customer agrees to who looked at the page at `now`."""
    number = feature("phone_number")
    change = rentals.preview(account=account, feature=number, quantity=quantity, now=now)
    subject = rental_changes.subject(feature=number, quantity=quantity)
    token = quotes.sign(account=account, subject=subject, price=change.price, moment=now)
    return quotes.read(token, account=account, subject=subject, now=now)


def test_what_is_charged_is_what_was_quoted_minutes_before(alice: Account) -> None:
    """102 numbers: a minute is worth 0.6 cents for all of them, so nine are five cents."""
    agreed = quoted(alice, 102, HALFWAY)
    assert agreed.amount == Decimal("125.00")
    later = HALFWAY + timedelta(minutes=9)
    assert rentals.preview(
        account=alice, feature=feature("phone_number"), quantity=102, now=later
    ).price.amount == Decimal("124.95")
    paid = hold(alice, "phone_number", 102, later, agreed=agreed)
    assert paid is not None
    assert (paid.amount.amount, paid.lines.get().period_start) == (Decimal("125.00"), HALFWAY)


def test_nothing_is_charged_that_was_not_agreed_to(alice: Account) -> None:
    agreed = quoted(alice, 5, HALFWAY)
    hold(alice, "phone_number", 3)
    with pytest.raises(quotes.QuoteExpired):
        hold(alice, "phone_number", 5, agreed=agreed)
    assert held(alice, "phone_number") == 3


def test_a_quote_is_not_good_for_the_next_period(alice: Account) -> None:
    agreed = quoted(alice, 102, END - timedelta(minutes=5))
    with pytest.raises(quotes.QuoteExpired):
        hold(alice, "phone_number", 102, END + timedelta(minutes=1), agreed=agreed)


def test_tax_is_added_to_a_rental(alice: Account, settings: Settings) -> None:
    """$3.75 and 5 %: $0.19 (0.1875), $3.94, OMR 1.52 (1.5169)."""
    settings.CHARGE_TAX = True
    Account.objects.filter(pk=alice.pk).update(country="OM")
    paid = hold(alice, "phone_number", 5)
    assert paid is not None
    assert (paid.net_amount.amount, paid.tax_amount.amount, paid.amount.amount) == (
        Decimal("3.75"),
        Decimal("0.19"),
        Decimal("3.94"),
    )
    assert paid.charged_amount.amount == Decimal("1.520")
    assert held(alice, "phone_number") == 5


@pytest.mark.parametrize(
    ("quantity", "kind", "dollars", "monthly"),
    [
        (6, ChangeKind.TAKEN, "1.25", "10.00"),
        (5, ChangeKind.RELEASE_UNDONE, "0", "7.50"),
        (4, ChangeKind.RELEASED, "0", "5.00"),
        (3, ChangeKind.NONE, "0", "2.50"),
        (2, ChangeKind.RELEASED, "0", "0"),
    ],
)
def test_what_a_change_comes_to(
    alice: Account, quantity: int, kind: ChangeKind, dollars: str, monthly: str
) -> None:
    """Five are held, two of them released; two are included."""
    hold(alice, "phone_number", 5)
    hold(alice, "phone_number", 3)
    change = rentals.preview(
        account=alice, feature=feature("phone_number"), quantity=quantity, now=HALFWAY
    )
    assert (change.kind, change.price.amount) == (kind, Decimal(dollars))
    assert change.monthly == Decimal(monthly)


def test_what_is_waived_is_said(alice: Account) -> None:
    change = rentals.preview(
        account=alice, feature=feature("phone_number"), quantity=3, now=END - timedelta(days=2)
    )
    assert (change.price.amount, change.waived) == (0, Decimal("0.17"))


# Unpaid and locked ----------------------------------------------------------------------------
def test_while_a_renewal_is_unpaid_nothing_more_is_taken(
    alice: Account, sandbox: "Sandbox"
) -> None:
    hold(alice, "phone_number", 5)
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")
    renewals.renew_due(now=END)
    with pytest.raises(ValidationError, match="not paid yet"):
        hold(alice, "phone_number", 6, END)
    hold(alice, "phone_number", 3, END)  # fewer can always be asked for
    hold(alice, "phone_number", 5, END)  # and be taken back
    assert held(alice, "phone_number") == 5


def test_locked_services_take_nothing_more_and_a_negative_balance_does_not_matter(
    alice: Account,
) -> None:
    move(alice, "-5")
    assert hold(alice, "phone_number", 3) is not None
    service_state.pause(account_ids=[alice.pk], reason=PauseReason.LOCKED, now=HALFWAY)
    with pytest.raises(ValidationError, match="locked"):
        hold(alice, "phone_number", 4)


def test_what_is_held_ends_with_the_subscription(alice: Account) -> None:
    hold(alice, "phone_number", 5)
    subscription = subscription_of(alice)
    subscription.cancel_at_period_end = True
    subscription.save()
    renewals.renew_due(now=END + timedelta(hours=1))
    assert history(alice, "phone_number") == [(5, HALFWAY, END)]


# Who held what when ---------------------------------------------------------------------------
def test_the_history_says_who_asked_where_and_why(alice: Account) -> None:
    salim = User.objects.create_user("salim@sohar.test")
    fatma = User.objects.create_user("fatma@badal.test", is_staff=True)
    hold(alice, "phone_number", 2, via=RentalVia.API)
    hold(alice, "phone_number", 5, via=RentalVia.DASHBOARD, by=salim)
    hold(alice, "phone_number", 3, via=RentalVia.ADMIN, by=fatma, reason="Asked by phone")
    hold(alice, "phone_number", 5, via=RentalVia.DASHBOARD, by=salim)
    hold(alice, "phone_number", 5, via=RentalVia.DASHBOARD, by=salim)  # says nothing new
    events = AuditEvent.objects.filter(account=alice, action__startswith="rental_").order_by("pk")
    assert [
        (event.action, event.actor, event.reason, event.details["held"], event.details["quantity"])
        for event in events
    ] == [
        ("rental_taken", None, "", 0, 2),
        ("rental_taken", salim, "", 2, 5),
        ("rental_released", fatma, "Asked by phone", 5, 3),
        ("rental_release_undone", salim, "", 5, 5),
    ]
    rows = Rental.objects.filter(account=alice).order_by("pk")
    assert [(row.quantity, row.via, row.changed_by) for row in rows] == [
        (2, RentalVia.API, None),
        (5, RentalVia.DASHBOARD, salim),
    ]


# The database keeps the maximum ---------------------------------------------------------------
def test_the_database_refuses_more_than_the_plan_allows(alice: Account) -> None:
    slots = feature("call_concurrency")
    row = {"account": alice, "feature": slots, "started_at": HALFWAY}
    with pytest.raises(IntegrityError, match="more than the 50"), database.atomic():
        Rental.objects.create(**row, quantity=51)
    rental = Rental.objects.create(**row, quantity=50)
    with pytest.raises(IntegrityError, match="more than the 50"), database.atomic():
        Rental.objects.filter(pk=rental.pk).update(quantity=51)


def test_what_was_held_before_the_plan_allowed_less_is_kept_until_the_renewal(
    alice: Account,
) -> None:
    hold(alice, "call_concurrency", 50)
    subscription = subscription_of(alice)
    subscription.plan_version = version_of("starter")
    subscription.save()
    with pytest.raises(ValidationError, match="at most 20"):
        hold(alice, "call_concurrency", 51)
    hold(alice, "call_concurrency", 30)
    hold(alice, "call_concurrency", 50)
    hold(alice, "call_concurrency", 30)
    renewals.renew_due(now=END)
    assert held(alice, "call_concurrency") == 20
