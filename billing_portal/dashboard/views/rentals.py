"""Rentals: taking more, releasing some, keeping them after all."""

from datetime import datetime

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.recorded_words import translated
from billing_portal.dashboard.access import MemberRequest, acting_page, form_action, member_page
from billing_portal.dashboard.forms import RentalForm
from billing_portal.dashboard.rental_page import build_rental_page, target
from billing_portal.dashboard.rentals_panel import count
from billing_portal.dashboard.shell import page
from invoices.models import Status, Transaction
from plans import quotes, rental_changes, rentals
from plans.models import Feature, FeatureKind, FeaturePrice, RentalVia
from plans.rental_changes import Change, ChangeKind

NAV = "plan"


@require_http_methods(["GET", "HEAD", "POST"])
@member_page
def rental(request: MemberRequest, key: str) -> HttpResponse:
    """Show what holding another quantity comes to; on POST bring exactly that about."""
    terms, now = _terms(request, key), timezone.now()
    if request.method != "POST":
        form = _asked(request, terms)
        return _page(request, terms, form, now)
    if not request.member.may_act:
        raise PermissionDenied(_("This role may look, not change."))
    form = RentalForm(request.POST)
    if not form.is_valid():
        return _page(request, terms, form, now, status=422)
    if not form.cleaned_data["quote"]:
        # Without a script nothing was shown for this number yet.
        return _page(request, terms, form, now, is_review=True)
    return _change(request, terms, form, now)


def _change(
    request: MemberRequest, terms: FeaturePrice, form: RentalForm, now: datetime
) -> HttpResponse:
    account, quantity = request.member.account, form.cleaned_data["quantity"]
    subject = rental_changes.subject(feature=terms.feature, quantity=quantity)
    try:
        agreed = quotes.read(form.cleaned_data["quote"], account=account, subject=subject, now=now)
        transaction = rentals.set_quantity(
            account=account,
            feature=terms.feature,
            quantity=quantity,
            now=now,
            via=RentalVia.DASHBOARD,
            by=request.user,
            agreed=agreed,
        )
    except ValidationError as error:
        return _page(request, terms, form, now, problem=" ".join(error.messages), status=422)
    return _outcome(request, terms, form, transaction, now)


def _outcome(
    request: MemberRequest,
    terms: FeaturePrice,
    form: RentalForm,
    transaction: Transaction | None,
    now: datetime,
) -> HttpResponse:
    if transaction is None or transaction.status == Status.PAID:
        messages.success(request, _done(request, terms, form.cleaned_data["quantity"]))
        return redirect("plan")
    if transaction.can_be_confirmed(now):
        return redirect("payment-confirm", number=transaction.number)
    if transaction.status == Status.FAILED:
        why = translated(transaction.failure_message) or _("The payment was not completed.")
        problem = _("%(reason)s Nothing was charged.") % {"reason": why}
        return _page(request, terms, form, now, problem=problem, status=422)
    messages.info(request, _("The bank has not answered yet. They are held once it is paid."))
    return redirect("billing-history-detail", number=transaction.number)


def _done(request: MemberRequest, terms: FeaturePrice, quantity: int) -> str:
    account = request.member.account
    held = rental_changes.open_rental(account=account, feature=terms.feature)
    if held is not None and held.quantity_at_renewal is not None:
        return _("%(feature)s: %(quantity)s from the renewal on.") % {
            "feature": terms.feature.title,
            "quantity": count(quantity, terms),
        }
    return _("%(feature)s: you hold %(quantity)s.") % {
        "feature": terms.feature.title,
        "quantity": count(quantity, terms),
    }


@form_action(page="plan")
@acting_page
def keep(request: MemberRequest, key: str) -> HttpResponse:
    """Keep what was released: it costs nothing while it is still held."""
    terms, account = _terms(request, key), request.member.account
    held = rental_changes.open_rental(account=account, feature=terms.feature)
    if held is None or held.quantity_at_renewal is None:
        messages.info(request, _("Nothing is released."))
        return redirect("plan")
    try:
        rentals.set_quantity(
            account=account,
            feature=terms.feature,
            quantity=held.quantity,
            now=timezone.now(),
            via=RentalVia.DASHBOARD,
            by=request.user,
        )
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, _done(request, terms, held.quantity))
    return redirect("plan")


def _terms(request: MemberRequest, key: str) -> FeaturePrice:
    """Return the plan's terms of the rental; other rentals are not there."""
    feature = Feature.objects.filter(key=key, kind=FeatureKind.RENTAL).first()
    if feature is None:
        raise Http404
    try:
        _, terms = rental_changes.terms_of(account=request.member.account, feature=feature)
    except ValidationError as error:
        raise Http404 from error
    return terms


def _asked(request: MemberRequest, terms: FeaturePrice) -> RentalForm:
    if "quantity" in request.GET:
        return RentalForm(request.GET)
    return RentalForm(initial={"quantity": target(account=request.member.account, terms=terms)})


def _page(
    request: MemberRequest,
    terms: FeaturePrice,
    form: RentalForm,
    now: datetime,
    *,
    problem: str = "",
    is_review: bool = False,
    status: int = 200,
) -> HttpResponse:
    change: Change | None = None
    if form.is_bound and form.is_valid():
        change, why = _previewed(request, terms, form.cleaned_data["quantity"], now)
        problem = problem or why
    composed = build_rental_page(
        account=request.member.account,
        terms=terms,
        form=form,
        change=change,
        now=now,
        may_act=request.member.may_act,
        problem=problem,
        is_review=is_review and change is not None and change.kind != ChangeKind.NONE,
    )
    return page(request, "dashboard/rental.html", {"rental": composed}, nav=NAV, status=status)


def _previewed(
    request: MemberRequest, terms: FeaturePrice, quantity: int, now: datetime
) -> tuple[Change | None, str]:
    """Return what is asked for, or why it can't be had."""
    account = request.member.account
    try:
        return (
            rentals.preview(account=account, feature=terms.feature, quantity=quantity, now=now),
            "",
        )
    except ValidationError as error:
        return None, " ".join(error.messages)
