"""A customer's whole life, of which Stripe tells late: in reverse, each event several times.

While it is lived no event arrives. What the portal did itself it knows by Stripe's answers; pages
paid without coming back, refunds made in Stripe's dashboard and disputes it knows by events alone.
"""

from dataclasses import dataclass
from decimal import Decimal

import pytest
from django.utils import timezone

from accounts import cards
from accounts.models import Account, Card, Message, User
from accounts.staff_roles import StaffRole
from accounts.tests.factories import make_staff
from accounts.tests.stripe_side import lose_answers
from billing_portal.celery import app
from invoices import refunds
from invoices.models import Status, Transaction
from plans import subscriptions
from plans.tests.subscribers import version_of
from tests.live_portal import Portal
from wallet import topups


@dataclass
class Customer:
    """Somebody who does everything that can be done with money."""

    portal: Portal
    account: Account

    def adds_a_card(self) -> Card:
        setup = cards.begin(account=self.account)
        self.portal.sandbox.confirm_setup(setup.id)
        return cards.add(
            account=self.account, setup_intent_id=setup.id, by=None, now=timezone.now()
        )

    def subscribes(self) -> Transaction:
        paid = subscriptions.subscribe(
            account=self.account, plan_version=version_of("growth"), by=None, now=timezone.now()
        )
        assert paid is not None
        return paid

    def tops_up(self, amount: int) -> Transaction:
        return topups.charge_saved_card(
            account=self.account,
            amount=Decimal(amount),
            minimum=Decimal(10),
            by=None,
            now=timezone.now(),
        )

    def opens_a_page(self, amount: int) -> Transaction:
        return topups.open_payment_page(
            account=self.account,
            amount=Decimal(amount),
            minimum=Decimal(10),
            return_path="/billing/top-up/return/?session_id={CHECKOUT_SESSION_ID}",
            cancel_path="/billing/top-up/",
            by=None,
            now=timezone.now(),
        )

    def at_stripe(self, transaction: Transaction) -> str:
        """The charge that Stripe has for a transaction."""
        query = {"query": f"metadata['transaction']:'{transaction.number}' AND status:'succeeded'"}
        [intent] = self.portal.stripe.payment_intents.search(query).data
        return str(intent.latest_charge)


@pytest.fixture
def worker_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that takes each nudge at the moment it is given."""
    app.loader.import_default_modules()
    monkeypatch.setattr(app, "send_task", lambda task, args: app.tasks[task].apply(args))


@pytest.fixture
def finance() -> User:
    return make_staff(StaffRole.FINANCE)


@pytest.mark.parametrize(("order", "copies"), [("same", 1), ("reverse", 3)])
def test_whatever_the_order_of_events_each_cent_moves_once(
    portal: Portal, worker_at_once: None, finance: User, order: str, copies: int
) -> None:
    stripe = portal.sandbox
    stripe.control("webhooks", {"held": True})
    account = portal.platform.provision("Muscat Freight LLC", owner="layla@muscatfreight.test")
    customer = Customer(portal, account)

    card = customer.adds_a_card()
    plan = customer.subscribes()
    saved = customer.tops_up(50)
    left = customer.opens_a_page(25)  # … and paid, but the browser never came back
    stripe.control(f"checkout/{left.stripe_checkout_session_id}/pay")
    late = customer.opens_a_page(40)  # … expired, and paid all the same
    stripe.control(f"checkout/{late.stripe_checkout_session_id}/expire")
    stripe.control(f"checkout/{late.stripe_checkout_session_id}/pay", {"although_expired": True})
    lose_answers(stripe)
    lost = customer.tops_up(15)
    assert lost.status == Status.PROCESSING

    part = refunds.make_refund(
        transaction_id=saved.pk, amount=Decimal(20), reason="Agreed", by=finance, now=timezone.now()
    )
    comes_back = refunds.make_refund(
        transaction_id=saved.pk, amount=Decimal(5), reason="Agreed", by=finance, now=timezone.now()
    )
    stripe.control(f"refunds/{comes_back.stripe_refund_id}/fail")
    stripe.control(f"charges/{customer.at_stripe(left)}/refund")  # in Stripe's dashboard
    for transaction, outcome in ((late, "withdraw"), (lost, "lose")):
        dispute = stripe.control(f"charges/{customer.at_stripe(transaction)}/dispute")
        stripe.control(f"disputes/{dispute['id']}/{outcome}")
    inquiry = stripe.control(f"charges/{customer.at_stripe(plan)}/dispute", {"inquiry": True})
    stripe.control(f"disputes/{inquiry['id']}/withdraw")
    renewed = {"exp_month": 3, "exp_year": 2043, "last4": "1881"}
    stripe.control(f"payment_methods/{card.stripe_payment_method_id}/behaviour", renewed)

    stripe.control("webhooks", {"held": False, "order": order, "copies": copies})
    portal.webhooks_delivered()

    paid = Transaction.objects.filter(account=account, status=Status.PAID)
    assert {each.pk for each in paid} == {each.pk for each in (plan, saved, left, late, lost)}
    # 50 + 25 + 40 + 15, less 20 and 25 refunded and 15 that the bank took back.
    assert portal.balance(account) == "70.000000"
    part.refresh_from_db()
    comes_back.refresh_from_db()
    assert (part.status, comes_back.status) == ("succeeded", "failed")
    card.refresh_from_db()
    assert (card.last4, card.exp_month, card.exp_year) == ("1881", 3, 2043)
    receipts = Message.objects.filter(account=account, event="transaction_paid", channel="email")
    assert receipts.count() == 5
