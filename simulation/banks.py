"""Banks, card holders, and somebody in Stripe's dashboard: what the portal only hears of."""

from collections.abc import Callable
from typing import Any

from accounts.models import CardStatus
from simulation.customers import Customer
from simulation.stripe_at_hand import Refused
from simulation.world import World

_OVER = ("won", "lost", "warning_closed")
_DECLINES = (
    None,
    None,
    None,
    "insufficient_funds",
    "generic_decline",
    "lost_card",
    "do_not_honor",
)


class Banks:
    """What happens at Stripe without the portal."""

    def __init__(self, world: World, customers: list[Customer]) -> None:
        self._world = world
        self._chance = world.chance
        self._customers = customers

    def act(self) -> None:
        """Have something happen."""
        disputes, refunds = self._open_disputes(), self._pending_refunds()
        deeds: list[tuple[int, tuple[str, Callable[[], str]]]] = [
            (6, ("decline or accept a card", self.change_their_mind)),
            (3, ("replace a card", self.replace_a_card)),
            (6, ("dispute a payment", self.dispute)),
            (14 if disputes else 1, ("decide a dispute", self.decide_a_dispute)),
            (3, ("refund in Stripe's dashboard", self.refund_in_the_dashboard)),
            (14 if refunds else 2, ("settle a pending refund", self.settle_a_refund)),
            (3, ("pay an expired page", self.pay_an_expired_page)),
        ]
        act, work = self._world.pick(deeds)
        try:
            outcome = work()
        except Refused as refused:
            outcome = f"refused ({refused.code or 'no code'})"
        self._world.report.note(self._world.clock.true, "bank", act, outcome)

    def change_their_mind(self) -> str:
        """A saved card is declined from now on, or works again."""
        method = self._any_card()
        if method is None:
            return "no card"
        code = self._chance.one_of(_DECLINES)
        self._world.stripe.control(f"payment_methods/{method}/behaviour", {"decline_code": code})
        return code or "accepted"

    def replace_a_card(self) -> str:
        """The bank sends a new card, with another number and date."""
        method = self._any_card()
        if method is None:
            return "no card"
        new = {
            "last4": f"{self._chance.between(0, 9999):04d}",
            "exp_month": self._chance.between(1, 12),
            "exp_year": self._world.clock.true.year + self._chance.between(0, 4),
        }
        self._world.stripe.control(f"payment_methods/{method}/behaviour", new)
        return "replaced"

    def dispute(self) -> str:
        """A card holder complains, or their bank only asks."""
        charges = [each for each in self._world.stripe.objects("charge") if each["captured"]]
        if not charges:
            return "nothing paid"
        charge = self._chance.one_of(charges)
        is_inquiry = self._chance.happens(0.4)
        self._world.stripe.control(f"charges/{charge['id']}/dispute", {"inquiry": is_inquiry})
        return "inquiry" if is_inquiry else "disputed"

    def decide_a_dispute(self) -> str:
        """A bank decides, or the card holder thinks better of it."""
        still_open = self._open_disputes()
        if not still_open:
            return "none open"
        dispute = self._chance.one_of(still_open)
        is_inquiry = dispute["status"].startswith("warning")
        outcome = self._chance.one_of(
            ("withdraw", "escalate") if is_inquiry else ("win", "lose", "withdraw")
        )
        self._world.stripe.control(f"disputes/{dispute['id']}/{outcome}")
        return outcome

    def refund_in_the_dashboard(self) -> str:
        """Somebody refunds without asking the portal."""
        charges = [each for each in self._world.stripe.objects("charge") if each["captured"]]
        if not charges:
            return "nothing paid"
        charge = self._chance.one_of(charges)
        amount = self._chance.one_of((None, 10 * self._chance.between(1, 500)))
        self._world.stripe.control(f"charges/{charge['id']}/refund", {"amount": amount})
        return "all that was left" if amount is None else "a part"

    def settle_a_refund(self) -> str:
        """A refund arrives, or comes back."""
        pending = self._pending_refunds()
        others = [e for e in self._world.stripe.objects("refund") if e["status"] == "succeeded"]
        if others and not pending and self._chance.happens(0.3):
            self._world.stripe.control(f"refunds/{self._chance.one_of(others)['id']}/fail")
            return "came back"
        if not pending:
            return "none"
        outcome = self._chance.one_of(("succeed", "succeed", "fail"))
        self._world.stripe.control(f"refunds/{self._chance.one_of(pending)['id']}/{outcome}")
        return outcome

    def settle_all_refunds(self) -> None:
        """The banks decide on every refund that is pending."""
        for refund in self._world.stripe.objects("refund"):
            if refund["status"] == "pending":
                self._world.stripe.control(f"refunds/{refund['id']}/succeed")

    def pay_an_expired_page(self) -> str:
        """The bank takes the money too late for the page."""
        sessions = self._world.stripe.objects("checkout.session")
        expired = [each for each in sessions if each["status"] == "expired"]
        if not expired:
            return "none"
        session = self._chance.one_of(expired[-5:])
        if session["payment_status"] == "paid":
            return "paid already"
        pay = {"payment_method": "pm_card_visa", "although_expired": True}
        self._world.stripe.control(f"checkout/{session['id']}/pay", pay)
        return "paid"

    def _open_disputes(self) -> list[dict[str, Any]]:
        disputes = self._world.stripe.objects("dispute")
        return [each for each in disputes if each["status"] not in _OVER]

    def _pending_refunds(self) -> list[dict[str, Any]]:
        refunds = self._world.stripe.objects("refund")
        return [each for each in refunds if each["status"] == "pending"]

    def _any_card(self) -> str | None:
        joined = [each for each in self._customers if each.has_joined]
        if not joined:
            return None
        cards = self._chance.one_of(joined).account.cards.filter(status=CardStatus.VERIFIED)
        if self._chance.happens(0.7):
            cards = cards.filter(is_default=True)
        methods = list(cards.order_by("pk").values_list("stripe_payment_method_id", flat=True))
        return self._chance.one_of(methods) if methods else None
