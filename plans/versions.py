"""New versions of a plan: copied from an old one as a draft, changed, then published.

What has been subscribed to never changes (the database refuses it); a new price is a new version.
"""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max

from accounts.models import AuditEvent, User
from plans.models import (
    FeaturePrice,
    Plan,
    PlanChange,
    PlanVersion,
    PriceTier,
    Renewal,
    Subscription,
)


def is_subscribed(version: PlanVersion) -> bool:
    """Return whether anyone was, is or agreed to be on the version, so that it never changes."""
    return (
        Subscription.objects.filter(plan_version=version).exists()
        or Renewal.objects.filter(plan_version=version).exists()
        or PlanChange.objects.filter(to_version=version).exists()
    )


@transaction.atomic
def draft_from(*, version: PlanVersion) -> PlanVersion:
    """Copy a version with its prices and tiers to the plan's next number, not yet published.

    Raises ValidationError when the plan already has a draft: two would compete for one number in
    the minds of those who edit them.
    """
    plan = Plan.objects.select_for_update().get(pk=version.plan_id)
    drafts = PlanVersion.objects.filter(plan=plan, published_at=None)
    if draft := drafts.order_by("number").first():
        raise ValidationError(
            f"{draft} is already a draft: change and publish that one, or leave it."
        )
    newest = PlanVersion.objects.filter(plan=plan).aggregate(newest=Max("number"))["newest"]
    copy = PlanVersion.objects.create(
        plan=plan,
        number=newest + 1,
        monthly_price=version.monthly_price,
        minimum_top_up=version.minimum_top_up,
    )
    for price in version.prices.prefetch_related("tiers"):
        copied = FeaturePrice.objects.create(
            version=copy,
            feature_id=price.feature_id,
            included_quantity=price.included_quantity,
            unit_price=price.unit_price,
            maximum=price.maximum,
        )
        PriceTier.objects.bulk_create(
            PriceTier(
                price=copied,
                above_quantity=tier.above_quantity,
                discount_percent=tier.discount_percent,
            )
            for tier in price.tiers.all()
        )
    return copy


@transaction.atomic
def begin_draft(
    *, version: PlanVersion, by: User | None, reason: str, now: datetime
) -> PlanVersion:
    """Do so on record, for a reason that staff give. Raises ValidationError as draft_from does."""
    draft = draft_from(version=version)
    _record("plan_version_drafted", version.plan, by, reason, now, number=draft.number)
    return draft


@transaction.atomic
def publish(*, version: PlanVersion, by: User | None, reason: str, now: datetime) -> PlanVersion:
    """Offer a draft to customers from `now` on.

    Raises ValidationError when it is published already, sells nothing, asks for less than the
    smallest charge a month, or has been overtaken by a published version with a higher number.
    """
    plan = Plan.objects.select_for_update().get(pk=version.plan_id)
    version.refresh_from_db()
    if version.published_at is not None:
        raise ValidationError(f"{version} is published already.")
    if not version.prices.exists():
        raise ValidationError(f"{version} has no prices yet: add at least one feature.")
    version.clean()
    later = PlanVersion.objects.filter(
        plan_id=version.plan_id, number__gt=version.number, published_at__isnull=False
    ).first()
    if later is not None:
        raise ValidationError(f"{later} is newer and published: make a new version from it.")
    version.published_at = now
    version.save(update_fields=["published_at"])
    _record("plan_version_published", plan, by, reason, now, number=version.number)
    return version


@transaction.atomic
def archive(*, plan: Plan, by: User | None, reason: str, now: datetime) -> Plan:
    """Sell a plan to nobody new; who is on it stays. Raises ValidationError when it is archived."""
    plan = Plan.objects.select_for_update().get(pk=plan.pk)
    if plan.archived_at is not None:
        raise ValidationError(f"{plan} is archived already.")
    plan.archived_at = now
    plan.save(update_fields=["archived_at"])
    _record("plan_archived", plan, by, reason, now)
    return plan


@transaction.atomic
def restore(*, plan: Plan, by: User | None, reason: str, now: datetime) -> Plan:
    """Sell an archived plan again. Raises ValidationError when it is not archived."""
    plan = Plan.objects.select_for_update().get(pk=plan.pk)
    if plan.archived_at is None:
        raise ValidationError(f"{plan} is not archived.")
    plan.archived_at = None
    plan.save(update_fields=["archived_at"])
    _record("plan_restored", plan, by, reason, now)
    return plan


def _record(
    action: str, plan: Plan, by: User | None, reason: str, now: datetime, **details: int
) -> None:
    AuditEvent.objects.create(
        actor=by,
        action=action,
        reason=reason,
        details={"plan": plan.slug, **details},
        created_at=now,
    )
