"""The credit taken back for a payment is never more than it bought (invariant I10)."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION check_reversal() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    bought numeric;
    moved numeric;
BEGIN
    SELECT coalesce(sum(amount) FILTER (WHERE kind IN ('top_up', 'auto_refill')), 0),
           coalesce(sum(amount) FILTER (WHERE kind NOT IN ('top_up', 'auto_refill')), 0)
    INTO bought, moved FROM wallet_entry WHERE transaction_id = NEW.transaction_id;
    IF moved > 0 OR -moved > bought THEN
        RAISE EXCEPTION 'transaction % bought % of credit, % of it would be taken back',
            NEW.transaction_id, bought, -moved USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER no_more_credit_is_taken_back_than_was_bought AFTER INSERT ON wallet_entry
    FOR EACH ROW
    WHEN (NEW.transaction_id IS NOT NULL
          AND NEW.kind IN ('refund', 'dispute', 'dispute_reversal'))
    EXECUTE FUNCTION check_reversal();
"""

REVERSE = """
DROP TRIGGER no_more_credit_is_taken_back_than_was_bought ON wallet_entry;
DROP FUNCTION check_reversal;
"""


class Migration(migrations.Migration):
    dependencies = [("wallet", "0004_refunds")]
    operations = [migrations.RunSQL(FORWARD, REVERSE)]
