"""Adding credit: what is shown before paying, and that a form pays once."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts import cards, gateway
from accounts.models import Account, Membership
from accounts.stripe_objects import CheckoutSession, Outcome, Payment
from accounts.tests.factories import make_card
from billing_portal.dashboard.tests import scenes
from invoices.models import Status
from invoices.tests.factories import make_transaction
from wallet import topup_limits

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]
TOP_UP = "/billing/top-up/"


class FakeStripe:
    """Answers charges the way a test wants, and counts them."""

    def __init__(self) -> None:
        self.outcome = Outcome.SUCCEEDED
        self.charges: list[dict[str, Any]] = []

    def charge_card(self, **asked: Any) -> Payment:
        """Charge, or decline."""
        self.charges.append(asked)
        if self.outcome == Outcome.DECLINED:
            return Payment(
                Outcome.DECLINED,
                payment_intent_id=f"pi_{len(self.charges)}",
                failure_code="insufficient_funds",
                failure_message="The card has insufficient funds.",
            )
        return Payment(
            Outcome.SUCCEEDED,
            payment_intent_id=f"pi_{len(self.charges)}",
            amount_minor=int(asked["amount"].amount * 1000),
            currency="omr",
            card_brand="visa",
            card_last4="4242",
        )


@pytest.fixture
def stripe(monkeypatch: pytest.MonkeyPatch) -> FakeStripe:
    fake = FakeStripe()
    monkeypatch.setattr(gateway, "charge_card", fake.charge_card)
    return fake


@pytest.fixture
def payer(account: Account) -> Account:
    """On pay as you go (minimum $10) with a card and $5."""
    scenes.start_plan(account, "payg", at=timezone.now())
    scenes.top_up(account, "5.00", at=timezone.now())
    make_card(account, is_default=True)
    return Account.objects.get(pk=account.pk)


def form(account: Account, amount: str = "50.00", **fields: str) -> dict[str, str]:
    """What the browser sends for a preset."""
    card = scenes.default_card(account)
    return {"amount": amount, "shown": amount, "pay_with": str(card.pk), "key": "k1", **fields}


def test_everything_is_shown_before_paying(payer: Account, sign_in: SignIn) -> None:
    summary = sign_in(payer).get(f"{TOP_UP}?amount=50.00").context["top_up"].summary

    assert (summary.amount, summary.charged) == ("$50.00", "OMR 19.250")
    assert (summary.balance_now, summary.balance_after) == ("$5.00", "$55.00")
    assert summary.paid_with == "Visa •••• 4242"
    assert summary.button == "Pay $50.00"


@pytest.mark.parametrize(
    ("amount", "problem"),
    [
        ("9.99", "Enter at least $10.00."),
        ("5000.01", "Enter at most $5,000.00."),
        ("25.505", "Enter at most two decimals."),
        ("-25", "Enter at least $10.00."),
        ("NaN", "Enter an amount like 25 or 25.50."),
        ("1e3", "Enter an amount like 25 or 25.50."),
        ("", "Choose an amount."),
    ],
)
def test_an_amount_that_can_t_be_bought_is_explained(
    payer: Account, sign_in: SignIn, stripe: FakeStripe, amount: str, problem: str
) -> None:
    response = sign_in(payer).post(TOP_UP, form(payer, amount="", own_amount=amount))

    assert response.status_code == 422
    assert problem in response.content.decode()
    assert stripe.charges == []


@pytest.mark.parametrize("amount", ["1,000", "$1000", " 1000.00 ", "$1,000.00", "1000."])
def test_amounts_are_read_as_people_write_them(
    payer: Account, sign_in: SignIn, amount: str
) -> None:
    summary = sign_in(payer).get(TOP_UP, {"own_amount": amount}).context["top_up"].summary

    assert summary.amount == "$1,000.00"


def test_one_click_charges_the_card_and_credits_the_wallet(
    payer: Account, sign_in: SignIn, stripe: FakeStripe
) -> None:
    response = sign_in(payer).post(TOP_UP, form(payer), follow=True)

    payer.wallet.refresh_from_db()
    assert str(payer.wallet.balance) == "55.000000"
    assert len(stripe.charges) == 1
    assert (
        "$50.00 was added. OMR 19.250 was charged to Visa ending 4242." in response.content.decode()
    )


def test_a_form_that_is_sent_again_does_not_pay_again(
    payer: Account, sign_in: SignIn, stripe: FakeStripe
) -> None:
    client = sign_in(payer)
    client.post(TOP_UP, form(payer))

    response = client.post(TOP_UP, form(payer), follow=True)

    assert len(stripe.charges) == 1
    assert "$50.00 was added" in response.content.decode()


def test_after_a_decline_the_page_offers_a_form_that_pays(
    payer: Account, sign_in: SignIn, stripe: FakeStripe
) -> None:
    client = sign_in(payer)
    stripe.outcome = Outcome.DECLINED
    client.post(TOP_UP, form(payer))
    stripe.outcome = Outcome.SUCCEEDED

    fresh = client.get(TOP_UP).context["top_up"].key
    client.post(TOP_UP, form(payer, key=fresh))

    payer.wallet.refresh_from_db()
    assert str(payer.wallet.balance) == "55.000000"


def test_while_one_payment_is_open_no_second_one_is_made(
    payer: Account, sign_in: SignIn, stripe: FakeStripe
) -> None:
    make_transaction(payer, status=Status.PROCESSING, obligation="top_up")

    response = sign_in(payer).post(TOP_UP, form(payer))

    assert response.status_code == 422
    assert stripe.charges == []


def test_figures_are_never_shown_from_a_cache(payer: Account, sign_in: SignIn) -> None:
    assert "no-store" in sign_in(payer).get(TOP_UP)["Cache-Control"]


def test_a_form_that_is_sent_again_with_another_amount_pays_that(
    payer: Account, sign_in: SignIn, stripe: FakeStripe
) -> None:
    client = sign_in(payer)
    client.post(TOP_UP, form(payer))

    response = client.post(TOP_UP, form(payer, amount="100.00"), follow=True)

    assert [str(charge["amount"].amount) for charge in stripe.charges] == ["19.250", "38.500"]
    assert "$100.00 was added" in response.content.decode()


def test_an_amount_that_was_not_shown_is_shown_first(
    payer: Account, sign_in: SignIn, stripe: FakeStripe
) -> None:
    client = sign_in(payer)

    review = client.post(TOP_UP, form(payer, amount="", own_amount="37", shown="50.00"))

    assert stripe.charges == []
    assert "Check the amounts, then confirm." in review.content.decode()
    summary = review.context["top_up"].summary
    assert (summary.value, summary.charged) == ("37.00", "OMR 14.250")
    client.post(TOP_UP, form(payer, amount="", own_amount="37", shown=summary.value))
    assert len(stripe.charges) == 1


def test_a_declined_card_is_explained_with_a_way_on(
    payer: Account, sign_in: SignIn, stripe: FakeStripe
) -> None:
    stripe.outcome = Outcome.DECLINED

    html = sign_in(payer).post(TOP_UP, form(payer), follow=True).content.decode()

    assert "The payment failed" in html
    assert "The card has insufficient funds. Nothing was charged." in html
    assert "/billing/top-up/?amount=50.00" in html


def test_another_tenant_s_card_can_t_be_charged(
    payer: Account, sign_in: SignIn, stripe: FakeStripe
) -> None:
    foreign = make_card(scenes.make_company(), is_default=True)

    response = sign_in(payer).post(TOP_UP, form(payer, pay_with=str(foreign.pk)))

    assert response.status_code == 422
    assert stripe.charges == []


def test_the_payment_page_is_opened_and_its_return_found_again(
    payer: Account, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: dict[str, Any] = {}

    def open_checkout(**asked: Any) -> CheckoutSession:
        opened.update(asked)
        return CheckoutSession(
            "cs_1", "https://checkout.example/cs_1", timezone.now(), False, Payment(Outcome.PENDING)
        )

    monkeypatch.setattr(cards, "ensure_customer", lambda account: "cus_1")
    monkeypatch.setattr(gateway, "open_checkout", open_checkout)
    paid = Payment(Outcome.SUCCEEDED, payment_intent_id="pi_1", amount_minor=19250, currency="omr")
    session = CheckoutSession("cs_1", "", timezone.now(), False, paid)
    monkeypatch.setattr(gateway, "retrieve_checkout", lambda session_id: session)
    client = sign_in(payer)

    response = client.post(TOP_UP, form(payer, pay_with="hosted"))

    assert response["Location"] == "https://checkout.example/cs_1"
    assert opened["success_url"].endswith(
        "/billing/top-up/return/?session_id={CHECKOUT_SESSION_ID}"
    )
    back = client.get("/billing/top-up/return/?session_id=cs_1")
    assert back.context["outcome"].title == "$50.00 was added"
    assert "Your balance is $55.00." in back.content.decode()


def test_leaving_the_payment_page_says_that_nothing_was_charged_and_leads_back_to_it(
    payer: Account, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = make_transaction(
        payer,
        status=Status.CHECKOUT,
        amount="25.00",
        stripe_checkout_session_id="cs_left",
        checkout_url="https://checkout.example/cs_left",
    )
    session_left = CheckoutSession(
        "cs_left", left.checkout_url, timezone.now(), False, Payment(Outcome.PENDING)
    )
    monkeypatch.setattr(gateway, "retrieve_checkout", lambda session_id: session_left)
    client = sign_in(payer)
    session = client.session
    session["payment_page"] = left.number
    session.save()

    response = client.get("/billing/top-up/return/?canceled=1")

    assert "Nothing was charged" in response.content.decode()
    assert 'href="https://checkout.example/cs_left"' in response.content.decode()


def test_who_looks_at_another_account_by_then_still_comes_back_to_the_payment(
    payer: Account, sign_in: SignIn
) -> None:
    paid = make_transaction(payer, amount="25.00", stripe_checkout_session_id="cs_paid")
    user = scenes.make_member(payer)
    other = scenes.make_company(name="Zafar Frankincense")
    Membership.objects.create(account=other, user=user, role="owner", created_at=timezone.now())
    client = sign_in(payer, user=user)
    client.post("/billing/switch-account/", {"account": str(other.pk)})

    response = client.get("/billing/top-up/return/?session_id=cs_paid")

    assert response.context["outcome"].title == "$25.00 was added"
    assert response.context["shell"].account_name == payer.name
    assert client.get(f"/billing/history/{paid.number}/").status_code == 200


@pytest.mark.parametrize(
    "query",
    ["", "?session_id=cs_none", "?number=T-none", "?canceled=1", "?session_id=%00", "?number=%00"],
)
def test_a_return_that_belongs_to_nothing_is_not_found(
    payer: Account, sign_in: SignIn, query: str
) -> None:
    assert sign_in(payer).get(f"/billing/top-up/return/{query}").status_code == 404


def test_a_payment_page_that_stripe_refuses_to_open_is_explained(
    payer: Account, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**asked: Any) -> CheckoutSession:
        raise gateway.GatewayRefused("No such customer: 'cus_1'")

    monkeypatch.setattr(cards, "ensure_customer", lambda account: "cus_1")
    monkeypatch.setattr(gateway, "open_checkout", refuse)

    response = sign_in(payer).post(TOP_UP, form(payer, pay_with="hosted"))

    assert response.status_code == 422
    assert "Nothing was charged." in response.content.decode()
    assert "cus_1" not in response.content.decode()


def test_so_many_top_ups_may_be_started_in_an_hour(
    payer: Account, sign_in: SignIn, stripe: FakeStripe, settings: Settings
) -> None:
    """Whoever took over a session does not charge the card until somebody notices."""
    settings.TOP_UPS_PER_HOUR = 3  # the payer's first $5 are one of them
    client = sign_in(payer)
    for key in ("k1", "k2"):
        assert client.post(TOP_UP, form(payer, key=key)).status_code == 302

    refused = client.post(TOP_UP, form(payer, key="k3"))
    on_the_page = client.post(TOP_UP, form(payer, pay_with="hosted"))

    for answer in (refused, on_the_page):
        assert answer.status_code == 429
        assert "Too many top-ups were started. Wait an hour" in answer.content.decode()
    assert len(stripe.charges) == 2
    # Sent again, a form that was answered is answered as before.
    assert client.post(TOP_UP, form(payer, key="k2")).status_code == 302
    an_hour_later = timezone.now() + timedelta(hours=1)
    topup_limits.check(account=payer, now=an_hour_later)
