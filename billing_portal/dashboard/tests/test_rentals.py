"""Rentals on the dashboard: the exact price first, then taking, releasing, keeping."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
import time_machine
from django.test import Client
from pytest_django import Settings

from accounts import cards
from accounts.models import Account, AuditEvent, Card
from accounts.stripe_objects import Outcome, Payment
from accounts.tests.stripe_side import answer_the_bank, decline_from_now_on, lose_answers
from billing_portal.dashboard.tests.scenes import make_member
from invoices import settlement
from invoices.models import Purpose, Status, Transaction
from plans import renewals, rental_changes
from plans.models import PlanChange, PlanChangeStatus, RentalVia
from plans.tests.subscribers import (
    feature,
    make_subscriber,
    provision,
    subscription_of,
    version_of,
)
from plans.tests.test_rentals import END, HALFWAY, START, hold
from wallet.tests.factories import balance_of

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]
NUMBERS = "/billing/plan/rentals/phone_number/"


@pytest.fixture(autouse=True)
def _halfway() -> Iterator[None]:
    with time_machine.travel(HALFWAY, tick=False):
        yield


@pytest.fixture
def salim(add_card: Callable[..., Card]) -> Account:
    """On growth since 1 November: 2 numbers are included, the third costs $2.50 a month."""
    return make_subscriber(add_card, "growth", now=START)


def words(html: str) -> str:
    """Return what a page says, without its markup."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def read(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return words(answer.content.decode())


def quote_for(client: Client, quantity: int) -> str:
    """Look at the price of `quantity` and return the quote that the page carries."""
    html = client.get(f"{NUMBERS}?quantity={quantity}").content.decode()
    found = re.search(r'name="quote" value="([^"]+)"', html)
    assert found is not None
    return found[1]


def post(client: Client, quantity: int, quote: str | None = None) -> str:
    """Agree to the quote; return what the page says that this leads to."""
    data = {"quantity": quantity, "quote": quote or quote_for(client, quantity)}
    return words(client.post(NUMBERS, data, follow=True).content.decode())


def held(account: Account) -> int:
    rental = rental_changes.open_rental(account=account, feature=feature("phone_number"))
    return rental.quantity if rental else 0


def test_the_plan_page_says_what_is_held_and_what_it_costs(salim: Account, sign_in: SignIn) -> None:
    hold(salim, "phone_number", 5)
    hold(salim, "user_seat", 1)
    hold(salim, "phone_number", 3)
    page = read(sign_in(salim), "/billing/plan/")
    assert "Phone number 2 included, then $2.50 per number a month" in page
    assert "5 numbers since Nov 16, 2026 3 numbers from Dec 1, 2026 on. $7.50 a month" in page
    assert "User seat 3 included, then $10.00 per seat a month" in page
    assert "1 seat since Nov 16, 2026 Included" in page
    assert "10 included, then $4.00 per slot a month, at most 50" in page
    assert "Keep 5 numbers" in page


def test_the_exact_price_is_shown_before(salim: Account, sign_in: SignIn) -> None:
    page = read(sign_in(salim), f"{NUMBERS}?quantity=5")
    for part in (
        "Held now 0 numbers",
        "Held after this 5 numbers",
        "3 numbers until Dec 1, 2026 $2.50 a month each, for the rest of the period $3.75",
        "Total now $3.75",
        "Charged in Omani rials, 1 USD = 0.385 OMR OMR 1.440",
        "From Dec 1, 2026 on: $7.50 a month.",
        "Take 5 numbers and pay $3.75",
    ):
        assert part in page
    assert held(salim) == 0


def test_with_tax_net_tax_and_total_are_shown(
    salim: Account, sign_in: SignIn, settings: Settings
) -> None:
    settings.CHARGE_TAX = True
    Account.objects.filter(pk=salim.pk).update(country="OM")
    client = sign_in(salim)
    page = read(client, f"{NUMBERS}?quantity=5")
    assert "Net $3.75 VAT 5 % $0.19 Total now $3.94" in page
    assert "OMR 1.520" in page
    assert "$7.50 a month before tax" in page
    post(client, 5)
    paid = Transaction.objects.get(account=salim, purpose=Purpose.RENTAL)
    assert (paid.amount.amount, paid.charged_amount.amount) == (Decimal("3.94"), Decimal("1.520"))


def test_it_is_charged_what_was_shown_minutes_before(salim: Account, sign_in: SignIn) -> None:
    client = sign_in(salim)
    quote = quote_for(client, 102)
    with time_machine.travel(HALFWAY + timedelta(minutes=9), tick=False):
        assert "you hold 102 numbers" in post(client, 102, quote)
    paid = Transaction.objects.get(account=salim, purpose=Purpose.RENTAL)
    assert str(paid.amount.amount) == "125.00"
    event = AuditEvent.objects.get(account=salim, action="rental_taken")
    assert (event.actor is not None, event.details["via"]) == (True, RentalVia.DASHBOARD)


def test_after_ten_minutes_it_must_be_looked_at_again(salim: Account, sign_in: SignIn) -> None:
    client = sign_in(salim)
    quote = quote_for(client, 102)
    with time_machine.travel(HALFWAY + timedelta(minutes=11), tick=False):
        answer = client.post(NUMBERS, {"quantity": 102, "quote": quote})
    assert answer.status_code == 422
    page = words(answer.content.decode())
    assert "Please look at it again" in page
    assert "Take 102 numbers and pay $124.94" in page
    assert held(salim) == 0


def test_without_a_script_the_amounts_are_shown_first(salim: Account, sign_in: SignIn) -> None:
    client = sign_in(salim)
    answer = client.post(NUMBERS, {"quantity": 5})
    assert answer.status_code == 200
    assert "Check the amounts, then confirm." in words(answer.content.decode())
    assert held(salim) == 0


def test_sent_twice_it_is_paid_once(salim: Account, sign_in: SignIn) -> None:
    client = sign_in(salim)
    quote = quote_for(client, 5)
    for _ in range(2):
        post(client, 5, quote)
    assert Transaction.objects.filter(account=salim, purpose=Purpose.RENTAL).count() == 1
    assert held(salim) == 5


def test_released_and_kept_after_all(salim: Account, sign_in: SignIn) -> None:
    hold(salim, "phone_number", 5)
    client = sign_in(salim)
    page = read(client, f"{NUMBERS}?quantity=3")
    assert "Held from Dec 1, 2026 on 3 numbers" in page
    assert "From Dec 1, 2026 on: $2.50 a month. Until then all 5 stay" in page
    post(client, 3)
    assert "3 numbers from Dec 1, 2026 on." in read(client, "/billing/plan/")
    client.post(f"{NUMBERS}keep/")
    assert "3 numbers from" not in read(client, "/billing/plan/")
    renewals.renew_due(now=END)
    assert held(salim) == 5


def test_what_a_plan_that_ends_or_changes_leaves_of_them_is_said(
    salim: Account, sign_in: SignIn
) -> None:
    subscription = subscription_of(salim)
    PlanChange.objects.create(
        account=salim,
        subscription=subscription,
        from_version=subscription.plan_version,
        to_version=version_of("starter"),
        period_number=1,
        status=PlanChangeStatus.SCHEDULED,
        created_at=HALFWAY,
    )
    client = sign_in(salim)
    slots = read(client, "/billing/plan/rentals/call_concurrency/?quantity=30")
    assert "From Dec 1, 2026 on, 20 slots, the most of your plan: $90.00 a month." in slots
    licence = read(client, "/billing/plan/rentals/whitelabel_license/?quantity=1")
    assert "your plan ends or becomes one without them" in licence
    assert "From Dec 1, 2026 on: $15.00 a month." in read(client, f"{NUMBERS}?quantity=5")
    PlanChange.objects.update(status=PlanChangeStatus.CANCELED)
    subscription.cancel_at_period_end = True
    subscription.save()
    assert "your plan ends or becomes" in read(client, f"{NUMBERS}?quantity=5")


def test_the_history_names_the_customer_s_people_and_support(
    salim: Account, sign_in: SignIn
) -> None:
    owner = make_member(salim, "owner")
    client = sign_in(salim, user=owner)
    post(client, 5)
    hold(salim, "phone_number", 4, via=RentalVia.ADMIN, reason="Asked by phone")
    hold(salim, "phone_number", 6)
    page = read(client, NUMBERS)
    assert f"Took 5 more: 5 numbers instead of 0 {owner.spoken_name}" in page
    assert "Released 1: 4 numbers from the renewal on Support" in page
    assert "Took 1 more: 6 numbers instead of 5 The platform" in page
    assert "Asked by phone" not in page


def test_a_decline_says_why_and_holds_nothing(
    salim: Account, sign_in: SignIn, sandbox: "Sandbox"
) -> None:
    decline_from_now_on(sandbox, salim.cards.get(), "insufficient_funds")
    client = sign_in(salim)
    answer = client.post(NUMBERS, {"quantity": 5, "quote": quote_for(client, 5)})
    assert answer.status_code == 422
    assert "insufficient funds" in words(answer.content.decode())
    assert "Nothing was charged." in words(answer.content.decode())
    assert held(salim) == 0


def test_while_the_bank_thinks_nothing_else_is_asked(
    salim: Account, sign_in: SignIn, sandbox: "Sandbox"
) -> None:
    client = sign_in(salim)
    quote = quote_for(client, 5)
    lose_answers(sandbox)
    answer = client.post(NUMBERS, {"quantity": 5, "quote": quote})
    waiting = Transaction.objects.get(account=salim, purpose=Purpose.RENTAL)
    assert waiting.status == Status.PROCESSING
    assert answer.headers["Location"] == f"/billing/history/{waiting.number}/"
    assert "More are being paid for." in read(client, "/billing/plan/")
    assert "A payment for this is under way" in read(client, f"{NUMBERS}?quantity=6")


@pytest.mark.parametrize(
    ("key", "quantity", "said"),
    [
        ("call_concurrency", "51", "at most 50"),
        ("phone_number", "-1", "Enter zero or more."),
        ("phone_number", "x", "Enter a whole number."),
        ("phone_number", "", "This field is required."),
        ("phone_number", "9" * 30, "Enter a smaller number."),
    ],
)
def test_what_can_t_be_asked_for_is_said(
    salim: Account, sign_in: SignIn, key: str, quantity: str, said: str
) -> None:
    client = sign_in(salim)
    path = f"/billing/plan/rentals/{key}/"
    assert said in read(client, f"{path}?quantity={quantity}")
    answer = client.post(path, {"quantity": quantity, "quote": "x"})
    assert answer.status_code == 422
    assert said in words(answer.content.decode())


def test_without_a_card_one_is_asked_for(sign_in: SignIn, sandbox: "Sandbox") -> None:
    bob = provision(now=START)
    page = read(sign_in(bob), f"{NUMBERS}?quantity=1")
    assert "you have none yet. Add Payment Method" in page


def test_a_viewer_sees_the_history_and_changes_nothing(salim: Account, sign_in: SignIn) -> None:
    hold(salim, "phone_number", 5)
    hold(salim, "phone_number", 3)
    client = sign_in(salim, "viewer")
    page = read(client, f"{NUMBERS}?quantity=9")
    assert "Released 2" in page
    assert "Quantity" not in page
    assert "Keep 5 numbers" not in read(client, "/billing/plan/")
    assert client.post(NUMBERS, {"quantity": 9}).status_code == 403
    assert client.post(f"{NUMBERS}keep/").status_code == 403


@pytest.mark.parametrize("key", ["call_minutes", "nonsense", "whitelabel_license"])
def test_what_the_plan_does_not_have_is_not_there(
    add_card: Callable[..., Card], sign_in: SignIn, key: str
) -> None:
    starter = make_subscriber(add_card, "starter", now=START)
    assert sign_in(starter).get(f"/billing/plan/rentals/{key}/").status_code == 404


def test_they_are_held_once_the_bank_s_question_is_answered(
    salim: Account, add_card: Callable[..., Card], sign_in: SignIn, sandbox: "Sandbox"
) -> None:
    asks = add_card(salim, "pm_card_authenticationRequired", now=HALFWAY)
    cards.make_default(card=asks, by=None, now=HALFWAY)
    client = sign_in(salim)
    answer = client.post(NUMBERS, {"quantity": 5, "quote": quote_for(client, 5)})
    waiting = Transaction.objects.get(account=salim, purpose=Purpose.RENTAL)
    assert answer.headers["Location"] == f"/billing/history/{waiting.number}/confirm/"
    assert held(salim) == 0
    client.get(answer.headers["Location"])
    answer_the_bank(sandbox, waiting.stripe_payment_intent_id)
    client.post(answer.headers["Location"])
    assert held(salim) == 5


def test_what_was_taken_meanwhile_makes_a_confirmed_payment_credit(
    salim: Account, add_card: Callable[..., Card], sandbox: "Sandbox"
) -> None:
    """The platform asked for five, three to be paid for; the bank asks; two become three."""
    asks = add_card(salim, "pm_card_authenticationRequired", now=HALFWAY)
    hold(salim, "phone_number", 2)
    cards.make_default(card=asks, by=None, now=HALFWAY)
    failed = hold(salim, "phone_number", 5)
    assert failed is not None
    assert failed.can_be_confirmed(HALFWAY)
    cards.make_default(card=salim.cards.exclude(pk=asks.pk).get(), by=None, now=HALFWAY)
    hold(salim, "phone_number", 3)
    late = Payment(Outcome.SUCCEEDED, "pi_late", 1440, "omr")
    settlement.settle(transaction_id=failed.pk, payment=late, now=HALFWAY)
    assert held(salim) == 3
    assert balance_of(salim) == Decimal("3.75")
