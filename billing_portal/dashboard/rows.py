"""Transactions and cards as a customer reads them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.card_changes import TOLD_BEFORE
from accounts.models import Card, brand_name, card_in_words
from accounts.money import format_omr, format_usd
from accounts.recorded_words import translated
from billing_portal.dashboard.reversals import CreditNote, credit_notes_of, note_of_reversals
from billing_portal.dashboard.times import Moment, moment
from invoices import charging, tax
from invoices.models import Purpose, Status, Transaction

#: The tone of a status: colour only repeats what the word says.
TONES = {
    Status.PAID: "good",
    Status.FAILED: "bad",
    Status.PROCESSING: "brand",
    Status.CHECKOUT: "",
}
#: A card whose last day is no further away is said to expire soon: e-mails say so as early.
SOON = TOLD_BEFORE
#: After that nobody remembers what a failed payment was for.
RETRY_IS_OFFERED_FOR = timedelta(days=30)


@dataclass(frozen=True)
class Fact:
    """A label and its value; `href` is where the label leads."""

    label: str
    value: str
    note: str = ""
    href: str = ""

    @property
    def is_amount(self) -> bool:
        """Whether the value is an amount of dollars and nothing else: it stays on one line."""
        return "$" in self.value and " " not in self.value


@dataclass(frozen=True)
class CardLabel:
    """A card in one line: `Visa •••• 4242`."""

    brand: str
    brand_name: str
    last4: str
    label: str
    spoken: str


@dataclass(frozen=True)
class TransactionRow:
    """One line of Billing History."""

    number: str
    href: str
    created: Moment
    title: str
    detail: str
    card: CardLabel | None
    status: str
    tone: str
    note: str
    amount: str
    charged: str
    receipt_href: str
    credit_notes: tuple[CreditNote, ...]
    continue_href: str
    confirm_href: str
    retry_href: str
    pay_now_href: str


def card_label(brand: str, last4: str) -> CardLabel | None:
    """Write a card; None when there is none yet."""
    if not last4:
        return None
    name = brand_name(brand)
    return CardLabel(
        brand=brand,
        brand_name=name,
        last4=last4,
        label=card_in_words(brand, last4),
        spoken=_("%(brand)s ending %(last4)s") % {"brand": name, "last4": last4},
    )


def price_facts(price: charging.Quote) -> tuple[Fact, ...]:
    """Write what comes before a total: net and tax, or nothing where no tax is paid."""
    if not price.tax_rate:
        return ()
    return (
        Fact(_("Net"), format_usd(price.net)),
        Fact(tax.label(price.tax_rate), format_usd(price.tax)),
    )


def charged_for(price: charging.Quote) -> str:
    """Write what the card is charged: `OMR 19.250`, or `$52.50 with VAT 5 %, OMR 20.210`."""
    rials = format_omr(price.charged_amount.amount)
    if not price.tax_rate:
        return rials
    return _("%(amount)s with %(tax)s, %(rials)s") % {
        "amount": format_usd(price.amount),
        "tax": tax.label(price.tax_rate),
        "rials": rials,
    }


def label_of(card: Card) -> CardLabel:
    """Write a saved card."""
    label = card_label(card.brand, card.last4)
    if label is None:
        raise ValueError(f"Card {card.pk} has no last four digits.")
    return label


def transaction_rows(
    transactions: Iterable[Transaction],
    *,
    zone: tzinfo,
    now: datetime,
    may_act: bool,
    full: bool = False,
    payable: int | None = None,
) -> tuple[TransactionRow, ...]:
    """Write the transactions; their disputes are expected to be prefetched.

    `full` rows have what each is for and its credit notes: lines and refunds, too. `payable` is the
    id of the one that "Pay now" is offered beside.
    """
    return tuple(
        transaction_row(
            each,
            zone=zone,
            now=now,
            may_act=may_act,
            full=full,
            is_payable=each.pk == payable,
        )
        for each in transactions
    )


def transaction_row(
    transaction: Transaction,
    *,
    zone: tzinfo,
    now: datetime,
    may_act: bool,
    full: bool = False,
    is_payable: bool = False,
) -> TransactionRow:
    """Write one transaction, with what its reader can do about it."""
    status = Status(transaction.status)
    is_over = is_expired(transaction, now=now)
    paid, failed = status == Status.PAID, status == Status.FAILED
    buys_credit = transaction.purpose in (Purpose.TOP_UP, Purpose.AUTO_REFILL)
    is_recent = now - transaction.created_at < RETRY_IS_OFFERED_FOR
    is_retryable = (failed or is_over) and is_recent and may_act
    resumable = status == Status.CHECKOUT and not is_over and may_act
    return TransactionRow(
        number=transaction.number,
        href=reverse("billing-history-detail", args=[transaction.number]),
        created=moment(transaction.created_at, zone),
        title=str(Purpose(transaction.purpose).label),
        detail=_bought(transaction) if full and not buys_credit else "",
        card=card_label(transaction.card_brand, transaction.card_last4),
        status=str(status.label),
        tone=TONES[status],
        note=note_of(transaction, is_over=is_over),
        amount=format_usd(transaction.amount.amount),
        charged=format_omr(transaction.charged_amount.amount),
        receipt_href=reverse("billing-history-receipt", args=[transaction.number]) if paid else "",
        credit_notes=credit_notes_of(transaction) if full else (),
        continue_href=transaction.checkout_url if resumable else "",
        confirm_href=(
            reverse("payment-confirm", args=[transaction.number])
            if may_act and transaction.can_be_confirmed(now)
            else ""
        ),
        retry_href=retry_href(transaction) if is_retryable else "",
        pay_now_href=reverse("renewal-pay-now") if is_payable else "",
    )


def retry_href(transaction: Transaction) -> str:
    """Where a failed or expired payment is tried again; empty when the portal does it itself."""
    if transaction.purpose in (Purpose.TOP_UP, Purpose.AUTO_REFILL):
        again = urlencode({"amount": f"{transaction.net_amount.amount:.2f}"})
        return f"{reverse('top-up')}?{again}"
    if transaction.purpose == Purpose.PLAN_CHANGE:
        return reverse("plan")
    return ""


def note_of(transaction: Transaction, *, is_over: bool) -> str:
    """What is said beside the status: why it failed, that it expired, what went back."""
    if transaction.status == Status.FAILED:
        return reason_of(transaction)
    if transaction.confirmable_until is not None:
        return _("Your bank wants you to confirm this payment.")
    if is_over:
        return _("Expired, nothing was charged")
    return note_of_reversals(transaction, transaction.disputes.all())


def reason_of(transaction: Transaction) -> str:
    """Why a payment failed, in the reader's language: it is kept in English."""
    if not transaction.failure_message:
        return _("The payment was not completed.")
    return translated(transaction.failure_message)


def is_expired(transaction: Transaction, *, now: datetime) -> bool:
    """Whether this is a payment page on which nobody can pay any more."""
    if transaction.status != Status.CHECKOUT:
        return False
    return transaction.is_expired or bool(transaction.expires_at and transaction.expires_at <= now)


def _bought(transaction: Transaction) -> str:
    lines = transaction.lines.all()
    return describe_lines([translated(line.description) for line in lines if not line.is_tax])


def describe_lines(descriptions: list[str]) -> str:
    """`Growth plan and 2 more`."""
    if len(descriptions) < 2:
        return "".join(descriptions)
    return ngettext(
        "%(first)s and %(count)d more", "%(first)s and %(count)d more", len(descriptions) - 1
    ) % {"first": descriptions[0], "count": len(descriptions) - 1}


def expires_soon(card: Card, *, today: date) -> bool:
    """Whether the card's last day is SOON or less away, or has gone."""
    return card.last_day() - today <= SOON


def write_expiry(card: Card) -> str:
    """`04 / 2028`."""
    return f"{card.exp_month:02d} / {card.exp_year}"
