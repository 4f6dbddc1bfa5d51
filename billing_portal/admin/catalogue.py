"""What is sold: plans, their versions and prices, and features."""

from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count, Exists, Model, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import action
from unfold.enums import ActionVariant

from accounts.models import User
from billing_portal.admin import cells
from billing_portal.admin.base import PartOfParentInline, PortalAdmin
from billing_portal.admin.plan_actions import ReasonForm
from billing_portal.admin.prices import (
    PricedInDollarsMixin,
    PriceInline,
    may_edit,
    subscribed,
)
from plans import plan_changes, versions
from plans.models import (
    Feature,
    Plan,
    PlanChange,
    PlanVersion,
    Renewal,
    Subscription,
)
from plans.subscription_models import CURRENT_STATUSES


class VersionInline(PartOfParentInline):
    """The versions a plan has been sold in."""

    model = PlanVersion
    fields = ("version", "monthly_price", "minimum_top_up", "published")
    readonly_fields = fields
    verbose_name_plural = "versions"

    @admin.display(description="Version")
    def version(self, version: PlanVersion) -> cells.Cell:
        """A link to its prices."""
        return cells.link_to(PlanVersion, version.pk, f"v{version.number}")

    @admin.display(description="Published (UTC)")
    def published(self, version: PlanVersion) -> cells.Cell:
        """When it was offered first."""
        return cells.when(version.published_at) if version.published_at else cells.badge("Draft")


@admin.register(Plan)
class PlanAdmin(PortalAdmin):
    """Plans. What they cost is in their versions."""

    list_display = (
        "name",
        "slug",
        "type",
        "pricing",
        "current_subscribers",
        cells.time_column("archived_at", "Archived"),
    )
    list_filter = ("type", "pricing", ("archived_at", admin.EmptyFieldListFilter))
    search_fields = ("name", "slug")
    fields = (("name", "slug"), ("type", "pricing"), "description", "position", "archived_at")
    inlines = (VersionInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Plan]:
        """Count the accounts on each plan."""
        plans: QuerySet[Plan] = super().get_queryset(request)
        return plans.annotate(
            subscribers=Count(
                "versions__subscriptions",
                filter=Q(versions__subscriptions__status__in=CURRENT_STATUSES),
            )
        )

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """A plan is archived, not deleted."""
        return False

    @admin.display(description="Accounts on it", ordering="subscribers")
    def current_subscribers(self, plan: Any) -> str:
        """How many accounts are on it now."""
        return f"{plan.subscribers:,}"


@admin.register(PlanVersion)
class PlanVersionAdmin(PricedInDollarsMixin, PortalAdmin):
    """The prices a plan is sold at. A version somebody has subscribed to is only shown."""

    list_display = (
        "__str__",
        "state",
        cells.balance_column("monthly_price", "Monthly price"),
        cells.balance_column("minimum_top_up", "Minimum top-up"),
        "current_subscribers",
        cells.time_column("published_at", "Published"),
    )
    list_select_related = ("plan",)
    list_filter = ("plan", ("published_at", admin.EmptyFieldListFilter))
    search_fields = ("plan__name", "plan__slug")
    fields = (("plan", "number", "state"), ("monthly_price", "minimum_top_up"))
    readonly_fields = ("state",)
    inlines = (PriceInline,)
    actions = None
    actions_detail = ("draft", "publish", "move_subscribers")
    change_form_outer_before_template = "admin/version_state.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[PlanVersion]:
        """Know of each version whether it is frozen, and how many are on it."""
        found: QuerySet[PlanVersion] = super().get_queryset(request)
        mine = {"plan_version": OuterRef("pk")}
        return found.select_related("plan").annotate(
            frozen=Exists(Subscription.objects.filter(**mine))
            | Exists(Renewal.objects.filter(**mine))
            | Exists(PlanChange.objects.filter(to_version=OuterRef("pk"))),
            subscribers=Count(
                "subscriptions", filter=Q(subscriptions__status__in=CURRENT_STATUSES)
            ),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: PlanVersion | None = None) -> Any:
        """A version keeps its plan and number."""
        return ("state",) if obj is None else ("state", "plan", "number")

    def has_change_permission(self, request: HttpRequest, obj: PlanVersion | None = None) -> bool:
        """What has been subscribed to never changes."""
        return may_edit(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: PlanVersion | None = None) -> bool:
        """Only a draft nobody has seen is deleted."""
        allowed = bool(super().has_delete_permission(request, obj))
        if obj is None or not allowed:
            return allowed
        return obj.published_at is None and not subscribed(obj)

    def has_draft_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Whoever may add a version."""
        return cast(User, request.user).has_perm("plans.add_planversion")

    def has_publish_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Whoever may change versions."""
        return cast(User, request.user).has_perm("plans.change_planversion")

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Offer to publish drafts only."""
        actions: list[Any] = super().get_actions_detail(request, object_id)
        if not object_id.isdecimal():
            return actions
        draft = PlanVersion.objects.filter(pk=object_id, published_at=None).exists()
        hidden = (
            ("plans_planversion_draft", "plans_planversion_move_subscribers")
            if draft
            else ("plans_planversion_publish",)
        )
        return [one for one in actions if one.action_name not in hidden]

    @admin.display(description="State")
    def state(self, version: PlanVersion) -> SafeString:
        """Draft, on sale, or frozen because somebody subscribed to it."""
        if version.pk is None or version.published_at is None:
            return cells.badge("Draft", "info")
        if subscribed(version):
            return cells.badge("In use", "success")
        return cells.badge("Published", "success")

    @admin.display(description="Accounts on it", ordering="subscribers")
    def current_subscribers(self, version: Any) -> str:
        """How many accounts are on it now."""
        return f"{version.subscribers:,}"

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
        return self._confirm(
            request,
            version,
            title="Make a new version",
            effect=f"A draft with the same prices is made. {version} and those on it stay as they "
            "are.",
            act=lambda: versions.draft_from(version=version),
            done="This is a draft: change what you like, then publish it.",
        )

    @action(
        description="Publish",
        url_path="publish",
        permissions=["publish"],
        icon="publish",
        variant=ActionVariant.PRIMARY,
    )
    def publish(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Offer the draft to customers."""
        version = self._version(object_id)
        return self._confirm(
            request,
            version,
            title="Publish",
            effect=f"New subscribers get {version} from now on. Those on an older version stay on "
            "it.",
            act=lambda: versions.publish(version=version, now=timezone.now()),
            done=f"{version} is published.",
        )

    @action(
        description="Move subscribers here",
        url_path="move-subscribers",
        permissions=["publish"],
        icon="move_down",
    )
    def move_subscribers(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Have who is on another version of the plan move to this one at the next renewal."""
        version = self._version(object_id)
        form = ReasonForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            return self._move(request, version, reason=form.cleaned_data["reason"])
        others = Subscription.objects.filter(
            plan_version__plan=version.plan, status__in=CURRENT_STATUSES
        ).exclude(plan_version=version)
        effect = (
            f"On another version of {version.plan}: {others.count():,}. Each of these accounts "
            f"moves to {version} at its next renewal and is told by e-mail now. Who cancels, or "
            "has chosen another plan, is left alone."
        )
        context = {"form": form}
        return self._note(request, version, "Move subscribers here", effect, context)

    def _move(self, request: HttpRequest, version: PlanVersion, *, reason: str) -> HttpResponse:
        try:
            moved = plan_changes.move_subscribers(
                plan_version=version,
                by=cast(User, request.user),
                reason=reason,
                now=timezone.now(),
            )
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        else:
            self.log_change(request, version, f"Move {moved} subscribers here: {reason}")
            messages.success(
                request, f"Accounts that move to {version} at their renewal: {moved:,}."
            )
        return HttpResponseRedirect(reverse("admin:plans_planversion_change", args=[version.pk]))

    def _version(self, object_id: str) -> PlanVersion:
        if not object_id.isdecimal():
            raise PermissionDenied
        return get_object_or_404(PlanVersion.objects.select_related("plan"), pk=object_id)

    def _confirm(
        self,
        request: HttpRequest,
        version: PlanVersion,
        *,
        title: str,
        effect: str,
        act: Any,
        done: str,
    ) -> HttpResponse:
        page = "admin:plans_planversion_change"
        if request.method == "POST":
            try:
                changed = act()
            except ValidationError as error:
                messages.error(request, " ".join(error.messages))
                return HttpResponseRedirect(reverse(page, args=[version.pk]))
            self.log_change(request, changed, title)
            messages.success(request, done)
            return HttpResponseRedirect(reverse(page, args=[changed.pk]))
        return self._note(request, version, title, effect, {})

    def _note(
        self,
        request: HttpRequest,
        version: PlanVersion,
        title: str,
        effect: str,
        context: dict[str, Any],
    ) -> TemplateResponse:
        return TemplateResponse(
            request,
            "admin/note.html",
            {
                **self.admin_site.each_context(request),
                "title": f"{title}: {version}",
                "heading": title,
                "opts": PlanVersion._meta,
                "original": version,
                "effect": effect,
                "button": title,
                "back_url": reverse("admin:plans_planversion_change", args=[version.pk]),
                **context,
            },
        )


@admin.register(Feature)
class FeatureAdmin(PortalAdmin):
    """What plans put a price on."""

    list_display = ("name", "key", "unit", "kind", "position")
    list_filter = ("kind",)
    search_fields = ("name", "key")
    fields = (("name", "key"), ("unit", "kind", "position"))

    def get_readonly_fields(self, request: HttpRequest, obj: Feature | None = None) -> Any:
        """The platform reports usage under the key: it stays."""
        return ("key", "kind") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """A feature that has been sold stands in the records."""
        return False
