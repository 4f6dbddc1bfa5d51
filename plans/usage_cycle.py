"""Giving back what a period includes, because staff say so."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.models import Account, AuditEvent, User
from accounts.money import format_quantity
from plans.allowances import remaining
from plans.models import Allowance, FeatureKind, RenewalStatus, Subscription
from plans.subscription_models import CURRENT_STATUSES
from wallet import ledger


@dataclass(frozen=True, slots=True)
class Restored:
    """What is left of a feature in the period, before and after a reset."""

    feature: str
    left_before: Decimal
    left_after: Decimal


def reset(*, account: Account, by: User, reason: str, now: datetime) -> list[Restored]:
    """Begin the current period's allowances anew: all that the plan includes is left again.

    What was drawn stays drawn and what was billed stays billed: no record changes, the period
    merely includes that much more. Raises ValidationError without a paid period under way, and when
    nothing of it was used.
    """
    with transaction.atomic():
        ledger.lock(account_ids=[account.pk])
        subscription = (
            Subscription.objects.filter(account=account, status__in=CURRENT_STATUSES)
            .select_related("plan_version")
            .first()
        )
        if subscription is None:
            raise ValidationError("There is no plan whose period is under way.")
        renewal = subscription.renewals.filter(
            number=subscription.current_period_number, status=RenewalStatus.PAID
        ).first()
        if renewal is None:
            raise ValidationError("The period under way is not paid: nothing is included yet.")
        included: dict[int, Decimal] = dict(
            subscription.plan_version.prices.filter(
                feature__kind=FeatureKind.CONSUMABLE
            ).values_list("feature_id", "included_quantity")
        )
        restored = []
        for allowance in (
            Allowance.objects.filter(account=account, renewal=renewal)
            .select_for_update(of=("self",))
            .select_related("feature")
            .order_by("feature__position")
        ):
            whole = included.get(allowance.feature_id, Decimal(0))
            before = remaining(allowance)
            if before >= whole:
                continue
            allowance.included = allowance.used + whole
            allowance.save(update_fields=["included"])
            restored.append(Restored(allowance.feature.name, before, whole))
        if not restored:
            raise ValidationError("Nothing that the plan includes was used in this period.")
        AuditEvent.objects.create(
            account=account,
            actor=by,
            action="usage_cycle_reset",
            reason=reason,
            details={
                "features": {
                    each.feature: [
                        format_quantity(each.left_before),
                        format_quantity(each.left_after),
                    ]
                    for each in restored
                }
            },
            created_at=now,
        )
    return restored
