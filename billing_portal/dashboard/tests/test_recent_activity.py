"""Recent activity: what moved money, what changed, and what was used each day."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from accounts import service_state
from accounts.models import Account, PauseReason
from accounts.staff_roles import StaffRole
from accounts.tests.factories import make_staff
from billing_portal.dashboard.overview import build_overview
from billing_portal.dashboard.tests import scenes
from wallet import adjustments

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def account() -> Account:
    company = scenes.make_company(balance="500", name="Muscat Freight LLC")
    scenes.start_plan(company, "payg", at=NOW - 10 * DAY)
    return company


def lines_of(account: Account) -> list[tuple[str, str, str]]:
    account.refresh_from_db()
    overview = build_overview(account=account, now=NOW, may_act=True)
    return [(line.day, line.title, line.amount) for line in overview.activity]


def test_usage_is_told_by_day_and_what_happened_between(account: Account) -> None:
    used = [(8, "10"), (7, "20"), (4, "40"), (3, "60"), (1, "80"), (1, "4"), (0, "2")]
    for days, minutes in used:
        scenes.use(account, "call_minutes", minutes, at=NOW - days * DAY)
    paid = scenes.top_up(account, "50.00", at=NOW - 5 * DAY)
    staff = make_staff(StaffRole.SUPPORT)
    adjustments.adjust(
        account=account, amount=Decimal(5), reason="Sorry for the echo", author=staff, now=NOW - DAY
    )

    assert lines_of(account) == [
        ("Today", "1 usage record", "$0.30"),
        ("Yesterday", "2 usage records", "$12.60"),
        ("Yesterday", "Credit adjusted by $5.00", ""),
        ("Nov 16 – Nov 17, 2026", "2 usage records", "$15.00"),
        ("Nov 15, 2026", "Top-up", "$50.00"),
        ("Nov 12 – Nov 13, 2026", "2 usage records", "$4.50"),
        ("Nov 10, 2026", "The plan Pay as you go began", ""),
    ]
    activity = build_overview(account=account, now=NOW, may_act=True).activity
    assert activity[1].href == "/billing/usage/history/?date_from=2026-11-19&date_to=2026-11-19"
    assert activity[4].href == f"/billing/history/{paid.number}/"


def test_services_are_paused_with_the_reason_and_what_lifts_it_beside_the_state(
    account: Account,
) -> None:
    for reason in (PauseReason.SPEND_CAP, PauseReason.LOCKED):
        service_state.pause(account_ids=[account.pk], reason=reason, now=NOW, note="Checks")
    account.refresh_from_db()

    reasons = build_overview(account=account, now=NOW, may_act=True).balance.reasons
    seen = build_overview(account=account, now=NOW, may_act=False).balance.reasons

    assert [(each.action, each.href) for each in reasons] == [
        ("Raise the cap", "/billing/settings/#spend-cap"),
        ("Write to support", "mailto:billing@badal.example"),
    ]
    assert reasons[0].text.startswith("The spend cap is reached")
    assert [(each.text, each.href) for each in seen] == [(each.text, "") for each in reasons]
