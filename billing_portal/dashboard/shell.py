"""The frame around every page: navigation, account switcher, who is signed in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import Membership
from accounts.roles import Role
from billing_portal.dashboard.access import MemberRequest

#: Label, address and icon of the pages that exist.
NAVIGATION = (
    (_("Billing Overview"), "billing-overview", "overview"),
    (_("Usage"), "usage", "chart"),
    (_("Credit"), "credit", "wallet"),
    (_("Payment Methods"), "payment-methods", "card"),
    (_("Billing History"), "billing-history", "history"),
    (_("Plan"), "plan", "plan"),
    (_("Settings"), "billing-settings", "settings"),
)


@dataclass(frozen=True)
class NavItem:
    """An entry of the navigation."""

    label: str | Promise
    href: str
    icon: str
    is_current: bool


@dataclass(frozen=True)
class AccountChoice:
    """Another account this user may switch to."""

    id: str
    name: str
    role_label: str | Promise


@dataclass(frozen=True)
class Shell:
    """What base.html shows around a page."""

    account_name: str
    initials: str
    email: str
    role_label: str | Promise
    is_staff: bool
    may_act: bool
    nav: tuple[NavItem, ...]
    other_accounts: tuple[AccountChoice, ...]


def page(
    request: MemberRequest,
    template: str,
    context: dict[str, Any],
    *,
    nav: str,
    status: int = 200,
    regions: Mapping[str, str] | None = None,
) -> HttpResponse:
    """Render `template` inside the frame, with the navigation entry `nav` marked.

    `regions` names the parts that HTMX swaps by themselves, each with the template of its inside
    (docs/dashboard.md): asked for one, nothing else is rendered.
    """
    asked_for = (regions or {}).get(request.htmx.target or "") if request.htmx else None
    shell = build_shell(request, nav=nav)
    return render(request, asked_for or template, {"shell": shell, **context}, status=status)


def build_shell(request: MemberRequest, *, nav: str) -> Shell:
    """Compose the frame. No queries: everything was read with the membership."""
    member = request.member
    return Shell(
        account_name=member.account.name,
        initials=initials_of(member.account.name),
        email=member.user.email,
        role_label=Role(member.membership.role).label,
        is_staff=member.user.is_staff,
        may_act=member.may_act,
        nav=tuple(
            NavItem(label=label, href=reverse(name), icon=icon, is_current=name == nav)
            for label, name, icon in NAVIGATION
        ),
        other_accounts=tuple(
            _choice(m) for m in member.memberships if m.account_id != member.account.id
        ),
    )


def initials_of(name: str) -> str:
    """Two letters for the avatar: `Acme Robotics` is AR, `Badal` is BA."""
    words = [word for word in name.split() if word[0].isalnum() and word.lower() != "the"]
    if not words:
        return "?"
    letters = words[0][0] + words[1][0] if len(words) > 1 else words[0][:2]
    return letters.upper()


def _choice(membership: Membership) -> AccountChoice:
    return AccountChoice(
        id=str(membership.account_id),
        name=membership.account.name,
        role_label=Role(membership.role).label,
    )
