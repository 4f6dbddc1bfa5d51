"""Adding credit: with a saved card in one click, or on the hosted payment page."""

import re
from decimal import Decimal

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts import gateway
from accounts.models import Card
from accounts.money import format_omr, format_usd
from billing_portal.dashboard.access import MemberRequest, acting_page, member_page, own_transaction
from billing_portal.dashboard.forms import TopUpForm
from billing_portal.dashboard.overview_state import minimum_top_up_of
from billing_portal.dashboard.presets import build_presets
from billing_portal.dashboard.rows import card_label
from billing_portal.dashboard.shell import page
from billing_portal.dashboard.top_up_page import (
    HOSTED,
    build_outcome,
    build_top_up_page,
    payable_cards,
    payment_choices,
)
from billing_portal.dashboard.views.cards import UNREACHABLE
from invoices import checkout
from invoices.models import Status, Transaction
from wallet import topup_limits, topups

NAV = "billing-overview"
#: The session remembers the last payment page opened.
SESSION_PAGE = "payment_page"
_REFERENCE = re.compile(r"[\w-]{1,255}")


@require_http_methods(["GET", "HEAD", "POST"])
@acting_page
def top_up(request: MemberRequest) -> HttpResponse:
    """Choose an amount and a card, see what is charged, pay."""
    account = request.member.account
    minimum = minimum_top_up_of(account)
    cards = payable_cards(account)
    form = TopUpForm(
        request.POST if request.method == "POST" else _asked(request, cards, minimum),
        minimum=minimum,
        payment_choices=payment_choices(cards),
    )
    if request.method != "POST":
        form.is_valid()
        return _form_page(request, form, cards, minimum, amount=form.cleaned_data.get("chosen"))
    if not form.is_valid():
        return _form_page(request, form, cards, minimum, status=422)
    amount: Decimal = form.cleaned_data["chosen"]
    price = topups.quote(account=account, amount=amount).price
    if f"{price.amount:.2f}" not in request.POST.getlist("shown"):
        form.is_review = True
        return _form_page(request, form, cards, minimum, amount=amount)
    status = 422
    try:
        return _pay(request, form, cards, minimum, amount)
    except topup_limits.TooManyTopUps as error:
        form.add_error(None, error)
        status = 429
    except ValidationError as error:
        form.add_error(None, error)
    except (gateway.GatewayUnavailable, gateway.GatewayRefused):
        form.add_error(None, UNREACHABLE)
    return _form_page(request, form, cards, minimum, amount=amount, status=status)


def _pay(
    request: MemberRequest, form: TopUpForm, cards: list[Card], minimum: Decimal, amount: Decimal
) -> HttpResponse:
    """Charge the chosen card or open the payment page. A form sent twice pays once."""
    account, now = request.member.account, timezone.now()
    pay_with = form.cleaned_data["pay_with"]
    if pay_with == HOSTED:
        here = reverse("top-up-return")
        transaction = topups.open_payment_page(
            account=account,
            amount=amount,
            minimum=minimum,
            return_path=f"{here}?session_id={{CHECKOUT_SESSION_ID}}",
            cancel_path=f"{here}?canceled=1",
            by=request.user,
            now=now,
        )
        request.session[SESSION_PAGE] = transaction.number
        return redirect(transaction.checkout_url)
    card = next(card for card in cards if str(card.pk) == pay_with)
    key = form.cleaned_data["key"]
    transaction = topups.charge_saved_card(
        account=account,
        amount=amount,
        minimum=minimum,
        by=request.user,
        now=now,
        card=card,
        # With another amount or card it is another request, though the page was the same.
        request_key=f"{key}:{amount:.2f}:{card.pk}" if key else "",
        is_on_session=True,
    )
    if transaction.can_be_confirmed(now):
        return redirect("payment-confirm", number=transaction.number)
    if transaction.status == Status.PAID:
        messages.success(request, _paid_message(transaction))
        return redirect("billing-overview")
    return redirect(f"{reverse('top-up-return')}?number={transaction.number}")


@require_safe
@member_page
def top_up_return(request: MemberRequest) -> HttpResponse:
    """Show how a payment ended; asks Stripe, so that it does not wait for the webhook."""
    now = timezone.now()
    session_id, number = request.GET.get("session_id"), request.GET.get("number")
    reference = session_id or number or request.session.get(SESSION_PAGE) or ""
    if not _REFERENCE.fullmatch(reference):
        raise Http404
    name = "stripe_checkout_session_id" if session_id else "number"
    transaction = own_transaction(request, **{name: reference})
    transaction = checkout.refresh(transaction_id=transaction.pk, now=now)
    outcome = build_outcome(
        transaction,
        balance=transaction.account.wallet.balance,
        canceled="canceled" in request.GET,
        now=now,
    )
    return page(request, "dashboard/top_up_return.html", {"outcome": outcome}, nav=NAV)


def _asked(request: MemberRequest, cards: list[Card], minimum: Decimal) -> dict[str, str]:
    """What a GET asks for: from a link, or from the page itself while amounts are tried."""
    account = request.member.account
    offered = build_presets(
        account=account,
        balance=account.wallet.balance,
        minimum=minimum,
        maximum=settings.MAXIMUM_TOP_UP,
    )
    proposed = next(preset.value for preset in offered if preset.is_chosen)
    is_open = not request.GET.keys() & {"amount", "own_amount"}
    amount = proposed if is_open else request.GET.get("amount", "")
    is_offered = amount in {preset.value for preset in offered}
    return {
        "amount": amount if is_offered else "",
        "own_amount": request.GET.get("own_amount", "") or ("" if is_offered else amount),
        "pay_with": request.GET.get("pay_with", "") or (str(cards[0].pk) if cards else HOSTED),
    }


def _form_page(
    request: MemberRequest,
    form: TopUpForm,
    cards: list[Card],
    minimum: Decimal,
    *,
    amount: Decimal | None = None,
    status: int = 200,
) -> HttpResponse:
    composed = build_top_up_page(
        account=request.member.account,
        cards=cards,
        minimum=minimum,
        amount=amount,
        pay_with=form.cleaned_data.get("pay_with", ""),
        now=timezone.now(),
    )
    context = {"top_up": composed, "form": form}
    return page(request, "dashboard/top_up.html", context, nav=NAV, status=status)


def _paid_message(transaction: Transaction) -> str:
    card = card_label(transaction.card_brand, transaction.card_last4)
    said = (
        _("%(amount)s was added. %(charged)s was charged to %(card)s.")
        if card
        else _("%(amount)s was added. %(charged)s was charged.")
    )
    return said % {
        "amount": format_usd(transaction.net_amount.amount),
        "charged": format_omr(transaction.charged_amount.amount),
        "card": card.spoken if card else "",
    }
