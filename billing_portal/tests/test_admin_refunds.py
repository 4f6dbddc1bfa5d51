"""What staff do from a transaction's page: refund it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from accounts.models import Account, AuditEvent, Card, User
from accounts.tests.stripe_side import lose_answers
from invoices.models import Refund, RefundStatus, Transaction
from invoices.tests.factories import make_transaction
from invoices.tests.refunders import refund, refunds_at_stripe
from invoices.tests.test_charging import charge
from wallet.tests.factories import balance_of, make_payer, move, switch_on

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(add_card: Callable[..., Card]) -> Account:
    return make_payer(add_card, name="Alice Trading")


@pytest.fixture
def payment(alice: Account) -> Transaction:
    """A top-up of 25 dollars, for which the card was charged 9.630 rials."""
    return charge(alice)


def signed_in(*codenames: str) -> Client:
    user = User.objects.create_user(f"{len(codenames)}@staff.test", "a-password", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def finance() -> Client:
    client = signed_in("view_transaction", "view_refund", "add_refund")
    # For its limit.
    Group.objects.get(name="Finance").user_set.add(User.objects.get(email="3@staff.test"))
    return client


def page_of(payment: Transaction) -> str:
    return reverse("admin:invoices_transaction_refund", args=[payment.pk])


def wanted(amount: str = "10.00", **fields: str) -> dict[str, str]:
    return {"amount": amount, "reason": "Paid twice by mistake", **fields}


def confirmed(client: Client, payment: Transaction, wish: dict[str, str]) -> dict[str, str]:
    """Return what the confirmation page would post."""
    page = client.post(page_of(payment), wish)
    assert page.context["effect"] is not None, page.context["form"].errors
    return {**wish, "request_key": str(page.context["request_key"]), "_apply": ""}


def test_the_page_offers_what_is_left(payment: Transaction, finance: Client) -> None:
    refund(payment, "5")
    page = finance.get(page_of(payment))
    assert page.context["form"].initial["amount"] == 20
    assert "Left to refund: " in page.content.decode()
    change = reverse("admin:invoices_transaction_change", args=[payment.pk])
    assert page_of(payment) in finance.get(change).content.decode()


def test_the_effect_is_shown_before_anything_happens(
    alice: Account, payment: Transaction, finance: Client
) -> None:
    move(alice, "-20")
    switch_on(alice, threshold="0", amount="25")
    text = finance.post(page_of(payment), wanted()).content.decode()
    for shown in ("$10.00", "OMR 3.850", "$15.00", "$5.00 → −$5.00", "active → paused"):
        assert shown in text
    assert "Auto-Refill is on and will charge $25.00: the balance" in text
    assert (balance_of(alice), Refund.objects.count()) == (5, 0)
    assert refunds_at_stripe(payment) == []


def test_a_confirmed_refund_is_made_once_with_its_reason_and_author(
    alice: Account, payment: Transaction, finance: Client
) -> None:
    sent = confirmed(finance, payment, wanted())
    for _ in range(2):
        answer = finance.post(page_of(payment), sent, follow=True)
        assert "$10.00 (OMR 3.850) went back to the card. Credit note CN-000001." in (
            answer.content.decode()
        )
    made = Refund.objects.get()
    assert (made.reason, made.made_by and made.made_by.email) == (
        "Paid twice by mistake",
        "3@staff.test",
    )
    assert (len(refunds_at_stripe(payment)), balance_of(alice)) == (1, 15)
    assert AuditEvent.objects.filter(action="refund_opened", actor=made.made_by).count() == 1


def test_a_confirmation_without_its_key_only_shows_the_effect(
    payment: Transaction, finance: Client
) -> None:
    page = finance.post(page_of(payment), {**wanted(), "_apply": ""})
    assert page.context["effect"] is not None
    assert not Refund.objects.exists()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"reason": "  "}, "reason"),
        ({"reason": "x" * 501}, "reason"),
        ({"amount": "25.01"}, "amount"),
        ({"amount": "0"}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"amount": "1e400"}, "amount"),
        ({"amount": "ten"}, "amount"),
        ({"request_key": "no key"}, "request_key"),
    ],
)
def test_a_bad_wish_is_explained_at_its_field(
    payment: Transaction, finance: Client, fields: dict[str, str], field: str
) -> None:
    page = finance.post(page_of(payment), {**wanted(), **fields, "_apply": ""})
    assert page.status_code == 200
    assert field in page.context["form"].errors
    assert not Refund.objects.exists()


def test_an_answer_that_is_lost_says_that_the_refund_goes_on(
    payment: Transaction, finance: Client, sandbox: "Sandbox"
) -> None:
    lose_answers(sandbox, "/v1/refunds")
    sent = confirmed(finance, payment, wanted())
    text = finance.post(page_of(payment), sent, follow=True).content.decode()
    assert "Stripe has not answered yet" in text
    assert Refund.objects.get().status == RefundStatus.PENDING


def test_a_refusal_of_stripe_is_shown(finance: Client, alice: Account) -> None:
    unknown_to_stripe = make_transaction(alice, amount="25")
    sent = confirmed(finance, unknown_to_stripe, wanted())
    text = finance.post(page_of(unknown_to_stripe), sent, follow=True).content.decode()
    assert "Nothing was refunded: No such payment" in text


def test_what_cannot_be_refunded_says_why(payment: Transaction, finance: Client) -> None:
    refund(payment)
    text = finance.get(page_of(payment)).content.decode()
    assert "All of it is refunded already." in text
    failed = make_transaction(payment.account, status="failed")
    assert "Only a paid transaction" in finance.get(page_of(failed)).content.decode()


def test_the_button_is_offered_while_there_is_something_to_refund(
    payment: Transaction, finance: Client
) -> None:
    open_page = make_transaction(payment.account, status="checkout")
    for transaction, offered in ((payment, True), (open_page, False)):
        page = reverse("admin:invoices_transaction_change", args=[transaction.pk])
        assert (page_of(transaction) in finance.get(page).content.decode()) is offered
    refund(payment)
    page = reverse("admin:invoices_transaction_change", args=[payment.pk])
    assert page_of(payment) not in finance.get(page).content.decode()


def test_whoever_may_only_look_refunds_nothing_even_with_a_forged_post(
    payment: Transaction, finance: Client
) -> None:
    sent = confirmed(finance, payment, wanted())
    viewer = signed_in("view_transaction", "view_refund")
    assert viewer.get(page_of(payment)).status_code == 403
    assert viewer.post(page_of(payment), sent).status_code == 403
    change = reverse("admin:invoices_transaction_change", args=[payment.pk])
    assert page_of(payment) not in viewer.get(change).content.decode()
    blind = signed_in("add_refund")
    assert blind.post(page_of(payment), sent).status_code == 403
    assert not Refund.objects.exists()


@pytest.mark.parametrize("identity", ["0", "999999", "9" * 30, "T-7K3M"])
def test_a_transaction_that_is_not_there_is_not_found(finance: Client, identity: str) -> None:
    address = reverse("admin:invoices_transaction_refund", args=[identity])
    assert finance.get(address).status_code == 404


def test_refunds_are_listed_with_the_transaction_and_in_the_account_story(
    payment: Transaction,
) -> None:
    made = refund(payment, "10")
    client = Client()
    client.force_login(User.objects.create_superuser("admin@staff.test", "a-password"))
    for address in (
        reverse("admin:invoices_transaction_change", args=[payment.pk]),
        reverse("admin:accounts_account_change", args=[payment.account_id]),
        reverse("admin:invoices_refund_changelist"),
        reverse("admin:invoices_refund_change", args=[made.pk]),
    ):
        text = client.get(address).content.decode()
        assert made.number in text
        assert "OMR 3.850" in text


def test_staff_download_the_credit_note_once_there_is_one(
    payment: Transaction, sandbox: "Sandbox"
) -> None:
    viewer = signed_in("view_refund")
    made = refund(payment, "10")
    note = viewer.get(reverse("admin:invoices_refund_credit_note", args=[made.pk]))
    assert note.content.startswith(b"%PDF")
    lose_answers(sandbox, "/v1/refunds")
    pending = reverse("admin:invoices_refund_credit_note", args=[refund(payment, "5").pk])
    assert "Only a refund that succeeded" in viewer.get(pending, follow=True).content.decode()
    unknown = reverse("admin:invoices_refund_credit_note", args=["999999"])
    assert viewer.get(unknown).status_code == 404
    assert signed_in().get(pending).status_code == 403
