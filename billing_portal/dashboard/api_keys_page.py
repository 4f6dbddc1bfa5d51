"""API keys: those of the account, and the form that makes one."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from django import forms
from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext_lazy

from accounts import api_keys
from accounts.models import Account, ApiKey, User
from billing_portal.dashboard.access import Member
from billing_portal.dashboard.settings_tabs import settings_tabs
from billing_portal.dashboard.tabs import Tab
from billing_portal.dashboard.times import Moment, moment


class NewKeyForm(forms.Form):
    """What a key is for, and until when it works."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=100,
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off"}),
        help_text=gettext_lazy("Which program uses it: “Finance spreadsheet”."),
    )
    expires_in_days = forms.TypedChoiceField(
        label=gettext_lazy("Expires"),
        choices=[
            ("30", gettext_lazy("In 30 days")),
            ("90", gettext_lazy("In 90 days")),
            ("365", gettext_lazy("In a year")),
            ("", gettext_lazy("Never: until it is revoked")),
        ],
        initial="365",
        coerce=int,
        empty_value=None,
        required=False,
        widget=forms.Select(attrs={"class": "select"}),
    )
    #: Of this form: sent again, it makes no second key.
    request_key = forms.CharField(max_length=64, widget=forms.HiddenInput)

    def expires_at(self, *, now: datetime) -> datetime | None:
        """Return when the key stops working; None for never."""
        days = self.cleaned_data["expires_in_days"]
        return now + timedelta(days=days) if days else None


@dataclass(frozen=True)
class KeyRow:
    """One key that was not revoked."""

    name: str
    begins_with: str
    made_by: str
    created: Moment
    last_used: Moment | None
    expires: Moment | None
    is_expired: bool
    revoke_href: str


@dataclass(frozen=True)
class NewKey:
    """A key that was made just now: its token is seen on this page and never again."""

    name: str
    token: str
    example: str


@dataclass(frozen=True)
class KeysPage:
    """The page."""

    tabs: tuple[Tab, ...]
    may_manage: bool
    keys: tuple[KeyRow, ...]
    made: NewKey | None
    form: NewKeyForm
    account_id: str
    address: str
    requests_per_minute: int


def build_keys(
    *,
    member: Member,
    now: datetime,
    form: NewKeyForm | None = None,
    made: tuple[ApiKey, str] | None = None,
) -> KeysPage:
    """Compose the page; `made` is a new key with its token."""
    account = member.account
    keys = ApiKey.objects.filter(account=account, revoked_at__isnull=True)
    makers = api_keys.makers(account=account)
    return KeysPage(
        tabs=settings_tabs("api-keys"),
        may_manage=member.may_manage,
        keys=tuple(
            _row(
                key,
                makers.get(key.prefix),
                may_manage=member.may_manage,
                zone=account.timezone,
                now=now,
            )
            for key in keys.order_by("-created_at", "-pk")
        ),
        made=_new_key(account, *made) if made else None,
        form=form or NewKeyForm(initial={"request_key": secrets.token_hex(16)}),
        account_id=str(account.pk),
        address=_address(account),
        requests_per_minute=api_keys.CUSTOMER_REQUESTS_PER_MINUTE,
    )


def _row(
    key: ApiKey, maker: User | None, *, may_manage: bool, zone: tzinfo, now: datetime
) -> KeyRow:
    return KeyRow(
        name=key.name,
        begins_with=f"bp_{key.prefix}_…",
        made_by=maker.spoken_name if maker else "",
        created=moment(key.created_at, zone),
        last_used=moment(key.last_used_at, zone) if key.last_used_at else None,
        expires=moment(key.expires_at, zone) if key.expires_at else None,
        is_expired=key.has_expired(now=now),
        revoke_href=reverse("api-key-revoke", args=[key.pk]) if may_manage else "",
    )


def _new_key(account: Account, key: ApiKey, token: str) -> NewKey:
    return NewKey(
        name=key.name,
        token=token,
        example=f'curl -H "Authorization: Bearer {token}" {_address(account)}',
    )


def _address(account: Account) -> str:
    """Where the account is read over the API."""
    path = reverse("api:account", kwargs={"id": str(account.pk)})
    return settings.PORTAL_URL.rstrip("/") + path
