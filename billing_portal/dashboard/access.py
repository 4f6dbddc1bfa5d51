"""Who is asking, for which account, and whether they may change anything."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase, HttpResponseRedirectBase
from django.shortcuts import get_object_or_404, redirect, render, resolve_url
from django.utils.cache import add_never_cache_headers
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from accounts.event_log import speak_of
from accounts.models import Account, Membership, User
from accounts.roles import Role, may_act, may_manage
from billing_portal.dashboard.viewing import viewing_of
from invoices.models import Transaction

#: Where the session remembers which account a member of several is looking at.
SESSION_ACCOUNT = "account_id"


@dataclass(frozen=True)
class Member:
    """A signed-in user in the account they are looking at."""

    user: User
    membership: Membership
    memberships: tuple[Membership, ...]

    @property
    def account(self) -> Account:
        """The account whose pages are shown."""
        return self.membership.account

    @property
    def may_act(self) -> bool:
        """Whether this member may pay or change anything."""
        return may_act(self.membership.role)

    @property
    def may_manage(self) -> bool:
        """Whether this member decides who else may come in."""
        return may_manage(self.membership.role)


class MemberRequest(HttpRequest):
    """A request that passed `member_page`."""

    member: Member
    user: User
    htmx: HtmxDetails


MemberView = Callable[..., HttpResponseBase]


def find_member(request: HttpRequest) -> Member | None:
    """Return the member behind the request: the account of the session, else the first one.

    An account that was chosen earlier and left since is forgotten. Staff who view a customer's
    dashboard are shown that one as its owner, and are refused whatever is no page (viewing.py).
    """
    user = request.user
    if not isinstance(user, User):
        return None
    if (viewed := viewing_of(request)) is not None:
        owner = Membership(account=viewed.account, user=user, role=Role.OWNER)
        return Member(user=user, membership=owner, memberships=(owner,))
    memberships = tuple(
        Membership.objects.filter(user=user)
        .select_related("account")
        .order_by("account__name", "account_id")
    )
    if not memberships:
        return None
    chosen = request.session.get(SESSION_ACCOUNT)
    # Until one is chosen: the account they have been a member of for longest.
    first = min(memberships, key=lambda membership: (membership.created_at, membership.pk))
    current = next((m for m in memberships if str(m.account_id) == chosen), first)
    return Member(user=user, membership=current, memberships=memberships)


def choose_account(request: MemberRequest, *, account_id: str) -> Account | None:
    """Look at another account from now on; None when the user is not a member of it."""
    try:
        wanted = uuid.UUID(account_id)
    except ValueError:
        return None
    for membership in request.member.memberships:
        if membership.account_id == wanted:
            request.session[SESSION_ACCOUNT] = str(wanted)
            return membership.account
    return None


def enter_account(request: MemberRequest, account_id: uuid.UUID) -> None:
    """Look at another account of this member for the rest of the request, and from now on.

    A link in an e-mail and the way back from Stripe lead to a payment of one account, whichever
    the member looks at by then. Raises Http404 when the user is not a member of it.
    """
    if choose_account(request, account_id=str(account_id)) is None:
        raise Http404
    membership = next(m for m in request.member.memberships if m.account_id == account_id)
    request.member = replace(request.member, membership=membership)


def own_transaction(request: MemberRequest, **reference: str) -> Transaction:
    """Return the transaction of any account of this member, and enter that account. 404 if none."""
    accounts = [membership.account_id for membership in request.member.memberships]
    transaction = get_object_or_404(
        Transaction.objects.select_related("account", "card", "opened_by", "supersedes"),
        account__in=accounts,
        **reference,
    )
    if transaction.account_id != request.member.account.pk:
        enter_account(request, transaction.account_id)
    return transaction


def member_page(view: MemberView) -> MemberView:
    """Let members in. Staff without an account go to the admin, others are told why not."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        htmx = HtmxDetails(request)
        if htmx and not request.user.is_authenticated:
            if request.method == "POST":
                # What was typed stays on its page (static/js/post.js).
                return HttpResponse(status=401)
            # The session ended: the whole page is to sign in again, not the part asked for.
            back = urlencode({"next": htmx.current_url_abs_path or request.path})
            return HttpResponseClientRedirect(f"{resolve_url(settings.LOGIN_URL)}?{back}")
        response = signed_in(request, *args, **kwargs)
        if htmx and request.method == "POST" and isinstance(response, HttpResponseRedirectBase):
            # Followed by a script, the next page would be read by it, and its messages with it.
            response.headers["HX-Redirect"] = response.url
            del response.headers["location"]
            response.status_code = 200
        return response

    @wraps(view)
    @login_required
    def signed_in(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        member = find_member(request)
        if member is None:
            if request.user.is_staff:
                return redirect("admin:index")
            return render(request, "dashboard/no_account.html", status=403)
        request.member = member  # type: ignore[attr-defined]
        speak_of(account=member.account.pk, user=member.user.pk)
        response = view(request, *args, **kwargs)
        # Figures of money: neither a proxy nor the Back button may show old ones.
        add_never_cache_headers(response)
        return response

    return wrapped


def acting_page(view: MemberView) -> MemberView:
    """Let only members in who may change things: the button is absent, and this is the lock."""

    @wraps(view)
    def wrapped(request: MemberRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.member.may_act:
            raise PermissionDenied(_("This role may look, not change."))
        return view(request, *args, **kwargs)

    return member_page(wrapped)


def managing_page(view: MemberView) -> MemberView:
    """Let only owners in, who manage members and API keys."""

    @wraps(view)
    def wrapped(request: MemberRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.member.may_manage:
            raise PermissionDenied(_("Only owners manage this."))
        return view(request, *args, **kwargs)

    return member_page(wrapped)


def form_action(*, page: str) -> Callable[[MemberView], MemberView]:
    """Take what a form posts; who comes to its address in another way is shown `page`.

    They do: signing in again leads back to the address that a form of a page left open was posted
    to, and so does the address bar once a form was answered with its errors.
    """

    def decorate(view: MemberView) -> MemberView:
        only_posts = require_POST(view)

        @wraps(view)
        def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method in ("GET", "HEAD"):
                return redirect(page)
            return only_posts(request, *args, **kwargs)

        return wrapped

    return decorate
