"""The language of a person's own pages and e-mails."""

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accounts.models import User


class LanguageForm(forms.Form):
    """One of the languages the portal is written in, or whichever the browser asks for."""

    language = forms.ChoiceField(
        label=_("Language"),
        required=False,
        choices=[("", _("As my browser asks")), *settings.LANGUAGES],
        widget=forms.Select(attrs={"class": "select"}),
    )


def build_language_form(user: User) -> LanguageForm:
    """The form as it is set. No query."""
    return LanguageForm(initial={"language": user.language})
