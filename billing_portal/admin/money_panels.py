"""The panels of an account's story about money: what was paid, what went back, the ledger."""

from accounts.models import Account
from billing_portal.admin.cells import (
    NOTHING,
    figure,
    ledger_usd,
    link,
    omr,
    status_badge,
    usd,
    when,
)
from billing_portal.admin.story import NEWEST, Panel, all_of
from invoices.models import Dispute, Refund, Transaction
from wallet.models import Entry


def transactions(account: Account) -> Panel:
    """The newest transactions."""
    newest = Transaction.objects.filter(account=account)[:NEWEST]
    return Panel(
        title="Transactions",
        headers=["Number", "For", "Status", "Amount", "Charged", "Card", "Created (UTC)", "Why"],
        rows=[
            [
                link(transaction),
                transaction.get_purpose_display(),
                status_badge(transaction.status, transaction.get_status_display()),
                usd(transaction.amount.amount),
                figure(f"{transaction.charged_amount.amount:,.3f} OMR"),
                f"{transaction.card_brand} {transaction.card_last4}".strip() or NOTHING,
                when(transaction.created_at),
                transaction.failure_message or NOTHING,
            ]
            for transaction in newest
        ],
        more_url=all_of(account, Transaction),
        more_text="All transactions",
    )


def refunds(account: Account) -> Panel:
    """The newest refunds."""
    newest = Refund.objects.filter(account=account).select_related("transaction", "made_by")
    return Panel(
        title="Refunds",
        headers=["Number", "Of", "Status", "Amount", "To the card", "By", "Made (UTC)", "Why"],
        rows=[
            [
                link(refund),
                link(refund.transaction),
                status_badge(refund.status, refund.get_status_display()),
                usd(refund.amount.amount),
                omr(refund.charged_amount.amount),
                str(refund.made_by) if refund.made_by else refund.get_origin_display(),
                when(refund.created_at),
                refund.failure_message or refund.reason,
            ]
            for refund in newest[:NEWEST]
        ],
        more_url=all_of(account, Refund),
        more_text="All refunds",
    )


def disputes(account: Account) -> Panel:
    """The newest disputes."""
    newest = Dispute.objects.filter(account=account).select_related("transaction")[:NEWEST]
    return Panel(
        title="Disputes",
        headers=[
            "Dispute",
            "Of",
            "Status",
            "Amount",
            "Reason",
            "Evidence due (UTC)",
            "Opened (UTC)",
        ],
        rows=[
            [
                link(dispute),
                link(dispute.transaction),
                status_badge(dispute.status, dispute.get_status_display()),
                usd(dispute.amount.amount),
                dispute.reason_in_words,
                when(None if dispute.closed_at else dispute.evidence_due_at),
                when(dispute.opened_at),
            ]
            for dispute in newest
        ],
        more_url=all_of(account, Dispute),
        more_text="All disputes",
    )


def entries(account: Account) -> Panel:
    """The newest entries of the ledger."""
    newest = Entry.objects.filter(account=account)[:NEWEST]
    return Panel(
        title="Ledger entries",
        headers=["#", "Kind", "Amount", "Balance after", "What", "At (UTC)"],
        rows=[
            [
                link(entry, str(entry.sequence)),
                entry.get_kind_display(),
                ledger_usd(entry.amount),
                ledger_usd(entry.balance_after),
                entry.description,
                when(entry.created_at),
            ]
            for entry in newest
        ],
        more_url=all_of(account, Entry),
        more_text="All entries",
    )
