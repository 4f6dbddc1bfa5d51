"""Auto-Refill on the Overview: bad input, and asking before it charges at once."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Account
from accounts.tests.factories import make_card
from billing_portal.dashboard.tests import scenes
from billing_portal.dashboard.times import moment
from invoices.models import Purpose, Status
from invoices.tests.factories import make_transaction
from wallet import refill_rules, refills
from wallet.models import AutoRefill

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]
URL = "/billing/auto-refill/"


@pytest.fixture(autouse=True)
def nudged(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker is not part of these examples."""
    monkeypatch.setattr(refills, "nudge", lambda account_ids: None)


@pytest.fixture
def payer(account: Account) -> Account:
    """On pay as you go with a card and $30."""
    scenes.start_plan(account, "payg", at=timezone.now())
    scenes.top_up(account, "30.00", at=timezone.now())
    make_card(account, is_default=True)
    return account


def rule(account: Account) -> AutoRefill | None:
    return AutoRefill.objects.filter(wallet__account=account).first()


def test_above_the_threshold_it_is_simply_switched_on(payer: Account, sign_in: SignIn) -> None:
    form = {"enabled": "on", "threshold": "20", "amount": "50"}

    response = sign_in(payer).post(URL, form, follow=True)

    saved = rule(payer)
    assert saved is not None
    assert (saved.enabled, saved.threshold.amount, saved.amount.amount) == (True, 20, 50)
    assert "Auto-Refill is on." in response.content.decode()


@pytest.mark.parametrize(("threshold", "asks"), [("30.00", False), ("30.01", True)])
def test_below_the_threshold_it_asks_before_it_charges(
    payer: Account, sign_in: SignIn, threshold: str, asks: bool
) -> None:
    client = sign_in(payer)
    form = {"enabled": "on", "threshold": threshold, "amount": "50"}

    response = client.post(URL, form, follow=True)

    html = response.content.decode()
    assert ("Turn on and charge $50.00" in html) is asks
    assert ("OMR 19.250" in html.split("Charged now")[-1]) is asks or not asks
    assert (rule(payer) is None) is asks
    if asks:
        client.post(URL, {**form, "confirmed": "50.00"})
        saved = rule(payer)
        assert saved is not None
        assert saved.enabled


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ({"threshold": "-1"}, "Enter an amount of zero or more, in whole cents."),
        ({"threshold": ""}, "This field is required."),
        ({"threshold": "abc"}, "Enter an amount like 25 or 25.50."),
        ({"amount": "9.99"}, "Enter at least $10.00."),
        ({"amount": "99999"}, "Enter at most $5,000.00."),
        ({"amount": "9" * 20}, "Enter a smaller amount."),
        ({"amount": "1e9"}, "Enter an amount like 25 or 25.50."),
    ],
)
def test_bad_input_is_explained_and_what_was_typed_stays(
    payer: Account, sign_in: SignIn, typed: dict[str, str], problem: str
) -> None:
    form = {"enabled": "on", "threshold": "20", "amount": "50", **typed}

    response = sign_in(payer).post(URL, form)

    html = response.content.decode()
    assert response.status_code == 422
    assert problem in html
    assert all(f'value="{value}"' in html for value in typed.values() if value)
    assert rule(payer) is None


def test_what_the_saved_rule_would_charge_is_not_said_beside_another_being_typed(
    account: Account, sign_in: SignIn
) -> None:
    scenes.start_plan(account, "payg", at=timezone.now())
    scenes.top_up(account, "10.00", at=timezone.now())
    scenes.use(account, "call_minutes", "50", at=timezone.now())
    make_card(account, is_default=True)
    owner = sign_in(account)
    note = "switching it on charges"
    assert note in owner.get("/billing/").content.decode()

    refused = owner.post(URL, {"enabled": "on", "threshold": "1", "amount": "5"})

    assert refused.status_code == 422
    assert note not in refused.content.decode()


def test_without_a_card_it_can_t_be_switched_on(account: Account, sign_in: SignIn) -> None:
    scenes.start_plan(account, "payg", at=timezone.now())

    response = sign_in(account).post(URL, {"enabled": "on", "threshold": "0", "amount": "50"})

    assert response.status_code == 422
    assert "Add a payment method first" in response.content.decode()


def test_switching_a_suspended_rule_on_again_lifts_the_suspension(
    payer: Account, sign_in: SignIn
) -> None:
    scenes.switch_refill_on(payer, suspended_at=timezone.now(), consecutive_failures=3)

    sign_in(payer).post(URL, {"enabled": "on", "threshold": "20", "amount": "50"})

    saved = rule(payer)
    assert saved is not None
    assert (saved.enabled, saved.suspended_at, saved.consecutive_failures) == (True, None, 0)


def test_switching_off_never_asks(payer: Account, sign_in: SignIn) -> None:
    scenes.switch_refill_on(payer)

    response = sign_in(payer).post(URL, {"threshold": "100", "amount": "50"}, follow=True)

    assert "Auto-Refill is off." in response.content.decode()


@pytest.mark.parametrize("amount", ["25,50", "1,00", "10,000,00", ",50", "1,0000", "25,"])
def test_a_decimal_comma_is_never_read_as_a_hundred_times_as_much(
    payer: Account, sign_in: SignIn, amount: str
) -> None:
    form = {"enabled": "on", "threshold": "20", "amount": amount}

    response = sign_in(payer).post(URL, form)

    assert response.status_code == 422
    assert "Enter an amount like 25 or 25.50." in response.content.decode()
    assert not AutoRefill.objects.filter(wallet__account=payer, enabled=True).exists()


# What it charges at once, and up to what --------------------------------------------------------
def test_it_says_how_often_it_charges_at_once(payer: Account, sign_in: SignIn) -> None:
    form = {"enabled": "on", "threshold": "100", "amount": "25"}

    html = sign_in(payer).post(URL, form).content.decode()

    assert "3 times now" in html
    assert "OMR 9.630" in html  # each
    assert "Turn on and charge $75.00" in html
    assert "OMR 28.890" in html
    assert refill_rules.agreement().replace("'", "&#x27;") in html


def test_more_than_was_agreed_to_is_asked_again(payer: Account, sign_in: SignIn) -> None:
    form = {"enabled": "on", "threshold": "40", "amount": "25", "confirmed": "25.00"}
    scenes.use(payer, "call_minutes", "120", at=timezone.now())  # $18: now it takes two

    response = sign_in(payer).post(URL, form)

    assert "Turn on and charge $50.00" in response.content.decode()
    assert rule(payer) is None


def test_beyond_the_monthly_maximum_nothing_is_said_to_be_charged(
    payer: Account, sign_in: SignIn
) -> None:
    form = {"enabled": "on", "threshold": "100", "amount": "25", "monthly_maximum": "60"}
    assert "2 times now" in sign_in(payer).post(URL, form).content.decode()


def test_the_monthly_maximum_is_saved_and_shown(payer: Account, sign_in: SignIn) -> None:
    owner = sign_in(payer)
    form = {"enabled": "on", "threshold": "10", "amount": "25", "monthly_maximum": "250"}
    html = owner.post(URL, form, follow=True).content.decode()
    assert "$0.00 of $250.00" in html
    assert 'value="250.00"' in html

    html = owner.post(URL, {**form, "monthly_maximum": "24"}).content.decode()
    assert "Enter at least $25.00, what one top-up costs." in html

    owner.post(URL, {**form, "monthly_maximum": ""})
    saved = rule(payer)
    assert saved is not None
    assert saved.monthly_maximum is None


def test_a_cap_that_is_reached_is_shown_with_when_it_goes_on(
    payer: Account, sign_in: SignIn
) -> None:
    until = timezone.now() + timedelta(days=2)
    scenes.switch_refill_on(payer, threshold="40", capped_until=until)

    html = sign_in(payer).get("/billing/").content.decode()

    written = moment(until, payer.timezone)
    assert "Auto-Refill reached its limit." in html
    assert f"It goes on by itself on {written.short}." in html
    assert f"Goes on {written.day}, {written.clock}" in html


def test_the_last_attempt_is_shown_with_its_amount_and_reason(
    payer: Account, sign_in: SignIn
) -> None:
    scenes.switch_refill_on(payer)
    make_transaction(
        payer,
        status=Status.FAILED,
        purpose=Purpose.AUTO_REFILL,
        amount="50.00",
        failure_message="The card has insufficient funds.",
    )
    for role in ("owner", "viewer"):
        html = sign_in(payer, role=role).get("/billing/").content.decode()
        assert "Failed, $50.00: The card has insufficient funds." in html


def test_a_minimum_that_rose_leaves_the_rule_and_is_explained(
    payer: Account, sign_in: SignIn
) -> None:
    scenes.switch_refill_on(payer, amount="10")
    version = scenes.plan_version("growth")  # at least $25
    payer.subscriptions.update(plan_version=version)

    html = sign_in(payer).get("/billing/").content.decode()

    assert "Your plan&#x27;s smallest top-up is $25.00 now." in html


def test_who_agreed_to_what_can_be_read_by_all_members(payer: Account, sign_in: SignIn) -> None:
    owner = scenes.make_member(payer, first_name="Aisha", last_name="Al Kindi")
    client = sign_in(payer, user=owner)
    client.post(URL, {"enabled": "on", "threshold": "10", "amount": "25"})
    client.post(URL, {"threshold": "10", "amount": "25"})

    html = sign_in(payer, role="viewer").get("/billing/settings/").content.decode()

    assert "<strong>Switched on</strong>: $25.00 when below $10.00" in html
    assert "<strong>Switched off</strong>" in html
    assert html.count("Aisha Al Kindi") == 2
    assert "charges your default card the Top Up Amount" in html


def test_raising_the_threshold_above_the_balance_asks_too(payer: Account, sign_in: SignIn) -> None:
    scenes.switch_refill_on(payer, threshold="20")
    owner = sign_in(payer)
    form = {"enabled": "on", "threshold": "40", "amount": "50"}

    html = owner.post(URL, form).content.decode()

    assert "Change Auto-Refill?" in html
    assert "Save and charge $50.00" in html
    saved = rule(payer)
    assert saved is not None
    assert saved.threshold.amount == 20
    owner.post(URL, {**form, "confirmed": "50.00"})
    saved.refresh_from_db()
    assert saved.threshold.amount == 40
