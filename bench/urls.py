"""The portal's addresses, and two views that it is measured against."""

from django.http import HttpResponse
from django.urls import include, path
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api_views import ApiView
from accounts.models import Scope
from bench import orm_loop


class NothingView(ApiView):
    """Authenticates, counts the request against its limit, and does nothing."""

    throttle_scope = "usage"
    scopes = {"POST": Scope.USAGE_WRITE}

    def post(self, request: Request) -> HttpResponse:
        """Answer."""
        return HttpResponse(b"{}", content_type="application/json")


class OrmView(ApiView):
    """Rates one record at a time through the ORM."""

    throttle_scope = "usage"
    scopes = {"POST": Scope.USAGE_WRITE}

    def post(self, request: Request) -> Response:
        """Rate, and answer."""
        return Response(orm_loop.rate(request._request.body))


urlpatterns = [
    path("bench/nothing/", NothingView.as_view()),
    path("bench/orm/", OrmView.as_view()),
    path("", include("billing_portal.urls")),
]
