"""Which of the charges to come the default card will not live to see."""

from datetime import date
from decimal import Decimal

from django.utils.translation import gettext as _

from accounts.models import Card
from accounts.money import format_usd
from billing_portal.dashboard.overview_state import OverviewState
from billing_portal.dashboard.rows import expires_soon
from billing_portal.dashboard.times import write_day
from invoices import charging


def expiry_words(state: OverviewState) -> list[str]:
    """Say in sentences what the card can't pay; nothing while there is time to be quiet.

    There is none when it will have expired by the next renewal, or within 30 days.
    """
    card = state.default_card
    if card is None:
        return []
    today = state.now.astimezone(state.account.timezone).date()
    renewal = _next_renewal(state)
    is_missed = renewal is not None and card.has_expired(today=renewal[0])
    if not is_missed and not expires_soon(card, today=today):
        return []
    words = []
    if renewal is not None:
        words.append(_of_the_renewal(*renewal, is_missed=is_missed))
    refill = state.auto_refill
    if refill and refill.enabled and not refill.suspended_at:
        words.append(_of_the_refill(card, today=today))
    if words:
        return [*words, _("Add another card.")]
    return [_("Nothing is charged to it by itself. Add another card before your next top-up.")]


def _next_renewal(state: OverviewState) -> tuple[date, Decimal] | None:
    """The day of the next renewal that costs something, and what it comes to."""
    end = state.subscription.current_period_end if state.subscription else None
    zone = state.account.timezone
    if state.unpaid and state.unpaid_lines:
        retried = state.unpaid.next_attempt_at or state.now
        day, lines = retried.astimezone(zone).date(), state.unpaid_lines
    elif end is not None and state.next_lines:
        day, lines = end.astimezone(zone).date(), state.next_lines
    else:
        return None
    return day, charging.quote(charging.total_of(lines), account=state.account).amount


def _of_the_renewal(day: date, amount: Decimal, *, is_missed: bool) -> str:
    written = {"day": write_day(day), "amount": format_usd(amount)}
    if is_missed:
        return _("It can't pay the renewal of %(amount)s on %(day)s.") % written
    return _("It still pays the renewal of %(amount)s on %(day)s, and none after it.") % written


def _of_the_refill(card: Card, *, today: date) -> str:
    if card.has_expired(today=today):
        return _("Auto-Refill can't charge it any more.")
    day = write_day(card.last_day())
    return _("Auto-Refill can't charge it after %(day)s.") % {"day": day}
