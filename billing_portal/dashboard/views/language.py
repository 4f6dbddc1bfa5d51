"""The language of a person's pages and e-mails."""

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import translation
from django.utils.translation import gettext as _

from accounts import languages
from billing_portal.dashboard.access import MemberRequest, form_action, member_page


@form_action(page="sign-in")
@member_page
def save_language(request: MemberRequest) -> HttpResponse:
    """Speak another language from now on; what is none of ours changes nothing."""
    wanted = request.POST.get("language", "")
    answer = redirect("sign-in")
    try:
        languages.choose(user=request.user, language=wanted)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return answer
    # The page to sign in on speaks it too.
    if wanted:
        answer.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            wanted,
            max_age=365 * 24 * 3600,
            secure=settings.LANGUAGE_COOKIE_SECURE,
            httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
            samesite="Lax",
        )
    else:
        answer.delete_cookie(settings.LANGUAGE_COOKIE_NAME, samesite="Lax")
        request.COOKIES.pop(settings.LANGUAGE_COOKIE_NAME, None)
    with translation.override(wanted or translation.get_language_from_request(request)):
        messages.success(request, _("Saved."))
    return answer
