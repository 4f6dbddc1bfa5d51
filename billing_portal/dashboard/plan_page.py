"""The plans: which one is in force, and how one gets to the others."""

from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import Account
from accounts.money import format_usd
from accounts.recorded_words import translated
from billing_portal.dashboard.plan_state import PlanState
from billing_portal.dashboard.times import write_day
from plans import plan_quotes, subscriptions
from plans.models import PlanChange, PlanVersion, Subscription
from plans.plan_quotes import Kind


@dataclass(frozen=True)
class PlanCard:
    """One plan: what it costs by the month, and how one gets to it."""

    slug: str
    name: str
    description: str
    price: str
    price_note: str
    badge: str
    is_current: bool
    is_primary: bool
    action: str
    action_href: str
    is_undo: bool


@dataclass(frozen=True)
class PlanPage:
    """All plans the account may choose from."""

    intro: str
    can_cancel: bool
    plans: tuple[PlanCard, ...]


def build_plan_page(state: PlanState) -> PlanPage:
    """Compose the plans, each with its badge, or the button that leads to it."""
    current = state.current
    why_not_now = _why_not_now(state)
    return PlanPage(
        intro=_intro(state.account, current, state.change),
        can_cancel=state.may_act and current is not None and not current.cancel_at_period_end,
        plans=tuple(
            _plan_card(
                version,
                standing=_standing(state, version, why_not_now=why_not_now)
                if state.may_act
                else None,
                badge=_badge(state.account, version, current, state.change),
                is_current=version == state.current_version,
            )
            for version in state.versions
        ),
    )


def day_of(moment: datetime | None, account: Account) -> str:
    """Write the day of a moment where the account is."""
    return write_day(moment.astimezone(account.timezone).date()) if moment else ""


@dataclass(frozen=True)
class _Standing:
    """How one gets to a plan: a link, a button that undoes, or why it is not to be had now."""

    action: str
    href: str = ""
    is_undo: bool = False
    is_primary: bool = False


def _why_not_now(state: PlanState) -> str:
    """Return why the account can move to no plan at all now, or ""."""
    if state.current is None or not state.may_act:
        return ""
    try:
        plan_quotes.check_is_at_rest(
            subscription=state.current,
            is_unpaid=state.is_unpaid,
            under_way=state.under_way,
            now=state.now,
        )
    except ValidationError as error:
        return " ".join(error.messages)
    return ""


def _why_not_to(state: PlanState, version: PlanVersion) -> str:
    """Return why the account can't move to this plan as long as things stand so, or ""."""
    if state.current is None:
        return ""
    try:
        plan_quotes.check_is_kept(subscription=state.current, plan_version=version)
    except ValidationError as error:
        return " ".join(error.messages)
    return ""


def _standing(state: PlanState, version: PlanVersion, *, why_not_now: str) -> _Standing | None:
    if not state.may_act:
        return None
    name, current, change = version.plan.title, state.current, state.change
    if current is not None and version.plan_id == current.plan_version.plan_id:
        if current.cancel_at_period_end or change is not None:
            return _Standing(
                _("Keep %(name)s") % {"name": name}, reverse("plan-keep"), is_undo=True
            )
        return None
    if change is not None and version.pk == change.to_version_id:
        return None
    if blocked := why_not_now or _why_not_to(state, version):
        return _Standing(blocked)
    verbs = {
        Kind.START: _("Choose %(name)s") % {"name": name},
        Kind.UPGRADE: _("Upgrade to %(name)s") % {"name": name},
        Kind.DOWNGRADE: _("Downgrade to %(name)s") % {"name": name},
    }
    kind = plan_quotes.kind_of(subscription=current, plan_version=version)
    return _Standing(
        verbs[kind],
        reverse("choose-plan", args=[version.plan.slug]),
        is_primary=kind != Kind.DOWNGRADE and bool(version.monthly_price.amount),
    )


def _badge(
    account: Account,
    version: PlanVersion,
    current: Subscription | None,
    change: PlanChange | None,
) -> str:
    if current is None:
        return ""
    day = day_of(current.current_period_end, account)
    if change is not None and version.pk == change.to_version_id:
        return _("From %(day)s") % {"day": day}
    if version.plan_id != current.plan_version.plan_id:
        return ""
    return (
        _("Until %(day)s") % {"day": day}
        if current.cancel_at_period_end or change
        else _("Current plan")
    )


def _intro(account: Account, current: Subscription | None, change: PlanChange | None) -> str:
    if current is None:
        ended = subscriptions.last_ended(account=account)
        if ended is None:
            return _("Choose how you pay. You can begin without a card.")
        day = day_of(ended.ended_at, account)
        return _(
            "%(plan)s ended on %(day)s. Choose a plan to go on; your credit is still yours."
        ) % {"plan": ended.plan_version.plan.title, "day": day}
    name = current.plan_version.plan.title
    day = day_of(current.current_period_end, account)
    if current.cancel_at_period_end:
        return _("You are on %(name)s, which is canceled and ends on %(day)s.") % {
            "name": name,
            "day": day,
        }
    if change is not None:
        return _("You are on %(name)s; it changes to %(plan)s on %(day)s.") % {
            "name": name,
            "plan": change.to_version.plan.title,
            "day": day,
        }
    return _("You are on %(name)s; the next period begins on %(day)s.") % {"name": name, "day": day}


def _plan_card(
    version: PlanVersion, *, standing: _Standing | None, badge: str, is_current: bool
) -> PlanCard:
    plan = version.plan
    return PlanCard(
        slug=plan.slug,
        name=plan.title,
        description=translated(plan.description),
        price=format_usd(version.monthly_price.amount),
        price_note=_("per month"),
        badge=badge,
        is_current=is_current,
        is_primary=standing is not None and standing.is_primary,
        action=standing.action if standing else "",
        action_href=standing.href if standing else "",
        is_undo=standing is not None and standing.is_undo,
    )
