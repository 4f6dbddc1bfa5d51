"""The page of a plan: exactly what moving to it comes to, before the customer agrees."""

from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts import cards
from accounts.models import Account
from accounts.money import format_omr, format_usd
from billing_portal.dashboard.plan_page import day_of
from billing_portal.dashboard.plan_panel import line_fact
from billing_portal.dashboard.rows import CardLabel, Fact, label_of, price_facts
from billing_portal.dashboard.times import write_period
from invoices import charging
from plans import plan_changes, plan_quotes
from plans.plan_quotes import Kind, Quote


@dataclass(frozen=True)
class Charge:
    """What is charged, or will be: line by line, with its total in dollars and rials."""

    title: str
    lines: tuple[Fact, ...]
    price: tuple[Fact, ...]
    total: str
    charged: str
    rate: str
    note: str


@dataclass(frozen=True)
class PlanQuotePage:
    """What is agreed to on the page of a plan. `sealed` is posted back with the agreement."""

    plan_name: str
    heading: str
    intro: str
    now: Charge | None
    later: Charge | None
    notes: tuple[str, ...]
    releases: tuple[Fact, ...]
    releases_title: str
    card: CardLabel | None
    needs_card: bool
    add_card_href: str
    problem: str
    action_href: str
    sealed: str
    button: str
    busy: str


def build_quote_page(*, account: Account, quote: Quote, problem: str = "") -> PlanQuotePage:
    """Compose the page from a quote."""
    plan = quote.plan_version.plan
    here = reverse("choose-plan", args=[plan.slug])
    card = cards.default_card(account=account)
    day = day_of(quote.next_renewal_at, account)
    is_charged = quote.price.amount > 0
    heading, button, busy = _words(quote, day)
    return PlanQuotePage(
        plan_name=plan.title,
        heading=heading,
        intro=plan.description,
        now=_now(account, quote) if quote.kind != Kind.DOWNGRADE else None,
        later=_later(quote, day) if quote.kind != Kind.START else None,
        notes=_notes(quote, day),
        releases=tuple(
            Fact(
                each.feature.title,
                _("%(used)s of %(included)s")
                % {"used": f"{each.held - each.kept:,}", "included": f"{each.held:,}"},
                _("%(plan)s allows %(kept)s") % {"plan": plan.title, "kept": f"{each.kept:,}"}
                if each.kept
                else _("Not in %(plan)s") % {"plan": plan.title},
            )
            for each in quote.releases
        ),
        releases_title=_("Released now")
        if quote.kind == Kind.START
        else _("Released on %(day)s") % {"day": day},
        card=label_of(card) if card and is_charged else None,
        needs_card=card is None and is_charged,
        add_card_href=f"{reverse('payment-method-add')}?next={here}",
        problem=problem,
        action_href=here,
        sealed=plan_quotes.seal(quote, account=account),
        button=button,
        busy=busy,
    )


def _words(quote: Quote, day: str) -> tuple[str, str, str]:
    """Return the heading, the button, and what it says while it works."""
    name, total = quote.plan_version.plan.title, format_usd(quote.price.amount)
    if quote.kind == Kind.DOWNGRADE:
        return (
            _("Change to %(name)s on %(day)s") % {"name": name, "day": day},
            _("Change on %(day)s") % {"day": day},
            _("Noting the change…"),
        )
    if quote.kind == Kind.UPGRADE:
        if not quote.price.amount:
            return (
                _("Upgrade to %(name)s") % {"name": name},
                _("Upgrade to %(name)s") % {"name": name},
                _("Changing the plan…"),
            )
        return (
            _("Upgrade to %(name)s") % {"name": name},
            _("Upgrade and pay %(total)s") % {"total": total},
            _("Charging the card…"),
        )
    if not quote.price.amount:
        start = _("Start %(name)s") % {"name": name}
        return start, start, _("Starting…")
    return (
        _("Subscribe to %(name)s") % {"name": name},
        _("Subscribe and pay %(total)s") % {"total": total},
        _("Charging the card…"),
    )


def _now(account: Account, quote: Quote) -> Charge:
    start = quote.period.start if quote.kind == Kind.START else quote.at
    period = write_period(start, quote.period.end, account.timezone)
    title = _("First period") if quote.kind == Kind.START else _("Now, for the rest of the period")
    lines = [line_fact(line) for line in quote.lines]
    if (left := quote.lines_total - quote.price.net) != 0:
        lines.append(_uncharged(left))
    return _charge(f"{title}, {period}", lines, quote.price)


def _uncharged(left: Decimal) -> Fact:
    """Write what is not charged, or not given back."""
    if left > 0:
        return Fact(_("Too little to be charged"), format_usd(-left))
    return Fact(_("Not paid out"), format_usd(-left), _("Lower prices hold from now on"))


def _later(quote: Quote, day: str) -> Charge:
    note = ""
    if quote.next_price.amount:
        note = _("Charged to your default card, and every month after.")
    lines = [line_fact(line) for line in quote.next_lines]
    return _charge(_("Next charge, %(day)s") % {"day": day}, lines, quote.next_price, note=note)


def _charge(title: str, lines: list[Fact], price: charging.Quote, *, note: str = "") -> Charge:
    is_charged = price.amount > 0
    return Charge(
        title=title,
        lines=tuple(lines),
        price=price_facts(price) if is_charged else (),
        total=format_usd(price.amount),
        charged=format_omr(price.charged_amount.amount) if is_charged else "",
        rate=f"{settings.USD_TO_OMR.normalize():f}",
        note=note,
    )


def _notes(quote: Quote, day: str) -> tuple[str, ...]:
    """Say what else follows from agreeing."""
    name = quote.plan_version.plan.title
    notes = []
    if quote.kind == Kind.START:
        notes.append(
            _(
                "Renews on %(day)s and every month after, charged to your default "
                "card. Usage beyond what is included is deducted from the balance."
            )
            % {"day": day}
            if quote.price.amount
            else _("No monthly fee and no card needed. What you use is deducted from the balance.")
        )
    elif quote.kind == Kind.UPGRADE:
        notes.append(
            _(
                "%(name)s's prices hold at once. What it includes is yours at once, "
                "less what you have used in this period."
            )
            % {"name": name}
        )
    elif quote.subscription is not None:
        notes.append(
            _(
                "Until %(day)s you stay on %(plan)s, with all that it includes. "
                "Nothing is charged now, and you can take the change back until "
                "then."
            )
            % {"day": day, "plan": quote.subscription.plan_version.plan.title}
        )
    waiting = quote.subscription and plan_changes.scheduled(subscription=quote.subscription)
    if waiting:
        notes.append(
            _("The change to %(plan)s on %(day)s is taken back.")
            % {"plan": waiting.to_version.plan.title, "day": day}
        )
    if quote.raised_refill is not None:
        notes.append(
            _(
                "Auto-Refill tops up %(raised_refill)s at a time from then on, the "
                "least that %(name)s accepts."
            )
            % {"raised_refill": format_usd(quote.raised_refill), "name": name}
        )
    return tuple(notes)
