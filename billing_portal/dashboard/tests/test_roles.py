"""Each address of the dashboard, asked by each role: a button that is hidden is refused as well.

Viewers see, billing members act, only owners manage. A page that is looked at needs no word here;
what acts and what forms post to does. That who may also can is in the tests of each page.
"""

import re
import uuid
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.test import Client
from django.urls import resolve, reverse

from accounts.models import Account, ApiKey, Invitation, Membership
from accounts.roles import Role
from accounts.tests.people import invite
from billing_portal.dashboard.tests import scenes
from billing_portal.dashboard.tests.test_every_page import NO_PAGES, PAGES
from billing_portal.dashboard.urls import urlpatterns
from invoices.models import Status, Transaction
from invoices.tests.factories import make_transaction

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]
#: Before there was a ledger: it has no statement.
MONTH = date(2000, 1, 1)
EVERYBODY = {Role.VIEWER, Role.BILLING, Role.OWNER}
ACTING = {Role.BILLING, Role.OWNER}
MANAGING = {Role.OWNER}
#: Pages on which something is done, and all that forms post to: who may.
WHO_MAY: dict[str, set[Role]] = {
    "auto-refill": ACTING,
    "billing-details": ACTING,
    "choose-plan": ACTING,
    "low-balance": ACTING,
    "payment-confirm": ACTING,
    "payment-confirm-decline": ACTING,
    "payment-method-add": ACTING,
    "payment-method-default": ACTING,
    "payment-method-remove": ACTING,
    "payment-method-setup-intent": ACTING,
    "plan-cancel": ACTING,
    "plan-keep": ACTING,
    "receipt-copies": ACTING,
    "renewal-pay-now": ACTING,
    "rental-keep": ACTING,
    "spend-cap": ACTING,
    "time-and-language": ACTING,
    "top-up": ACTING,
    "api-key-create": MANAGING,
    "api-key-revoke": MANAGING,
    "invitation-resend": MANAGING,
    "invitation-revoke": MANAGING,
    "member-invite": MANAGING,
    "member-remove": MANAGING,
    "member-role": MANAGING,
    # What changes nothing of the account but one's own place in it.
    "billing-history-check": EVERYBODY,
    "billing-history-credit-note": EVERYBODY,
    "billing-history-export": EVERYBODY,
    "billing-history-receipt": EVERYBODY,
    "credit-export": EVERYBODY,
    "credit-statement-csv": EVERYBODY,
    "credit-statement-pdf": EVERYBODY,
    "language": EVERYBODY,
    "member-leave": EVERYBODY,
    "switch-account": EVERYBODY,
    "usage-history-export": EVERYBODY,
}


def test_of_all_that_is_posted_it_is_said_who_may() -> None:
    assert NO_PAGES - WHO_MAY.keys() == set(), "say in WHO_MAY who may do this"


def addresses(payment: str) -> list[tuple[str, str]]:
    """Name and an example of each address; but for a payment, what it is about need not exist."""
    examples: dict[str, Any] = {
        "number": payment,
        "key": "phone_number",
        "slug": "growth",
        "pk": 1,
        "month": MONTH,
    }
    found = []
    for pattern in urlpatterns:
        given: dict[str, Any] = {
            name: uuid.UUID(int=1) if "uuid" in str(kind).lower() else examples.get(name, "x")
            for name, kind in pattern.pattern.converters.items()
        }
        found.append((str(pattern.name), reverse(str(pattern.name), kwargs=given)))
    return found


@pytest.mark.parametrize("role", [Role.VIEWER, Role.BILLING, Role.OWNER])
def test_each_address_refuses_whom_it_is_not_for(sign_in: SignIn, role: Role) -> None:
    account = scenes.make_company(balance="10")
    scenes.make_member(account)
    client = sign_in(account, role=role)
    payment = make_transaction(account, status=Status.FAILED)
    wrong = []
    for name, address in addresses(payment.number):
        allowed = role in WHO_MAY.get(name, EVERYBODY)
        asked = [] if name in NO_PAGES else [("get", client.get(address).status_code)]
        if not allowed:
            asked.append(("post", client.post(address).status_code))
        wrong += [
            f"{role} {method} {address}: {status}"
            for method, status in asked
            if (status != 403) is not allowed
        ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.BILLING])
def test_no_form_is_shown_that_would_be_refused(sign_in: SignIn, role: Role) -> None:
    account = scenes.busy_company()
    scenes.make_member(account)
    invite(account, "new@muscat.test")
    scenes.switch_refill_on(account)
    ApiKey.objects.create(
        account=account,
        name="Reports",
        prefix="0123456789",
        secret_hash="x",
        scopes=["accounts:read"],
        created_at=account.created_at,
    )
    client = sign_in(account, role=role)
    failed = Transaction.objects.get(account=account, status=Status.FAILED)
    asked = addresses(failed.number)
    pages = [client.get(address) for name, address in asked if name in PAGES]
    assert len([page for page in pages if page.status_code == 200]) > 8
    posted = {
        address
        for page in pages
        for address in re.findall(r'<form[^>]* action="([^"?#]+)', page.content.decode())
        if page.status_code == 200
    }
    names = {str(resolve(address).url_name) for address in posted}
    assert {name for name in names if role not in WHO_MAY.get(name, EVERYBODY)} == set()


def test_what_owners_manage_is_listed_for_everybody(sign_in: SignIn, account: Account) -> None:
    assert Membership.objects.count() == Invitation.objects.count() == 0
    viewer = sign_in(account, role="viewer")
    for page in ("members", "api-keys", "activity", "sign-in"):
        assert viewer.get(reverse(page)).status_code == 200
