"""A customer with one of everything, and what would give it away on somebody else's page."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import cache
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.apps import apps
from django.db import connection
from django.db.models import Model, Q
from django.utils import timezone

from accounts import api_keys, invitations
from accounts.models import Account, ApiKey, Card, Invitation, Membership, User
from accounts.roles import Role
from accounts.stripe_objects import RefundOutcome, StripeRefund
from accounts.tests.factories import make_card
from billing_portal.dashboard.tests import scenes
from invoices import charging, refund_settlement
from invoices.models import Refund, Status, Transaction
from invoices.tests.factories import LineSpec, make_transaction
from plans import quotes, usage
from plans.models import UsageRecord
from plans.tests.factories import make_record

#: On whatever page of another customer one of these is read, something leaked. What an attacker
#: has to send to ask for it (ids, numbers) is not among them: a page may say it back.
TELLTALES = (
    "Zanzibar",
    "zanzibar",
    "Tumbatu",
    "9171",
    "61.37",
    "8 Stone Town Lane",
)
OUR_APPS = ("accounts", "invoices", "wallet", "plans", "billing_portal")


@dataclass(frozen=True)
class Victim:
    """Tenant A, and what of it has an id."""

    account: Account
    owner: User
    member: Membership
    card: Card
    setup_intent: str
    paid: Transaction
    failed: Transaction
    page: Transaction
    refund: Refund
    record: UsageRecord
    invitation: Invitation
    token: str
    key: ApiKey
    authenticator: Authenticator
    quote: str

    def sent(self) -> dict[str, str]:
        """Return its ids, under every name that a form or a query of the portal knows, and more."""
        account, card, number = str(self.account.pk), str(self.card.pk), self.paid.number
        return {
            **dict.fromkeys(("account", "account_id", "tenant", "wallet", "customer"), account),
            **dict.fromkeys(("card", "card_id", "pay_with", "payment_method"), card),
            **dict.fromkeys(("number", "transaction", "transaction_id", "search"), number),
            **dict.fromkeys(("record", "record_id", "usage"), str(self.record.pk)),
            **dict.fromkeys(("membership", "member"), str(self.member.pk)),
            "id": account,
            "user": str(self.owner.pk),
            "invitation": str(self.invitation.pk),
            "workspace": "tumb-ops",
            "session_id": self.page.stripe_checkout_session_id,
            "setup_intent": self.setup_intent,
            "quote": self.quote,
            "key": self.failed.request_key,
            "request_key": self.failed.request_key,
            "shown": "50.00",
            "amount": "50.00",
            "threshold": "20.00",
            "enabled": "on",
            "confirmed": "5000.00",
            "quantity": "3",
            "role": "owner",
            "name": "Ours",
        }


def make_victim() -> Victim:
    """Make tenant A, by the services where they don't ask Stripe."""
    now = timezone.now()
    account = scenes.make_company(
        name="Zanzibar Spice Traders",
        external_id="zanzibar-1",
        owner_email="owner@zanzibar.test",
        address_line1="8 Stone Town Lane",
    )
    owner = scenes.make_member(account, email="owner@zanzibar.test", first_name="Tumbatu")
    viewer = scenes.make_member(account, Role.VIEWER, email="viewer@zanzibar.test")
    scenes.start_plan(account, "growth", at=now - timedelta(days=20))
    card = make_card(account, is_default=True, last4="9171", holder_name="Tumbatu Salim")
    scenes.switch_refill_on(account)
    record = make_record(
        account,
        "777.5",
        feature="llm_tokens",
        occurred_at=now - timedelta(days=1),
        description="Call to Zanzibar",
        workspace="tumb-ops",
    )
    usage.record(records=[record], now=now)
    fields = {"card_last4": "9171", "card_brand": "visa"}
    lines = [LineSpec(description="Zanzibar top-up", amount=Decimal("61.37"))]
    paid = scenes.pay(
        make_transaction(
            account, status=Status.PROCESSING, lines=lines, created_at=now, card=card, **fields
        ),
        now=now,
    )
    report = StripeRefund(
        id="re_zanzibar",
        outcome=RefundOutcome.SUCCEEDED,
        payment_intent_id=paid.stripe_payment_intent_id,
        amount_minor=3850,
        currency="omr",
    )
    refund_settlement.settle(transaction_id=paid.pk, report=report, now=now)
    invitation = invitations.invite(
        account=account, email="new@zanzibar.test", role=Role.OWNER, by=owner, now=now
    )
    key, _ = api_keys.create_for_account(
        account=account, name="Zanzibar reports", by=owner, now=now
    )
    return Victim(
        account=account,
        owner=owner,
        member=Membership.objects.get(user=viewer),
        card=card,
        setup_intent=card.stripe_setup_intent_id,
        paid=paid,
        failed=make_transaction(
            account, status=Status.FAILED, lines=lines, request_key="a-form-of-theirs", **fields
        ),
        page=make_transaction(
            account,
            status=Status.CHECKOUT,
            lines=lines,
            stripe_checkout_session_id="cs_test_of_theirs",
            checkout_url="https://checkout.example/theirs",
            expires_at=now + timedelta(hours=20),
        ),
        refund=Refund.objects.get(transaction=paid),
        record=UsageRecord.objects.get(account=account),
        invitation=invitation,
        token=invitations._token(invitation),
        key=key,
        authenticator=Authenticator.objects.create(
            user=owner, type=Authenticator.Type.WEBAUTHN, data={"name": "Zanzibar stick"}
        ),
        quote=quotes.sign(
            account=account,
            subject="rental:phone_number:3",
            price=charging.quote(Decimal(3), account=account),
            moment=now,
        ),
    )


def fingerprint_of(victim: Victim) -> dict[str, str]:
    """Return a fingerprint, by table, of all that the database has of tenant A and its people.

    In one statement: it is asked for after each thing that a stranger does.
    """
    with connection.cursor() as cursor:
        cursor.execute(_fingerprints(victim.account.pk))
        return dict(cursor.fetchall())


@cache
def _fingerprints(account: UUID) -> str:
    parts = []
    for model, of_it in _what_is_of(account):
        rows = model._default_manager.filter(of_it).order_by("pk").values()
        sql, given = rows.query.sql_with_params()
        literal = sql % tuple(f"'{value}'" for value in given)
        parts.append(
            f"SELECT '{model._meta.label}', md5(string_agg(each::text, '|')) FROM ({literal}) each"
        )
    return " UNION ALL ".join(parts)


def _what_is_of(account: UUID) -> Iterator[tuple[type[Model], Q]]:
    yield Account, Q(pk=account)
    yield User, Q(memberships__account=account)
    yield Authenticator, Q(user__memberships__account=account)
    for app in OUR_APPS:
        for model in apps.get_app_config(app).get_models():
            fields = {field.name for field in model._meta.get_fields() if field.concrete}
            for parent in ("account", "transaction", "wallet", "subscription"):
                if parent in fields:
                    path = parent if parent == "account" else f"{parent}__account"
                    yield model, Q(**{path: account})
                    break


def left_of(html: bytes) -> set[str]:
    """Return the telltales that are in an answer."""
    text = html.decode(errors="replace")
    return {telltale for telltale in TELLTALES if telltale in text}
