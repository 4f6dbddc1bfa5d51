"""Why services are paused, in a line beside the badge, each reason with what lifts it."""

from dataclasses import dataclass

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import PauseReason
from billing_portal.dashboard.overview_state import OverviewState


@dataclass(frozen=True)
class ServicesReason:
    """One reason; `action` and `href` are what lifts it, for those who may."""

    text: str
    action: str = ""
    href: str = ""


def services_reasons(state: OverviewState) -> tuple[ServicesReason, ...]:
    """Return the reasons, most common first; none while services are active."""
    reasons = state.account.pause_reasons
    found = [_reason(reason, state) for reason in PauseReason if reason in reasons]
    if state.may_act:
        return tuple(found)
    return tuple(ServicesReason(each.text) for each in found)


def _reason(reason: PauseReason, state: OverviewState) -> ServicesReason:
    match reason:
        case PauseReason.NEGATIVE_BALANCE:
            return ServicesReason(
                _("The balance is below zero: any credit above it resumes them."),
                _("Add credit"),
                reverse("top-up"),
            )
        case PauseReason.SUBSCRIPTION_UNPAID:
            text = _("The renewal is unpaid: paying it resumes them.")
            if state.default_card is None:
                return ServicesReason(text, _("Add Payment Method"), reverse("payment-method-add"))
            return ServicesReason(text, _("Pay it below"), "#plan-title")
        case PauseReason.SPEND_CAP:
            return ServicesReason(
                _("The spend cap is reached: raising it, or the next period, resumes them."),
                _("Raise the cap"),
                f"{reverse('billing-settings')}#spend-cap",
            )
        case PauseReason.LOCKED:
            return ServicesReason(
                _("Our support paused them: write to us and we will sort it out."),
                _("Write to support"),
                f"mailto:{settings.SELLER['email']}",
            )
