"""What a customer may type. Forms check the shape of input; rules are the services'."""

import re
from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Account, CardStatus
from accounts.money import format_usd
from invoices.models import Purpose, Status
from wallet import topups
from wallet.refill_rules import Terms

#: Nothing was paid before, and calendars end.
DAYS = [MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2999, 12, 31))]
#: Commas only between thousands: in much of the world one stands before the cents.
_WRITTEN_AMOUNT = re.compile(r"-?([0-9]+|[0-9]{1,3}(,[0-9]{3})+)?(\.[0-9]*)?")
_AMOUNT = {"inputmode": "decimal", "autocomplete": "off", "class": "input"}


def day_input() -> forms.DateInput:
    """A day, as browsers let one pick it."""
    return forms.DateInput(
        format="%Y-%m-%d",
        attrs={"type": "date", "class": "input", "min": "2000-01-01", "max": "2999-12-31"},
    )


#: What an Arabic keyboard writes: its digits, its decimal point, its comma between thousands.
_FIGURES = str.maketrans(
    {0x0660 + digit: str(digit) for digit in range(10)} | {0x066B: ".", 0x066C: ","}
)


class AmountField(forms.DecimalField):
    """Dollars with at most two decimals, typed as text so that any browser's locale works."""

    widget = forms.TextInput

    def __init__(self, **options: Any) -> None:
        """Set the bounds of the database's column."""
        super().__init__(
            **{
                "max_digits": 12,
                "decimal_places": 2,
                "widget": forms.TextInput(attrs=_AMOUNT),
                "error_messages": {
                    "invalid": gettext_lazy("Enter an amount like 25 or 25.50."),
                    "max_decimal_places": gettext_lazy("Enter at most two decimals."),
                    "max_digits": gettext_lazy("Enter a smaller amount."),
                    "max_whole_digits": gettext_lazy("Enter a smaller amount."),
                },
                **options,
            }
        )

    def to_python(self, value: Any) -> Decimal | None:  # type: ignore[override]
        """Accept `$1,000.50` as people write it; `25,50` is no amount, least of all 2,550."""
        if isinstance(value, str):
            value = value.translate(_FIGURES).strip().removeprefix("$").strip()
            if value and not _WRITTEN_AMOUNT.fullmatch(value):
                raise ValidationError(self.error_messages["invalid"], code="invalid")
            value = value.replace(",", "")
        return super().to_python(value)


class AutoRefillForm(forms.Form):
    """Switch, Threshold and Top Up Amount."""

    enabled = forms.BooleanField(required=False)
    threshold = AmountField(label=gettext_lazy("Threshold"))
    amount = AmountField(label=gettext_lazy("Top Up Amount"))
    monthly_maximum = AmountField(
        label=gettext_lazy("Monthly Maximum"),
        required=False,
        help_text=gettext_lazy("In a calendar month, tax included."),
    )
    #: What the customer was shown that saving charges at once, in dollars.
    confirmed = AmountField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, minimum: Decimal, **kwargs: Any) -> None:
        """Bound the amount by the plan's minimum."""
        super().__init__(*args, **kwargs)
        self.minimum = minimum
        self.fields["amount"].help_text = _("At least %(minimum)s.") % {
            "minimum": format_usd(minimum)
        }

    def clean_amount(self) -> Decimal:
        """Between the plan's minimum and the most one payment may be."""
        return topups.check_amount(self.cleaned_data["amount"], minimum=self.minimum)

    @property
    def terms(self) -> Terms:
        """The terms of the rule, as typed."""
        typed = self.cleaned_data
        return Terms(typed["threshold"], typed["amount"], typed["monthly_maximum"])

    def add_service_errors(self, error: ValidationError) -> None:
        """Show what the service refused, each beside its field; the switch has no room for it."""
        for field, errors in error.message_dict.items():
            self.add_error(None if field == "enabled" else field, errors)


class LowBalanceForm(forms.Form):
    """Whether to be told of a low balance, and below what."""

    told = forms.BooleanField(required=False)
    limit = AmountField(
        label=gettext_lazy("Tell me below"),
        required=False,
        help_text=gettext_lazy("Once each time the balance falls below it."),
    )

    def clean(self) -> dict[str, Any]:
        """Without the notice no limit is needed."""
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("told") and cleaned.get("limit") is None and "limit" not in self.errors:
            self.add_error("limit", _("Enter an amount of zero or more."))
        return cleaned


class TopUpForm(forms.Form):
    """A preset or an own amount, and how to pay."""

    amount = AmountField(required=False)
    own_amount = AmountField(label=gettext_lazy("Own amount in USD"), required=False)
    pay_with = forms.ChoiceField()
    key = forms.CharField(required=False, max_length=64)

    def __init__(
        self, *args: Any, minimum: Decimal, payment_choices: list[tuple[str, str]], **kwargs: Any
    ) -> None:
        """Bound the amount, and offer the account's own cards only."""
        super().__init__(*args, **kwargs)
        self.minimum = minimum
        pay_with = self.fields["pay_with"]
        assert isinstance(pay_with, forms.ChoiceField)
        pay_with.choices = payment_choices
        pay_with.error_messages["invalid_choice"] = _("Choose how to pay.")
        pay_with.error_messages["required"] = _("Choose how to pay.")
        self.fields["own_amount"].widget.attrs.update({"data-own-amount": ""})
        #: The customer is asked to look at amounts they had not been shown.
        self.is_review = False

    def clean(self) -> dict[str, Any]:
        """An own amount wins over a preset."""
        cleaned: dict[str, Any] = super().clean() or {}
        if self.errors.keys() & {"amount", "own_amount"}:
            return cleaned
        field = "own_amount" if cleaned.get("own_amount") is not None else "amount"
        amount = cleaned.get(field)
        if amount is None:
            self.add_error("own_amount", _("Choose an amount."))
            return cleaned
        try:
            cleaned["chosen"] = topups.check_amount(amount, minimum=self.minimum)
        except ValidationError as error:
            self.add_error("own_amount", error)
        return cleaned


class RentalForm(forms.Form):
    """How many of a rental to hold, and the quote of what was shown for it."""

    quantity = forms.IntegerField(
        label=gettext_lazy("How many to hold"),
        min_value=0,
        max_value=1_000_000,
        widget=forms.TextInput(
            attrs={"inputmode": "numeric", "autocomplete": "off", "class": "input"}
        ),
        error_messages={
            "invalid": gettext_lazy("Enter a whole number."),
            "min_value": gettext_lazy("Enter zero or more."),
            "max_value": gettext_lazy("Enter a smaller number."),
        },
    )
    quote = forms.CharField(required=False, max_length=1000)


class RangeForm(forms.Form):
    """A range of days that goes forward."""

    def clean(self) -> dict[str, Any]:
        """The range goes forward."""
        cleaned: dict[str, Any] = super().clean() or {}
        start, end = cleaned.get("date_from"), cleaned.get("date_to")
        if start and end and end < start:
            self.add_error("date_to", _("This is before the first date."))
        return cleaned


class HistoryFilterForm(RangeForm):
    """Which lines of Billing History to show. Every field may be left open."""

    search = forms.CharField(
        label=gettext_lazy("Search"),
        required=False,
        max_length=64,
        widget=forms.SearchInput(
            attrs={"class": "input", "placeholder": gettext_lazy("Number or amount")}
        ),
    )
    status = forms.ChoiceField(
        label=gettext_lazy("Status"),
        required=False,
        choices=[
            ("", gettext_lazy("All statuses")),
            *(
                (s.value, s.label)
                for s in (Status.PAID, Status.FAILED, Status.CHECKOUT, Status.PROCESSING)
            ),
        ],
        widget=forms.Select(attrs={"class": "select"}),
    )
    kind = forms.ChoiceField(
        label=gettext_lazy("Kind"),
        required=False,
        choices=[("", gettext_lazy("All kinds")), *Purpose.choices],
        widget=forms.Select(attrs={"class": "select"}),
    )
    card = forms.ChoiceField(
        label=gettext_lazy("Card"), required=False, widget=forms.Select(attrs={"class": "select"})
    )
    date_from = forms.DateField(
        label=gettext_lazy("From"), required=False, validators=DAYS, widget=day_input()
    )
    date_to = forms.DateField(
        label=gettext_lazy("To"), required=False, validators=DAYS, widget=day_input()
    )

    def __init__(self, *args: Any, account: Account, **kwargs: Any) -> None:
        """Offer the cards that the account has or had."""
        super().__init__(*args, **kwargs)
        had = account.cards.exclude(status=CardStatus.REJECTED).order_by("-is_default", "pk")
        card = self.fields["card"]
        assert isinstance(card, forms.ChoiceField)
        labels = {f"{each.brand}-{each.last4}": str(each) for each in had}
        card.choices = [("", _("All cards")), *labels.items()]


class AddCardForm(forms.Form):
    """What Stripe.js hands over once the card is confirmed."""

    setup_intent = forms.RegexField(
        regex=r"^seti_\w+$",
        max_length=255,
        error_messages={
            "required": gettext_lazy("The card was not confirmed. Please enter it again."),
            "invalid": gettext_lazy("The card was not confirmed. Please enter it again."),
        },
    )
