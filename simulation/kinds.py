"""What a run should have in it: each kind of deed, and each thing that may come of them.

A run of some weeks has not all of it. The fixed seeds of CI together have, but for what is rare:
`--whole` sees to that.
"""

import re
from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet

from accounts.models import AuditEvent, Message, PauseReason
from invoices.models import (
    Dispute,
    DisputeStatus,
    Purpose,
    Refund,
    RefundStatus,
    Status,
    Transaction,
)
from plans.models import PlanChange, PlanChangeStatus, Renewal, UsageRecord
from simulation.gateway_faults import GatewayFault
from simulation.mail_server import MailFault
from simulation.webhooks import WebhookFault
from simulation.workers import WorkerFault

#: What somebody does, and how it ended, as a report has it: an act, and patterns of its outcomes.
DEEDS: Mapping[str, tuple[str, ...]] = {
    # Customers
    "sign up": ("payg|starter|growth",),
    "top up with the saved card": ("paid", "failed"),
    "pay on a payment page": (
        "abandoned",
        "declined.*",
        "tried, never came back",
        "tried, came back: paid",
    ),
    "add a card": (
        "verified",
        "rejected",
        "declined in the browser",
        "the page was left",
        "the browser never came back",
    ),
    "choose another default card": ("done",),
    "remove a card": ("done",),
    "look at a plan": (".*: upgrade", ".*: downgrade"),
    "agree to a plan": ("start paid", "upgrade paid", "(start|upgrade) failed", "downgrade .*"),
    "cancel or keep the plan": ("cancel", "keep", "take_back"),
    "take or release a rental": (".* paid", ".* failed", ".* for nothing"),
    "set auto-refill": ("on", "off"),
    "set limits": ("spend cap", "low balance"),
    "move to another country": ("OM|AE|DE",),
    "answer the bank": ("paid", "not wanted: failed"),
    # The platform
    "report usage": ("answered",),
    # Staff
    "adjust credit": ("adjusted", "asked for"),
    "reverse an adjustment": ("reversed",),
    "refund": ("succeeded", "pending", "asked for"),
    "decide on a request": ("executed", "declined", "withdrawn"),
    "lock or unlock services": ("lock", "unlock"),
    "give more time": ("given",),
    "charge again": ("paid", "failed"),
    "ask Stripe": ("paid|failed|processing|checkout",),
    "begin allowances anew": ("done",),
    "sell another version of a plan": ("published", "subscribers move"),
    "cancel or keep a customer's plan": ("cancel", "keep"),
    # Banks, and Stripe's dashboard
    "decline or accept a card": ("accepted", "(?!accepted|no card).*"),
    "replace a card": ("replaced",),
    "dispute a payment": ("disputed", "inquiry"),
    "decide a dispute": ("win", "lose", "withdraw", "escalate"),
    "refund in Stripe's dashboard": ("a part", "all that was left"),
    "settle a pending refund": ("succeed", "fail", "came back"),
    "pay an expired page": ("paid",),
}

#: What may go wrong meanwhile.
FAULTS = (
    *GatewayFault,
    *WorkerFault,
    *WebhookFault,
    *MailFault,
    "the clock jumped",
)

#: What comes about in few runs of CI's length: the long ones count it, and nobody asks CI for it.
RARE = frozenset(
    {
        "answer the bank: paid",
        "answer the bank: not wanted: failed",
        "charge again: paid",
        "charge again: failed",
        "give more time: given",
        "settle a pending refund: fail",
        "a free period begins",
        "a spend cap is near",
        "services resumed: spend_cap",
        "services paused: subscription_unpaid",
        "services resumed: subscription_unpaid",
    }
)


def of_deeds(outcomes: Mapping[str, int]) -> dict[str, int]:
    """Return how often each kind of deed ended each way, of what a report has noted."""
    told: dict[str, int] = {}
    for act, patterns in DEEDS.items():
        for pattern in patterns:
            told[f"{act}: {pattern}"] = sum(
                count for outcome, count in outcomes.items() if _is(outcome, act, pattern)
            )
    return told


def is_wanted(act: str, outcomes: Mapping[str, int]) -> bool:
    """Tell whether a deed has not yet ended in all the ways that it may."""
    return any(
        not any(_is(outcome, act, pattern) for outcome in outcomes)
        for pattern in DEEDS.get(act, ())
    )


def _is(outcome: str, act: str, pattern: str) -> bool:
    return outcome.startswith(f"{act}: ") and bool(
        re.fullmatch(pattern, outcome.removeprefix(f"{act}: "))
    )


def of_what_came_of_it() -> dict[str, int]:
    """Return how often each thing came about that nobody does by themselves."""
    return {name: found.count() for name, found in _what_came_of_it().items()}


def _what_came_of_it() -> dict[str, QuerySet[Any]]:
    paid = Transaction.objects.filter(status=Status.PAID)
    failed = Transaction.objects.filter(status=Status.FAILED)
    refunds = Refund.objects.filter(status=RefundStatus.SUCCEEDED)
    events = AuditEvent.objects.filter
    return {
        "a renewal is paid": paid.filter(purpose=Purpose.RENEWAL),
        "a renewal fails": failed.filter(purpose=Purpose.RENEWAL),
        "a free period begins": Renewal.objects.filter(amount=0, number__gt=1),
        "an auto-refill is paid": paid.filter(purpose=Purpose.AUTO_REFILL),
        "an auto-refill fails": failed.filter(purpose=Purpose.AUTO_REFILL),
        "auto-refill suspends itself": Message.objects.filter(event="auto_refill_suspended"),
        "a payment page expires": Transaction.objects.filter(expired_at__isnull=False),
        "tax is charged": paid.filter(tax_amount__gt=0),
        "a top-up is refunded": refunds.filter(transaction__purpose=Purpose.TOP_UP),
        "an auto-refill is refunded": refunds.filter(transaction__purpose=Purpose.AUTO_REFILL),
        "what is no credit is refunded": refunds.exclude(
            transaction__purpose__in=(Purpose.TOP_UP, Purpose.AUTO_REFILL)
        ),
        "a refund fails": Refund.objects.filter(status=RefundStatus.FAILED),
        "a dispute is won": Dispute.objects.filter(status=DisputeStatus.WON),
        "a dispute is lost": Dispute.objects.filter(status=DisputeStatus.LOST),
        "an inquiry is closed": Dispute.objects.filter(status=DisputeStatus.DISMISSED),
        "a plan changes": PlanChange.objects.filter(status=PlanChangeStatus.APPLIED),
        "usage is included": UsageRecord.objects.filter(included_quantity__gt=0),
        "usage is billed": UsageRecord.objects.filter(billed_quantity__gt=0),
        "a balance is low": Message.objects.filter(event="low_balance"),
        "a spend cap is near": Message.objects.filter(event="spend_cap_near"),
        "a spend cap is reached": Message.objects.filter(event="spend_cap_reached"),
    } | {
        f"services {action}: {reason}": events(
            action__startswith=f"services_{action}", details__reason=reason
        )
        for reason in PauseReason.values
        for action in ("paused", "resumed")
    }
