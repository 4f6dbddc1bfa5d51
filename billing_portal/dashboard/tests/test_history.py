"""Billing History: filters in the address, pages, one line in full, receipt and export."""

from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import Account
from accounts.roles import Role
from accounts.tests.factories import make_card
from billing_portal.dashboard.history import PAGE_SIZE
from billing_portal.dashboard.tests import scenes
from invoices.models import Purpose, Status, Transaction
from invoices.tests.factories import make_transaction
from wallet import topups
from wallet.models import Wallet

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def shown(client: Client, query: str = "") -> list[str]:
    """Return the numbers of the lines on the page, in order."""
    response = client.get(f"{reverse('billing-history')}{query}")
    assert response.status_code == 200
    return [row.number for row in response.context["history"].rows]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", ["T-4", "T-3", "T-2", "T-1"]),
        ("?status=paid", ["T-4", "T-1"]),
        ("?status=failed", ["T-2"]),
        ("?kind=renewal", ["T-4"]),
        ("?status=paid&kind=top_up", ["T-1"]),
        ("?date_from=2026-03-02", ["T-4", "T-3", "T-2"]),
        ("?date_to=2026-03-02", ["T-2", "T-1"]),
        ("?date_from=2026-03-02&date_to=2026-03-03", ["T-3", "T-2"]),
        ("?status=nonsense", ["T-4", "T-3", "T-2", "T-1"]),
        ("?date_from=yesterday", ["T-4", "T-3", "T-2", "T-1"]),
        ("?date_to=9999-12-31", ["T-4", "T-3", "T-2", "T-1"]),
        ("?date_from=0001-01-01", ["T-4", "T-3", "T-2", "T-1"]),
        ("?status=%00&kind=%00", ["T-4", "T-3", "T-2", "T-1"]),
    ],
)
def test_filters(account: Account, sign_in: SignIn, query: str, numbers: list[str]) -> None:
    day = timedelta(days=1)
    make_transaction(account, number="T-1", status=Status.PAID, created_at=START)
    make_transaction(account, number="T-2", status=Status.FAILED, created_at=START + day)
    make_transaction(account, number="T-3", status=Status.CHECKOUT, created_at=START + 2 * day)
    make_transaction(account, number="T-4", purpose=Purpose.RENEWAL, created_at=START + 3 * day)

    assert shown(sign_in(account), query) == numbers


@pytest.mark.parametrize(
    ("search", "numbers"),
    [
        ("ABCD", ["T-ABCD"]),
        ("t-ab", ["T-ABCD"]),
        ("BT-77", ["T-WXYZ"]),
        ("50", ["T-ABCD"]),
        ("$50.00", ["T-ABCD"]),
        ("1,250.00", ["T-WXYZ"]),
        ("OMR 19.250", ["T-ABCD"]),
        ("\u0665\u0660", ["T-ABCD"]),
        ("50.001", []),
        ("%", []),
        ("99999999999999999999", []),
        ("  ", ["T-WXYZ", "T-ABCD"]),
    ],
)
def test_a_number_or_an_amount_is_found(
    account: Account, sign_in: SignIn, search: str, numbers: list[str]
) -> None:
    make_transaction(account, number="T-ABCD", amount="50.00", created_at=START)
    make_transaction(
        account,
        number="T-WXYZ",
        amount="1250.00",
        receipt_number="BT-7700",
        created_at=START + timedelta(days=1),
    )

    assert shown(sign_in(account), f"?{urlencode({'search': search})}") == numbers


def test_what_was_paid_with_one_card(account: Account, sign_in: SignIn) -> None:
    make_card(account, status="removed", brand="mastercard", last4="4444")
    make_transaction(account, number="T-1", created_at=START)
    make_transaction(
        account, number="T-2", card_brand="mastercard", card_last4="4444", created_at=START
    )
    client = sign_in(account)

    assert shown(client, "?card=mastercard-4444") == ["T-2"]
    assert shown(client, "?card=amex-1") == ["T-2", "T-1"]  # a card it never had
    export = client.get("/billing/history/export.csv?card=mastercard-4444")
    assert b"T-1" not in b"".join(export.streaming_content)  # type: ignore[attr-defined]


def test_pay_now_is_offered_at_the_newest_attempt_only(sign_in: SignIn) -> None:
    account = scenes.past_due_company()
    [attempt] = account.transactions.filter(purpose=Purpose.RENEWAL)
    earlier = make_transaction(
        account,
        status=Status.FAILED,
        purpose=Purpose.RENEWAL,
        subject_id=attempt.subject_id,
        created_at=attempt.created_at - timedelta(days=1),
    )

    rows = sign_in(account).get("/billing/history/").context["history"].rows

    offered = {row.number: row.pay_now_href for row in rows}
    assert offered[attempt.number] == "/billing/pay-now/"
    assert offered[earlier.number] == ""
    seen = sign_in(account, role="viewer").get("/billing/history/").context["history"].rows
    assert not any(row.pay_now_href for row in seen)


def test_a_day_is_the_account_s_own(sign_in: SignIn) -> None:
    account = scenes.make_company(timezone="Asia/Muscat")  # four hours ahead of UTC
    make_transaction(account, number="T-1", created_at=datetime(2026, 3, 1, 21, tzinfo=UTC))
    client = sign_in(account)

    assert shown(client, "?date_from=2026-03-02&date_to=2026-03-02") == ["T-1"]
    assert shown(client, "?date_to=2026-03-01") == []


def test_pages_do_not_shift_when_a_line_arrives_meanwhile(
    account: Account, sign_in: SignIn
) -> None:
    for number in range(PAGE_SIZE + 3):
        make_transaction(
            account, number=f"T-{number:02}", created_at=START + timedelta(minutes=number)
        )
    client = sign_in(account)
    first = client.get(reverse("billing-history")).context["history"]
    make_transaction(account, number="T-new", created_at=START + timedelta(days=1))

    second = client.get(first.next_href).context["history"]
    back = client.get(second.previous_href).context["history"]

    assert [row.number for row in second.rows] == ["T-02", "T-01", "T-00"]
    assert not second.has_next
    assert [row.number for row in back.rows] == [row.number for row in first.rows]
    assert back.has_previous  # the line that arrived is newer


def test_pages_keep_the_filters(account: Account, sign_in: SignIn) -> None:
    for number in range(PAGE_SIZE + 1):
        make_transaction(account, number=f"T-{number:02}", created_at=START)

    page = sign_in(account).get("/billing/history/?status=paid").context["history"]

    assert page.next_href.startswith("/billing/history/?status=paid&before=")
    assert page.export_href == "/billing/history/export.csv?status=paid"


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "%00",
        "AAAA",
        "MjAyNi0wMS0wMXwx",
        "💥",
        # Offsets that Python reads and PostgreSQL does not; a year before the first.
        urlsafe_b64encode(b"2999-01-01T00:00:00+00:00:00.000001|1").decode(),
        urlsafe_b64encode(b"2999-01-01T00:00:00+23:59:59|1").decode(),
        urlsafe_b64encode(b"0001-01-01T00:00:00+14:00|1").decode(),
    ],
)
def test_a_cursor_that_was_tampered_with_shows_the_newest_page(
    account: Account, sign_in: SignIn, cursor: str
) -> None:
    make_transaction(account, number="T-1", created_at=START)

    assert shown(sign_in(account), f"?before={cursor}") == ["T-1"]


def test_a_range_that_goes_backwards_is_said_beside_the_field(
    account: Account, sign_in: SignIn
) -> None:
    response = sign_in(account).get("/billing/history/?date_from=2026-03-02&date_to=2026-03-01")

    assert "This is before the first date." in response.content.decode()


def test_the_list_takes_a_constant_number_of_queries(
    account: Account, sign_in: SignIn, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(PAGE_SIZE):
        make_transaction(account, number=f"T-{number:02}", created_at=START)
    client = sign_in(account)

    with django_assert_max_num_queries(8):
        client.get(reverse("billing-history"))


def test_one_transaction_shows_both_currencies_its_rate_and_its_lines(
    account: Account, sign_in: SignIn
) -> None:
    make_transaction(account, number="T-1", amount="50.00", status=Status.PAID)

    html = sign_in(account).get("/billing/history/T-1/").content.decode()

    for text in ("$50.00", "OMR 19.250", "1 USD = 0.385 OMR", "Account top-up", "Visa •••• 4242"):
        assert text in html
    assert "Download PDF Receipt" in html
    assert "/billing/history/T-1/receipt.pdf" in html


def test_an_expired_payment_page_can_t_be_continued_but_tried_again(
    account: Account, sign_in: SignIn
) -> None:
    make_transaction(
        account,
        number="T-1",
        amount="75.00",
        status=Status.CHECKOUT,
        checkout_url="https://checkout.example/over",
        created_at=timezone.now() - timedelta(days=2),
        expired_at=timezone.now() - timedelta(days=1),
    )

    html = sign_in(account).get("/billing/history/T-1/").content.decode()

    assert "It has expired; nothing was charged." in html
    assert "checkout.example" not in html
    assert "/billing/top-up/?amount=75.00" in html


def test_the_receipt_is_a_pdf_of_a_paid_transaction_only(account: Account, sign_in: SignIn) -> None:
    paid = make_transaction(account, number="T-1", status=Status.PAID)
    make_transaction(account, number="T-2", status=Status.FAILED)
    client = sign_in(account, role="viewer")

    response = client.get("/billing/history/T-1/receipt.pdf")

    assert response["Content-Type"] == "application/pdf"
    assert response.content.startswith(b"%PDF-")
    assert f"receipt-{paid.receipt_number}.pdf" in response["Content-Disposition"]
    assert client.get("/billing/history/T-2/receipt.pdf").status_code == 404


def test_the_export_holds_what_the_filters_show(account: Account, sign_in: SignIn) -> None:
    make_transaction(account, number="T-1", status=Status.PAID)
    make_transaction(account, number="T-2", status=Status.FAILED)

    response = sign_in(account).get("/billing/history/export.csv?status=failed")

    lines = b"".join(response.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert response["Content-Type"].startswith("text/csv")
    assert [line.split(",")[0] for line in lines] == ["Number", "T-2"]


@pytest.mark.parametrize("number", ["T-none", "%00", "T%27", "..%2f", "💥", "x" * 5000])
def test_a_number_that_is_none_is_not_found(account: Account, sign_in: SignIn, number: str) -> None:
    client = sign_in(account)

    assert client.get(f"/billing/history/{number}/").status_code == 404
    assert client.get(f"/billing/history/{number}/receipt.pdf").status_code == 404


def test_two_lines_of_the_same_moment_are_both_reached(account: Account, sign_in: SignIn) -> None:
    for number in range(PAGE_SIZE + 5):
        make_transaction(account, number=f"T-{number:02}", created_at=START)
    client = sign_in(account)
    first = client.get(reverse("billing-history")).context["history"]
    second = client.get(first.next_href).context["history"]

    seen = {row.number for row in (*first.rows, *second.rows)}
    assert seen == set(Transaction.objects.values_list("number", flat=True))


# Check again ----------------------------------------------------------------------------------
def open_page(account: Account) -> Transaction:
    return topups.open_payment_page(
        account=account,
        amount=Decimal(25),
        minimum=Decimal(10),
        return_path="/billing/top-up/return/?session={CHECKOUT_SESSION_ID}",
        cancel_path="/billing/top-up/",
        by=None,
        now=timezone.now(),
    )


def test_a_customer_who_checks_again_has_a_paid_page_credited_at_once(
    account: Account, sign_in: SignIn, sandbox: "Sandbox"
) -> None:
    client = sign_in(account, role=Role.VIEWER)
    transaction = open_page(account)
    address = reverse("billing-history-detail", args=[transaction.number])
    check = reverse("billing-history-check", args=[transaction.number])
    assert check in client.get(address).content.decode()
    session = transaction.stripe_checkout_session_id
    sandbox.control(f"checkout/{session}/pay", {"payment_method": "pm_card_visa"})

    shown = client.post(check, follow=True)

    assert shown.redirect_chain == [(address, 302)]
    assert "Download PDF Receipt" in shown.content.decode()
    assert check not in shown.content.decode()
    assert Wallet.objects.get(account=account).balance == 25


def test_a_customer_who_checks_again_too_early_reads_how_it_stands(
    account: Account, sign_in: SignIn, sandbox: "Sandbox"
) -> None:
    transaction = open_page(account)
    check = reverse("billing-history-check", args=[transaction.number])
    shown = sign_in(account).post(check, follow=True)
    assert "Checked just now." in shown.content.decode()


def test_nobody_checks_another_account_s_payment(
    account: Account, sign_in: SignIn, sandbox: "Sandbox"
) -> None:
    foreign = open_page(scenes.make_company())
    check = reverse("billing-history-check", args=[foreign.number])
    assert sign_in(account).post(check).status_code == 404
