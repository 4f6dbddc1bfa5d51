"""Examples for every call of the API: what is sent, what is answered.

`api_schema_examples` puts them into the schema. Tests hold each against it, send what is sent, and
compare what is answered.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_ACCOUNT: Final = {
    "id": "0b4f9e60-6a3f-4c55-9b7e-2f6c1c2f7a10",
    "external_id": "customer-42",
    "name": "Nizwa Clinics",
    "owner_email": "owner@nizwa.example",
    "timezone": "Asia/Muscat",
    "services": "active",
    "reasons": [],
    "balance": "18.900000",
    "plan": "growth",
    "subscription": {
        "status": "active",
        "current_period_start": "2026-11-01T08:00:00Z",
        "current_period_end": "2026-12-01T08:00:00Z",
        "cancel_at_period_end": False,
        "changes_to": None,
    },
    "auto_refill": {
        "enabled": True,
        "threshold": "10.00",
        "amount": "25.00",
        "monthly_maximum": "200.00",
        "suspended_at": None,
        "last_attempt_at": "2026-11-14T11:02:09.481000Z",
        "last_attempt_amount": "26.25",
        "last_attempt_status": "paid",
        "last_attempt_message": "",
    },
    "created_at": "2026-11-01T08:00:00Z",
}

_NEW_ACCOUNT: Final = {
    **_ACCOUNT,
    "id": "5d1c9d0e-64f1-4a5c-8f0f-94e2d1fd3f5b",
    "external_id": "customer-43",
    "name": "Sur Shipping",
    "owner_email": "owner@sur.example",
    "balance": "0.000000",
    "plan": "payg",
    "auto_refill": {
        "enabled": False,
        "threshold": "10.00",
        "amount": "25.00",
        "monthly_maximum": None,
        "suspended_at": None,
        "last_attempt_at": None,
        "last_attempt_amount": None,
        "last_attempt_status": None,
        "last_attempt_message": None,
    },
}

_TRANSACTION: Final = {
    "number": "T-7K2M9Q4XWD",
    "purpose": "rental",
    "status": "paid",
    "amount": "3.94",
    "net_amount": "3.75",
    "tax_rate": "5.00",
    "tax_amount": "0.19",
    "charged_amount": "1.520",
    "charged_currency": "OMR",
    "rate": "0.385000",
    "refunded_amount": "0.00",
    "card": {"brand": "visa", "last4": "4242"},
    "failure_code": "",
    "failure_message": "",
    "created_at": "2026-11-16T08:00:00Z",
    "paid_at": "2026-11-16T08:00:02.310000Z",
}


@dataclass(frozen=True, slots=True)
class Example:
    """What is sent with a call, beside `id`, and its answers by status."""

    answers: Mapping[str, Any]
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None


def invalid(fields: dict[str, list[str]]) -> dict[str, Any]:
    """Return the answer to a request in which these fields are wrong."""
    return {
        "code": "invalid_request",
        "detail": "The request is not valid; `fields` says what to change.",
        "fields": fields,
    }


def _page(*results: Any) -> dict[str, Any]:
    return {"next": None, "previous": None, "results": list(results)}


#: In every address: `id`, and `feature` where there is one.
ACCOUNT_ID: Final = "external:customer-42"
RENTAL: Final = "phone_number"

EXAMPLES: Final[Mapping[str, Example]] = {
    "report_usage": Example(
        body={
            "records": [
                {
                    "id": "call-8731",
                    "account": ACCOUNT_ID,
                    "feature": "call_minutes",
                    "quantity": "12",
                    "occurred_at": "2026-11-23T09:30:00Z",
                    "workspace": "Ruwi branch",
                },
                {
                    "id": "call-8732",
                    "account": ACCOUNT_ID,
                    "feature": "call_minutes",
                    "quantity": "NaN",
                    "occurred_at": "2026-11-23T09:31:00Z",
                },
            ]
        },
        answers={
            "200": {
                "recorded": 1,
                "duplicates": 0,
                "rejected": 1,
                "results": [
                    {
                        "id": "call-8731",
                        "status": "recorded",
                        "included_quantity": "1.000000",
                        "billed_quantity": "11.000000",
                        "amount": "1.100000",
                    },
                    {
                        "id": "call-8732",
                        "status": "rejected",
                        "included_quantity": "0.000000",
                        "billed_quantity": "0.000000",
                        "amount": "0.000000",
                        "index": 1,
                        "code": "invalid_quantity",
                        "detail": "`quantity` must be a number from 0 to 1,000,000,000, "
                        "in plain digits, with at most 6 decimals.",
                    },
                ],
            }
        },
    ),
    "authorize": Example(
        query={"feature": "call_minutes"},
        answers={
            "200": {
                "allowed": True,
                "services": "active",
                "reasons": [],
                "balance": "18.900000",
                "included_remaining": "0.000000",
            }
        },
    ),
    "list_usage": Example(
        query={"feature": "call_minutes", "since": "2026-11-01T00:00:00Z"},
        answers={
            "200": _page(
                {
                    "id": "call-8731",
                    "feature": "call_minutes",
                    "quantity": "12.000000",
                    "included_quantity": "1.000000",
                    "billed_quantity": "11.000000",
                    "unit_price": "0.10000000",
                    "amount": "1.100000",
                    "included_before": "1.000000",
                    "billed_before": "0.000000",
                    "balance_before": "20.000000",
                    "balance_after": "18.900000",
                    "plan": "growth",
                    "plan_version": 1,
                    "occurred_at": "2026-11-23T09:30:00Z",
                    "recorded_at": "2026-11-23T09:30:04.120000Z",
                    "workspace": "Ruwi branch",
                    "source": "",
                    "description": "",
                }
            )
        },
    ),
    "list_allowances": Example(
        answers={
            "200": _page(
                {
                    "feature": "call_minutes",
                    "included": "500.000000",
                    "used": "500.000000",
                    "remaining": "0.000000",
                    "billed_quantity": "11.000000",
                    "period_start": "2026-11-01T08:00:00Z",
                    "period_end": "2026-12-01T08:00:00Z",
                }
            )
        },
    ),
    "list_accounts": Example(
        query={"email": "owner@nizwa.example"}, answers={"200": _page(_ACCOUNT)}
    ),
    "provision_account": Example(
        body={
            "external_id": "customer-43",
            "name": "Sur Shipping",
            "owner_email": "owner@sur.example",
            "plan": "payg",
            "timezone": "Asia/Muscat",
        },
        answers={
            "201": _NEW_ACCOUNT,
            "200": _NEW_ACCOUNT,
            "400": invalid({"owner_email": ["Enter a valid email address."]}),
        },
    ),
    "retrieve_account": Example(answers={"200": _ACCOUNT}),
    "change_account": Example(
        body={"name": "Nizwa Clinics SAOC"},
        answers={
            "200": {**_ACCOUNT, "name": "Nizwa Clinics SAOC"},
            "400": invalid({"name": ["Send 1 to 200 printable characters."]}),
        },
    ),
    "list_entries": Example(
        query={"kind": "usage", "until": "2026-12-01T00:00:00Z"},
        answers={
            "200": _page(
                {
                    "sequence": 214,
                    "kind": "usage",
                    "amount": "-1.100000",
                    "balance_after": "18.900000",
                    "description": "Call minutes: 11 beyond the allowance × $0.10",
                    "created_at": "2026-11-23T09:30:04.120000Z",
                    "transaction": None,
                    "usage_id": "call-8731",
                }
            )
        },
    ),
    "list_transactions": Example(
        query={"status": "paid", "purpose": "rental"}, answers={"200": _page(_TRANSACTION)}
    ),
    "list_rentals": Example(
        answers={
            "200": _page(
                {
                    "feature": RENTAL,
                    "quantity": 2,
                    "quantity_at_renewal": None,
                    "since": "2026-11-01T08:00:00Z",
                    "included": 2,
                    "unit_price": "2.50000000",
                    "maximum": None,
                }
            )
        },
    ),
    "preview_rental": Example(
        query={"quantity": 5},
        answers={
            "200": {
                "feature": RENTAL,
                "held": 2,
                "quantity": 5,
                "change": "taken",
                "net_amount": "3.75",
                "tax_rate": "5.00",
                "tax_amount": "0.19",
                "amount": "3.94",
                "charged_amount": "1.520",
                "charged_currency": "OMR",
                "waived_amount": "0.00",
                "monthly_amount": "7.50",
                "period_end": "2026-12-01T08:00:00Z",
                "quote": "eyJhY2NvdW50IjoiMGI0ZiJ9:1vOQ2a:Zk8f3R1cHk",
            },
            "400": invalid({"quantity": ["A valid integer is required."]}),
            "409": {
                "code": "payment_open",
                "detail": "A payment for this is under way. Wait for its outcome.",
                "fields": {},
            },
        },
    ),
    "set_rental": Example(
        body={"quantity": 5},
        answers={
            "200": {
                "feature": RENTAL,
                "quantity": 5,
                "quantity_at_renewal": None,
                "transaction": _TRANSACTION,
            },
            "400": invalid(
                {"non_field_errors": ["Add a payment method first: rentals are charged to it."]}
            ),
        },
    ),
    "list_plans": Example(
        answers={
            "200": _page(
                {
                    "slug": "growth",
                    "name": "Growth",
                    "type": "public",
                    "version": 1,
                    "monthly_price": "99.00",
                    "minimum_top_up": "25.00",
                    "features": [
                        {
                            "feature": "call_minutes",
                            "kind": "consumable",
                            "included": "500.000000",
                            "unit_price": "0.10000000",
                            "tiers": [
                                {"above_quantity": "5000.000000", "discount_percent": "10.00"}
                            ],
                            "maximum": None,
                        }
                    ],
                }
            )
        },
    ),
    "list_features": Example(
        answers={
            "200": _page(
                {
                    "key": "call_minutes",
                    "name": "Call minutes",
                    "unit": "minute",
                    "kind": "consumable",
                }
            )
        },
    ),
}
