"""The account's page tells the whole story in one list, newest first."""

import re
from datetime import timedelta
from decimal import Decimal
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import Permission
from django.http import QueryDict
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts import service_state
from accounts.models import Account, AuditEvent, Message, PauseReason, User
from accounts.tests.factories import NOW, make_account
from billing_portal.admin.timeline import Timeline, build_timeline
from billing_portal.admin.timeline.lines import Place
from billing_portal.admin.timeline.page import PAGE_SIZE, Row
from billing_portal.tests.admin_company import Company, make_company
from invoices.models import Purpose, Status
from invoices.tests.factories import make_transaction
from plans import usage
from plans.models import UsageRecord
from plans.tests.factories import make_record, make_subscription, make_version, make_wallet
from wallet import adjustments

pytestmark = pytest.mark.django_db

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def company(db: None) -> Company:
    return make_company()


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def address(account: Account) -> str:
    return reverse("admin:accounts_account_change", args=[account.pk])


def timeline_of(account: Account, reader: User, query: str = "") -> Timeline:
    """What a reader is shown of an account for an address's query."""
    timeline = build_timeline(account=account, reader=reader, query=QueryDict(query))
    assert timeline is not None
    return timeline


def rows_of(account: Account, reader: User, query: str = "") -> list[Row]:
    """The lines, newest first."""
    return timeline_of(account, reader, query).rows


def told(account: Account, reader: User, query: str = "") -> list[str]:
    """What the lines say."""
    return [row.title for row in rows_of(account, reader, query)]


@pytest.fixture
def admin(db: None) -> User:
    return User.objects.create_superuser("admin@staff.test", "a-long-password")


@pytest.fixture
def account(db: None) -> Account:
    """On a plan that includes five minutes."""
    return make_caller()


def make_caller(balance: str = "100.00") -> Account:
    account = make_account(name="Nizwa Halwa")
    make_wallet(account, balance=balance)
    make_subscription(account, make_version(included="5", monthly_price="99"))
    return account


def test_everything_that_happened_is_in_one_list_newest_first(
    account: Account, admin: User
) -> None:
    make_transaction(
        account,
        status=Status.FAILED,
        purpose=Purpose.AUTO_REFILL,
        failure_message="Insufficient funds.",
        created_at=NOW,
    )
    usage.record(
        records=[make_record(account, "3", occurred_at=NOW + HOUR)], now=NOW + HOUR + MINUTE
    )
    adjustments.adjust(
        account=account,
        amount=Decimal("2.50"),
        reason="Dropped calls",
        author=admin,
        now=NOW + 2 * HOUR,
    )
    service_state.pause(
        account_ids=[account.pk],
        reason=PauseReason.LOCKED,
        now=NOW + 3 * HOUR,
        by=admin,
        note="Stolen card",
    )

    rows = rows_of(account, admin)
    newest, second, third, fourth, _, fifth = rows

    assert (newest.title, newest.kind) == ("E-mail: services are paused", "E-mails")
    assert (second.title, second.note, second.by) == (
        "Services paused: Locked by support",
        "Stolen card",
        "admin@staff.test",
    )
    assert third.title == "Adjustment: Dropped calls"
    assert "$2.50" in third.amount
    assert "$102.50" in third.balance
    assert third.by == "admin@staff.test"
    assert fourth.when == "2026-11-23 10:00–11:00"
    assert fourth.title == "Call minutes: 3 minutes"
    assert fourth.note == "all of it included in the plan, 1 record"
    assert fifth.title.startswith("Auto-refill T-")
    assert fifth.note.startswith("Insufficient funds")


def test_what_a_line_of_money_says_is_not_said_again_as_an_event(company: Company) -> None:
    whole = told(company.account, company.admin)
    of_staff = told(company.account, company.admin, "kind=staff")

    assert "Adjustment: Dropped calls" in whole
    assert not [title for title in whole if title.startswith("Credit adjusted")]
    assert "Credit adjusted by $2.50" in of_staff


def test_usage_is_summed_by_hour_and_feature(account: Account, admin: User) -> None:
    hour = NOW.replace(minute=0)
    at = [hour, hour + 59 * MINUTE, hour + HOUR - timedelta(microseconds=1), hour + HOUR]
    records = [make_record(account, "4", occurred_at=moment) for moment in at]
    usage.record(records=records, now=NOW + 2 * HOUR)
    found = UsageRecord.objects.filter(account=account).order_by("occurred_at")
    first_three = sum((record.amount for record in found[:3]), Decimal(0))

    rows = rows_of(account, admin, "kind=usage")

    assert [row.title for row in rows] == ["Call minutes: 4 minutes", "Call minutes: 12 minutes"]
    assert rows[1].note == "5 of it included in the plan, 3 records"
    assert f"${first_three:.2f}" in rows[1].amount
    # Down to the records of the hour, and to why one of them was charged.
    client = signed_in(admin)
    listed = client.get(rows[1].url)
    assert len(listed.context["cl"].result_list) == 3
    record = found[2]
    page = client.get(reverse("admin:plans_usagerecord_change", args=[record.pk]))
    assert "What your plan includes in this period was used up" in page.content.decode()


def test_the_list_is_narrowed_by_kind_and_day(account: Account, admin: User) -> None:
    for days in range(4):
        make_transaction(account, number=f"T-DAY{days}", created_at=NOW + days * DAY)

    def payments(query: str) -> list[str]:
        titles = told(account, admin, f"kind=payments&{query}")
        return [title.split()[1].rstrip(":") for title in titles]

    assert payments("") == ["T-DAY3", "T-DAY2", "T-DAY1", "T-DAY0"]
    # Days are those of UTC, both included.
    assert payments("since=2026-11-24&until=2026-11-25") == ["T-DAY2", "T-DAY1"]
    assert payments("until=2026-11-23") == ["T-DAY0"]
    assert payments("since=2030-01-01") == []
    both = told(account, admin, "kind=payments&kind=credit&until=2026-11-24")
    assert "Top-up T-DAY1: paid" in both


def test_whatever_stands_in_the_address_is_no_error(account: Account, admin: User) -> None:
    for query in (
        "since=yesterday",
        "until=9999-12-31",
        "since=0001-01-01",
        "kind=nonsense",
        "before=nonsense",
        f"before={Place(NOW.replace(year=9998), 0, 2**62).written()}",
    ):
        rows_of(account, admin, query)


def test_a_wrong_day_is_told(account: Account, admin: User) -> None:
    page = signed_in(admin).get(f"{address(account)}?since=2026-11-25&until=2026-11-01")

    assert "The last day is before the first." in page.content.decode()


def test_older_pages_go_on_where_the_one_before_ended(account: Account, admin: User) -> None:
    """Lines of the same moment, and of several sources, neither twice nor left out."""
    for number in range(PAGE_SIZE // 2 + 3):
        moment = NOW + (number // 4) * HOUR
        make_transaction(account, created_at=moment)
        AuditEvent.objects.create(
            account=account, action=f"note_{number}", created_at=moment, actor=admin
        )
        usage.record(records=[make_record(account, "1", occurred_at=moment)], now=moment)

    query, pages = "", []
    while True:
        timeline = timeline_of(account, admin, query)
        pages.append(timeline.rows)
        if not timeline.older:
            break
        query = timeline.older

    lines = [row for page in pages for row in page]
    assert [len(page) for page in pages[:-1]] == [PAGE_SIZE] * (len(pages) - 1)
    assert len(pages) > 1
    assert len({row.title + row.when for row in lines}) == len(lines)
    titles = [row.title for row in lines]
    assert sum(title.startswith("Note ") for title in titles) == PAGE_SIZE // 2 + 3
    assert sum(title.startswith("Top-up T-") for title in titles) == PAGE_SIZE // 2 + 3
    assert sum(title.startswith("Call minutes") for title in titles) == (PAGE_SIZE // 2 + 6) // 4
    moments = [row.when[:13] for row in lines]
    assert moments == sorted(moments, reverse=True)


def test_what_a_reader_may_not_see_is_left_out(company: Company) -> None:
    clerk = User.objects.create_user("clerk@staff.test", is_staff=True)
    clerk.user_permissions.set(
        Permission.objects.filter(codename__in=["view_account", "view_transaction"])
    )
    titles = told(company.account, clerk, "kind=payments&kind=credit&kind=usage&kind=staff")
    page = signed_in(clerk).get(address(company.account)).content.decode()

    assert titles
    assert all(re.match(r"(Top-up|Auto-refill) T-", title) for title in titles)
    assert 'value="payments"' in page
    assert 'value="usage"' not in page
    assert "Dropped calls" not in page


def test_who_may_see_accounts_only_sees_no_timeline(company: Company) -> None:
    clerk = User.objects.create_user("clerk@staff.test", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename="view_account"))

    page = signed_in(clerk).get(address(company.account))

    assert page.status_code == 200
    assert page.context["timeline"] is None


def test_each_line_leads_to_its_record(company: Company) -> None:
    client = signed_in(company.admin)
    rows = rows_of(company.account, company.admin)
    assert {row.kind for row in rows} >= {"Payments", "Refunds and disputes", "Credit", "Usage"}
    # One of each sort of page.
    addresses = {urlsplit(row.url).path.split("/")[3]: row.url for row in rows}
    assert len(addresses) >= 7
    for sort, url in addresses.items():
        assert client.get(url).status_code == 200, sort


def test_why_services_are_paused_and_what_ends_it_is_said_at_the_top(admin: User) -> None:
    account = make_caller(balance="-3.20")
    service_state.pause(account_ids=[account.pk], reason=PauseReason.NEGATIVE_BALANCE, now=NOW)
    service_state.pause(
        account_ids=[account.pk],
        reason=PauseReason.LOCKED,
        now=NOW + HOUR,
        by=admin,
        note="Stolen card",
    )

    page = signed_in(admin).get(address(account)).content.decode()

    assert "The balance is −$3.20" in page
    assert "since 2026-11-23 09:30:00" in page
    assert "since 2026-11-23 10:30:00 by admin@staff.test" in page


def test_a_state_that_ended_by_itself_says_what_holds_no_longer(
    account: Account, admin: User
) -> None:
    reason = PauseReason.NEGATIVE_BALANCE
    service_state.pause(account_ids=[account.pk], reason=reason, now=NOW)
    service_state.lift(account_ids=[account.pk], reason=reason, now=NOW + HOUR)

    resumed, paused = rows_of(account, admin, "kind=services")

    assert (paused.title, paused.note) == ("Services paused: The balance is below zero", "")
    assert resumed.note == "It holds no longer: the balance is below zero"


def test_an_e_mail_says_which_payment_it_is_of_and_whether_it_left(
    account: Account, admin: User
) -> None:
    for key, error in (("transaction_paid:T-77", ""), ("low-1", "Mailbox full")):
        Message.objects.create(
            account=account,
            channel="email",
            event=key.split(":")[0],
            key=key,
            recipient="owner@nizwa.test",
            last_error=error,
            created_at=NOW,
            next_attempt_at=NOW,
        )

    failed, waiting = rows_of(account, admin, "kind=emails")

    assert failed.note == "not delivered: Mailbox full"
    assert (waiting.title, waiting.note, waiting.by) == (
        "E-mail: the receipt of a payment",
        "of T-77, not sent yet",
        "to owner@nizwa.test",
    )


def test_the_page_takes_the_same_queries_however_long_the_story(
    company: Company, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = signed_in(company.admin)
    for number in range(25):
        make_transaction(company.account, status=Status.FAILED)
        Message.objects.create(
            account=company.account,
            channel="email",
            event="low_balance",
            key=f"low-{number}",
            created_at=NOW,
            next_attempt_at=NOW,
        )
    with django_assert_max_num_queries(30):
        page = client.get(address(company.account)).content.decode()
    # The newest fifty of whatever happened.
    assert page.count("E-mail: the balance is low") == 26
    assert "Older" in page
