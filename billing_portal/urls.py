"""Every address of the portal (DESIGN.md section 8)."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="billing-overview")),
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
]
