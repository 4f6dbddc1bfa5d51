"""What staff may do to an account: adjust its credit, lock and unlock its services.

Each has a page of its own that asks for a reason and shows the effect before anything happens.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast
from uuid import UUID, uuid4

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminRadioSelectWidget,
)

from accounts import service_locks
from accounts.models import Account, PauseReason, User
from accounts.money import format_usd
from accounts.staff_limits import adjustment_limit
from billing_portal.admin.account_offers import standing_of
from billing_portal.admin.approval_pages import tell_that_it_waits
from billing_portal.admin.confirmed import Confirmation, ReasonField, confirm
from wallet import adjustments, approvals, ledger
from wallet.models import (
    Adjustment,
    ApprovalRequest,
    ApprovalState,
    AutoRefill,
    Entry,
    EntryKind,
    Wallet,
)


class AdjustmentForm(forms.Form):
    """How much, in which direction, and why.

    `last_adjustment` names the newest adjustment the reader has seen. It is what makes one
    confirmation count once: applying it makes a newer one, whoever applies it. `request_key` names
    the form: what it asks a colleague to approve is asked for once.
    """

    direction = forms.ChoiceField(
        choices=[("add", "Add credit"), ("deduct", "Deduct credit")],
        initial="add",
        widget=UnfoldAdminRadioSelectWidget,
    )
    amount = forms.DecimalField(
        label="Amount (USD)",
        max_digits=18,
        decimal_places=6,
        min_value=Decimal(0),
        error_messages={"min_value": "Leave out the minus: Deduct credit says that it is taken."},
        widget=UnfoldAdminDecimalFieldWidget(attrs={"step": "0.01", "inputmode": "decimal"}),
    )
    reason = ReasonField(
        help_text="Shown to the customer in the wallet statement, and kept in the audit trail."
    )
    last_adjustment = forms.IntegerField(widget=forms.HiddenInput, required=False)
    request_key = forms.UUIDField(widget=forms.HiddenInput, required=False)

    def signed_amount(self) -> Decimal:
        """Return the amount with the sign of its direction."""
        amount: Decimal = self.cleaned_data["amount"]
        return amount if self.cleaned_data["direction"] == "add" else -amount


@dataclass(frozen=True)
class AdjustmentEffect:
    """What an adjustment would bring about."""

    balance_before: str
    balance_after: str
    services_before: str
    services_after: str
    refill: str

    @property
    def services(self) -> str:
        """Whether services would change."""
        if self.services_before == self.services_after:
            return f"stay {self.services_after}"
        return f"{self.services_before} → {self.services_after}"


class _NotApplied(Exception):
    """Undoes a rehearsal."""


class AlreadyAdjusted(Exception):
    """Another adjustment came between the preview and the confirmation."""


def newest_adjustment(account: Account) -> int:
    """Return the id of the account's newest adjustment, 0 without any."""
    newest = Adjustment.objects.filter(wallet__account=account).order_by("-pk").first()
    return newest.pk if newest else 0


def rehearse(*, account: Account, amount: Decimal, reason: str) -> AdjustmentEffect:
    """Post for real, look at the effect, and undo it: the preview cannot be wrong.

    Raises the service's ValidationError for an amount or a reason that it would not take.
    """
    adjustments.check(amount=amount, reason=reason)
    effect = None
    try:
        with transaction.atomic():
            entry = ledger.post(
                account_id=account.pk,
                kind=EntryKind.ADJUSTMENT,
                amount=amount,
                description="Rehearsal",
                now=timezone.now(),
            )
            effect = AdjustmentEffect(
                balance_before=format_usd(entry.balance_after - entry.amount),
                balance_after=format_usd(entry.balance_after),
                services_before=account.services,
                services_after=Account.objects.get(pk=account.pk).services,
                refill=refill_that_follows(entry.wallet, entry.balance_after) if amount < 0 else "",
            )
            raise _NotApplied
    except _NotApplied:
        assert effect is not None
        return effect


def refill_that_follows(wallet: Wallet | None, balance: Decimal) -> str:
    """Say what auto-refill would charge once the credit is gone, or ""."""
    refill = AutoRefill.objects.filter(
        wallet=wallet, enabled=True, suspended_at__isnull=True, threshold__gt=balance
    ).first()
    if refill is None:
        return ""
    return (
        f"Auto-Refill is on and will charge {format_usd(refill.amount.amount)}: the balance "
        f"falls below {format_usd(refill.threshold.amount)}. Have it switched off first if that is "
        "not wanted."
    )


@transaction.atomic
def apply_once(
    *, account: Account, amount: Decimal, reason: str, author: User, last_adjustment: int
) -> Entry:
    """Adjust, unless the account was adjusted since `last_adjustment` was seen.

    The wallet's lock decides between two clicks at once. Raises AlreadyAdjusted, or the service's
    ValidationError.
    """
    ledger.lock(account_ids=[account.pk])
    if newest_adjustment(account) != last_adjustment:
        raise AlreadyAdjusted
    return adjustments.adjust(
        account=account, amount=amount, reason=reason, author=author, now=timezone.now()
    )


class AccountActionsMixin:
    """The buttons above an account, and the pages behind them."""

    actions_detail: tuple[str, ...] = ("adjust_credit", "change_rental", "lock", "unlock")

    # A method, for a dotted permission is looked up by Unfold's system check, which the first
    # migrate runs before there is a table of permissions.
    def has_adjust_credit_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Whoever may add an adjustment."""
        return cast(User, request.user).has_perm("wallet.add_adjustment")

    def has_lock_services_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Whoever may lock services and unlock them."""
        return cast(User, request.user).has_perm("accounts.lock_services")

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Offer to lock what is unlocked, and the other way round."""
        actions = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        locked = standing_of(request, account_id(object_id)).is_locked
        hidden = "accounts_account_lock" if locked else "accounts_account_unlock"
        return [one for one in actions if one.action_name != hidden]

    @action(
        description="Adjust credit",
        url_path="adjust-credit",
        permissions=["adjust_credit"],
        icon="price_change",
        variant=ActionVariant.PRIMARY,
    )
    def adjust_credit(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask how much and why, show what it does, and do it once."""
        account = self._account(request, object_id)
        author = cast(User, request.user)
        if request.method != "POST":
            return self._adjust_page(request, account, AdjustmentForm())
        form = AdjustmentForm(request.POST)
        if not form.is_valid():
            return self._adjust_page(request, account, form)
        wanted: dict[str, Any] = {
            "account": account,
            "amount": form.signed_amount(),
            "reason": form.cleaned_data["reason"],
            "author": author,
        }
        try:
            key = form.cleaned_data["request_key"]
            waits = abs(wanted["amount"]) > adjustment_limit(author)
            if "_apply" not in request.POST or (waits and key is None):
                effect = rehearse(account=account, amount=wanted["amount"], reason=wanted["reason"])
                return self._adjust_page(request, account, form, effect, waits=waits)
            if waits:
                del wanted["author"]
                asked = approvals.ask_for_adjustment(
                    **wanted, by=author, now=timezone.now(), request_key=str(key)
                )
                return tell_that_it_waits(request, asked)
            entry = apply_once(**wanted, last_adjustment=form.cleaned_data["last_adjustment"] or 0)
        except ValidationError as error:
            form.add_error(None, error)
            return self._adjust_page(request, account, form)
        except AlreadyAdjusted:
            messages.warning(
                request,
                "Nothing was done by this click: the credit was adjusted since you looked. "
                "See the newest entries below before you try again.",
            )
            return self._back_to(account)
        messages.success(
            request,
            f"The credit was adjusted by {format_usd(entry.amount)}. "
            f"The balance is now {format_usd(entry.balance_after)}.",
        )
        return self._back_to(account)

    @action(
        description="Lock services",
        url_path="lock",
        permissions=["lock_services"],
        icon="lock",
        variant=ActionVariant.DANGER,
    )
    def lock(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Pause services until a colleague unlocks them."""
        account = self._account(request, object_id)
        confirmation = Confirmation(
            title="Lock services",
            effect="No call starts until services are unlocked. The customer is told by e-mail.",
            act=lambda by, wish: _lock(account, by, wish["reason"]),
            danger=True,
        )
        return confirm(request, confirmation, site=self.admin_site, target=account)  # type: ignore[attr-defined]

    @action(
        description="Unlock services",
        url_path="unlock",
        permissions=["lock_services"],
        icon="lock_open",
    )
    def unlock(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Lift the lock; what else pauses services still does."""
        account = self._account(request, object_id)
        others = [str(PauseReason(one).label) for one in account.pause_reasons if one != "locked"]
        effect = (
            f"Services stay paused for another reason: {', '.join(others)}."
            if others
            else "Services resume at once. The customer is told by e-mail."
        )
        confirmation = Confirmation(
            title="Unlock services",
            effect=effect,
            act=lambda by, wish: _unlock(account, by, wish["reason"]),
        )
        return confirm(request, confirmation, site=self.admin_site, target=account)  # type: ignore[attr-defined]

    def _account(self, request: HttpRequest, object_id: str) -> Account:
        account = Account.objects.filter(pk=account_id(object_id)).first()
        if account is None:
            raise Http404("No such account.")
        return account

    def _back_to(self, account: Account) -> HttpResponseRedirect:
        return HttpResponseRedirect(reverse("admin:accounts_account_change", args=[account.pk]))

    def _adjust_page(
        self,
        request: HttpRequest,
        account: Account,
        form: AdjustmentForm,
        effect: AdjustmentEffect | None = None,
        *,
        waits: bool = False,
    ) -> TemplateResponse:
        wallet = Wallet.objects.filter(account=account).first()
        context = {
            "form": form,
            "effect": effect,
            # Not read from the form in the template: inside a button, `form` is its form's id.
            "verb": "Deduct" if form["direction"].value() == "deduct" else "Add",
            "balance": format_usd(wallet.balance) if wallet else None,
            "last_adjustment": newest_adjustment(account),
            "request_key": uuid4(),
            "waits": waits,
            "limit": format_usd(adjustment_limit(cast(User, request.user))),
            "waiting": [
                (format_usd(one.amount), one.reason, one.requested_by)
                for one in ApprovalRequest.objects.filter(
                    account=account, state=ApprovalState.REQUESTED
                ).select_related("requested_by")
            ],
        }
        return self._page(request, account, "Adjust credit", "admin/adjust_credit.html", context)

    def _page(
        self,
        request: HttpRequest,
        account: Account,
        title: str,
        template: str,
        context: dict[str, Any],
    ) -> TemplateResponse:
        site = self.admin_site  # type: ignore[attr-defined]
        return TemplateResponse(
            request,
            template,
            {
                **site.each_context(request),
                "title": f"{title}: {account}",
                "heading": title,
                "opts": Account._meta,
                "original": account,
                "account": account,
                "back_url": reverse("admin:accounts_account_change", args=[account.pk]),
                **context,
            },
        )


def _lock(account: Account, by: User, reason: str) -> str:
    """Lock; return what to say."""
    service_locks.lock(account_id=account.pk, reason=reason, by=by, now=timezone.now())
    return "Services are locked."


def _unlock(account: Account, by: User, reason: str) -> str:
    """Unlock; return what to say."""
    service_locks.unlock(account_id=account.pk, reason=reason, by=by, now=timezone.now())
    return "Services are unlocked."


def account_id(text: str) -> UUID:
    """Return the id in an address; the nil UUID, which no account has, when it is none."""
    try:
        return UUID(text)
    except ValueError:
        return UUID(int=0)
