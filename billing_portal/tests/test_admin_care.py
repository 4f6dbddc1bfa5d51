"""What staff do for a customer on the phone: each with a reason, shown before it happens, once."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Account, AuditEvent, Card, Message, User
from accounts.staff_roles import StaffRole
from accounts.tests.stripe_side import decline_from_now_on, lose_answers
from billing_portal import audit
from billing_portal.dashboard.tests import scenes
from invoices.models import Status, Transaction
from plans import past_due, renewals, usage
from plans.models import Allowance
from plans.tests.factories import make_record
from plans.tests.subscribers import make_subscriber, subscription_of
from wallet import refills, topups
from wallet.tests.factories import move, switch_on

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

WHY = {"reason": "Agreed on the phone"}
AddCard = Callable[..., Card]


@pytest.fixture
def finance(db: None) -> Client:
    return colleague(StaffRole.FINANCE)


@pytest.fixture
def support(db: None) -> Client:
    return colleague(StaffRole.SUPPORT)


def colleague(role: StaffRole) -> Client:
    user = User.objects.create_user(f"{role.lower()}@staff.test", is_staff=True)
    user.groups.set([Group.objects.get(name=role)])
    client = Client()
    client.force_login(user)
    return client


def of_account(name: str, account: Account) -> str:
    return reverse(f"admin:accounts_account_{name}", args=[account.pk])


def of_transaction(name: str, transaction: Transaction) -> str:
    return reverse(f"admin:invoices_transaction_{name}", args=[transaction.pk])


def confirm(client: Client, address: str, **wish: str) -> str:
    """Look at the page, confirm it, and return what is said then."""
    seen = client.get(address).context["form"]["seen"].value() or ""
    answer = client.post(address, {**WHY, "seen": seen, **wish}, follow=True)
    return answer.content.decode()


def reason_of(action: str) -> tuple[str, str]:
    event = AuditEvent.objects.get(action=action)
    assert event.actor is not None
    return event.reason, event.actor.email


@pytest.fixture
def late(add_card: AddCard, sandbox: "Sandbox") -> Account:
    """On growth; the second month's renewal was declined eight days ago: services are paused."""
    now = timezone.now()
    account = make_subscriber(add_card, "growth", now=now - timedelta(days=40))
    renewed_at = subscription_of(account).current_period_end
    assert renewed_at is not None
    decline_from_now_on(sandbox, account.cards.get(), "insufficient_funds")
    renewals.renew_due(now=renewed_at)
    past_due.pause_unpaid(now=renewed_at + timedelta(days=8))
    account.refresh_from_db()
    assert account.pause_reasons == ["subscription_unpaid"]
    return account


# Time for an unpaid renewal -----------------------------------------------------------------------
def test_grace_is_extended_and_services_resume(late: Account, support: Client) -> None:
    day = (timezone.now() + timedelta(days=5)).date()
    assert (
        "Services resume at once" in support.get(of_account("extend_grace", late)).content.decode()
    )
    assert "Services go on until" in confirm(
        support, of_account("extend_grace", late), until=f"{day}"
    )
    late.refresh_from_db()
    assert late.pause_reasons == []
    assert reason_of("grace_extended") == (WHY["reason"], "support@staff.test")
    assert past_due.pause_unpaid(now=timezone.now() + timedelta(days=4)) == 0
    assert audit.run(now=timezone.now()) == []
    assert past_due.pause_unpaid(now=timezone.now() + timedelta(days=7)) == 1


@pytest.mark.parametrize("days", [-3, 60])
def test_grace_that_is_past_or_too_long_is_refused(
    late: Account, support: Client, days: int
) -> None:
    day = (timezone.now() + timedelta(days=days)).date()
    assert "Choose a day" in confirm(support, of_account("extend_grace", late), until=f"{day}")
    late.refresh_from_db()
    assert late.pause_reasons == ["subscription_unpaid"]


def test_grace_that_was_promised_is_not_shortened(late: Account, support: Client) -> None:
    promised, sooner = ((timezone.now() + timedelta(days=days)).date() for days in (10, 5))
    confirm(support, of_account("extend_grace", late), until=f"{promised}")
    until = subscription_of(late).grace_until
    said = confirm(support, of_account("extend_grace", late), until=f"{sooner}")
    assert "Choose a day after" in said
    assert (subscription_of(late).grace_until, until is None) == (until, False)


def test_a_payment_ends_the_grace(late: Account, finance: Client, sandbox: "Sandbox") -> None:
    day = (timezone.now() + timedelta(days=5)).date()
    confirm(finance, of_account("extend_grace", late), until=f"{day}")
    decline_from_now_on(sandbox, late.cards.get(), None)
    failed = late.transactions.get(status=Status.FAILED)
    assert "was paid." in confirm(finance, of_transaction("retry", failed))
    assert subscription_of(late).grace_until is None


# Charging again -----------------------------------------------------------------------------------
def test_a_failed_renewal_is_charged_again_once(
    late: Account, finance: Client, sandbox: "Sandbox"
) -> None:
    failed = late.transactions.get(status=Status.FAILED)
    decline_from_now_on(sandbox, late.cards.get(), None)
    page = finance.get(of_transaction("retry", failed))
    assert "$99.00 and its tax" in page.content.decode()
    wish = {**WHY, "seen": page.context["form"]["seen"].value()}
    html = finance.post(of_transaction("retry", failed), wish, follow=True).content.decode()
    assert "was paid." in html
    assert reason_of("payment_retried") == (WHY["reason"], "finance@staff.test")
    again = finance.post(of_transaction("retry", failed), wish, follow=True).content.decode()
    assert "there is nothing left to charge" in again
    assert late.transactions.filter(purpose="renewal", status=Status.PAID).count() == 1
    late.refresh_from_db()
    assert late.pause_reasons == []


def test_a_second_click_on_the_same_page_charges_nothing(late: Account, finance: Client) -> None:
    failed = late.transactions.get(status=Status.FAILED)
    address = of_transaction("retry", failed)
    wish = {**WHY, "seen": finance.get(address).context["form"]["seen"].value()}
    assert "failed:" in finance.post(address, wish, follow=True).content.decode()
    assert "Nothing was done by this click" in (
        finance.post(address, wish, follow=True).content.decode()
    )
    assert late.transactions.filter(purpose="renewal").count() == 2


def test_a_declined_refill_is_charged_again_without_waiting(
    add_card: AddCard, sandbox: "Sandbox", finance: Client
) -> None:
    now = timezone.now()
    account = make_subscriber(add_card, "payg", now=now - timedelta(days=5))
    switch_on(account, threshold="20", amount="25", now=now - timedelta(minutes=30))
    card = account.cards.get()
    decline_from_now_on(sandbox, card, "insufficient_funds")
    refills.refill_due(now=now - timedelta(minutes=20))
    failed = account.transactions.get(purpose="auto_refill")
    decline_from_now_on(sandbox, card, None)
    assert "was paid." in confirm(finance, of_transaction("retry", failed))
    assert account.transactions.filter(purpose="auto_refill", status=Status.PAID).count() == 1


def test_only_the_customer_pays_again_for_a_top_up(finance: Client) -> None:
    failed = scenes.busy_company().transactions.get(status=Status.FAILED)
    html = finance.get(of_transaction("retry", failed), follow=True).content.decode()
    assert "Only the customer can pay for this again" in html


# Asking Stripe ------------------------------------------------------------------------------------
def test_stripe_is_asked_what_became_of_a_payment(
    add_card: AddCard, sandbox: "Sandbox", support: Client
) -> None:
    now = timezone.now()
    account = make_subscriber(add_card, "payg", now=now - timedelta(days=5))
    lose_answers(sandbox)
    stuck = topups.charge_saved_card(
        account=account,
        amount=Decimal(50),
        minimum=Decimal(10),
        card=account.cards.get(),
        by=None,
        now=now,
        request_key="a-form",
    )
    assert stuck.status == Status.PROCESSING
    assert "is paid now." in confirm(support, of_transaction("ask_stripe", stuck))
    assert reason_of("stripe_asked") == (WHY["reason"], "support@staff.test")
    html = confirm_again(support, of_transaction("ask_stripe", stuck))
    assert "Stripe has said what became of it" in html


def confirm_again(client: Client, address: str) -> str:
    return client.post(address, WHY, follow=True).content.decode()


# Sending again ------------------------------------------------------------------------------------
def test_a_receipt_is_sent_again(support: Client) -> None:
    paid = scenes.top_up(scenes.make_company(), "50.00", at=timezone.now())
    receipt = Message.objects.get(channel="email", key=f"transaction_paid:{paid.number}")
    Message.objects.filter(pk=receipt.pk).update(sent_at=timezone.now(), attempts=1)
    said = confirm(support, of_transaction("send_receipt", paid))
    assert f"on its way to {receipt.recipient}" in said
    receipt.refresh_from_db()
    assert receipt.sent_at is None
    assert reason_of("message_replayed") == (WHY["reason"], "support@staff.test")


# What a period includes ---------------------------------------------------------------------------
def test_the_usage_cycle_is_reset(add_card: AddCard, finance: Client) -> None:
    now = timezone.now()
    account = make_subscriber(add_card, "growth", now=now - timedelta(days=3))
    move(account, "100")
    minutes = Allowance.objects.get(account=account, feature__key="call_minutes")
    use(account, minutes.included + 10)
    address = of_account("reset_usage_cycle", account)
    assert "0 left of" in finance.get(address).content.decode()
    assert "Left again: Call minutes" in confirm(finance, address)
    again = Allowance.objects.get(pk=minutes.pk)
    assert again.included - again.used == minutes.included
    assert again.billed_quantity == 10
    use(account, minutes.included)
    again.refresh_from_db()
    assert (again.used, again.billed_quantity) == (2 * minutes.included, 10)
    assert audit.run(now=timezone.now()) == []
    assert reason_of("usage_cycle_reset") == (WHY["reason"], "finance@staff.test")


def use(account: Account, quantity: Decimal) -> None:
    now = timezone.now()
    record = make_record(account, quantity=quantity, feature="call_minutes", occurred_at=now)
    usage.record(records=[record], now=now)


def test_where_nothing_was_used_nothing_is_reset(add_card: AddCard, finance: Client) -> None:
    account = make_subscriber(add_card, "growth", now=timezone.now() - timedelta(days=3))
    said = confirm(finance, of_account("reset_usage_cycle", account))
    assert "Nothing that the plan includes was used" in said


# Notes and sessions -------------------------------------------------------------------------------
def test_a_note_is_kept_once(support: Client) -> None:
    account = scenes.make_company()
    address = of_account("add_note", account)
    page = support.get(address)
    wish = {"reason": "Calls back on Monday", "seen": page.context["form"]["seen"].value()}
    support.post(address, wish)
    support.post(address, wish)
    assert reason_of("note_added") == ("Calls back on Monday", "support@staff.test")


def test_a_person_is_signed_out_everywhere(support: Client) -> None:
    account = scenes.make_company()
    owner = scenes.make_member(account)
    browser = Client()
    browser.login(username=owner.email, password=scenes.PASSWORD)
    assert browser.get("/billing/").status_code == 200
    address = reverse("admin:accounts_user_sign_out", args=[owner.pk])
    assert "is signed out everywhere" in confirm(support, address)
    assert browser.get("/billing/").status_code == 302
    assert reason_of("sessions_ended") == (WHY["reason"], "support@staff.test")
    browser.login(username=owner.email, password=scenes.PASSWORD)
    assert browser.get("/billing/").status_code == 200


def test_support_signs_no_colleague_out(support: Client) -> None:
    chief = User.objects.create_user("chief@staff.test", is_staff=True)
    address = reverse("admin:accounts_user_sign_out", args=[chief.pk])
    assert support.post(address, WHY).status_code == 403


@pytest.mark.parametrize(
    "name", ["extend_grace", "reset_usage_cycle", "add_note", "lock", "unlock"]
)
def test_an_auditor_does_none_of_it(late: Account, name: str) -> None:
    auditor = colleague(StaffRole.AUDITOR)
    assert auditor.get(of_account(name, late)).status_code == 403
    assert auditor.post(of_account(name, late), WHY).status_code == 403
    assert not AuditEvent.objects.filter(reason=WHY["reason"]).exists()
