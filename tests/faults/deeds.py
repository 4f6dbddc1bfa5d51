"""What the processes that die are doing: each a way in which the portal moves money.

Everything goes through the services that pages and tasks call, or a command; arguments are JSON.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from django.core.management import call_command
from django.test import override_settings

from accounts import cards
from accounts.models import Account
from invoices import checkout
from invoices.tests import refunders
from plans import renewals, rentals, subscriptions
from plans.tests.changing_plans import move
from plans.tests.subscribers import feature, version_of
from wallet import refills, topups


def top_up(account: str, now: str) -> None:
    """Charge the saved card for $25 of credit."""
    topups.charge_saved_card(
        account=Account.objects.get(pk=account),
        amount=Decimal(25),
        minimum=Decimal(10),
        by=None,
        now=datetime.fromisoformat(now),
    )


def open_page(account: str, now: str) -> None:
    """Open a payment page for $25 of credit."""
    topups.open_payment_page(
        account=Account.objects.get(pk=account),
        amount=Decimal(25),
        minimum=Decimal(10),
        return_path="/billing/top-up/return/?session={CHECKOUT_SESSION_ID}",
        cancel_path="/billing/top-up/",
        by=None,
        now=datetime.fromisoformat(now),
    )


def come_back(account: str, now: str) -> None:
    """Come back from the payment page."""
    page = Account.objects.get(pk=account).transactions.get()
    checkout.refresh(transaction_id=page.pk, now=datetime.fromisoformat(now))


def refill(account: str, now: str) -> None:
    """Refill the account's wallet if that is due."""
    refills.refill_due(now=datetime.fromisoformat(now), account_ids=[Account(pk=account).pk])


def refund(account: str, now: str) -> None:
    """Refund $10 of the account's top-up."""
    payment = Account.objects.get(pk=account).transactions.get()
    refunders.refund(payment, "10", now=datetime.fromisoformat(now))


def renew(account: str, now: str, threads: str) -> None:
    """Renew what is due, of every account, in so many threads."""
    renewals.run(clock=lambda: datetime.fromisoformat(now), threads=int(threads))


def subscribe(account: str, now: str) -> None:
    """Subscribe to Growth."""
    subscriptions.subscribe(
        account=Account.objects.get(pk=account),
        plan_version=version_of("growth"),
        by=None,
        now=datetime.fromisoformat(now),
    )


def upgrade(account: str, now: str) -> None:
    """Look at what Growth comes to, and agree."""
    move(Account.objects.get(pk=account), "growth", now=datetime.fromisoformat(now))


def rent(account: str, now: str) -> None:
    """Take five phone numbers."""
    rentals.set_quantity(
        account=Account.objects.get(pk=account),
        feature=feature("phone_number"),
        quantity=5,
        now=datetime.fromisoformat(now),
    )


def add_card(account: str, now: str, setup_intent: str) -> None:
    """Save and verify the card that a browser confirmed."""
    cards.add(
        account=Account.objects.get(pk=account),
        setup_intent_id=setup_intent,
        by=None,
        now=datetime.fromisoformat(now),
    )


def import_usage(path: str) -> None:
    """Import a file of usage records in batches of ten."""
    call_command("import_usage", path, batch_size=10)


def consume_usage(address: str, usage: str, rejected: str, group: str, number: str) -> None:
    """Consume so many messages in batches of twenty; then it is told to stop, as by a restart."""
    from plans.usage_consumer import REGISTRY
    from tests.faults.kafka_broker import QUICK

    def stop_after_the_last() -> None:
        read = 0.0
        while read < int(number):
            time.sleep(0.05)
            metrics = [each for metric in REGISTRY.collect() for each in metric.samples]
            read = sum(each.value for each in metrics if each.name.endswith("consumed_total"))
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop_after_the_last, daemon=True).start()
    with override_settings(KAFKA_BOOTSTRAP_SERVERS=address, KAFKA_OPTIONS=QUICK):
        call_command(
            "consume_usage",
            topic=usage,
            dead_letter_topic=rejected,
            group=group,
            batch_size=20,
            linger=0.1,
        )


DEEDS: dict[str, Callable[..., None]] = {
    deed.__name__: deed
    for deed in (
        top_up,
        open_page,
        come_back,
        refill,
        refund,
        renew,
        subscribe,
        upgrade,
        rent,
        add_card,
        import_usage,
        consume_usage,
    )
}
