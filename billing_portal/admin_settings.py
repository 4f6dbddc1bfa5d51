"""How the admin is set: django-unfold's settings."""

from django.templatetags.static import static
from django.urls import reverse_lazy

UNFOLD = {
    "SITE_TITLE": "Billing support",
    "SITE_HEADER": "Billing support",
    "SITE_SUBHEADER": "All times in UTC",
    "COLORS": {"primary": "billing_portal.admin.navigation.brand_colours"},
    "SITE_URL": "/",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SITE_ICON": lambda request: static("brand/mark.svg"),
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("brand/mark.svg")}
    ],
    "STYLES": [lambda request: static("css/admin.css")],
    "SCRIPTS": [lambda request: static("js/admin-search.js")],
    "DASHBOARD_CALLBACK": "billing_portal.admin.front_page.dashboard",
    "COMMAND": {"search_callback": "billing_portal.admin.search.palette"},
    "ACCOUNT": {
        "navigation": [{"title": "Second factor", "link": reverse_lazy("mfa_index")}],
    },
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "show_all_applications": False,
        "navigation": "billing_portal.admin.navigation.sidebar",
    },
}
