"""What can go wrong, as exceptions. All of them are a `PortalError`."""

from collections.abc import Mapping, Sequence
from typing import Any


class PortalError(Exception):
    """The base of all that this package raises about the portal."""


class Unreachable(PortalError):
    """No usable answer: no connection, a timeout, an answer cut off.

    The request may have reached the portal or not.
    """


class UnexpectedAnswer(Unreachable):
    """An answer that is not the portal's: a proxy's page, or JSON of another shape."""


class ApiError(PortalError):
    """The portal (or something before it) refused the request.

    `code` is for programs and empty when the answer was not the portal's own; `fields` says what
    is wrong with each field of an invalid request; `retry_after` is in seconds.
    """

    def __init__(
        self,
        *,
        status: int,
        code: str,
        detail: str,
        fields: Mapping[str, Sequence[Any]],
        retry_after: float | None,
    ) -> None:
        wrong = "".join(f"\n{field}: {' '.join(map(str, what))}" for field, what in fields.items())
        super().__init__(f"{status} {code or '(no code)'}: {detail}{wrong}")
        self.status = status
        self.code = code
        self.detail = detail
        self.fields = fields
        self.retry_after = retry_after


class InvalidRequest(ApiError):
    """400: a field or parameter is wrong; see `fields`."""


class NotAuthenticated(ApiError):
    """401: the key is missing, wrong, expired or revoked."""


class NotAllowed(ApiError):
    """403: the key may not do this."""


class NotFound(ApiError):
    """404: no such account, feature or address."""


class Conflict(ApiError):
    """409: it contradicts what is there, such as other content under the same external id."""


class TooLarge(ApiError):
    """413: send it in parts."""


class Throttled(ApiError):
    """429: too many requests; wait for `retry_after` seconds."""


class PortalFailed(ApiError):
    """5xx: the portal, or something before it, failed."""


_BY_STATUS: dict[int, type[ApiError]] = {
    400: InvalidRequest,
    401: NotAuthenticated,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    429: Throttled,
}


def for_status(status: int) -> type[ApiError]:
    """Return the exception that an HTTP status is raised as."""
    if status >= 500:
        return PortalFailed
    return _BY_STATUS.get(status, ApiError)
