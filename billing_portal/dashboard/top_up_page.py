"""Adding credit: what to choose from, what it comes to, how it ended."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import Account, Card, CardStatus
from accounts.money import format_omr, format_usd, format_usd_in_words
from billing_portal.dashboard.presets import Preset, build_presets
from billing_portal.dashboard.rows import (
    CardLabel,
    Fact,
    is_expired,
    label_of,
    price_facts,
    reason_of,
    retry_href,
    write_expiry,
)
from invoices import tax
from invoices.models import Status, Transaction
from wallet import topups

#: The choice that leads to the hosted payment page.
HOSTED = "hosted"


@dataclass(frozen=True)
class PayOption:
    """A saved card, or the payment page."""

    value: str
    card: CardLabel | None
    title: str
    note: str
    is_chosen: bool


@dataclass(frozen=True)
class Summary:
    """Exactly what will happen on pressing the button."""

    value: str
    credit: str
    price: tuple[Fact, ...]
    amount: str
    charged: str
    paid_with: str
    balance_now: str
    balance_after: str
    warning: str
    button: str
    busy: str


@dataclass(frozen=True)
class TopUpPage:
    """The whole page."""

    key: str
    presets: tuple[Preset, ...]
    minimum: str
    maximum: str
    rate: str
    options: tuple[PayOption, ...]
    summary: Summary | None


@dataclass(frozen=True)
class Outcome:
    """How a payment ended, or that it has not yet."""

    tone: str
    icon: str
    title: str
    text: str
    facts: tuple[Fact, ...]
    is_waiting: bool
    href: str
    receipt_href: str
    continue_href: str
    retry_href: str


def payable_cards(account: Account) -> list[Card]:
    """Return the cards that can be charged, default first."""
    return list(
        account.cards.filter(status=CardStatus.VERIFIED).order_by("-is_default", "-created_at")
    )


def payment_choices(cards: list[Card]) -> list[tuple[str, str]]:
    """What the form accepts: the account's own cards and the payment page."""
    return [*((str(card.pk), str(card)) for card in cards), (HOSTED, _("Payment page"))]


def build_top_up_page(
    *,
    account: Account,
    cards: list[Card],
    minimum: Decimal,
    amount: Decimal | None,
    pay_with: str,
    now: datetime,
) -> TopUpPage:
    """Compose the page for an `amount` that may be bought, or None while there is none."""
    chosen = pay_with or (str(cards[0].pk) if cards else HOSTED)
    presets = build_presets(
        account=account,
        balance=account.wallet.balance,
        minimum=minimum,
        maximum=settings.MAXIMUM_TOP_UP,
        chosen=amount or Decimal(-1),
    )
    return TopUpPage(
        key=uuid.uuid4().hex,
        presets=presets,
        minimum=format_usd(minimum),
        maximum=format_usd(settings.MAXIMUM_TOP_UP),
        rate=f"{settings.USD_TO_OMR.normalize():f}",
        options=_options(cards, chosen=chosen, account=account, now=now),
        summary=_summary(account, cards, amount, chosen) if amount is not None else None,
    )


def _options(
    cards: list[Card], *, chosen: str, account: Account, now: datetime
) -> tuple[PayOption, ...]:
    today = now.astimezone(account.timezone).date()
    saved = [
        PayOption(
            value=str(card.pk),
            card=label_of(card),
            title="",
            note=_note(card, is_over=card.has_expired(today=today)),
            is_chosen=chosen == str(card.pk),
        )
        for card in cards
    ]
    page = PayOption(
        value=HOSTED,
        card=None,
        title=_("Another card") if cards else _("Card"),
        note=_("On Stripe's secure payment page"),
        is_chosen=chosen == HOSTED,
    )
    return (*saved, page)


def _note(card: Card, *, is_over: bool) -> str:
    if is_over:
        return _("Expired")
    if card.is_default:
        return _("Default")
    return _("Expires %(expiry)s") % {"expiry": write_expiry(card)}


def _summary(account: Account, cards: list[Card], amount: Decimal, chosen: str) -> Summary:
    quote = topups.quote(account=account, amount=amount)
    card = next((card for card in cards if str(card.pk) == chosen), None)
    still_negative = quote.balance_after <= 0 and account.wallet.balance < 0
    return Summary(
        value=f"{quote.price.amount:.2f}",
        credit=format_usd(amount),
        price=price_facts(quote.price),
        amount=format_usd(quote.price.amount),
        charged=format_omr(quote.price.charged_amount.amount),
        paid_with=label_of(card).label if card else _("Payment page"),
        balance_now=format_usd(account.wallet.balance),
        balance_after=format_usd(quote.balance_after),
        warning=(
            _(
                "The balance stays at or below zero, so services stay paused. "
                "Add more to resume them."
            )
            if still_negative
            else ""
        ),
        button=(
            _("Pay %(amount)s") % {"amount": format_usd(quote.price.amount)}
            if card
            else _("Continue to payment")
        ),
        busy=_("Charging the card…") if card else _("Opening the payment page…"),
    )


def build_outcome(
    transaction: Transaction, *, balance: Decimal, canceled: bool, now: datetime
) -> Outcome:
    """Say how the payment stands."""
    amount = format_usd(transaction.net_amount.amount)
    charged = format_omr(transaction.charged_amount.amount)
    tone, icon, title, text = "", "clock", "", ""
    waiting, resume = False, ""
    again = f"{reverse('top-up')}?amount={transaction.net_amount.amount:.2f}"
    if transaction.status == Status.PAID:
        tone, icon, again = "good", "check", ""
        title = _("%(amount)s was added") % {"amount": amount}
        text = _("Your balance is %(balance)s. The receipt is ready.") % {
            "balance": format_usd_in_words(balance)
        }
    elif transaction.status == Status.FAILED:
        tone, icon, title = "bad", "cross", _("The payment failed")
        text = _("%(reason)s Nothing was charged.") % {"reason": reason_of(transaction)}
        again = retry_href(transaction) or again
    elif is_expired(transaction, now=now):
        title, text = _("The payment page has expired"), _("Nothing was charged.")
    elif canceled:
        icon, title = "cross", _("You left the payment page")
        text = _("Nothing was charged. You can go back to it, or start again.")
        resume = transaction.checkout_url
    else:
        title, waiting, again = _("Waiting for the bank"), True, ""
        text = _(
            "This usually takes a few seconds. You may leave: credit is added once it is paid."
        )
    is_paid = transaction.status == Status.PAID
    return Outcome(
        tone=tone,
        icon=icon,
        title=title,
        text=text,
        facts=(
            Fact(_("Number"), transaction.number),
            Fact(_("Credit"), amount),
            *_tax_of(transaction),
            Fact(_("Charged") if is_paid else _("In Omani rials"), charged),
        ),
        is_waiting=waiting,
        href=f"{reverse('top-up-return')}?number={transaction.number}",
        receipt_href=(
            reverse("billing-history-receipt", args=[transaction.number]) if is_paid else ""
        ),
        continue_href=resume,
        retry_href=again,
    )


def _tax_of(transaction: Transaction) -> tuple[Fact, ...]:
    if not transaction.tax_rate:
        return ()
    return (
        Fact(tax.label(transaction.tax_rate), format_usd(transaction.tax_amount.amount)),
        Fact(_("Total"), format_usd(transaction.amount.amount)),
    )
