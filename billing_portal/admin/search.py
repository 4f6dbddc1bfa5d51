"""What a person on the phone can name: found at once, however many accounts there are.

Each way in which a term may name something asks an index; all ways together are one statement.
Names and addresses match in part, whatever identifies a record as a whole.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db.models import F, Model, Q, QuerySet, TextField, UUIDField, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast
from django.http import HttpRequest
from django.urls import reverse
from djstripe.models import Charge
from unfold.dataclasses import SearchResult

from accounts.models import Account, Card, CardAttempt, Membership, User
from accounts.partial_match import containing
from billing_portal.admin.permissions import may_view
from invoices.models import Dispute, Refund, Transaction
from plans.models import Workspace

#: Accounts that one way may lead to; with more, the term says too little.
MOST = 100
#: What is searched for, wherever a reader is told.
WHAT_IS_FOUND = (
    "company",
    "e-mail of the owner or a member",
    "external id",
    "card's last four",
    "number of a transaction, receipt, refund or credit note",
    "Stripe id",
    "workspace",
)
#: How many results the command palette shows.
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Hit:
    """Something of an account that a term names: `words` is what matched, `model` its page's."""

    model: type[Model]
    pk: str
    account_id: UUID
    words: str
    is_exact: bool


@dataclass(frozen=True, slots=True)
class _Way:
    """A way in which a term may name something: the field that matched, and whose it is."""

    found: QuerySet[Any]
    words: str
    #: What the page is of: the account, unless it is a record that has its own.
    model: type[Model] = Account
    account: str = "account_id"


def find(term: str) -> list[Hit]:
    """Return what `term` may mean, in one query."""
    term = term.strip()
    if not term or "\0" in term:
        return []
    ways = _ways(term)
    parts = [
        way.found.order_by().values_list(
            Value(number),
            Cast(F(way.account), UUIDField()),
            Cast(F("pk" if way.model is not Account else way.account), TextField()),
            Cast(F(way.words), TextField()),
        )[:MOST]
        for number, way in enumerate(ways)
    ]
    rows = parts[0].union(*parts[1:], all=True)
    return [
        Hit(
            model=ways[number].model,
            pk=pk,
            account_id=account_id,
            words=words,
            is_exact=words.casefold() == term.casefold(),
        )
        for number, account_id, pk, words in rows
    ]


def _ways(term: str) -> list[_Way]:
    number = term.upper()
    ways = [
        _Way(Account.objects.filter(containing("name", term)), "name", account="pk"),
        _Way(Account.objects.filter(containing("owner_email", term)), "owner_email", account="pk"),
        _Way(Membership.objects.filter(user__in=_users(term)), "user__email"),
        _Way(Account.objects.filter(external_id=term), "external_id", account="pk"),
        _Way(Account.objects.filter(stripe_customer_id=term), "stripe_customer_id", account="pk"),
        _Way(Transaction.objects.filter(number=number), "number", Transaction),
        _Way(Transaction.objects.filter(receipt_number=number), "receipt_number", Transaction),
        _Way(Refund.objects.filter(number=number), "number", Refund),
        _Way(Refund.objects.filter(credit_note_number=number), "credit_note_number", Refund),
        _Way(Workspace.objects.filter(name__istartswith=term), "name"),
        *_of_stripe(term),
    ]
    if len(term) == 4 and term.isdecimal() and term.isascii():
        paid = Transaction.objects.filter(card__isnull=True, card_last4=term)
        ways += [
            _Way(Card.objects.filter(last4=term), "last4"),
            _Way(paid.order_by().distinct("account_id"), "card_last4"),
        ]
    with suppress(ValueError):
        ways.append(_Way(Account.objects.filter(pk=UUID(term)), "pk", account="pk"))
    return ways


def _users(term: str) -> QuerySet[User]:
    return User.objects.filter(containing("email", term))


#: Stripe's ids by how they begin: what they are kept with here.
_STRIPE_IDS: tuple[tuple[str, type[Model], str, bool], ...] = (
    ("pi_", Transaction, "stripe_payment_intent_id", True),
    ("pi_", Card, "stripe_hold_id", False),
    ("cs_", Transaction, "stripe_checkout_session_id", True),
    ("re_", Refund, "stripe_refund_id", True),
    ("pyr_", Refund, "stripe_refund_id", True),
    ("du_", Dispute, "stripe_dispute_id", True),
    ("dp_", Dispute, "stripe_dispute_id", True),
    ("ch_", Dispute, "stripe_charge_id", True),
    ("py_", Dispute, "stripe_charge_id", True),
    ("pm_", Card, "stripe_payment_method_id", False),
    ("card_", Card, "stripe_payment_method_id", False),
    ("seti_", Card, "stripe_setup_intent_id", False),
    ("seti_", CardAttempt, "stripe_setup_intent_id", False),
)


def _of_stripe(term: str) -> list[_Way]:
    ways = [
        _Way(model._default_manager.filter(**{field: term}), field, model if has_page else Account)
        for start, model, field, has_page in _STRIPE_IDS
        if term.startswith(start)
    ]
    if term.startswith(("ch_", "py_")):
        charges = Charge.objects.filter(id=term)
        intents = charges.values(intent=KeyTextTransform("payment_intent", "stripe_data"))
        paid = Transaction.objects.filter(
            ~Q(stripe_payment_intent_id=""), stripe_payment_intent_id__in=intents
        )
        ways.append(_Way(paid.annotate(asked_for=Value(term)), "asked_for", Transaction))
    return ways


def named(term: str) -> list[UUID]:
    """Return the accounts that `term` may mean."""
    return list(dict.fromkeys(hit.account_id for hit in find(term)))


def only_page(hits: list[Hit], reader: User | AnonymousUser) -> str:
    """Return the address of the one thing that was named exactly; "" when it may be another."""
    if len({hit.account_id for hit in hits}) != 1:
        return ""
    pages = {_page(hit, reader) for hit in hits if hit.is_exact}
    # Both the account and a record of it: that of whom all are.
    return pages.pop() if len(pages) == 1 else ""


def _page(hit: Hit, reader: User | AnonymousUser) -> str:
    if hit.model is Account or not may_view(reader, hit.model):
        return reverse("admin:accounts_account_change", args=[hit.account_id])
    options = hit.model._meta
    return reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[hit.pk])


def palette(request: HttpRequest, _lowered: str) -> list[SearchResult]:
    """Return what the command palette (Ctrl K) shows for what was typed.

    Unfold lowers what it hands over; ids at Stripe have capitals.
    """
    reader = request.user
    if not may_view(reader, Account):
        return []
    hits = find(request.GET.get("s", ""))
    accounts = Account.objects.in_bulk(list({hit.account_id for hit in hits})[:_SHOWN])
    results: dict[str, SearchResult] = {}
    # A record that was named comes before the accounts that may be meant.
    for hit in sorted(hits, key=lambda hit: (hit.model is Account, not hit.is_exact)):
        account = accounts.get(hit.account_id)
        page = _page(hit, reader)
        if account is None or page in results:
            continue
        if hit.model is Account or not may_view(reader, hit.model):
            results[page] = SearchResult(account.name, _description(account), page, "apartment")
        else:
            kind = str(hit.model._meta.verbose_name)
            description = f"{kind} of {account.name}"
            results[page] = SearchResult(hit.words, description, page, "receipt_long")
    return list(results.values())[:_SHOWN]


def _description(account: Account) -> str:
    # Unfold begins it with a capital letter, which an address has not.
    return f"account of {account.owner_email}, services {account.services}"
