"""People who sign in: members of accounts, and staff."""

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Lower
from django.utils.crypto import salted_hmac

from accounts.partial_match import Trigrams


class UserManager(BaseUserManager["User"]):
    """Users are known by their e-mail address, whatever its case."""

    use_in_migrations = True

    def get_by_natural_key(self, username: str | None) -> "User":
        """Return the user with this e-mail address."""
        return self.get(email__iexact=username)

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create a user; without a password they must reset it before they can sign in."""
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create a member of staff who may do everything."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractUser):
    """A person who signs in: a member of one or more accounts, or staff."""

    username = None  # type: ignore[assignment]
    email = models.EmailField("e-mail address", unique=True)
    language = models.CharField(
        max_length=8, blank=True, choices=settings.LANGUAGES, help_text="None: as the browser asks."
    )

    session_generation = models.PositiveIntegerField(
        default=0, editable=False, help_text="Raised to end all sessions."
    )

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(Lower("email"), name="one_user_per_email_whatever_its_case")
        ]
        indexes = [GinIndex(Trigrams("email"), name="users_by_part_of_email")]
        permissions = [
            ("end_sessions", "Can sign a person out everywhere"),
            ("manage_staff", "Can let colleagues in and give them their role"),
            ("remove_second_factor", "Can take away a second factor that somebody has lost"),
        ]

    def __str__(self) -> str:
        return self.email

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Return the proof that each session holds: of another password or generation it is none.

        That of the first generation is Django's own, so that an upgrade signs nobody out.
        """
        if not self.session_generation:
            return super()._get_session_auth_hash(secret=secret)  # type: ignore[misc]
        return salted_hmac(
            "accounts.User.session_generation",
            f"{self.session_generation}:{self.password}",
            secret=secret,
            algorithm="sha256",
        ).hexdigest()

    @property
    def spoken_name(self) -> str:
        """What others call them: their name, or else their address."""
        return self.get_full_name() or self.email
