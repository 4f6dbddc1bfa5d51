"""The sidebar: what a person may open, in the words of the trade."""

from functools import cache
from typing import Any, cast

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from billing_portal.admin import month_end
from wallet import approvals

APPROVALS = "Approvals"
#: Group, whether it folds, then: title, model, icon.
GROUPS: list[tuple[str, bool, list[tuple[str, str, str]]]] = [
    (
        "Customers",
        False,
        [
            ("Accounts", "accounts.account", "apartment"),
            ("Subscriptions", "plans.subscription", "autorenew"),
            ("Plan changes", "plans.planchange", "swap_horiz"),
            ("Rentals", "plans.rental", "dialpad"),
            ("People", "accounts.user", "person"),
            ("Invitations", "accounts.invitation", "mail_lock"),
        ],
    ),
    (
        "Payments",
        False,
        [
            ("Payments", "invoices.transaction", "receipt_long"),
            ("Renewals", "plans.renewal", "event_repeat"),
            ("Refunds", "invoices.refund", "undo"),
            ("Disputes", "invoices.dispute", "gavel"),
            ("Cards", "accounts.card", "credit_card"),
            ("Card attempts", "accounts.cardattempt", "gpp_maybe"),
        ],
    ),
    (
        "Credit and usage",
        False,
        [
            ("Ledger entries", "wallet.entry", "list_alt"),
            ("Balances", "wallet.wallet", "account_balance_wallet"),
            ("Adjustments", "wallet.adjustment", "price_change"),
            (APPROVALS, "wallet.approvalrequest", "verified_user"),
            ("Auto-refill", "wallet.autorefill", "sync"),
            ("Auto-refill consents", "wallet.autorefillconsent", "approval"),
            ("Usage records", "plans.usagerecord", "call"),
            ("Allowances", "plans.allowance", "donut_large"),
        ],
    ),
    (
        "Sent to customers",
        False,
        [
            ("E-mails and events", "accounts.message", "outgoing_mail"),
            ("Delivery log", "accounts.deliveryattempt", "forward_to_inbox"),
        ],
    ),
    (
        "Plans and prices",
        True,
        [
            ("Plans", "plans.plan", "sell"),
            ("Versions", "plans.planversion", "layers"),
            ("Features", "plans.feature", "category"),
            ("Subscriber moves", "plans.subscribermove", "move_down"),
        ],
    ),
    (
        "Books",
        True,
        [
            ("Days of the business", "billing_portal.businessday", "monitoring"),
            ("Audits", "billing_portal.auditreport", "verified"),
            ("Differences from Stripe", "invoices.reconciliationfinding", "report"),
            ("Nights compared with Stripe", "invoices.reconciliationrun", "rule"),
        ],
    ),
    (
        "Staff and access",
        True,
        [
            ("Audit trail", "accounts.auditevent", "history"),
            ("API keys", "accounts.apikey", "key"),
            ("Roles", "auth.group", "groups"),
            ("Second factors", "mfa.authenticator", "phonelink_lock"),
            ("Sign-in addresses", "account.emailaddress", "alternate_email"),
        ],
    ),
    (
        "Scheduled jobs",
        True,
        [
            ("Jobs", "django_celery_beat.periodictask", "schedule"),
            ("Heartbeats", "billing_portal.heartbeat", "monitor_heart"),
            ("Intervals", "django_celery_beat.intervalschedule", "timer"),
            ("Times of the clock", "django_celery_beat.crontabschedule", "calendar_month"),
        ],
    ),
    (
        "What Stripe says",
        True,
        [
            ("Payment intents", "djstripe.paymentintent", "payments"),
            ("Charges", "djstripe.charge", "receipt"),
            ("Refunds", "djstripe.refund", "undo"),
            ("Disputes", "djstripe.dispute", "gavel"),
            ("Balance transactions", "djstripe.balancetransaction", "account_balance"),
            ("Customers", "djstripe.customer", "group"),
            ("Payment methods", "djstripe.paymentmethod", "credit_card"),
            ("Setup intents", "djstripe.setupintent", "add_card"),
            ("Checkout sessions", "djstripe.session", "shopping_cart"),
            ("Events", "djstripe.event", "bolt"),
            ("Webhook deliveries", "djstripe.webhookeventtrigger", "webhook"),
            ("Webhook endpoints", "djstripe.webhookendpoint", "link"),
            ("Stripe accounts", "djstripe.account", "domain"),
        ],
    ),
]


#: The portal's brand colour (static/css/tokens.css) in the steps unfold uses.
_BRAND = {
    "50": "#eef0fe",
    "100": "#e0e3fd",
    "200": "#c9cdfa",
    "300": "#a7adfb",
    "400": "#9aa1fd",
    "500": "#838bfb",
    "600": "#4338ca",
    "700": "#372fb0",
    "800": "#2f2a8a",
    "900": "#26236a",
    "950": "#1d2043",
}


_MONTH_END = {"title": "Month-end report", "icon": "menu_book"}


def brand_colours(request: HttpRequest) -> dict[str, str]:
    """Return the shades of the admin's one colour."""
    return dict(_BRAND)


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the groups with what this user may open; empty groups are left out."""
    admins = {model._meta.label_lower: site for model, site in admin.site._registry.items()}
    front: dict[str, Any] = {
        "items": [{"title": "Front page", "icon": "home", "link": reverse("admin:index")}]
    }
    groups = [front]
    for title, collapsible, entries in GROUPS:
        items: list[dict[str, Any]] = [
            {
                "title": text,
                "icon": icon,
                "link": _list_url(label),
                "active": request.path.startswith(_list_url(label)),
            }
            for text, label, icon in entries
            if label in admins and admins[label].has_view_or_change_permission(request)
        ]
        for item in items:
            if item["title"] == APPROVALS and (waiting := _waiting(request)):
                item |= {"badge": str(waiting), "badge_variant": "warning"}
        if title == "Books" and cast(User, request.user).has_perm(month_end.PERMISSION):
            items.insert(0, _MONTH_END | {"link": reverse("admin:wallet_entry_month_end")})
        if items:
            groups.append(
                {"title": title, "separator": True, "collapsible": collapsible, "items": items}
            )
    return groups


def _waiting(request: HttpRequest) -> int:
    """Count what this person may decide on."""
    return approvals.waiting_for(cast(User, request.user), now=timezone.now()).count()


@cache
def _list_url(label: str) -> str:
    return reverse(f"admin:{label.replace('.', '_')}_changelist")
