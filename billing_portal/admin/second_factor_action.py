"""Takes away the second factor that somebody has lost."""

from typing import Any, cast

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from unfold.decorators import action
from unfold.enums import ActionVariant

from accounts import second_factors
from accounts.models import User
from billing_portal.admin.confirmed import Confirmation, ReasonField, ReasonForm, confirm


class LostFactorForm(ReasonForm):
    """How it was made sure that the right person asks."""

    reason = ReasonField(
        help_text="How you made sure that it is them who ask. Kept in the audit trail."
    )


class SecondFactorActionMixin:
    """The button above a user, and the page behind it."""

    # A method, for the reason given at has_adjust_credit_permission.
    def has_remove_second_factor_permission(
        self, request: HttpRequest, object_id: object = None
    ) -> bool:
        """Administrators."""
        return cast(User, request.user).has_perm("accounts.remove_second_factor")

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Offer it where there is something to remove; nothing of this to oneself."""
        actions: list[Any] = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        person = self.get_object(request, object_id)  # type: ignore[attr-defined]
        if person is None or person == request.user:
            return []
        if second_factors.of(person):
            return actions
        return [one for one in actions if not one.action_name.endswith("_remove_second_factor")]

    @action(
        description="Remove second factor",
        url_path="remove-second-factor",
        permissions=["remove_second_factor"],
        icon="phonelink_erase",
        variant=ActionVariant.DANGER,
    )
    def remove_second_factor(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, say what goes, and take it away."""
        person = self.get_object(request, object_id)  # type: ignore[attr-defined]
        if person is None:
            raise Http404("No such user.")
        by = cast(User, request.user)
        if person.is_superuser and not by.is_superuser:
            raise PermissionDenied
        confirmation = Confirmation(
            title="Remove second factor",
            effect=_effect(person),
            act=lambda by, wish: _remove(person, by, wish["reason"]),
            form_class=LostFactorForm,
            danger=True,
        )
        return confirm(request, confirmation, site=self.admin_site, target=person)  # type: ignore[attr-defined]


def _remove(person: User, by: User, reason: str) -> str:
    """Take it away; return what to say."""
    second_factors.remove(user=person, by=by, reason=reason, now=timezone.now())
    return f"{person.email} has no second factor any more."


def _effect(person: User) -> str:
    found = second_factors.of(person)
    if not found:
        return "There is none: nothing would be removed."
    effect = f"What goes: {', '.join(found)}."
    if person.is_staff:
        return (
            f"{effect} Their pages of the support desk close at once; with their password they set "
            "up a new one. If the password may be known, too, give them another first."
        )
    return f"{effect} Their password alone lets them in until they set up a new one."
