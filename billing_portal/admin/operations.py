"""What runs the portal: keys, history, outbox, heartbeats, schedules and sign-in."""

from allauth.account.admin import EmailAddressAdmin as AllauthEmailAddressAdmin
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RangeDateTimeFilter

from accounts.models import AuditEvent, Message
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
    """The outbox: what customers and the platform are told."""

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
