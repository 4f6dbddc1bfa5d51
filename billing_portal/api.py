"""The REST API: every call of DESIGN.md section 8 under `/api/v1/`, its schema and its docs."""

from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from accounts import api_schema  # noqa: F401  (registers how keys appear in the schema)
from accounts.api_views import NotFoundView
from invoices.api import TransactionsView
from plans.api_accounts import AccountsView, AccountView
from plans.api_allowances import AllowancesView
from plans.api_authorization import AuthorizationView
from plans.api_catalogue import FeaturesView, PlansView
from plans.api_rentals import RentalsView, RentalView
from plans.api_usage import ReportUsageView, UsageView
from wallet.api import EntriesView

calls = [
    path("usage/", ReportUsageView.as_view(), name="report-usage"),
    path("accounts/", AccountsView.as_view(), name="accounts"),
    path("accounts/<str:id>/", AccountView.as_view(), name="account"),
    path("accounts/<str:id>/authorization/", AuthorizationView.as_view(), name="authorization"),
    path("accounts/<str:id>/entries/", EntriesView.as_view(), name="entries"),
    path("accounts/<str:id>/transactions/", TransactionsView.as_view(), name="transactions"),
    path("accounts/<str:id>/usage/", UsageView.as_view(), name="usage"),
    path("accounts/<str:id>/allowances/", AllowancesView.as_view(), name="allowances"),
    path("accounts/<str:id>/rentals/", RentalsView.as_view(), name="rentals"),
    path("accounts/<str:id>/rentals/<str:feature>/", RentalView.as_view(), name="rental"),
    path("plans/", PlansView.as_view(), name="plans"),
    path("features/", FeaturesView.as_view(), name="features"),
]

urlpatterns = [
    path("v1/", include((calls, "api"))),
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("docs/", SpectacularSwaggerView.as_view(url_name="api-schema"), name="api-docs"),
    re_path(r"^v1/.*$", NotFoundView.as_view()),
]
