"""Quotes: for ten minutes, for one account and one thing, at one price."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from pytest_django import Settings

from accounts.models import Account
from accounts.tests.factories import NOW, make_account
from invoices import charging
from plans import quotes

pytestmark = pytest.mark.django_db

SUBJECT = "rental:phone_number:6"


@pytest.fixture
def account() -> Account:
    return make_account()


def price(account: Account, net: str = "3.75") -> charging.Quote:
    return charging.quote(Decimal(net), account=account)


def signed(account: Account) -> str:
    return quotes.sign(account=account, subject=SUBJECT, price=price(account), moment=NOW)


@pytest.mark.parametrize("age", [timedelta(0), timedelta(seconds=599), timedelta(minutes=10)])
def test_a_quote_says_what_was_agreed_to(account: Account, age: timedelta) -> None:
    agreed = quotes.read(signed(account), account=account, subject=SUBJECT, now=NOW + age)
    assert (agreed.amount, agreed.moment) == (Decimal("3.75"), NOW)
    agreed.check(price(account))


@pytest.mark.parametrize("age", [timedelta(minutes=10, seconds=1), timedelta(seconds=-1)])
def test_an_old_quote_must_be_looked_at_again(account: Account, age: timedelta) -> None:
    with pytest.raises(quotes.QuoteExpired, match="look at it again"):
        quotes.read(signed(account), account=account, subject=SUBJECT, now=NOW + age)


def test_a_quote_is_for_one_account_and_one_thing(account: Account) -> None:
    token = signed(account)
    with pytest.raises(quotes.QuoteExpired):
        quotes.read(token, account=make_account(), subject=SUBJECT, now=NOW)
    with pytest.raises(quotes.QuoteExpired):
        quotes.read(token, account=account, subject="rental:phone_number:7", now=NOW)


@pytest.mark.parametrize("spoil", [lambda token: token[:-1] + "!", lambda token: "", str.upper])
def test_a_forged_quote_is_none(account: Account, spoil: Callable[[str], str]) -> None:
    with pytest.raises(ValidationError):
        quotes.read(spoil(signed(account)), account=account, subject=SUBJECT, now=NOW)


def test_another_price_or_another_rate_is_not_what_was_agreed_to(
    account: Account, settings: Settings
) -> None:
    agreed = quotes.read(signed(account), account=account, subject=SUBJECT, now=NOW)
    with pytest.raises(quotes.QuoteExpired):
        agreed.check(price(account, "3.76"))
    settings.USD_TO_OMR = Decimal("0.5")
    with pytest.raises(quotes.QuoteExpired):
        agreed.check(price(account))
