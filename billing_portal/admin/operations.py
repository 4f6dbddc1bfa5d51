"""What runs the portal: keys, history, outbox, heartbeats, schedules and sign-in."""

from typing import cast

from allauth.account.admin import EmailAddressAdmin as AllauthEmailAddressAdmin
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RangeDateTimeFilter
from unfold.decorators import action

from accounts import outbox
from accounts.models import AuditEvent, Message, MessageChannel, User
from billing_portal.admin import cells
from billing_portal.admin.base import ActionsNeedChangeMixin, PortalAdmin, ReadOnlyAdmin
from billing_portal.models import Heartbeat

admin.site.unregister(EmailAddress)
admin.site.unregister(Authenticator)


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    """Who did what, when and why."""

    list_display = (
        cells.time_column("created_at", "At"),
        "action",
        cells.account_column(),
        "actor",
        "reason",
    )
    list_select_related = ("account", "actor")
    list_filter = (
        "action",
        ("created_at", RangeDateTimeFilter),
        ("actor", AutocompleteSelectFilter),
        ("account", AutocompleteSelectFilter),
    )
    search_fields = ("action", "account__name", "actor__email", "reason")


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    """The outbox: what customers and the platform are told. Read-only, but may be sent again."""

    actions = ("send_selected_again",)
    actions_detail = ("send_again",)

    list_display = (
        cells.time_column("created_at", "Recorded"),
        "event",
        "channel",
        cells.account_column(),
        "recipient",
        "sent",
        "attempts",
        "last_error",
    )
    list_select_related = ("account",)
    list_filter = (
        "channel",
        "event",
        ("sent_at", admin.EmptyFieldListFilter),
        ("account", AutocompleteSelectFilter),
    )
    search_fields = ("recipient", "account__name", "key__exact")

    @admin.display(description="Sent (UTC)", ordering="sent_at")
    def sent(self, message: Message) -> cells.Cell:
        """When it left, or that it waits."""
        if message.sent_at:
            return cells.when(message.sent_at)
        return cells.badge("Waiting", "danger" if message.last_error else "info")

    # A method, for a dotted permission is looked up by Unfold's system check, which the first
    # migrate runs before there is a table of permissions.
    def has_send_again_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Whoever may change a message; nobody edits one."""
        return cast(User, request.user).has_perm("accounts.change_message")

    @admin.action(description="Send again", permissions=["send_again"])
    def send_selected_again(self, request: HttpRequest, queryset: QuerySet[Message]) -> None:
        """Send the selected messages again, from their first attempt."""
        self._replay(request, list(queryset))

    @action(
        description="Send again", url_path="send-again", permissions=["send_again"], icon="forward"
    )
    def send_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Say what sending it again does, and do it when confirmed."""
        message = self.get_object(request, object_id)
        if message is None:
            raise Http404("No such message.")
        back_url = reverse("admin:accounts_message_change", args=[message.pk])
        if request.method == "POST":
            self._replay(request, [message])
            return HttpResponseRedirect(back_url)
        to = message.recipient or "the platform"
        effect = f"It goes to {to} within seconds, and is tried for three days if it fails."
        if message.sent_at:
            effect += " It was sent before: whoever got it may get it twice."
        if message.channel == MessageChannel.PLATFORM:
            effect += " It has the same webhook-id as before."
        return TemplateResponse(
            request,
            "admin/note.html",
            {
                **self.admin_site.each_context(request),
                "title": f"Send again: {message}",
                "heading": "Send again",
                "effect": effect,
                "button": "Send again",
                "opts": Message._meta,
                "original": message,
                "back_url": back_url,
            },
        )

    def _replay(self, request: HttpRequest, chosen: list[Message]) -> None:
        count = outbox.replay(messages=chosen, by=cast(User, request.user), now=timezone.now())
        if count:
            self.message_user(request, f"{count} to be sent again.", messages.SUCCESS)
        if left := len(chosen) - count:
            self.message_user(
                request,
                f"{left} left as they are: no platform listens (PLATFORM_WEBHOOK_URL is not set).",
                messages.WARNING,
            )


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    """When each scheduled job last ran to its end."""

    list_display = ("name", cells.time_column("at", "Last ran"))


@admin.register(EmailAddress)
class EmailAddressAdmin(ActionsNeedChangeMixin, AllauthEmailAddressAdmin, PortalAdmin):
    """Addresses people sign in with."""

    raw_id_fields = ()
    autocomplete_fields = ("user",)
    list_select_related = ("user",)

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        """There are no user names here."""
        return ("email", "user__email")


@admin.register(Authenticator)
class AuthenticatorAdmin(ReadOnlyAdmin):
    """Second factors: which exist, never their secrets."""

    list_display = (
        "user",
        "type",
        cells.time_column("created_at", "Added"),
        cells.time_column("last_used_at", "Last used"),
    )
    list_select_related = ("user",)
    list_filter = ("type",)
    search_fields = ("user__email",)
    fields = ("user", "type", "created_at", "last_used_at")
