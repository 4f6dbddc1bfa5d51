"""Signs a person out everywhere, on the page of a user."""

from typing import Any, cast

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from unfold.decorators import action
from unfold.enums import ActionVariant

from accounts import sign_outs
from accounts.models import User
from billing_portal.admin.confirmed import Confirmation, confirm


class SignOutActionMixin:
    """The button above a user, and the page behind it."""

    # A method, for the reason given at has_adjust_credit_permission.
    def has_sign_out_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Whoever may end sessions."""
        return cast(User, request.user).has_perm("accounts.end_sessions")

    @action(
        description="Sign out everywhere",
        url_path="sign-out",
        permissions=["sign_out"],
        icon="logout",
        variant=ActionVariant.DANGER,
    )
    def sign_out(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """End all sessions of the person."""
        person: User | None = self.get_object(request, object_id)  # type: ignore[attr-defined]
        if person is None:
            raise Http404("No such user.")
        by = cast(User, request.user)
        if person.is_staff and not by.has_perm("accounts.manage_staff"):
            raise PermissionDenied("Only who manages staff signs a colleague out.")
        confirmation = Confirmation(
            title="Sign out everywhere",
            effect=(
                f"Every browser in which {person.email} is signed in is signed out at once. The "
                "password and the second factor stay as they are: if somebody may know the "
                "password, have it reset as well."
            ),
            act=lambda by, wish: _sign_out(person, by, wish),
            seen=str(person.session_generation),
            danger=True,
        )
        return confirm(request, confirmation, site=self.admin_site, target=person)  # type: ignore[attr-defined]


def _sign_out(person: User, by: User, wish: dict[str, Any]) -> str:
    """End the sessions; return what to say."""
    sign_outs.sign_out_everywhere(user=person, by=by, reason=wish["reason"], now=timezone.now())
    return f"{person.email} is signed out everywhere."
