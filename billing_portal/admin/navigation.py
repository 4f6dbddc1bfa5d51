"""The sidebar: what a person may open, in the words of the trade."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

#: Group, then: title, model, icon.
GROUPS: list[tuple[str, bool, list[tuple[str, str, str]]]] = [
    (
        "Customers",
        False,
        [
            ("Accounts", "accounts.account", "apartment"),
            ("Subscriptions", "plans.subscription", "autorenew"),
            ("Cards", "accounts.card", "credit_card"),
            ("Card attempts", "accounts.cardattempt", "gpp_maybe"),
            ("Users", "accounts.user", "person"),
        ],
    ),
    (
        "Money",
        False,
        [
            ("Transactions", "invoices.transaction", "receipt_long"),
            ("Refunds", "invoices.refund", "undo"),
            ("Disputes", "invoices.dispute", "gavel"),
            ("Reconciliation", "invoices.reconciliationrun", "rule"),
            ("Findings", "invoices.reconciliationfinding", "report"),
            ("Entries", "wallet.entry", "list_alt"),
            ("Wallets", "wallet.wallet", "account_balance_wallet"),
            ("Adjustments", "wallet.adjustment", "price_change"),
            ("Auto-refill", "wallet.autorefill", "sync"),
            ("Auto-refill consents", "wallet.autorefillconsent", "approval"),
            ("Renewals", "plans.renewal", "event_repeat"),
            ("Plan changes", "plans.planchange", "swap_horiz"),
            ("Days of the business", "billing_portal.businessday", "monitoring"),
        ],
    ),
    (
        "Catalogue",
        False,
        [
            ("Plans", "plans.plan", "sell"),
            ("Versions", "plans.planversion", "layers"),
            ("Features", "plans.feature", "category"),
            ("Subscriber moves", "plans.subscribermove", "move_down"),
        ],
    ),
    (
        "Usage",
        False,
        [
            ("Usage records", "plans.usagerecord", "call"),
            ("Allowances", "plans.allowance", "donut_large"),
            ("Rentals", "plans.rental", "dialpad"),
        ],
    ),
    (
        "Operations",
        True,
        [
            ("Audit events", "accounts.auditevent", "history"),
            ("Outbox", "accounts.message", "outgoing_mail"),
            ("Delivery log", "accounts.deliveryattempt", "forward_to_inbox"),
            ("API keys", "accounts.apikey", "key"),
            ("Scheduled tasks", "django_celery_beat.periodictask", "schedule"),
            ("Intervals", "django_celery_beat.intervalschedule", "timer"),
            ("Crontabs", "django_celery_beat.crontabschedule", "calendar_month"),
            ("Clocked", "django_celery_beat.clockedschedule", "alarm"),
            ("Solar", "django_celery_beat.solarschedule", "wb_sunny"),
            ("Audits", "billing_portal.auditreport", "verified"),
            ("Heartbeats", "billing_portal.heartbeat", "monitor_heart"),
            ("Groups", "auth.group", "groups"),
            ("E-mail addresses", "account.emailaddress", "alternate_email"),
            ("Second factors", "mfa.authenticator", "phonelink_lock"),
        ],
    ),
    (
        "Stripe",
        True,
        [
            ("Customers", "djstripe.customer", "group"),
            ("Payment methods", "djstripe.paymentmethod", "credit_card"),
            ("Payment intents", "djstripe.paymentintent", "payments"),
            ("Setup intents", "djstripe.setupintent", "add_card"),
            ("Checkout sessions", "djstripe.session", "shopping_cart"),
            ("Charges", "djstripe.charge", "receipt"),
            ("Refunds", "djstripe.refund", "undo"),
            ("Disputes", "djstripe.dispute", "gavel"),
            ("Balance transactions", "djstripe.balancetransaction", "account_balance"),
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
        items = [
            {"title": text, "icon": icon, "link": _list_url(label)}
            for text, label, icon in entries
            if label in admins and admins[label].has_view_or_change_permission(request)
        ]
        if items:
            groups.append(
                {"title": title, "separator": True, "collapsible": collapsible, "items": items}
            )
    return groups


def _list_url(label: str) -> str:
    return reverse(f"admin:{label.replace('.', '_')}_changelist")
