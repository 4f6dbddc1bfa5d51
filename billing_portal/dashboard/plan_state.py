"""What the Plan page is made of, read once: what is in force, on offer, waiting, used and held."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef

from accounts.models import Account
from invoices.models import Transaction
from plans import comparison, plan_changes, plan_quotes, subscriptions
from plans.comparison import Basis
from plans.models import (
    FeaturePrice,
    PlanChange,
    PlanVersion,
    Renewal,
    RenewalStatus,
    Subscription,
)


@dataclass(frozen=True)
class PlanState:
    """What is shown is made from this alone, but for what is not read on every visit.

    `is_unpaid`: a period of the plan in force is due. `versions` are the plans one may choose from,
    the one in force in the version that is in force; `prices` those of each; `under_way` the open
    payments for the plan or a rental.
    """

    account: Account
    may_act: bool
    now: datetime
    current: Subscription | None
    is_unpaid: bool
    change: PlanChange | None
    versions: Sequence[PlanVersion]
    prices: Mapping[int, Sequence[FeaturePrice]]
    under_way: Sequence[Transaction]
    basis: Basis

    @property
    def current_version(self) -> PlanVersion | None:
        """What the account pays by."""
        return self.current.plan_version if self.current else None


def read_plan_state(
    *, account: Account, may_act: bool, now: datetime, asked: int = comparison.CHOICES[0]
) -> PlanState:
    """Read it; `asked` is on how many periods the plans are priced."""
    due = Renewal.objects.filter(subscription=OuterRef("pk"), status=RenewalStatus.DUE)
    current = subscriptions.in_force(account=account).annotate(is_unpaid=Exists(due)).first()
    versions = subscriptions.offered_to(account=account)
    if current:
        # The version in force, not a newer one, is what this customer pays, on sale or not.
        own = current.plan_version
        versions = [own if each.plan_id == own.plan_id else each for each in versions]
        if own not in versions:
            versions.insert(0, own)
    return PlanState(
        account=account,
        may_act=may_act,
        now=now,
        current=current,
        is_unpaid=current is not None and current.is_unpaid,
        change=plan_changes.scheduled(subscription=current) if current else None,
        versions=versions,
        prices=comparison.price_lists(versions=versions),
        under_way=plan_quotes.under_way(account=account),
        basis=comparison.basis(account=account, asked=asked, now=now),
    )
