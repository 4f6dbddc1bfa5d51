"""Banners: only when something needs doing, most urgent first, each with what to do about it."""

from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlencode

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import PauseReason
from accounts.money import CENT, format_usd, format_usd_in_words
from accounts.recorded_words import translated
from billing_portal.dashboard.card_expiry import expiry_words
from billing_portal.dashboard.overview_state import OverviewState
from billing_portal.dashboard.presets import above_zero
from billing_portal.dashboard.rows import label_of
from billing_portal.dashboard.times import moment, write_day
from invoices.models import Purpose, Status
from plans.models import SubscriptionStatus
from wallet.models import AutoRefill
from wallet.refills import FAILURES_UNTIL_SUSPENDED

#: A failed payment is news for so long.
FAILURE_IS_NEWS = timedelta(days=7)
#: So many banners are seen at once; the others are folded.
SEEN_AT_ONCE = 2
_URGENCY = ("bad", "warn", "info")


@dataclass(frozen=True)
class Banner:
    """Something that needs doing."""

    tone: str
    title: str
    text: str
    action: str = ""
    action_href: str = ""
    is_post: bool = False
    busy: str = field(default_factory=lambda: _("Paying…"))


def build_banners(state: OverviewState, *, has_first_steps: bool) -> tuple[Banner, ...]:
    """Say what needs doing; to those who may not do it, without the link.

    What the first steps of a new account say is not said twice.
    """
    found = [
        *_paused(state),
        *_spend_cap(state),
        *_past_due(state),
        *([] if has_first_steps and state.subscription is None else _waiting_to_begin(state)),
        *_leaving(state),
        *_refill(state),
        *_card(state),
        *([] if has_first_steps else _low_balance(state)),
        *_failed_payment(state),
    ]
    # Sorting is stable: within a tone it is the order above. A payment that waits comes first: to
    # confirm it is what settles the others.
    found = [*_to_confirm(state), *sorted(found, key=lambda banner: _URGENCY.index(banner.tone))]
    if state.may_act:
        return tuple(found)
    return tuple(Banner(tone=b.tone, title=b.title, text=b.text) for b in found)


def _paused(state: OverviewState) -> list[Banner]:
    banners = []
    reasons = state.account.pause_reasons
    if PauseReason.LOCKED in reasons:
        email = settings.SELLER["email"]
        banners.append(
            Banner(
                "bad",
                _("Services are paused by our support."),
                _("New calls are refused. Write to %(email)s and we will sort it out.")
                % {"email": email},
                _("Write to support"),
                f"mailto:{email}",
            )
        )
    if PauseReason.NEGATIVE_BALANCE in reasons:
        banners.append(
            Banner(
                "bad",
                _("Services are paused."),
                _(
                    "The balance is %(balance)s and new calls are refused. They resume "
                    "by themselves as soon as the balance is above zero."
                )
                % {"balance": format_usd_in_words(state.balance)},
                _("Add credit"),
                f"{reverse('top-up')}?{urlencode({'amount': _to_resume(state)})}",
            )
        )
    elif state.balance < 0:
        banners.append(
            Banner(
                "warn",
                _("The balance is below zero."),
                _("It is %(balance)s. Add credit to keep services running.")
                % {"balance": format_usd_in_words(state.balance)},
                _("Add credit"),
                reverse("top-up"),
            )
        )
    if PauseReason.SUBSCRIPTION_UNPAID in reasons:
        banners.append(
            Banner(
                "bad",
                _("Services are paused: the plan is unpaid."),
                _sentences(
                    _("They resume when the renewal is paid."),
                    _reason(state),
                    _("If the card no longer works, add another one first."),
                ),
                *_pay(state),
            )
        )
    return banners


def _sentences(*said: str) -> str:
    """Whole sentences, one after the other; those that are empty are not said."""
    return " ".join(filter(None, said))


def _to_confirm(state: OverviewState) -> list[Banner]:
    transaction = state.to_confirm
    if transaction is None:
        return []
    return [
        Banner(
            "warn",
            _("A payment of %(amount)s waits for your confirmation.")
            % {"amount": format_usd(transaction.amount.amount)},
            _("Your bank wants to know that it is you who pays. Nothing was charged so far."),
            _("Confirm payment"),
            reverse("payment-confirm", args=[transaction.number]),
        )
    ]


def _to_resume(state: OverviewState) -> str:
    minimum = state.plan_version.minimum_top_up.amount if state.plan_version else CENT
    return f"{above_zero(state.balance, minimum=minimum, maximum=settings.MAXIMUM_TOP_UP):.2f}"


def _low_balance(state: OverviewState) -> list[Banner]:
    """The balance is below the limit of the customer's own choice, and nothing tops it up."""
    limit, refill = state.low_balance_limit, state.auto_refill
    if limit is None or not 0 <= state.balance < limit:
        return []
    if refill and refill.enabled and not refill.suspended_at:
        return []
    return [
        Banner(
            "warn",
            _("The balance is low."),
            _("It is %(balance)s, below your limit of %(limit)s. Calls pause when it is used up.")
            % {"balance": format_usd(state.balance), "limit": format_usd(limit)},
            _("Add credit"),
            reverse("top-up"),
        )
    ]


def _past_due(state: OverviewState) -> list[Banner]:
    if not state.is_past_due or PauseReason.SUBSCRIPTION_UNPAID in state.account.pause_reasons:
        return []
    retry = state.unpaid.next_attempt_at if state.unpaid else None
    again = (
        _("We try again on %(day)s.")
        % {"day": write_day(retry.astimezone(state.account.timezone).date())}
        if retry
        else ""
    )
    return [
        Banner(
            "bad",
            _("Your plan's renewal failed."),
            _sentences(_reason(state), again, _("Services pause after 7 days unpaid.")),
            *_pay(state),
        )
    ]


def _reason(state: OverviewState) -> str:
    last = state.last_renewal
    is_failed = last is not None and last.status == Status.FAILED
    return translated(last.failure_message) if last and is_failed else ""


def _pay(state: OverviewState) -> tuple[str, str, bool]:
    """Pay now when there is a card to charge, else add one."""
    if state.default_card is None:
        return _("Add Payment Method"), reverse("payment-method-add"), False
    return _("Pay now"), reverse("renewal-pay-now"), True


def _waiting_to_begin(state: OverviewState) -> list[Banner]:
    subscription = state.subscription
    if subscription is None and state.ended is not None:
        text = _("No calls are accepted. Choose a plan to go on; the credit is still there.")
        title = _("%(plan)s has ended.") % {"plan": state.ended.plan_version.plan.title}
        return [Banner("warn", title, text, _("Choose a plan"), reverse("plan"))]
    if subscription is None:
        text = _("Calls can be made once a plan says what they cost.")
        return [Banner("info", _("Choose a plan to begin."), text, _("See plans"), reverse("plan"))]
    if subscription.status != SubscriptionStatus.INACTIVE:
        return []
    plan = subscription.plan_version.plan
    return [
        Banner(
            "warn",
            _("%(plan)s has not started yet.") % {"plan": plan.title},
            _("It starts when its first month is paid."),
            _("Pay for the plan"),
            reverse("choose-plan", args=[plan.slug]),
        )
    ]


def _leaving(state: OverviewState) -> list[Banner]:
    """A cancellation or a change that waits for the period's end, and how to take it back."""
    subscription, change = state.subscription, state.plan_change
    if subscription is None or subscription.current_period_end is None:
        return []
    name = subscription.plan_version.plan.title
    day = write_day(subscription.current_period_end.astimezone(state.account.timezone).date())
    if subscription.cancel_at_period_end:
        title = _("%(name)s ends on %(day)s.") % {"name": name, "day": day}
        text = _("It works until then; afterwards no calls are accepted.")
    elif change is not None:
        title = _("Your plan changes to %(plan)s on %(day)s.") % {
            "plan": change.to_version.plan.title,
            "day": day,
        }
        text = _("Until then it is %(name)s.") % {"name": name}
    else:
        return []
    return [
        Banner(
            "info",
            title,
            text,
            _("Keep %(name)s") % {"name": name},
            reverse("plan-keep"),
            is_post=True,
            busy=_("Keeping…"),
        )
    ]


def _refill(state: OverviewState) -> list[Banner]:
    refill = state.auto_refill
    if refill is None or not refill.enabled:
        return []
    if refill.suspended_at is None:
        return _capped(state, refill)
    last = state.last_refill
    why = _("A payment is disputed at your bank.")
    if refill.consecutive_failures >= FAILURES_UNTIL_SUSPENDED:
        why = ngettext(
            "Its last charge failed.",
            "Its last %(count)s charges failed.",
            refill.consecutive_failures,
        ) % {"count": refill.consecutive_failures}
        if last and last.failure_message:
            answer = translated(last.failure_message)
            why = _sentences(why, _("Last answer: %(answer)s") % {"answer": answer})
    return [
        Banner(
            "bad",
            _("Auto-Refill is suspended."),
            _sentences(why, _("Use another card or switch it on again.")),
            _("Payment Methods"),
            reverse("payment-methods"),
        )
    ]


def _capped(state: OverviewState, refill: AutoRefill) -> list[Banner]:
    """A cap holds back what the customer counts on."""
    if refill.capped_until is None or refill.capped_until <= state.now:
        return []
    if state.balance >= refill.threshold.amount:
        return []
    at = moment(refill.capped_until, state.account.timezone)
    return [
        Banner(
            "warn",
            _("Auto-Refill reached its limit."),
            _("It goes on by itself on %(moment)s. Until then, add credit by hand.")
            % {"moment": at.short},
            _("Add credit"),
            reverse("top-up"),
        )
    ]


def _card(state: OverviewState) -> list[Banner]:
    card = state.default_card
    if state.lacks_card:
        return [
            Banner(
                "bad",
                _("There is no card to charge."),
                _("Your plan or Auto-Refill needs one: add it before the next charge."),
                _("Add Payment Method"),
                reverse("payment-method-add"),
            )
        ]
    words = expiry_words(state)
    if card is None or not words:
        return []
    today = state.now.astimezone(state.account.timezone).date()
    title = (
        _("%(card)s has expired.") % {"card": label_of(card).spoken}
        if card.has_expired(today=today)
        else _("%(card)s expires after %(day)s.")
        % {"card": label_of(card).spoken, "day": write_day(card.last_day())}
    )
    return [
        Banner(
            "warn",
            title,
            _sentences(*words),
            _("Add Payment Method"),
            reverse("payment-method-add"),
        )
    ]


def _failed_payment(state: OverviewState) -> list[Banner]:
    """The newest payment failed, and no other banner says so."""
    newest = state.recent[0] if state.recent else None
    if newest is None or newest.status != Status.FAILED or newest == state.to_confirm:
        return []
    if newest.failed_at and state.now - newest.failed_at > FAILURE_IS_NEWS:
        return []
    said_elsewhere = {Purpose.RENEWAL} if state.is_past_due else set()
    refill = state.auto_refill
    if refill and refill.suspended_at:
        said_elsewhere.add(Purpose.AUTO_REFILL)
    if newest.purpose in said_elsewhere:
        return []
    return [
        Banner(
            "warn",
            _("The last payment of %(amount)s failed.")
            % {"amount": format_usd(newest.amount.amount)},
            translated(newest.failure_message) or _("It was not completed."),
            _("See the payment"),
            reverse("billing-history-detail", args=[newest.number]),
        )
    ]


def _spend_cap(state: OverviewState) -> list[Banner]:
    """Usage is near the cap that the customer set, or has reached it."""
    spend = state.capped
    if spend is None or spend.cap is None or not (spend.is_near or spend.is_reached):
        return []
    written = {"spent": format_usd_in_words(spend.spent), "cap": format_usd_in_words(spend.cap)}
    if spend.is_reached:
        tone, title = "bad", _("Services are paused: the spend cap is reached.")
        text = _("Usage has cost %(spent)s in this period, the cap is %(cap)s.") % written
    else:
        tone, title = "warn", _("The spend cap is nearly reached.")
        text = _("Usage has cost %(spent)s in this period. At %(cap)s services pause.") % written
    if spend.period_end is not None:
        at = moment(spend.period_end, state.account.timezone)
        text += " " + _("Counting begins anew on %(at)s.") % {"at": at.short}
    return [
        Banner(tone, title, text, _("Raise the cap"), f"{reverse('billing-settings')}#spend-cap")
    ]
