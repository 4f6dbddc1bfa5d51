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


def _header(name: str, description: str, *statuses: int) -> OpenApiParameter:
    return OpenApiParameter(
        name,
        OpenApiTypes.STR,
        OpenApiParameter.HEADER,
        description=description,
        response=statuses or True,
    )


LIMIT_HEADERS: Final = (
    _header("RateLimit-Policy", 'The key\'s limit: `"usage";q=12000;w=60`.'),
    _header("RateLimit", 'What is left of it: `"usage";r=11999;t=23`.'),
    _header("Retry-After", "Seconds to wait.", 429),
    _header("WWW-Authenticate", "How to authenticate, or which scope is missing.", 401, 403),
)


class CallSchema(AutoSchema):
    """Says at each call which scope its key needs, what may be asked and what is answered."""

    def get_override_parameters(self) -> list[Any]:
        """Return what every call takes and tells, and the call's own query parameters."""
        own = self.view.parameters.get(self.method)  # type: ignore[attr-defined]
        return [*super().get_override_parameters(), *LIMIT_HEADERS, *([own] if own else [])]

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
    }


ACCOUNT_ID: Final = OpenApiParameter(
    "id",
    OpenApiTypes.STR,
    OpenApiParameter.PATH,
    description="The account's UUID, or `external:` and the platform's own id of it.",
)
