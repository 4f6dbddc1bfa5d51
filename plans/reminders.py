"""Renewal reminders: three days ahead, what will be charged and to which card.

Dueness is a query: a beat that was away for a day reminds when it is back, and one that comes back
after the renewal does not remind of the past. Each period is looked at once, by whoever raises its
number on the subscription.
"""

from datetime import datetime, timedelta

import structlog
from django.db import transaction as database
from django.db.models import F

from accounts import cards, outbox
from accounts.models import Account, Card
from accounts.money import format_omr, format_unit_price, format_usd
from accounts.quantities import QUANTITY_AT, write_quantity
from invoices import charging, tax
from invoices.charging import NewLine
from plans import plan_changes, renewal_charges, subscriptions
from plans.models import Subscription, SubscriptionStatus

log = structlog.get_logger(__name__)


#: How long before the renewal the customer is told.
AHEAD = timedelta(days=3)


def remind_due(*, now: datetime) -> int:
    """Remind of every renewal that will be charged within three days; return of how many."""
    due = Subscription.objects.filter(
        status=SubscriptionStatus.ACTIVE,
        cancel_at_period_end=False,
        current_period_end__gt=now,
        current_period_end__lte=now + AHEAD,
        reminded_period_number__lte=F("current_period_number"),
    )
    reminded = 0
    for pk, account_id in due.order_by("current_period_end", "pk").values_list("pk", "account_id"):
        try:
            with database.atomic():
                account = subscriptions.lock_account(account_id=account_id)
                subscription = due.filter(pk=pk).select_related("plan_version__plan").first()
                if subscription is not None:
                    reminded += _remind(account, subscription, now)
        except Exception:
            # Whatever is wrong with one account must not hold back the others.
            log.exception("reminder_broke", subscription=pk)
    return reminded


def _remind(account: Account, subscription: Subscription, now: datetime) -> bool:
    """Record the e-mail, unless nothing will be charged; either way this period is done with."""
    following = subscription.current_period_number + 1
    Subscription.objects.filter(pk=subscription.pk).update(reminded_period_number=following)
    lines = renewal_charges.next_charge(subscription=subscription)
    renews_at = subscription.current_period_end
    if not lines or renews_at is None:
        return False
    price = charging.quote(charging.total_of(lines), account=account)
    change = plan_changes.scheduled(subscription=subscription)
    version = change.to_version if change else subscription.plan_version
    card = cards.default_card(account=account)
    outbox.record_email(
        account=account,
        event="renewal_reminder",
        key=f"renewal_reminder:{subscription.pk}:{following}",
        context={
            "plan": version.plan.name,
            "lines": [*(_written(line) for line in lines), *_tax(price)],
            "amount": format_usd(price.amount),
            "charged": format_omr(price.charged_amount.amount),
            "card": str(card) if card else "",
            "card_expires": card is not None and _expires_before(card, renews_at, account),
            "renews_at": renews_at.isoformat(),
            "path": "/billing/payment-methods/" if card is None else "/billing/",
        },
        now=now,
    )
    return True


def _written(line: NewLine) -> dict[str, str]:
    note = ""
    if line.unit_price is not None:
        quantity = write_quantity(line.quantity, line.unit).strip()
        note = QUANTITY_AT.write(quantity=quantity, price=format_unit_price(line.unit_price))
    return {"description": line.description, "note": note, "amount": format_usd(line.amount)}


def _tax(price: charging.Quote) -> list[dict[str, str]]:
    if not price.tax:
        return []
    described = tax.label(price.tax_rate)
    return [{"description": described, "note": "", "amount": format_usd(price.tax)}]


def _expires_before(card: Card, moment: datetime, account: Account) -> bool:
    """Whether the card's last month is over by then, where the customer is."""
    day = moment.astimezone(account.timezone).date()
    return (card.exp_year, card.exp_month) < (day.year, day.month)
