"""Periods, plan changes and allowances refer to what is of their own account (invariant I14)."""

from django.db import migrations

FORWARD = """
ALTER TABLE plans_subscription
    ADD CONSTRAINT subscriptions_of_an_account UNIQUE (id, account_id);
ALTER TABLE plans_renewal
    ADD CONSTRAINT renewals_of_an_account UNIQUE (id, account_id),
    ADD CONSTRAINT a_renewal_is_paid_by_its_own_transaction
        FOREIGN KEY (transaction_id, account_id) REFERENCES invoices_transaction (id, account_id)
        DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE plans_allowance
    ADD CONSTRAINT an_allowance_is_of_its_own_renewal
        FOREIGN KEY (renewal_id, account_id) REFERENCES plans_renewal (id, account_id)
        DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE plans_planchange
    ADD CONSTRAINT a_plan_change_is_of_its_own_subscription
        FOREIGN KEY (subscription_id, account_id) REFERENCES plans_subscription (id, account_id)
        DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT a_plan_change_is_of_its_own_renewal
        FOREIGN KEY (renewal_id, account_id) REFERENCES plans_renewal (id, account_id)
        DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT a_plan_change_is_paid_by_its_own_transaction
        FOREIGN KEY (transaction_id, account_id) REFERENCES invoices_transaction (id, account_id)
        DEFERRABLE INITIALLY DEFERRED;
"""

REVERSE = """
ALTER TABLE plans_planchange
    DROP CONSTRAINT a_plan_change_is_paid_by_its_own_transaction,
    DROP CONSTRAINT a_plan_change_is_of_its_own_renewal,
    DROP CONSTRAINT a_plan_change_is_of_its_own_subscription;
ALTER TABLE plans_allowance DROP CONSTRAINT an_allowance_is_of_its_own_renewal;
ALTER TABLE plans_renewal
    DROP CONSTRAINT a_renewal_is_paid_by_its_own_transaction,
    DROP CONSTRAINT renewals_of_an_account;
ALTER TABLE plans_subscription DROP CONSTRAINT subscriptions_of_an_account;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("plans", "0005_plan_change_integrity"),
        ("invoices", "0014_of_one_account"),
    ]
    operations = [migrations.RunSQL(FORWARD, REVERSE)]
