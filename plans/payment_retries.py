"""Charging again at once what failed, because staff say so: an unpaid renewal, or a refill."""

from datetime import datetime

from django.core.exceptions import ValidationError

from accounts.models import User
from accounts.money import format_usd
from invoices.models import Purpose, Status, Transaction
from plans import past_due, renewal_charges
from wallet import refill_retries


def check(*, transaction: Transaction) -> str:
    """Return what charging again would do, in words for staff.

    Raises ValidationError when it can't be done: the customer has to, or there is nothing left to
    charge.
    """
    if transaction.status != Status.FAILED:
        raise ValidationError(f"{transaction} did not fail.")
    if transaction.purpose == Purpose.RENEWAL:
        renewal = past_due.unpaid(account=transaction.account)
        if renewal is None:
            raise ValidationError("The renewal is paid: there is nothing left to charge.")
        return (
            f"{format_usd(renewal.amount.amount)} and its tax, for the period from "
            f"{renewal.period_start:%Y-%m-%d}, is charged to the default card now, as a new "
            "transaction."
        )
    if transaction.purpose == Purpose.AUTO_REFILL:
        rule = refill_retries.rule_to_retry(account=transaction.account)
        return (
            "The wait after the decline ends. If the balance is still below "
            f"{format_usd(rule.threshold.amount)}, {format_usd(rule.amount.amount)} and its tax is "
            "charged to the default card now, as a new transaction."
        )
    raise ValidationError("Only the customer can pay for this again, in the dashboard.")


def retry(*, transaction: Transaction, by: User, reason: str, now: datetime) -> Transaction | None:
    """Charge again what failed; return the new attempt, or None when nothing needed charging.

    However often it is asked for at once, one attempt is open at a time. Raises ValidationError as
    `check` does, without a card, and while an attempt is open.
    """
    check(transaction=transaction)
    account = transaction.account
    if transaction.purpose == Purpose.RENEWAL:
        return renewal_charges.pay_now(account=account, by=by, now=now, reason=reason)
    return refill_retries.retry(account=account, by=by, reason=reason, now=now)
