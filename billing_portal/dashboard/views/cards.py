"""Payment Methods: list, add with Stripe.js, set as default, remove."""

from allauth.core.internal.httpkit import get_client_ip
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import card_attempts, cards, gateway
from accounts.models import Card, CardStatus
from accounts.money import format_usd
from accounts.recorded_words import translated
from billing_portal.dashboard.access import MemberRequest, acting_page, form_action, member_page
from billing_portal.dashboard.forms import AddCardForm
from billing_portal.dashboard.rows import label_of
from billing_portal.dashboard.saved_cards import (
    SHOWN_STATUSES,
    build_cards,
    pays_for_a_subscription,
)
from billing_portal.dashboard.shell import page

NAV = "payment-methods"
UNREACHABLE = gettext_lazy(
    "The payment service does not answer just now. Nothing was charged. Try again in a minute."
)


@require_safe
@member_page
def payment_methods(request: MemberRequest) -> HttpResponse:
    """Show the saved cards."""
    member = request.member
    saved = build_cards(account=member.account, may_manage=member.may_manage, now=timezone.now())
    return page(request, "dashboard/payment_methods.html", {"cards": saved}, nav=NAV)


@require_http_methods(["GET", "HEAD", "POST"])
@acting_page
def add(request: MemberRequest) -> HttpResponse:
    """Show the card field; on POST save the card that Stripe.js confirmed."""
    if request.method != "POST":
        return _card_field(request)
    form = AddCardForm(request.POST)
    if not form.is_valid():
        return _card_field(request, problem=_first_error(form))
    try:
        card = cards.add(
            account=request.member.account,
            setup_intent_id=form.cleaned_data["setup_intent"],
            by=request.user,
            now=timezone.now(),
        )
    except ValidationError as error:
        return _card_field(request, problem=" ".join(error.messages))
    except gateway.GatewayUnavailable:
        return _card_field(request, problem=str(UNREACHABLE))
    if card.status == CardStatus.REJECTED:
        return _card_field(request, problem=translated(card.rejection_message))
    if card.status == CardStatus.VERIFYING:
        said = _("%(card)s is being verified; this takes a minute.")
        messages.info(request, said % {"card": label_of(card).spoken})
    else:
        said = (
            _("%(card)s was added. It is your default card.")
            if card.is_default
            else _("%(card)s was added.")
        )
        messages.success(request, said % {"card": label_of(card).spoken})
    return redirect(_next(request) or "payment-methods")


@require_POST
@acting_page
def setup_intent(request: MemberRequest) -> JsonResponse:
    """Begin adding a card: the secret with which the browser confirms it at Stripe."""
    try:
        setup = card_attempts.begin(
            account=request.member.account,
            by=request.user,
            ip_address=get_client_ip(request),
            now=timezone.now(),
        )
    except card_attempts.TooManyAttempts as refusal:
        detail = " ".join(refusal.messages)
        return JsonResponse({"code": "too_many_attempts", "detail": detail}, status=429)
    except (gateway.GatewayUnavailable, gateway.GatewayRefused):
        return JsonResponse({"code": "unavailable", "detail": str(UNREACHABLE)}, status=503)
    return JsonResponse({"client_secret": setup.client_secret})


@form_action(page="payment-methods")
@acting_page
def make_default(request: MemberRequest, pk: int) -> HttpResponse:
    """Charge this card from now on."""
    card = _own_card(request, pk)
    try:
        cards.make_default(card=card, by=request.user, now=timezone.now())
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        said = _("%(card)s is now your default card.")
        messages.success(request, said % {"card": label_of(card).spoken})
    return redirect("payment-methods")


@form_action(page="payment-methods")
@acting_page
def remove(request: MemberRequest, pk: int) -> HttpResponse:
    """Remove a card, or say why it has to stay; one that a plan is charged to, only for owners."""
    card = _own_card(request, pk)
    if pays_for_a_subscription(card) and not request.member.may_manage:
        raise PermissionDenied(_("Only an owner removes a card that a subscription is charged to."))
    try:
        cards.remove(card=card, by=request.user, now=timezone.now())
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        said = _("%(card)s was removed.")
        messages.success(request, said % {"card": label_of(card).spoken})
    return redirect("payment-methods")


def _own_card(request: MemberRequest, pk: int) -> Card:
    return get_object_or_404(Card, pk=pk, account=request.member.account, status__in=SHOWN_STATUSES)


def _card_field(request: MemberRequest, *, problem: str = "") -> HttpResponse:
    has_card = cards.default_card(account=request.member.account) is not None
    context = {
        "problem": problem,
        "next": _next(request),
        "hold": format_usd(settings.CARD_HOLD_AMOUNT),
        "intro": (
            _("You can make it the default afterwards.")
            if has_card
            else _(
                "Your first card is the default: it pays for top-ups, your plan and Auto-Refill."
            )
        ),
    }
    template = "dashboard/add_card.html"
    return page(request, template, context, nav=NAV, status=422 if problem else 200)


def _next(request: MemberRequest) -> str:
    """Where to go after the card is saved; only to a page of this site."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    return wanted if is_ours and wanted.startswith("/") else ""


def _first_error(form: AddCardForm) -> str:
    return next(str(error) for errors in form.errors.values() for error in errors)
