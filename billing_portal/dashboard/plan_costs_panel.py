"""What the account's own last periods would have cost on each plan."""

from dataclasses import dataclass
from decimal import Decimal

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.money import format_usd, to_cents
from accounts.quantities import write_quantity
from billing_portal.dashboard.plan_state import PlanState
from billing_portal.dashboard.times import write_period
from plans import comparison
from plans.comparison import Comparison, FeatureCost, Lacking, PlanCost
from plans.models import FeatureKind

#: The part of the page that is swapped when another number of periods is chosen.
REGION = "plan-costs"


@dataclass(frozen=True)
class PeriodsOption:
    """A number of periods to price the plans on."""

    label: str
    href: str
    is_current: bool


@dataclass(frozen=True)
class CostLine:
    """The monthly price or a feature, with what it is more or less than on the plan in force."""

    label: str
    note: str
    value: str
    difference: str


@dataclass(frozen=True)
class CostRow:
    """What one plan would have cost. `percent` of the dearest is the length of its bar."""

    slug: str
    name: str
    is_current: bool
    is_cheapest: bool
    amount: str
    percent: int
    difference: str
    tone: str
    lacking: tuple[str, ...]
    lines: tuple[CostLine, ...]


@dataclass(frozen=True)
class CostsPanel:
    """The plans, the least first; without a period there are none, and `text` says why."""

    title: str
    verdict: str
    text: str
    few: str
    options: tuple[PeriodsOption, ...]
    rows: tuple[CostRow, ...]
    notes: tuple[str, ...]


def periods_asked(value: str) -> int:
    """Return how many periods an address asks for; one when it says nothing we offer."""
    return next((each for each in comparison.CHOICES if str(each) == value), comparison.CHOICES[0])


def build_costs_panel(state: PlanState) -> CostsPanel:
    """Compose the panel."""
    basis = state.basis
    if not basis.periods:
        return CostsPanel(
            title=_("What would it have cost?"),
            verdict="",
            text=_(
                "Once you have been on a plan, every plan is priced here on what you really used."
            ),
            few="",
            options=(),
            rows=(),
            notes=(),
        )
    compared = comparison.compare(
        basis, versions=state.versions, prices=state.prices, current=state.current_version
    )
    dearest = max((plan.amount for plan in compared.plans), default=Decimal(0))
    count = len(basis.periods)
    span = write_period(
        basis.periods[0].period_start, basis.periods[-1].period_end, state.account.timezone
    )
    return CostsPanel(
        title=_title(state),
        verdict=_verdict(compared),
        text=_("%(period)s, priced on what you used and held.") % {"period": span},
        few=ngettext(
            "You have had only %(count)s whole period so far.",
            "You have had only %(count)s whole periods so far.",
            count,
        )
        % {"count": count}
        if count < basis.asked and not basis.is_running
        else "",
        options=() if basis.is_running else _options(basis.asked),
        rows=tuple(
            _row(plan, compared, dearest)
            for plan in sorted(compared.plans, key=lambda plan: (bool(plan.lacking), plan.amount))
        ),
        notes=_notes(state),
    )


def _options(asked: int) -> tuple[PeriodsOption, ...]:
    return tuple(
        PeriodsOption(
            label=ngettext("%(count)s period", "%(count)s periods", each) % {"count": each},
            href=f"{reverse('plan')}?periods={each}",
            is_current=each == asked,
        )
        for each in comparison.CHOICES
    )


def _title(state: PlanState) -> str:
    count = len(state.basis.periods)
    if state.basis.is_running:
        return _("What would this period have cost so far?")
    if count == 1:
        return _("What would the last period have cost?")
    return ngettext(
        "What would the last %(count)s period have cost?",
        "What would the last %(count)s periods have cost?",
        count,
    ) % {"count": count}


def _verdict(compared: Comparison) -> str:
    """Say in one sentence which plan one should have been on."""
    best, current = compared.cheapest, compared.current
    if best is None:
        return _("No plan on offer has all that you used.")
    name = best.plan_version.plan.title
    if best is current:
        return _("%(plan)s, your plan, is the cheapest for this.") % {"plan": name}
    if current is None or current.lacking:
        return _("%(plan)s would have been the cheapest: %(amount)s.") % {
            "plan": name,
            "amount": format_usd(best.amount),
        }
    return _("%(plan)s would have cost %(amount)s less than %(current)s, your plan.") % {
        "plan": name,
        "amount": format_usd(_cents(current) - _cents(best)),
        "current": current.plan_version.plan.title,
    }


def _cents(plan: PlanCost) -> Decimal:
    """What is shown of a plan: so that differences are those of the figures beside them."""
    return to_cents(plan.amount)


def _row(plan: PlanCost, compared: Comparison, dearest: Decimal) -> CostRow:
    own = compared.current if plan is not compared.current else None
    difference, tone = "", ""
    if own is not None:
        difference, tone = _difference(_cents(plan) - _cents(own), own.plan_version.plan.title)
    by_feature = {cost.feature.pk: cost for cost in own.features} if own else {}
    monthly = CostLine(
        label=_("Monthly price"),
        note="",
        value=format_usd(plan.monthly),
        difference=_against(plan.monthly, own.monthly) if own else "",
    )
    return CostRow(
        slug=plan.plan_version.plan.slug,
        name=plan.plan_version.plan.title,
        is_current=plan is compared.current,
        is_cheapest=plan is compared.cheapest,
        amount=format_usd(plan.amount),
        percent=max(1, int(plan.amount * 100 / dearest)) if plan.amount else 0,
        difference=difference,
        tone=tone,
        lacking=tuple(_lacking(each) for each in plan.lacking),
        lines=(
            monthly,
            *(_line(cost, by_feature.get(cost.feature.pk)) for cost in plan.features),
        ),
    )


def _difference(more: Decimal, current: str) -> tuple[str, str]:
    amount = format_usd(abs(more))
    if not more:
        return _("The same as %(plan)s") % {"plan": current}, ""
    if more < 0:
        return _("%(amount)s less than %(plan)s") % {"amount": amount, "plan": current}, "good"
    return _("%(amount)s more than %(plan)s") % {"amount": amount, "plan": current}, "bad"


def _against(amount: Decimal, own: Decimal) -> str:
    more = to_cents(amount) - to_cents(own)
    if more > 0:
        return _("%(amount)s more") % {"amount": format_usd(more)}
    return _("%(amount)s less") % {"amount": format_usd(-more)} if more else _("The same")


def _line(cost: FeatureCost, own: FeatureCost | None) -> CostLine:
    unit = cost.feature.unit
    quantity, billed = write_quantity(cost.quantity, unit), write_quantity(cost.billed, unit)
    if cost.feature.kind == FeatureKind.RENTAL:
        note = _("Up to %(quantity)s held, %(billed)s beyond what is included")
    else:
        note = _("%(quantity)s used, %(billed)s beyond what is included")
    if not cost.billed:
        note = _("%(quantity)s, all included")
    return CostLine(
        label=cost.feature.title,
        note=note % {"quantity": quantity, "billed": billed},
        value=format_usd(cost.amount),
        difference=_against(cost.amount, own.amount) if own else "",
    )


def _lacking(each: Lacking) -> str:
    names = {"feature": each.feature.title, "held": f"{each.held:,}", "most": f"{each.most or 0:,}"}
    if each.most is not None:
        return (
            _(
                "%(feature)s: you held %(held)s; this plan allows %(most)s, and only so many are "
                "priced."
            )
            % names
        )
    return _("%(feature)s is not in this plan, and not in this amount.") % names


def _notes(state: PlanState) -> tuple[str, ...]:
    """Say how it is worked out, and how exact it is."""
    first = (
        _("The period still runs: usage so far, with the price of the whole month.")
        if state.basis.is_running
        else _("Whole periods only: one that a change of plan cut short is left out.")
    )
    return (
        first,
        _("Each plan as if you had been on it, and paid on time, throughout; without tax."),
        _("What a plan includes, and its volume tiers, begin anew in each period."),
        _(
            "Rentals from the day you took them to the end of the period; what you let go within "
            "one is not given back."
        ),
        _(
            "Your own plan comes to about what you were charged: each call is rounded to a "
            "millionth of a dollar, and here only the sum of a period is. That is less than a cent "
            "in 10,000 calls."
        ),
    )
