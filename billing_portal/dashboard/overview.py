"""The Billing Overview, composed: typed values that the template only prints."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import Account
from accounts.money import format_usd, to_cents
from billing_portal.dashboard.balance_panel import BalancePanel, build_balance
from billing_portal.dashboard.banners import SEEN_AT_ONCE, Banner, build_banners
from billing_portal.dashboard.charts import Chart, spend_chart
from billing_portal.dashboard.first_steps import FirstSteps, build_first_steps
from billing_portal.dashboard.forms import AutoRefillForm
from billing_portal.dashboard.meters import Meter, build_meters, is_waiting_for_payment
from billing_portal.dashboard.overview_state import OverviewState, read_state
from billing_portal.dashboard.plan_panel import PlanPanel, build_plan_panel
from billing_portal.dashboard.recent_activity import ActivityLine, build_recent_activity
from billing_portal.dashboard.refill_panel import RefillPanel, build_refill_panel
from billing_portal.dashboard.rows import Fact
from billing_portal.dashboard.times import write_day, write_period, write_short_day
from billing_portal.dashboard.workspaces import build_workspaces
from invoices.models import Status


@dataclass(frozen=True)
class Overview:
    """The whole page; it `has_usage` to show once a plan has begun."""

    period: str
    latest_receipt_href: str
    banners: tuple[Banner, ...]
    folded_banners: tuple[Banner, ...]
    folded_label: str
    first_steps: FirstSteps | None
    has_usage: bool
    balance: BalancePanel
    auto_refill: RefillPanel
    chart: Chart | None
    spend_facts: tuple[Fact, ...]
    workspaces: tuple[Fact, ...]
    no_spend_text: str
    spend_note: str
    meters: tuple[Meter, ...]
    reset_note: str
    allowance_note: str
    plan: PlanPanel | None
    activity: tuple[ActivityLine, ...]


def build_overview(
    *, account: Account, now: datetime, may_act: bool, refill_form: AutoRefillForm | None = None
) -> Overview:
    """Compose the page; `refill_form` carries what was typed when it could not be saved."""
    state = read_state(account=account, now=now, may_act=may_act)
    first_steps = build_first_steps(state)
    banners = build_banners(state, has_first_steps=first_steps is not None)
    folded = banners[SEEN_AT_ONCE:]
    return Overview(
        period=_period(state),
        latest_receipt_href=_latest_receipt(state),
        banners=banners[:SEEN_AT_ONCE],
        folded_banners=folded,
        folded_label=ngettext(
            "%(count)s more thing needs attention",
            "%(count)s more things need attention",
            len(folded),
        )
        % {"count": len(folded)},
        first_steps=first_steps,
        has_usage=state.renewal is not None and (first_steps is None or bool(state.included)),
        balance=build_balance(state),
        auto_refill=build_refill_panel(state, form=refill_form),
        chart=_chart(state),
        spend_facts=_spend_facts(state),
        workspaces=build_workspaces(state),
        no_spend_text=_no_spend_text(state),
        spend_note=(
            ""
            if state.is_added_up
            else _("The newest usage is still being added up: the figures grow within minutes.")
        ),
        meters=build_meters(state),
        reset_note=_reset_note(state),
        allowance_note=(
            _(
                "The allowance is granted when this period's renewal is paid; until then usage is "
                "deducted from the balance."
            )
            if is_waiting_for_payment(state)
            else ""
        ),
        # Where the first step is to choose one, it is said there.
        plan=build_plan_panel(state) if state.subscription or first_steps is None else None,
        activity=build_recent_activity(state),
    )


def _period(state: OverviewState) -> str:
    renewal = state.renewal
    if renewal is None:
        return ""
    return write_period(renewal.period_start, renewal.period_end, state.account.timezone)


def _latest_receipt(state: OverviewState) -> str:
    for transaction in state.recent:
        if transaction.status == Status.PAID:
            return reverse("billing-history-receipt", args=[transaction.number])
    return ""


def _days(state: OverviewState) -> tuple[date, date, date] | None:
    """First and last day of the period and today, in the account's timezone."""
    renewal, zone = state.renewal, state.account.timezone
    if renewal is None:
        return None
    last = (renewal.period_end - timedelta(microseconds=1)).astimezone(zone).date()
    return renewal.period_start.astimezone(zone).date(), last, state.now.astimezone(zone).date()


def _chart(state: OverviewState) -> Chart | None:
    days = _days(state)
    if days is None:
        return None
    first, last, today = days
    return spend_chart(
        state.spends,
        before=_previous_days(state),
        before_name=_("Last period, same day"),
        first=first,
        last=last,
        today=today,
    )


def _previous_days(state: OverviewState) -> dict[int, Decimal]:
    """What each day of the last period cost, by its place in it."""
    totals: dict[int, Decimal] = {}
    if state.previous is None:
        return totals
    first = state.previous.period_start.astimezone(state.account.timezone).date()
    for spend in state.previous_spends:
        place = (spend.day - first).days
        totals[place] = totals.get(place, Decimal(0)) + spend.amount
    return totals


def _spend_facts(state: OverviewState) -> tuple[Fact, ...]:
    days = _days(state)
    if days is None:
        return ()
    first, last, today = days
    total = sum((spend.amount for spend in state.spends), Decimal(0))
    elapsed = max(1, (min(today, last) - first).days + 1)
    facts = [
        Fact(_("Spent so far"), format_usd(total)),
        Fact(_("Average a day"), format_usd(to_cents(total / elapsed))),
    ]
    previous = _previous_days(state)
    if sum(previous.values(), Decimal(0)):
        by_now = sum((previous[n] for n in previous if n < elapsed), Decimal(0))
        facts.append(Fact(_("Last period by this day"), format_usd(by_now)))
    if today <= last:
        label = _("At this pace by %(day)s") % {"day": write_short_day(last)}
        told = _("Too early to tell") if state.projected is None else format_usd(state.projected)
        facts.append(Fact(label, told))
    return tuple(facts)


def _no_spend_text(state: OverviewState) -> str:
    days = _days(state)
    if days and state.projected and to_cents(state.projected):
        return _(
            "Your plan included all of it so far. At this pace %(amount)s will be spent beyond it "
            "by %(day)s."
        ) % {"amount": format_usd(state.projected), "day": write_short_day(days[1])}
    return _("Usage beyond your plan's allowance appears here, day by day.")


def _reset_note(state: OverviewState) -> str:
    if state.renewal is None or not state.included:
        return ""
    local = state.renewal.period_end.astimezone(state.account.timezone)
    return _("Resets %(day)s") % {"day": write_day(local.date())}
