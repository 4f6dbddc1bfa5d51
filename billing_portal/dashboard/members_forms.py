"""What a member may type about members: whom to invite, which role, how to come in."""

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.roles import Role

_SELECT = {"class": "select"}


class InviteForm(forms.Form):
    """An address and a role; the service judges both."""

    email = forms.CharField(
        label=_("E-mail"),
        max_length=320,
        widget=forms.EmailInput(attrs={"class": "input", "autocomplete": "off"}),
    )
    role = forms.ChoiceField(
        label=_("Role"),
        choices=Role.choices,
        initial=Role.VIEWER,
        widget=forms.Select(attrs=_SELECT),
    )


class RoleForm(forms.Form):
    """Another role for a member."""

    role = forms.ChoiceField(
        label=_("Role"), choices=Role.choices, widget=forms.Select(attrs=_SELECT)
    )


class JoinForm(forms.Form):
    """Who is new chooses how to sign in."""

    name = forms.CharField(
        label=_("Your name"),
        required=False,
        max_length=150,
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "name"}),
        help_text=_("Other members see it."),
    )
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"class": "input", "autocomplete": "new-password"}),
        help_text=_("At least 10 characters."),
    )
