"""What the pages of allauth say that our catalogues say better.

The catalogues of the project come before those of a library, so what is marked here is translated
as the rest of the portal is. allauth's Arabic has two words for a code, counts recovery codes with
a figure that was meant as a percent sign, and cancels in the third person.
"""

from django.utils.translation import gettext_noop, ngettext_lazy

WORDS = (
    gettext_noop("Two-Factor Authentication"),
    gettext_noop("Code"),
    gettext_noop("Authenticator code"),
    gettext_noop("Authenticator secret"),
    gettext_noop("Enter an authenticator code:"),
    gettext_noop("Incorrect code."),
    gettext_noop("The email address and/or password you specified are not correct."),
    gettext_noop("Authentication using an authenticator app is active."),
    gettext_noop("An authenticator app is not active."),
    gettext_noop("Deactivate"),
    gettext_noop("Deactivate Authenticator App"),
    gettext_noop(
        "You are about to deactivate authenticator app based authentication. Are you sure?"
    ),
    gettext_noop("Generate"),
    gettext_noop("Generate new codes"),
    gettext_noop("Download"),
    gettext_noop("Cancel"),
    ngettext_lazy(
        "There is %(unused_count)s out of %(total_count)s recovery codes available.",
        "There are %(unused_count)s out of %(total_count)s recovery codes available.",
        "unused_count",
    ),
)
