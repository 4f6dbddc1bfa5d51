"""Receipts also go to: a few more addresses, each of which gets the receipt itself."""

from typing import Any

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from accounts import outbox, receipt_copies
from accounts.models import Account, AuditEvent
from accounts.tests.factories import NOW, make_account
from accounts.tests.test_notices import EXAMPLES

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> Account:
    return make_account(receipt_email="finance@muscat.test")


def change(account: Account, *addresses: str) -> list[str]:
    receipt_copies.change(account=account, addresses=addresses, by=None, now=NOW)
    account.refresh_from_db()
    return account.receipt_copies


def test_addresses_are_kept_once_each_with_a_trace(account: Account) -> None:
    typed = (" books@muscat.test ", "", "BOOKS@muscat.test", "audit@muscat.test")
    assert change(account, *typed) == ["books@muscat.test", "audit@muscat.test"]
    assert change(account, "books@muscat.test") == ["books@muscat.test"]
    assert change(account, "books@muscat.test") == ["books@muscat.test"]
    events = AuditEvent.objects.filter(account=account).order_by("pk")
    assert [event.details["after"]["receipt_copies"] for event in events] == [
        "books@muscat.test, audit@muscat.test",
        "books@muscat.test",
    ]


@pytest.mark.parametrize(
    ("addresses", "problem"),
    [
        (["books"], "books is no e-mail address."),
        (["a@b.test\nBcc: all@evil.test"], "is no e-mail address"),
        ([f"{'b' * 60}@{'muscat.' * 40}test"], "too long|no e-mail address"),
        ([f"{n}@muscat.test" for n in range(6)], "at most 5"),
    ],
)
def test_what_can_t_be_changes_nothing(
    account: Account, addresses: list[str], problem: str
) -> None:
    with pytest.raises(ValidationError, match=problem):
        change(account, *addresses)
    account.refresh_from_db()
    assert account.receipt_copies == []


def test_the_database_keeps_no_more(account: Account) -> None:
    with pytest.raises(IntegrityError, match="receipts_have_so_many_copies"):
        Account.objects.filter(pk=account.pk).update(
            receipt_copies=[f"{n}@muscat.test" for n in range(6)]
        )


def test_a_receipt_goes_to_each_once_however_often_it_is_recorded(account: Account) -> None:
    change(account, "Finance@muscat.test", "books@muscat.test", "audit@muscat.test")
    for _ in range(2):
        receipt = outbox.email(
            account=account,
            event="transaction_paid",
            key="transaction_paid:T-2026-77",
            context=EXAMPLES["transaction_paid"],
            now=NOW,
        )
        outbox.record([receipt, *outbox.copies_of(receipt)])
    assert outbox.deliver_due(now=NOW) == 3
    sent: list[Any] = mail.outbox
    assert sorted(email.to[0] for email in sent) == [
        "audit@muscat.test",
        "books@muscat.test",
        "finance@muscat.test",
    ]
    first, *copies = sorted(sent, key=lambda email: email.to != ["finance@muscat.test"])
    assert "Sent to the billing contact" in first.body
    for copy in copies:
        assert copy.subject == first.subject
        assert "A copy for whoever else gets the receipts" in copy.body
        assert "A copy for whoever else gets the receipts" in copy.alternatives[0][0]
