"""The real side of an example: one customer in the database, at the sandbox Stripe, at a moment."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import time_machine
from django.db import connection, transaction

from accounts import gateway
from accounts.models import Account, Card, User
from accounts.staff_roles import StaffRole
from accounts.tests.factories import NOW, make_staff
from accounts.tests.stripe_side import decline_from_now_on, lose_answers, refuse_service
from invoices.tests.stripe_events import listen, post
from plans.tests.factories import make_customer, make_version

if TYPE_CHECKING:
    from conftest import Sandbox

#: What Stripe tells the portal of one payment, and of what goes back of it.
OF_CHARGES = ("charge.succeeded", "payment_intent.payment_failed")
OF_REFUNDS = ("refund.created", "refund.updated", "refund.failed", "charge.refunded")
OF_DISPUTES = tuple(
    f"charge.dispute.{what}"
    for what in ("created", "updated", "closed", "funds_withdrawn", "funds_reinstated")
)


class World:
    """What the rules act on. Everything in it is undone at the end of the example."""

    def __init__(self, sandbox: "Sandbox", add_card: Callable[..., Card]) -> None:
        self.sandbox = sandbox
        self._add_card = add_card
        self._undo = transaction.atomic()
        self.now = NOW
        self._told: set[str] = set()

    def begin(self, *, included: str, unit_price: str, country: str) -> None:
        """Make the customer, in a database transaction that will be rolled back."""
        # As Django's own TestCase does: what is committed for good in production is not here.
        self._undo._from_testcase = True  # type: ignore[attr-defined]
        self._undo.__enter__()
        self.sandbox.control("reset")
        self.wait(timedelta(0))
        self.endpoint = listen(self.sandbox)
        version = make_version(included=included, unit_price=unit_price)
        self.account: Account = make_customer(version=version, country=country)
        self.card = self._add_card(self.account)
        self.staff: User = make_staff(StaffRole.ADMINISTRATOR, "proof@badal.test")

    def end(self) -> None:
        """Forget the customer."""
        self.sandbox.control("reset")
        transaction.set_rollback(True)
        self._undo.__exit__(None, None, None)

    def wait(self, time: timedelta) -> datetime:
        """Let time pass, at Stripe as well."""
        self.now += time
        self.sandbox.control("clock", {"now": self.now.isoformat()})
        return self.now

    def check_what_is_deferred(self) -> None:
        """Have the database check what it would check at a commit."""
        connection.check_constraints()

    def today(self) -> time_machine.travel:
        """Within, it is this moment for whoever reads a clock: receivers and comparisons do."""
        return time_machine.travel(self.now, tick=False)

    @contextmanager
    def trouble(self, kind: str, path: str) -> Iterator[None]:
        """Within, Stripe's next answer is `lost`, or it is `down`, or nothing is the matter."""
        if kind == "lost":
            lose_answers(self.sandbox, path)
        elif kind == "down":
            refuse_service(self.sandbox, 500, path)
        try:
            yield
        finally:
            # What was not asked suffers nothing, and nor does what comes next.
            self.sandbox.fail_nothing()

    def bank_declines(self, code: str | None) -> None:
        """Have the bank decline the saved card from now on, or accept it again."""
        decline_from_now_on(self.sandbox, self.card, code)

    def events(self, kinds: tuple[str, ...], number: str = "") -> list[dict[str, Any]]:
        """What Stripe has to tell of these kinds (of one transaction) and has not yet."""
        return [
            event
            for event in self._all_events()
            if event["type"] in kinds
            and event["id"] not in self._told
            and (not number or event["data"]["object"]["metadata"].get("transaction") == number)
        ]

    def told(self) -> list[dict[str, Any]]:
        """What Stripe has told already."""
        return [event for event in self._all_events() if event["id"] in self._told]

    def _all_events(self) -> list[dict[str, Any]]:
        listed = gateway.client().v1.events.list({"limit": 100}).auto_paging_iter()
        return [event.to_dict() for event in listed][::-1]

    def tell(self, events: list[dict[str, Any]]) -> None:
        """Deliver events, in this order, at this moment."""
        with self.today():
            for event in events:
                assert post(self.endpoint, event).status_code == 200
                self._told.add(event["id"])


def dollars(amount: Any) -> Decimal:
    """Return an exact fraction of the model as the Decimal that a service takes."""
    value = Decimal(amount.numerator) / Decimal(amount.denominator)
    return value.quantize(Decimal("0.000001"))
