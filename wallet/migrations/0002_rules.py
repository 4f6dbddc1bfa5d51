"""What must always hold about the ledger, consents and approvals, beyond what the models say.

The functions are in wallet/sql, as they are in force.
"""

from pathlib import Path

from django.db import migrations

_SQL = Path(__file__).resolve().parent.parent / "sql"
FUNCTIONS = [
    (_SQL / name).read_text(encoding="utf-8")
    for name in ("ledger.sql", "ledger_by_time.sql", "approvals.sql")
]

# Entries are inserted; the balance follows (invariants I1 and I2). One trigger for each inserted
# batch checks that the new entries continue the wallet's sequence and chain its balance, and that
# what they name is of their account; then it moves the wallet: nothing else can. It runs once for a
# statement, not for a row, so that a batch of usage stays quick.
LEDGER = """
CREATE TRIGGER entries_move_the_balance AFTER INSERT ON wallet_entry
    REFERENCING NEW TABLE AS new_entries
    FOR EACH STATEMENT EXECUTE FUNCTION apply_entries();
CREATE TRIGGER no_more_credit_is_taken_back_than_was_bought AFTER INSERT ON wallet_entry
    FOR EACH ROW
    WHEN (NEW.transaction_id IS NOT NULL
          AND NEW.kind IN ('refund', 'dispute', 'dispute_reversal'))
    EXECUTE FUNCTION check_reversal();
-- How spend is counted without a write of usage's own: the balance had nothing been used since the
-- period began is moved by all that is not usage; how far the balance is below it was spent.
CREATE TRIGGER what_is_not_usage_is_not_spent AFTER INSERT ON wallet_entry
    FOR EACH ROW WHEN (NEW.kind <> 'usage') EXECUTE FUNCTION move_unspent_balance();
CREATE TRIGGER entries_are_append_only BEFORE UPDATE OR DELETE ON wallet_entry
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER entries_are_never_truncated BEFORE TRUNCATE ON wallet_entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER a_wallet_begins_empty BEFORE INSERT ON wallet_wallet
    FOR EACH ROW WHEN (NEW.balance <> 0 OR NEW.last_sequence <> 0)
    EXECUTE FUNCTION refuse_balance_change();
CREATE TRIGGER only_entries_move_the_balance BEFORE UPDATE ON wallet_wallet
    FOR EACH ROW
    WHEN (pg_trigger_depth() = 0 AND
          (OLD.balance, OLD.last_sequence) IS DISTINCT FROM (NEW.balance, NEW.last_sequence))
    EXECUTE FUNCTION refuse_balance_change();

-- Room for a new version of a wallet on its page: then no index has to know of it.
ALTER TABLE wallet_wallet SET (fillfactor = 50);
"""

# What an entry names is never deleted and keeps its account, so that a reference that held once
# holds for good (invariant I14): entries have no foreign keys, which are checked for each row.
WHAT_ENTRIES_NAME = """
CREATE TRIGGER wallets_are_never_deleted BEFORE DELETE ON wallet_wallet
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER wallets_are_never_truncated BEFORE TRUNCATE ON wallet_wallet
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER wallets_keep_their_account BEFORE UPDATE ON wallet_wallet FOR EACH ROW
    WHEN (OLD.id <> NEW.id OR OLD.account_id <> NEW.account_id) EXECUTE FUNCTION refuse_change();

CREATE TRIGGER adjustments_are_never_deleted BEFORE DELETE ON wallet_adjustment
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER adjustments_are_never_truncated BEFORE TRUNCATE ON wallet_adjustment
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER adjustments_keep_their_wallet BEFORE UPDATE ON wallet_adjustment FOR EACH ROW
    WHEN (OLD.id <> NEW.id OR OLD.wallet_id <> NEW.wallet_id) EXECUTE FUNCTION refuse_change();

CREATE TRIGGER transactions_keep_their_account BEFORE UPDATE ON invoices_transaction FOR EACH ROW
    WHEN (OLD.id <> NEW.id OR OLD.account_id <> NEW.account_id) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER refunds_keep_their_account BEFORE UPDATE ON invoices_refund FOR EACH ROW
    WHEN (OLD.id <> NEW.id OR OLD.account_id <> NEW.account_id) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER disputes_keep_their_account BEFORE UPDATE ON invoices_dispute FOR EACH ROW
    WHEN (OLD.id <> NEW.id OR OLD.account_id <> NEW.account_id) EXECUTE FUNCTION refuse_change();
"""

CONSENTS = """
CREATE TRIGGER consents_are_append_only BEFORE UPDATE OR DELETE ON wallet_autorefillconsent
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER consents_are_never_truncated BEFORE TRUNCATE ON wallet_autorefillconsent
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

# What was asked for never changes and is used at most once (the unique links) for exactly that; and
# what is beyond its author's limit or names who approved it has its approval (invariant I15).
APPROVALS = """
ALTER TABLE wallet_adjustment ADD CONSTRAINT adjustments_of_a_wallet UNIQUE (id, wallet_id);
ALTER TABLE wallet_adjustment ADD CONSTRAINT a_reversal_is_of_its_own_wallet
    FOREIGN KEY (reverses_id, wallet_id) REFERENCES wallet_adjustment (id, wallet_id)
    DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE wallet_approvalrequest ADD CONSTRAINT a_request_is_of_its_own_transaction
    FOREIGN KEY (transaction_id, account_id) REFERENCES invoices_transaction (id, account_id)
    DEFERRABLE INITIALLY DEFERRED;

CREATE TRIGGER adjustments_beyond_a_limit_are_approved BEFORE INSERT ON wallet_adjustment
    FOR EACH ROW EXECUTE FUNCTION check_adjustment();
CREATE TRIGGER adjustments_are_never_changed BEFORE UPDATE ON wallet_adjustment
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER approvals_go_forward BEFORE INSERT OR UPDATE ON wallet_approvalrequest
    FOR EACH ROW EXECUTE FUNCTION check_approval_request();
CREATE TRIGGER approvals_are_never_deleted BEFORE DELETE ON wallet_approvalrequest
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER approvals_are_never_truncated BEFORE TRUNCATE ON wallet_approvalrequest
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- At the end of the transaction: the effect is written before its request refers to it.
CREATE CONSTRAINT TRIGGER an_approved_adjustment_was_asked_for AFTER INSERT ON wallet_adjustment
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.approved_by_id IS NOT NULL)
    EXECUTE FUNCTION check_has_approval();
CREATE CONSTRAINT TRIGGER an_approved_refund_was_asked_for AFTER INSERT ON invoices_refund
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.approved_by_id IS NOT NULL)
    EXECUTE FUNCTION check_has_approval();
"""

# To PostgreSQL, NaN is greater than every number: a check that asks for more than zero accepts it.
# The columns refuse infinity by themselves, for each has its digits.
NUMBERS = """
ALTER TABLE wallet_wallet
    ADD CONSTRAINT a_balance_is_a_number CHECK ('NaN' NOT IN (balance, unspent_balance));
ALTER TABLE wallet_entry
    ADD CONSTRAINT an_entry_is_a_number CHECK (amount <> 'NaN' AND balance_after <> 'NaN');
ALTER TABLE wallet_adjustment
    ADD CONSTRAINT an_adjustment_is_a_number CHECK ('NaN' NOT IN (amount, author_limit));
ALTER TABLE wallet_approvalrequest
    ADD CONSTRAINT what_is_asked_is_a_number
        CHECK (amount <> 'NaN' AND limit_at_request <> 'NaN');
ALTER TABLE wallet_autorefillconsent
    ADD CONSTRAINT a_consent_is_to_numbers CHECK (
        'NaN' NOT IN (threshold, amount, monthly_maximum)
    );
"""


class Migration(migrations.Migration):
    replaces = [
        ("wallet", name)
        for name in (
            "0002_integrity",
            "0005_credit_follows_payment",
            "0008_of_one_account",
            "0010_entries_by_time",
            "0016_entries_before",
            "0019_approvals_are_kept",
            "0022_keys_that_nothing_refers_to",
            "0023_amounts_are_numbers",
        )
    ]
    dependencies = [("wallet", "0001_models"), ("invoices", "0002_rules")]
    operations = [
        migrations.RunSQL(FUNCTIONS),
        migrations.RunSQL([LEDGER, WHAT_ENTRIES_NAME, CONSENTS, APPROVALS, NUMBERS]),
    ]
