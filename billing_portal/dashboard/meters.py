"""The meters of the Overview: what the plan includes and how much of it is used."""

from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from accounts.money import to_cents
from accounts.quantities import write_price, write_quantity, write_used
from billing_portal.dashboard.overview_state import OverviewState
from billing_portal.dashboard.times import write_day
from plans import run_out
from plans.models import Allowance, FeaturePrice, RenewalStatus

#: From this share on, a meter turns amber.
NEAR_PERCENT = 80


@dataclass(frozen=True)
class Meter:
    """One allowance as a bar."""

    label: str
    value: str
    percent: int
    is_near: bool
    note: str
    projection: str = ""


def build_meters(state: OverviewState) -> tuple[Meter, ...]:
    """One meter for each consumable of which the plan includes something."""
    return tuple(
        _meter(state, price, state.allowances.get(price.feature_id)) for price in state.included
    )


def is_waiting_for_payment(state: OverviewState) -> bool:
    """Whether the period's allowance is granted only once its renewal is paid."""
    return bool(state.renewal and state.renewal.status != RenewalStatus.PAID)


def _meter(state: OverviewState, price: FeaturePrice, allowance: Allowance | None) -> Meter:
    feature = price.feature
    included = price.included_quantity
    used = allowance.used if allowance else Decimal(0)
    billed = allowance.billed_quantity if allowance else Decimal(0)
    if allowance and allowance.included:
        included = allowance.included
    percent = min(100, int(used / included * 100))
    rate = write_price(price.unit_price.amount, feature.unit)
    note = ""
    if billed > 0:
        note = _("%(billed)s more, from %(rate)s.") % {
            "billed": write_quantity(to_cents(billed), feature.unit),
            "rate": rate,
        }
    elif percent >= NEAR_PERCENT:
        note = _("Beyond it: %(rate)s, from the balance.") % {"rate": rate}
    return Meter(
        label=feature.title,
        value=write_used(to_cents(used), included, feature.unit),
        percent=percent,
        is_near=percent >= NEAR_PERCENT,
        note=note,
        projection=_projection(state, allowance, included, feature.unit),
    )


def _projection(
    state: OverviewState, allowance: Allowance | None, included: Decimal, unit: str
) -> str:
    """How much will be used by the period's end; nothing when it can't be told or is over."""
    renewal = state.renewal
    if renewal is None or allowance is None or state.now >= renewal.period_end:
        return ""
    projected = run_out.projected(allowance=allowance, renewal=renewal, now=state.now)
    if not projected:
        return ""
    rounded = projected.to_integral_value() if projected >= 1 else to_cents(projected)
    if not rounded:
        return ""
    day = write_day(renewal.period_end.astimezone(state.account.timezone).date())
    return _("At this pace %(used)s by %(day)s.") % {
        "used": write_used(rounded, included, unit),
        "day": day,
    }
