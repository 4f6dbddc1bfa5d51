"""Credit: what a customer sees of the ledger, and the files."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import Account
from accounts.roles import Role
from billing_portal.dashboard.tests.scenes import PASSWORD, make_company, make_member
from wallet import ledger
from wallet.models import Entry, EntryKind

pytestmark = pytest.mark.django_db


def signed_in(client: Client, account: Account, role: str = Role.VIEWER) -> Client:
    user = make_member(account, role)
    assert client.login(username=user.email, password=PASSWORD)
    return client


def move(account: Account, amount: str) -> Entry:
    return ledger.post(
        account_id=account.pk,
        kind=EntryKind.REFUND,
        amount=Decimal(amount),
        description=f"Moved by {amount}",
        now=timezone.now(),
    )


def test_a_viewer_sees_every_entry_with_the_balance_after_it(client: Client) -> None:
    alice = make_company(balance="20")
    move(alice, "-20.000001")
    body = signed_in(client, alice).get(reverse("credit")).content.decode()
    assert "Moved by -20.000001" in body
    assert "−$0.000001" in body
    assert "$20.00" in body


def test_pages_follow_the_numbers_of_the_entries(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    alice = make_company()
    for number in range(1, 121):
        move(alice, f"{number}")
    signed_in(client, alice)
    newest = client.get(reverse("credit")).context["ledger"]
    assert [row.sequence for row in newest.rows] == list(range(120, 70, -1))
    assert not newest.has_previous
    with django_assert_max_num_queries(7):
        older = client.get(newest.next_href).context["ledger"]
    assert [row.sequence for row in older.rows] == list(range(70, 20, -1))
    back = client.get(older.previous_href).context["ledger"]
    assert [row.sequence for row in back.rows] == [row.sequence for row in newest.rows]


@pytest.mark.parametrize("cursor", ["x", "-1", "9" * 40, "²", "0"])
def test_a_cursor_that_was_tampered_with_is_no_error(client: Client, cursor: str) -> None:
    alice = make_company(balance="5")
    signed_in(client, alice)
    for name in ("before", "after"):
        assert client.get(reverse("credit"), {name: cursor}).status_code == 200


def test_filters_by_kind_and_day_reach_the_csv(client: Client) -> None:
    alice = make_company(balance="5")
    signed_in(client, alice)
    today = timezone.now().astimezone(alice.timezone).date()
    for query, lines in (
        ({"kind": "refund"}, 2),
        ({"kind": "credit", "date_from": str(today), "date_to": str(today)}, 2),
        ({"kind": "usage"}, 1),
        ({"date_to": str(today - timedelta(days=1))}, 1),
        ({"date_from": "nonsense"}, 2),
    ):
        page = client.get(reverse("credit"), query)
        assert len(page.context["ledger"].rows) == lines - 1
        answer = client.get(reverse("credit-export"), query)
        written = b"".join(answer.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
        assert len(written) == lines


def test_amounts_stay_numbers_to_a_spreadsheet_and_words_stay_words(client: Client) -> None:
    alice = make_company(balance="5")
    ledger.post(
        account_id=alice.pk,
        kind=EntryKind.REFUND,
        amount=Decimal("-1.5"),
        description="=cmd|' /C calc'!A0",
        now=timezone.now(),
    )
    answer = signed_in(client, alice).get(reverse("credit-export"))
    newest = b"".join(answer.streaming_content).decode().splitlines()[1].split(",")  # type: ignore[attr-defined]
    assert newest[3:6] == ["'=cmd|' /C calc'!A0", "-1.500000", "3.500000"]


def test_a_months_statement_is_offered_and_downloaded(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    alice = make_company(balance="5")
    signed_in(client, alice)
    with django_assert_max_num_queries(7):
        (month,) = client.get(reverse("credit-statements")).context["months"].rows
    assert (month.opening, month.credit, month.usage, month.closing) == (
        "$0.00", "$5.00", "$0.00", "$5.00",
    )  # fmt: skip
    assert client.get(month.pdf_href).content.startswith(b"%PDF")
    written = b"".join(client.get(month.csv_href).streaming_content)  # type: ignore[attr-defined]
    assert written.count(b"\n") == 4


def test_no_statement_of_another_time_or_of_nothing(client: Client) -> None:
    alice = make_company(balance="5")
    signed_in(client, alice)
    for month in ("1999-01", "2999-12", "2026-13", "0000-01"):
        assert client.get(f"/billing/credit/statements/{month}.pdf").status_code == 404
    assert client.get(reverse("credit-statements"), {"year": "²024"}).status_code == 200
    empty = make_company()
    other = Client()
    signed_in(other, empty)
    assert "No statement yet" in other.get(reverse("credit-statements")).content.decode()
    assert "Nothing has moved" in other.get(reverse("credit")).content.decode()
