"""The page of a plan: exactly what moving to it comes to, before the customer agrees."""

from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings
from django.urls import reverse

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
        plan_name=plan.name,
        heading=heading,
        intro=plan.description,
        now=_now(account, quote) if quote.kind != Kind.DOWNGRADE else None,
        later=_later(account, quote, day) if quote.kind != Kind.START else None,
        notes=_notes(quote, day),
        releases=tuple(
            Fact(
                each.feature.name,
                f"{each.held - each.kept:,} of {each.held:,}",
                f"{plan.name} allows {each.kept:,}" if each.kept else f"Not in {plan.name}",
            )
            for each in quote.releases
        ),
        releases_title="Released now" if quote.kind == Kind.START else f"Released on {day}",
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
    name, total = quote.plan_version.plan.name, format_usd(quote.price.amount)
    if quote.kind == Kind.DOWNGRADE:
        return f"Change to {name} on {day}", f"Change on {day}", "Noting the change…"
    if quote.kind == Kind.UPGRADE:
        if not quote.price.amount:
            return f"Upgrade to {name}", f"Upgrade to {name}", "Changing the plan…"
        return f"Upgrade to {name}", f"Upgrade and pay {total}", "Charging the card…"
    if not quote.price.amount:
        return f"Start {name}", f"Start {name}", "Starting…"
    return f"Subscribe to {name}", f"Subscribe and pay {total}", "Charging the card…"


def _now(account: Account, quote: Quote) -> Charge:
    start = quote.period.start if quote.kind == Kind.START else quote.at
    period = write_period(start, quote.period.end, account.timezone)
    title = "First period" if quote.kind == Kind.START else "Now, for the rest of the period"
    lines = [line_fact(line) for line in quote.lines]
    if (left := quote.lines_total - quote.price.net) != 0:
        lines.append(_uncharged(left))
    return _charge(f"{title}, {period}", lines, quote.price)


def _uncharged(left: Decimal) -> Fact:
    """Write what is not charged, or not given back."""
    if left > 0:
        return Fact("Too little to be charged", format_usd(-left))
    return Fact("Not paid out", format_usd(-left), "Lower prices hold from now on")


def _later(account: Account, quote: Quote, day: str) -> Charge:
    note = ""
    if quote.next_price.amount:
        note = "Charged to your default card, and every month after."
    lines = [line_fact(line) for line in quote.next_lines]
    return _charge(f"Next charge, {day}", lines, quote.next_price, note=note)


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
    name = quote.plan_version.plan.name
    notes = []
    if quote.kind == Kind.START:
        notes.append(
            f"Renews on {day} and every month after, charged to your default card. "
            "Usage beyond what is included is deducted from the balance."
            if quote.price.amount
            else "No monthly fee and no card needed. What you use is deducted from the balance."
        )
    elif quote.kind == Kind.UPGRADE:
        notes.append(
            f"{name}'s prices hold at once. What it includes is yours at once, less what you have "
            "used in this period."
        )
    elif quote.subscription is not None:
        notes.append(
            f"Until {day} you stay on {quote.subscription.plan_version.plan.name}, with all that "
            "it includes. Nothing is charged now, and you can take the change back until then."
        )
    waiting = quote.subscription and plan_changes.scheduled(subscription=quote.subscription)
    if waiting:
        notes.append(f"The change to {waiting.to_version.plan.name} on {day} is taken back.")
    if quote.raised_refill is not None:
        notes.append(
            f"Auto-Refill tops up {format_usd(quote.raised_refill)} at a time from then on, the "
            f"least that {name} accepts."
        )
    return tuple(notes)
