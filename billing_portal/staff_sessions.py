"""A session of staff ends: a working day after it began, and an hour after they last did anything.

A customer's lasts two weeks; staff can move everybody's money, so a laptop left open, or a stolen
cookie, is worth something for hours only (OWASP ASVS 5.0, V7.3). How long is in the settings.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.signals import user_logged_in
from django.contrib.auth.views import redirect_to_login
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from accounts.models import User
from billing_portal.second_factor import NOT_FOR_PEOPLE

log = structlog.get_logger(__name__)

#: In the session: when they signed in (or were first seen to be of staff), and used it last.
_BEGAN, _USED = "staff_began", "staff_used"
#: How exactly the latter is kept: each time it is written costs a statement.
_EXACTLY: Final = timedelta(minutes=1)


def connect() -> None:
    """Note when staff sign in, with all else that is kept of it."""
    user_logged_in.connect(_signed_in)


def _signed_in(request: HttpRequest, user: User, **kwargs: Any) -> None:
    if _is_staff(user):
        request.session[_BEGAN] = request.session[_USED] = timezone.now().isoformat()


def _is_staff(user: User | AnonymousUser) -> bool:
    return user.is_staff or user.is_superuser


class StaffSessionMiddleware:
    """Signs staff out whose session is over; they sign in again and are where they were."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        """Go after whatever knows who asks."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer, unless the session is over."""
        if request.path.startswith(NOT_FOR_PEOPLE):
            return self.get_response(request)
        if not _is_staff(request.user):
            return self.get_response(request)
        now = timezone.now()
        if _is_over(request.session, now):
            log.info("staff_session_ended", user=str(request.user.pk))
            logout(request)
            messages.info(request, _("You were signed out to be safe. Sign in again to go on."))
            return _to_signing_in(request)
        _note_use(request.session, now)
        return self.get_response(request)


def _to_signing_in(request: HttpRequest) -> HttpResponseBase:
    """Lead to the form, and from there back to the page that was being looked at."""
    htmx = HtmxDetails(request)
    if htmx:
        # The whole page is to sign in again, not the part asked for.
        back = redirect_to_login(htmx.current_url_abs_path or reverse("admin:index"))
        return HttpResponseClientRedirect(back["Location"])
    is_page = request.method == "GET"
    return redirect_to_login(request.get_full_path() if is_page else reverse("admin:index"))


def _is_over(session: SessionBase, now: datetime) -> bool:
    began, used = _moment(session, _BEGAN), _moment(session, _USED)
    if began is None or used is None:
        return False
    return now - began >= timedelta(hours=settings.STAFF_SESSION_HOURS) or now - used >= timedelta(
        minutes=settings.STAFF_IDLE_MINUTES
    )


def _note_use(session: SessionBase, now: datetime) -> None:
    session.setdefault(_BEGAN, now.isoformat())
    used = _moment(session, _USED)
    if used is None or now - used >= _EXACTLY:
        session[_USED] = now.isoformat()


def _moment(session: SessionBase, name: str) -> datetime | None:
    kept = session.get(name)
    return datetime.fromisoformat(kept) if kept else None
