"""Every address and every call of the project, asked by every role of another customer.

What names something of tenant A does not exist for tenant B; what names nothing says nothing of A,
whatever ids of A are sent along in a query or a form; and nothing of A changes. An address or a
call that is in none of the tables below fails the first tests: say there whose things it shows.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import product
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import pytest
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import resolve
from django.utils import timezone
from django.utils.http import int_to_base36

from accounts import api_keys, cards, email_changes
from accounts.models import Card, Membership, Message, Scope, User
from accounts.roles import Role
from billing_portal.dashboard.tests import scenes
from tests.security.site_map import Address, addresses
from tests.security.victim import Victim, fingerprint_of, left_of, make_victim

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

# What each address is about -------------------------------------------------------------------
METHODS = ("get", "post", "put", "patch", "delete")
#: How a page asks for a part of itself: with it, the same must be refused.
HTMX = {"HX-Request": "true", "HX-Target": "list"}

#: The address names something of one customer: what of tenant A it is asked with.
OF_ONE_CUSTOMER: dict[str, Callable[[Victim], dict[str, Any]]] = {
    "usage-record": lambda victim: {"pk": victim.record.pk},
    "payment-method-default": lambda victim: {"pk": victim.card.pk},
    "payment-method-remove": lambda victim: {"pk": victim.card.pk},
    "billing-history-detail": lambda victim: {"number": victim.paid.number},
    "billing-history-check": lambda victim: {"number": victim.page.number},
    "billing-history-receipt": lambda victim: {"number": victim.paid.number},
    "billing-history-credit-note": lambda victim: {
        "number": victim.paid.number,
        "credit_note_number": victim.refund.credit_note_number,
    },
    "payment-confirm": lambda victim: {"number": victim.failed.number},
    "payment-confirm-decline": lambda victim: {"number": victim.failed.number},
    "member-role": lambda victim: {"pk": victim.member.pk},
    "member-remove": lambda victim: {"pk": victim.member.pk},
    "invitation-resend": lambda victim: {"pk": victim.invitation.pk},
    "invitation-revoke": lambda victim: {"pk": victim.invitation.pk},
    "api-key-revoke": lambda victim: {"pk": victim.key.pk},
    "mfa_remove_webauthn": lambda victim: {"pk": victim.authenticator.pk},
    "mfa_edit_webauthn": lambda victim: {"pk": victim.authenticator.pk},
}
#: Shows and changes the account that the session says, and which of one's own that is.
OF_ONES_OWN_ACCOUNT = {
    "activity",
    "api-key-create",
    "api-keys",
    "auto-refill",
    "billing-details",
    "billing-history",
    "billing-history-export",
    "billing-overview",
    "billing-settings",
    "choose-plan",
    "credit",
    "credit-export",
    "credit-statement-csv",
    "credit-statement-pdf",
    "credit-statements",
    "low-balance",
    "member-invite",
    "member-leave",
    "members",
    "payment-method-add",
    "payment-method-setup-intent",
    "payment-methods",
    "plan",
    "plan-cancel",
    "plan-keep",
    "receipt-copies",
    "renewal-pay-now",
    "rental",
    "rental-keep",
    "spend-cap",
    "switch-account",
    "time-and-language",
    "top-up",
    "top-up-return",
    "usage",
    "usage-history",
    "usage-history-export",
}
#: Is about who is signed in, and nobody else.
OF_ONESELF = {
    "account_change_password",
    "account_confirm_login_code",
    "account_email",
    "account_email_verification_sent",
    "account_inactive",
    "account_login",
    "account_logout",
    "account_reauthenticate",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key_done",
    "account_set_password",
    "account_signup",
    "change-email",
    "language",
    "mfa_activate_totp",
    "mfa_add_webauthn",
    "mfa_authenticate",
    "mfa_deactivate_totp",
    "mfa_download_recovery_codes",
    "mfa_generate_recovery_codes",
    "mfa_index",
    "mfa_list_webauthn",
    "mfa_reauthenticate",
    "mfa_reauthenticate_webauthn",
    "mfa_view_recovery_codes",
    "set-language",
    "sign-in",
    "/accounts/email/",
}
#: Is behind a secret link that was mailed to one person: tested one by one below.
BEHIND_A_LINK = {
    "account_confirm_email",
    "account_reset_password_from_key",
    "confirm-email",
    "invitation",
}
#: Says nothing of any customer. Stripe's events and the figures of operation are signed or closed.
OF_NOBODY = {
    "/",
    "api-docs",
    "api-schema",
    "healthz",
    "metrics",
    "readyz",
    "stripe-webhook",
    "/api/^v1/.*$",
}
#: Is there only while no mail server is set: test_settings and test_mailbox say so.
ON_A_LAPTOP = {"mailbox", "mailbox-attachment", "mailbox-html", "mailbox-letter"}

#: Each call of the API: whether a key of one customer may ask it, and about what.
CALLS = {
    "list_accounts": "own",
    "retrieve_account": "named",
    "authorize": "named",
    "list_entries": "named",
    "list_transactions": "named",
    "list_usage": "named",
    "list_allowances": "named",
    "list_rentals": "named",
    "preview_rental": "named",
    "list_plans": "catalogue",
    "list_features": "catalogue",
    "provision_account": "refused",
    "change_account": "refused",
    "set_rental": "refused",
    "report_usage": "refused",
}


def of_the_dashboard(names: set[str] | dict[str, Any]) -> list[Address]:
    return [address for address in addresses() if address.name in names]


def operations() -> Iterator[tuple[str, str, str]]:
    """Operation, method and path of every call, as our OpenAPI schema has it."""
    answer = Client().get("/api/schema/", headers={"Accept": "application/vnd.oai.openapi+json"})
    for path, calls in json.loads(answer.content)["paths"].items():
        for method, operation in calls.items():
            if method != "parameters":
                yield operation["operationId"], method.upper(), path


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


def test_every_call_is_classified() -> None:
    assert {operation for operation, _, _ in operations()} == CALLS.keys()
    in_the_schema = {path.removeprefix("/api/") for _, _, path in operations()}
    served = {
        address.route.removeprefix("api/").replace("<str:", "{").replace(">", "}")
        for address in addresses()
        if address.name.startswith("api:")
    }
    assert in_the_schema == served


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


# Who asks -------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Answer:
    """What came back, and whether something of tenant A is other than before."""

    status: int
    location: str
    body: bytes
    changed: list[str]

    def leads_to_ones_own(self) -> bool:
        """Whether it sends the browser to a page that names nothing of anybody."""
        return bool(self.location) and not resolve(urlsplit(self.location).path).kwargs

    def leads_to_signing_in(self) -> bool:
        """Whether the stranger is asked who they are."""
        return self.location.startswith("/accounts/login/")


@dataclass(frozen=True)
class Stranger:
    """Somebody with no right to anything of tenant A."""

    name: str
    client: Client
    victim: Victim
    before: dict[str, str]

    def ask(
        self, method: str, path: str, sent: dict[str, str] | None = None, **headers: str
    ) -> Answer:
        """Ask, and undo what it did to the stranger's own: the next question finds it as it was."""
        undone = transaction.savepoint()
        if method != "post" and sent:
            path = f"{path}?{urlencode(sent)}"
        asked = (
            self.client.post(path, sent, headers=headers)
            if method == "post"
            else self.client.generic(method.upper(), path, headers=headers)
        )
        told = b"".join(asked)
        untouched = method == "get" or asked.status_code == 405
        after = self.before if untouched else fingerprint_of(self.victim)
        transaction.savepoint_rollback(undone)
        location = asked.headers.get("Location") or asked.headers.get("HX-Redirect", "")
        changed = [table for table in after if after[table] != self.before[table]]
        return Answer(asked.status_code, location, told, changed)


@pytest.fixture
def victim(sandbox: "Sandbox") -> Victim:
    """Tenant A; its newest card is confirmed by the bank and waits for being added."""
    found = make_victim()
    setup = cards.begin(account=found.account)
    sandbox.confirm_setup(setup.id)
    return replace(found, setup_intent=setup.id)


@pytest.fixture
def strangers(victim: Victim, add_card: Callable[..., Card]) -> list[Stranger]:
    """Each role of tenant B, which has all that is needed to act; and who belongs to nobody."""
    other = scenes.make_company(name="Salalah Sand", balance="50")
    add_card(other, now=timezone.now())
    scenes.start_plan(other, "payg", at=timezone.now())
    people = {role: scenes.make_member(other, role) for role in Role}
    lost = User.objects.create_user("lost@nowhere.test", scenes.PASSWORD)
    before = fingerprint_of(victim)
    cache.clear()  # sign-ins of other tests do not count towards this one's limit
    found = [Stranger("nobody", Client(raise_request_exception=False), victim, before)]
    for name, person in (*people.items(), ("without an account", lost)):
        client = Client(raise_request_exception=False)
        # They said their password just now: nothing is refused only because that was long ago.
        client.force_login(person)
        again = client.post("/accounts/reauthenticate/", {"password": scenes.PASSWORD})
        assert again.status_code == 302
        found.append(Stranger(str(name), client, victim, before))
    return found


# What they are told ---------------------------------------------------------------------------
def test_what_is_of_one_customer_does_not_exist_for_another(
    victim: Victim, strangers: list[Stranger]
) -> None:
    wrong = []
    for address in of_the_dashboard(OF_ONE_CUSTOMER):
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
        [address] = of_the_dashboard({name})
        answer = owner.ask("get", address.path(**OF_ONE_CUSTOMER[name](victim)))
        assert answer.status == 200, name
    for name in ("usage-history", "billing-history", "members", "api-keys", "billing-settings"):
        [address] = of_the_dashboard({name})
        assert left_of(owner.ask("get", address.path()).body), name


def test_no_id_that_is_sent_along_shows_or_changes_anything_of_another(
    victim: Victim, strangers: list[Stranger]
) -> None:
    wrong = []
    for address in of_the_dashboard(OF_ONES_OWN_ACCOUNT | OF_ONESELF):
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


# Behind a secret link -------------------------------------------------------------------------
def test_an_invitation_lets_in_whom_it_was_mailed_to_and_nobody_else(
    victim: Victim, strangers: list[Stranger]
) -> None:
    """Who has the link reads whose it is; to join, one signs in as the address it was sent to."""
    path = f"/invitations/{victim.token}/"
    for stranger in strangers[1:]:
        for method in ("get", "post"):
            asked = getattr(stranger.client, method)(path, {"password": "a camel crosses the wadi"})
            assert asked.status_code == 200
            assert "open the link again to accept it as new@zanzibar.test" in asked.content.decode()
    assert Membership.objects.filter(account=victim.account).count() == 2
    for wrong in (victim.token[:-1] + "g", victim.token.upper(), str(victim.invitation.pk)):
        for stranger in strangers:
            assert stranger.ask("post", f"/invitations/{wrong}/").status == 404


def test_a_link_to_another_address_works_for_whom_it_was_mailed_to_alone(
    victim: Victim, strangers: list[Stranger]
) -> None:
    email_changes.ask(
        user=victim.owner, account=victim.account, email="new@zanzibar.test", now=timezone.now()
    )
    path = email_changes._path(Message.objects.get(event=email_changes.ASKED))
    before = fingerprint_of(victim)
    strangers = [replace(stranger, before=before) for stranger in strangers]
    for stranger in strangers:
        for method in ("get", "post"):
            answer = stranger.ask(method, path)
            assert answer.status in (302, 403)
            assert not answer.changed
            assert not left_of(answer.body)


def test_a_link_to_a_new_password_is_signed(victim: Victim, strangers: list[Stranger]) -> None:
    user = int_to_base36(victim.owner.pk)
    password = {"password1": "a camel crosses the wadi", "password2": "a camel crosses the wadi"}
    for key in ("set-password", "c0ffee-0123456789abcdef0123456789abcdef", "x"):
        for stranger in strangers:
            for method in ("get", "post"):
                path = f"/accounts/password/reset/key/{user}-{key}/"
                answer = stranger.ask(method, path, password)
                assert answer.status == 200
                assert not answer.changed
                assert not left_of(answer.body)
    for stranger in strangers:
        confirmation = stranger.ask("post", f"/accounts/confirm-email/{user}:1x:forged/")
        assert confirmation.status in (302, 404)
        assert not confirmation.changed


# The API --------------------------------------------------------------------------------------
def bodies_about(victim: Victim) -> dict[str, Any]:
    """What each call that writes could do to tenant A, had the key the right."""
    record = {
        "id": "forged-1",
        "account": str(victim.account.pk),
        "feature": "llm_tokens",
        "quantity": "1000",
        "occurred_at": timezone.now().isoformat(),
    }
    return {
        "report_usage": {"records": [record]},
        "provision_account": {
            "external_id": victim.account.external_id,
            "name": "Ours",
            "owner_email": "thief@nowhere.test",
        },
        "change_account": {"owner_email": "thief@nowhere.test"},
        "set_rental": {"quantity": 5},
    }


def test_no_call_reaches_another_customer_by_address_query_or_body(victim: Victim) -> None:
    """With every key a customer may have: theirs, and one that is expired or revoked."""
    now = timezone.now()
    other = scenes.make_company(name="Salalah Sand")
    key, token = api_keys.create_for_account(account=other, name="Ours", now=now)
    expired = api_keys.create_for_account(
        account=other, name="Old", expires_at=now, now=now - timedelta(days=2)
    )
    revoked, dead = api_keys.create_for_account(account=other, name="Gone", now=now)
    api_keys.revoke(key=revoked, now=now)
    before, written = fingerprint_of(victim), bodies_about(victim)
    names = (str(victim.account.pk), f"external:{victim.account.external_id}")
    for sent, works in ((token, True), (expired[1], False), (dead, False), ("bp_x_y", False)):
        client = Client(headers={"Authorization": f"Bearer {sent}"})
        for (operation, method, template), name in product(operations(), names):
            path = template.replace("{id}", name).replace("{feature}", "phone_number")
            body = json.dumps(written.get(operation, {}))
            required = "?quantity=4" if operation == "preview_rental" else ""
            asked = client.generic(method, path + required, body, "application/json")
            expected = {"named": 404, "refused": 403}.get(CALLS[operation], 200)
            assert asked.status_code == (expected if works else 401), (operation, name)
            assert not left_of(asked.content), (operation, name)
    asked_for = ("external_id=zanzibar-1", f"email={victim.account.owner_email}")
    for query in asked_for:
        client = Client(headers={"Authorization": f"Bearer {token}"})
        assert client.get(f"/api/v1/accounts/?{query}").json()["results"] == []
    assert fingerprint_of(victim) == before
    assert key.account_id == other.pk


@pytest.mark.parametrize("scope", list(Scope))
def test_a_key_of_a_customer_has_no_scope_that_writes(scope: Scope) -> None:
    """Whoever makes it and however: PostgreSQL refuses the row."""
    other = scenes.make_company()
    if scope == Scope.ACCOUNTS_READ:
        api_keys.create(name="Reads", scopes=[scope], account=other, now=timezone.now())
        return
    with pytest.raises(IntegrityError, match="a_customers_key_only_reads"):
        api_keys.create(name="Writes", scopes=[scope], account=other, now=timezone.now())


def test_a_session_is_no_key(victim: Victim) -> None:
    """So the API needs no CSRF token: no browser can be made to ask it for its user."""
    client = Client()
    client.force_login(victim.owner)
    for operation, method, template in operations():
        path = template.replace("{id}", str(victim.account.pk)).replace("{feature}", "user_seat")
        answer = client.generic(method, path, "{}", "application/json")
        assert answer.status_code == 401, operation
        assert not left_of(answer.content)
