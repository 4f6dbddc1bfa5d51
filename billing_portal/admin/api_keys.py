"""Keys of the REST API: made here, shown once, revoked here."""

from datetime import timedelta
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from accounts import api_keys
from accounts.models import ApiKey, Scope, User
from billing_portal.admin import cells
from billing_portal.admin.confirmed import Confirmation, ReasonField, confirm
from billing_portal.admin.edits import EditedAdmin, why
from billing_portal.admin.filters import KeyStateFilter, ScopeFilter


class NewKeyForm(forms.Form):
    """Who uses a key, what it may do and until when. Nothing is ticked: its maker decides."""

    name = forms.CharField(
        max_length=100,
        help_text="Who uses it: platform production, data warehouse.",
        widget=UnfoldAdminTextInputWidget,
    )
    scopes = forms.MultipleChoiceField(
        label="It may",
        choices=[(scope.value, f"{scope.label} ({scope.value})") for scope in Scope],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        error_messages={"required": "Tick what this key is for."},
        help_text="Every key reads the catalogue. Give it what its program does, and no more.",
    )
    expires_in_days = forms.TypedChoiceField(
        label="It expires",
        choices=[
            ("30", "In 30 days"),
            ("90", "In 90 days"),
            ("365", "In a year"),
            ("", "Never: until it is revoked"),
        ],
        initial="365",
        coerce=int,
        empty_value=None,
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    requests_per_minute = forms.IntegerField(
        min_value=1,
        max_value=1_000_000,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Of each kind of call. Empty: the portal's general limits.",
    )
    reason = ReasonField()


@admin.register(ApiKey)
class ApiKeyAdmin(EditedAdmin):
    """The platform's keys, and those that customers made. Only a hash is kept."""

    list_display = (
        "name",
        "prefix",
        cells.account_column(),
        "state",
        "may",
        cells.time_column("created_at", "Created"),
        cells.time_column("last_used_at", "Last used"),
        cells.time_column("expires_at", "Expires"),
        cells.time_column("revoked_at", "Revoked"),
    )
    list_select_related = ("account",)
    list_filter = (KeyStateFilter, ScopeFilter, ("account", AutocompleteSelectFilter))
    search_fields = ("name", "prefix", "account__name")
    readonly_fields = (
        "prefix",
        "account",
        "may",
        "created_at",
        "last_used_at",
        "expires_at",
        "revoked_at",
    )
    fields = ("name", "requests_per_minute", *readonly_fields)
    actions_list = ("new_key",)
    actions_detail = ("revoke",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A key is made with its own form: the secret has to be shown once."""
        return False

    def has_new_key_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Whoever may add a key."""
        return cast(User, request.user).has_perm("accounts.add_apikey")

    @admin.display(description="State", ordering="revoked_at")
    def state(self, key: ApiKey) -> cells.Cell:
        """Valid, expired or revoked."""
        if key.revoked_at:
            return cells.badge("Revoked", "danger")
        if key.has_expired(now=timezone.now()):
            return cells.badge("Expired", "warning")
        return cells.badge("Valid", "success")

    @admin.display(description="Scopes")
    def may(self, key: ApiKey) -> str:
        """What it may do."""
        return ", ".join(key.scopes)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        """Change the name or the limit, with an audit event."""
        api_keys.change(
            key=obj,
            name=obj.name,
            requests_per_minute=obj.requests_per_minute,
            now=timezone.now(),
            by=cast(User, request.user),
            reason=why(form),
        )

    def note_edit(self, request: HttpRequest, *noted: Any, **words: Any) -> None:
        """The service has noted it, in its own words."""

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Offer to revoke what is still good for something."""
        key = self.get_object(request, object_id)
        if key is None or key.revoked_at:
            return []
        return super().get_actions_detail(request, object_id)

    @action(
        description="New API key",
        url_path="new-key",
        permissions=["new_key"],
        icon="key",
        variant=ActionVariant.PRIMARY,
    )
    def new_key(self, request: HttpRequest) -> HttpResponse:
        """Make a key and show its secret, this once."""
        form = NewKeyForm(request.POST or None)
        token = ""
        if request.method == "POST" and form.is_valid():
            token = self._make(form, cast(User, request.user))
        return TemplateResponse(
            request,
            "admin/new_key.html",
            {
                **self.admin_site.each_context(request),
                "title": "New API key",
                "opts": ApiKey._meta,
                "form": form,
                "token": token,
                "back_url": reverse("admin:accounts_apikey_changelist"),
            },
        )

    def _make(self, form: NewKeyForm, by: User) -> str:
        """Return the token of a new key, or "" with the form's errors."""
        now, wish = timezone.now(), dict(form.cleaned_data)
        days: int | None = wish.pop("expires_in_days")
        expires_at = now + timedelta(days=days) if days else None
        try:
            _, token = api_keys.create(**wish, expires_at=expires_at, now=now, by=by)
        except ValidationError as error:
            form.add_error(None, error)
            return ""
        return token

    @action(
        description="Revoke",
        url_path="revoke",
        permissions=["change"],
        icon="key_off",
        variant=ActionVariant.DANGER,
    )
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, and stop accepting the key at once."""
        key = self.get_object(request, object_id)
        if key is None:
            raise Http404("No such key.")
        confirmation = Confirmation(
            title=f"Revoke {key.name}",
            effect="Whatever calls with it is refused from the next request on. It can't be taken "
            "back: a new key has to be made.",
            act=lambda by, wish: _revoke(key, by, wish["reason"]),
            danger=True,
        )
        return confirm(request, confirmation, site=self.admin_site, target=key)


def _revoke(key: ApiKey, by: User, reason: str) -> str:
    """Revoke it; return what to say."""
    api_keys.revoke(key=key, now=timezone.now(), by=by, reason=reason)
    return f"{key.name} is worthless now."
