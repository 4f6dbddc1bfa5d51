"""Staff who view the dashboard as a customer: everything is shown, nothing can be done.

The session remembers whose dashboard and until when. It never gives a membership: pages are shown
as to an owner, and whatever else than a page is asked for is refused before any view is reached.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.signals import user_logged_out
from django.core.exceptions import PermissionDenied
from django.dispatch import receiver
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _

from accounts import customer_views
from accounts.models import Account, User

PERMISSION = "accounts.view_as_customer"
#: Where the session remembers what is viewed.
SESSION_VIEW = "viewed_customer"
#: Pages that ask Stripe for something or hold a secret, and those of one's own sign-in.
NOT_VIEWED = frozenset(
    {"change-email", "confirm-email", "payment-confirm", "sign-in", "top-up-return"}
)
_READING = ("GET", "HEAD", "OPTIONS")
#: Where the session means nothing, or staff themselves.
_ELSEWHERE = ("/admin/", "/api/", "/static/", "/stripe/", "/mailbox/")


@dataclass(frozen=True, slots=True)
class Viewing:
    """Whose dashboard is viewed, by whom, and until when."""

    account: Account
    by: User
    until: datetime

    @property
    def until_words(self) -> str:
        """When it ends, in UTC as all that staff read."""
        return f"{self.until:%H:%M} UTC"


def start(request: HttpRequest, *, account: Account, reason: str, now: datetime) -> None:
    """View this account's dashboard from now on, and no other. Raises ValidationError."""
    by = request.user
    assert isinstance(by, User)
    until = customer_views.begin(account=account, by=by, reason=reason, now=now)
    stop(request, how="another_viewed", now=now)
    request.session[SESSION_VIEW] = {
        "account": str(account.pk),
        "by": by.pk,
        "until": until.isoformat(),
    }


def stop(request: HttpRequest, *, how: str, now: datetime) -> Account | None:
    """View nothing any more; return whose dashboard it was."""
    kept = request.session.pop(SESSION_VIEW, None)
    if kept is None:
        return None
    account = Account.objects.filter(pk=UUID(kept["account"])).first()
    by = User.objects.filter(pk=kept["by"]).first()
    if account is not None and by is not None:
        customer_views.end(account=account, by=by, how=how, now=now)
    return account


def current(request: HttpRequest, *, now: datetime) -> Viewing | None:
    """Return what is viewed; a view that is over, or not allowed any more, ends here."""
    kept = request.session.get(SESSION_VIEW)
    if kept is None:
        return None
    until, by = datetime.fromisoformat(kept["until"]), request.user
    if now >= until:
        stop(request, how="expired", now=until)
        return None
    is_allowed = isinstance(by, User) and by.pk == kept["by"] and by.is_staff
    if not is_allowed or not by.has_perm(PERMISSION):
        stop(request, how="not_allowed", now=now)
        return None
    assert isinstance(by, User)
    account = Account.objects.filter(pk=UUID(kept["account"])).first()
    return Viewing(account, by, until) if account else None


class ViewingMiddleware:
    """Lets staff who view a customer's dashboard read, and refuses everything else."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        """Go before what answers."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Say on the request what is viewed."""
        is_elsewhere = request.path.startswith(_ELSEWHERE)
        viewing = None if is_elsewhere else current(request, now=timezone.now())
        request.viewing = viewing  # type: ignore[attr-defined]
        response = self.get_response(request)
        if viewing is not None:
            add_never_cache_headers(response)
        return response

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> None:
        """Refuse what is no reading of a page. Raises PermissionDenied."""
        if viewing_of(request) is None:
            return
        name = request.resolver_match.url_name if request.resolver_match else ""
        if request.method not in _READING and name != "account_logout":
            raise PermissionDenied(_("You only view this dashboard: nothing can be changed."))
        if name in NOT_VIEWED:
            raise PermissionDenied(_("This page is the customer's own: it is not shown."))


def viewing_of(request: HttpRequest) -> Viewing | None:
    """Return what is viewed with this request."""
    found: Viewing | None = getattr(request, "viewing", None)
    return found


@receiver(user_logged_out)
def end_with_the_session(sender: object, request: HttpRequest | None, **_: object) -> None:
    """Whoever signs out views nothing any more."""
    if request is not None and hasattr(request, "session"):
        stop(request, how="signed_out", now=timezone.now())
