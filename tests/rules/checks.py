"""For each check of the database a row that it accepts, and what changed in it makes it refused."""

from dataclasses import dataclass
from typing import Any

NOW, LATER, EARLIER = "2026-11-23 09:30Z", "2026-12-23 09:30Z", "2026-10-23 09:30Z"


@dataclass(frozen=True)
class Check:
    """`changes` to the `accepted` row of `table`: each of them `rule` refuses."""

    table: str
    rule: str
    accepted: dict[str, Any]
    changes: list[dict[str, Any]]


PAID = {
    "status": "paid",
    "paid_at": NOW,
    "stripe_payment_intent_id": "pi_1",
    "receipt_number": "BT-1",
}
OPEN = {"status": "processing", "receipt_number": ""}
ACTIVE = {
    "status": "active",
    "anchor": NOW,
    "current_period_number": 1,
    "current_period_start": NOW,
    "current_period_end": LATER,
}
DISPUTE = {"kind": "dispute", "dispute_id": 1, "transaction_id": 1, "amount": "-5"}
REQUESTED = {"state": "requested", "kind": "adjustment", "amount": "25", "requested_by_id": 1}
DECLINED = {
    **REQUESTED,
    "state": "declined",
    "decided_at": NOW,
    "decided_by_id": 2,
    "decision_reason": "No",
}
EXECUTED = {**DECLINED, "state": "executed", "adjustment_id": 1}
USED = {"quantity": "3", "included_quantity": "2", "billed_quantity": "1", "included_before": "2"}
NAN = "NaN"


def numbers(table: str, rule: str, *columns: str) -> Check:
    """A check that each of these columns is a number: to PostgreSQL, NaN is greater than all."""
    return Check(table, rule, dict.fromkeys(columns, "1"), [{column: NAN} for column in columns])


ACCOUNTS = [
    Check("accounts_account", "a_country_is_an_iso_code", {"country": "OM"},
          [{"country": "O1"}, {"country": "om"}]),
    Check("accounts_account", "receipts_have_so_many_copies", {"receipt_copies": ["a@b.test"] * 5},
          [{"receipt_copies": ["a@b.test"] * 6}]),
    Check("accounts_card", "a_verified_card_has_its_hold_voided",
          {"status": "verified", "hold_voided_at": NOW}, [{"hold_voided_at": None}]),
    Check("accounts_card", "the_default_card_is_verified",
          {"status": "verified", "hold_voided_at": NOW, "is_default": True},
          [{"status": "verifying"}, {"status": "removed"}]),
    Check("accounts_cardattempt", "an_attempt_is_a_try", {"tries": 1}, [{"tries": 0}]),
    Check("accounts_invitation", "an_invitation_ends_once", {"accepted_at": NOW},
          [{"revoked_at": NOW}]),
    Check("accounts_invitation", "an_invitation_has_a_known_role", {"role": "viewer"},
          [{"role": "staff"}, {"role": ""}]),
    Check("accounts_invitation", "an_invitation_lasts_a_while",
          {"sent_at": NOW, "expires_at": LATER}, [{"expires_at": NOW}, {"expires_at": EARLIER}]),
    Check("accounts_message", "a_message_is_about_an_account_or_to_somebody",
          {"channel": "email", "recipient": "a@b.test"},
          [{"recipient": ""}, {"channel": "platform"}]),
    Check("billing_portal_auditreport", "an_audit_looks_back", {"since": EARLIER, "began_at": NOW},
          [{"since": NOW}, {"since": LATER}]),
    numbers("billing_portal_businessday", "a_business_day_is_in_numbers",
            "monthly_recurring_revenue", "credit_sold", "credit_used", "liability", "receivable",
            "collected", "failed"),
]  # fmt: skip

INVOICES = [
    numbers("invoices_dispute", "a_dispute_is_in_numbers",
            "amount", "tax_amount", "charged_amount"),
    numbers("invoices_line", "a_line_is_in_numbers", "quantity", "unit_price", "amount"),
    numbers("invoices_refund", "a_refund_is_in_numbers",
            "amount", "tax_amount", "charged_amount", "limit_of_maker"),
    numbers("invoices_transaction", "a_transaction_is_in_numbers",
            "amount", "tax_rate", "tax_amount", "charged_amount", "exchange_rate",
            "refunded_amount"),
    Check("invoices_dispute", "a_dispute_holds_an_amount", {"amount": "5", "tax_amount": "5"},
          [{"amount": "-5", "tax_amount": "-6"}, {"tax_amount": "-1"}, {"tax_amount": "5.01"}]),
    Check("invoices_dispute", "a_dispute_returns_what_it_took",
          {"taken_at": NOW, "returned_at": LATER}, [{"taken_at": None}]),
    Check("invoices_reconciliationfinding", "a_finding_is_dealt_with_for_a_reason",
          {"dealt_with_at": NOW, "note": "Refunded by hand"}, [{"note": ""}]),
    Check("invoices_reconciliationrun", "a_run_is_done_when_it_is_finished",
          {"finished_at": NOW, "phase": "done"}, [{"finished_at": None}, {"phase": "payments"}]),
    Check("invoices_refund", "a_credit_note_is_of_a_refund_that_succeeded",
          {"credit_note_number": "CN-1", "succeeded_at": NOW}, [{"succeeded_at": None}]),
    Check("invoices_refund", "a_failed_refund_says_when", {"status": "failed", "failed_at": NOW},
          [{"failed_at": None}]),
    Check("invoices_refund", "a_succeeded_refund_is_known_to_stripe",
          {"status": "succeeded", "succeeded_at": NOW, "stripe_refund_id": "re_1"},
          [{"succeeded_at": None}, {"stripe_refund_id": ""}]),
    Check("invoices_refund", "refunded_tax_is_a_part_of_the_refund",
          {"amount": "5", "tax_amount": "5"}, [{"tax_amount": "-0.01"}, {"tax_amount": "5.01"}]),
    Check("invoices_refund", "who_approves_a_refund_did_not_make_it",
          {"approved_by_id": 1, "made_by_id": 2}, [{"made_by_id": 1}, {"made_by_id": None}]),
    Check("invoices_transaction", "a_failed_transaction_says_when",
          {"status": "failed", "failed_at": NOW, "receipt_number": ""}, [{"failed_at": None}]),
    Check("invoices_transaction", "only_an_unpaid_payment_waits_for_confirmation",
          {**OPEN, "confirmable_until": LATER, "stripe_payment_intent_id": "pi_1"},
          [{"stripe_payment_intent_id": ""}, {"status": "checkout"}, PAID]),
    Check("invoices_transaction", "paid_means_one_captured_payment_and_a_receipt", PAID,
          [{"paid_at": None}, {"stripe_payment_intent_id": ""}, {"receipt_number": ""},
           {"status": "processing"}]),
    Check("invoices_transaction", "refunds_never_exceed_the_payment",
          {"amount": "25", "refunded_amount": "25"},
          [{"refunded_amount": "25.01"}, {"refunded_amount": "-0.01"}]),
    Check("invoices_transaction", "tax_follows_from_the_rate",
          {"amount": "10.50", "tax_amount": "0.50", "tax_rate": "5"}, [{"tax_amount": "0.49"}]),
    Check("invoices_transaction", "tax_is_a_part_of_the_amount",
          {"amount": "10.50", "tax_amount": "0.50", "tax_rate": "5"},
          [{"amount": "0.50", "tax_rate": "100"}, {"tax_rate": "-1"}, {"tax_rate": "100.01"}]),
    Check("invoices_transaction", "transaction_amount_positive", {"amount": "0.01"},
          [{"amount": "0"}, {"amount": "-1"}]),
    Check("invoices_transaction", "transaction_charged_amount_positive",
          {"charged_amount": "0.010"}, [{"charged_amount": "0"}, {"charged_amount": "-1"}]),
]  # fmt: skip

PLANS = [
    numbers("plans_allowance", "an_allowance_is_in_numbers",
            "included", "used", "billed_quantity"),
    numbers("plans_dailyspend", "spend_of_a_day_is_in_numbers", "amount", "quantity"),
    numbers("plans_featureprice", "a_price_is_a_number", "included_quantity", "unit_price"),
    numbers("plans_planversion", "a_plan_has_a_price_in_numbers",
            "monthly_price", "minimum_top_up"),
    numbers("plans_pricetier", "a_tier_begins_at_a_number", "above_quantity"),
    numbers("plans_renewal", "a_renewal_costs_a_number", "amount"),
    numbers("plans_usagerecord", "usage_is_a_number",
            "quantity", "included_quantity", "billed_quantity", "unit_price", "amount",
            "included_before", "billed_before", "balance_before", "balance_after"),
    Check("plans_featureprice", "included_quantity_not_negative", {"included_quantity": "0"},
          [{"included_quantity": "-0.000001"}]),
    Check("plans_featureprice", "unit_price_not_negative", {"unit_price": "0"},
          [{"unit_price": "-0.00000001"}]),
    Check("plans_planchange", "a_charged_plan_change_has_its_transaction",
          {"status": "processing", "transaction_id": 1},
          [{"transaction_id": None}, {"transaction_id": None, "status": "failed"}]),
    Check("plans_planchange", "a_plan_change_changes_the_version",
          {"from_version_id": 1, "to_version_id": 2}, [{"to_version_id": 1}]),
    Check("plans_planchange", "an_applied_plan_change_says_from_when",
          {"status": "applied", "effective_at": NOW, "renewal_id": 1},
          [{"effective_at": None}, {"renewal_id": None}, {"status": "scheduled"}]),
    Check("plans_planversion", "minimum_top_up_positive", {"minimum_top_up": "0.01"},
          [{"minimum_top_up": "0"}]),
    Check("plans_planversion", "monthly_price_not_negative", {"monthly_price": "0"},
          [{"monthly_price": "-0.01"}]),
    Check("plans_pricetier", "a_tier_begins_above_zero", {"above_quantity": "0.000001"},
          [{"above_quantity": "0"}]),
    Check("plans_pricetier", "a_tier_discount_is_a_percentage", {"discount_percent": "100"},
          [{"discount_percent": "0"}, {"discount_percent": "100.01"}]),
    Check("plans_renewal", "periods_count_from_one", {"number": 1}, [{"number": 0}]),
    Check("plans_renewal", "renewal_amount_not_negative", {"amount": "0"}, [{"amount": "-0.01"}]),
    Check("plans_rental", "only_a_release_waits_for_renewal",
          {"quantity": 2, "quantity_at_renewal": 1},
          [{"quantity_at_renewal": 2}, {"quantity_at_renewal": 3}]),
    Check("plans_subscribermove", "a_subscriber_move_has_a_reason", {"reason": "New prices"},
          [{"reason": ""}]),
    Check("plans_subscription", "a_current_subscription_has_a_period", ACTIVE,
          [{"current_period_start": None}, {"current_period_number": 0}, {"ended_at": NOW},
           {"current_period_end": None}]),
    Check("plans_subscription", "an_inactive_subscription_has_not_begun", {"status": "inactive"},
          [{"anchor": NOW, "current_period_number": 0}]),
    Check("plans_subscription", "grace_is_for_what_is_past_due",
          {**ACTIVE, "status": "past_due", "past_due_since": NOW, "grace_until": LATER},
          [{"status": "active", "past_due_since": None}]),
    Check("plans_subscription", "past_due_says_since_when",
          {**ACTIVE, "status": "past_due", "past_due_since": NOW},
          [{"past_due_since": None}, {"status": "active"}]),
    Check("plans_usagerecord", "included_and_billed_make_the_quantity", USED,
          [{"billed_quantity": "0.9"}, {"included_before": "1.9"},
           {"included_quantity": "-1", "billed_quantity": "4"},
           {"included_quantity": "4", "billed_quantity": "-1", "included_before": "4"},
           {"quantity": "1000000001", "billed_quantity": "999999999"}]),
    Check("plans_usagerecord", "the_amount_lowers_the_balance",
          {"amount": "1", "balance_before": "5", "balance_after": "4"},
          [{"balance_after": "5"}, {"amount": "-1", "balance_after": "6"}]),
]  # fmt: skip

WALLET = [
    numbers("wallet_adjustment", "an_adjustment_is_a_number", "amount", "author_limit"),
    numbers("wallet_autorefillconsent", "a_consent_is_to_numbers",
            "threshold", "amount", "monthly_maximum"),
    numbers("wallet_entry", "an_entry_is_a_number", "amount", "balance_after"),
    numbers("wallet_wallet", "a_balance_is_a_number", "balance", "unspent_balance"),
    Check("wallet_adjustment", "an_adjustment_has_a_reason", {"reason": "Outage"},
          [{"reason": ""}]),
    Check("wallet_adjustment", "an_adjustment_moves_the_balance", {"amount": "-0.01"},
          [{"amount": "0"}]),
    Check("wallet_adjustment", "who_approves_an_adjustment_is_not_its_author",
          {"author_id": 1, "approved_by_id": 2}, [{"approved_by_id": 1}]),
    Check("wallet_approvalrequest", "a_decision_has_a_reason", DECLINED,
          [{"decision_reason": ""}]),
    Check("wallet_approvalrequest", "what_failed_says_why",
          {**DECLINED, "state": "failed", "failure_message": "Disputed"},
          [{"failure_message": ""}]),
    Check("wallet_approvalrequest", "what_has_expired_is_not_approved",
          {**EXECUTED, "expires_at": NOW}, [{"expires_at": EARLIER}]),
    Check("wallet_approvalrequest", "what_is_asked_has_a_reason", {"reason": "Outage"},
          [{"reason": ""}]),
    Check("wallet_approvalrequest", "what_is_asked_is_a_number", {**REQUESTED},
          [{"amount": NAN}, {"limit_at_request": NAN}]),
    Check("wallet_approvalrequest", "what_is_asked_is_said_whole", REQUESTED,
          [{"amount": "0"}, {"reverses_id": 1}, {"transaction_id": 1}, {"kind": "reversal"},
           {"kind": "refund"}, {"kind": "refund", "transaction_id": 1, "amount": "-1"}]),
    Check("wallet_approvalrequest", "what_was_approved_has_its_effect", EXECUTED,
          [{"adjustment_id": None}, {"refund_id": 1}, {"state": "declined"},
           {"kind": "refund", "transaction_id": 1}]),
    Check("wallet_approvalrequest", "who_decides_is_not_who_asked", DECLINED,
          [{"decided_by_id": 1}, {"decided_by_id": None}, {"decided_at": None},
           {"state": "withdrawn"}]),
    Check("wallet_approvalrequest", "who_decides_is_not_who_asked",
          {**REQUESTED, "state": "expired", "decided_at": LATER, "expires_at": NOW},
          [{"decided_at": None}, {"decided_at": NOW}, {"decided_by_id": 2}]),
    Check("wallet_autorefill", "monthly_maximum_positive", {"monthly_maximum": "0.01"},
          [{"monthly_maximum": "0"}, {"monthly_maximum": NAN}]),
    Check("wallet_autorefill", "nothing_is_charged_without_consent",
          {"enabled": True, "consent_id": 1}, [{"consent_id": None}]),
    Check("wallet_autorefillconsent", "a_consent_says_to_what",
          {"action": "switched_on", "text": "While it is on …"}, [{"text": ""}]),
    Check("wallet_entry", "a_dispute_takes_credit_and_its_reversal_returns_it", DISPUTE,
          [{"amount": "5"}, {"dispute_id": None}, {"transaction_id": None}, {"kind": "usage"},
           {"kind": "dispute_reversal"}]),
    Check("wallet_entry", "a_refund_is_posted_as_one",
          {"kind": "refund", "refund_id": 1, "transaction_id": 1, "amount": "-5"},
          [{"kind": "adjustment"}, {"transaction_id": None}]),
    Check("wallet_wallet", "spend_cap_is_an_amount",
          {"spend_cap": "1000000", "spend_since": 0, "unspent_balance": "0"},
          [{"spend_cap": "0"}, {"spend_cap": "1000000.01"}, {"spend_cap": NAN}]),
    Check("wallet_wallet", "spend_is_counted_where_it_is_capped",
          {"spend_cap": "5", "spend_since": 0, "unspent_balance": "0"},
          [{"spend_since": None}, {"unspent_balance": None}, {"spend_cap": None}]),
]  # fmt: skip

CHECKS = [*ACCOUNTS, *INVOICES, *PLANS, *WALLET]
