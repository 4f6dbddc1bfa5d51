"""What the e-mails say: every event, in text and HTML."""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core import mail

from accounts import notices, outbox
from accounts.models import Account
from accounts.tests.factories import NOW, make_account

pytestmark = pytest.mark.django_db

#: A complete context of every event, as the services record it.
EXAMPLES: dict[str, dict[str, Any]] = {
    "transaction_paid": {
        "number": "T-2026-77",
        "receipt_number": "BT-000042",
        "description": "Growth plan",
        "net": "$94.29",
        "tax_label": "VAT 5 %",
        "tax": "$4.71",
        "amount": "$99.00",
        "charged": "OMR 38.120",
        "rate": "0.385",
        "card": "Visa •••• 4242",
        "paid_at": "2026-11-23T21:05:00+00:00",
        "path": "/billing/history/T-2026-77/",
    },
    "transaction_failed": {
        "number": "T-2026-78",
        "description": "Top-up",
        "amount": "$50.00",
        "card": "Visa •••• 0341",
        "reason": "Your card has insufficient funds.",
        "path": "/billing/history/T-2026-78/",
    },
    "refund_made": {
        "number": "T-2026-77",
        "receipt_number": "BT-000042",
        "credit_note_number": "CN-000007",
        "amount": "$99.00",
        "charged": "OMR 38.120",
        "card": "Visa •••• 4242",
        "credit_taken": "$94.29",
        "refunded_at": "2026-11-23T21:05:00+00:00",
        "path": "/billing/history/T-2026-77/",
    },
    "refund_came_back": {
        "number": "T-2026-77",
        "credit_note_number": "CN-000007",
        "amount": "$99.00",
        "charged": "OMR 38.120",
        "card": "Visa •••• 4242",
        "credit_returned": "$94.29",
        "path": "/billing/history/T-2026-77/",
    },
    "payment_found": {
        "number": "T-2026-79",
        "description": "Credit top-up",
        "amount": "$25.00",
        "charged": "OMR 9.630",
        "card": "Visa •••• 4242",
        "captured_at": "2026-11-20T08:00:00+00:00",
        "path": "/billing/history/T-2026-79/",
    },
    "reconciliation_findings": {
        "count": 2,
        "findings": ["Captured for no transaction of ours: pi_1. Refund it."],
        "more": 1,
        "path": "/admin/invoices/reconciliationrun/7/change/",
    },
    "refund_failed": {
        "number": "R-2026-12",
        "transaction": "T-2026-77",
        "amount": "$99.00",
        "charged": "OMR 38.120",
        "reason": "The card was reported lost or stolen.",
        "credit_returned": "$94.29",
        "path": "/admin/invoices/refund/12/change/",
    },
    "approval_requested": {
        "asked_by": "support@badal.test",
        "kind": "Refund",
        "amount": "$600.00",
        "reason": "Charged twice for one call",
        "expires_at": "2026-12-07T21:05:00+00:00",
        "path": "/admin/wallet/approvalrequest/3/change/",
    },
    "approval_ended": {
        "kind": "Refund",
        "amount": "$600.00",
        "outcome": "failed",
        "decided_by": "finance@badal.test",
        "decision": "Both calls are in the log",
        "failure": "The bank declined it.",
        "reason": "Charged twice for one call",
        "path": "/admin/wallet/approvalrequest/3/change/",
    },
    "confirmation_needed": {
        "number": "T-2026-79",
        "description": "Growth plan",
        "amount": "$99.00",
        "card": "Visa •••• 3184",
        "next_attempt_at": "2026-11-24T21:05:00+00:00",
        "pause_at": "2026-11-30T21:05:00+00:00",
        "path": "/billing/history/T-2026-79/confirm/",
    },
    "dispute_opened": {
        "number": "T-2026-77",
        "dispute": "du_1abc",
        "status": "Opened",
        "amount": "$99.00",
        "charged": "OMR 38.120",
        "reason": "product not received",
        "credit_taken": "$94.29",
        "credit_returned": "",
        "evidence_due_at": "2026-12-01T21:05:00+00:00",
        "path": "/admin/invoices/dispute/4/change/",
    },
    "dispute_closed": {
        "number": "T-2026-77",
        "dispute": "du_1abc",
        "status": "Won",
        "amount": "$99.00",
        "charged": "OMR 38.120",
        "reason": "product not received",
        "credit_taken": "",
        "credit_returned": "$94.29",
        "path": "/admin/invoices/dispute/4/change/",
    },
    "card_expiring": {
        "card": "Visa •••• 4242",
        "expiry": "12 / 2026",
        "needed": True,
        "path": "/billing/payment-methods/add/",
    },
    "auto_refill_failed": {
        "amount": "$50.00",
        "card": "Visa •••• 0341",
        "reason": "Your card was declined.",
        "next_attempt_at": "2026-11-23T22:05:00+00:00",
        "path": "/billing/payment-methods/",
    },
    "auto_refill_capped": {
        "reason": "It topped up 5 times in 24 hours, the most it may.",
        "next_attempt_at": "2026-11-24T09:30:00+00:00",
        "path": "/billing/",
    },
    "auto_refill_suspended": {
        "amount": "$50.00",
        "card": "Visa •••• 0341",
        "reason": "Your card was declined.",
        "path": "/billing/#auto-refill",
    },
    "services_paused": {
        "reasons": ["negative_balance", "subscription_unpaid", "locked"],
        "balance": "−$3.20",
        "path": "/billing/top-up/",
    },
    "services_resumed": {"balance": "$46.80", "path": "/billing/"},
    "subscription_past_due": {
        "plan": "Growth",
        "amount": "$99.00",
        "reason": "Your card has expired.",
        "next_attempt_at": "2026-11-24T21:05:00+00:00",
        "pause_at": "2026-11-30T21:05:00+00:00",
        "path": "/billing/plan/",
    },
    "renewal_reminder": {
        "plan": "Growth",
        "lines": [
            {"description": "Growth plan", "note": "", "amount": "$99.00"},
            {"description": "Phone number", "note": "3 at $2.50", "amount": "$7.50"},
        ],
        "amount": "$106.50",
        "charged": "OMR 41.000",
        "card": "Visa •••• 4242",
        "card_expires": True,
        "renews_at": "2026-12-23T00:00:00+00:00",
        "path": "/billing/",
    },
    "plan_changed": {
        "plan": "Growth",
        "previous_plan": "Starter",
        "monthly_price": "$99.00",
        "minimum_top_up": "$25.00",
        "effective_at": "2026-11-23T21:05:00+00:00",
        "path": "/billing/plan/",
    },
    "plan_change_scheduled": {
        "plan": "Starter",
        "previous_plan": "Growth",
        "monthly_price": "$29.00",
        "minimum_top_up": "$10.00",
        "effective_at": "2026-12-23T00:00:00+00:00",
        "path": "/billing/plan/",
    },
    "cancellation_scheduled": {
        "plan": "Growth",
        "ends_at": "2026-12-23T00:00:00+00:00",
        "balance": "$46.80",
        "path": "/billing/plan/",
    },
    "subscription_canceled": {
        "plan": "Growth",
        "ends_at": "2026-12-23T00:00:00+00:00",
        "balance": "$46.80",
        "path": "/billing/plan/",
    },
    "email_changed": {
        "user": 0,
        "previous": "layla@muscat.test",
        "email": "layla@salalah.test",
        "path": "/accounts/login/",
    },
    "low_balance": {
        "balance": "$8.20",
        "threshold": "$10.00",
        "refill_threshold": "$7.50",
        "refill_amount": "$25.00",
        "path": "/billing/#auto-refill",
    },
    "spend_cap_near": {
        "spent": "$80.15",
        "cap": "$100.00",
        "period_ends_at": "2026-12-23T00:00:00+00:00",
        "path": "/billing/settings/#spend-cap",
    },
    "spend_cap_reached": {
        "spent": "$100.04",
        "cap": "$100.00",
        "period_ends_at": "2026-12-23T00:00:00+00:00",
        "path": "/billing/settings/#spend-cap",
    },
}


#: Whose link is made when they are sent: they are sent where what they are about is tested.
WITH_A_LINK_OF_THEIR_OWN = {"member_invited", "email_change_asked"}


@pytest.fixture
def account() -> Account:
    return make_account(name="Muscat Freight", timezone="Asia/Muscat", owner_email="o@muscat.test")


def sent(account: Account, event: str, **changes: Any) -> tuple[str, str, str]:
    """Record and send one example; return its subject, text and HTML."""
    context = {**EXAMPLES[event], **changes}
    outbox.record_email(account=account, event=event, key=event, context=context, now=NOW)
    assert outbox.deliver_due(now=NOW) == 1
    email: Any = mail.outbox[-1]
    ((html, kind),) = email.alternatives
    assert kind == "text/html"
    return email.subject, email.body, html


def test_every_event_has_an_example_and_its_three_templates() -> None:
    folder = Path(settings.BASE_DIR) / "templates" / "email"

    assert EXAMPLES.keys() | WITH_A_LINK_OF_THEIR_OWN == notices.NOTICES.keys()
    for event in notices.NOTICES:
        for kind in ("subject.txt", "txt", "html"):
            assert (folder / f"{event}.{kind}").exists()


@pytest.mark.parametrize("event", EXAMPLES)
def test_every_email_says_all_it_was_given_in_text_and_html(account: Account, event: str) -> None:
    subject, text, html = sent(account, event)

    assert subject
    assert "\n" not in subject
    assert f"http://127.0.0.1:8000{EXAMPLES[event]['path']}\n" in text
    assert f'href="http://127.0.0.1:8000{EXAMPLES[event]["path"]}"' in html
    for part in ("{{", "{%", "None", "&quot;", "&#x27;", "[]"):
        assert part not in subject + text
    assert "{%" not in html
    for key, value in EXAMPLES[event].items():
        if isinstance(value, str) and key not in ("path", "number") and not key.endswith("_at"):
            assert value in html.replace("−\N{WORD JOINER}$", "−$")
            assert value in subject + text


@pytest.mark.parametrize("event", EXAMPLES)
def test_what_need_not_be_given_may_be_left_out(account: Account, event: str) -> None:
    required = notices.NOTICES[event].__required_keys__
    context = {key: value for key, value in EXAMPLES[event].items() if key in required}
    outbox.record_email(account=account, event=event, key=event, context=context, now=NOW)

    assert outbox.deliver_due(now=NOW) == 1
    assert "None" not in str(mail.outbox[0].body)


def test_times_are_in_the_accounts_timezone(account: Account) -> None:
    _, text, html = sent(account, "transaction_paid")

    assert "24 November 2026, 01:05 (Asia/Muscat)" in text
    assert "24 November 2026, 01:05 (Asia/Muscat)" in html


def test_staff_read_english_and_utc_whatever_the_customer_reads() -> None:
    account = make_account(name="Muscat Freight", timezone="Asia/Muscat", language="ar")

    _, text, html = sent(account, "approval_requested")

    assert '<html lang="en"' in html
    for part in (text, html):
        assert "7 December 2026, 21:05 (UTC)" in part


def test_a_name_with_markup_is_text_in_both_forms() -> None:
    account = make_account(name="<b>Acme & Sons</b>")

    _, text, html = sent(account, "transaction_paid", description='Acme\'s "Gold" <plan>')

    assert "<b>Acme & Sons</b>" in text
    assert 'Acme\'s "Gold" <plan>' in text
    assert "&lt;b&gt;Acme &amp; Sons&lt;/b&gt;" in html
    assert "<plan>" not in html


def test_a_subject_stays_one_line(account: Account) -> None:
    subject, _, _ = sent(account, "subscription_past_due", plan="Growth\r\nBcc: all@evil.test")

    assert "Growth Bcc: all@evil.test" in subject


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("negative_balance", "Top up so that it is above zero"),
        ("subscription_unpaid", "Pay what is due, or set another card as default"),
        ("locked", "Write to billing@badal.example"),
    ],
)
def test_each_reason_of_a_pause_comes_with_what_to_do(
    account: Account, reason: str, remedy: str
) -> None:
    _, text, html = sent(account, "services_paused", reasons=[reason])

    assert text.count("\n- ") == 1
    assert remedy in text
    assert remedy in html
