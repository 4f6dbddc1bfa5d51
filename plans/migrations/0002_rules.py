"""What must always hold about periods, plans, rentals and usage, beyond what the models say.

The functions are in plans/sql, as they are in force: those that rate usage among them.
"""

from pathlib import Path

from django.db import migrations

_SQL = Path(__file__).resolve().parent.parent / "sql"
FUNCTIONS = [
    (_SQL / name).read_text(encoding="utf-8")
    for name in (
        "periods.sql",
        "versions.sql",
        "plan_changes.sql",
        "rentals.sql",
        "usage.sql",
        "rating_rules.sql",
        "record_usage.sql",
        "record_one_usage.sql",
    )
]

# Periods follow from the anchor, leave no gap, and never change once they are paid (invariant I7).
PERIODS = """
ALTER TABLE plans_subscription ADD CONSTRAINT the_current_period_follows_from_the_anchor CHECK (
    anchor IS NULL OR current_period_number = 0 OR (
        current_period_start = start_of_period(anchor, current_period_number)
        AND current_period_end = start_of_period(anchor, current_period_number + 1)));
ALTER TABLE plans_subscription
    ADD CONSTRAINT subscription_account_anchor UNIQUE (id, account_id, anchor);
ALTER TABLE plans_renewal
    ADD CONSTRAINT periods_follow_from_the_anchor CHECK (
        period_start = start_of_period(anchor, number)
        AND period_end = start_of_period(anchor, number + 1)),
    ADD CONSTRAINT a_renewal_is_of_its_account_and_anchor
        FOREIGN KEY (subscription_id, account_id, anchor)
        REFERENCES plans_subscription (id, account_id, anchor) DEFERRABLE INITIALLY DEFERRED;

CREATE CONSTRAINT TRIGGER periods_leave_no_gap AFTER INSERT ON plans_renewal
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION check_renewal_sequence();
CREATE TRIGGER a_paid_period_never_changes BEFORE UPDATE ON plans_renewal
    FOR EACH ROW EXECUTE FUNCTION check_renewal_change();
CREATE TRIGGER renewals_are_never_deleted BEFORE DELETE ON plans_renewal
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER renewals_keep_their_account BEFORE UPDATE ON plans_renewal FOR EACH ROW
    WHEN (OLD.id <> NEW.id OR OLD.account_id <> NEW.account_id) EXECUTE FUNCTION refuse_change();

-- Room for a new version of an allowance on its page: then no index has to know of it.
ALTER TABLE plans_allowance SET (fillfactor = 50);
"""

# What somebody agreed to move to is as fixed as what somebody is on.
PLANS = """
CREATE TRIGGER a_subscribed_version_never_changes BEFORE UPDATE OR DELETE ON plans_planversion
    FOR EACH ROW EXECUTE FUNCTION check_version_change();
CREATE TRIGGER prices_of_a_subscribed_version_never_change
    BEFORE INSERT OR UPDATE OR DELETE ON plans_featureprice
    FOR EACH ROW EXECUTE FUNCTION check_price_change();
CREATE TRIGGER tiers_of_a_subscribed_version_never_change
    BEFORE INSERT OR UPDATE OR DELETE ON plans_pricetier
    FOR EACH ROW EXECUTE FUNCTION check_tier_change();

CREATE TRIGGER plan_changes_follow_the_rules BEFORE INSERT OR UPDATE ON plans_planchange
    FOR EACH ROW EXECUTE FUNCTION check_plan_change();
CREATE TRIGGER plan_changes_are_never_deleted BEFORE DELETE ON plans_planchange
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER plan_changes_are_never_truncated BEFORE TRUNCATE ON plans_planchange
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER rentals_keep_to_the_maximum
    BEFORE INSERT OR UPDATE OF quantity, started_at, ended_at ON plans_rental
    FOR EACH ROW EXECUTE FUNCTION check_rental_maximum();
"""

# What a record refers to is checked for all records of a statement at once, not by a foreign key for
# each row: none of it can be deleted or moved to another account.
USAGE = """
CREATE TRIGGER usage_is_of_its_own_period AFTER INSERT ON plans_usagerecord
    REFERENCING NEW TABLE AS new_records
    FOR EACH STATEMENT EXECUTE FUNCTION check_usage();
CREATE TRIGGER usage_is_append_only BEFORE UPDATE OR DELETE ON plans_usagerecord
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER usage_is_never_truncated BEFORE TRUNCATE ON plans_usagerecord
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

# Periods, plan changes and allowances refer to what is of their own account (invariant I14).
OF_ONE_ACCOUNT = """
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

# To PostgreSQL, NaN is greater than every number: a check that asks for more than zero accepts it.
# The columns refuse infinity by themselves, for each has its digits.
NUMBERS = """
ALTER TABLE plans_planversion
    ADD CONSTRAINT a_plan_has_a_price_in_numbers CHECK (
        'NaN' NOT IN (monthly_price, minimum_top_up)
    );
ALTER TABLE plans_featureprice
    ADD CONSTRAINT a_price_is_a_number CHECK ('NaN' NOT IN (included_quantity, unit_price));
ALTER TABLE plans_pricetier
    ADD CONSTRAINT a_tier_begins_at_a_number CHECK (above_quantity <> 'NaN');
ALTER TABLE plans_renewal
    ADD CONSTRAINT a_renewal_costs_a_number CHECK (amount <> 'NaN');
ALTER TABLE plans_allowance
    ADD CONSTRAINT an_allowance_is_in_numbers CHECK (
        'NaN' NOT IN (included, used, billed_quantity)
    );
ALTER TABLE plans_usagerecord
    ADD CONSTRAINT usage_is_a_number CHECK ('NaN' NOT IN (
        quantity, included_quantity, billed_quantity, unit_price, amount,
        included_before, billed_before, balance_before, balance_after
    ));
ALTER TABLE plans_dailyspend
    ADD CONSTRAINT spend_of_a_day_is_in_numbers CHECK ('NaN' NOT IN (amount, quantity));
"""


class Migration(migrations.Migration):
    replaces = [
        ("plans", name)
        for name in (
            "0002_integrity",
            "0005_plan_change_integrity",
            "0006_of_one_account",
            "0013_record_one_usage",
            "0015_refills_asked_at_once",
            "0016_record_one_usage_alone",
            "0017_spend_cap",
            "0023_amounts_are_numbers",
            "0025_usage_checked_as_it_comes",
            "0026_accounts_named_in_several_ways",
        )
    ]
    dependencies = [("plans", "0001_models"), ("wallet", "0002_rules")]
    operations = [
        migrations.RunSQL(FUNCTIONS),
        migrations.RunSQL([PERIODS, PLANS, USAGE, OF_ONE_ACCOUNT, NUMBERS]),
    ]
