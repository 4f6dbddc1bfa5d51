"""A card that expires is mentioned when a charge to come is one it can't pay, and not before."""

from datetime import UTC, date, datetime, timedelta

import pytest

from accounts.models import Account
from accounts.tests.factories import make_card
from billing_portal.dashboard.banners import Banner
from billing_portal.dashboard.overview import build_overview
from billing_portal.dashboard.tests import scenes

pytestmark = pytest.mark.django_db

#: Growth renews on the 5th of December, $99 each time.
BEGAN = datetime(2026, 11, 5, 6, tzinfo=UTC)


@pytest.fixture
def account() -> Account:
    company = scenes.make_company(balance="500")
    scenes.start_plan(company, "growth", at=BEGAN)
    return company


def banners_of(account: Account, *, on: date) -> list[Banner]:
    account.refresh_from_db()
    now = datetime(on.year, on.month, on.day, 12, tzinfo=UTC)
    return list(build_overview(account=account, now=now, may_act=True).banners)


def test_a_card_that_pays_the_next_renewals_is_not_mentioned(account: Account) -> None:
    make_card(account, is_default=True, exp_month=12, exp_year=2026)

    assert banners_of(account, on=date(2026, 11, 8)) == []


def test_a_card_that_will_have_expired_at_the_renewal_says_which_it_can_t_pay(
    account: Account,
) -> None:
    make_card(account, is_default=True, exp_month=11, exp_year=2026)

    [banner] = banners_of(account, on=date(2026, 11, 8))

    assert banner.title == "Visa ending 4242 expires after Nov 30, 2026."
    assert banner.text == ("It can't pay the renewal of $99.00 on Dec 5, 2026. Add another card.")


def test_within_thirty_days_it_is_said_what_the_card_still_pays(account: Account) -> None:
    make_card(account, is_default=True, exp_month=12, exp_year=2026)
    scenes.switch_refill_on(account)

    [banner] = banners_of(account, on=date(2026, 12, 1))

    assert banner.text == (
        "It still pays the renewal of $99.00 on Dec 5, 2026, and none after it. Auto-Refill can't "
        "charge it after Dec 31, 2026. Add another card."
    )


def test_an_expired_card_that_nothing_charges_by_itself_says_so() -> None:
    company = scenes.make_company(balance="50")
    scenes.start_plan(company, "payg", at=BEGAN)
    make_card(company, is_default=True, exp_month=10, exp_year=2026)

    [banner] = banners_of(company, on=BEGAN.date() + timedelta(days=1))

    assert banner.title == "Visa ending 4242 has expired."
    assert banner.text.startswith("Nothing is charged to it by itself.")
