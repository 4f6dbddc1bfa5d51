"""A month statement's usage by feature: what the ledger does not know, and comes to its usage."""

from decimal import Decimal

from django.utils.translation import gettext as _

from accounts.models import Account
from accounts.recorded_words import translated
from plans import daily_spend
from wallet.statements import MonthTotals, UsagePart


def usage_by_feature(*, account: Account, totals: MonthTotals) -> tuple[UsagePart, ...]:
    """Return the parts of the month's usage, the dearest first: together they are all of it.

    What is not told apart yet, in a month under way, is a part of its own.
    """
    if not totals.usage.count:
        return ()
    found = daily_spend.deducted(account=account, totals=totals)
    parts = [UsagePart(translated(name), -amount) for name, amount in found.items()]
    rest = totals.usage.amount - sum((part.amount for part in parts), Decimal(0))
    if rest:
        parts.append(UsagePart(_("Still being added up"), rest))
    return tuple(parts)
