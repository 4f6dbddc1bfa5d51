"""The outbox: what is told to customers, staff and the platform, and each attempt to deliver it."""

from django.db import models
from django.db.models import F, Q


class MessageChannel(models.TextChoices):
    """How a message leaves the portal."""

    EMAIL = "email", "E-mail"
    PLATFORM = "platform", "Platform webhook"


class Message(models.Model):
    """The outbox: recorded with the change that causes it, sent by the worker afterwards.

    `key` says what the message is about, so that it is recorded once however often the change
    is attempted.
    """

    account = models.ForeignKey(
        "accounts.Account",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="messages",
        help_text="Whom it is about; none for what staff are told of the whole.",
    )
    channel = models.CharField(max_length=16, choices=MessageChannel)
    event = models.CharField(max_length=64)
    key = models.CharField(max_length=200)
    recipient = models.CharField(max_length=254, blank=True)
    payload = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    next_attempt_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.TextField(blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["channel", "key"], name="one_message_per_cause"),
            models.CheckConstraint(
                condition=Q(account__isnull=False)
                | Q(channel=MessageChannel.EMAIL) & ~Q(recipient=""),
                name="a_message_is_about_an_account_or_to_somebody",
            ),
        ]
        indexes = [
            models.Index(
                F("next_attempt_at"), condition=Q(sent_at__isnull=True), name="messages_to_send"
            ),
            # What was sent to one account, newest first.
            models.Index(
                fields=["account", "channel", "-created_at", "-id"], name="messages_of_account"
            ),
            # Staff's list of all accounts: however seldom something is told.
            models.Index(fields=["event", "-id"], name="messages_by_event"),
        ]

    def __str__(self) -> str:
        return f"{self.event} to {self.recipient or 'the platform'}"


class DeliveryAttempt(models.Model):
    """One attempt to deliver a message, and its outcome. Never changed; deleted after a while."""

    message = models.ForeignKey(Message, on_delete=models.PROTECT, related_name="delivery_attempts")
    number = models.PositiveSmallIntegerField(
        help_text="Begins anew when the message is sent again."
    )
    started_at = models.DateTimeField()
    duration = models.DurationField()
    status = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="What the platform answered; nothing for an e-mail."
    )
    error = models.TextField(blank=True)

    class Meta:
        ordering = ["-started_at", "-id"]
        indexes = [
            models.Index(fields=["message", "-started_at"], name="attempts_of_message"),
            models.Index(fields=["started_at"], name="attempts_by_age"),
        ]

    def __str__(self) -> str:
        return f"Attempt {self.number}"
