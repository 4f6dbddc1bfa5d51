"""Every event that the platform is told of is documented, with the fields that it has."""

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from accounts.models import Account, Message, MessageChannel
from accounts.stripe_objects import Outcome, Payment
from accounts.tests.factories import make_card
from billing_portal.dashboard.tests import scenes
from invoices import settlement
from invoices.models import Purpose, Status
from invoices.tests.factories import make_transaction
from plans import spend_caps
from wallet.refills import FAILURES_UNTIL_SUSPENDED

pytestmark = pytest.mark.django_db

#: DESIGN.md, section 8, and what is told before a spend cap pauses services.
EVENTS = {
    "services.paused",
    "services.resumed",
    "balance.low",
    "spend_cap.near",
    "transaction.paid",
    "transaction.failed",
    "subscription.renewed",
    "subscription.past_due",
    "auto_refill.suspended",
}


def documented() -> dict[str, set[str]]:
    """Return the fields of the example that docs/api.md gives of each event."""
    text = (Path(settings.BASE_DIR) / "docs" / "api.md").read_text()
    [block] = re.findall(r"An example of each `data`.*?```json\n(.*?)```", text, flags=re.S)
    decoder, examples = json.JSONDecoder(), {}
    while block.strip():
        example, end = decoder.raw_decode(block.strip())
        block = block.strip()[end:]
        examples[example["type"]] = set(example["data"])
    return examples


def decline_refills(account: Account) -> None:
    """Let refills be declined until auto-refill suspends itself."""
    scenes.switch_refill_on(account)
    for _ in range(FAILURES_UNTIL_SUSPENDED):
        refill = make_transaction(account, status=Status.PROCESSING, purpose=Purpose.AUTO_REFILL)
        declined = Payment(Outcome.DECLINED, failure_code="lost_card", failure_message="Lost.")
        settlement.settle(transaction_id=refill.pk, payment=declined, now=timezone.now())


@pytest.fixture
def told() -> dict[str, list[dict[str, Any]]]:
    """What the platform is told of a company with every trouble there is."""
    account = scenes.past_due_company()  # has $12
    make_card(account)
    decline_refills(account)
    scenes.use(account, "call_minutes", "200", at=timezone.now())
    # The minutes cost $0.10 each, for the renewal is not paid: 80 % of the cap.
    spend_caps.set_cap(account=account, cap=Decimal("25.00"), by=None, now=timezone.now())
    scenes.top_up(account, "50.00", at=timezone.now())
    events: dict[str, list[dict[str, Any]]] = {}
    for message in Message.objects.filter(channel=MessageChannel.PLATFORM):
        events.setdefault(message.event, []).append(message.payload)
    return events


def test_each_event_is_told_with_the_fields_of_its_example(
    told: dict[str, list[dict[str, Any]]],
) -> None:
    assert told.keys() == EVENTS
    examples = documented()
    assert examples.keys() == EVENTS
    for event, payloads in told.items():
        assert all(set(payload) == examples[event] for payload in payloads), event
