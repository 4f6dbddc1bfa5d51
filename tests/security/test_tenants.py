"""Every address of the project, asked by every role of another customer.

What names something of tenant A does not exist for tenant B; what names nothing says nothing of A,
whatever ids of A are sent along in a query or a form; and nothing of A changes. Whose each address
is stands in whose.py; the API's calls are walked in test_api_tenants.py.
"""

import pytest
from django.test import Client

from accounts.roles import Role
from tests.security.site_map import addresses, named
from tests.security.strangers import Stranger
from tests.security.victim import Victim, left_of
from tests.security.whose import (
    BEHIND_A_LINK,
    OF_NOBODY,
    OF_ONE_CUSTOMER,
    OF_ONES_OWN_ACCOUNT,
    OF_ONESELF,
    ON_A_LAPTOP,
)

pytestmark = pytest.mark.django_db

METHODS = ("get", "post", "put", "patch", "delete")
#: How a page asks for a part of itself: with it, the same must be refused.
HTMX = {"HX-Request": "true", "HX-Target": "list"}


# Everything is classified ---------------------------------------------------------------------
def test_every_address_is_classified() -> None:
    """One that is new belongs into a table above; what it shows of whom is then tested."""
    classified = [
        set(OF_ONE_CUSTOMER),
        OF_ONES_OWN_ACCOUNT,
        OF_ONESELF,
        BEHIND_A_LINK,
        OF_NOBODY,
        ON_A_LAPTOP,
    ]
    names = {
        address.name for address in addresses() if not address.name.startswith(("admin:", "api:"))
    }
    assert names == set().union(*classified)
    assert sum(map(len, classified)) == len(names), "one is in two tables"


def test_an_address_that_names_something_is_asked_with_it() -> None:
    """Else one that takes an id could be called one's own and never be asked for another's."""
    of_all = {"rental", "rental-keep", "choose-plan"}
    of_a_month = {"credit-statement-pdf", "credit-statement-csv"}
    takes_an_id = {
        address.name
        for address in addresses()
        if address.converters and not address.name.startswith(("admin:", "api:"))
    }
    assert takes_an_id == {
        *OF_ONE_CUSTOMER,
        *BEHIND_A_LINK,
        *of_all,
        *of_a_month,
        *(ON_A_LAPTOP - {"mailbox"}),
        "stripe-webhook",
    }


# What they are told ---------------------------------------------------------------------------
def test_what_is_of_one_customer_does_not_exist_for_another(
    victim: Victim, strangers: list[Stranger]
) -> None:
    wrong = []
    for address in named(OF_ONE_CUSTOMER):
        path = address.path(**OF_ONE_CUSTOMER[address.name](victim))
        for stranger in strangers:
            for method, headers in (*((each, {}) for each in METHODS), ("get", HTMX)):
                answer = stranger.ask(method, path, victim.sent(), **headers)
                refused = (
                    # 405: not even one's own is asked for so.
                    answer.status in (403, 404, 405)
                    or answer.leads_to_signing_in()
                    # What forms post to shows its page, which names nothing.
                    or (method == "get" and answer.leads_to_ones_own())
                )
                if not refused or answer.changed or left_of(answer.body):
                    wrong.append(f"{stranger.name} {method} {path}: {answer}")
    assert not wrong, "\n".join(wrong)


def test_the_one_it_is_of_is_shown_it(victim: Victim) -> None:
    """Else the example above could ask for what nobody is ever shown."""
    client = Client()
    client.force_login(victim.owner)
    owner = Stranger("its owner", client, victim, {})
    for name in ("usage-record", "billing-history-detail", "billing-history-receipt"):
        [address] = named({name})
        answer = owner.ask("get", address.path(**OF_ONE_CUSTOMER[name](victim)))
        assert answer.status == 200, name
    for name in ("usage-history", "billing-history", "members", "api-keys", "billing-settings"):
        [address] = named({name})
        assert left_of(owner.ask("get", address.path()).body), name


def test_no_id_that_is_sent_along_shows_or_changes_anything_of_another(
    victim: Victim, strangers: list[Stranger]
) -> None:
    wrong = []
    for address in named(OF_ONES_OWN_ACCOUNT | OF_ONESELF):
        path = address.path(key="phone_number", slug="growth")
        # What is about oneself knows no role.
        asking = strangers if address.name in OF_ONES_OWN_ACCOUNT else strangers[:2]
        for stranger in asking:
            for method in ("get", "post"):
                answer = stranger.ask(method, path, victim.sent())
                if answer.status >= 500 or answer.changed or left_of(answer.body):
                    wrong.append(f"{stranger.name} {method} {path}: {answer}")
    assert not wrong, "\n".join(wrong)


def test_the_desk_of_staff_is_closed_to_customers(strangers: list[Stranger]) -> None:
    """All of the admin, by whatever address; which staff may open what: test_admin_roles."""
    wrong = []
    of_staff = [address for address in addresses() if address.name.startswith("admin:")]
    assert len(of_staff) > 300
    # Their roles are roles in an account: to the admin the highest of them is what the others are.
    nobody, owner = (each for each in strangers if each.name in ("nobody", Role.OWNER))
    for address in of_staff:
        path = address.path()
        for answer in (nobody.client.get(path), owner.client.post(path)):
            page = answer.headers.get("Location", "").partition("?")[0]
            # Signing out leads to the admin's first page, which leads to signing in.
            to_sign_in = page in ("/admin/login/", "/accounts/login/", "/admin/")
            if answer.status_code not in (403, 404, 405) and not to_sign_in:
                wrong.append(f"{path}: {answer.status_code} {page}")
    assert not wrong, "\n".join(wrong)
