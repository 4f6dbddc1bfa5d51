"""Nothing of one account refers to another's (invariant I14): keys that carry the account.

A transaction is charged to a card of its own account, takes the place of one of its own, and what
goes back of it goes to the same account. A key with a null part is not checked: MATCH SIMPLE.
"""

from django.db import migrations

FORWARD = """
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
    ADD CONSTRAINT refunds_of_an_account UNIQUE (id, account_id),
    ADD CONSTRAINT a_refund_is_of_its_own_transaction
        FOREIGN KEY (transaction_id, account_id) REFERENCES invoices_transaction (id, account_id)
        DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE invoices_dispute
    ADD CONSTRAINT disputes_of_an_account UNIQUE (id, account_id),
    ADD CONSTRAINT a_dispute_is_of_its_own_transaction
        FOREIGN KEY (transaction_id, account_id) REFERENCES invoices_transaction (id, account_id)
        DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE invoices_reconciliationfinding
    ADD CONSTRAINT a_finding_is_of_its_own_transaction
        FOREIGN KEY (transaction_id, account_id) REFERENCES invoices_transaction (id, account_id)
        DEFERRABLE INITIALLY DEFERRED;
"""

REVERSE = """
ALTER TABLE invoices_reconciliationfinding DROP CONSTRAINT a_finding_is_of_its_own_transaction;
ALTER TABLE invoices_dispute DROP CONSTRAINT a_dispute_is_of_its_own_transaction,
    DROP CONSTRAINT disputes_of_an_account;
ALTER TABLE invoices_refund DROP CONSTRAINT a_refund_is_of_its_own_transaction,
    DROP CONSTRAINT refunds_of_an_account;
ALTER TABLE invoices_transaction DROP CONSTRAINT a_transaction_supersedes_its_own;
ALTER TABLE invoices_transaction DROP CONSTRAINT a_transaction_charges_its_own_card,
    DROP CONSTRAINT transactions_of_an_account;
ALTER TABLE accounts_card DROP CONSTRAINT cards_of_an_account;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("invoices", "0013_payment_question"),
        ("accounts", "0005_message_without_an_account"),
    ]
    operations = [migrations.RunSQL(FORWARD, REVERSE)]
