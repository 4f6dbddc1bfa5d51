"""Auto-refill: a top-up the portal makes by itself (DESIGN.md section 6).

Due is a query, not an event: on, not suspended, not backing off, within the caps, balance strictly
below the threshold, a default card to charge, none open. Whoever asks, and however many at once:
the database admits one open refill for an account.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction as database
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts import cards, nudges, outbox, sweeps
from accounts.models import Account, Card
from accounts.money import format_usd
from invoices import charging, settlement
from invoices.charging import NewLine
from invoices.models import Purpose, Status, Transaction
from wallet import ledger, refill_caps, refill_suspension
from wallet.models import AutoRefill, EntryKind, Wallet
from wallet.reversals import CreditFollowsPayment

DESCRIPTION = gettext_noop("Auto-refill")

#: How long to wait after the first and the second decline in a row. DESIGN.md also names 24 hours
#: for the third, but that one suspends: there is nothing to wait for.
BACK_OFF = (timedelta(hours=1), timedelta(hours=6))
FAILURES_UNTIL_SUSPENDED = len(BACK_OFF) + 1

#: No decline to remember.
NO_DECLINE: dict[str, Any] = {"consecutive_failures": 0, "next_attempt_at": None}
#: The customer has said that it shall go on: with another card, or by switching it on.
AFRESH: dict[str, Any] = {**NO_DECLINE, "suspended_at": None}


def due(*, now: datetime) -> QuerySet[AutoRefill]:
    """Return the refills that should be opened at `now`."""
    account_id = OuterRef("wallet__account_id")
    return AutoRefill.objects.filter(
        Q(next_attempt_at__isnull=True) | Q(next_attempt_at__lte=now),
        Q(capped_until__isnull=True) | Q(capped_until__lte=now),
        Exists(Card.objects.filter(account_id=account_id, is_default=True)),
        ~Exists(
            Transaction.objects.filter(
                account_id=account_id, purpose=Purpose.AUTO_REFILL, status=Status.PROCESSING
            )
        ),
        enabled=True,
        suspended_at__isnull=True,
        wallet__balance__lt=F("threshold"),
    )


def refill_due(*, now: datetime, account_ids: Iterable[UUID] | None = None) -> int:
    """Open and charge every refill that is due, looking again after a success; return how many.

    Without `account_ids`, all accounts are looked at: the sweep that finds what a lost nudge
    should have done.
    """
    candidates = due(now=now).select_related("wallet__account")
    if account_ids is not None:
        candidates = candidates.filter(wallet__account_id__in=list(account_ids))
    return sweeps.Run().each(
        [refill.wallet.account for refill in candidates],
        lambda account: _refill(account=account, now=now),
        broke="refill_broke",
    )


def _refill(*, account: Account, now: datetime) -> int:
    """Refill one account; one that is smaller than the gap takes several, up to the cap."""
    charged = 0
    while (transaction := _open(account=account, now=now)) is not None:
        charged += 1
        settled = charging.execute(transaction_id=transaction.pk, now=now)
        if settled.status != Status.PAID:
            break
    return charged


def _open(*, account: Account, now: datetime) -> Transaction | None:
    """Record one refill if it is due, looking again under the wallet's lock."""
    with database.atomic(durable=True):
        wallet = Wallet.objects.select_for_update(no_key=True).get(account=account)
        refill = due(now=now).filter(wallet=wallet).first()
        if refill is None:
            return None
        if (cap := refill_caps.reached(account=account, refill=refill, now=now)) is not None:
            refill_caps.tell(account=account, refill=refill, cap=cap, now=now)
            return None
        try:
            return charging.open_transaction(
                account=account,
                purpose=Purpose.AUTO_REFILL,
                lines=[NewLine(DESCRIPTION, refill.amount.amount)],
                status=Status.PROCESSING,
                card=cards.default_card(account=account),
                obligation="auto_refill",
                now=now,
            )
        except charging.AlreadyOpen:
            return None


def nudge(*, account_ids: Iterable[UUID]) -> None:
    """After commit, have the worker look at these accounts' refills.

    A nudge may be lost: the sweep finds the refill a minute later.
    """
    ids = [str(account_id) for account_id in account_ids]
    if ids:
        nudges.after_commit("wallet.refill_accounts", ids)


def start_afresh(account: Account, now: datetime) -> None:
    """A new default card: forget earlier declines and try again."""
    AutoRefill.objects.filter(wallet__account=account).update(**AFRESH)
    nudge(account_ids=[account.pk])


def end_wait(account: Account, now: datetime) -> None:
    """The default card has changed without the customer: try again what was declined.

    A suspension stays: a bank sends another card to who disputes a payment, too, and the card that
    they disputed may be detached in Stripe's dashboard.
    """
    AutoRefill.objects.filter(wallet__account=account, suspended_at=None).update(**NO_DECLINE)
    nudge(account_ids=[account.pk])


def needs_card(account: Account) -> str:
    """Say why the default card can't go while auto-refill is on, or ""."""
    if AutoRefill.objects.filter(wallet__account=account, enabled=True).exists():
        return _("Auto-Refill charges this card. Switch it off or add another card first.")
    return ""


class AutoRefillFulfilment(CreditFollowsPayment):
    """A paid refill becomes credit; a declined one backs off and at last suspends itself."""

    announces_failure = True

    def why_unwanted(self, *, transaction: Transaction, now: datetime) -> str:
        """Credit is always wanted by who pays for it."""
        return ""

    def paid(self, *, transaction: Transaction, now: datetime) -> None:
        """Credit the wallet with what was bought."""
        ledger.credit_payment(
            transaction=transaction, kind=EntryKind.AUTO_REFILL, description=DESCRIPTION, now=now
        )
        # A suspension stays, a dispute's above all: this charge may have been under way before it.
        AutoRefill.objects.filter(wallet__account_id=transaction.account_id).update(**NO_DECLINE)

    def failed(self, *, transaction: Transaction, now: datetime) -> None:
        """Back off, or after three declines in a row suspend, and tell the customer which.

        A rule that was switched off while the charge was under way has nothing to wait for.
        """
        refill = AutoRefill.objects.select_for_update(no_key=True).get(
            wallet__account_id=transaction.account_id
        )
        if refill.enabled:
            refill.consecutive_failures += 1
            if refill.consecutive_failures >= FAILURES_UNTIL_SUSPENDED:
                refill_suspension.after_declines(refill=refill, transaction=transaction, now=now)
                return
            refill.next_attempt_at = now + BACK_OFF[refill.consecutive_failures - 1]
            refill.save()
        next_attempt_at = None
        if refill.enabled and refill.next_attempt_at is not None:
            next_attempt_at = refill.next_attempt_at.isoformat()
        if transaction.can_be_confirmed(now):
            settlement.ask_to_confirm(transaction, now, next_attempt_at=next_attempt_at)
            return
        context: dict[str, object] = {
            "amount": format_usd(transaction.amount.amount),
            "card": f"{transaction.card}" if transaction.card else "",
            "reason": transaction.failure_message,
            "path": "/billing/payment-methods/",
        }
        if next_attempt_at:
            context["next_attempt_at"] = next_attempt_at
        outbox.record_email(
            account=transaction.account,
            event="auto_refill_failed",
            key=f"auto_refill_failed:{transaction.number}",
            context=context,
            now=now,
        )
