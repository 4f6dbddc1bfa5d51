"""Every address of the portal (DESIGN.md section 8)."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from django.views.i18n import set_language

from accounts import webhooks
from billing_portal import health, mailbox
from billing_portal.dashboard.views import invitation

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("", RedirectView.as_view(pattern_name="billing-overview")),
    path("invitations/<str:token>/", invitation.invitation, name="invitation"),
    path("billing/", include("billing_portal.dashboard.urls")),
    path("admin/", admin.site.urls),
    # allauth's page would take an address unchecked; ours asks its mailbox.
    path("accounts/email/", RedirectView.as_view(pattern_name="sign-in")),
    path("accounts/", include("allauth.urls")),
    path("language/", set_language, name="set-language"),
    path("api/", include("billing_portal.api")),
    path("stripe/webhook/<uuid:uuid>/", webhooks.receive, name="stripe-webhook"),
]

if settings.MAILBOX_DIR:
    urlpatterns += [
        path("mailbox/", mailbox.mailbox, name="mailbox"),
        path("mailbox/<str:name>/", mailbox.letter, name="mailbox-letter"),
        path("mailbox/<str:name>/html/", mailbox.letter_html, name="mailbox-html"),
        path("mailbox/<str:name>/<int:number>/", mailbox.attachment, name="mailbox-attachment"),
    ]
