"""Staff view a customer's dashboard: they see what its owner sees, and can do nothing there."""

import re
from collections.abc import Callable
from datetime import timedelta
from unittest.mock import patch

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import customer_views
from accounts.models import Account, AuditEvent, Membership, Message, User
from accounts.roles import Role
from accounts.tests.factories import NOW
from billing_portal.dashboard import viewing
from billing_portal.dashboard.tests import scenes
from billing_portal.dashboard.tests.test_every_page import NO_PAGES
from billing_portal.dashboard.tests.test_roles import WHO_MAY, addresses
from invoices.models import Status, Transaction
from invoices.tests.factories import make_transaction
from plans.models import UsageRecord
from wallet.models import Entry

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]
OVERVIEW = reverse("billing-overview")
STOP = reverse("admin:stop-viewing")
REASON = "Asks why a call was charged"
#: What is downloaded rather than posted to.
DOWNLOADS = {
    name
    for name in NO_PAGES
    if name.endswith(("-export", "-receipt", "-credit-note", "-pdf", "-csv"))
}


@pytest.fixture
def customer(db: None) -> Account:
    return scenes.make_company(balance="10")


@pytest.fixture
def busy(db: None) -> Account:
    return scenes.busy_company()


@pytest.fixture
def agent(db: None) -> User:
    return make_agent("agent@staff.test")


def make_agent(email: str, *codenames: str) -> User:
    agent = User.objects.create_user(email, "a-long-password", is_staff=True)
    wanted = codenames or ("view_account", "view_as_customer")
    agent.user_permissions.set(Permission.objects.filter(codename__in=wanted))
    return agent


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def button(account: Account) -> str:
    return reverse("admin:accounts_account_view_as", args=[account.pk])


def view(client: Client, account: Account, reason: str = REASON) -> None:
    answer = client.post(button(account), {"reason": reason})
    assert answer.status_code == 302, answer.content.decode()[:2000]
    assert answer["Location"] == OVERVIEW


def recorded(account: Account) -> list[tuple[str, str]]:
    events = AuditEvent.objects.filter(account=account, action__startswith="customer_view_")
    return [
        (event.action, event.reason or event.details.get("how", ""))
        for event in events.order_by("pk")
    ]


def test_a_reason_is_asked_for_before_the_first_page(customer: Account, agent: User) -> None:
    client = signed_in(agent)
    for reason in ("", "  ", "ab "):
        assert client.post(button(customer), {"reason": reason}).status_code == 200
    assert recorded(customer) == []
    assert client.get(OVERVIEW).status_code == 302

    view(client, customer)

    assert recorded(customer) == [("customer_view_started", REASON)]
    page = client.get(OVERVIEW).content.decode()
    assert f'<strong dir="auto">{customer.name}</strong> as its owner sees it' in page
    assert "Stop viewing" in page


def test_without_the_permission_there_is_no_button_and_no_way(customer: Account) -> None:
    clerk = make_agent("clerk@staff.test", "view_account")
    client = signed_in(clerk)

    page = client.get(reverse("admin:accounts_account_change", args=[customer.pk]))

    assert button(customer) not in page.content.decode()
    assert client.get(button(customer)).status_code == 403
    assert client.post(button(customer), {"reason": REASON}).status_code == 403
    assert client.get(OVERVIEW).status_code == 302
    assert recorded(customer) == []


def test_every_page_is_shown_and_everything_else_is_refused(busy: Account, agent: User) -> None:
    scenes.switch_refill_on(busy)
    client = signed_in(agent)
    view(client, busy)
    payment = Transaction.objects.filter(account=busy, status=Status.PAID).first()
    assert payment is not None
    before = everything_of(busy)
    wrong = []
    for name, address in addresses(payment.number):
        if name in viewing.NOT_VIEWED:
            asked = client.get(address)
            expected: tuple[int, ...] = (403,)
        else:
            asked = client.get(address)
            # What of the example does not exist is not found; what only takes posts says so.
            expected = (200, 302, 404, 405)
            if name not in NO_PAGES:
                expected = (200, 302, 404)
        if asked.status_code not in expected:
            wrong.append(f"get {address}: {asked.status_code}")
        is_page = asked.status_code in (200, 403) and b"<html" in asked.getvalue()[:300]
        if is_page and b"Stop viewing" not in asked.getvalue():
            wrong.append(f"get {address}: no bar")
        status = client.post(address).status_code
        if status != 403:
            wrong.append(f"post {address}: {status}")
    assert not wrong, "\n".join(wrong)
    for method in (client.put, client.patch, client.delete):
        assert method(OVERVIEW).status_code == 403
    assert everything_of(busy) == before
    assert WHO_MAY.keys() >= DOWNLOADS


def everything_of(account: Account) -> list[object]:
    account.refresh_from_db()
    return [
        {name: value for name, value in vars(account).items() if name != "_state"},
        list(AuditEvent.objects.order_by("pk").values_list("pk", "action")),
        list(Message.objects.order_by("pk").values_list("pk", "attempts")),
        list(Transaction.objects.order_by("pk").values()),
        list(Entry.objects.order_by("pk").values_list("pk")),
        list(Membership.objects.order_by("pk").values()),
        list(User.objects.order_by("pk").values_list("email", "language", "password")),
    ]


def test_pages_of_an_owner_are_seen(busy: Account, agent: User) -> None:
    client = signed_in(agent)
    view(client, busy)
    record = UsageRecord.objects.filter(account=busy).first()
    assert record is not None

    assert client.get(reverse("usage-record", args=[record.pk])).status_code == 200
    assert "Owner" in client.get(reverse("members")).content.decode()
    assert client.get(reverse("api-keys")).status_code == 200


def test_no_other_account_is_reached(customer: Account, agent: User) -> None:
    own = scenes.make_company(balance="10", name="The agent's own")
    Membership.objects.create(account=own, user=agent, role=Role.OWNER, created_at=NOW)
    foreign = make_transaction(scenes.make_company(balance="10", name="Sohar Dental"))
    client = signed_in(agent)
    view(client, customer)

    assert client.get(reverse("billing-history-detail", args=[foreign.number])).status_code == 404
    page = client.get(OVERVIEW)
    assert page.context["shell"].account_name == customer.name
    assert page.context["shell"].other_accounts == ()
    switched = client.post(reverse("switch-account"), {"account": str(own.pk)})
    assert switched.status_code == 403

    # Back to oneself, in one's own account.
    client.post(STOP)
    assert client.get(OVERVIEW).context["shell"].account_name == own.name


def test_it_ends_when_stopped(customer: Account, agent: User) -> None:
    client = signed_in(agent)
    view(client, customer)

    answer = client.post(STOP)

    assert answer["Location"] == reverse("admin:accounts_account_change", args=[customer.pk])
    assert client.get(OVERVIEW)["Location"] == reverse("admin:index")
    assert recorded(customer)[1:] == [("customer_view_ended", "stopped")]
    # Once is enough.
    client.post(STOP)
    assert len(recorded(customer)) == 2


def test_it_ends_by_itself_after_half_an_hour(customer: Account, agent: User) -> None:
    client = signed_in(agent)
    view(client, customer)
    later = timezone.now() + customer_views.LASTS

    with patch("django.utils.timezone.now", return_value=later - timedelta(seconds=5)):
        assert client.get(OVERVIEW).status_code == 200
    with patch("django.utils.timezone.now", return_value=later):
        assert client.get(OVERVIEW).status_code == 302

    assert recorded(customer)[1:] == [("customer_view_ended", "expired")]
    end = AuditEvent.objects.get(action="customer_view_ended")
    begin = AuditEvent.objects.get(action="customer_view_started")
    assert end.created_at == begin.created_at + customer_views.LASTS


def test_it_ends_with_the_session(customer: Account, agent: User) -> None:
    client = signed_in(agent)
    view(client, customer)

    assert client.post(reverse("account_logout")).status_code == 302

    assert recorded(customer)[1:] == [("customer_view_ended", "signed_out")]
    client.force_login(agent)
    assert client.get(OVERVIEW)["Location"] == reverse("admin:index")


def test_it_ends_when_the_permission_is_taken(customer: Account, agent: User) -> None:
    client = signed_in(agent)
    view(client, customer)
    agent.user_permissions.clear()

    assert client.get(OVERVIEW).status_code == 302
    assert recorded(customer)[1:] == [("customer_view_ended", "not_allowed")]


def test_another_customer_takes_the_place_of_the_first(customer: Account, agent: User) -> None:
    other = scenes.make_company(balance="10", name="Sohar Dental")
    client = signed_in(agent)
    view(client, customer)
    view(client, other)

    assert client.get(OVERVIEW).context["shell"].account_name == "Sohar Dental"
    assert recorded(customer)[1:] == [("customer_view_ended", "another_viewed")]


def test_a_customer_sees_no_bar_and_acts_as_before(customer: Account, sign_in: SignIn) -> None:
    client = sign_in(customer)

    assert "Stop viewing" not in client.get(OVERVIEW).content.decode()
    saved = client.post(reverse("language"), {"language": "en"})
    assert saved.status_code in (200, 302)


def test_staffs_own_pages_still_work(customer: Account, agent: User) -> None:
    client = signed_in(agent)
    view(client, customer)

    assert client.get(reverse("admin:accounts_account_changelist")).status_code == 200
    assert client.post(reverse("account_change_password"), {}).status_code == 403


def test_the_bar_is_translated(customer: Account, agent: User) -> None:
    client = signed_in(agent)
    view(client, customer)

    page = client.get(OVERVIEW, headers={"accept-language": "ar"}).content.decode()

    assert re.search(r'<html lang="ar"', page)
    assert "Stop viewing" not in page
