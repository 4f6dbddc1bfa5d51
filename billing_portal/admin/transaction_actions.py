"""What staff may do about a payment: charge it again, ask Stripe, send its receipt again."""

from typing import Any, cast

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import action

from accounts import outbox
from accounts.models import Message, User
from billing_portal.admin.confirmed import Confirmation, confirm, refused
from billing_portal.admin.refund_action import RefundActionMixin
from invoices import refunds, sweeper
from invoices.models import Status, Transaction
from plans import payment_retries


class TransactionActionsMixin(RefundActionMixin):
    """The buttons above a transaction, and the pages behind them."""

    actions_detail: tuple[str, ...] = (
        *RefundActionMixin.actions_detail,
        "retry",
        "ask_stripe",
        "send_receipt",
    )

    # Methods, for the reason given at has_adjust_credit_permission.
    def has_retry_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Whoever may charge again."""
        return cast(User, request.user).has_perm("invoices.retry_transaction")

    def has_ask_stripe_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Whoever may ask Stripe."""
        return cast(User, request.user).has_perm("invoices.ask_stripe")

    def has_send_receipt_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Whoever may send a message again."""
        return cast(User, request.user).has_perm("accounts.change_message")

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Offer what can be done with the transaction as it is."""
        actions: list[Any] = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        found = Transaction.objects.filter(pk=object_id) if object_id.isdecimal() else None
        transaction = found.first() if found is not None else None
        if transaction is None:
            return actions
        paid = transaction.status == Status.PAID
        can = {
            "refund": not refunds.why_not(transaction),
            "retry": transaction.status == Status.FAILED,
            "ask_stripe": sweeper.may_be_asked(transaction, now=timezone.now()),
            "send_receipt": paid,
        }
        hidden = {f"invoices_transaction_{name}" for name, offered in can.items() if not offered}
        return [one for one in actions if one.action_name not in hidden]

    @action(description="Charge again", url_path="retry", permissions=["retry"], icon="credit_card")
    def retry(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Say what is charged, and charge it once."""
        transaction = self._transaction(object_id)
        try:
            effect = payment_retries.check(transaction=transaction)
        except ValidationError as error:
            return refused(request, error, _page_of(transaction))
        confirmation = Confirmation(
            title="Charge again",
            effect=effect,
            act=lambda by, wish: _retry(transaction, by, wish["reason"]),
            # Another attempt, whoever made it, is not what was looked at.
            seen=_newest_attempt(transaction),
        )
        return confirm(request, confirmation, site=self.admin_site, target=transaction)  # type: ignore[attr-defined]

    @action(
        description="Ask Stripe now",
        url_path="ask-stripe",
        permissions=["ask_stripe"],
        icon="contact_support",
    )
    def ask_stripe(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Fetch what became of it, and settle that."""
        transaction = self._transaction(object_id)
        confirmation = Confirmation(
            title="Ask Stripe now",
            effect=(
                f"Stripe is asked what became of {transaction}. If it was paid or failed, that is "
                "settled as if the news had come by itself, with credit, receipt and e-mail; else "
                "nothing changes."
            ),
            act=lambda by, wish: _ask(transaction, by, wish["reason"]),
        )
        return confirm(request, confirmation, site=self.admin_site, target=transaction)  # type: ignore[attr-defined]

    @action(
        description="Send receipt again",
        url_path="send-receipt",
        permissions=["send_receipt"],
        icon="forward_to_inbox",
    )
    def send_receipt(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Send the e-mail with the receipt to whom it went before."""
        transaction = self._transaction(object_id)
        receipts = Message.objects.filter(
            channel="email", key=f"transaction_paid:{transaction.number}"
        )
        receipt = receipts.first()
        if receipt is None:
            nothing = ValidationError("No receipt of it was sent by e-mail.")
            return refused(request, nothing, _page_of(transaction))
        confirmation = Confirmation(
            title="Send receipt again",
            effect=f"The e-mail with the receipt goes to {receipt.recipient} within seconds.",
            act=lambda by, wish: _send(receipt, by, wish["reason"]),
            seen=str(receipt.sent_at),
        )
        return confirm(request, confirmation, site=self.admin_site, target=transaction)  # type: ignore[attr-defined]

    def _transaction(self, object_id: str) -> Transaction:
        found = Transaction.objects.filter(pk=object_id) if object_id.isdecimal() else None
        transaction = found.select_related("account").first() if found is not None else None
        if transaction is None:
            raise Http404("No such transaction.")
        return transaction


def _page_of(transaction: Transaction) -> str:
    return reverse("admin:invoices_transaction_change", args=[transaction.pk])


def _newest_attempt(transaction: Transaction) -> str:
    newest = Transaction.objects.filter(
        account=transaction.account_id, purpose=transaction.purpose
    ).order_by("-created_at", "-pk")
    return str(newest.values_list("number", flat=True).first())


def _retry(transaction: Transaction, by: User, reason: str) -> str:
    """Charge again; return what to say."""
    attempt = payment_retries.retry(
        transaction=transaction, by=by, reason=reason, now=timezone.now()
    )
    if attempt is None:
        return "Nothing needed charging: the balance is not below the threshold."
    if attempt.status == Status.FAILED:
        raise ValidationError(f"{attempt} failed: {attempt.failure_message}")
    outcome = "was paid" if attempt.status == Status.PAID else "has no answer yet"
    return f"{attempt} {outcome}."


def _ask(transaction: Transaction, by: User, reason: str) -> str:
    """Ask Stripe; return what to say."""
    asked = sweeper.ask_now(transaction=transaction, by=by, reason=reason, now=timezone.now())
    if (asked.status, asked.expired_at) == (transaction.status, transaction.expired_at):
        return f"{asked} is as it was: {asked.get_status_display().lower()}."
    return f"{asked} is {asked.get_status_display().lower()} now."


def _send(receipt: Message, by: User, reason: str) -> str:
    """Have it sent again; return what to say."""
    outbox.replay(messages=[receipt], by=by, reason=reason, now=timezone.now())
    return f"The receipt is on its way to {receipt.recipient}."
