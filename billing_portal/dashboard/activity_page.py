"""Activity: who changed what of an account, newest first."""

from dataclasses import dataclass

from django import forms
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Account, AuditEvent
from billing_portal.dashboard.activity_words import (
    Changed,
    Kind,
    Names,
    actions_of,
    changes_of,
    title_of,
)
from billing_portal.dashboard.cursors import ByTime, page_of
from billing_portal.dashboard.settings_tabs import settings_tabs
from billing_portal.dashboard.tabs import Tab
from billing_portal.dashboard.times import Moment, moment
from plans.models import Feature, Plan

PAGE_SIZE = 30
#: What the platform's programs do is not done by itself.
_BY_THE_PLATFORM = {"account_provisioned", "account_changed"}


class ActivityFilterForm(forms.Form):
    """What changes are about."""

    kind = forms.ChoiceField(
        label=gettext_lazy("About"),
        required=False,
        choices=[("", gettext_lazy("Everything")), *Kind.choices],
        widget=forms.Select(attrs={"class": "select"}),
    )


@dataclass(frozen=True)
class ActivityRow:
    """One change."""

    at: Moment
    who: str
    title: str
    changes: tuple[Changed, ...]


@dataclass(frozen=True)
class ActivityPage:
    """One page of it; `has_previous` and the like are for the pages' links."""

    tabs: tuple[Tab, ...]
    rows: tuple[ActivityRow, ...]
    is_filtered: bool
    clear_href: str
    has_previous: bool
    has_next: bool
    previous_href: str
    next_href: str


def build_activity(
    *, account: Account, form: ActivityFilterForm, before: str = "", after: str = ""
) -> ActivityPage:
    """Compose the page older than cursor `before`, or newer than `after`; else the newest one."""
    form.is_valid()
    kind = form.cleaned_data.get("kind", "")
    here = reverse("activity")
    found = page_of(
        _events(account, kind),
        before=before,
        after=after,
        size=PAGE_SIZE,
        here=here,
        order=ByTime(),
        query={"kind": kind} if kind else {},
    )
    names, people = _names(), set(account.memberships.values_list("user_id", flat=True))
    return ActivityPage(
        tabs=settings_tabs("activity"),
        rows=tuple(
            ActivityRow(
                at=moment(event.created_at, account.timezone),
                who=_who(event, people),
                title=title_of(event, names),
                changes=changes_of(event),
            )
            for event in found.rows
        ),
        is_filtered=bool(kind),
        clear_href=here if kind else "",
        has_previous=found.has_previous,
        has_next=found.has_next,
        previous_href=found.previous_href,
        next_href=found.next_href,
    )


def _events(account: Account, kind: str) -> QuerySet[AuditEvent]:
    events = AuditEvent.objects.filter(account=account, action__in=actions_of(kind))
    return events.select_related("actor")


def _names() -> Names:
    return Names(
        plans=dict(Plan.objects.values_list("slug", "name")),
        features=dict(Feature.objects.values_list("key", "name")),
    )


def _who(event: AuditEvent, people: set[int]) -> str:
    """Name the customer's own people; of staff only that it was support."""
    actor = event.actor
    if actor is None:
        is_platforms = event.action in _BY_THE_PLATFORM or event.details.get("via") == "api"
        return _("The platform") if is_platforms else _("By itself")
    if actor.is_staff and actor.pk not in people:
        return _("Badal support")
    return actor.spoken_name
