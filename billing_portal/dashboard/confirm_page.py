"""Confirming a payment: what it is for, what it charges, and what there is to do."""

from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.declines import WANTS_CONFIRMATION
from accounts.money import format_omr, format_usd
from accounts.recorded_words import translated
from billing_portal.dashboard.rows import (
    CardLabel,
    Fact,
    card_label,
    describe_lines,
    reason_of,
)
from invoices.confirmations import Confirmation
from invoices.models import Purpose

#: Stripe.js says no more than this when the customer closed their bank's question.
_NOT_CONFIRMED = gettext_lazy(
    "The payment was not confirmed. Nothing was charged; you can try again."
)


@dataclass(frozen=True)
class ConfirmPage:
    """The whole page."""

    number: str
    amount: str
    charged: str
    facts: tuple[Fact, ...]
    card: CardLabel | None
    problem: str
    notice: str
    client_secret: str
    payment_method_id: str
    href: str
    decline_href: str
    detail_href: str


def build_confirm_page(confirmation: Confirmation, *, was_tried: bool) -> ConfirmPage:
    """Compose the page; `was_tried` says that the customer comes from their bank's question."""
    transaction = confirmation.transaction
    can_confirm = not confirmation.problem
    lines = [translated(line.description) for line in transaction.lines.all()]
    return ConfirmPage(
        number=transaction.number,
        amount=format_usd(transaction.amount.amount),
        charged=format_omr(transaction.charged_amount.amount),
        facts=(
            Fact(_("For"), describe_lines(lines) or str(Purpose(transaction.purpose).label)),
            Fact(_("Number"), transaction.number),
        ),
        card=card_label(transaction.card_brand, transaction.card_last4),
        problem=_problem(confirmation, was_tried=was_tried),
        notice=str(_NOT_CONFIRMED) if was_tried and can_confirm else "",
        client_secret=confirmation.client_secret,
        payment_method_id=confirmation.payment_method_id,
        href=reverse("payment-confirm", args=[transaction.number]),
        decline_href=reverse("payment-confirm-decline", args=[transaction.number]),
        detail_href=reverse("billing-history-detail", args=[transaction.number]),
    )


def _problem(confirmation: Confirmation, *, was_tried: bool) -> str:
    """Why there is nothing to confirm; right after trying, a decline of the bank comes first."""
    transaction = confirmation.transaction
    was_declined = transaction.failure_code not in {"", *WANTS_CONFIRMATION}
    if confirmation.problem and was_tried and was_declined:
        return _("%(reason)s Nothing was charged.") % {"reason": reason_of(transaction)}
    return confirmation.problem
