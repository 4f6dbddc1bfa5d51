"""What every call of the REST API shares: keys, scopes and the shape of errors.

The settings of DRF name what is here, so nothing here may import DRF's views: they are in
api_views.py.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig, ValidationError
from django.core.signals import got_request_exception
from django.http import Http404
from django.utils import timezone
from rest_framework import exceptions, status
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import api_keys, database_trouble
from accounts.event_log import speak_of
from accounts.models import ApiKey, Scope

if TYPE_CHECKING:
    from rest_framework.views import APIView

log = logging.getLogger("django.request")


@dataclass(frozen=True)
class ApiClient:
    """Who calls: the holder of a key."""

    key: ApiKey
    is_authenticated: bool = True


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer bp_<prefix>_<secret>`."""

    def authenticate(self, request: Request) -> tuple[ApiClient, ApiKey] | None:
        """Return who calls, or None without a header. Raises AuthenticationFailed."""
        header = get_authorization_header(request).decode("latin-1").split()
        if not header:
            return None
        if len(header) != 2 or header[0].lower() != "bearer":
            raise exceptions.AuthenticationFailed("Send the key as: Authorization: Bearer bp_…")
        key = api_keys.verify(token=header[1], now=timezone.now())
        if key is None:
            raise exceptions.AuthenticationFailed("The API key is wrong, expired or revoked.")
        speak_of(api_key=key.prefix)
        return ApiClient(key), key

    def authenticate_header(self, request: Request) -> str:
        """Say how to authenticate: this makes the answer a 401."""
        return "Bearer"


class InsufficientScope(exceptions.PermissionDenied):
    """The key may not do this. Answered as RFC 6750 says, with the scope that is missing."""

    default_code = "insufficient_scope"

    def __init__(self, scope: Scope) -> None:
        """Name the scope."""
        super().__init__(f"The key lacks the scope {scope.value}.")
        self.auth_header = f'Bearer error="insufficient_scope", scope="{scope.value}"'


class HasScope(BasePermission):
    """Lets a key do what its scopes say: the view's `scopes` name the one that a method needs."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Whether there is a key at all. Raises InsufficientScope when it may not do this."""
        if not isinstance(request.auth, ApiKey):
            return False
        scopes: Mapping[str, Scope] = getattr(view, "scopes", {})
        method = "GET" if request.method == "HEAD" else request.method or ""
        needed = scopes.get(method)
        if needed is not None and needed not in request.auth.scopes:
            raise InsufficientScope(needed)
        return True


class Conflict(exceptions.APIException):
    """What is asked for contradicts what is there."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = "This contradicts what is there already."
    default_code = "conflict"


class TooLarge(exceptions.APIException):
    """The body is larger than we read."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The body is too large."
    default_code = "body_too_large"


class Unavailable(exceptions.APIException):
    """The database is away for a moment, or has no room."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The portal can't do this just now. Send the request again in a moment."
    default_code = "unavailable"
    wait = database_trouble.RETRY_AFTER_SECONDS


#: DRF's own names, where ours are clearer.
_CODES = {"parse_error": "invalid_json", "invalid": "invalid_request"}


def exception_handler(error: Exception, context: dict[str, Any]) -> Response:
    """Answer every error as `{"code", "detail", "fields"}`."""
    failure = _as_api_exception(error)
    if failure is None:
        return _unexpected(error, context)
    headers = dict(getattr(failure, "headers", {}))
    if header := getattr(failure, "auth_header", None):
        headers["WWW-Authenticate"] = header
    if (wait := getattr(failure, "wait", None)) is not None:
        headers["Retry-After"] = str(max(1, int(wait)))
    return Response(_body(failure), status=failure.status_code, headers=headers)


def _as_api_exception(error: Exception) -> exceptions.APIException | None:
    if isinstance(error, exceptions.APIException):
        return error
    if isinstance(error, Http404):
        return exceptions.NotFound()
    if isinstance(error, PermissionDenied):
        return exceptions.PermissionDenied()
    if isinstance(error, RequestDataTooBig):
        return TooLarge(f"The body is larger than {settings.DATA_UPLOAD_MAX_MEMORY_SIZE:,} bytes.")
    if isinstance(error, ValidationError):
        fields = error.message_dict if hasattr(error, "error_dict") else error.messages
        return exceptions.ValidationError(fields)
    if isinstance(error, database_trouble.TROUBLE):
        log.error("The database failed", exc_info=error)
        database_trouble.drop_dead_connections()
        return Unavailable()
    return None


def _body(failure: exceptions.APIException) -> dict[str, Any]:
    if isinstance(failure, exceptions.ValidationError):
        detail = failure.detail
        fields = detail if isinstance(detail, dict) else {"non_field_errors": detail}
        return {
            "code": "invalid_request",
            "detail": "The request is not valid; `fields` says what to change.",
            "fields": fields,
        }
    code = getattr(failure.detail, "code", None) or failure.default_code
    return {"code": _CODES.get(code, code), "detail": str(failure.detail), "fields": {}}


def _unexpected(error: Exception, context: dict[str, Any]) -> Response:
    """Log a fault of ours as Django would, and answer in the API's shape."""
    request = context["request"]._request
    got_request_exception.send(sender=exception_handler, request=request)
    log.error("Internal Server Error: %s", request.path, exc_info=error)
    return Response(
        {
            "code": "internal_error",
            "detail": "This is a fault of ours. Send the request again a little later.",
            "fields": {},
        },
        status=status.HTTP_500_INTERNAL_SERVER_ERROR,
    )
