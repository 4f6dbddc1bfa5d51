"""View as customer: the dashboard as its owner sees it, to look at and nothing else."""

from typing import Any, cast

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import path, reverse
from django.utils import timezone
from unfold.decorators import action

from accounts.customer_views import LASTS
from accounts.models import Account, User
from billing_portal.admin.confirmed import Confirmation, confirm
from billing_portal.dashboard import viewing

_EFFECT = (
    "You see the customer's dashboard as its owner does, for {minutes} minutes, with a bar on "
    "every page that says so. Nothing can be changed there, and pages of their sign-in are not "
    "shown. That you look, and why, is kept in the audit trail."
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
        confirmation = Confirmation(
            title="View as customer",
            effect=_EFFECT.format(minutes=LASTS.seconds // 60),
            act=lambda by, wish: _start(request, account, wish["reason"]),
            leads_to=reverse("billing-overview"),
        )
        return confirm(request, confirmation, site=self.admin_site, target=account)  # type: ignore[attr-defined]

    def stop_viewing(self, request: HttpRequest) -> HttpResponse:
        """End it, and go back to the account's page."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        account = viewing.stop(request, how="stopped", now=timezone.now())
        if account is None:
            return HttpResponseRedirect(reverse("admin:accounts_account_changelist"))
        return HttpResponseRedirect(reverse("admin:accounts_account_change", args=[account.pk]))


def _start(request: HttpRequest, account: Account, reason: str) -> str:
    """Begin; the bar on the dashboard's pages says the rest."""
    viewing.start(request, account=account, reason=reason, now=timezone.now())
    return ""
