"""What the API's schema says of every call: its key and scope, its errors."""

from typing import Any, Final

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers


class ErrorSerializer(serializers.Serializer[Any]):
    """The shape of every error."""

    code = serializers.CharField(help_text="What went wrong, for a program.")
    detail = serializers.CharField(help_text="What went wrong and what to do, for a person.")
    fields = serializers.DictField(  # type: ignore[assignment]
        help_text="For an invalid request: what is wrong with each field."
    )


class ApiKeyScheme(OpenApiAuthenticationExtension):
    """Tells drf-spectacular about our keys."""

    target_class = "accounts.api.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return the scheme of the schema."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "bp_<prefix>_<secret>"}


def _header(description: str, pattern: str) -> dict[str, Any]:
    schema = {"type": "string", "pattern": pattern}
    return {"description": description, "required": True, "schema": schema}


#: What comes with answers; referred to by name.
HEADERS: Final[dict[str, Any]] = {
    "RateLimit-Policy": _header(
        'The key\'s limit: `"usage";q=12000;w=60`, 12,000 requests in 60 seconds.',
        r'^"[a-z]+";q=[0-9]+;w=[0-9]+$',
    ),
    "RateLimit": _header(
        'What is left of it: `"usage";r=11999;t=23`, 11,999 in the next 23 seconds.',
        r'^"[a-z]+";r=[0-9]+;t=[0-9]+$',
    ),
    "Retry-After": _header("Seconds to wait.", "^[0-9]+$"),
    "WWW-Authenticate": _header("How to authenticate, or which scope is missing.", "^Bearer"),
    "ETag": _header("Names this content: send it as `If-None-Match`.", '^".+"$'),
}


def add_headers(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Put the headers into the schema, where the calls refer to them."""
    result["components"]["headers"] = HEADERS
    return result


def _headers_of(status: str, *, has_etag: bool) -> list[str]:
    """Return which headers an answer always has."""
    if status in ("401", "403"):
        return ["WWW-Authenticate"]
    if status == "503":
        return ["Retry-After"]
    headers = ["RateLimit-Policy", "RateLimit"]
    if status == "429":
        headers.append("Retry-After")
    if has_etag and status in ("200", "304"):
        headers.append("ETag")
    return headers


IF_NONE_MATCH: Final = OpenApiParameter(
    "If-None-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The `ETag` of what you have: the answer is 304 while it is as it was.",
)


class CallSchema(AutoSchema):
    """Says at each call which scope its key needs, what may be asked and what is answered."""

    def get_override_parameters(self) -> list[Any]:
        """Return what every call takes and tells, and the call's own query parameters."""
        own = self.view.parameters.get(self.method)  # type: ignore[attr-defined]
        revalidated = [IF_NONE_MATCH] if self._has_etag() else []
        return [*super().get_override_parameters(), *revalidated, *([own] if own else [])]

    def _has_etag(self) -> bool:
        return self.method == "GET" and self.view.has_etag  # type: ignore[attr-defined]

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        """Return the operation, with what every call has in common."""
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        scope = self.view.scopes.get(self.method)  # type: ignore[attr-defined]
        needs = f"Needs the scope `{scope}`." if scope else "Needs a key, of whatever scope."
        operation["description"] = f"{operation.get('description', '')}\n\n{needs}".strip()
        if scope is None:
            del operation["responses"]["403"]
        else:
            operation["responses"]["403"]["description"] = f"The key lacks the scope `{scope}`."
        if self.method in ("POST", "PUT"):
            operation["requestBody"]["required"] = True
        if self._has_etag():
            operation["responses"]["304"] = {"description": "It is as it was."}
        for status, response in operation["responses"].items():
            for name in _headers_of(status, has_etag=self._has_etag()):
                header = {"$ref": f"#/components/headers/{name}"}
                response.setdefault("headers", {})[name] = header
        return operation


_MEANINGS: Final = {
    400: "The request is not valid.",
    404: "There is no such thing.",
    409: "It contradicts what is there.",
    411: "The body came without a length.",
    413: "The body is too large.",
    415: "The body is of a type, or compressed in a way, that the call does not read.",
}


def errors(*statuses: int) -> dict[int, Any]:
    """Return the responses of a call that fails with `statuses`, besides those any call has."""
    responses = {status: OpenApiResponse(ErrorSerializer, _MEANINGS[status]) for status in statuses}
    return {
        **responses,
        401: OpenApiResponse(ErrorSerializer, "The key is missing, wrong, expired or revoked."),
        403: OpenApiResponse(ErrorSerializer, "The key lacks the scope."),
        429: OpenApiResponse(ErrorSerializer, "Too many requests; see Retry-After."),
        503: OpenApiResponse(ErrorSerializer, "Not just now; nothing was lost, see Retry-After."),
    }


ACCOUNT_ID: Final = OpenApiParameter(
    "id",
    OpenApiTypes.STR,
    OpenApiParameter.PATH,
    description="The account's UUID, or `external:` and the platform's own id of it.",
)
