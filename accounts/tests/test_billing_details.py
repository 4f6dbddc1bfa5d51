"""Billing details: changed with a trace, checked by field."""

import pytest
from django.core.exceptions import ValidationError

from accounts import billing_details
from accounts.models import Account, AuditEvent, User
from accounts.tests.factories import NOW, make_account

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> Account:
    return make_account(country="OM", city="Sohar")


def test_a_change_is_kept_with_what_was_before(account: Account) -> None:
    salim = User.objects.create_user("salim@sohar.test")
    details = {"country": "AE", "city": " Dubai  Marina ", "tax_number": ""}
    billing_details.change(account=account, details=details, by=salim, now=NOW)
    account.refresh_from_db()
    assert (str(account.country), account.city) == ("AE", "Dubai Marina")
    event = AuditEvent.objects.get(account=account, action="billing_details_changed")
    assert (event.actor, event.details) == (
        salim,
        {
            "before": {"country": "OM", "city": "Sohar"},
            "after": {"country": "AE", "city": "Dubai Marina"},
        },
    )


def test_what_is_as_it_was_leaves_no_trace(account: Account) -> None:
    billing_details.change(account=account, details={"country": "OM"}, by=None, now=NOW)
    assert not AuditEvent.objects.filter(account=account).exists()


@pytest.mark.parametrize(
    "details",
    [
        {"country": "XX"},
        {"country": "Oman"},
        {"receipt_email": "accounts"},
        {"city": "x" * 101},
        {"timezone": "Mars/Olympus"},
        {"timezone": ""},
        {"language": "tlh"},
        {"billing_name": "Sohar\0"},
        {"name": "Another"},
    ],
)
def test_what_can_t_be_is_refused_by_field(account: Account, details: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as refused:
        billing_details.change(account=account, details=details, by=None, now=NOW)
    assert refused.value.message_dict.keys() == details.keys()
    account.refresh_from_db()
    assert (str(account.country), account.city) == ("OM", "Sohar")


def test_the_timezone_is_changed_like_the_rest(account: Account) -> None:
    details = {"timezone": "Asia/Muscat", "language": "ar"}
    billing_details.change(account=account, details=details, by=None, now=NOW)
    account.refresh_from_db()
    assert (str(account.timezone), account.language) == ("Asia/Muscat", "ar")
    event = AuditEvent.objects.get(account=account)
    assert event.details["before"] == {"timezone": "UTC", "language": ""}
