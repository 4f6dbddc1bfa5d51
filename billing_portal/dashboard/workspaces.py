"""What each workspace cost in this period: the dearest, and the rest together."""

from decimal import Decimal
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.money import format_usd
from billing_portal.dashboard.overview_state import OverviewState
from billing_portal.dashboard.rows import Fact
from plans.daily_spend import Group

#: So many are named.
NAMED = 5


def build_workspaces(state: OverviewState) -> tuple[Fact, ...]:
    """Return what each cost, dearest first; nothing when there are none to tell apart."""
    totals: dict[str, Decimal] = {}
    for row in state.workspaces:
        if row.amount:
            totals[row.name] = totals.get(row.name, Decimal(0)) + row.amount
    if not any(totals):
        return ()
    ranked = sorted(totals, key=lambda name: (-totals[name], name))
    facts = [
        Fact(name or _("No workspace"), format_usd(totals[name]), href=_href(name))
        for name in ranked[:NAMED]
    ]
    rest = ranked[NAMED:]
    if rest:
        label = ngettext("%(count)s other", "%(count)s others", len(rest)) % {"count": len(rest)}
        amount = sum((totals[name] for name in rest), Decimal(0))
        every = f"{reverse('usage')}?{urlencode({'group': Group.WORKSPACE.value})}"
        facts.append(Fact(label, format_usd(amount), href=every))
    return tuple(facts)


def _href(name: str) -> str:
    """Where what it used is divided by feature."""
    return f"{reverse('usage')}?{urlencode({'workspace': name})}" if name else ""
