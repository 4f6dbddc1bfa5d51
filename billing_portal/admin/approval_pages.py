"""The way to a request for approval, and what approving it would bring about."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse

from wallet.models import ApprovalRequest


def page_of(asked: ApprovalRequest) -> str:
    """Return the address of a request's page."""
    return reverse("admin:wallet_approvalrequest_change", args=[asked.pk])


def tell_that_it_waits(request: HttpRequest, asked: ApprovalRequest) -> HttpResponseRedirect:
    """Lead who asked to the page of what was asked for."""
    messages.success(
        request,
        "A colleague has to approve it: nothing has happened yet. This page says what they decide.",
    )
    return HttpResponseRedirect(page_of(asked))
