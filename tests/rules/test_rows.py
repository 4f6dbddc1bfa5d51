"""What no row may say, whoever writes it: checks, unique keys, counts that are never negative.

`make mutants` drops each of these rules in turn; these are the tests that miss it. What needs other
rows to be refused (triggers, keys of one account) is tested beside the app.
"""

from typing import Any

import pytest
from django.apps import apps
from django.db import DataError, IntegrityError, models
from django.db import transaction as database

from tests.mutants.catalogue import OUR_APPS
from tests.rules import rows
from tests.rules.checks import CHECKS, DISPUTE, NOW, Check

ALICE = "00000000-0000-0000-0000-000000000001"

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.rule)
def test_a_check_accepts_a_row_and_refuses_what_breaks_it(check: Check) -> None:
    rows.copy(check.table, check=check.rule)
    rows.insert(check.accepted)
    for change in check.changes:
        with pytest.raises(IntegrityError, match=f'"{check.rule}"'), database.atomic():
            rows.insert({**check.accepted, **change})


POSITIVE = (
    models.PositiveIntegerField,
    models.PositiveSmallIntegerField,
    models.PositiveBigIntegerField,
)


# Counts -----------------------------------------------------------------------------------------
COUNTS = [
    (model._meta.db_table, field.column)
    for app in OUR_APPS
    for model in apps.get_app_config(app).get_models()
    for field in model._meta.concrete_fields
    if isinstance(field, POSITIVE)
]


@pytest.mark.parametrize(
    ("table", "column"), COUNTS, ids=[f"{table}_{column}_check" for table, column in COUNTS]
)
def test_a_count_is_never_negative(table: str, column: str) -> None:
    rows.copy(table, check=f"{table}_{column}_check")
    with pytest.raises(IntegrityError, match=f'"{table}_{column}_check"'):
        rows.insert({column: -1})


# Amounts ----------------------------------------------------------------------------------------
AMOUNTS = {
    model._meta.db_table: columns
    for app in OUR_APPS
    for model in apps.get_app_config(app).get_models()
    if (
        columns := [
            field.column
            for field in model._meta.concrete_fields
            if isinstance(field, models.DecimalField)
        ]
    )
}


@pytest.mark.parametrize(("table", "columns"), AMOUNTS.items(), ids=list(AMOUNTS))
def test_every_amount_is_a_number(table: str, columns: list[str]) -> None:
    """Whatever column a model gets: the database keeps neither NaN nor infinity in it."""
    rows.copy(table, all_checks=True)
    for column in columns:
        for value in ("NaN", "Infinity", "-Infinity"):
            with pytest.raises((IntegrityError, DataError)), database.atomic():
                rows.insert({column: value})


# Unique keys ------------------------------------------------------------------------------------
#: Two rows that say this would be two of what there is one of.
ONE_OF = {
    "accounts_account.one_account_per_external_id": {"external_id": "customer-1"},
    "accounts_account.one_account_per_stripe_customer": {"stripe_customer_id": "cus_1"},
    "accounts_apikey.one_key_for_a_form": {"account_id": ALICE, "request_key": "form-1"},
    "accounts_card.one_default_card_per_account": {"account_id": ALICE, "is_default": True},
    "accounts_cardattempt.one_attempt_per_setup_intent": {"stripe_setup_intent_id": "seti_1"},
    "invoices_reconciliationrun.one_unfinished_reconciliation": {"phase": "payments"},
    "invoices_refund.one_refund_per_credit_note_number": {
        "credit_note_number": "CN-1",
        "succeeded_at": NOW,
    },
    "invoices_refund.one_refund_per_request": {"transaction_id": 1, "request_key": "form-1"},
    "invoices_refund.one_refund_per_stripe_refund": {"stripe_refund_id": "re_1"},
    "invoices_transaction.one_attempt_per_request": {"account_id": ALICE, "request_key": "form-1"},
    "invoices_transaction.one_open_attempt_per_obligation": {
        "account_id": ALICE,
        "status": "checkout",
        "obligation": "renewal-1",
    },
    "invoices_transaction.one_open_refill_per_account": {
        "account_id": ALICE,
        "status": "processing",
        "purpose": "auto_refill",
    },
    "invoices_transaction.one_transaction_per_checkout_session": {
        "stripe_checkout_session_id": "cs_1"
    },
    "invoices_transaction.one_transaction_per_payment_intent": {"stripe_payment_intent_id": "pi_1"},
    "invoices_transaction.one_transaction_per_receipt_number": {
        "status": "paid",
        "paid_at": NOW,
        "receipt_number": "BT-1",
    },
    "plans_planchange.one_plan_change_is_charged_at_a_time": {
        "subscription_id": 1,
        "status": "processing",
    },
    "plans_planchange.one_scheduled_plan_change_per_subscription": {
        "subscription_id": 1,
        "status": "scheduled",
    },
    "plans_rental.one_open_rental_per_feature": {
        "account_id": ALICE,
        "feature_id": 1,
        "started_at": NOW,
    },
    "plans_subscribermove.one_unfinished_move_to_a_version": {"plan_version_id": 1},
    "plans_subscription.one_current_subscription_per_account": {
        "account_id": ALICE,
        "status": "past_due",
    },
    "plans_subscription.one_inactive_subscription_per_account": {
        "account_id": ALICE,
        "status": "inactive",
    },
    "wallet_approvalrequest.one_open_request_to_reverse_an_adjustment": {
        "reverses_id": 1,
        "state": "requested",
    },
    "wallet_entry.a_dispute_debits_once_and_is_reinstated_once": DISPUTE,
    "wallet_entry.a_failed_refund_returns_credit_once": {"refund_id": 1, "amount": "5"},
    "wallet_entry.a_paid_transaction_is_credited_once": {
        "transaction_id": 1,
        "kind": "top_up",
        "amount": "5",
    },
    "wallet_entry.a_refund_takes_credit_back_once": {"refund_id": 1, "amount": "-5"},
    "wallet_entry.an_adjustment_is_posted_once": {"adjustment_id": 1},
    "wallet_entry.one_entry_per_usage_record": {"account_id": ALICE, "usage_id": "call-1"},
}


@pytest.mark.parametrize(("rule", "row"), ONE_OF.items(), ids=list(ONE_OF))
def test_there_is_one_of_these(rule: str, row: dict[str, Any]) -> None:
    rows.copy(rule.split(".")[0])
    rows.insert(row)
    with pytest.raises(IntegrityError, match="duplicate key"), database.atomic():
        rows.insert(row)


@pytest.mark.parametrize(
    ("table", "row"),
    [("accounts_user", {}), ("accounts_invitation", {"account_id": ALICE})],
    ids=["one_user_per_email_whatever_its_case", "one_open_invitation_per_address"],
)
def test_an_address_is_the_same_in_capitals(table: str, row: dict[str, str]) -> None:
    rows.copy(table)
    rows.insert({**row, "email": "aisha@muscat.test"})
    with pytest.raises(IntegrityError, match="duplicate key"), database.atomic():
        rows.insert({**row, "email": "Aisha@Muscat.test"})


UNIQUE = [
    (model._meta.db_table, f"{model._meta.db_table}_{field.column}_key", [field.column])
    for app in OUR_APPS
    for model in apps.get_app_config(app).get_models()
    for field in model._meta.concrete_fields
    if field.unique and not field.primary_key
] + [
    (
        model._meta.db_table,
        str(rule.name),
        [str(getattr(model._meta.get_field(field), "column", "")) for field in rule.fields],
    )
    for app in OUR_APPS
    for model in apps.get_app_config(app).get_models()
    for rule in model._meta.constraints
    if isinstance(rule, models.UniqueConstraint) and rule.fields and rule.condition is None
]


@pytest.mark.parametrize(
    ("table", "columns"),
    [(table, columns) for table, _, columns in UNIQUE],
    ids=[rule for _, rule, _ in UNIQUE],
)
def test_a_key_is_there_once(table: str, columns: list[str]) -> None:
    """What the models call unique the database keeps unique; each column of a key counts."""
    rows.copy(table)
    row = {column: rows.some_value(column) for column in columns}
    rows.insert(row)
    with pytest.raises(IntegrityError, match="duplicate key"), database.atomic():
        rows.insert(row)
    for column in columns:
        rows.insert({**row, column: rows.some_value(column, other=True)})
