"""The rentals on the Plan page: what is held, since when, what it costs, what happens next."""

from dataclasses import dataclass
from decimal import Decimal

from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.money import format_quantity, format_usd
from accounts.quantities import write_monthly_price, write_quantity
from billing_portal.dashboard.plan_state import PlanState
from billing_portal.dashboard.times import write_day
from plans import rental_changes, rentals
from plans.models import FeatureKind, FeaturePrice, Rental, Subscription


@dataclass(frozen=True)
class RentalRow:
    """One rental of the plan, held or not."""

    title: str
    terms: str
    held: str
    since: str
    monthly: str
    note: str
    href: str
    action: str
    keep_href: str
    keep: str


@dataclass(frozen=True)
class RentalsPanel:
    """All rentals of the plan."""

    rows: tuple[RentalRow, ...]


def build_rentals_panel(state: PlanState) -> RentalsPanel | None:
    """Compose the panel, or None without a plan that has rentals."""
    if state.current is None:
        return None
    held = {rental.feature_id: rental for rental in state.basis.rentals if not rental.ended_at}
    rows = tuple(
        _row(state, state.current, terms, held.get(terms.feature_id))
        for terms in state.prices[state.current.plan_version_id]
        if terms.feature.kind == FeatureKind.RENTAL
    )
    return RentalsPanel(rows) if rows else None


def _row(
    state: PlanState, subscription: Subscription, terms: FeaturePrice, rental: Rental | None
) -> RentalRow:
    feature, zone = terms.feature, state.account.timezone
    quantity = rental.quantity if rental else 0
    is_released = rental is not None and rental.quantity_at_renewal is not None
    since = ""
    if rental and rental.started_at:
        day = write_day(rental.started_at.astimezone(zone).date())
        since = _("since %(day)s") % {"day": day}
    keeps = state.may_act and is_released
    return RentalRow(
        title=feature.title,
        terms=write_terms(terms),
        held=count(quantity, terms),
        since=since,
        monthly=monthly(terms, quantity) if rental else "",
        note=_note(state, subscription, terms, rental),
        href=reverse("rental", args=[feature.key]),
        action=_("Change") if state.may_act else _("History"),
        keep_href=reverse("rental-keep", args=[feature.key]) if keeps else "",
        keep=_("Keep %(name)s") % {"name": count(quantity, terms)} if keeps else "",
    )


def _note(
    state: PlanState, subscription: Subscription, terms: FeaturePrice, rental: Rental | None
) -> str:
    """What happens at the renewal, or that a payment for more is under way."""
    if rentals.is_being_paid(feature=terms.feature, under_way=state.under_way):
        return _("More are being paid for. They are held once the bank has answered.")
    end = subscription.current_period_end
    if rental is None or rental.quantity_at_renewal is None or end is None:
        return ""
    day = write_day(end.astimezone(state.account.timezone).date())
    return _("%(quantity)s from %(day)s on.") % {
        "quantity": count(rental.quantity_at_renewal, terms),
        "day": day,
    }


def count(quantity: int, terms: FeaturePrice) -> str:
    """`5 numbers`, `1 seat`."""
    return write_quantity(Decimal(quantity), terms.feature.unit)


def monthly(terms: FeaturePrice, quantity: int) -> str:
    """`$7.50 a month`, or that the plan includes them."""
    cost = rental_changes.monthly_cost(terms, quantity)
    return _("%(cost)s a month") % {"cost": format_usd(cost)} if cost else _("Included")


def write_terms(terms: FeaturePrice) -> str:
    """`2 included, then $2.50 per number a month, at most 50`."""
    rate = write_monthly_price(terms.unit_price.amount, terms.feature.unit)
    included = format_quantity(terms.included_quantity)
    if terms.maximum is not None and terms.maximum <= terms.included_quantity:
        return _("%(included)s included, which is the most there can be") % {"included": included}
    text = (
        _("%(included)s included, then %(rate)s") % {"included": included, "rate": rate}
        if terms.included_quantity
        else rate
    )
    return (
        text
        if terms.maximum is None
        else _("%(terms)s, at most %(maximum)s") % {"terms": text, "maximum": f"{terms.maximum:,}"}
    )
