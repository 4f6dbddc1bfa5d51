"""The base of the REST API's views: bodies of bounded size, pages, and how an account is found."""

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import IO, Any, ClassVar
from uuid import UUID

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, ValidationError
from django.db import DataError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response, set_response_etag
from rest_framework import exceptions
from rest_framework.generics import ListAPIView
from rest_framework.pagination import CursorPagination
from rest_framework.parsers import JSONParser
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from accounts import api_parameters, references
from accounts.api import HasScope
from accounts.api_limits import KeyThrottle
from accounts.api_parameters import PageParameters, Parameters
from accounts.models import Account, ApiKey, Scope


class BoundedJSONParser(JSONParser):
    """JSON, never more of it than DATA_UPLOAD_MAX_MEMORY_SIZE."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Parse the body. Raises ParseError, RequestDataTooBig."""
        length = getattr(stream, "META", {}).get("CONTENT_LENGTH") or 0
        if int(length) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise RequestDataTooBig
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError as error:
            raise exceptions.ParseError("The body is nested too deeply.") from error


class Pages(CursorPagination):
    """`{"next", "previous", "results"}`, in the view's `page_order`; `?page_size=` up to 200."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200

    def get_ordering(
        self, request: Request, queryset: QuerySet[Any], view: APIView
    ) -> tuple[str, ...]:
        """Return the view's order: the client chooses none."""
        return tuple(view.page_order)  # type: ignore[attr-defined]

    def paginate_queryset(
        self,
        queryset: QuerySet[Any] | Sequence[Any],
        request: Request,
        view: APIView | None = None,
    ) -> list[Any] | None:
        """Return the page of `queryset`. Raises NotFound for a cursor that is not ours."""
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValidationError, ValueError, OverflowError, DataError) as error:
            raise exceptions.NotFound(self.invalid_cursor_message) from error


class ApiView(APIView):
    """The base of every call."""

    #: What a key must be allowed to do, by method; a method that is not listed needs a key only.
    scopes: ClassVar[Mapping[str, Scope]] = {"GET": Scope.ACCOUNTS_READ}
    #: What may stand behind the question mark, by method; where nothing is listed, nothing may.
    parameters: ClassVar[Mapping[str, type[Parameters]]] = {}
    permission_classes: Sequence[type[BasePermission]] = (HasScope,)
    throttle_classes: Sequence[type[BaseThrottle]] = (KeyThrottle,)
    #: No call has OPTIONS: what there is to know is in the schema.
    http_method_names = ("get", "head", "post", "put", "patch")
    parser_classes = (BoundedJSONParser,)
    throttle_scope = "default"
    #: Whether a customer's key may ask although no account is named: the answer has only what is
    #: theirs or public. What names one in its address needs no word here: see `_keep_to_own`.
    is_for_customers = False
    #: Whether the answer to GET is named by its content, so that it need not be sent again.
    has_etag = False
    #: What stood there, checked.
    asked: Mapping[str, Any] = MappingProxyType({})
    _throttles: Sequence[BaseThrottle] = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check the key, its scopes and its limit, its account, then what is asked for."""
        super().initial(request, *args, **kwargs)
        if self.customer_id is not None:
            self._keep_to_own(self.customer_id)
        method = "GET" if request.method == "HEAD" else request.method or ""
        if hasattr(self, method.lower()):  # else it is answered with 405
            expected = self.parameters.get(method, Parameters)
            self.asked = api_parameters.read(request.query_params, expected)

    @property
    def customer_id(self) -> UUID | None:
        """The account that the key is bound to; None for the platform's, which reach them all."""
        key = self.request.auth
        return key.account_id if isinstance(key, ApiKey) else None

    def _keep_to_own(self, account_id: UUID) -> None:
        """Let a customer's key reach its own account and nothing else, whichever call it is.

        Another account does not exist for it, and a call that says nothing of customers is closed
        to them. Raises NotFound.
        """
        if "id" in self.kwargs:
            self.find_account(self.kwargs["id"], Account.objects.filter(pk=account_id))
            # What the call looks for from here on is this account, by whatever name it was asked.
            self.kwargs["id"] = str(account_id)
        elif not self.is_for_customers:
            raise exceptions.NotFound

    def get_throttles(self) -> Sequence[BaseThrottle]:  # type: ignore[override]
        """Return the throttles, kept for what they have to tell."""
        self._throttles = super().get_throttles()
        return self._throttles

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Tell with every answer what is left of the key's limit."""
        response = super().finalize_response(request, response, *args, **kwargs)
        for throttle in self._throttles:
            if isinstance(throttle, KeyThrottle) and throttle.allowed is not None:
                for name, value in throttle.allowed.headers().items():
                    response[name] = value
        if self.has_etag and request.method in ("GET", "HEAD") and response.status_code == 200:
            response.add_post_render_callback(partial(_revalidated, request._request))
        return response

    @staticmethod
    def find_account(name: str, accounts: QuerySet[Account] | None = None) -> Account:
        """Return the account called `name`: a UUID or `external:<external_id>`. Raises NotFound."""
        accounts = Account.objects.all() if accounts is None else accounts
        account_id, external_id = references.split(name)
        account = None
        if account_id is not None:
            account = accounts.filter(pk=account_id).first()
        elif external_id is not None:
            account = accounts.filter(external_id=external_id).first()
        if account is None:
            raise exceptions.NotFound("No account has this id.")
        return account


def _revalidated(request: HttpRequest, response: Response) -> HttpResponseBase:
    """Return the answer with its ETag, or 304 when the client has it already."""
    set_response_etag(response)
    etag = response["ETag"]
    answer = get_conditional_response(request, etag=etag, response=response)
    assert answer is not None
    for name in ("RateLimit", "RateLimit-Policy"):
        if name in response:
            answer[name] = response[name]
    answer["Cache-Control"] = "private, no-cache"
    return answer


class ListView(ApiView, ListAPIView[Any]):
    """The base of every list."""

    parameters: ClassVar[Mapping[str, type[Parameters]]] = {"GET": PageParameters}
    pagination_class = Pages
    page_order: Sequence[str] = ("-created_at", "-id")


class NotFoundView(ApiView):
    """Every address under the API that is no call."""

    schema = None
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Answer 404, whatever the method."""
        self.http_method_not_allowed = self._not_found  # type: ignore[method-assign]
        return super().dispatch(request, *args, **kwargs)

    def _not_found(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        raise exceptions.NotFound(
            "The API has no such address. Addresses end with a slash; see /api/docs/."
        )
