"""Usage history: filters in the address, pages, why a record was charged, the export."""

import csv
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.models import Account
from accounts.tests.factories import NOW
from billing_portal.dashboard.tests import scenes
from billing_portal.dashboard.usage_history_page import PAGE_SIZE
from plans import daily_spend, usage
from plans.models import UsageRecord
from plans.tests.factories import make_record, make_subscription, make_version
from plans.usage_records import ParsedRecord

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]
HOUR = timedelta(hours=1)


@pytest.fixture
def account() -> Account:
    """Of call minutes one is included; a detection costs two cents."""
    company = scenes.make_company(balance="0.15")
    version = make_version(included="1", features={"voicemail_detection": ("0", "0.02")})
    make_subscription(company, version, anchor=NOW)
    return company


def report(account: Account, *records: ParsedRecord) -> None:
    usage.record(records=list(records), now=max([NOW, *(each.occurred_at for each in records)]))


def four_records(account: Account) -> None:
    report(
        account,
        make_record(account, 1, id="call-1", workspace="Ruwi", source="voice"),
        make_record(account, 2, id="call-2", workspace="Ruwi", occurred_at=NOW + HOUR),
        make_record(
            account,
            3,
            id="voice-1",
            feature="voicemail_detection",
            workspace="Seeb",
            occurred_at=NOW + 2 * HOUR,
        ),
        make_record(account, 0, id="=cmd()", occurred_at=NOW + timedelta(days=1)),
    )


def shown(client: Client, query: str = "") -> list[str]:
    response = client.get(reverse("usage-history") + query)
    assert response.status_code == 200
    return [row.record for row in response.context["history"].rows]


@pytest.mark.parametrize(
    ("query", "records"),
    [
        ("", ["=cmd()", "voice-1", "call-2", "call-1"]),
        ("?record=call-2", ["call-2"]),
        ("?record=call", []),
        ("?feature=voicemail_detection", ["voice-1"]),
        ("?workspace=Ruwi", ["call-2", "call-1"]),
        ("?workspace=ru", ["call-2", "call-1"]),
        ("?workspace=uwi", []),
        ("?workspace=%25", []),
        ("?charge=billed", ["voice-1", "call-2"]),
        ("?charge=free&workspace=Ruwi", ["call-1"]),
        (f"?date_from={NOW + timedelta(days=1):%Y-%m-%d}", ["=cmd()"]),
        (f"?date_to={NOW:%Y-%m-%d}", ["voice-1", "call-2", "call-1"]),
        ("?date_from=yesterday&feature=nonsense", ["=cmd()", "voice-1", "call-2", "call-1"]),
        ("?record=%00&workspace=%00&charge=%00", ["=cmd()", "voice-1", "call-2", "call-1"]),
        ("?before=nonsense", ["=cmd()", "voice-1", "call-2", "call-1"]),
    ],
)
def test_filters(account: Account, sign_in: SignIn, query: str, records: list[str]) -> None:
    four_records(account)
    assert shown(sign_in(account, "viewer"), query) == records


def test_workspaces_are_there_to_choose_from_and_a_whole_name_is_that_one_alone(
    account: Account, sign_in: SignIn
) -> None:
    four_records(account)
    daily_spend.add_up_due(left=0)
    report(account, make_record(account, 1, id="late", workspace="Ruwi East"))
    client = sign_in(account, "viewer")

    response = client.get(reverse("usage-history"))
    assert response.context["form"].names == ("Ruwi", "Ruwi East", "Seeb")
    assert '<option value="Ruwi East">' in response.content.decode()
    assert shown(client, "?workspace=Ruwi") == ["call-2", "call-1"]
    assert shown(client, "?workspace=Ru") == ["call-2", "late", "call-1"]
    begins = client.get(reverse("usage-history") + "?workspace=Ru").context["history"].note
    assert begins == "3 records shown, newest first. Of workspaces that begin with “Ru”."
    csv = client.get(reverse("usage-history-export") + "?workspace=ruwi e")
    assert len(csv.getvalue().splitlines()) == 2


def test_pages_go_on_from_a_place_and_back_whatever_arrives(
    account: Account, sign_in: SignIn, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    records = [make_record(account, 1, id=f"r-{n}") for n in range(PAGE_SIZE + 5)]
    report(account, *records)
    client = sign_in(account)
    with django_assert_max_num_queries(12):
        response = client.get(reverse("usage-history"))
    first = [row.record for row in response.context["history"].rows]
    report(account, make_record(account, 1, id="new", occurred_at=NOW + HOUR))

    older = client.get(response.context["history"].next_href)
    second = [row.record for row in older.context["history"].rows]
    back = client.get(older.context["history"].previous_href)

    assert len(first) == PAGE_SIZE
    assert len(second) == 5
    assert set(first) | set(second) == {record.id for record in records}
    assert [row.record for row in back.context["history"].rows] == first


def test_htmx_is_answered_with_the_list_alone(account: Account, sign_in: SignIn) -> None:
    four_records(account)
    headers = {"HX-Request": "true", "HX-Target": "usage-list"}
    response = sign_in(account).get(reverse("usage-history"), headers=headers)
    assert "call-2" in response.content.decode()
    assert "<html" not in response.content.decode()


def test_why_was_i_charged(account: Account, sign_in: SignIn) -> None:
    four_records(account)
    record = UsageRecord.objects.get(record_id="call-2")
    client = sign_in(account, "viewer")
    address = reverse("usage-record", args=[record.pk])

    whole = client.get(address)
    part = client.get(address, headers={"HX-Request": "true"})

    explained = whole.context["explained"]
    assert explained.summary.startswith("What your plan includes in this period was used up")
    assert [(step.label, step.amount) for step in explained.steps] == [
        ("2 minutes × $0.10 per minute", "$0.20"),
        ("Charged", "$0.20"),
    ]
    assert [fact.value for fact in explained.allowance] == ["1 minute", "0 minutes", "0 minutes"]
    assert [fact.value for fact in explained.balance] == ["$0.15", "$0.20", "−$0.05"]
    assert "The balance went below zero" in " ".join(explained.notes)
    assert "<html" in whole.content.decode()
    assert "<html" not in part.content.decode()
    assert explained.summary in part.content.decode()


def test_a_record_leads_to_its_entry_and_the_entry_back(account: Account, sign_in: SignIn) -> None:
    four_records(account)
    client = sign_in(account, "viewer")
    record = UsageRecord.objects.get(record_id="call-2")
    explained = client.get(reverse("usage-record", args=[record.pk])).context["explained"]

    (entry,) = client.get(explained.entry_href).context["ledger"].rows

    assert (entry.amount, entry.balance_after) == ("−$0.20", "−$0.05")
    assert client.get(entry.href).context["history"].rows[0].record == "call-2"
    assert client.get(reverse("credit") + "?record=none").context["ledger"].rows == ()
    stranger = sign_in(scenes.make_company(name="Another"))
    assert stranger.get(explained.entry_href).context["ledger"].rows == ()


def test_a_call_that_cost_nothing_is_explained_too(account: Account, sign_in: SignIn) -> None:
    four_records(account)
    client = sign_in(account)
    free = UsageRecord.objects.get(record_id="call-1")
    response = client.get(reverse("usage-record", args=[free.pk]))
    assert "Your plan included all of it (1 minute)" in response.context["explained"].summary
    assert "Why was I not charged?" in response.content.decode()


def test_another_account_s_record_is_not_there(account: Account, sign_in: SignIn) -> None:
    four_records(account)
    stranger = sign_in(scenes.make_company(name="Another"))
    record = UsageRecord.objects.filter(account=account).latest("pk")
    assert stranger.get(reverse("usage-record", args=[record.pk])).status_code == 404
    assert stranger.get(reverse("usage-record", args=[10**30])).status_code == 404
    assert shown(stranger) == []


def test_export(account: Account, sign_in: SignIn) -> None:
    four_records(account)
    response = sign_in(account).get(reverse("usage-history-export") + "?date_to=2999-12-31")
    text = b"".join(response).decode()
    rows = list(csv.DictReader(StringIO(text)))
    assert [row["Record"] for row in rows] == ["'=cmd()", "voice-1", "call-2", "call-1"]
    assert rows[2]["Amount USD"] == "0.200000"
    assert Decimal(rows[2]["Balance after, USD"].removeprefix("'")) == Decimal("-0.05")
    assert datetime.fromisoformat(rows[3]["Used at"]).astimezone(UTC) == NOW
