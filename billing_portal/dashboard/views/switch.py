"""Looking at another account."""

from django.http import Http404, HttpResponse
from django.shortcuts import redirect

from billing_portal.dashboard.access import MemberRequest, choose_account, form_action, member_page


@form_action(page="billing-overview")
@member_page
def switch_account(request: MemberRequest) -> HttpResponse:
    """Show the account asked for from now on; one the user is not a member of does not exist."""
    if choose_account(request, account_id=request.POST.get("account", "")) is None:
        raise Http404
    return redirect("billing-overview")
