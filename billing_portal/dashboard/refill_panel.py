"""The Auto-Refill card of the Overview."""

from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.money import format_omr, format_usd
from accounts.recorded_words import translated
from billing_portal.dashboard.forms import AutoRefillForm
from billing_portal.dashboard.overview_state import OverviewState
from billing_portal.dashboard.rows import CardLabel, Fact, charged_for, label_of, price_facts
from billing_portal.dashboard.times import moment
from invoices import charging, tax
from invoices.models import Status, Transaction
from wallet import refill_caps, refill_rules
from wallet.models import AutoRefill
from wallet.refill_rules import Terms

#: What a new rule proposes.
PROPOSED_THRESHOLD = Decimal(10)
PROPOSED_AMOUNT = Decimal(25)


@dataclass(frozen=True)
class RefillPanel:
    """The switch, the amounts, what is agreed to by saving, and how the last attempt went."""

    state: str
    state_tone: str
    state_when_off: str
    is_checked: bool
    may_switch: bool
    may_act: bool
    needs_card: bool
    sentence: str
    form: AutoRefillForm
    errors: tuple[str, ...]
    facts: tuple[Fact, ...]
    notes: tuple[str, ...]
    agreement: str


def build_refill_panel(state: OverviewState, *, form: AutoRefillForm | None) -> RefillPanel:
    """Compose the card; a `form` that could not be saved is shown as it was typed."""
    refill, card = state.auto_refill, state.default_card
    minimum = state.minimum_top_up
    terms = (
        refill_rules.terms_of(refill)
        if refill
        else Terms(PROPOSED_THRESHOLD, max(PROPOSED_AMOUNT, minimum))
    )
    is_on = bool(refill and refill.enabled and not refill.suspended_at)
    shown = form or AutoRefillForm(
        initial={
            "threshold": f"{terms.threshold:.2f}",
            "amount": f"{terms.amount:.2f}",
            "monthly_maximum": _typed(terms.monthly_maximum),
        },
        minimum=minimum,
    )
    return RefillPanel(
        state=_state_word(state),
        state_tone=_state_tone(refill),
        state_when_off=_("Suspended") if refill and refill.enabled and not is_on else _("Off"),
        is_checked=is_on if form is None else bool(form.data.get("enabled")),
        may_switch=state.may_act and (card is not None or bool(refill and refill.enabled)),
        may_act=state.may_act,
        needs_card=card is None and not (refill and refill.enabled),
        sentence=_sentence(state, terms),
        form=shown,
        errors=tuple(str(error) for error in shown.non_field_errors()) if form else (),
        facts=_facts(state),
        # Of the rule as it is: beside other figures, being typed, they would speak of the wrong
        # ones.
        notes=() if form or not state.may_act else tuple(_notes(state, terms, is_on=is_on)),
        agreement=refill_rules.agreement(),
    )


def _typed(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount:.2f}"


def _notes(state: OverviewState, terms: Terms, *, is_on: bool) -> list[str]:
    """Say what would surprise: that switching it on charges, or that no card is left to charge."""
    refill = state.auto_refill
    if is_on and state.default_card is None:
        return [_("There is no payment method to charge: nothing is topped up until you add one.")]
    if refill and refill.enabled and terms.amount < state.minimum_top_up:
        return [
            _(
                "Your plan's smallest top-up is %(minimum_top_up)s now. Auto-Refill "
                "goes on with the %(amount)s you agreed to; changing it takes at "
                "least the new minimum."
            )
            % {
                "minimum_top_up": format_usd(state.minimum_top_up),
                "amount": format_usd(terms.amount),
            }
        ]
    if is_on or state.balance >= terms.threshold:
        return []
    count = charges_on_saving(state, terms)
    if not count:
        return []
    price = charging.quote(terms.amount, account=state.account)
    return [
        ngettext(
            "The balance is already below %(threshold)s: switching it on charges %(amount)s "
            "(%(price)s) at once.",
            "The balance is already below %(threshold)s: switching it on charges %(amount)s "
            "(%(price)s), %(count)s times at once.",
            count,
        )
        % {
            "threshold": format_usd(terms.threshold),
            "amount": format_usd(terms.amount),
            "price": charged_for(price),
            "count": count,
        }
    ]


def charges_on_saving(state: OverviewState, terms: Terms) -> int:
    """Return how many refills are made at once when a rule with these terms is on."""
    if state.wallet is None:
        return 0
    return refill_rules.charges_on_saving(
        wallet=state.wallet,
        card=state.default_card,
        charges=refill_caps.charges_with(state.wallet),
        terms=terms,
        now=state.now,
    )


@dataclass(frozen=True)
class RefillConfirmation:
    """What saving the rule charges at once, shown before it happens."""

    heading: str
    button: str
    busy: str
    balance: str
    threshold: str
    threshold_value: str
    amount: str
    amount_value: str
    monthly_maximum: str
    monthly_maximum_value: str
    count: int
    price: tuple[Fact, ...]
    each: str
    each_in_rials: str
    total: str
    total_value: str
    charged: str
    card: CardLabel | None
    agreement: str


def build_confirmation(state: OverviewState, *, terms: Terms, count: int) -> RefillConfirmation:
    """Compose the question: `count` refills are made at once."""
    price = charging.quote(terms.amount, account=state.account)
    maximum = terms.monthly_maximum
    total = format_usd(count * price.amount)
    is_on = _state_word(state) == _("On")
    return RefillConfirmation(
        heading=_("Change Auto-Refill?") if is_on else _("Turn on Auto-Refill?"),
        button=(_("Save and charge %(total)s") if is_on else _("Turn on and charge %(total)s"))
        % {"total": total},
        busy=_("Saving…") if is_on else _("Turning on…"),
        balance=format_usd(state.balance),
        threshold=format_usd(terms.threshold),
        threshold_value=f"{terms.threshold:.2f}",
        amount=format_usd(terms.amount),
        amount_value=f"{terms.amount:.2f}",
        monthly_maximum="" if maximum is None else format_usd(maximum),
        monthly_maximum_value=_typed(maximum),
        count=count,
        price=price_facts(price),
        each=format_usd(price.amount),
        each_in_rials=format_omr(price.charged_amount.amount),
        total=total,
        total_value=f"{count * price.amount:.2f}",
        charged=format_omr(count * price.charged_amount.amount),
        card=label_of(state.default_card) if state.default_card else None,
        agreement=refill_rules.agreement(),
    )


def _state_tone(refill: AutoRefill | None) -> str:
    if refill is None or not refill.enabled:
        return ""
    return "bad" if refill.suspended_at else "good"


def _state_word(state: OverviewState) -> str:
    refill = state.auto_refill
    if refill is None or not refill.enabled:
        return _("Off")
    return _("Suspended") if refill.suspended_at else _("On")


def _sentence(state: OverviewState, terms: Terms) -> str:
    card = state.default_card
    if state.auto_refill is None or not state.auto_refill.enabled:
        return _("Adds credit by itself whenever the balance falls below the Threshold.")
    if state.auto_refill.suspended_at is not None:
        return _("Nothing is charged until you switch it on again or set another default card.")
    price = charging.quote(terms.amount, account=state.account)
    charged = format_usd(price.amount)
    if price.tax_rate:
        charged = _("%(amount)s with %(tax)s") % {
            "amount": charged,
            "tax": translated(tax.label(price.tax_rate)),
        }
    sentence = (
        _("When the balance falls below %(threshold)s, %(charged)s is charged to %(card)s.")
        if card
        else _("When the balance falls below %(threshold)s, %(charged)s is charged.")
    )
    return sentence % {
        "threshold": format_usd(terms.threshold),
        "charged": charged,
        "card": label_of(card).spoken if card else "",
    }


def _facts(state: OverviewState) -> tuple[Fact, ...]:
    facts: list[Fact] = []
    refill, zone = state.auto_refill, state.account.timezone
    if refill and refill.enabled:
        if not state.may_act:
            facts += [
                Fact(_("Threshold"), format_usd(refill.threshold.amount)),
                Fact(_("Top Up Amount"), format_usd(refill.amount.amount)),
            ]
        facts += _limits(state, refill)
    if state.last_refill:
        at = moment(state.last_refill.created_at, zone)
        facts.append(
            Fact(
                _("Last attempt"),
                at.short,
                _outcome(state.last_refill),
            )
        )
    if refill and refill.enabled and refill.next_attempt_at and not refill.suspended_at:
        at = moment(refill.next_attempt_at, zone)
        facts.append(Fact(_("Next attempt"), at.short))
    if refill and refill.enabled and refill.consent:
        at = moment(refill.consent.created_at, zone)
        by = refill.consent.given_by
        facts.append(
            Fact(
                _("Agreed to"),
                at.short,
                _("by %(name)s") % {"name": by.spoken_name} if by else "",
            )
        )
    return tuple(facts)


def _limits(state: OverviewState, refill: AutoRefill) -> list[Fact]:
    """What it charged of what it may, and until when it waits."""
    facts = []
    if refill.monthly_maximum is not None and state.wallet is not None:
        charged = refill_caps.charges_with(state.wallet).this_month
        maximum = format_usd(refill.monthly_maximum)
        facts.append(
            Fact(
                _("Charged this month"),
                _("%(charged)s of %(maximum)s")
                % {"charged": format_usd(charged), "maximum": maximum},
            )
        )
    if refill.capped_until is not None and refill.capped_until > state.now:
        at = moment(refill.capped_until, state.account.timezone)
        facts.append(
            Fact(
                _("Limit reached"),
                _("Goes on %(moment)s") % {"moment": at.short},
            )
        )
    return facts


def _outcome(transaction: Transaction) -> str:
    amount = format_usd(transaction.net_amount.amount)
    if transaction.status == Status.PAID:
        return _("Paid, %(amount)s") % {"amount": amount}
    if transaction.status == Status.FAILED:
        return _("Failed, %(amount)s: %(reason)s") % {
            "amount": amount,
            "reason": translated(transaction.failure_message) or _("not completed"),
        }
    return _("Processing, %(amount)s") % {"amount": amount}
