"""Activity: each change in the customer's words, with who made it."""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts import api_keys, billing_details
from accounts.models import Account, AuditEvent, User
from accounts.staff_roles import StaffRole
from accounts.tests.factories import make_staff
from billing_portal.dashboard.activity_words import NOT_SHOWN, SENTENCES
from billing_portal.dashboard.tests import scenes
from wallet import adjustments, low_balance

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]
PAGE = "/billing/settings/activity/"


@pytest.fixture
def layla(account: Account) -> User:
    return scenes.make_member(account, email="layla@muscat.test", first_name="Layla")


def shown(client: Client, query: str = "") -> str:
    html = client.get(PAGE + query).content.decode().split("<main")[1]
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def record(account: Account, action: str, **fields: Any) -> None:
    fields = {"created_at": timezone.now(), **fields}
    AuditEvent.objects.create(account=account, action=action, **fields)


def test_plans_are_called_what_they_are_sold_as(
    account: Account, layla: User, sign_in: SignIn
) -> None:
    record(account, "plan_changed", details={"from": "Starter v1", "to": "Growth v2"})
    record(account, "plan_change_scheduled", details={"from": "Growth v2", "to": "Growth v3"})
    told = shown(sign_in(account, user=layla))
    assert "Plan changed from Starter to Growth" in told
    assert "Plan changes from Growth v2 to Growth v3 at the renewal" in told
    User.objects.filter(pk=layla.pk).update(language="ar")
    assert "Starter" not in shown(sign_in(account, user=layla))


def test_a_change_is_told_with_what_was_before(
    account: Account, layla: User, sign_in: SignIn
) -> None:
    now = timezone.now()
    details = {"city": "Sohar", "tax_number": "OM1"}
    billing_details.change(account=account, details={"city": "Nizwa"}, by=layla, now=now)
    billing_details.change(account=account, details=details, by=layla, now=now)
    low_balance.set_limit(account=account, limit=Decimal("12.50"), by=layla, now=now)
    api_keys.create_for_account(account=account, name="Reports", by=layla, now=now)
    told = shown(sign_in(account, user=layla))
    assert "City: Nizwa → became Sohar" in told
    assert "Tax number: nothing – → became OM1" in told
    assert "Low-balance alert set to $12.50 Layla" in told
    assert "Made the API key Reports (bp_" in told


def test_of_staff_it_says_what_they_did_and_neither_who_nor_why(
    account: Account, layla: User, sign_in: SignIn
) -> None:
    support = make_staff(StaffRole.SUPPORT, "huda@badal.test")
    User.objects.filter(pk=support.pk).update(first_name="Huda")
    adjustments.adjust(
        account=account,
        amount=Decimal(5),
        reason="They threatened to leave",
        author=support,
        now=timezone.now(),
    )
    told = shown(sign_in(account, user=layla))
    assert "Credit adjusted by $5.00 Badal support" in told
    assert "Huda" not in told
    assert "threatened" not in told


def test_the_machine_and_the_platform_are_told_apart(
    account: Account, layla: User, sign_in: SignIn
) -> None:
    record(account, "services_paused", details={"reason": "negative_balance"})
    record(account, "account_changed", details={"before": {"name": "A"}, "after": {"name": "B"}})
    changed = {"member": "omar@x.test", "before": "viewer", "after": "owner"}
    record(account, "member_role_changed", actor=layla, details=changed)
    told = shown(sign_in(account, user=layla))
    assert "Services paused: The balance is below zero By itself" in told
    assert "Changed the account Name: A → became B The platform" in told
    assert "Changed the role of omar@x.test from Viewer to Owner Layla" in told


def test_what_is_recorded_for_staff_and_of_others_is_not_shown(
    account: Account, layla: User, sign_in: SignIn
) -> None:
    record(account, "message_replayed", details={"event": "secret"})
    record(account, "something_new", reason="secret")
    record(scenes.make_company(), "member_invited", details={"member": "secret@x.test"})
    told = shown(sign_in(account, user=layla))
    assert "secret" not in told
    assert "Nothing was changed yet" in told


def test_one_kind_is_shown_and_pages_do_not_shift(
    account: Account,
    layla: User,
    sign_in: SignIn,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    start = timezone.now() - timedelta(days=1)
    for n in range(70):
        at = start + timedelta(minutes=n // 2)
        record(account, "member_left", details={"member": f"m{n}@x.test"}, created_at=at)
        record(account, "low_balance_limit_set", details={"limit": None}, created_at=at)
    client = sign_in(account, user=layla)
    seen: list[str] = []
    address = f"{PAGE}?kind=members"
    for _ in range(3):
        with django_assert_max_num_queries(8):
            html = client.get(address).content.decode()
        assert "Low-balance alert switched off" not in html
        seen += re.findall(r"m\d+@x\.test", html)
        record(account, "member_left", details={"member": "later@x.test"})
        older = re.search(r'href="([^"]+)"[^>]*rel="next"', html)
        address = unescape(older[1]) if older else ""
    assert seen == [f"m{n}@x.test" for n in range(69, -1, -1)]
    assert "Nothing of this kind yet" in shown(client, "?kind=plan")
    assert client.get(PAGE + "?kind=nonsense&before=x").status_code == 200


def test_each_recorded_action_is_shown_or_kept_back_on_purpose() -> None:
    written = set()
    for app in ("accounts", "invoices", "wallet", "plans", "billing_portal"):
        for path in (Path(settings.BASE_DIR) / app).rglob("*.py"):
            if "tests" not in path.parts and "AuditEvent" in (text := path.read_text()):
                written |= set(re.findall(r'action="([a-z_]+)"', text))
    written -= {"store_true", "append"}
    assert len(written) > 25
    assert written - SENTENCES.keys() - NOT_SHOWN == set(), "say it in activity_words.py"
