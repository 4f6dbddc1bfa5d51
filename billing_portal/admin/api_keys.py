"""Keys of the REST API: made here, shown once, revoked here."""

from typing import cast

from django import forms
from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts import api_keys
from accounts.models import ApiKey, User
from billing_portal.admin import cells
from billing_portal.admin.base import ActionsNeedChangeMixin, PortalAdmin


class NewKeyForm(forms.Form):
    """A key is known by who uses it."""

    name = forms.CharField(
        max_length=100,
        help_text="Who uses it: platform production, data warehouse.",
        widget=UnfoldAdminTextInputWidget,
    )


@admin.register(ApiKey)
class ApiKeyAdmin(ActionsNeedChangeMixin, PortalAdmin):
    """The platform's keys. Only a hash is kept."""

    list_display = (
        "name",
        "prefix",
        "state",
        cells.time_column("created_at", "Created"),
        cells.time_column("last_used_at", "Last used"),
        cells.time_column("revoked_at", "Revoked"),
    )
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    search_fields = ("name", "prefix")
    fields = ("name", "prefix", "created_at", "last_used_at", "revoked_at")
    readonly_fields = ("prefix", "created_at", "last_used_at", "revoked_at")
    actions = ("revoke",)
    actions_list = ("new_key",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A key is made with its own form: the secret has to be shown once."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """A key is revoked, not deleted: it stands in the records."""
        return False

    def has_new_key_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Whoever may add a key."""
        return cast(User, request.user).has_perm("accounts.add_apikey")

    @admin.display(description="State", ordering="revoked_at")
    def state(self, key: ApiKey) -> cells.Cell:
        """Valid or revoked."""
        if key.revoked_at:
            return cells.badge("Revoked", "danger")
        return cells.badge("Valid", "success")

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
            _, token = api_keys.create(
                name=form.cleaned_data["name"], now=timezone.now(), by=cast(User, request.user)
            )
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

    @admin.action(description="Revoke selected keys", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        """Stop accepting the keys, at once."""
        for key in queryset:
            api_keys.revoke(key=key, now=timezone.now(), by=cast(User, request.user))
        self.message_user(request, "The selected keys are worthless now.", messages.SUCCESS)
