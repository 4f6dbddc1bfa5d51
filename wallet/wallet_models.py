"""The wallet: what it holds, and what its customer wants to be told at."""

from decimal import Decimal

from django.db import models
from django.db.models import Q

from accounts.models import Account

#: Until the customer sets another (USD). Below the Threshold that Auto-Refill proposes, so that one
#: who uses it is told only when the refills don't keep up.
DEFAULT_LOW_BALANCE_LIMIT = Decimal("5.00")

#: What a customer may set a spend cap to at most (USD).
LARGEST_SPEND_CAP = Decimal("1000000.00")

#: What a column of 12 digits holds.
LARGEST_AMOUNT = Decimal("9999999999.99")


class Wallet(models.Model):
    """Prepaid credit of one account.

    `balance` and `last_sequence` are kept by the trigger on the entries: nothing else can change
    them, so a balance always equals the sum of its entries (invariant I1).

    Usage under a cap is counted by what is not usage: `unspent_balance` is what the balance would
    be had nothing been used since entry `spend_since`, after which the period began. A trigger adds
    to it whatever else moves the balance, so that usage itself has nothing more to write.
    """

    account = models.OneToOneField(Account, on_delete=models.PROTECT, related_name="wallet")
    balance = models.DecimalField(max_digits=18, decimal_places=6, default=0, editable=False)
    last_sequence = models.BigIntegerField(default=0, editable=False)
    low_balance_limit = models.DecimalField(
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        default=DEFAULT_LOW_BALANCE_LIMIT,
        help_text="USD. The customer is told when the balance falls below it; empty: never.",
    )
    spend_cap = models.DecimalField(
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        help_text="USD that usage may cost in a period, then services pause; empty: no cap.",
    )
    unspent_balance = models.DecimalField(
        max_digits=18, decimal_places=6, null=True, blank=True, editable=False
    )
    spend_since = models.BigIntegerField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            # Bounded above as well: to PostgreSQL, NaN is greater than every number.
            models.CheckConstraint(
                condition=Q(low_balance_limit__gte=0, low_balance_limit__lte=100_000),
                name="low_balance_limit_is_an_amount",
            ),
            models.CheckConstraint(
                condition=Q(spend_cap__gt=0, spend_cap__lte=LARGEST_SPEND_CAP),
                name="spend_cap_is_an_amount",
            ),
            models.CheckConstraint(
                condition=Q(
                    spend_cap__isnull=True, unspent_balance__isnull=True, spend_since__isnull=True
                )
                | Q(
                    spend_cap__isnull=False,
                    unspent_balance__isnull=False,
                    spend_since__isnull=False,
                ),
                name="spend_is_counted_where_it_is_capped",
            ),
        ]

    def __str__(self) -> str:
        return f"Wallet of {self.account_id}"

    @property
    def spent(self) -> Decimal | None:
        """What usage cost since the period began (USD); None where there is no cap."""
        return None if self.unspent_balance is None else self.unspent_balance - self.balance
