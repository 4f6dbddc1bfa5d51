"""What must always hold about transactions, refunds and disputes, beyond what the models say.

The functions are in invoices/sql, as they are in force.
"""

from pathlib import Path

from django.db import migrations

_SQL = Path(__file__).resolve().parent.parent / "sql"
FUNCTIONS = [
    (_SQL / name).read_text(encoding="utf-8")
    for name in ("transactions.sql", "refunds.sql", "disputes.sql")
]

# Legal transitions, the finality of a paid transaction (invariants I11 and I16), and its tax, which
# is fixed when it is opened and follows from its rate. PostgreSQL's round() rounds a half away from
# zero, as accounts/money.py does.
TRANSACTIONS = """
ALTER TABLE invoices_transaction ADD CONSTRAINT tax_follows_from_the_rate
    CHECK (tax_amount = round((amount - tax_amount) * tax_rate / 100, 2));

CREATE TRIGGER transaction_transitions BEFORE INSERT OR UPDATE ON invoices_transaction
    FOR EACH ROW EXECUTE FUNCTION check_transaction();
CREATE TRIGGER tax_of_a_transaction_is_fixed BEFORE UPDATE ON invoices_transaction
    FOR EACH ROW WHEN (
        (NEW.tax_rate, NEW.tax_amount, NEW.tax_amount_currency)
        IS DISTINCT FROM (OLD.tax_rate, OLD.tax_amount, OLD.tax_amount_currency)
    ) EXECUTE FUNCTION refuse_change_of_tax();
CREATE TRIGGER transactions_are_never_deleted BEFORE DELETE ON invoices_transaction
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER transactions_are_never_truncated BEFORE TRUNCATE ON invoices_transaction
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER lines_of_a_paid_transaction_never_change
    BEFORE INSERT OR UPDATE OR DELETE ON invoices_line
    FOR EACH ROW EXECUTE FUNCTION check_lines_of_unpaid();
CREATE CONSTRAINT TRIGGER lines_sum_to_the_amount
    AFTER INSERT OR UPDATE OF status ON invoices_transaction
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION check_lines_sum();
"""

# Pending and succeeded refunds never exceed their payment, in dollars, tax or rials (invariant I10);
# `refunded_amount` of the transaction is what succeeded, kept by the trigger alone. Beyond what its
# maker refunds alone, a refund carries who approved it (invariant I15).
REFUNDS = """
-- We ask for multiples of ten baisa; what Stripe's dashboard did is recorded as it is.
ALTER TABLE invoices_refund ADD CONSTRAINT a_refund_is_paid_in_steps_of_ten_baisa
    CHECK (origin <> 'portal' OR mod(charged_amount, 0.010) = 0);

CREATE TRIGGER refund_transitions BEFORE INSERT OR UPDATE ON invoices_refund
    FOR EACH ROW EXECUTE FUNCTION check_refund();
-- By name it follows refund_transitions, which locks the payment.
CREATE TRIGGER refunds_of_what_is_disputed_are_refused BEFORE INSERT ON invoices_refund
    FOR EACH ROW WHEN (NEW.origin = 'portal') EXECUTE FUNCTION refuse_refund_of_disputed();
CREATE TRIGGER refunds_add_up AFTER INSERT OR UPDATE ON invoices_refund
    FOR EACH ROW EXECUTE FUNCTION add_up_refunds();
CREATE CONSTRAINT TRIGGER a_refund_that_succeeded_has_a_credit_note
    AFTER INSERT OR UPDATE OF status ON invoices_refund
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION check_credit_note();

CREATE TRIGGER refunds_beyond_a_limit_are_approved BEFORE INSERT ON invoices_refund
    FOR EACH ROW EXECUTE FUNCTION check_refund_limit();
CREATE TRIGGER who_approved_a_refund_is_fixed BEFORE UPDATE ON invoices_refund
    FOR EACH ROW WHEN ((OLD.made_by_id, OLD.approved_by_id, OLD.limit_of_maker)
                       IS DISTINCT FROM (NEW.made_by_id, NEW.approved_by_id, NEW.limit_of_maker))
    EXECUTE FUNCTION check_refund_limit();

CREATE TRIGGER only_refunds_move_the_refunded_amount BEFORE UPDATE ON invoices_transaction
    FOR EACH ROW
    WHEN (pg_trigger_depth() = 0 AND OLD.refunded_amount IS DISTINCT FROM NEW.refunded_amount)
    EXECUTE FUNCTION refuse_refunded_amount();
CREATE TRIGGER nothing_is_refunded_when_opened BEFORE INSERT ON invoices_transaction
    FOR EACH ROW WHEN (NEW.refunded_amount <> 0) EXECUTE FUNCTION refuse_refunded_amount();

CREATE TRIGGER refunds_are_never_deleted BEFORE DELETE ON invoices_refund
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER refunds_are_never_truncated BEFORE TRUNCATE ON invoices_refund
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

DISPUTES = """
CREATE TRIGGER dispute_transitions BEFORE INSERT OR UPDATE ON invoices_dispute
    FOR EACH ROW EXECUTE FUNCTION check_dispute();
CREATE TRIGGER disputes_keep_when_money_moved BEFORE UPDATE ON invoices_dispute FOR EACH ROW
    WHEN (OLD.taken_at IS NOT NULL AND NEW.taken_at IS DISTINCT FROM OLD.taken_at
          OR OLD.returned_at IS NOT NULL AND NEW.returned_at IS DISTINCT FROM OLD.returned_at)
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER disputes_are_never_deleted BEFORE DELETE ON invoices_dispute
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER disputes_are_never_truncated BEFORE TRUNCATE ON invoices_dispute
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

# Nothing of one account refers to another's (invariant I14): keys that carry the account. A
# transaction is charged to a card of its own account, takes the place of one of its own, and what
# goes back of it goes to the same account. A key with a null part is not checked: MATCH SIMPLE.
OF_ONE_ACCOUNT = """
ALTER TABLE accounts_card ADD CONSTRAINT cards_of_an_account UNIQUE (id, account_id);
ALTER TABLE invoices_transaction
    ADD CONSTRAINT transactions_of_an_account UNIQUE (id, account_id),
    ADD CONSTRAINT a_transaction_charges_its_own_card
        FOREIGN KEY (card_id, account_id) REFERENCES accounts_card (id, account_id)
        DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE invoices_transaction
    ADD CONSTRAINT a_transaction_supersedes_its_own
        FOREIGN KEY (supersedes_id, account_id) REFERENCES invoices_transaction (id, account_id)
        DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE invoices_refund
    ADD CONSTRAINT a_refund_is_of_its_own_transaction
        FOREIGN KEY (transaction_id, account_id) REFERENCES invoices_transaction (id, account_id)
        DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE invoices_dispute
    ADD CONSTRAINT a_dispute_is_of_its_own_transaction
        FOREIGN KEY (transaction_id, account_id) REFERENCES invoices_transaction (id, account_id)
        DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE invoices_reconciliationfinding
    ADD CONSTRAINT a_finding_is_of_its_own_transaction
        FOREIGN KEY (transaction_id, account_id) REFERENCES invoices_transaction (id, account_id)
        DEFERRABLE INITIALLY DEFERRED;
"""

# To PostgreSQL, NaN is greater than every number: a check that asks for more than zero accepts it.
# The columns refuse infinity by themselves, for each has its digits.
NUMBERS = """
ALTER TABLE invoices_transaction
    ADD CONSTRAINT a_transaction_is_in_numbers CHECK (
        'NaN' NOT IN (amount, tax_rate, tax_amount, charged_amount, exchange_rate, refunded_amount)
    );
ALTER TABLE invoices_line
    ADD CONSTRAINT a_line_is_in_numbers CHECK ('NaN' NOT IN (quantity, unit_price, amount));
ALTER TABLE invoices_refund
    ADD CONSTRAINT a_refund_is_in_numbers CHECK (
        'NaN' NOT IN (amount, tax_amount, charged_amount, limit_of_maker)
    );
ALTER TABLE invoices_dispute
    ADD CONSTRAINT a_dispute_is_in_numbers CHECK (
        'NaN' NOT IN (amount, tax_amount, charged_amount)
    );
"""

RECONCILIATION = """
CREATE UNIQUE INDEX one_unfinished_reconciliation
    ON invoices_reconciliationrun ((true)) WHERE finished_at IS NULL;
"""


class Migration(migrations.Migration):
    replaces = [
        ("invoices", name)
        for name in (
            "0002_integrity",
            "0004_lines_stay_with_what_is_paid",
            "0006_tax_is_fixed",
            "0008_refunds_add_up",
            "0014_of_one_account",
        )
    ]
    dependencies = [("invoices", "0001_models"), ("accounts", "0002_rules")]
    operations = [
        migrations.RunSQL(FUNCTIONS),
        migrations.RunSQL([TRANSACTIONS, REFUNDS, DISPUTES]),
        migrations.RunSQL([OF_ONE_ACCOUNT, NUMBERS, RECONCILIATION]),
    ]
