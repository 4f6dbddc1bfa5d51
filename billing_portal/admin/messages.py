"""The outbox: what customers and the platform are told, and each attempt to deliver it."""

import json
from datetime import timedelta
from typing import Any, cast

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import action

from accounts import emails, outbox, platform_webhooks
from accounts.models import DeliveryAttempt, Message, MessageChannel, User
from billing_portal.admin import cells
from billing_portal.admin.base import PartOfParentInline
from billing_portal.admin.confirmed import Confirmation, confirm
from billing_portal.admin.filters import MessageEventFilter, RangeDateTimeFilter
from billing_portal.admin.long_lists import LongListAdmin
from billing_portal.email_frames import frame


def _preformatted(text: str) -> cells.Cell:
    return format_html(
        '<pre dir="auto" style="white-space:pre-wrap;overflow-wrap:anywhere">{}</pre>', text
    )


def _outcome(attempt: DeliveryAttempt) -> cells.Cell:
    """What came of an attempt, in a word."""
    if attempt.status is not None:
        return cells.badge(str(attempt.status), "danger" if attempt.error else "success")
    return cells.badge("Failed", "danger") if attempt.error else cells.badge("Sent", "success")


def _seconds(duration: timedelta) -> cells.Cell:
    return cells.figure(f"{duration.total_seconds():.2f} s")


class DeliveryAttemptInline(PartOfParentInline):
    """Each attempt to deliver the message."""

    model = DeliveryAttempt
    fields = ("at", "number", "outcome", "took", "error")
    readonly_fields = fields
    verbose_name_plural = "delivery attempts"

    @admin.display(description="At (UTC)")
    def at(self, attempt: DeliveryAttempt) -> str:
        """When it began."""
        return cells.when(attempt.started_at)

    @admin.display(description="Answer")
    def outcome(self, attempt: DeliveryAttempt) -> cells.Cell:
        """The status that was answered, or whether it went out."""
        return _outcome(attempt)

    @admin.display(description="Took")
    def took(self, attempt: DeliveryAttempt) -> cells.Cell:
        """How long it took."""
        return _seconds(attempt.duration)


@admin.register(DeliveryAttempt)
class DeliveryAttemptAdmin(LongListAdmin):
    """The delivery log: every attempt of the last weeks."""

    list_display = (
        cells.time_column("started_at", "At"),
        cells.column("message", "Message", cells.link),
        cells.column("message__account", "Account", cells.link),
        "number",
        "outcome",
        "took",
        "error",
    )
    list_select_related = ("message__account",)
    list_filter = (
        "message__channel",
        ("error", admin.EmptyFieldListFilter),
        ("started_at", RangeDateTimeFilter),
    )
    account_field = "message__account"
    time_field = "started_at"
    search_fields = ("message__account__name",)
    search_help_text = "Company, or anything else that an account is found by"
    fields = (
        (cells.column("message", "Message", cells.link), "number"),
        ("outcome", "took", "started_at"),
        "error",
    )
    readonly_fields = ("outcome", "took")

    @admin.display(description="Answer", ordering="status")
    def outcome(self, attempt: DeliveryAttempt) -> cells.Cell:
        """The status that was answered, or whether it went out."""
        return _outcome(attempt)

    @admin.display(description="Took", ordering="duration")
    def took(self, attempt: DeliveryAttempt) -> cells.Cell:
        """How long it took."""
        return _seconds(attempt.duration)


@admin.register(Message)
class MessageAdmin(LongListAdmin):
    """The outbox: what customers and the platform are told. Read-only, but may be sent again."""

    inlines = (DeliveryAttemptInline,)
    actions = ("send_selected_again",)
    actions_detail = ("send_again",)

    list_display = (
        cells.time_column("created_at", "Recorded"),
        cells.column("event", "Event", cells.in_words),
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
        MessageEventFilter,
        ("sent_at", admin.EmptyFieldListFilter),
        ("account", AutocompleteSelectFilter),
    )
    order_of_an_account = ("-created_at", "-id")
    search_fields = ("key",)
    search_help_text = "Key, company, or anything else that an account is found by"
    fields = (
        ("event", "channel"),
        ("account", "recipient"),
        ("created_at", "sent"),
        ("attempts", "next_attempt_at"),
        "last_error",
        "key",
        "content",
    )
    readonly_fields = ("sent", "content")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        """Load the account, whose name and timezone are in what it says."""
        found: QuerySet[Message] = super().get_queryset(request)
        return found.select_related("account")

    def also_found(self, term: str) -> list[int]:
        """Return the messages of a key, of whichever channel."""
        found = Message.objects.filter(channel__in=MessageChannel.values, key=term)
        return list(found.values_list("pk", flat=True))

    def get_urls(self) -> list[Any]:
        """Add the address of an e-mail's HTML, for the frame of its page."""
        html = path(
            "<path:object_id>/html/",
            self.admin_site.admin_view(self.html),
            name="accounts_message_html",
        )
        return [html, *super().get_urls()]

    def html(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The HTML of one e-mail, for whoever may view the message."""
        message = self.get_object(request, object_id)
        if message is None or message.channel != MessageChannel.EMAIL:
            raise Http404("No such e-mail.")
        if not self.has_view_permission(request, message):
            raise PermissionDenied
        html, _ = emails.compose(message).alternatives[0]
        return frame(str(html))

    @admin.display(description="What it says")
    def content(self, message: Message) -> cells.Cell:
        """An e-mail as HTML and as text, an event as it is posted."""
        if message.channel == MessageChannel.PLATFORM:
            return _preformatted(json.dumps(platform_webhooks.content(message), indent=2))
        try:
            email = emails.compose(message)
        except Exception as error:  # noqa: BLE001
            # Of another version of the templates, or broken: that must not hide its attempts.
            return f"It cannot be composed: {type(error).__name__}: {error}"
        return format_html(
            '<p><strong dir="auto">{}</strong></p><iframe src="{}" title="The e-mail as HTML" '
            'sandbox="allow-top-navigation-by-user-activation" '
            'style="width:100%;height:40rem;border:0;border-radius:8px;margin:1rem 0"></iframe>{}',
            email.subject,
            reverse("admin:accounts_message_html", args=[message.pk]),
            _preformatted(str(email.body)),
        )

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
    def send_selected_again(
        self, request: HttpRequest, queryset: QuerySet[Message]
    ) -> HttpResponse:
        """Ask why, and send the selected messages again, from their first attempt."""
        chosen = list(queryset)
        marked = [("action", "send_selected_again"), ("answers", "1")]
        confirmation = Confirmation(
            title="Send again",
            effect=f"{len(chosen):,} marked: each goes out again within seconds, and is tried for "
            "three days if it fails. Whoever got it may get it twice.",
            act=lambda by, wish: _replay(chosen, by, wish["reason"]),
            posted_along=[*marked, *((ACTION_CHECKBOX_NAME, str(one.pk)) for one in chosen)],
        )
        return confirm(
            request,
            confirmation,
            site=self.admin_site,
            target=Message,
            back_url=cells.list_url(Message),
            is_answer="answers" in request.POST,
        )

    @action(
        description="Send again", url_path="send-again", permissions=["send_again"], icon="forward"
    )
    def send_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Say what sending it again does, and do it when confirmed."""
        message = self.get_object(request, object_id)
        if message is None:
            raise Http404("No such message.")
        to = message.recipient or "the platform"
        effect = f"It goes to {to} within seconds, and is tried for three days if it fails."
        if message.sent_at:
            effect += " It was sent before: whoever got it may get it twice."
        if message.channel == MessageChannel.PLATFORM:
            effect += " It has the same webhook-id as before."
        confirmation = Confirmation(
            title="Send again",
            effect=effect,
            act=lambda by, wish: _replay([message], by, wish["reason"]),
        )
        return confirm(request, confirmation, site=self.admin_site, target=message)


def _replay(chosen: list[Message], by: User, reason: str) -> str:
    """Have them sent again; return what to say."""
    count = outbox.replay(messages=chosen, by=by, reason=reason, now=timezone.now())
    left = len(chosen) - count
    nobody = "no platform listens (PLATFORM_WEBHOOK_URL is not set)"
    if not count:
        raise ValidationError(f"Nothing is sent: {nobody}.")
    return f"{count} to be sent again." + (f" {left} left as they are: {nobody}." if left else "")
