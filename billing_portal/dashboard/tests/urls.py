"""The portal's addresses with the dashboard's, whatever else is mounted."""

from django.urls import include, path

from billing_portal import urls

urlpatterns = [
    path("billing/", include("billing_portal.dashboard.urls")),
    *urls.urlpatterns,
]
