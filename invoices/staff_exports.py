"""Transactions and refunds as files for staff, whoever's they are. Amounts are USD and OMR."""

from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, OuterRef, QuerySet, Subquery

from accounts.models import brand_name
from accounts.staff_exports import Column, Export, amount
from invoices.models import (
    Dispute,
    DisputeStatus,
    Line,
    Purpose,
    RefundOrigin,
    RefundStatus,
    Status,
    Transaction,
)


def _with_lines_and_dispute(transactions: QuerySet[Transaction]) -> QuerySet[Transaction]:
    lines = Line.objects.filter(transaction=OuterRef("pk"), is_tax=False).order_by("position")
    disputes = Dispute.objects.filter(transaction=OuterRef("pk")).order_by("-opened_at")
    return transactions.select_related(None).select_related("account").annotate(
        descriptions=ArraySubquery(lines.values("description")),
        dispute=Subquery(disputes.values("status")[:1]),
    )  # fmt: skip


def _card(transaction: Transaction) -> str:
    return f"{brand_name(transaction.card_brand)} {transaction.card_last4}".strip()


def _dispute(transaction: Any) -> str:
    return str(DisputeStatus(transaction.dispute).label) if transaction.dispute else ""


TRANSACTIONS = Export(
    name="transactions",
    times={"created_at": "created", "paid_at": "paid"},
    kinds=("status", "purpose"),
    kind=lambda status, purpose: f"{Status(status).label}, {Purpose(purpose).label}",
    prepare=_with_lines_and_dispute,
    columns=(
        Column("Number", lambda one: one.number),
        Column("Receipt number", lambda one: one.receipt_number),
        Column("Account", lambda one: one.account.name),
        Column("Account's id on the platform", lambda one: one.account.external_id),
        Column("Purpose", lambda one: str(one.get_purpose_display())),
        Column("Status", lambda one: str(one.get_status_display())),
        Column("Created (UTC)", lambda one: one.created_at),
        Column("Paid (UTC)", lambda one: one.paid_at or ""),
        Column("Description", lambda one: "; ".join(one.descriptions)),
        Column(
            "Net USD", lambda one: one.net_amount.amount, added_up=F("amount") - F("tax_amount")
        ),
        Column("Tax %", lambda one: one.tax_rate),
        Column("Tax USD", amount("tax_amount"), added_up=F("tax_amount")),
        Column("Amount USD", amount("amount"), added_up=F("amount")),
        Column("Charged OMR", amount("charged_amount"), added_up=F("charged_amount")),
        Column("Rate", lambda one: one.exchange_rate),
        Column("Refunded USD", amount("refunded_amount"), added_up=F("refunded_amount")),
        Column("Dispute", _dispute),
        Column("Card", _card),
        Column("Failure", lambda one: one.failure_message),
        Column("Stripe payment", lambda one: one.stripe_payment_intent_id),
    ),
)


REFUNDS = Export(
    name="refunds",
    times={"created_at": "made", "succeeded_at": "succeeded", "failed_at": "failed"},
    kinds=("status", "origin"),
    kind=lambda status, origin: f"{RefundStatus(status).label}, {RefundOrigin(origin).label}",
    prepare=lambda refunds: refunds.select_related(None).select_related(
        "account", "transaction", "made_by"
    ),
    columns=(
        Column("Number", lambda one: one.number),
        Column("Credit note", lambda one: one.credit_note_number),
        Column("Account", lambda one: one.account.name),
        Column("Account's id on the platform", lambda one: one.account.external_id),
        Column("Transaction", lambda one: one.transaction.number),
        Column("Purpose", lambda one: str(one.transaction.get_purpose_display())),
        Column("Status", lambda one: str(one.get_status_display())),
        Column("Made (UTC)", lambda one: one.created_at),
        Column("Succeeded (UTC)", lambda one: one.succeeded_at or ""),
        Column("Failed (UTC)", lambda one: one.failed_at or ""),
        Column(
            "Net USD", lambda one: one.net_amount.amount, added_up=F("amount") - F("tax_amount")
        ),
        Column("Tax USD", amount("tax_amount"), added_up=F("tax_amount")),
        Column("Amount USD", amount("amount"), added_up=F("amount")),
        Column("To the card OMR", amount("charged_amount"), added_up=F("charged_amount")),
        Column("Made in", lambda one: str(one.get_origin_display())),
        Column("Made by", lambda one: str(one.made_by or "")),
        Column("Reason", lambda one: one.reason),
        Column("Failure", lambda one: one.failure_message),
        Column("Stripe refund", lambda one: one.stripe_refund_id),
    ),
)
