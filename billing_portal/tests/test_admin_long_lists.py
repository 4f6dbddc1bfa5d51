"""Lists of entries, records and transactions: bounded, in an order that an index has."""

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.tests.factories import make_account
from billing_portal.admin import pagination
from billing_portal.tests.admin_company import Company, make_company
from invoices.models import Transaction
from invoices.tests.factories import make_transaction
from plans.models import UsageRecord
from wallet.models import Entry

pytestmark = pytest.mark.django_db

LISTS = [
    ("wallet_entry", Entry, "-sequence"),
    ("plans_usagerecord", UsageRecord, "-occurred_at"),
    ("invoices_transaction", Transaction, "-created_at"),
]


@pytest.fixture
def company() -> Company:
    return make_company()


@pytest.fixture
def client(company: Company) -> Client:
    client = Client()
    client.force_login(company.admin)
    return client


@pytest.mark.parametrize(("name", "model", "order"), LISTS)
def test_rows_are_counted_up_to_a_bound_and_never_sorted_by_another_column(
    client: Client, name: str, model: type[Entry], order: str
) -> None:
    with CaptureQueriesContext(connection) as queries:
        page = client.get(reverse(f"admin:{name}_changelist"), {"o": "2"})

    assert page.status_code == 200
    table = model._meta.db_table
    counts = [query["sql"] for query in queries if "COUNT(*)" in query["sql"]]
    assert all("LIMIT 10001" in sql for sql in counts if table in sql), counts
    listed = [query["sql"] for query in queries if f'FROM "{table}"' in query["sql"]]
    assert any(f'ORDER BY "{table}"."id" DESC' in sql for sql in listed), listed


@pytest.mark.parametrize(("name", "model", "order"), LISTS)
def test_one_account_s_rows_come_in_the_order_of_its_index(
    company: Company, name: str, model: type[Entry], order: str
) -> None:
    site = admin.site._registry[model]
    request = type("Request", (), {"GET": {"account__id__exact": "1"}})()
    assert next(iter(site.get_ordering(request))) == order


def test_more_rows_than_the_bound_are_said_to_be_more(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pagination, "MOST_ROWS", 1)
    page = client.get(reverse("admin:invoices_transaction_changelist")).content.decode()
    assert "narrow the list for older ones" in page


def test_a_row_is_found_by_its_name_or_by_its_company(client: Client, company: Company) -> None:
    record = UsageRecord.objects.first()
    assert record is not None
    address = reverse("admin:plans_usagerecord_changelist")
    for term in (record.record_id, record.account.name[:5].lower()):
        page = client.get(address, {"q": term}).content.decode()
        assert reverse("admin:plans_usagerecord_change", args=[record.pk]) in page
    page = client.get(address, {"q": "no such thing"}).content.decode()
    assert reverse("admin:plans_usagerecord_change", args=[record.pk]) not in page


def test_in_one_account_s_list_no_other_account_is_asked_for_a_record(client: Client) -> None:
    record = UsageRecord.objects.first()
    assert record is not None
    address = reverse("admin:plans_usagerecord_changelist")
    of_one = {"account__id__exact": str(record.account_id), "q": record.record_id}
    with CaptureQueriesContext(connection) as queries:
        page = client.get(address, of_one)
    assert list(page.context["cl"].result_list) == [record]
    [looked_up] = [sql["sql"] for sql in queries if '"record_id" = \'' in sql["sql"]]
    assert '"accounts_account"' not in looked_up


def test_a_transaction_is_found_by_number_receipt_and_payment(client: Client) -> None:
    payment = Transaction.objects.exclude(receipt_number="").first()
    assert payment is not None
    names = [payment.number.lower(), payment.receipt_number, payment.stripe_payment_intent_id]
    for name in names:
        page = client.get(reverse("admin:invoices_transaction_changelist"), {"q": name})
        assert payment.number in page.content.decode(), name
    entries = client.get(reverse("admin:wallet_entry_changelist"), {"q": payment.number})
    assert entries.status_code == 200


def test_rows_of_all_accounts_that_are_called_so_are_found_newest_first(
    client: Client, company: Company
) -> None:
    other = make_account(name="Muscat Dental")
    newest = make_transaction(other)
    make_transaction(make_account(name="Sohar Steel", owner_email="owner@sohar.test"))

    page = client.get(reverse("admin:invoices_transaction_changelist"), {"q": "muscat"})

    found = list(page.context["cl"].result_list)
    assert found[0] == newest
    assert {payment.account for payment in found} == {company.account, other}
    assert len(found) == Transaction.objects.filter(account=company.account).count() + 1
