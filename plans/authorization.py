"""May a call start? Asked before each call, so it is one query, planned once."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from accounts import prepared
from accounts.references import split
from plans.catalogue_models import FeatureKind
from plans.subscription_models import CURRENT_STATUSES


@dataclass(frozen=True, slots=True)
class Authorization:
    """The answer. `reasons` says why not; `limit` is how many of a rental may be in use."""

    allowed: bool
    services: str
    reasons: list[str]
    balance: Decimal
    included_remaining: Decimal
    limit: int | None = None


class UnknownAccount(LookupError):
    """No account is called this."""


class UnknownFeature(LookupError):
    """No feature has this key."""


_QUERY = """
SELECT account.pause_reasons, wallet.balance, subscription.id IS NOT NULL,
       feature.kind, price.id IS NOT NULL, price.included_quantity,
       CASE WHEN renewal.period_end > %(now)s THEN allowance.included - allowance.used END,
       rental.quantity
FROM accounts_account AS account
LEFT JOIN wallet_wallet AS wallet ON wallet.account_id = account.id
LEFT JOIN plans_subscription AS subscription
    ON subscription.account_id = account.id AND subscription.status = ANY(%(current)s)
LEFT JOIN plans_renewal AS renewal
    ON renewal.account_id = account.id AND renewal.subscription_id = subscription.id
    AND renewal.number = subscription.current_period_number
LEFT JOIN plans_feature AS feature ON feature.key = %(feature)s
LEFT JOIN plans_featureprice AS price
    ON price.version_id = subscription.plan_version_id AND price.feature_id = feature.id
LEFT JOIN plans_allowance AS allowance
    ON allowance.account_id = account.id AND allowance.renewal_id = renewal.id
    AND allowance.feature_id = feature.id
LEFT JOIN plans_rental AS rental
    ON rental.account_id = account.id AND rental.feature_id = feature.id
    AND rental.started_at IS NOT NULL AND rental.ended_at IS NULL
"""
_BY_ID = _QUERY + "WHERE account.id = %(reference)s::uuid"
_BY_EXTERNAL_ID = _QUERY + "WHERE account.external_id = %(reference)s AND account.external_id <> ''"


def check(*, account: str, feature: str | None, now: datetime) -> Authorization:
    """Return whether the account may use `feature`, or anything at all, at `now`.

    `account` is a UUID or `external:<external_id>`. Raises UnknownAccount, UnknownFeature.
    """
    account_id, external_id = split(account)
    if account_id is None and external_id is None:
        raise UnknownAccount
    if feature is not None and "\0" in feature:
        raise UnknownFeature
    row = prepared.fetch_one(
        _BY_ID if account_id else _BY_EXTERNAL_ID,
        {
            "reference": account_id or external_id,
            "feature": feature,
            "now": now,
            "current": [str(status) for status in CURRENT_STATUSES],
        },
    )
    if row is None:
        raise UnknownAccount
    pauses, balance, has_subscription, kind, in_plan, included, remaining, held = row
    if feature is not None and kind is None:
        raise UnknownFeature
    reasons = list(pauses)
    if not has_subscription:
        reasons.append("no_subscription")
    elif feature is not None and not in_plan:
        reasons.append("not_in_plan")
    is_rental = kind == FeatureKind.RENTAL
    return Authorization(
        allowed=not reasons,
        services="paused" if pauses else "active",
        reasons=reasons,
        balance=balance or Decimal(0),
        included_remaining=Decimal(0) if is_rental else remaining or Decimal(0),
        limit=max(int(included), held or 0) if is_rental and in_plan else None,
    )
