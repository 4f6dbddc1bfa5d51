"""The monthly spend cap: what is set, what was spent so far, and what happens next."""

from dataclasses import dataclass
from datetime import datetime, tzinfo

from django.utils.translation import gettext as _

from accounts.models import Account
from accounts.money import format_usd
from billing_portal.dashboard.meters import NEAR_PERCENT, Meter
from billing_portal.dashboard.settings_forms import SpendCapForm
from billing_portal.dashboard.times import moment
from plans import spend_caps, subscriptions
from plans.spend_caps import Spend
from wallet.models import Wallet


@dataclass(frozen=True)
class SpendCapPanel:
    """The panel; `meter` where there is a cap."""

    may_act: bool
    state: str
    tone: str
    is_checked: bool
    sentences: tuple[str, ...]
    meter: Meter | None
    form: SpendCapForm


def build_spend_cap(
    account: Account,
    wallet: Wallet | None,
    *,
    may_act: bool,
    form: SpendCapForm | None,
    now: datetime,
) -> SpendCapPanel | None:
    """Compose the panel; a form that could not be saved is shown as it was typed."""
    if wallet is None:
        return None
    spend = spend_caps.spend_of(
        account=account,
        wallet=wallet,
        subscription=subscriptions.current(account=account),
        now=now,
    )
    shown = form or SpendCapForm(initial={"cap": spend.cap or ""})
    if spend.spent:
        shown.fields["cap"].help_text = _(
            "%(spent)s is spent already: a cap of that much or less pauses services at once."
        ) % {"spent": format_usd(spend.spent)}
    state, tone = _state(spend)
    return SpendCapPanel(
        may_act=may_act,
        state=state,
        tone=tone,
        is_checked=spend.cap is not None if form is None else bool(form.data.get("capped")),
        sentences=tuple(_sentences(spend, to=account.contact_email, zone=account.timezone)),
        meter=_meter(spend),
        form=shown,
    )


def _state(spend: Spend) -> tuple[str, str]:
    if spend.cap is None:
        return _("Off"), ""
    if spend.is_reached:
        return _("Reached"), "bad"
    return _("On"), "warn" if spend.is_near else "good"


def _sentences(spend: Spend, *, to: str, zone: tzinfo) -> list[str]:
    """What happens as it is set."""
    if spend.cap is None or spend.warned_at is None:
        return [
            _("There is no cap. Usage has cost %(spent)s in this period.")
            % {"spent": format_usd(spend.spent)}
        ]
    written = {
        "cap": format_usd(spend.cap),
        "spent": format_usd(spend.spent),
        "warned": format_usd(spend.warned_at),
        "to": to,
    }
    if spend.is_reached:
        sentences = [
            _("The cap is reached: services are paused and new calls are refused.")
            + " "
            + _("They resume at once when you raise or remove the cap.")
        ]
    elif spend.is_near:
        sentences = [
            _("Usage has cost %(spent)s in this period. At %(cap)s services pause.") % written
        ]
    else:
        sentences = [
            _(
                "At %(warned)s, %(to)s gets an e-mail. At %(cap)s services pause and new calls are "
                "refused."
            )
            % written
        ]
    if spend.period_end is not None:
        sentences.append(
            _("Counting begins anew with the next period, on %(at)s; services resume then, too.")
            % {"at": moment(spend.period_end, zone).short}
        )
    return sentences


def _meter(spend: Spend) -> Meter | None:
    if spend.cap is None:
        return None
    percent = min(100, int(spend.spent / spend.cap * 100))
    return Meter(
        label=_("Spent in this period"),
        value=_("%(spent)s of %(cap)s")
        % {"spent": format_usd(spend.spent), "cap": format_usd(spend.cap)},
        percent=percent,
        is_near=percent >= NEAR_PERCENT,
        note="",
    )
