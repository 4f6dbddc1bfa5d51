"""The notice of a low balance: whether it is sent, below what, and to whom."""

from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from accounts.models import Account
from accounts.money import format_usd
from billing_portal.dashboard.forms import LowBalanceForm
from wallet.models import DEFAULT_LOW_BALANCE_LIMIT, Wallet


@dataclass(frozen=True)
class LowBalancePanel:
    """The panel."""

    may_act: bool
    state: str
    is_checked: bool
    sentence: str
    form: LowBalanceForm


def build_low_balance(
    account: Account, wallet: Wallet | None, *, may_act: bool, form: LowBalanceForm | None
) -> LowBalancePanel:
    """Compose the panel; a form that could not be saved is shown as it was typed."""
    limit = wallet.low_balance_limit if wallet else None
    proposed = DEFAULT_LOW_BALANCE_LIMIT if limit is None else limit
    return LowBalancePanel(
        may_act=may_act,
        state=_("Off") if limit is None else _("On"),
        is_checked=limit is not None if form is None else bool(form.data.get("told")),
        sentence=_sentence(account, wallet.balance if wallet else Decimal(0), limit),
        form=form or LowBalanceForm(initial={"limit": f"{proposed:.2f}"}),
    )


def _sentence(account: Account, balance: Decimal, limit: Decimal | None) -> str:
    """What happens as it is set."""
    if limit is None:
        return _("No e-mail is sent when the balance is low.")
    written = {"limit": format_usd(limit), "to": account.contact_email}
    if balance < limit:
        return (
            _(
                "The balance is below %(limit)s already. Once it has been back there, %(to)s gets "
                "an e-mail the next time it falls below."
            )
            % written
        )
    return _("When the balance falls below %(limit)s, %(to)s gets one e-mail.") % written
