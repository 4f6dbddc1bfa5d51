"""The Auto-Refill card of the Overview."""

from dataclasses import dataclass
from decimal import Decimal

from accounts.money import format_omr, format_usd
from billing_portal.dashboard.forms import AutoRefillForm
from billing_portal.dashboard.overview_state import OverviewState
from billing_portal.dashboard.rows import CardLabel, Fact, charged_for, label_of, price_facts
from billing_portal.dashboard.times import moment
from invoices import charging
from invoices.models import Status, Transaction

#: What a new rule proposes.
PROPOSED_THRESHOLD = Decimal(10)
PROPOSED_AMOUNT = Decimal(25)


@dataclass(frozen=True)
class RefillPanel:
    """The switch, the two amounts, and how the last attempt went."""

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
    charge_now_note: str


def build_refill_panel(state: OverviewState, *, form: AutoRefillForm | None) -> RefillPanel:
    """Compose the card; a `form` that could not be saved is shown as it was typed."""
    refill, card = state.auto_refill, state.default_card
    minimum = state.minimum_top_up
    threshold = refill.threshold.amount if refill else PROPOSED_THRESHOLD
    amount = refill.amount.amount if refill else max(PROPOSED_AMOUNT, minimum)
    is_on = bool(refill and refill.enabled and not refill.suspended_at)
    shown = form or AutoRefillForm(
        initial={"threshold": f"{threshold:.2f}", "amount": f"{amount:.2f}"}, minimum=minimum
    )
    # Of the rule as it is: beside other figures, being typed, it would speak of the wrong ones.
    charged = charged_for(charging.quote(amount, account=state.account))
    below = form is None and not is_on and charges_at_once(state, threshold=threshold)
    return RefillPanel(
        state=_state_word(state),
        state_tone={"On": "good", "Suspended": "bad"}.get(_state_word(state), ""),
        state_when_off="Suspended" if refill and refill.enabled and not is_on else "Off",
        is_checked=is_on if form is None else bool(form.data.get("enabled")),
        may_switch=state.may_act and (card is not None or bool(refill and refill.enabled)),
        may_act=state.may_act,
        needs_card=card is None and not (refill and refill.enabled),
        sentence=_sentence(state, threshold=threshold, amount=amount),
        form=shown,
        errors=tuple(str(error) for error in shown.non_field_errors()) if form else (),
        facts=_facts(state),
        charge_now_note=(
            f"The balance is already below {format_usd(threshold)}: switching it on charges "
            f"{format_usd(amount)} ({charged}) at once."
            if below and state.may_act
            else ""
        ),
    )


@dataclass(frozen=True)
class RefillConfirmation:
    """What switching it on charges at once, shown before it happens."""

    balance: str
    threshold: str
    threshold_value: str
    amount: str
    amount_value: str
    price: tuple[Fact, ...]
    total: str
    charged: str
    card: CardLabel | None


def charges_at_once(state: OverviewState, *, threshold: Decimal) -> bool:
    """Whether saving a rule with this threshold makes a refill due that is not due already."""
    if state.default_card is None or state.balance >= threshold:
        return False
    refill = state.auto_refill
    if refill is None or not refill.enabled or refill.suspended_at:
        return True
    is_due_already: bool = state.balance < refill.threshold.amount
    return not is_due_already


def build_confirmation(
    state: OverviewState, *, threshold: Decimal, amount: Decimal
) -> RefillConfirmation:
    """Compose the question."""
    price = charging.quote(amount, account=state.account)
    return RefillConfirmation(
        balance=format_usd(state.balance),
        threshold=format_usd(threshold),
        threshold_value=f"{threshold:.2f}",
        amount=format_usd(amount),
        amount_value=f"{amount:.2f}",
        price=price_facts(price),
        total=format_usd(price.amount),
        charged=format_omr(price.charged_amount.amount),
        card=label_of(state.default_card) if state.default_card else None,
    )


def _state_word(state: OverviewState) -> str:
    refill = state.auto_refill
    if refill is None or not refill.enabled:
        return "Off"
    return "Suspended" if refill.suspended_at else "On"


def _sentence(state: OverviewState, *, threshold: Decimal, amount: Decimal) -> str:
    card = state.default_card
    if state.auto_refill is None or not state.auto_refill.enabled:
        return "Adds credit by itself whenever the balance falls below the Threshold."
    source = f" to {label_of(card).spoken}" if card else ""
    return (
        f"When the balance falls below {format_usd(threshold)}, "
        f"{format_usd(amount)} is charged{source}."
    )


def _facts(state: OverviewState) -> tuple[Fact, ...]:
    facts: list[Fact] = []
    refill, zone = state.auto_refill, state.account.timezone
    if not state.may_act and refill and refill.enabled:
        facts += [
            Fact("Threshold", format_usd(refill.threshold.amount)),
            Fact("Top Up Amount", format_usd(refill.amount.amount)),
        ]
    if state.last_refill:
        at = moment(state.last_refill.created_at, zone)
        facts.append(Fact("Last attempt", f"{at.day}, {at.clock}", _outcome(state.last_refill)))
    if refill and refill.enabled and refill.next_attempt_at and not refill.suspended_at:
        at = moment(refill.next_attempt_at, zone)
        facts.append(Fact("Next attempt", f"{at.day}, {at.clock}"))
    return tuple(facts)


def _outcome(transaction: Transaction) -> str:
    amount = format_usd(transaction.net_amount.amount)
    if transaction.status == Status.PAID:
        return f"Paid, {amount}"
    if transaction.status == Status.FAILED:
        return f"Failed: {transaction.failure_message or 'not completed'}"
    return f"Processing, {amount}"
