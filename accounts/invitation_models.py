"""Invitations: who was asked to become a member of an account, by whom, and what came of it."""

import uuid
from datetime import datetime

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from accounts.roles import Role


class Invitation(models.Model):
    """An e-mail address that was invited to an account, with a role.

    Open until it is accepted or revoked; the link in the e-mail works until `expires_at`. Only a
    hash of the link's token is kept: the link is made when the e-mail is sent, and each time it is
    sent again with another token, so that one link works.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(
        "accounts.Account", on_delete=models.CASCADE, related_name="invitations"
    )
    email = models.EmailField()
    role = models.CharField(max_length=16, choices=Role.choices)
    token_hash = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(
        "accounts.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(help_text="When the newest link was made.")
    times_sent = models.PositiveSmallIntegerField(default=1)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(
        "accounts.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                F("account"),
                Lower("email"),
                condition=Q(accepted_at__isnull=True, revoked_at__isnull=True),
                name="one_open_invitation_per_address",
            ),
            models.CheckConstraint(
                condition=Q(role__in=Role.values), name="an_invitation_has_a_known_role"
            ),
            models.CheckConstraint(
                condition=Q(accepted_at__isnull=True) | Q(revoked_at__isnull=True),
                name="an_invitation_ends_once",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("sent_at")), name="an_invitation_lasts_a_while"
            ),
        ]
        indexes = [models.Index(fields=["account", "-created_at"], name="invitations_of_account")]

    def __str__(self) -> str:
        return self.email

    def is_open(self, *, now: datetime) -> bool:
        """Whether its link works."""
        ended = self.accepted_at is not None or self.revoked_at is not None
        return not ended and now < self.expires_at
