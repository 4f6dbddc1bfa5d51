"""What staff decide of what colleagues ask for, on the pages of the admin."""

from decimal import Decimal
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Account, User
from accounts.staff_roles import StaffRole
from accounts.tests.factories import make_account, make_card, make_staff
from wallet import adjustments, approvals
from wallet.models import Adjustment, ApprovalRequest, ApprovalState
from wallet.tests.factories import balance_of, make_wallet, switch_on

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> Account:
    account = make_account(name="Muscat Freight LLC")
    make_wallet(account, "5")
    return account


def page_of(asked: ApprovalRequest, name: str = "change") -> str:
    return reverse(f"admin:wallet_approvalrequest_{name}", args=[asked.pk])


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def ask(account: Account, by: User, amount: str = "100") -> ApprovalRequest:
    return approvals.ask_for_adjustment(
        account=account,
        amount=Decimal(amount),
        reason="Outage on Sunday",
        by=by,
        request_key=f"{by} {amount}",
        now=timezone.now(),
    )


def test_what_waits_comes_first_and_is_counted_for_who_may_decide(account: Account) -> None:
    support, finance = make_staff(StaffRole.SUPPORT), make_staff(StaffRole.FINANCE)
    waits = ask(account, support, "100")
    newer = ask(account, support, "200")
    approvals.decline(request_id=newer.pk, by=finance, reason="Too much", now=timezone.now())
    page = signed_in(finance).get(reverse("admin:wallet_approvalrequest_changelist"))
    assert [one.pk for one in page.context["cl"].result_list] == [waits.pk, newer.pk]
    [item] = [
        item
        for group in page.context["sidebar_navigation"]
        for item in group["items"]
        if item["title"] == "Approvals"
    ]
    assert item["badge"] == "1"
    front = signed_in(finance).get(reverse("admin:index"))
    [mine] = [one for one in front.context["concerns"] if one.title == "Wait for your approval"]
    assert mine.count == 1
    listed = signed_in(finance).get(mine.url).context["cl"].result_list
    assert [one.pk for one in listed] == [waits.pk]


def test_a_request_shows_its_buttons_to_who_may_press_them(account: Account) -> None:
    support, finance = make_staff(StaffRole.SUPPORT), make_staff(StaffRole.FINANCE)
    asked, own = ask(account, support), ask(account, finance, "900")
    for user, request, shown in (
        (finance, asked, {"approve", "decline"}),
        (support, asked, {"withdraw"}),
        (finance, own, {"withdraw"}),
        (make_staff(StaffRole.AUDITOR), asked, set()),
    ):
        text = signed_in(user).get(page_of(request)).content.decode()
        names = ("approve", "decline", "withdraw")
        assert {name for name in names if page_of(request, name) in text} == shown
    for name in ("approve", "decline"):
        answer = signed_in(finance).post(page_of(own, name), {"reason": "My own"}, follow=True)
        assert "Somebody else has to decide" in answer.content.decode()
    signed_in(finance).post(page_of(asked, "withdraw"), {"reason": "Not mine"})
    states = set(ApprovalRequest.objects.values_list("state", flat=True))
    assert (states, balance_of(account)) == ({ApprovalState.REQUESTED}, 5)


def test_who_lost_the_role_meanwhile_decides_nothing(account: Account) -> None:
    asked = ask(account, make_staff(StaffRole.SUPPORT))
    finance = make_staff(StaffRole.FINANCE)
    client = signed_in(finance)
    assert client.get(page_of(asked, "approve")).status_code == 200
    finance.groups.clear()
    assert client.post(page_of(asked, "approve"), {"reason": "Agreed"}).status_code == 403
    asked.refresh_from_db()
    assert (asked.state, balance_of(account)) == (ApprovalState.REQUESTED, 5)


@pytest.mark.parametrize("reason", ["", "   ", "no"])
def test_deciding_takes_a_reason(account: Account, reason: str) -> None:
    asked = ask(account, make_staff(StaffRole.SUPPORT))
    client = signed_in(make_staff(StaffRole.FINANCE))
    for name in ("approve", "decline"):
        page = client.post(page_of(asked, name), {"reason": reason})
        assert "reason" in page.context["form"].errors
    assert balance_of(account) == 5


def test_a_small_adjustment_is_reversed_at_once_and_a_large_one_waits(account: Account) -> None:
    finance = make_staff(StaffRole.FINANCE)
    client = signed_in(finance)
    chief = make_staff(StaffRole.ADMINISTRATOR)
    for amount, author, left in (("20", finance, 5), ("900", chief, 905)):
        entry = adjustments.adjust(
            account=account,
            amount=Decimal(amount),
            reason="A slip",
            author=author,
            now=timezone.now(),
        )
        wrong = entry.adjustment
        assert wrong is not None
        page = reverse("admin:wallet_adjustment_reverse_adjustment", args=[wrong.pk])
        assert "Balance" in client.get(page).content.decode()
        for _ in range(2):
            client.post(page, {"reason": "Meant for another"})
        assert balance_of(account) == left
    assert ApprovalRequest.objects.get().kind == "reversal"
    assert Adjustment.objects.filter(reverses__isnull=False).count() == 1


def test_a_deduction_that_auto_refill_would_charge_again_says_so(account: Account) -> None:
    make_card(account, is_default=True)
    switch_on(account, threshold="3", amount="25")
    support, finance = make_staff(StaffRole.SUPPORT), make_staff(StaffRole.FINANCE)
    address = reverse("admin:accounts_account_adjust_credit", args=[account.pk])
    wish = {"direction": "deduct", "reason": "Meant for another", "amount": "4"}
    will_charge = "will charge $25.00: the balance falls below $3.00"
    assert will_charge in signed_in(support).post(address, wish).content.decode()
    assert will_charge not in (
        signed_in(support).post(address, {**wish, "amount": "1"}).content.decode()
    )
    asked = ask(account, support, "-100")
    assert will_charge in signed_in(finance).get(page_of(asked, "approve")).content.decode()


def test_who_asks_reads_who_was_told(account: Account) -> None:
    support = make_staff(StaffRole.SUPPORT)
    address = reverse("admin:accounts_account_adjust_credit", args=[account.pk])
    wish = {"direction": "add", "reason": "Outage on Sunday", "amount": "100", "_apply": ""}
    nobody = signed_in(support).post(address, {**wish, "request_key": str(uuid4())}, follow=True)
    assert "nobody has a role and a limit to approve it" in nobody.content.decode()
    make_staff(StaffRole.FINANCE)
    told = signed_in(support).post(address, {**wish, "request_key": str(uuid4())}, follow=True)
    assert "Told that it waits: finance@badal.test." in told.content.decode()
