"""What a period includes, and what is left of it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import connection, transaction

from accounts.models import Account, AuditEvent, User
from accounts.money import format_quantity
from plans.models import (
    Allowance,
    FeatureKind,
    PlanVersion,
    Renewal,
    RenewalStatus,
    Subscription,
)
from plans.subscription_models import CURRENT_STATUSES
from wallet import ledger

_GRANT = """
INSERT INTO plans_allowance (account_id, renewal_id, feature_id, included, used, billed_quantity)
SELECT renewal.account_id, renewal.id, price.feature_id, price.included_quantity, 0, 0
FROM plans_renewal AS renewal
JOIN plans_featureprice AS price ON price.version_id = renewal.plan_version_id
JOIN plans_feature AS feature ON feature.id = price.feature_id
WHERE renewal.id = ANY(%s) AND feature.kind = %s AND price.included_quantity > 0
ON CONFLICT (account_id, renewal_id, feature_id) DO UPDATE SET included = excluded.included
"""


def grant(*renewals: Renewal) -> None:
    """Grant the periods' allowances, once they are paid or when they cost nothing.

    Usage reported before stays billed: it was used at the unit price (DESIGN.md section 6). Call it
    under the wallets' locks (subscriptions.lock_account), so that no batch of usage rates with half
    of it.
    """
    with connection.cursor() as cursor:
        cursor.execute(_GRANT, [[renewal.pk for renewal in renewals], FeatureKind.CONSUMABLE.value])


_CHANGE = """
INSERT INTO plans_allowance (account_id, renewal_id, feature_id, included, used, billed_quantity)
SELECT renewal.account_id, renewal.id, feature.id, coalesce(price.included_quantity, 0), 0, 0
FROM plans_renewal AS renewal
CROSS JOIN plans_feature AS feature
LEFT JOIN plans_featureprice AS price
    ON price.version_id = %s AND price.feature_id = feature.id
LEFT JOIN plans_allowance AS allowance
    ON allowance.account_id = renewal.account_id AND allowance.renewal_id = renewal.id
    AND allowance.feature_id = feature.id
WHERE renewal.id = %s AND feature.kind = %s
  AND (allowance.id IS NOT NULL OR price.included_quantity > 0)
ON CONFLICT (account_id, renewal_id, feature_id)
DO UPDATE SET included = greatest(excluded.included, plans_allowance.used)
"""


def change(*, renewal: Renewal, plan_version: PlanVersion) -> None:
    """Make a period's allowance that of another version, less what was used.

    What was drawn stays drawn: where the new version includes less than that, nothing is left and
    nothing is taken back. Under the wallet's lock, as grant.
    """
    ledger.lock(account_ids=[renewal.account_id])
    with connection.cursor() as cursor:
        cursor.execute(_CHANGE, [plan_version.pk, renewal.pk, FeatureKind.CONSUMABLE.value])


def remaining(allowance: Allowance) -> Decimal:
    """Return what is left to draw."""
    return allowance.included - allowance.used


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
