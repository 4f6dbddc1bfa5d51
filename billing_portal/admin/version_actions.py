"""What staff may do with a plan's version: copy it as a draft, look at what it changes, publish it.

And move those on an older version to it. Each says what it brings about before it happens.
"""

from collections.abc import Callable
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldBooleanSwitchWidget

from accounts.models import User
from accounts.money import format_usd
from billing_portal.admin import cells
from billing_portal.admin.base import ReadOnlyAdmin
from billing_portal.admin.confirmed import ReasonForm
from plans import subscriber_moves, version_preview, versions
from plans.models import PlanVersion, SubscriberMove
from plans.version_preview import Earnings, Side


class MoveForm(ReasonForm):
    """Why, and whether those who move are told."""

    tells_customers = forms.BooleanField(
        label="Tell them by e-mail",
        required=False,
        initial=True,
        help_text="Each customer who moves learns now what the plan costs from its next renewal.",
        widget=UnfoldBooleanSwitchWidget,
    )


class PublishForm(MoveForm):
    """Why, and whether those on an older version move."""

    moves_subscribers = forms.BooleanField(
        label="Move subscribers at their next renewal",
        required=False,
        help_text="Those on an older version stay on it otherwise.",
        widget=UnfoldBooleanSwitchWidget,
    )

    field_order = ("moves_subscribers", "tells_customers", "reason")


class VersionActionsMixin:
    """The buttons above a version, and the pages behind them."""

    actions_detail = ("preview", "draft", "publish", "move_subscribers")

    def has_draft_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Whoever may add a version."""
        return cast(User, request.user).has_perm("plans.add_planversion")

    def has_publish_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Whoever may publish, and move subscribers."""
        return cast(User, request.user).has_perm("plans.publish_planversion")

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Offer to publish drafts only, and the rest where there is something to do."""
        actions: list[Any] = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        if not object_id.isdecimal():
            return actions
        version = PlanVersion.objects.filter(pk=object_id).first()
        if version is None:
            return []
        hidden = {"draft", "move_subscribers"} if version.published_at is None else {"publish"}
        if version_preview.in_force(version=version) is None:
            hidden |= {"preview", "move_subscribers"}
        names = {f"plans_planversion_{name}" for name in hidden}
        return [one for one in actions if one.action_name not in names]

    @action(
        description="Make a new version",
        url_path="new-version",
        permissions=["draft"],
        icon="content_copy",
        variant=ActionVariant.PRIMARY,
    )
    def draft(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Copy the version as a draft and go there."""
        version = self._version(object_id)
        form = ReasonForm(request.POST or None)
        if request.method != "POST" or not form.is_valid():
            effect = (
                f"A draft with the same prices is made. {version} and those on it stay as they are."
            )
            context = {"effect": effect, "form": form}
            return self._page(request, version, "Make a new version", "admin/note.html", context)
        try:
            copy = versions.begin_draft(
                version=version,
                by=cast(User, request.user),
                reason=form.cleaned_data["reason"],
                now=timezone.now(),
            )
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
            return _back_to(version)
        messages.success(request, "This is a draft: change what you like, then publish it.")
        return _back_to(copy)

    @action(
        description="What it changes",
        url_path="preview",
        permissions=["view"],
        icon="difference",
    )
    def preview(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the version beside the one in force, who is on which, and what it would earn."""
        version = self._version(object_id)
        context = preview_of(version)
        return self._page(
            request, version, "What it changes", "admin/publish_version.html", context
        )

    @action(
        description="Publish",
        url_path="publish",
        permissions=["publish"],
        icon="publish",
        variant=ActionVariant.PRIMARY,
    )
    def publish(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show what the draft changes, and offer it to customers."""
        version = self._version(object_id)
        form = PublishForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            return self._act(request, version, lambda by: _publish(version, form.cleaned_data, by))
        context = {**preview_of(version), "form": form, "button": "Publish"}
        return self._page(request, version, "Publish", "admin/publish_version.html", context)

    @action(
        description="Move subscribers here",
        url_path="move-subscribers",
        permissions=["publish"],
        icon="move_down",
    )
    def move_subscribers(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Have who is on another version of the plan move to this one at the next renewal."""
        version = self._version(object_id)
        form = MoveForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            return self._act(request, version, lambda by: _move(version, form.cleaned_data, by))
        context = {**preview_of(version), "form": form, "button": "Move subscribers here"}
        return self._page(
            request, version, "Move subscribers here", "admin/publish_version.html", context
        )

    def _act(
        self, request: HttpRequest, version: PlanVersion, act: Callable[[User], str]
    ) -> HttpResponse:
        try:
            messages.success(request, act(cast(User, request.user)))
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        return _back_to(version)

    def _version(self, object_id: str) -> PlanVersion:
        if not object_id.isdecimal():
            raise PermissionDenied
        return get_object_or_404(PlanVersion.objects.select_related("plan"), pk=object_id)

    def _page(
        self,
        request: HttpRequest,
        version: PlanVersion,
        title: str,
        template: str,
        context: dict[str, Any],
    ) -> TemplateResponse:
        site = self.admin_site  # type: ignore[attr-defined]
        return TemplateResponse(
            request,
            template,
            {
                **site.each_context(request),
                "title": f"{title}: {version}",
                "heading": title,
                "opts": PlanVersion._meta,
                "original": version,
                "button": title,
                "back_url": reverse("admin:plans_planversion_change", args=[version.pk]),
                **context,
            },
        )


def _back_to(version: PlanVersion) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("admin:plans_planversion_change", args=[version.pk]))


@transaction.atomic
def _publish(version: PlanVersion, wanted: dict[str, Any], by: User) -> str:
    """Publish, and order the move in the same transaction; return what to say."""
    versions.publish(version=version, by=by, reason=wanted["reason"], now=timezone.now())
    said = f"{version} is published: new subscribers get it from now on."
    return f"{said} {_move(version, wanted, by)}" if wanted["moves_subscribers"] else said


def _move(version: PlanVersion, wanted: dict[str, Any], by: User) -> str:
    """Order the move; return what to say."""
    subscriber_moves.order(
        plan_version=version,
        by=by,
        reason=wanted["reason"],
        tells_customers=wanted["tells_customers"],
        now=timezone.now(),
    )
    count = subscriber_moves.to_move(plan_version=version).count()
    told = "told by e-mail" if wanted["tells_customers"] else "not told"
    return (
        f"Moving to {version} at the next renewal: {_accounts(count)}, {told}. It is carried out "
        "within minutes."
    )


def _accounts(count: int) -> str:
    return f"{count:,} {'account' if count == 1 else 'accounts'}"


def preview_of(version: PlanVersion) -> dict[str, Any]:
    """Return what the page shows of a version beside the one in force."""
    before = version_preview.in_force(version=version)
    on_versions = version_preview.accounts_by_version(plan=version.plan)
    shown: dict[str, Any] = {
        "effect": f"New subscribers get {version} from the moment it is published.",
        "subscribers": _table(
            ["Version", "Accounts on it now"],
            [[cells.link(each.plan_version), f"{each.accounts:,}"] for each in on_versions],
        ),
        "to_move": subscriber_moves.to_move(plan_version=version).count(),
    }
    if before is None:
        return shown
    found = version_preview.differences(before=before, after=version)
    return {
        **shown,
        "before": before,
        "differences": _table(
            ["", "What", str(before), str(version)],
            [[each.subject, each.what, each.before, each.after] for each in found],
        ),
        "earnings": earnings_of(version),
    }


def earnings_of(version: PlanVersion) -> dict[str, Any] | None:
    """Return what the version would have earned in the last period of each account on the plan."""
    earned = version_preview.earnings(version=version, now=timezone.now())
    if not earned.priced:
        return None
    return {
        "of_whom": _of_whom(earned),
        "table": earnings_table(earned, new=str(version)),
        "words": _consequences(earned),
    }


def earnings_table(earned: Earnings, *, new: str) -> dict[str, Any]:
    """Return both sides and their difference in all decimals: rounded apart they don't add up."""
    rows: list[tuple[str, Callable[[Side], Any]]] = [
        ("Monthly prices", lambda side: side.monthly),
        ("Usage beyond what is included", lambda side: side.usage),
        ("Rentals", lambda side: side.rentals),
        ("Together", lambda side: side.amount),
    ]
    return _table(
        ["", "As they are", new, "Change"],
        [
            [
                name,
                cells.ledger_usd(read(earned.before)),
                cells.ledger_usd(read(earned.after)),
                cells.ledger_usd(read(earned.after) - read(earned.before)),
            ]
            for name, read in rows
        ],
    )


def _of_whom(earned: Earnings) -> str:
    if earned.priced < earned.accounts:
        return (
            f"The last whole period of {earned.priced:,} of the {_accounts(earned.accounts)} on "
            "the plan, on their real usage and rentals. The others are too new, or too many to "
            "price while you wait."
        )
    return (
        f"The last whole period of the {_accounts(earned.accounts)} on the plan, on their real "
        "usage and rentals."
    )


def _consequences(earned: Earnings) -> list[str]:
    said = [
        f"{earned.pay_more:,} would have paid more, {earned.pay_less:,} less.",
    ]
    if earned.largest_rise:
        said.append(f"The largest rise is {format_usd(earned.largest_rise)}.")
    if earned.lacking:
        said.append(
            f"{earned.lacking:,} used or hold something that this version does not have, or not "
            "so many of."
        )
    return said


def _table(headers: list[str], rows: list[list[Any]]) -> dict[str, Any]:
    return {"headers": headers, "rows": rows}


@admin.register(SubscriberMove)
class SubscriberMoveAdmin(ReadOnlyAdmin):
    """Orders to move subscribers, and how far they are carried out."""

    list_display = (
        cells.column("plan_version", "To", cells.link),
        "moved",
        "tells_customers",
        "requested_by",
        "reason",
        cells.time_column("created_at", "Ordered"),
        cells.time_column("finished_at", "Finished"),
    )
    list_select_related = ("plan_version__plan", "requested_by")
    list_filter = ("plan_version__plan", ("finished_at", admin.EmptyFieldListFilter))
