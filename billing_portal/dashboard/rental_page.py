"""One rental: exactly what holding more or fewer comes to, and who held how many when."""

from dataclasses import dataclass
from datetime import datetime, tzinfo

from django.conf import settings
from django.urls import reverse

from accounts import cards
from accounts.models import Account, AuditEvent
from accounts.money import format_omr, format_unit_price, format_usd
from billing_portal.dashboard.forms import RentalForm
from billing_portal.dashboard.rentals_panel import count, monthly, write_terms
from billing_portal.dashboard.rows import CardLabel, Fact, label_of, price_facts
from billing_portal.dashboard.times import Moment, moment, write_day
from plans import quotes, rental_changes
from plans.models import FeaturePrice, Rental, RentalVia
from plans.rental_changes import Change, ChangeKind

#: How many of the newest changes are told.
CHANGES = 25


@dataclass(frozen=True)
class RentalSummary:
    """Exactly what will happen on pressing the button."""

    facts: tuple[Fact, ...]
    price: tuple[Fact, ...]
    total: str
    charged: str
    after: str
    card: CardLabel | None
    needs_card: bool
    quote: str
    button: str
    busy: str


@dataclass(frozen=True)
class ChangeRow:
    """A change in the history."""

    at: Moment
    text: str
    by: str


@dataclass(frozen=True)
class RentalPage:
    """The whole page."""

    title: str
    terms: str
    held: str
    may_act: bool
    form: RentalForm
    here: str
    problem: str
    is_review: bool
    rate: str
    add_card_href: str
    summary: RentalSummary | None
    history: tuple[ChangeRow, ...]


def build_rental_page(
    *,
    account: Account,
    terms: FeaturePrice,
    form: RentalForm,
    change: Change | None,
    now: datetime,
    may_act: bool,
    problem: str = "",
    is_review: bool = False,
) -> RentalPage:
    """Compose the page; `change` is what is asked for, None while nothing can be asked for."""
    rental = rental_changes.open_rental(account=account, feature=terms.feature)
    here = reverse("rental", args=[terms.feature.key])
    return RentalPage(
        title=terms.feature.name,
        terms=write_terms(terms),
        held=_held(account, terms, rental),
        may_act=may_act,
        form=form,
        here=here,
        problem=problem,
        is_review=is_review,
        rate=f"{settings.USD_TO_OMR.normalize():f}",
        add_card_href=f"{reverse('payment-method-add')}?next={here}",
        summary=(
            _summary(account, change, now)
            if may_act and change and change.kind != ChangeKind.NONE
            else None
        ),
        history=_history(account, terms),
    )


def target(*, account: Account, terms: FeaturePrice) -> int:
    """Return what is held from the renewal on, as things stand: what the form begins with."""
    rental = rental_changes.open_rental(account=account, feature=terms.feature)
    if rental is None:
        return 0
    released = rental.quantity_at_renewal
    return rental.quantity if released is None else released


def _held(account: Account, terms: FeaturePrice, rental: Rental | None) -> str:
    if rental is None or rental.started_at is None:
        return "None held."
    since = write_day(rental.started_at.astimezone(account.timezone).date())
    return f"{count(rental.quantity, terms)} held since {since}: {monthly(terms, rental.quantity)}."


def _summary(account: Account, change: Change, now: datetime) -> RentalSummary:
    end = write_day(change.period.end.astimezone(account.timezone).date())
    taken = change.kind == ChangeKind.TAKEN
    is_charged = change.line is not None
    card = cards.default_card(account=account) if is_charged else None
    return RentalSummary(
        facts=_facts(change, end),
        price=price_facts(change.price) if is_charged else (),
        total=format_usd(change.price.amount) if taken else "",
        charged=format_omr(change.price.charged_amount.amount) if is_charged else "",
        after=_after(change, end),
        card=label_of(card) if card else None,
        needs_card=is_charged and card is None,
        quote=quotes.sign(
            account=account,
            subject=rental_changes.subject(feature=change.feature, quantity=change.quantity),
            price=change.price,
            moment=now,
        ),
        button=_button(change),
        busy="Charging the card…" if is_charged else "Saving…",
    )


def _facts(change: Change, end: str) -> tuple[Fact, ...]:
    now = Fact("Held now", count(change.holding, change.terms))
    if change.kind != ChangeKind.TAKEN:
        return (now, Fact(f"Held from {end} on", count(change.at_renewal, change.terms)))
    facts = [now, Fact("Held after this", count(change.quantity, change.terms))]
    if change.line is not None:
        price = format_unit_price(change.terms.unit_price.amount)
        facts.append(
            Fact(
                f"{count(change.billed_more, change.terms)} until {end}",
                format_usd(change.line.amount),
                f"{price} a month each, for the rest of the period",
            )
        )
    return tuple(facts)


def _after(change: Change, end: str) -> str:
    renewal = _from_renewal_on(change, end)
    if change.kind == ChangeKind.RELEASED:
        return (
            f"{renewal}. Until then all {change.holding:,} stay, and can be kept after all for "
            "nothing."
        )
    if change.kind == ChangeKind.RELEASE_UNDONE:
        return f"{renewal}. Keeping them costs nothing now."
    if change.waived:
        return (
            f"The rest of the period would be {format_usd(change.waived)}, less than the smallest "
            f"charge, so it is free. {renewal}."
        )
    return f"{renewal}." if change.line else f"The plan includes them. {renewal}."


def _from_renewal_on(change: Change, end: str) -> str:
    if not change.at_renewal and change.quantity:
        return f"On {end} your plan ends or becomes one without them: none are held from then on"
    cost = f"{format_usd(change.monthly)} a month" if change.monthly else "included"
    if change.price.tax_rate and change.monthly:
        cost += " before tax"
    if change.at_renewal < change.quantity:
        most = f"{count(change.at_renewal, change.terms)}, the most of your plan"
        return f"From {end} on, {most}: {cost}"
    return f"From {end} on: {cost}"


def _button(change: Change) -> str:
    if change.kind == ChangeKind.RELEASED:
        return f"Hold {count(change.quantity, change.terms)} from the renewal on"
    if change.kind == ChangeKind.RELEASE_UNDONE:
        return f"Keep {count(change.quantity, change.terms)}"
    taken = f"Take {count(change.quantity - change.holding, change.terms)}"
    return f"{taken} and pay {format_usd(change.price.amount)}" if change.line else taken


def _history(account: Account, terms: FeaturePrice) -> tuple[ChangeRow, ...]:
    events = AuditEvent.objects.filter(
        account=account,
        action__in=[f"rental_{kind}" for kind in ChangeKind],
        details__feature=terms.feature.key,
    ).select_related("actor")[:CHANGES]
    return tuple(_change_row(event, terms, account.timezone) for event in events)


def _change_row(event: AuditEvent, terms: FeaturePrice, zone: tzinfo) -> ChangeRow:
    held, quantity = event.details["held"], event.details["quantity"]
    text = {
        f"rental_{ChangeKind.TAKEN}": f"Took {quantity - held:,} more: "
        f"{count(quantity, terms)} instead of {held:,}",
        f"rental_{ChangeKind.RELEASED}": f"Released {held - quantity:,}: "
        f"{count(quantity, terms)} from the renewal on",
        f"rental_{ChangeKind.RELEASE_UNDONE}": f"Kept {count(quantity, terms)} after all",
    }[event.action]
    return ChangeRow(at=moment(event.created_at, zone), text=text, by=_who(event))


def _who(event: AuditEvent) -> str:
    """Name the customer's own people; of staff only that it was support."""
    if event.details["via"] == RentalVia.ADMIN:
        return "Support"
    return event.actor.spoken_name if event.actor else "The platform"
