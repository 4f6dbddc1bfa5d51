"""Customers: the list to find one in, and the page with its whole story."""

from typing import Any, cast

from django.contrib import admin
from django.contrib.admin.views.main import SEARCH_VAR
from django.core.exceptions import ValidationError
from django.db.models import F, Model, OuterRef, QuerySet, Subquery
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from unfold.admin import TabularInline
from unfold.decorators import action
from unfold.forms import PaginationInlineFormSet

from accounts import members
from accounts.models import Account, AuditEvent, Membership, PauseReason, User
from accounts.roles import Role
from billing_portal.admin import cells, search
from billing_portal.admin.account_story import story_of
from billing_portal.admin.base import ConstrainedFormSet
from billing_portal.admin.care_actions import CareActionsMixin
from billing_portal.admin.edits import EditedAdmin, why
from billing_portal.admin.filters import BalanceFilter, PlanFilter, ServicesFilter
from billing_portal.admin.rental_action import RentalActionMixin
from billing_portal.admin.timeline import build_timeline
from billing_portal.admin.view_as_action import ViewAsMixin
from plans.models import Subscription
from plans.subscription_models import CURRENT_STATUSES

_REASON_WORDS = {
    PauseReason.NEGATIVE_BALANCE: "balance below zero",
    PauseReason.SUBSCRIPTION_UNPAID: "subscription unpaid",
    PauseReason.SPEND_CAP: "spend cap reached",
    PauseReason.LOCKED: "locked by support",
}


#: The page with the forms: without it, one reads, and nothing waits to be saved.
EDIT = "edit"


def is_edited(request: HttpRequest) -> bool:
    """Return whether the account's data is being edited, not only looked at."""
    return request.method == "POST" or EDIT in request.GET


class MembersFormSet(PaginationInlineFormSet):
    """Says at the page what the database would refuse: an account keeps an owner."""

    def clean(self) -> None:
        """Leave one of those who are owners now. Raises ValidationError."""
        super().clean()
        taken = {
            form.instance.pk
            for form in self.initial_forms
            if form in self.deleted_forms or form.cleaned_data.get("role") != Role.OWNER
        }
        owners = set(self.instance.memberships.filter(role=Role.OWNER).values_list("pk", flat=True))
        if owners and owners <= taken:
            raise ValidationError(
                "An account needs an owner. Make somebody else an owner first, and save."
            )


class MemberInline(TabularInline):
    """Who may sign in to the account, and as what."""

    model = Membership
    formset = MembersFormSet
    fields = ("member", "role", "member_since")
    readonly_fields = ("member", "member_since")
    extra = 0
    hide_title = True
    verbose_name_plural = "members"

    @admin.display(description="Member")
    def member(self, membership: Membership) -> cells.Cell:
        """The user; another person is another membership."""
        return cells.link(membership.user)

    @admin.display(description="Since (UTC)")
    def member_since(self, membership: Membership) -> str:
        """When the role was given."""
        return cells.when(membership.created_at)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        """Load the users with their roles."""
        members: QuerySet[Membership] = super().get_queryset(request)
        return members.select_related("user")

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Members are added below: a choice of users in every row would ask once for each."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Roles are changed with the rest of the account."""
        return is_edited(request) and bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Members are taken with the rest of the account."""
        return is_edited(request) and bool(super().has_delete_permission(request, obj))


class NewMemberInline(TabularInline):
    """Gives a user a role in the account."""

    model = Membership
    formset = ConstrainedFormSet
    fields = ("user", "role")
    autocomplete_fields = ("user",)
    extra = 0
    verbose_name = "member"
    verbose_name_plural = "new members"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        """Those who are members already are shown above."""
        return Membership.objects.none()

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Members are added with the rest of the account."""
        return is_edited(request) and bool(super().has_add_permission(request, obj))

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """There is nothing to look at."""
        return self.has_add_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Roles are changed above."""
        return False


@admin.register(Account)
class AccountAdmin(ViewAsMixin, CareActionsMixin, RentalActionMixin, EditedAdmin):
    """Accounts are opened by the platform; here they are found, understood and helped."""

    # In one row they would be wider than the page.
    actions_detail = (  # type: ignore[assignment]
        "view_as",
        "adjust_credit",
        {
            "title": "Plan",
            "icon": "autorenew",
            "items": [
                "change_plan",
                "change_rental",
                "cancel_plan",
                "keep_plan",
                "extend_grace",
                "reset_usage_cycle",
            ],
        },
        "lock",
        "unlock",
        "add_note",
        "edit",
    )
    list_display = (
        "name",
        cells.column("owner_email", "Owner", str),
        "plan",
        "services_state",
        cells.balance_column("balance_now", "Balance"),
        cells.time_column("created_at", "Created"),
    )
    list_filter = (ServicesFilter, PlanFilter, BalanceFilter)
    search_fields = ("name",)
    search_help_text = "Company, e-mail, card's last four, any number or id"
    what_is_found = search.WHAT_IS_FOUND
    inlines = (MemberInline, NewMemberInline)
    readonly_fields = ("id", "stripe_customer_id", "created")
    fieldsets = (
        (
            "Customer",
            {
                "fields": (
                    ("name", "owner_email"),
                    ("external_id", "timezone"),
                    ("stripe_customer_id", "created"),
                    "id",
                )
            },
        ),
        (
            "Billing details on receipts",
            {
                "fields": (
                    ("billing_name", "tax_number"),
                    ("address_line1", "address_line2"),
                    ("city", "country"),
                    ("receipt_email", "receipt_copies"),
                )
            },
        ),
    )
    change_form_outer_before_template = "admin/account_story.html"

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        """Write the time zone that is read as it is: it is one of six hundred choices."""
        fieldsets = super().get_fieldsets(request, obj)
        if is_edited(request):
            return list(fieldsets)
        zone = cells.column("timezone", "Timezone", str)
        (title, customer), *others = fieldsets
        fields = [
            [zone if name == "timezone" else name for name in line]
            if isinstance(line, tuple)
            else line
            for line in customer["fields"]
        ]
        return [(title, {**customer, "fields": fields}), *others]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Account]:
        """Annotate what the list shows: one query, however many accounts."""
        current = Subscription.objects.filter(account=OuterRef("pk"), status__in=CURRENT_STATUSES)
        accounts: QuerySet[Account] = super().get_queryset(request)
        return accounts.annotate(
            balance_now=F("wallet__balance"),
            plan_name=Subquery(current.values("plan_version__plan__name")[:1]),
            plan_number=Subquery(current.values("plan_version__number")[:1]),
            plan_status=Subquery(current.values("status")[:1]),
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Account], search_term: str
    ) -> tuple[QuerySet[Account], bool]:
        """Find by any of the things a customer can name."""
        if not search_term.strip():
            return queryset, False
        return queryset.filter(pk__in=search.named(search_term)), False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Go straight to what was named, where it can be nothing else."""
        term = request.GET.get(SEARCH_VAR, "")
        if term and set(request.GET) == {SEARCH_VAR} and self.has_view_permission(request):
            page = search.only_page(search.find(term), request.user)
            if page:
                return HttpResponseRedirect(page)
        response: HttpResponse = super().changelist_view(request, extra_context)
        return response

    def has_add_permission(self, request: HttpRequest) -> bool:
        """The platform opens accounts through the API, with a wallet and a subscription."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """The page of an account is read; its data is edited apart, by who may."""
        may_edit: bool = super().has_change_permission(request, obj)
        return may_edit and (obj is None or is_edited(request))

    def has_edit_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Whoever may change accounts."""
        return cast(User, request.user).has_perm("accounts.change_account")

    @action(description="Edit", url_path="edit", permissions=["edit"], icon="edit")
    def edit(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Lead to the form with the account's data and members."""
        page = reverse("admin:accounts_account_change", args=[object_id])
        return HttpResponseRedirect(f"{page}?{EDIT}=1")

    def response_post_save_change(self, request: HttpRequest, obj: Account) -> HttpResponse:
        """Go back to the account: there is more to see there than in the list."""
        return HttpResponseRedirect(cells.page_url(obj))

    @admin.display(description="Plan", ordering="plan_name")
    def plan(self, account: Any) -> cells.Cell:
        """The plan and version the account is on."""
        if account.plan_name is None:
            return cells.NOTHING
        text = f"{account.plan_name} v{account.plan_number}"
        if account.plan_status != "past_due":
            return text
        return mark_safe(  # noqa: S308 - both parts are escaped
            f"{cells.figure(text)} {cells.status_badge('past_due', 'Past due')}"
        )

    @admin.display(description="Services", ordering="pause_reasons")
    def services_state(self, account: Account) -> SafeString:
        """Active or paused, with the reasons."""
        return services_badge(account)

    @admin.display(description="Created (UTC)")
    def created(self, account: Account) -> str:
        """When the account was opened."""
        return cells.when(account.created_at)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Account | None = None,
    ) -> HttpResponse:
        """Put the account's story beside the form."""
        # It would go on with the page that is read.
        context["show_save_and_continue"] = False
        if obj is not None and not is_edited(request):
            context["story"] = story_of(obj, request.user)
            context["timeline"] = build_timeline(
                account=obj, reader=request.user, query=request.GET
            )
            context["services"] = services_badge(obj)
        response: HttpResponse = super().render_change_form(
            request, context, add, change, form_url, obj
        )
        return response

    def save_formset(
        self, request: HttpRequest, form: "ModelForm[Account]", formset: Any, change: bool
    ) -> None:
        """Change members as the customer's own page does, one event each."""
        by, reason, now = cast(User, request.user), why(form), timezone.now()
        formset.save(commit=False)
        for gone in formset.deleted_objects:
            members.remove(membership=gone, by=by, reason=reason, now=now)
        for changed, _ in formset.changed_objects:
            role = changed.role
            members.change_role(membership=changed, role=role, by=by, reason=reason, now=now)
        for new in formset.new_objects:
            members.add(
                account=form.instance, user=new.user, role=new.role, by=by, reason=reason, now=now
            )

    def note_edit(
        self,
        request: HttpRequest,
        record: Model,
        changes: dict[str, Any],
        *,
        is_new: bool,
        reason: str,
    ) -> None:
        """Keep what staff edited in the account's history; members have events of their own."""
        if "after" not in changes:
            return
        AuditEvent.objects.create(
            account_id=record.pk,
            actor_id=request.user.pk,
            action="account_edited",
            reason=reason,
            details={"before": changes["before"], "after": changes["after"]},
            created_at=timezone.now(),
        )


def services_badge(account: Account) -> SafeString:
    """Return the state of an account's services with what paused them."""
    if not account.pause_reasons:
        return cells.badge("Active", "success")
    reasons = ", ".join(_REASON_WORDS[PauseReason(reason)] for reason in account.pause_reasons)
    return mark_safe(  # noqa: S308 - our own words
        f'<span class="flex flex-wrap gap-2 items-center">{cells.badge("Paused", "danger")}'
        f"<span>{reasons}</span></span>"
    )
