"""The customers' and the bank's side: what a person does in a browser, done at the sandbox."""

from datetime import datetime
from typing import Any

import requests
from django.conf import settings

from invoices.models import Transaction


class Bank:
    """The sandbox Stripe's control calls (stripe_sandbox/README.md)."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()

    def set_clock(self, now: datetime | None) -> None:
        """Let the sandbox's objects be created at this moment; None returns to real time."""
        self._post("clock", {"now": now and now.isoformat()})

    def pause_webhooks(self, *, paused: bool) -> None:
        """Record events without delivering them: no portal listens during a simulation."""
        self._post("webhooks", {"paused": paused})

    def confirm_setup(self, setup_intent_id: str, card: str) -> None:
        """Confirm a card, as the browser does."""
        self._post(f"setup_intents/{setup_intent_id}/confirm", {"payment_method": card})

    def pay(self, transaction: Transaction, card: str) -> None:
        """Pay a hosted page with this test card."""
        session_id = transaction.stripe_checkout_session_id
        self._post(f"checkout/{session_id}/pay", {"payment_method": card})

    def let_decline(self, payment_method_id: str, code: str | None) -> None:
        """Decline a saved card from now on, or with None accept it again."""
        self._post(f"payment_methods/{payment_method_id}/behaviour", {"decline_code": code})

    def dispute(self, transaction: Transaction, reason: str) -> None:
        """Complain to the bank about a payment."""
        self._post(f"charges/{self._charge_of(transaction)}/dispute", {"reason": reason})

    def withdraw_dispute(self, dispute_id: str) -> None:
        """Think better of it: the bank returns the money to the seller."""
        self._post(f"disputes/{dispute_id}/withdraw", {})

    def _charge_of(self, transaction: Transaction) -> str:
        address = f"{self._url}/v1/payment_intents/{transaction.stripe_payment_intent_id}"
        key = settings.STRIPE_SECRET_KEY
        answer = self._session.get(address, auth=(key, ""), timeout=20)
        answer.raise_for_status()
        return str(answer.json()["latest_charge"])

    def _post(self, path: str, body: dict[str, Any]) -> None:
        answer = self._session.post(f"{self._url}/_sandbox/{path}", json=body, timeout=20)
        answer.raise_for_status()
