"""Who settles a payment waits for whoever is at it, and then finds it settled."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.db import transaction as database

from accounts.tests.factories import NOW, make_account
from invoices import settlement
from invoices.models import Status
from invoices.tests.factories import make_transaction
from invoices.tests.test_settlement import DECLINE, SUCCESS
from tests.live_portal import wait_until
from tests.test_deadlocks import someone_waits_for_a_lock
from wallet.tests.factories import balance_of, make_wallet


@pytest.mark.django_db(transaction=True)
def test_a_decline_told_while_the_success_is_settled_finds_it_paid() -> None:
    """An old answer to the sweeper, while the webhook of the success is taken in."""
    alice = make_account()
    make_wallet(alice)
    payment = make_transaction(alice, status=Status.PROCESSING, amount="25.00")

    def decline() -> str:
        try:
            settled = settlement.settle(transaction_id=payment.pk, payment=DECLINE, now=NOW)
            return settled.status
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as elsewhere:
        with database.atomic():
            settlement.settle(transaction_id=payment.pk, payment=SUCCESS, now=NOW)
            told = elsewhere.submit(decline)
            wait_until("the decline waits", someone_waits_for_a_lock)
        assert told.result(timeout=30) == Status.PAID
    assert balance_of(alice) == 25
