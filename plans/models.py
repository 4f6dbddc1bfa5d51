"""What is sold: the catalogue. Subscriptions and usage are in the modules beside it.

Django wants all models importable from here; each concern has its own file.
"""

from plans.catalogue_models import (
    Feature,
    FeatureKind,
    FeaturePrice,
    Plan,
    PlanType,
    PlanVersion,
    PriceTier,
    Pricing,
)
from plans.daily_spend_models import DailySpend, SpendProgress, Workspace
from plans.plan_change_models import PlanChange, PlanChangeStatus, SubscriberMove
from plans.subscription_models import (
    Renewal,
    RenewalStatus,
    Rental,
    RentalVia,
    Subscription,
    SubscriptionStatus,
)
from plans.usage_models import Allowance, UsageRecord

__all__ = [
    "Allowance",
    "DailySpend",
    "Feature",
    "FeatureKind",
    "FeaturePrice",
    "Plan",
    "PlanChange",
    "PlanChangeStatus",
    "PlanType",
    "PlanVersion",
    "PriceTier",
    "Pricing",
    "Renewal",
    "RenewalStatus",
    "Rental",
    "RentalVia",
    "SpendProgress",
    "SubscriberMove",
    "Subscription",
    "SubscriptionStatus",
    "UsageRecord",
    "Workspace",
]
