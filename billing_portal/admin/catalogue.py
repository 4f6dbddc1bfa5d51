"""What is sold: plans, their versions and prices, and features."""

from collections.abc import Callable
from typing import Any, cast

from django.contrib import admin
from django.db.models import Case, Count, IntegerField, QuerySet, Value, When
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import action
from unfold.enums import ActionVariant

from accounts.models import User
from billing_portal.admin import cells
from billing_portal.admin.base import PartOfParentInline
from billing_portal.admin.confirmed import Confirmation, confirm
from billing_portal.admin.edits import EditedAdmin
from billing_portal.admin.filters import seen_values
from billing_portal.admin.prices import (
    PricedInDollarsMixin,
    PriceInline,
    may_edit,
    subscribed,
)
from billing_portal.admin.version_actions import VersionActionsMixin
from plans import version_preview, versions
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


def _subscribers(of: str) -> Case:
    """Count the accounts on each plan or version: once for all, not for each row of the list."""
    current = Subscription.objects.filter(status__in=CURRENT_STATUSES).order_by()
    counted = current.values_list(of).annotate(Count("pk"))
    return Case(
        *[When(pk=pk, then=Value(number)) for pk, number in counted],
        default=Value(0),
        output_field=IntegerField(),
    )


@admin.register(Plan)
class PlanAdmin(EditedAdmin):
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
    fields = (("name", "slug"), ("type", "pricing"), "description", "position", "archived")
    readonly_fields = ("archived",)
    inlines = (VersionInline,)
    actions_detail = ("archive", "restore")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Plan]:
        """Count the accounts on each plan."""
        plans: QuerySet[Plan] = super().get_queryset(request)
        return plans.annotate(subscribers=_subscribers("plan_version__plan"))

    @admin.display(description="Accounts on it", ordering="subscribers")
    def current_subscribers(self, plan: Any) -> str:
        """How many accounts are on it now."""
        return f"{plan.subscribers:,}"

    @admin.display(description="Archived (UTC)")
    def archived(self, plan: Plan) -> str:
        """Since when it is sold to nobody new."""
        return cells.when(plan.archived_at)

    def has_archive_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Whoever may take plans off sale."""
        return cast(User, request.user).has_perm("plans.archive_plan")

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Offer the one that can be done."""
        actions: list[Any] = super().get_actions_detail(request, object_id)
        plan = self.get_object(request, object_id)
        if plan is None:
            return []
        hidden = "plans_plan_archive" if plan.archived_at else "plans_plan_restore"
        return [one for one in actions if one.action_name != hidden]

    @action(
        description="Archive",
        url_path="archive",
        permissions=["archive"],
        icon="archive",
        variant=ActionVariant.DANGER,
    )
    def archive(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Sell it to nobody new."""
        plan = self._plan(request, object_id)
        on_it = sum(each.accounts for each in version_preview.accounts_by_version(plan=plan))
        effect = (
            f"Nobody can choose {plan} any more. Who is on it stays, and renews as before: "
            f"{on_it:,}. It can be restored."
        )
        return self._with_reason(request, plan, "Archive", effect, versions.archive)

    @action(
        description="Restore",
        url_path="restore",
        permissions=["archive"],
        icon="unarchive",
    )
    def restore(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Sell it again."""
        plan = self._plan(request, object_id)
        effect = f"Customers can choose {plan} again, in its newest published version."
        return self._with_reason(request, plan, "Restore", effect, versions.restore)

    def _plan(self, request: HttpRequest, object_id: str) -> Plan:
        plan: Plan | None = self.get_object(request, object_id)
        if plan is None:
            raise Http404("No such plan.")
        return plan

    def _with_reason(
        self, request: HttpRequest, plan: Plan, title: str, effect: str, act: Callable[..., Plan]
    ) -> HttpResponse:
        def carry_out(by: User, wish: dict[str, Any]) -> str:
            act(plan=plan, by=by, reason=wish["reason"], now=timezone.now())
            return f"Done: {title.lower()} {plan}."

        confirmation = Confirmation(
            title=title, effect=effect, act=carry_out, danger=title == "Archive"
        )
        return confirm(request, confirmation, site=self.admin_site, target=plan)


@admin.register(PlanVersion)
class PlanVersionAdmin(VersionActionsMixin, PricedInDollarsMixin, EditedAdmin):
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
    change_form_outer_before_template = "admin/version_state.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[PlanVersion]:
        """Know of each version whether it is frozen, and how many are on it."""
        found: QuerySet[PlanVersion] = super().get_queryset(request)
        # Asked of each version, PostgreSQL reads all renewals for one that has none.
        subscribed_to = {
            *seen_values(Subscription, "plan_version"),
            *seen_values(Renewal, "plan_version"),
            *seen_values(PlanChange, "to_version"),
        }
        return found.select_related("plan").annotate(
            frozen=Case(When(pk__in=subscribed_to, then=True), default=False),
            subscribers=_subscribers("plan_version"),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: PlanVersion | None = None) -> Any:
        """A version keeps its plan and number."""
        return ("state",) if obj is None else ("state", "plan", "number")

    def has_change_permission(self, request: HttpRequest, obj: PlanVersion | None = None) -> bool:
        """What has been subscribed to never changes."""
        return may_edit(request, obj)

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


@admin.register(Feature)
class FeatureAdmin(EditedAdmin):
    """What plans put a price on."""

    list_display = ("name", "key", "unit", "kind", "position")
    list_filter = ("kind",)
    search_fields = ("name", "key")
    fields = (("name", "key"), ("unit", "kind", "position"))

    def get_readonly_fields(self, request: HttpRequest, obj: Feature | None = None) -> Any:
        """The platform reports usage under the key: it stays."""
        return ("key", "kind") if obj else ()
