"""The balance on the Overview: how long it lasts, what moves it, the shortest way to raise it."""

import uuid
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.money import format_usd
from billing_portal.dashboard.overview_state import CREDIT_PURPOSES, OverviewState
from billing_portal.dashboard.presets import Preset, build_presets
from billing_portal.dashboard.rows import Fact, label_of
from billing_portal.dashboard.services_reasons import ServicesReason, services_reasons
from billing_portal.dashboard.times import moment
from invoices.models import Status
from plans import run_out


@dataclass(frozen=True)
class BalancePanel:
    """The dominant figure, and the shortest way to raise it.

    Without a plan there are no services yet: none are called active.
    """

    amount: str
    is_negative: bool
    note: str
    facts: tuple[Fact, ...]
    services: str
    services_tone: str
    reasons: tuple[ServicesReason, ...]
    may_act: bool
    presets: tuple[Preset, ...]
    presets_label: str
    pay_with: str
    key: str
    button: str
    busy: str


def build_balance(state: OverviewState) -> BalancePanel:
    """Compose the balance with its presets, paid by the default card or on a payment page."""
    card = state.default_card
    presets = build_presets(
        account=state.account,
        balance=state.balance,
        minimum=state.minimum_top_up,
        maximum=settings.MAXIMUM_TOP_UP,
        chosen=None,
    )
    is_paused = bool(state.account.pause_reasons)
    may_run = is_paused or state.subscription is not None
    return BalancePanel(
        amount=format_usd(state.balance),
        is_negative=state.balance < 0,
        note=_note(state),
        facts=_facts(state),
        services=("paused" if is_paused else "active") if may_run else "",
        services_tone="bad" if is_paused else "good",
        reasons=services_reasons(state),
        may_act=state.may_act,
        presets=presets,
        presets_label=(
            _("Add credit from %(card)s") % {"card": label_of(card).spoken}
            if card
            else _("Add credit on a secure payment page")
        ),
        pay_with=str(card.pk) if card else "hosted",
        key=uuid.uuid4().hex,
        button=_("Add credit") if card else _("Continue"),
        busy=_("Charging…") if card else _("Opening the payment page…"),
    )


def _facts(state: OverviewState) -> tuple[Fact, ...]:
    """What moved it last, what is about to, and how much of the cap is left to spend."""
    zone = state.account.timezone
    bought = [each for each in state.recent if each.purpose in CREDIT_PURPOSES]
    added = next((each for each in bought if each.status == Status.PAID), None)
    under_way = [each.net_amount.amount for each in bought if each.status == Status.PROCESSING]
    today = state.now.astimezone(zone).date()
    used = [row.amount for row in state.used if row.day == today]
    facts = []
    if under_way:
        facts.append(Fact(_("On its way"), format_usd(sum(under_way, Decimal(0)))))
    if added is not None:
        at = moment(added.paid_at or added.created_at, zone)
        facts.append(Fact(_("Last added"), format_usd(added.net_amount.amount), at.day))
    if state.subscription is not None:
        facts.append(Fact(_("Spent today"), format_usd(sum(used, Decimal(0)))))
    if state.capped is not None and state.capped.cap is not None:
        # A late record counts towards the cap when it is deducted: what was spent of it is not
        # what this period's usage cost, which is shown below.
        left = max(state.capped.cap - state.capped.spent, Decimal(0))
        written = {"left": format_usd(left), "cap": format_usd(state.capped.cap)}
        facts.append(Fact(_("Left of the spend cap"), _("%(left)s of %(cap)s") % written))
    return tuple(facts)


def _note(state: OverviewState) -> str:
    if state.balance < 0:
        return _("Usage beyond your credit. The next top-up settles it first.")
    if state.balance == 0:
        return _("Add credit to pay for usage beyond what your plan includes.")
    if state.days_left is not None:
        if state.days_left >= run_out.HORIZON:
            return _("At your last 14 days' pace it lasts longer than a year.")
        if state.days_left == 0:
            return _("Lasts less than a day at your last 14 days' pace.")
        return ngettext(
            "Lasts about a day at your last 14 days' pace, after what your plan still includes.",
            "Lasts about %(count)s days at your last 14 days' pace, after what your plan still "
            "includes.",
            state.days_left,
        ) % {"count": state.days_left}
    if state.forecast is None:
        return _("There is too little usage so far to say how long it lasts.")
    pace = format_usd(state.forecast.per_day)
    if state.forecast.days == 0:
        return _("Lasts less than a day at your last 14 days' pace of %(pace)s a day.") % {
            "pace": pace
        }
    return ngettext(
        "Lasts about a day at your last 14 days' pace of %(pace)s a day.",
        "Lasts about %(count)s days at your last 14 days' pace of %(pace)s a day.",
        state.forecast.days,
    ) % {"count": state.forecast.days, "pace": pace}
