"""One rental: exactly what holding more or fewer comes to, and who held how many when."""

from dataclasses import dataclass
from datetime import datetime, tzinfo

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

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
        title=terms.feature.title,
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
        return _("None held.")
    since = write_day(rental.started_at.astimezone(account.timezone).date())
    return _("%(quantity)s held since %(since)s: %(terms)s.") % {
        "quantity": count(rental.quantity, terms),
        "since": since,
        "terms": monthly(terms, rental.quantity),
    }


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
        busy=_("Charging the card…") if is_charged else _("Saving…"),
    )


def _facts(change: Change, end: str) -> tuple[Fact, ...]:
    now = Fact(_("Held now"), count(change.holding, change.terms))
    if change.kind != ChangeKind.TAKEN:
        return (
            now,
            Fact(_("Held from %(end)s on") % {"end": end}, count(change.at_renewal, change.terms)),
        )
    facts = [now, Fact(_("Held after this"), count(change.quantity, change.terms))]
    if change.line is not None:
        price = format_unit_price(change.terms.unit_price.amount)
        facts.append(
            Fact(
                _("%(quantity)s until %(end)s")
                % {"quantity": count(change.billed_more, change.terms), "end": end},
                format_usd(change.line.amount),
                _("%(price)s a month each, for the rest of the period") % {"price": price},
            )
        )
    return tuple(facts)


def _after(change: Change, end: str) -> str:
    renewal = _from_renewal_on(change, end)
    if change.kind == ChangeKind.RELEASED:
        stay = _("Until then all %(count)s stay, and can be kept after all for nothing.")
        return f"{renewal} {stay % {'count': f'{change.holding:,}'}}"
    if change.kind == ChangeKind.RELEASE_UNDONE:
        return f"{renewal} {_('Keeping them costs nothing now.')}"
    if change.waived:
        free = _(
            "The rest of the period would be %(waived)s, less than the smallest charge, so it is "
            "free."
        )
        return f"{free % {'waived': format_usd(change.waived)}} {renewal}"
    return renewal if change.line else f"{_('The plan includes them.')} {renewal}"


def _from_renewal_on(change: Change, end: str) -> str:
    if not change.at_renewal and change.quantity:
        return _(
            "On %(end)s your plan ends or becomes one without them: none are held from then on."
        ) % {"end": end}
    cost = _("included")
    if change.monthly:
        cost = (
            _("%(cost)s a month before tax") if change.price.tax_rate else _("%(cost)s a month")
        ) % {"cost": format_usd(change.monthly)}
    if change.at_renewal < change.quantity:
        most = _("%(quantity)s, the most of your plan") % {
            "quantity": count(change.at_renewal, change.terms)
        }
        return _("From %(end)s on, %(most)s: %(cost)s.") % {"end": end, "most": most, "cost": cost}
    return _("From %(end)s on: %(cost)s.") % {"end": end, "cost": cost}


def _button(change: Change) -> str:
    if change.kind == ChangeKind.RELEASED:
        return _("Hold %(quantity)s from the renewal on") % {
            "quantity": count(change.quantity, change.terms)
        }
    if change.kind == ChangeKind.RELEASE_UNDONE:
        return _("Keep %(name)s") % {"name": count(change.quantity, change.terms)}
    taken = {
        "quantity": count(change.quantity - change.holding, change.terms),
        "price": format_usd(change.price.amount),
    }
    return (
        _("Take %(quantity)s and pay %(price)s") if change.line else _("Take %(quantity)s")
    ) % taken


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
        f"rental_{ChangeKind.TAKEN}": _("Took %(more)s more: %(quantity)s instead of %(held)s")
        % {
            "more": f"{quantity - held:,}",
            "quantity": count(quantity, terms),
            "held": f"{held:,}",
        },
        f"rental_{ChangeKind.RELEASED}": _("Released %(fewer)s: %(quantity)s from the renewal on")
        % {"fewer": f"{held - quantity:,}", "quantity": count(quantity, terms)},
        f"rental_{ChangeKind.RELEASE_UNDONE}": _("Kept %(quantity)s after all")
        % {"quantity": count(quantity, terms)},
    }[event.action]
    return ChangeRow(at=moment(event.created_at, zone), text=text, by=_who(event))


def _who(event: AuditEvent) -> str:
    """Name the customer's own people; of staff only that it was support."""
    if event.details["via"] == RentalVia.ADMIN:
        return _("Support")
    return event.actor.spoken_name if event.actor else _("The platform")
