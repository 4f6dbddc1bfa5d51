"""Keys of the REST API, and what each of them may do."""

from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q


class Scope(models.TextChoices):
    """What a key may do beside reading the catalogue. None of them implies another."""

    USAGE_WRITE = "usage:write", "Report usage"
    ACCOUNTS_READ = "accounts:read", "Read accounts and ask whether a call may start"
    ACCOUNTS_WRITE = "accounts:write", "Provision and change accounts"
    RENTALS_WRITE = "rentals:write", "Take and release rentals, which charges cards"


#: All that a key of a customer may do; the database keeps to it.
CUSTOMER_SCOPES = [Scope.ACCOUNTS_READ.value]


class ApiKey(models.Model):
    """A key of the REST API. Only a hash is kept; the secret is shown once.

    The platform's keys reach every account. A customer's key is bound to one, for good: a trigger
    refuses another account.

    The key consists of 160 random bits, so a plain SHA-256 is as good as a slow hash: there is
    nothing to guess.
    """

    account = models.ForeignKey(
        "accounts.Account",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="api_keys",
        help_text="Of a customer: all it may do is read this account. None: the platform's.",
    )
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=16, unique=True)
    secret_hash = models.CharField(max_length=64, unique=True)
    scopes = ArrayField(models.CharField(max_length=32, choices=Scope.choices))
    requests_per_minute = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Of each kind of call; nothing: the portal's general limits.",
    )
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    request_key = models.CharField(
        max_length=64, blank=True, editable=False, help_text="Of the form that made it."
    )

    class Meta:
        verbose_name = "API key"
        constraints = [
            models.CheckConstraint(
                condition=Q(scopes__contained_by=Scope.values) & ~Q(scopes=[]),
                name="a_key_has_scopes_that_are_known",
            ),
            models.CheckConstraint(
                condition=Q(requests_per_minute__isnull=True) | Q(requests_per_minute__gte=1),
                name="a_key_may_ask_at_least_once_a_minute",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__isnull=True) | Q(expires_at__gt=F("created_at")),
                name="a_key_expires_after_it_was_made",
            ),
            models.CheckConstraint(
                condition=Q(account__isnull=True) | Q(scopes=CUSTOMER_SCOPES),
                name="a_customers_key_only_reads",
            ),
            models.UniqueConstraint(
                fields=["account", "request_key"],
                condition=~Q(request_key=""),
                name="one_key_for_a_form",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def has_expired(self, *, now: datetime) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and self.expires_at <= now


class IdempotentRequest(models.Model):
    """A request that was sent with an `Idempotency-Key`: claimed first, later with its answer.

    Whoever claimed it works until `claimed_until`; without an answer by then it has died, and the
    next one who sends the request goes on.
    """

    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="requests")
    target = models.CharField(max_length=200, help_text="What it makes or changes.")
    idempotency_key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="The SHA-256 of what was asked for.")
    claimed_until = models.DateTimeField()
    created_at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    body = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["api_key", "target", "idempotency_key"],
                name="one_answer_per_idempotency_key",
            ),
            models.CheckConstraint(
                condition=Q(status__isnull=True, body="") | Q(status__range=(200, 299)),
                name="only_success_is_answered_again",
            ),
        ]
        indexes = [models.Index(fields=["created_at"], name="idempotent_requests_by_age")]

    def __str__(self) -> str:
        return self.idempotency_key
