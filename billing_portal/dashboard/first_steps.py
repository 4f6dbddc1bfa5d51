"""The first steps of a new account: what is left to do before calls can be made."""

from dataclasses import dataclass, replace

from django.urls import reverse
from django.utils.translation import gettext as _

from billing_portal.dashboard.overview_state import OverviewState
from plans.models import SubscriptionStatus


@dataclass(frozen=True)
class FirstStep:
    """One step, done or to be done."""

    title: str
    text: str
    is_done: bool
    action: str
    action_href: str
    is_next: bool = False


@dataclass(frozen=True)
class FirstSteps:
    """All of them, while one is left."""

    steps: tuple[FirstStep, ...]
    progress: str


def build_first_steps(state: OverviewState) -> FirstSteps | None:
    """Return the steps while one is left and nothing was used yet; to those who may take them."""
    if not state.may_act or state.ended is not None or state.spends or state.balance < 0:
        return None
    subscription = state.subscription
    has_plan = subscription is not None and subscription.status != SubscriptionStatus.INACTIVE
    steps = (
        FirstStep(
            _("Choose a plan"),
            _("It says what calls cost. Pay as you go has no monthly fee."),
            has_plan,
            _("See plans"),
            reverse("plan"),
        ),
        FirstStep(
            _("Add a payment method"),
            _("We hold $1 to check the card and let it go at once."),
            state.default_card is not None,
            _("Add Payment Method"),
            reverse("payment-method-add"),
        ),
        FirstStep(
            _("Add credit"),
            _("Usage beyond what your plan includes is paid from it."),
            state.balance > 0,
            _("Add credit"),
            reverse("top-up"),
        ),
    )
    is_used = any(allowance.used for allowance in state.allowances.values())
    is_ready = has_plan and state.balance > 0
    if is_used or is_ready:
        return None
    following = next(step for step in steps if not step.is_done)
    done = sum(step.is_done for step in steps)
    return FirstSteps(
        steps=tuple(replace(step, is_next=step is following) for step in steps),
        progress=_("%(done)d of %(all)d done") % {"done": done, "all": len(steps)},
    )
