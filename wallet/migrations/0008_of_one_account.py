"""An entry names a payment, a refund, a dispute and an adjustment of its own account (I14).

That its wallet is its account's is checked by the trigger that moves the balance, for a whole batch
at once: a key of its own would be checked for each row of usage.
"""

from django.db import migrations

FORWARD = """
ALTER TABLE wallet_adjustment ADD CONSTRAINT adjustments_of_a_wallet UNIQUE (id, wallet_id);
ALTER TABLE wallet_entry
    ADD CONSTRAINT an_entry_names_its_own_transaction
        FOREIGN KEY (transaction_id, account_id) REFERENCES invoices_transaction (id, account_id)
        DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT an_entry_names_its_own_refund
        FOREIGN KEY (refund_id, account_id) REFERENCES invoices_refund (id, account_id)
        DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT an_entry_names_its_own_dispute
        FOREIGN KEY (dispute_id, account_id) REFERENCES invoices_dispute (id, account_id)
        DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT an_entry_names_its_own_adjustment
        FOREIGN KEY (adjustment_id, wallet_id) REFERENCES wallet_adjustment (id, wallet_id)
        DEFERRABLE INITIALLY DEFERRED;
"""

REVERSE = """
ALTER TABLE wallet_entry
    DROP CONSTRAINT an_entry_names_its_own_adjustment,
    DROP CONSTRAINT an_entry_names_its_own_dispute,
    DROP CONSTRAINT an_entry_names_its_own_refund,
    DROP CONSTRAINT an_entry_names_its_own_transaction;
ALTER TABLE wallet_adjustment DROP CONSTRAINT adjustments_of_a_wallet;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("wallet", "0007_auto_refill_consent"),
        ("invoices", "0014_of_one_account"),
    ]
    operations = [migrations.RunSQL(FORWARD, REVERSE)]
