"""Every e-mail to a customer, as an Arabic reader gets it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core.mail import EmailMultiAlternatives

from accounts import emails, outbox
from accounts.models import Account
from accounts.notices import TO_STAFF
from accounts.tests.factories import NOW, make_account
from accounts.tests.test_notices import EXAMPLES

pytestmark = pytest.mark.django_db

#: Names, and what is written alike in every language.
NAMES = {"PDF", "USD", "OMR", "Visa", "Asia", "Muscat", "Auto"}
_OUTSIDE_WORDS = re.compile(
    r"<head>.*?</head>|<[^>]+>|&\w+;|https?://\S+|[\w.+-]+@[\w.-]+|\b[A-Z]+-[\w-]+", re.DOTALL
)


@pytest.fixture
def account() -> Account:
    return make_account(name="شركة مسقط للشحن", timezone="Asia/Muscat", language="ar")


def in_arabic(account: Account, event: str) -> EmailMultiAlternatives:
    """Return the e-mail of an event to an account whose language is Arabic."""
    message = outbox.email(
        account=account, event=event, key=event, context=EXAMPLES[event], now=NOW
    )
    return emails.compose(message, attached=["receipt.pdf"])


def latin_words(text: str, names: set[str]) -> set[str]:
    """Return the words in Latin letters that are neither an address nor one of `names`."""
    return set(re.findall(r"[A-Za-z]{3,}", _OUTSIDE_WORDS.sub(" ", text))) - names


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("event", sorted(EXAMPLES.keys() - TO_STAFF))
def test_no_word_of_it_is_english(account: Account, event: str) -> None:
    email = in_arabic(account, event)
    names = {word for text in _strings(EXAMPLES[event]) for word in re.findall(r"\w+", text)}
    names |= {word for text in settings.SELLER.values() for word in re.findall(r"\w+", text)}

    html = str(email.alternatives[0][0])
    for part in (str(email.subject), str(email.body), html):
        assert not latin_words(part, names | NAMES)
        assert re.search(r"[\u0621-\u064a]{3,}", part)
    assert '<html lang="ar" dir="rtl">' in html
