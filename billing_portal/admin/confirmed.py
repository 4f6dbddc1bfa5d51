"""The one page behind what staff do: says what it brings about, asks why, and does it once.

An action gives its words and the service to call; the page, the reason, the kind messages and the
second click on the same confirmation are the same everywhere.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.widgets import UnfoldAdminTextareaWidget

from accounts import reasons
from accounts.models import User

_CHANGED_MEANWHILE = (
    "Nothing was done by this click: something changed since you looked. See below what it is, "
    "before you try again."
)


class ReasonField(forms.CharField):
    """Why, by the one rule of all reasons."""

    def __init__(self, *, help_text: str = "For your colleagues: kept in the audit trail.") -> None:
        super().__init__(
            widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
            error_messages={"required": "Say why, for whoever reads this next."},
            help_text=help_text,
        )

    def clean(self, value: Any) -> str:
        """Return it as it is kept. Raises ValidationError."""
        try:
            return reasons.checked(super().clean(value))
        except ValidationError as error:
            raise ValidationError(error.messages) from error


class ReasonForm(forms.Form):
    """Why staff does it. `seen` is what the reader saw: once it changes, a click does nothing."""

    reason: forms.CharField = ReasonField()
    seen = forms.CharField(widget=forms.HiddenInput, required=False)


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """What is asked: `act` does it for a person with the form's data, and returns what to say.

    `effect` says what it brings about; `seen` is the state that it starts from, where doing it
    twice would not be the same as once. `act` raises ValidationError when it can't be done.
    Afterwards one is back at the record, or where it `leads_to`.
    """

    title: str
    effect: str
    act: Callable[[User, dict[str, Any]], str]
    form_class: type[ReasonForm] = ReasonForm
    #: What the form's other fields say at first.
    proposed: Mapping[str, object] = field(default_factory=dict)
    seen: str = ""
    danger: bool = False
    leads_to: str = ""
    #: Fields of the list that the page was asked from, posted along.
    posted_along: Iterable[tuple[str, str]] = ()


def confirm(
    request: HttpRequest,
    confirmation: Confirmation,
    *,
    site: AdminSite,
    target: Model | type[Model],
    back_url: str = "",
    is_answer: bool | None = None,
) -> HttpResponse:
    """Show the page, or do what it asks for and go back to the record.

    `is_answer` says whether the request is the page's own; without it, every POST is.
    """
    options = target._meta
    original = target if isinstance(target, Model) else None
    if not back_url and original is not None:
        name = f"admin:{options.app_label}_{options.model_name}_change"
        back_url = reverse(name, args=[original.pk])
    answered = request.method == "POST" if is_answer is None else is_answer
    form = confirmation.form_class(request.POST if answered else None)
    if not answered:
        form.initial.update(confirmation.proposed, seen=confirmation.seen)
    elif form.is_valid():
        if form.cleaned_data["seen"] != confirmation.seen:
            messages.warning(request, _CHANGED_MEANWHILE)
            return HttpResponseRedirect(back_url)
        try:
            said = confirmation.act(cast(User, request.user), form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            if said:
                messages.success(request, said)
            return HttpResponseRedirect(confirmation.leads_to or back_url)
    context = {
        **site.each_context(request),
        "title": f"{confirmation.title}: {original}" if original else confirmation.title,
        "heading": confirmation.title,
        "effect": confirmation.effect,
        "button": confirmation.title,
        "danger": confirmation.danger,
        "posted_along": list(confirmation.posted_along),
        "form": form,
        "opts": options,
        "original": original,
        "back_url": back_url,
    }
    return TemplateResponse(request, "admin/note.html", context)


def refused(request: HttpRequest, error: ValidationError, back_url: str) -> HttpResponseRedirect:
    """Say why something can't be done now, and go back."""
    messages.error(request, " ".join(error.messages))
    return HttpResponseRedirect(back_url)
