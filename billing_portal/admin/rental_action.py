"""What staff may do about an account's rentals: hold more or fewer, as the customer asked.

Its page asks which, how many and why, and shows the exact price before anything happens. What is
confirmed is charged at that price: the confirmation carries the quote, as a customer's does.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.decorators import action
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
)

from accounts import cards
from accounts.models import Account, User
from accounts.money import format_omr, format_usd
from accounts.quantities import write_quantity
from billing_portal.admin.cells import when
from billing_portal.admin.confirmed import ReasonField
from invoices.models import Status, Transaction
from plans import quotes, rental_changes, rentals, subscriptions
from plans.models import Feature, FeatureKind, RentalVia
from plans.rental_changes import Change, ChangeKind


class RentalForm(forms.Form):
    """Which rental, how many of it, and why."""

    feature = forms.ModelChoiceField(
        label="Rental", queryset=Feature.objects.none(), widget=UnfoldAdminSelectWidget
    )
    quantity = forms.IntegerField(
        label="Hold", min_value=0, max_value=1_000_000, widget=UnfoldAdminIntegerFieldWidget
    )
    reason = ReasonField(
        help_text="For your colleagues: kept with the rental and in the audit trail."
    )
    quote = forms.CharField(widget=forms.HiddenInput, required=False, max_length=1000)

    def __init__(self, *args: Any, account: Account, **kwargs: Any) -> None:
        """Offer the rentals of the account's plan."""
        super().__init__(*args, **kwargs)
        feature = self.fields["feature"]
        assert isinstance(feature, forms.ModelChoiceField)
        feature.queryset = rentals_of_the_plan(account)


def rentals_of_the_plan(account: Account) -> Any:
    """Return the rentals that the account's plan has."""
    subscription = subscriptions.current(account=account)
    if subscription is None:
        return Feature.objects.none()
    return Feature.objects.filter(
        kind=FeatureKind.RENTAL, prices__version=subscription.plan_version
    ).order_by("position")


@dataclass(frozen=True)
class RentalEffect:
    """What a change would bring about, written out."""

    facts: tuple[tuple[str, str], ...]
    button: str
    quote: str


def effect_of(account: Account, feature: Feature, quantity: int) -> RentalEffect:
    """Return what holding `quantity` would bring about. Raises the service's ValidationError."""
    now = timezone.now()
    change = rentals.preview(account=account, feature=feature, quantity=quantity, now=now)
    if change.kind == ChangeKind.NONE:
        raise ValidationError({"quantity": "This is what they hold already."})
    card = cards.default_card(account=account)
    if change.line is not None and card is None:
        raise ValidationError("There is no card to charge. The customer has to add one first.")
    return RentalEffect(
        facts=tuple(_facts(change, str(card) if card else "")),
        button=f"Charge {format_usd(change.price.amount)}" if change.line else "Confirm",
        quote=quotes.sign(
            account=account,
            subject=rental_changes.subject(feature=feature, quantity=quantity),
            price=change.price,
            moment=now,
        ),
    )


def _facts(change: Change, card: str) -> list[tuple[str, str]]:
    unit = change.feature.unit
    facts = [
        (
            change.feature.name,
            f"{change.holding:,} → {write_quantity(Decimal(change.quantity), unit)}",
        ),
        ("From", "now" if change.kind == ChangeKind.TAKEN else f"{when(change.period.end)} UTC"),
    ]
    if change.kind == ChangeKind.RELEASE_UNDONE:
        facts[1] = ("From", "now: the release is undone, for nothing")
    if change.line is not None:
        price = change.price
        facts.append(("Net, until the renewal", format_usd(price.net)))
        if price.tax_rate:
            facts.append(("Tax", format_usd(price.tax)))
        rials = format_omr(price.charged_amount.amount)
        facts.append(("Charged now", f"{format_usd(price.amount)}, {rials}, to {card}"))
    elif change.waived:
        facts.append(("Charged now", f"Nothing: {format_usd(change.waived)} is waived"))
    at_renewal = write_quantity(Decimal(change.at_renewal), change.feature.unit)
    facts.append(("From the renewal on, net", f"{at_renewal}, {format_usd(change.monthly)}"))
    return facts


class RentalActionMixin:
    """The button above an account, and the page behind it."""

    def has_change_rental_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Whoever may change a rental."""
        return cast(User, request.user).has_perm("plans.change_rental")

    @action(
        description="Change rentals",
        url_path="change-rental",
        permissions=["change_rental"],
        icon="dialpad",
    )
    def change_rental(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask which, how many and why, show what it costs, and do it once."""
        if not self.has_view_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied
        account: Account = self._account(request, object_id)  # type: ignore[attr-defined]
        if request.method != "POST":
            return self._rental_page(request, account, RentalForm(account=account))
        form = RentalForm(request.POST, account=account)
        if not form.is_valid():
            return self._rental_page(request, account, form)
        feature, quantity = form.cleaned_data["feature"], form.cleaned_data["quantity"]
        try:
            if "_apply" not in request.POST:
                effect = effect_of(account, feature, quantity)
                return self._rental_page(request, account, form, effect)
            transaction = _apply(account, form, by=cast(User, request.user))
        except ValidationError as error:
            form.add_error(None, error)
            return self._rental_page(request, account, form)
        _tell(request, feature, transaction)
        back: HttpResponse = self._back_to(account)  # type: ignore[attr-defined]
        return back

    def _rental_page(
        self,
        request: HttpRequest,
        account: Account,
        form: RentalForm,
        effect: RentalEffect | None = None,
    ) -> TemplateResponse:
        context = {
            "form": form,
            "effect": effect,
            "has_rentals": rentals_of_the_plan(account).exists(),
        }
        return self._page(  # type: ignore[attr-defined]
            request, account, "Change rentals", "admin/change_rental.html", context
        )


def _apply(account: Account, form: RentalForm, *, by: User) -> Transaction | None:
    feature, quantity = form.cleaned_data["feature"], form.cleaned_data["quantity"]
    now = timezone.now()
    agreed = quotes.read(
        form.cleaned_data["quote"],
        account=account,
        subject=rental_changes.subject(feature=feature, quantity=quantity),
        now=now,
    )
    return rentals.set_quantity(
        account=account,
        feature=feature,
        quantity=quantity,
        now=now,
        via=RentalVia.ADMIN,
        by=by,
        reason=form.cleaned_data["reason"],
        agreed=agreed,
    )


def _tell(request: HttpRequest, feature: Feature, transaction: Transaction | None) -> None:
    """Say how it ended."""
    if transaction is None:
        messages.success(request, f"{feature.name}: changed. Nothing was charged.")
    elif transaction.status == Status.PAID:
        amount = format_usd(transaction.amount.amount)
        messages.success(request, f"{feature.name}: changed. {amount} was charged.")
    elif transaction.status == Status.FAILED:
        messages.error(request, f"Nothing was changed: {transaction.failure_message}")
    else:
        messages.warning(
            request,
            f"Stripe has not answered yet. {transaction.number} goes on by itself: don't do it "
            "again.",
        )
