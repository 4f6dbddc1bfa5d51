"""The baseline that many would write: one record at a time through the ORM, with row locks.

Tables like ours, with the usual indexes and no triggers; a price that is known beforehand.
"""

import json
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, ClassVar, Final

from django.db import connection, models, transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from accounts.models import Account
from plans.models import Feature

_PRICE: Final = Decimal("0.10")
_MICRO: Final = Decimal("0.000001")


def _amount(**options: Any) -> Any:
    return models.DecimalField(max_digits=18, decimal_places=6, **options)


class LoopWallet(models.Model):
    """A balance."""

    account = models.OneToOneField(Account, on_delete=models.PROTECT, related_name="+")
    balance = _amount(default=0)

    objects: ClassVar[models.Manager["LoopWallet"]] = models.Manager()

    class Meta:
        app_label = "bench"

    def __str__(self) -> str:
        return str(self.balance)


class LoopAllowance(models.Model):
    """What is included, and used of it."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    feature = models.ForeignKey(Feature, on_delete=models.PROTECT, related_name="+")
    included = _amount()
    used = _amount(default=0)

    objects: ClassVar[models.Manager["LoopAllowance"]] = models.Manager()

    class Meta:
        app_label = "bench"
        constraints = [
            models.UniqueConstraint(fields=["account", "feature"], name="one_loop_allowance")
        ]

    def __str__(self) -> str:
        return f"{self.used} of {self.included}"


class LoopRecord(models.Model):
    """What was reported and what it cost."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    feature = models.ForeignKey(Feature, on_delete=models.PROTECT, related_name="+")
    record_id = models.CharField(max_length=200)
    quantity = _amount()
    included = _amount()
    amount = _amount()
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()

    objects: ClassVar[models.Manager["LoopRecord"]] = models.Manager()

    class Meta:
        app_label = "bench"
        constraints = [
            models.UniqueConstraint(fields=["account", "record_id"], name="one_loop_record")
        ]
        indexes = [models.Index(fields=["account", "-occurred_at", "-id"], name="loop_history")]

    def __str__(self) -> str:
        return self.record_id


class LoopEntry(models.Model):
    """A line of the ledger."""

    wallet = models.ForeignKey(LoopWallet, on_delete=models.PROTECT, related_name="entries")
    record = models.ForeignKey(LoopRecord, on_delete=models.PROTECT, related_name="entries")
    amount = _amount()
    balance_after = _amount()
    description = models.CharField(max_length=300)
    created_at = models.DateTimeField()

    objects: ClassVar[models.Manager["LoopEntry"]] = models.Manager()

    class Meta:
        app_label = "bench"

    def __str__(self) -> str:
        return str(self.amount)


def make_tables() -> None:
    """Make the tables, with a wallet and an allowance for each account."""
    with connection.schema_editor() as editor:
        for model in (LoopWallet, LoopAllowance, LoopRecord, LoopEntry):
            editor.create_model(model)
    feature = Feature.objects.get(key="call_minutes")
    accounts = list(Account.objects.all())
    LoopWallet.objects.bulk_create(LoopWallet(account=a, balance=1_000_000) for a in accounts)
    LoopAllowance.objects.bulk_create(
        LoopAllowance(account=a, feature=feature, included=20) for a in accounts
    )


def rate(body: bytes) -> dict[str, Any]:
    """Rate each record of a body of POST /usage/ by itself, each with its commit."""
    results = [_rate(record) for record in json.loads(body)["records"]]
    return {"recorded": len(results), "results": results}


@transaction.atomic
def _rate(record: dict[str, str]) -> dict[str, str]:
    account = Account.objects.get(pk=record["account"])
    feature = Feature.objects.get(key=record["feature"])
    wallet = LoopWallet.objects.select_for_update().get(account=account)
    allowance = LoopAllowance.objects.select_for_update().get(account=account, feature=feature)
    if LoopRecord.objects.filter(account=account, record_id=record["id"]).exists():
        return {"id": record["id"], "status": "duplicate"}
    quantity = Decimal(record["quantity"])
    included = min(quantity, allowance.included - allowance.used)
    amount = ((quantity - included) * _PRICE).quantize(_MICRO, ROUND_HALF_UP)
    allowance.used += included
    allowance.save()
    now = timezone.now()
    made = LoopRecord.objects.create(
        account=account,
        feature=feature,
        record_id=record["id"],
        quantity=quantity,
        included=included,
        amount=amount,
        occurred_at=parse_datetime(record["occurred_at"]),
        recorded_at=now,
    )
    wallet.balance -= amount
    wallet.save()
    LoopEntry.objects.create(
        wallet=wallet,
        record=made,
        amount=-amount,
        balance_after=wallet.balance,
        description=f"{feature.name}: {quantity - included} × ${_PRICE}",
        created_at=now,
    )
    return {"id": record["id"], "status": "recorded", "amount": f"{amount:.6f}"}
