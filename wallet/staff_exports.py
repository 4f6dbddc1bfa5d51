"""Entries of the ledger as a file for staff, whoever's they are. Amounts are USD, exact."""

from django.db.models import F

from accounts.staff_exports import Column, Export
from wallet.models import EntryKind

ENTRIES = Export(
    name="entries",
    times={"created_at": "posted"},
    kinds=("kind",),
    kind=lambda kind: str(EntryKind(kind).label),
    prepare=lambda entries: entries.select_related(None).select_related("account", "transaction"),
    columns=(
        Column("Account", lambda one: one.account.name),
        Column("Account's id on the platform", lambda one: one.account.external_id),
        Column("Entry", lambda one: one.sequence),
        Column("Posted (UTC)", lambda one: one.created_at),
        Column("Kind", lambda one: str(one.get_kind_display())),
        Column("Description", lambda one: one.description),
        Column("Amount USD", lambda one: one.amount, added_up=F("amount")),
        Column("Balance after USD", lambda one: one.balance_after),
        Column("Transaction", lambda one: one.transaction.number if one.transaction else ""),
        Column("Usage record", lambda one: one.usage_id),
    ),
)
