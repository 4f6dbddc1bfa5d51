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


class ApiKey(models.Model):
    """A key of the REST API. Only a hash is kept; the secret is shown once.

    The key consists of 160 random bits, so a plain SHA-256 is as good as a slow hash: there is
    nothing to guess.
    """

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
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def has_expired(self, *, now: datetime) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and self.expires_at <= now
