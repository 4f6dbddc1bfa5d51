"""The way to a request for approval, and what approving it would bring about."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from wallet import approvals
from wallet.models import ApprovalRequest

#: So many colleagues are named; of others, how many.
_NAMED = 3


def page_of(asked: ApprovalRequest) -> str:
    """Return the address of a request's page."""
    return reverse("admin:wallet_approvalrequest_change", args=[asked.pk])


def tell_that_it_waits(request: HttpRequest, asked: ApprovalRequest) -> HttpResponseRedirect:
    """Lead who asked to the page of what was asked for, and say who may decide on it."""
    told = [each.email for each in approvals.who_may_decide(request=asked, now=timezone.now())]
    if told:
        more = len(told) - _NAMED
        names = ", ".join(told[:_NAMED]) + (f" and {more} more" if more > 0 else "")
        messages.success(
            request,
            f"Nothing has happened yet. Told that it waits: {names}. You get an e-mail once it is "
            "decided.",
        )
    else:
        messages.warning(
            request,
            "Nothing has happened yet, and nobody has a role and a limit to approve it: ask an "
            "administrator.",
        )
    return HttpResponseRedirect(page_of(asked))
