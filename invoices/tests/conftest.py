"""What tests of money that goes back begin with."""

from typing import TYPE_CHECKING

import pytest
from djstripe.models import WebhookEndpoint

from accounts.models import Account
from invoices import reversals
from invoices.models import Transaction
from invoices.tests.stripe_events import listen
from invoices.tests.test_charging import charge

if TYPE_CHECKING:
    from conftest import Sandbox


@pytest.fixture
def endpoint(sandbox: "Sandbox") -> WebhookEndpoint:
    return listen(sandbox)


@pytest.fixture
def payment(alice: Account) -> Transaction:
    """A top-up of 25 dollars, for which the card was charged 9.630 rials."""
    return charge(alice)


@pytest.fixture
def nudged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The payments that the worker was told to ask about."""
    asked: list[str] = []
    monkeypatch.setattr(
        reversals,
        "raise_question",
        lambda *, payment_intent_id, now: asked.append(payment_intent_id),
    )
    return asked
