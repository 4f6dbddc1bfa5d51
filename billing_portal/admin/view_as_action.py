"""View as customer: the dashboard as its owner sees it, to look at and nothing else."""

from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import path, reverse
from django.utils import timezone
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextareaWidget

from accounts.customer_views import LASTS, SHORTEST_REASON
from accounts.models import Account, User
from billing_portal.dashboard import viewing

_EFFECT = (
    "You see the customer's dashboard as its owner does, for {minutes} minutes, with a bar on "
    "every page that says so. Nothing can be changed there, and pages of their sign-in are not "
    "shown. That you look, and why, is kept in the audit trail."
)


class ViewAsForm(forms.Form):
    """Why the dashboard is looked at."""

    reason = forms.CharField(
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="For your colleagues: kept in the audit trail.",
        min_length=SHORTEST_REASON,
        max_length=2000,
    )


class ViewAsMixin:
    """The button above an account, and the way back from its dashboard."""

    def has_view_as_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Whoever may view as a customer."""
        return cast(User, request.user).has_perm(viewing.PERMISSION)

    def get_urls(self) -> list[Any]:
        """Add the address that the bar on the dashboard's pages is posted to."""
        site = self.admin_site  # type: ignore[attr-defined]
        stop = path("stop-viewing/", site.admin_view(self.stop_viewing), name="stop-viewing")
        return [stop, *super().get_urls()]  # type: ignore[misc]

    @action(
        description="View as customer",
        url_path="view-as",
        permissions=["view_as"],
        icon="visibility",
    )
    def view_as(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, then open the dashboard."""
        account: Account = self._account(request, object_id)  # type: ignore[attr-defined]
        form = ViewAsForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            reason = form.cleaned_data["reason"]
            try:
                viewing.start(request, account=account, reason=reason, now=timezone.now())
            except ValidationError as error:
                form.add_error("reason", error)
            else:
                return HttpResponseRedirect(reverse("billing-overview"))
        effect = _EFFECT.format(minutes=LASTS.seconds // 60)
        page: HttpResponse = self._note_page(  # type: ignore[attr-defined]
            request, account, form, "View as customer", effect
        )
        return page

    def stop_viewing(self, request: HttpRequest) -> HttpResponse:
        """End it, and go back to the account's page."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        account = viewing.stop(request, how="stopped", now=timezone.now())
        if account is None:
            return HttpResponseRedirect(reverse("admin:accounts_account_changelist"))
        return HttpResponseRedirect(reverse("admin:accounts_account_change", args=[account.pk]))
