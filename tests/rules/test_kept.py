"""What was recorded stays: nobody deletes it, empties its table, or gives it to another account.

The triggers that see to it are tried on a copy of their table: on the table itself others refuse
first, of the same table or of one that refers to it.
"""

from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.db import transaction as database

from tests.rules import rows

pytestmark = pytest.mark.django_db

ALICE, BOB = (f"00000000-0000-0000-0000-00000000000{number}" for number in (1, 2))
MOVE = f"UPDATE copy SET account_id = '{BOB}'"
RENUMBER = "UPDATE copy SET id = id + 1"
DELETE, EMPTY = "DELETE FROM copy", "TRUNCATE copy"
OF_ALICE = {"account_id": ALICE}
TAKEN = {"taken_at": "2026-11-23 09:30Z", "returned_at": "2026-11-24 09:30Z"}

#: Each trigger with a row of its table, and what it refuses to do to it.
KEPT: dict[str, tuple[dict[str, Any], list[str]]] = {
    "accounts_auditevent.audit_events_are_never_truncated": (OF_ALICE, [EMPTY]),
    "invoices_dispute.disputes_are_never_deleted": (OF_ALICE, [DELETE]),
    "invoices_dispute.disputes_are_never_truncated": (OF_ALICE, [EMPTY]),
    "invoices_dispute.disputes_keep_their_account": (OF_ALICE, [MOVE, RENUMBER]),
    "invoices_dispute.disputes_keep_when_money_moved": (
        TAKEN,
        ["UPDATE copy SET taken_at = NULL", "UPDATE copy SET returned_at = now()"],
    ),
    "invoices_refund.refunds_are_never_deleted": (OF_ALICE, [DELETE]),
    "invoices_refund.refunds_are_never_truncated": (OF_ALICE, [EMPTY]),
    "invoices_refund.refunds_keep_their_account": (OF_ALICE, [MOVE, RENUMBER]),
    "invoices_transaction.transactions_are_never_deleted": (OF_ALICE, [DELETE]),
    "invoices_transaction.transactions_are_never_truncated": (OF_ALICE, [EMPTY]),
    "invoices_transaction.transactions_keep_their_account": (OF_ALICE, [MOVE, RENUMBER]),
    "plans_planchange.plan_changes_are_never_deleted": (OF_ALICE, [DELETE]),
    "plans_planchange.plan_changes_are_never_truncated": (OF_ALICE, [EMPTY]),
    "plans_renewal.renewals_are_never_deleted": (OF_ALICE, [DELETE]),
    "plans_renewal.renewals_keep_their_account": (OF_ALICE, [MOVE, RENUMBER]),
    "plans_usagerecord.usage_is_append_only": (OF_ALICE, [DELETE, MOVE]),
    "plans_usagerecord.usage_is_never_truncated": (OF_ALICE, [EMPTY]),
    "wallet_adjustment.adjustments_are_never_changed": ({"reason": "Outage"}, [RENUMBER]),
    "wallet_adjustment.adjustments_are_never_deleted": ({"wallet_id": 1}, [DELETE]),
    "wallet_adjustment.adjustments_are_never_truncated": ({"wallet_id": 1}, [EMPTY]),
    "wallet_adjustment.adjustments_keep_their_wallet": (
        {"wallet_id": 1},
        ["UPDATE copy SET wallet_id = 2", RENUMBER],
    ),
    "wallet_approvalrequest.approvals_are_never_deleted": (OF_ALICE, [DELETE]),
    "wallet_approvalrequest.approvals_are_never_truncated": (OF_ALICE, [EMPTY]),
    "wallet_autorefillconsent.consents_are_append_only": (OF_ALICE, [DELETE, MOVE]),
    "wallet_autorefillconsent.consents_are_never_truncated": (OF_ALICE, [EMPTY]),
    "wallet_wallet.wallets_are_never_deleted": (OF_ALICE, [DELETE]),
    "wallet_wallet.wallets_are_never_truncated": (OF_ALICE, [EMPTY]),
    "wallet_wallet.wallets_keep_their_account": (OF_ALICE, [MOVE, RENUMBER]),
}


@pytest.mark.parametrize(
    ("trigger", "row", "tries"),
    [(trigger, row, tries) for trigger, (row, tries) in KEPT.items()],
    ids=list(KEPT),
)
def test_what_was_recorded_stays(trigger: str, row: dict[str, Any], tries: list[str]) -> None:
    table, name = trigger.split(".")
    rows.copy(table)
    rows.copy_trigger(table, name)
    rows.insert(row)
    for statement in tries:
        with pytest.raises(IntegrityError), database.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
