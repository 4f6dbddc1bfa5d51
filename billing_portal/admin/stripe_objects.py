"""Stripe's own objects as dj-stripe keeps them: to look at, never to change here."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from djstripe import models
from djstripe.models import (
    Account,
    BalanceTransaction,
    Charge,
    Customer,
    Dispute,
    Event,
    PaymentIntent,
    PaymentMethod,
    Refund,
    Session,
    SetupIntent,
    WebhookEndpoint,
    WebhookEventTrigger,
)

from accounts.webhooks import EVENTS
from billing_portal.admin import cells
from billing_portal.admin.base import ReadOnlyAdmin

for _model in list(admin.site._registry):
    if _model._meta.app_label == "djstripe":
        # Most are of no use here, and dj-stripe's own pages can change and fetch things.
        admin.site.unregister(_model)

#: With these somebody could act as us or as the customer.
SECRETS = frozenset({"secret", "client_secret", "api_key", "hosted_verification_url"})


def without_secrets(value: Any) -> Any:
    """Return JSON data with every secret in it replaced."""
    if isinstance(value, dict):
        return {
            key: "(hidden)" if key in SECRETS and inner else without_secrets(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [without_secrets(inner) for inner in value]
    return value


def as_json(value: Any) -> SafeString:
    """Show JSON data indented."""
    text = json.dumps(without_secrets(value), indent=2, sort_keys=True, default=str)
    return format_html(
        '<pre class="max-w-4xl overflow-x-auto text-xs" style="white-space:pre-wrap">{}</pre>', text
    )


class StripeObjectAdmin(ReadOnlyAdmin):
    """An object of Stripe's: its id, when it was made, and everything Stripe says of it."""

    #: What is shown of the object's data in the list.
    shown: tuple[str, ...] = ()
    search_fields: tuple[str, ...] = ("id__exact",)
    search_help_text = "Stripe's id"
    list_filter: tuple[Any, ...] = ("livemode",)
    # Nearly the order in which Stripe made them, and one that has an index.
    ordering = ("-djstripe_id",)
    sortable_by = ()
    readonly_fields: tuple[str, ...] = ("mode", "data_shown")
    fields: tuple[Any, ...] = (("id", "created", "mode"), "data_shown")

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """The id, what matters of the data, and when."""
        columns = [_data_column(key) for key in self.shown]
        return ["id", *columns, cells.time_column("created", "Created"), "livemode"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        """Load the owner with the object."""
        objects: QuerySet[Model] = super().get_queryset(request)
        return objects.select_related("djstripe_owner_account")

    @admin.display(description="Mode")
    def mode(self, record: Any) -> SafeString:
        """Real money or not."""
        return cells.badge("Live", "success") if record.livemode else cells.badge("Test")

    @admin.display(description="What Stripe says")
    def data_shown(self, record: Any) -> SafeString:
        """All of the object without its secrets."""
        return as_json(record.stripe_data)


def _data_column(key: str) -> cells.Column:
    @admin.display(description=key.replace("_", " ").capitalize())
    def cell(record: Any) -> str:
        value = (record.stripe_data or {}).get(key)
        return cells.NOTHING if value in (None, "") else str(value)

    cell.__name__ = f"{key}_cell"
    return cell


SHOWN: dict[type[Model], tuple[str, ...]] = {
    Account: ("country", "default_currency"),
    BalanceTransaction: ("type", "amount", "fee", "net", "currency"),
    Charge: ("customer", "amount", "currency", "status", "failure_code"),
    Customer: ("name", "email"),
    Dispute: ("charge", "amount", "currency", "reason", "status"),
    PaymentIntent: ("customer", "amount", "currency", "status", "capture_method"),
    PaymentMethod: ("customer", "type"),
    Refund: ("charge", "amount", "currency", "reason", "status"),
    Session: ("customer", "mode", "status", "payment_status", "amount_total", "currency"),
    SetupIntent: ("customer", "status", "usage"),
    WebhookEndpoint: ("url", "status", "api_version"),
}
for _model, _shown in SHOWN.items():
    admin.site.register(
        _model, type(f"{_model.__name__}Admin", (StripeObjectAdmin,), {"shown": _shown})
    )


class EventTypeFilter(admin.SimpleListFilter):
    """What an event tells: of what the portal listens to, for the table is not read for a list."""

    title = "type"
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer what the portal listens to."""
        return [(event, event) for event in sorted(EVENTS)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event] | None:
        """Narrow the list."""
        return queryset.filter(type=self.value()) if self.value() else None


@admin.register(Event)
class EventAdmin(StripeObjectAdmin):
    """What Stripe told us."""

    shown = ("api_version",)
    list_filter = ("livemode", EventTypeFilter)
    readonly_fields = ("mode", "event_shown")
    fields = (("id", "type"), ("created", "mode"), "event_shown")

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """The type matters most."""
        return ["id", "type", cells.time_column("created", "Created"), "livemode"]

    @admin.display(description="What it says")
    def event_shown(self, event: models.Event) -> SafeString:
        """The event's data without secrets."""
        return as_json(event.data)


@admin.register(WebhookEventTrigger)
class WebhookEventTriggerAdmin(ReadOnlyAdmin):
    """Each time Stripe knocked, and whether it was let in."""

    list_display = (
        "id",
        cells.time_column("created", "At"),
        "event",
        "remote_ip",
        "valid",
        "processed",
        "exception",
    )
    list_select_related = ("event",)
    list_filter = ("valid", "processed")
    ordering = ("-id",)
    sortable_by = ()
    readonly_fields = ("body_shown",)
    fields = (
        ("created", "remote_ip"),
        ("valid", "processed"),
        "event",
        "exception",
        "traceback",
        "body_shown",
    )

    @admin.display(description="Body")
    def body_shown(self, trigger: models.WebhookEventTrigger) -> SafeString:
        """What was sent, without secrets."""
        try:
            return as_json(json.loads(trigger.body))
        except ValueError:
            return as_json(trigger.body)
