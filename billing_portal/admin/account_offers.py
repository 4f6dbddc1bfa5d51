"""What decides which actions an account's page offers: asked once, for all who offer some."""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Exists, OuterRef, Subquery
from django.http import HttpRequest

from accounts.models import Account, PauseReason
from plans.models import PlanChange, PlanChangeStatus, Subscription, SubscriptionStatus
from plans.subscription_models import CURRENT_STATUSES

_KEPT = "_offers_of_accounts"


@dataclass(frozen=True, slots=True)
class Standing:
    """How an account stands: whether it is locked, and what is to become of its subscription."""

    is_locked: bool = False
    is_subscribed: bool = False
    is_past_due: bool = False
    is_ending: bool = False
    is_changing: bool = False


def standing_of(request: HttpRequest, account: UUID) -> Standing:
    """Return it as it was when the request first asked."""
    kept: dict[UUID, Standing] = request.__dict__.setdefault(_KEPT, {})
    if account not in kept:
        kept[account] = _asked(account)
    return kept[account]


def _asked(account: UUID) -> Standing:
    current = Subscription.objects.filter(account=OuterRef("pk"), status__in=CURRENT_STATUSES)
    changes = PlanChange.objects.filter(
        account=OuterRef("pk"),
        status=PlanChangeStatus.SCHEDULED,
        subscription__status__in=CURRENT_STATUSES,
    )
    found = (
        Account.objects.filter(pk=account)
        .values_list(
            "pause_reasons",
            Subquery(current.values("status")[:1]),
            Subquery(current.values("cancel_at_period_end")[:1]),
            Exists(changes),
        )
        .first()
    )
    if found is None:
        return Standing()
    reasons, status, is_ending, is_changing = found
    return Standing(
        is_locked=PauseReason.LOCKED in reasons,
        is_subscribed=status is not None,
        is_past_due=status == SubscriptionStatus.PAST_DUE,
        is_ending=bool(is_ending),
        is_changing=is_changing,
    )
