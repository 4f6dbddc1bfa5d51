"""What holding another quantity of a rental comes to. Only reads: rentals.py brings it about."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts.models import Account, PauseReason
from accounts.recorded_words import Sentence
from invoices import charging
from invoices.charging import NewLine
from invoices.models import SMALLEST_CHARGE
from plans import period_costs, periods, plan_changes, pricing, subscriptions
from plans.models import Feature, FeaturePrice, Rental, Subscription, SubscriptionStatus

RENTED = Sentence(gettext_noop("%(feature)s, until renewal"))
RENTED_IN_PART = Sentence(
    gettext_noop("%(feature)s, until renewal (%(more)s more, %(included)s included)")
)


class ChangeKind(StrEnum):
    """What asking for another quantity amounts to."""

    TAKEN = "taken"
    RELEASED = "released"
    RELEASE_UNDONE = "release_undone"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Change:
    """Holding `quantity` of a rental instead of `holding`, as it stands at one moment.

    `billed_more` is how many of those taken are paid for: the plan does not include them.
    `price` is what is charged at once, for `line`; nothing when there is none. `waived` (USD, net)
    is what is not charged because it is less than the smallest charge. `at_renewal` is how many are
    held from the next period on, for `monthly` (USD, net): none when the plan ends, and no more
    than a plan allows that begins then.
    """

    kind: ChangeKind
    terms: FeaturePrice
    holding: int
    quantity: int
    billed_more: int
    line: NewLine | None
    price: charging.Quote
    waived: Decimal
    at_renewal: int
    monthly: Decimal
    period: periods.Period

    @property
    def feature(self) -> Feature:
        """The rental."""
        return self.terms.feature


def subject(*, feature: Feature, quantity: int) -> str:
    """Return what a quote for holding `quantity` of a rental is for."""
    return f"rental:{feature.key}:{quantity}"


def change(*, account: Account, feature: Feature, quantity: int, moment: datetime) -> Change:
    """Return what holding `quantity` from `moment` on comes to.

    Raises ValidationError for what the plan does not have or allow.
    """
    subscription, terms = terms_of(account=account, feature=feature)
    held = open_rental(account=account, feature=feature)
    holding = held.quantity if held else 0
    if quantity < 0:
        raise ValidationError(_("Enter zero or more."))
    # More may be held since a plan with another maximum: then it may be kept, or some released.
    if terms.maximum is not None and quantity > max(terms.maximum, holding):
        raise ValidationError(
            _("The plan allows at most %(maximum)s.") % {"maximum": f"{terms.maximum:,}"}
        )
    period = period_at(subscription, moment)
    billed_more = _billed_more(terms, holding=holding, quantity=quantity)
    line = None
    if billed_more:
        line = _line(
            terms, taken=quantity - holding, billed=billed_more, period=period, moment=moment
        )
    cost = line.amount if line else Decimal(0)
    is_charged = cost >= SMALLEST_CHARGE
    at_renewal, monthly = _from_renewal_on(subscription, terms, quantity)
    return Change(
        kind=_kind(held, quantity),
        terms=terms,
        holding=holding,
        quantity=quantity,
        billed_more=billed_more,
        line=line if is_charged else None,
        price=charging.quote(cost if is_charged else Decimal(0), account=account),
        waived=Decimal(0) if is_charged else cost,
        at_renewal=at_renewal,
        monthly=monthly,
        period=period,
    )


def terms_of(*, account: Account, feature: Feature) -> tuple[Subscription, FeaturePrice]:
    """Return the subscription in force and its terms of a rental, or raise ValidationError."""
    subscription = subscriptions.current(account=account)
    terms = None
    if subscription is not None:
        terms = period_costs.rental_price(subscription=subscription, feature_key=feature.key)
    if subscription is None or terms is None:
        raise ValidationError(_("%(feature)s is not in the plan.") % {"feature": feature.name})
    return subscription, terms


def monthly_cost(terms: FeaturePrice, quantity: int) -> Decimal:
    """Return what holding `quantity` for a whole period costs: USD, net."""
    billed = pricing.rental_quantity_billed(held=quantity, included=terms.included_quantity)
    cost: Decimal = terms.unit_price.amount * billed
    return cost


def _from_renewal_on(
    subscription: Subscription, terms: FeaturePrice, quantity: int
) -> tuple[int, Decimal]:
    """Return how many of `quantity` are held from the next period on, and what they cost then."""
    if subscription.cancel_at_period_end:
        return 0, Decimal(0)
    following: FeaturePrice | None = terms
    if scheduled := plan_changes.scheduled(subscription=subscription):
        prices = scheduled.to_version.prices.select_related("feature")
        following = prices.filter(feature=terms.feature).first()
    if following is None:
        return 0, Decimal(0)
    kept = quantity if following.maximum is None else min(quantity, following.maximum)
    return kept, monthly_cost(following, kept)


def period_at(subscription: Subscription, moment: datetime) -> periods.Period:
    """Return the period that `moment` belongs to, whether a beat has opened it yet or not."""
    if subscription.anchor is None:
        raise ValueError(f"{subscription} is in force without having begun.")
    return periods.period_at(subscription.anchor, moment)


def open_rental(*, account: Account, feature: Feature) -> Rental | None:
    """Return what the account holds of a rental now, or None."""
    return Rental.objects.filter(
        account=account, feature=feature, started_at__isnull=False, ended_at__isnull=True
    ).first()


def check_may_take(*, account: Account) -> None:
    """Raise ValidationError, saying what to do, while the account may take nothing more.

    A negative balance is no reason: rentals are paid for with the card, not from the balance.
    Raises AlreadyOpen while a plan is being paid for: it may be another one afterwards.
    """
    charging.check_none_open(account=account, obligation="plan_change")
    subscription = subscriptions.current(account=account)
    if subscription is not None and subscription.status == SubscriptionStatus.PAST_DUE:
        raise ValidationError(_("The last renewal is not paid yet. Pay it first."))
    if PauseReason.LOCKED in account.pause_reasons:
        raise ValidationError(_("Services are locked. Please contact us."))


def _kind(held: Rental | None, quantity: int) -> ChangeKind:
    holding = held.quantity if held else 0
    if quantity > holding:
        return ChangeKind.TAKEN
    is_released = held is not None and held.quantity_at_renewal is not None
    at_renewal = held.quantity_at_renewal if held and is_released else holding
    if quantity == at_renewal:
        return ChangeKind.NONE
    return ChangeKind.RELEASE_UNDONE if quantity == holding else ChangeKind.RELEASED


def _billed_more(terms: FeaturePrice, *, holding: int, quantity: int) -> int:
    included = terms.included_quantity
    before = pricing.rental_quantity_billed(held=holding, included=included)
    return max(0, pricing.rental_quantity_billed(held=quantity, included=included) - before)


def _line(
    terms: FeaturePrice, *, taken: int, billed: int, period: periods.Period, moment: datetime
) -> NewLine:
    """Return what is charged for taking more until the period ends."""
    monthly = terms.unit_price.amount * billed
    name = terms.feature.name
    return NewLine(
        RENTED_IN_PART.write(feature=name, more=f"{taken:,}", included=f"{taken - billed:,}")
        if taken > billed
        else RENTED.write(feature=name),
        pricing.prorate(monthly, start=period.start, end=period.end, now=moment),
        quantity=Decimal(billed),
        unit=terms.feature.unit,
        unit_price=terms.unit_price.amount,
        period_start=moment,
        period_end=period.end,
    )
