"""Your sign-in: what a member sets of themselves, not of the account."""

from dataclasses import dataclass

from allauth.mfa.utils import is_mfa_enabled
from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from billing_portal.dashboard.language_panel import LanguageForm, build_language_form
from billing_portal.dashboard.settings_tabs import settings_tabs
from billing_portal.dashboard.tabs import Tab


class NewEmailForm(forms.Form):
    """Another address to sign in with."""

    email = forms.CharField(
        label=_("New address"),
        max_length=320,
        widget=forms.EmailInput(attrs={"class": "input", "autocomplete": "email"}),
        help_text=_("It gets an e-mail with a link that makes it yours."),
    )


@dataclass(frozen=True)
class SignInPage:
    """The page."""

    tabs: tuple[Tab, ...]
    name: str
    email: str
    has_second_factor: bool
    language: LanguageForm


def build_sign_in(user: User) -> SignInPage:
    """Compose the page."""
    return SignInPage(
        tabs=settings_tabs("sign-in"),
        name=user.get_full_name(),
        email=user.email,
        has_second_factor=is_mfa_enabled(user),
        language=build_language_form(user),
    )
