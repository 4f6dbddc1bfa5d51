"""What a period includes, and what is left of it."""

from decimal import Decimal

from django.db import connection

from plans.models import Allowance, FeatureKind, PlanVersion, Renewal
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
