"""Who pays, how we reach them, and their cards.

Django wants all models importable from here; people, keys and the outbox have their own files.
"""

import uuid
from calendar import monthrange
from datetime import date

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex, GinIndex, OpClass
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _
from django_countries.fields import CountryField
from timezone_field import TimeZoneField

from accounts.api_key_models import ApiKey, IdempotentRequest, Scope
from accounts.invitation_models import Invitation
from accounts.message_models import DeliveryAttempt, Message, MessageChannel
from accounts.partial_match import Trigrams
from accounts.roles import Role
from accounts.user_models import User

__all__ = [
    "Account",
    "ApiKey",
    "AuditEvent",
    "Card",
    "CardAttempt",
    "CardAttemptOutcome",
    "CardStatus",
    "DeliveryAttempt",
    "IdempotentRequest",
    "Invitation",
    "Membership",
    "Message",
    "MessageChannel",
    "PauseReason",
    "Scope",
    "User",
]


class PauseReason(models.TextChoices):
    """Why an account's services are paused."""

    NEGATIVE_BALANCE = "negative_balance", _("The balance is below zero")
    SUBSCRIPTION_UNPAID = "subscription_unpaid", _("The subscription is unpaid")
    SPEND_CAP = "spend_cap", _("The spend cap is reached")
    LOCKED = "locked", _("Locked by support")


#: How many addresses beside the billing contact get receipts.
MAXIMUM_RECEIPT_COPIES = 5


class Account(models.Model):
    """A customer organisation: the tenant.

    Its services are paused exactly while `pause_reasons` is not empty (invariant I13): the state
    is derived, so the two cannot disagree.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    external_id = models.CharField(
        max_length=200, blank=True, help_text="The platform's own id of this customer."
    )
    name = models.CharField(max_length=200)
    owner_email = models.EmailField()
    timezone = TimeZoneField(default="UTC")
    language = models.CharField(
        max_length=8,
        blank=True,
        choices=settings.LANGUAGES,
        help_text="Of e-mails, where the owner has chosen none.",
    )
    pause_reasons = ArrayField(
        models.CharField(max_length=32, choices=PauseReason.choices), default=list, blank=True
    )
    lock_note = models.TextField(blank=True)
    stripe_customer_id = models.CharField(max_length=255, blank=True)
    billing_name = models.CharField(max_length=200, blank=True)
    address_line1 = models.CharField(max_length=200, blank=True)
    address_line2 = models.CharField(max_length=200, blank=True)
    city = models.CharField(max_length=100, blank=True)
    country = CountryField(
        blank=True, blank_label="No country", help_text="It decides which tax is added to prices."
    )
    tax_number = models.CharField(max_length=50, blank=True)
    receipt_email = models.EmailField(blank=True)
    receipt_copies = ArrayField(
        models.EmailField(),
        default=list,
        blank=True,
        help_text="Who gets receipts and credit notes, too: addresses with commas between them.",
    )
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["name", "id"]
        permissions = [
            ("add_note", "Can note something about an account for colleagues"),
            ("lock_services", "Can lock services and unlock them"),
            ("view_as_customer", "Can view the dashboard as a customer sees it"),
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="accounts_by_age"),
            models.Index(Upper("owner_email"), name="accounts_by_owner_email"),
            models.Index(fields=["name", "id"], name="accounts_by_name"),
            GinIndex(Trigrams("name"), name="accounts_by_part_of_name"),
            GinIndex(Trigrams("owner_email"), name="accounts_by_part_of_email"),
            models.Index(
                OpClass(Upper("name"), name="text_pattern_ops"), name="accounts_by_start_of_name"
            ),
            models.Index(
                fields=["-created_at", "-id"],
                condition=~Q(pause_reasons=[]),
                name="paused_accounts_by_age",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["external_id"],
                condition=~Q(external_id=""),
                name="one_account_per_external_id",
            ),
            models.UniqueConstraint(
                fields=["stripe_customer_id"],
                condition=~Q(stripe_customer_id=""),
                name="one_account_per_stripe_customer",
            ),
            models.CheckConstraint(
                condition=Q(pause_reasons__contained_by=PauseReason.values),
                name="pause_reasons_are_known",
            ),
            models.CheckConstraint(
                condition=Q(receipt_copies__len__lte=MAXIMUM_RECEIPT_COPIES),
                name="receipts_have_so_many_copies",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def services(self) -> str:
        """`paused` while any reason holds, else `active`."""
        return "paused" if self.pause_reasons else "active"

    @property
    def contact_email(self) -> str:
        """Where receipts and notices go."""
        return self.receipt_email or self.owner_email


class Membership(models.Model):
    """A user's role in an account. An account that has an owner keeps one: a trigger sees to it."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "user"], name="one_role_per_member"),
            models.CheckConstraint(
                condition=Q(role__in=Role.values), name="a_member_has_a_known_role"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.user_id}"


class CardStatus(models.TextChoices):
    """The life of a card: verifying → verified or rejected; verified → removed."""

    VERIFYING = "verifying", _("Verifying")
    VERIFIED = "verified", _("Verified")
    REJECTED = "rejected", _("Rejected")
    REMOVED = "removed", _("Removed")


class Card(models.Model):
    """A saved payment method, and the $1 hold that verified it.

    The hold is never a charge: it is placed under a key of the card's SetupIntent and always
    voided, in the same request or by the sweeper (invariant I12).
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="cards")
    stripe_payment_method_id = models.CharField(max_length=255, unique=True)
    stripe_setup_intent_id = models.CharField(max_length=255, unique=True)
    brand = models.CharField(max_length=32)
    last4 = models.CharField(max_length=4)
    exp_month = models.PositiveSmallIntegerField()
    exp_year = models.PositiveSmallIntegerField()
    fingerprint = models.CharField(max_length=64, blank=True)
    holder_name = models.CharField(max_length=200, blank=True)
    status = models.CharField(max_length=16, choices=CardStatus, default=CardStatus.VERIFYING)
    is_default = models.BooleanField(default=False)
    rejection_message = models.CharField(max_length=500, blank=True)
    stripe_hold_id = models.CharField(
        max_length=255, blank=True, help_text="The PaymentIntent of the $1 hold."
    )
    hold_voided_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField(
        null=True, blank=True, help_text="When the bank last changed its number or expiry."
    )
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-is_default", "-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["account"],
                condition=Q(is_default=True),
                name="one_default_card_per_account",
            ),
            models.CheckConstraint(
                condition=Q(is_default=False) | Q(status=CardStatus.VERIFIED),
                name="the_default_card_is_verified",
            ),
            models.CheckConstraint(
                condition=~Q(status=CardStatus.VERIFIED) | Q(hold_voided_at__isnull=False),
                name="a_verified_card_has_its_hold_voided",
            ),
        ]
        indexes = [
            models.Index(fields=["last4"], name="cards_by_last_four"),
            models.Index(
                fields=["stripe_hold_id"], condition=~Q(stripe_hold_id=""), name="cards_by_hold"
            ),
        ]

    def __str__(self) -> str:
        return card_in_words(self.brand, self.last4)

    def last_day(self) -> date:
        """The last day on which it can be charged: that of its month."""
        return date(self.exp_year, self.exp_month, monthrange(self.exp_year, self.exp_month)[1])

    def has_expired(self, *, today: date) -> bool:
        """Whether the last day of the card's month has gone; `today` is the account's."""
        return self.last_day() < today

    def get_brand_display_name(self) -> str:
        """The brand as the customer knows it: `Visa`, `American Express`."""
        return brand_name(self.brand)


CARD_BRANDS = {
    "visa": "Visa",
    "mastercard": "Mastercard",
    "amex": "American Express",
    "discover": "Discover",
    "diners": "Diners Club",
    "jcb": "JCB",
    "unionpay": "UnionPay",
}


def brand_name(brand: str) -> str:
    """Return a brand as customers know it, from Stripe's word for it: `American Express`."""
    return CARD_BRANDS.get(brand, brand.replace("_", " ").title())


def card_in_words(brand: str, last4: str) -> str:
    """Write a card in one line: `Visa •••• 4242`; "" when it is not known."""
    return f"{brand_name(brand)} •••• {last4}" if last4 else ""


class CardAttemptOutcome(models.TextChoices):
    """What became of an attempt to add a card."""

    BEGUN = "begun", "Begun"
    REFUSED = "refused", "Refused: too many"
    DECLINED = "declined", "Declined by the bank"
    ADDED = "added", "Added"
    REJECTED = "rejected", _("Rejected")


class CardAttempt(models.Model):
    """Somebody tried to add a card: counted, so that nobody tests stolen cards here.

    A row is committed before Stripe is asked for a SetupIntent. Whoever has its secret can try
    more than one card with it: Stripe tells of each failure, and each is one of the `tries`.
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="card_attempts")
    user = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL)
    ip_address = models.GenericIPAddressField("IP address", null=True, blank=True)
    outcome = models.CharField(
        max_length=16, choices=CardAttemptOutcome, default=CardAttemptOutcome.BEGUN
    )
    tries = models.PositiveIntegerField(default=1)
    failure_code = models.CharField(max_length=64, blank=True)
    stripe_setup_intent_id = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(
        null=True, blank=True, help_text="When its SetupIntent was canceled: too many tries."
    )

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["stripe_setup_intent_id"],
                condition=~Q(stripe_setup_intent_id=""),
                name="one_attempt_per_setup_intent",
            ),
            models.CheckConstraint(condition=Q(tries__gte=1), name="an_attempt_is_a_try"),
        ]
        indexes = [
            models.Index(fields=["account", "-created_at"], name="card_attempts_of_account"),
            models.Index(fields=["user", "-created_at"], name="card_attempts_of_user"),
            models.Index(fields=["ip_address", "-created_at"], name="card_attempts_of_address"),
        ]

    def __str__(self) -> str:
        return f"{self.get_outcome_display()} {self.created_at:%Y-%m-%d %H:%M}"


class AuditEvent(models.Model):
    """Who did what to an account, when and why. Append-only (invariant I2)."""

    account = models.ForeignKey(
        Account, null=True, blank=True, on_delete=models.PROTECT, related_name="audit_events"
    )
    actor = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT)
    action = models.CharField(max_length=64)
    reason = models.TextField(blank=True)
    details = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["account", "-created_at"], name="audit_events_of_account"),
            # Staff's list of all accounts: however seldom something is done.
            models.Index(fields=["action", "-id"], name="audit_events_by_action"),
            BrinIndex(fields=["created_at"], name="audit_events_by_time", autosummarize=True),
        ]

    def __str__(self) -> str:
        return self.action
