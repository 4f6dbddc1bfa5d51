"""Pages and webhooks while the database, the cache or the mail server is away: 503, and when to try
again.

What the API answers then is in accounts/api.py.
"""

import sys
from collections.abc import Callable
from typing import Any, Final

from django.core.signals import got_request_exception
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.http import escape_leading_slashes
from django.utils.safestring import SafeString
from django.views.debug import ExceptionReporter
from redis.exceptions import RedisError

from accounts import database_trouble
from accounts.api import Unavailable
from accounts.emails import MailServerAway

#: Sign-ins are counted in the cache: while they can't be, nobody may try passwords.
#: A link for a new password is mailed while one waits for it.
_TROUBLE: Final = (*database_trouble.TROUBLE, RedisError, MailServerAway)
#: Whoever calls these is a program.
_PROGRAMS: Final = ("/api/", "/stripe/")


@receiver(got_request_exception)
def note_trouble(sender: Any, request: HttpRequest | None, **_: Any) -> None:
    """Note on the request what made it fail: a view, or what goes before it."""
    error = sys.exc_info()[1]
    if request is None or not isinstance(error, _TROUBLE):
        return
    request.is_unavailable = True  # type: ignore[attr-defined]
    request.exception_reporter_class = _NoReport
    if isinstance(error, database_trouble.TROUBLE):
        database_trouble.drop_dead_connections()


class UnavailableMiddleware:
    """Answers 503 where Django answers 500, when it passes and is worth asking again."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        """Go before all that asks the database."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Replace the answer to a request that failed for it."""
        response = self.get_response(request)
        if response.status_code != 500 or not getattr(request, "is_unavailable", False):
            return response
        unavailable = _for_a_program() if request.path.startswith(_PROGRAMS) else _page(request)
        unavailable.headers["Retry-After"] = str(database_trouble.RETRY_AFTER_SECONDS)
        unavailable.headers["Cache-Control"] = "no-store"
        return unavailable


def _for_a_program() -> HttpResponse:
    detail = str(Unavailable.default_detail)
    return JsonResponse({"code": Unavailable.default_code, "detail": detail}, status=503)


def _page(request: HttpRequest) -> HttpResponse:
    """The page needs no database: neither who reads it nor what they are a member of."""
    language = getattr(request, "LANGUAGE_CODE", None)
    is_page = request.method == "GET"
    context = {
        # What was sent is not sent again by a link: its form is one page back.
        "again": escape_leading_slashes(request.get_full_path()) if is_page else "",
        "is_billing": request.path.startswith("/billing/"),
        "is_desk": request.path.startswith("/admin/"),
    }
    with translation.override(language or translation.get_language_from_request(request)):
        return HttpResponse(render_to_string("503.html", context), status=503)


class _NoReport(ExceptionReporter):
    """With DEBUG on, Django would look into what failed, and wait for the database each time."""

    def get_traceback_html(self) -> SafeString:
        """Nothing: the page is replaced."""
        return SafeString()

    get_traceback_text = get_traceback_html
