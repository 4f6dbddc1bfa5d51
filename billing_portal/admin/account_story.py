"""How an account stands: what is wrong, its figures, and what it has. Its past: timeline."""

from collections.abc import Iterable
from decimal import Decimal

from django.contrib.auth.models import AnonymousUser
from django.db.models import Model
from django.utils.html import format_html

from accounts.models import Account, AuditEvent, Card, Message, User
from accounts.money import format_quantity, format_usd
from billing_portal.admin.account_standing import troubles_of
from billing_portal.admin.cells import (
    NOTHING,
    Cell,
    badge,
    figure,
    ledger_usd,
    link,
    status_badge,
    usd,
    when,
)
from billing_portal.admin.permissions import may_view
from billing_portal.admin.story import NEWEST, Fact, Panel, Story, all_of
from invoices.models import Dispute, Purpose, Refund, Transaction
from plans import plan_changes
from plans.allowances import remaining
from plans.models import Allowance, Renewal, Rental, Subscription, UsageRecord
from plans.subscription_models import CURRENT_STATUSES, SubscriptionStatus
from wallet.models import AutoRefill, Entry, Wallet

#: How many attempts of auto-refill tell whether it works.
_LAST_REFILLS = 5
#: Everything of an account, by kind, for whoever looks for one thing.
_LISTS: tuple[type[Model], ...] = (
    Transaction,
    Refund,
    Dispute,
    Entry,
    UsageRecord,
    Renewal,
    Message,
    AuditEvent,
)


def story_of(account: Account, reader: User | AnonymousUser) -> Story:
    """Tell it in a fixed number of queries; leave out what `reader` may not view."""
    wallet = Wallet.objects.filter(account=account).select_related("auto_refill").first()
    subscriptions = Subscription.objects.filter(
        account=account, status__in=[*CURRENT_STATUSES, SubscriptionStatus.INACTIVE]
    ).select_related("plan_version__plan")
    # One in force comes before one that waits for its first payment.
    current = min(subscriptions, key=lambda one: one.status not in CURRENT_STATUSES, default=None)
    panels = [
        (Allowance, lambda: _allowances(current)),
        (Transaction, lambda: _refill_attempts(account)),
        (Card, lambda: _cards(account)),
        (Rental, lambda: _rentals(account)),
    ]
    return Story(
        troubles=troubles_of(account, wallet, current),
        facts=[
            _balance(wallet),
            *_subscription(current),
            _auto_refill(wallet),
            _spend_cap(wallet),
        ],
        panels=[panel() for model, panel in panels if may_view(reader, model)],
        lists=[
            (str(model._meta.verbose_name_plural), all_of(account, model))
            for model in _LISTS
            if may_view(reader, model)
        ],
    )


def _balance(wallet: Wallet | None) -> Fact:
    if wallet is None:
        return Fact(title="Balance", value=NOTHING, note="No wallet yet")
    exact = ledger_usd(wallet.balance)
    return Fact(
        title="Balance",
        value=usd(wallet.balance),
        note=format_html("{} exactly, after {} entries", exact, wallet.last_sequence),
    )


def _subscription(subscription: Subscription | None) -> Iterable[Fact]:
    if subscription is None:
        return [Fact(title="Plan", value="None", note="Not subscribed")]
    plan = link(subscription.plan_version)
    state = status_badge(subscription.status, subscription.get_status_display())
    facts = [Fact(title="Plan", value=plan, note=state)]
    if subscription.current_period_end is None:
        return facts
    ends = "Ends" if subscription.cancel_at_period_end else "Next renewal"
    change = plan_changes.scheduled(subscription=subscription)
    if change is not None:
        ends = f"Changes to {change.to_version}"
    started = when(subscription.current_period_start)
    facts.append(
        Fact(
            title=f"{ends} (UTC)",
            value=figure(when(subscription.current_period_end)),
            note=f"Period {subscription.current_period_number} began {started}",
        )
    )
    return facts


def _auto_refill(wallet: Wallet | None) -> Fact:
    refill: AutoRefill | None = getattr(wallet, "auto_refill", None)
    if refill is None or not refill.enabled:
        return Fact(title="Auto-refill", value=badge("Off"))
    if refill.suspended_at:
        state, note = badge("Suspended", "danger"), f"since {when(refill.suspended_at)}"
    elif refill.consecutive_failures:
        state = badge(f"{refill.consecutive_failures} declined", "warning")
        note = f"next attempt not before {when(refill.next_attempt_at)}"
    else:
        state, note = badge("On", "success"), ""
    rule = f"{refill.amount} when below {refill.threshold}"
    if refill.monthly_maximum is not None:
        rule += f", at most {format_usd(refill.monthly_maximum)} a month"
    return Fact(
        title="Auto-refill",
        value=format_html("{} {}", state, link(refill, "Rule and last attempt")),
        note=f"{rule}{', ' if note else ''}{note}",
    )


def _spend_cap(wallet: Wallet | None) -> Fact:
    if wallet is None or wallet.spend_cap is None or wallet.spent is None:
        return Fact(title="Spend cap", value=badge("Off"))
    return Fact(
        title="Spend cap",
        value=usd(wallet.spend_cap),
        note=format_html(
            "{} spent after entry {}; the customer sets it",
            ledger_usd(wallet.spent),
            wallet.spend_since,
        ),
    )


def _quantity(quantity: Decimal) -> Cell:
    return figure(format_quantity(quantity))


def _allowances(subscription: Subscription | None) -> Panel:
    allowances = (
        Allowance.objects.filter(
            renewal__subscription=subscription, renewal__number=subscription.current_period_number
        )
        .select_related("feature")
        .order_by("feature__position")
        if subscription
        else []
    )
    return Panel(
        title="Allowances of this period",
        headers=["Feature", "Included", "Used", "Left", "Billed beyond"],
        rows=[
            [
                allowance.feature.name,
                _quantity(allowance.included),
                _quantity(allowance.used),
                _quantity(remaining(allowance)),
                _quantity(allowance.billed_quantity),
            ]
            for allowance in allowances
        ],
    )


def _cards(account: Account) -> Panel:
    cards = Card.objects.filter(account=account)[:NEWEST]
    return Panel(
        title="Cards",
        headers=["Card", "Expires", "Status", "Added (UTC)"],
        rows=[
            [
                format_html("{} {}", link(card), badge("Default", "primary"))
                if card.is_default
                else link(card),
                f"{card.exp_month:02}/{card.exp_year}",
                status_badge(card.status, card.get_status_display()),
                when(card.created_at),
            ]
            for card in cards
        ],
        more_url=all_of(account, Card),
        more_text="All cards",
    )


def _rentals(account: Account) -> Panel:
    rentals = Rental.objects.filter(account=account, ended_at=None).select_related("feature")
    return Panel(
        title="Rentals held",
        headers=["Feature", "Held", "From next period", "Since (UTC)"],
        rows=[
            [
                rental.feature.name,
                str(rental.quantity),
                NOTHING if rental.quantity_at_renewal is None else str(rental.quantity_at_renewal),
                when(rental.started_at),
            ]
            for rental in rentals
        ],
        more_url=all_of(account, Rental),
        more_text="All rentals",
    )


def _refill_attempts(account: Account) -> Panel:
    attempts = Transaction.objects.filter(account=account, purpose=Purpose.AUTO_REFILL)
    return Panel(
        title="Last auto-refills",
        headers=["Number", "Status", "Amount", "Why", "At (UTC)"],
        rows=[
            [
                link(attempt),
                status_badge(attempt.status, attempt.get_status_display()),
                usd(attempt.amount.amount),
                attempt.failure_message or NOTHING,
                when(attempt.created_at),
            ]
            for attempt in attempts.order_by("-created_at", "-pk")[:_LAST_REFILLS]
        ],
        more_url=f"{all_of(account, Transaction)}&purpose__exact={Purpose.AUTO_REFILL.value}",
        more_text="All auto-refills",
    )
