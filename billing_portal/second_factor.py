"""Staff use a second factor: an authenticator app, or a passkey.

With STAFF_NEED_SECOND_FACTOR on, a person of staff who signed in with their password alone opens
nothing but the pages that let them prove themselves: whoever has no second factor sets one up,
whoever has one uses it. It must have been used in this very session, and must still be theirs, so
one that was lost and taken away ends what was opened with it.
"""

from collections.abc import Callable
from typing import Any, cast

from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added, authenticator_used
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from accounts.models import User

#: In the session: the authenticator that was used in it.
_USED = "second_factor"

#: What recovery codes stand in for. They are none by themselves.
_FACTORS = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]

#: No person's session is read there: programs sign in with a key of their own.
NOT_FOR_PEOPLE = ("/api/v1/", "/stripe/", "/static/", "/healthz", "/readyz", "/metrics")
_ALWAYS_OPEN = frozenset({"account_logout", "set-language"})
_TO_USE_ONE = frozenset({"mfa_reauthenticate", "mfa_reauthenticate_webauthn"})
_TO_SET_ONE_UP = frozenset(
    {"mfa_index", "mfa_activate_totp", "mfa_add_webauthn", "account_reauthenticate"}
)


def connect() -> None:
    """Remember in the session which second factor was used or set up in it."""
    authenticator_used.connect(_was_used)
    authenticator_added.connect(_was_set_up)


def _was_used(request: HttpRequest, authenticator: Authenticator, **kwargs: Any) -> None:
    request.session[_USED] = authenticator.pk


def _was_set_up(request: HttpRequest, authenticator: Authenticator, **kwargs: Any) -> None:
    """Whoever sets one up proves that they have it; recovery codes are only handed out."""
    if authenticator.type in _FACTORS:
        request.session[_USED] = authenticator.pk


def is_needed(user: User | AnonymousUser) -> bool:
    """Return whether this person may do nothing without a second factor."""
    return bool(settings.STAFF_NEED_SECOND_FACTOR and (user.is_staff or user.is_superuser))


class SecondFactorMiddleware:
    """Keeps staff who have not used their second factor from every page but those for that."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        """Go before what answers."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Let the request on: which page it asks for is known when the view is."""
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, arguments: Any, named: Any
    ) -> HttpResponseBase | None:
        """Send whoever has not proved themselves to where they can."""
        if request.path.startswith(NOT_FOR_PEOPLE) or not is_needed(request.user):
            return None
        page = request.resolver_match.view_name if request.resolver_match else ""
        if page in _ALWAYS_OPEN:
            return None
        theirs = Authenticator.objects.filter(user=cast(User, request.user))
        kinds = dict(theirs.values_list("pk", "type"))
        if request.session.get(_USED) in kinds:
            return None
        if Authenticator.Type.TOTP in kinds.values():
            return None if page in _TO_USE_ONE else _go_to("mfa_reauthenticate", request)
        if Authenticator.Type.WEBAUTHN in kinds.values():
            return None if page in _TO_USE_ONE else _go_to("mfa_reauthenticate_webauthn", request)
        if page in _TO_SET_ONE_UP:
            return None
        messages.info(
            request,
            _(
                "Staff sign in with a second factor. Set up an authenticator app or a security "
                "key; then the support desk opens."
            ),
        )
        return HttpResponseRedirect(reverse("mfa_index"))


def _go_to(page: str, request: HttpRequest) -> HttpResponseRedirect:
    back = request.get_full_path() if request.method == "GET" else reverse("admin:index")
    return HttpResponseRedirect(f"{reverse(page)}?{urlencode({REDIRECT_FIELD_NAME: back})}")
