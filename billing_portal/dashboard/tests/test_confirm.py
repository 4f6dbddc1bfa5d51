"""The page on which a customer answers their bank, from an e-mail's link or right after paying."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts import cards, gateway
from accounts.models import Account, Card, Membership
from accounts.tests.stripe_side import answer_the_bank, payments
from billing_portal.dashboard.tests import scenes
from invoices import charging
from invoices.charging import NewLine
from invoices.models import Purpose, Status, Transaction
from wallet.tests.factories import balance_of

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]


@pytest.fixture
def account(add_card: Callable[..., Card]) -> Account:
    """Its bank wants each payment confirmed."""
    account = scenes.make_company()
    add_card(account, "pm_card_authenticationRequired", now=timezone.now())
    account.refresh_from_db()
    return account


def charge(account: Account, **fields: Any) -> Transaction:
    """Charge $25 to the default card."""
    now = timezone.now()
    opened = charging.open_transaction(
        account=account,
        purpose=Purpose.TOP_UP,
        lines=[NewLine("Credit top-up", Decimal(25))],
        status=Status.PROCESSING,
        card=cards.default_card(account=account),
        obligation="top_up",
        now=now,
        **fields,
    )
    return charging.execute(transaction_id=opened.pk, now=now)


def page_of(transaction: Transaction) -> str:
    return f"/billing/history/{transaction.number}/confirm/"


def test_history_transaction_and_overview_lead_to_the_page(
    account: Account, sign_in: SignIn
) -> None:
    failed = charge(account)
    client = sign_in(account)
    for path in ("/billing/", "/billing/history/", f"/billing/history/{failed.number}/"):
        assert f'href="{page_of(failed)}"' in client.get(path).text
    assert "waits for your confirmation" in client.get("/billing/").text
    detail = client.get(f"/billing/history/{failed.number}/").text
    assert "Your bank wants you to confirm this payment." in detail
    assert "Failed" in detail


def test_the_page_shows_what_is_paid_and_carries_the_secret(
    account: Account, sign_in: SignIn
) -> None:
    failed = charge(account)
    answer = sign_in(account).get(page_of(failed))
    assert "OMR 9.630" in answer.text
    assert "Visa •••• 3184" in answer.text
    assert f'data-client-secret="{failed.stripe_payment_intent_id}_secret_' in answer.text
    assert "needs JavaScript" in answer.text
    assert "no-store" in answer["Cache-Control"]


def test_after_the_bank_said_yes_the_payment_is_made(
    account: Account, sign_in: SignIn, sandbox: "Sandbox"
) -> None:
    failed = charge(account)
    answer_the_bank(sandbox, failed.stripe_payment_intent_id)
    client = sign_in(account)
    answer = client.post(page_of(failed), follow=True)
    assert "Your payment of $25.00 is made; OMR 9.630 was charged." in answer.text
    assert balance_of(account) == Decimal(25)
    assert client.get(page_of(failed)).status_code == 302
    assert "waits for your confirmation" not in client.get("/billing/").text


def test_after_a_challenge_that_was_not_passed_the_page_offers_it_again(
    account: Account, sign_in: SignIn, sandbox: "Sandbox"
) -> None:
    failed = charge(account)
    answer_the_bank(sandbox, failed.stripe_payment_intent_id, passed=False)
    answer = sign_in(account).post(page_of(failed))
    assert "The payment was not confirmed. Nothing was charged" in answer.text
    assert "data-client-secret" in answer.text


def test_what_is_paid_by_a_newer_attempt_offers_nothing_to_confirm(
    account: Account, sign_in: SignIn, add_card: Callable[..., Card]
) -> None:
    failed = charge(account)
    visa = add_card(account, now=timezone.now())
    cards.make_default(card=visa, by=None, now=timezone.now())
    paid = charge(account)
    answer = sign_in(account).get(page_of(failed))
    assert f"It has been paid meanwhile, by {paid.number}." in answer.text
    assert "data-client-secret" not in answer.text


def test_the_customer_may_cancel_the_payment(account: Account, sign_in: SignIn) -> None:
    waiting = charge(account, is_on_session=True)
    answer = sign_in(account).post(f"{page_of(waiting)}decline/", follow=True)
    assert "The payment was canceled. Nothing was charged." in answer.text
    assert [each.status for each in payments(transaction=waiting.number)] == ["canceled"]


def test_when_stripe_does_not_answer_the_page_says_so(
    account: Account, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = charge(account)

    def no_answer(payment_intent_id: str) -> None:
        raise gateway.GatewayUnavailable

    monkeypatch.setattr(gateway, "retrieve_payment", no_answer)
    answer = sign_in(account).get(page_of(failed))
    assert answer.status_code == 200
    assert "does not answer just now" in answer.text


def test_a_viewer_confirms_nothing_and_a_stranger_finds_nothing(
    account: Account, sign_in: SignIn
) -> None:
    failed = charge(account)
    viewer, stranger = sign_in(account, "viewer"), sign_in(scenes.make_company())
    for client, status in ((viewer, 403), (stranger, 404)):
        assert client.get(page_of(failed)).status_code == status
        assert client.post(page_of(failed)).status_code == status
        assert client.post(f"{page_of(failed)}decline/").status_code == status
    assert "Confirm payment" not in viewer.get("/billing/").text
    failed.refresh_from_db()
    assert failed.can_be_confirmed(timezone.now())


def test_the_link_of_the_e_mail_works_whichever_account_is_looked_at(
    account: Account, sign_in: SignIn
) -> None:
    failed = charge(account)
    user = scenes.make_member(account)
    other = scenes.make_company(name="Zafar Frankincense")
    Membership.objects.create(
        account=other,
        user=user,
        role="viewer",
        created_at=timezone.now() - timedelta(days=900),
    )
    client = sign_in(account, user=user)
    assert "Zafar Frankincense" in client.get("/billing/").text
    assert "data-client-secret" in client.get(page_of(failed)).text
    assert account.name in client.get("/billing/").text


def test_who_may_act_in_another_account_only_looks_at_this_one(
    account: Account, sign_in: SignIn
) -> None:
    failed = charge(account)
    user = scenes.make_member(scenes.make_company())
    Membership.objects.create(account=account, user=user, role="viewer", created_at=timezone.now())
    assert sign_in(account, user=user).get(page_of(failed)).status_code == 403


# Paying while the bank asks -----------------------------------------------------------------------
def confirm_and_pay(client: Client, answer: Any, sandbox: "Sandbox") -> Transaction:
    """Follow the way to the bank's question, answer it, come back; return the payment."""
    waiting = Transaction.objects.latest("pk")
    assert answer["Location"] == page_of(waiting)
    assert waiting.status == Status.PROCESSING
    assert "data-client-secret" in client.get(page_of(waiting)).text
    answer_the_bank(sandbox, waiting.stripe_payment_intent_id)
    client.post(page_of(waiting))
    waiting.refresh_from_db()
    assert waiting.status == Status.PAID
    return waiting


def test_a_top_up_with_a_saved_card_leads_to_the_question(
    account: Account, sign_in: SignIn, sandbox: "Sandbox"
) -> None:
    client, card = sign_in(account), account.cards.get()
    form = {"amount": "25.00", "shown": "25.00", "pay_with": str(card.pk), "key": "one"}
    answer = client.post("/billing/top-up/", form)
    # Sent a second time it is the same payment.
    assert client.post("/billing/top-up/", form)["Location"] == answer["Location"]
    assert "waits for your confirmation" in client.get("/billing/").text
    confirm_and_pay(client, answer, sandbox)
    assert balance_of(account) == Decimal(25)


def test_a_plan_begins_once_its_payment_is_confirmed(
    account: Account, sign_in: SignIn, sandbox: "Sandbox"
) -> None:
    scenes.plan_version("growth")
    client = sign_in(account)
    sealed = client.get("/billing/plan/growth/").context["quote"].sealed
    answer = client.post("/billing/plan/growth/", {"quote": sealed})
    assert account.subscriptions.get().status == "inactive"
    confirm_and_pay(client, answer, sandbox)
    assert account.subscriptions.get().status == "active"


def test_pay_now_leads_to_the_question(
    add_card: Callable[..., Card], sign_in: SignIn, sandbox: "Sandbox"
) -> None:
    account = scenes.past_due_company()
    asks = add_card(account, "pm_card_authenticationRequired", now=timezone.now())
    account.refresh_from_db()
    cards.make_default(card=asks, by=None, now=timezone.now())
    client = sign_in(account)
    answer = client.post("/billing/pay-now/")
    confirm_and_pay(client, answer, sandbox)
    assert account.subscriptions.get().status == "active"
