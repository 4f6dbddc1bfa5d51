"""Gives a colleague another role, or takes it away."""

from typing import Any, cast

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget

from accounts import staff_members
from accounts.models import User
from accounts.staff_groups import declared
from accounts.staff_roles import StaffRole, permissions_of
from billing_portal.admin.confirmed import ReasonField

_NONE = "No role: not let in"


class RoleForm(forms.Form):
    """Which role, and why.

    `seen` names the change that was shown: only that one is carried out, and only while it is still
    a change from the same role.
    """

    role = forms.ChoiceField(
        required=False,
        choices=[("", _NONE), *StaffRole.choices],
        widget=UnfoldAdminSelectWidget,
    )
    reason = ReasonField(help_text="For your colleagues: kept in the audit trail.")
    seen = forms.CharField(widget=forms.HiddenInput, required=False)

    def wanted(self) -> StaffRole | None:
        """Return the role that was chosen."""
        chosen: str = self.cleaned_data["role"]
        return StaffRole(chosen) if chosen else None


class RoleActionMixin:
    """The button above a person, and the page behind it."""

    # A method, for the reason given at has_adjust_credit_permission.
    def has_change_role_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Whoever manages staff."""
        return cast(User, request.user).has_perm("accounts.manage_staff")

    @action(
        description="Change role",
        url_path="change-role",
        permissions=["change_role"],
        icon="groups",
    )
    def change_role(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask which role and why, show what they gain and lose, and do it once."""
        person: User | None = self.get_object(request, object_id)  # type: ignore[attr-defined]
        if person is None:
            raise Http404("No such user.")
        by = cast(User, request.user)
        if person.is_superuser:
            raise PermissionDenied
        before = staff_members.role_of(person)
        form = RoleForm(request.POST or None, initial={"role": before or ""})
        effect = f"{person.email} has the role {before}." if before else f"{person.email}: {_NONE}."
        button = "Show what changes"
        if request.method == "POST" and form.is_valid():
            wanted = form.wanted()
            change = f"{before or 'none'} → {wanted or 'none'}"
            if form.cleaned_data["seen"] == change:
                try:
                    staff_members.change_role(
                        person=person,
                        role=wanted,
                        by=by,
                        reason=form.cleaned_data["reason"],
                        now=timezone.now(),
                    )
                except ValidationError as error:
                    form.add_error(None, error)
                else:
                    messages.success(request, f"{person.email}: {change}.")
                    return HttpResponseRedirect(
                        reverse("admin:accounts_user_change", args=[person.pk])
                    )
            else:
                effect = f"{change}. {_difference(before, wanted)}"
                button = "Change role"
                form = RoleForm({**form.cleaned_data, "seen": change})
        site = self.admin_site  # type: ignore[attr-defined]
        context: dict[str, Any] = {
            **site.each_context(request),
            "title": f"Change role: {person}",
            "heading": f"Change the role of {person}",
            "effect": effect,
            "button": button,
            "form": form,
            "opts": User._meta,
            "original": person,
            "back_url": reverse("admin:accounts_user_change", args=[person.pk]),
        }
        return TemplateResponse(request, "admin/note.html", context)


def _difference(before: StaffRole | None, after: StaffRole | None) -> str:
    had = set(permissions_of(before)) if before else set()
    has = set(permissions_of(after)) if after else set()
    parts = [
        f"{title}: {', '.join(sorted(declared(name)[2].removeprefix('Can ') for name in names))}."
        for title, names in (("They gain", has - had), ("They lose", had - has))
        if names
    ]
    return " ".join(parts) or "They gain and lose nothing."
