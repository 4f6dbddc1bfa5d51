"""Cards, invitations, users and groups."""

from ipaddress import ip_address
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.contrib.admin import EmptyFieldListFilter
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import Count, Model, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.forms import UserChangeForm, UserCreationForm

from accounts import email_changes
from accounts.models import Card, CardAttempt, Invitation, Membership, User
from accounts.partial_match import containing
from billing_portal.admin import cells, search
from billing_portal.admin.base import PartOfParentInline, ReadOnlyAdmin
from billing_portal.admin.edits import EditedAdmin, why
from billing_portal.admin.filters import CardBrandFilter, RangeDateTimeFilter
from billing_portal.admin.long_lists import LongListAdmin
from billing_portal.admin.pagination import MOST_ROWS
from billing_portal.admin.role_action import RoleActionMixin
from billing_portal.admin.second_factor_action import SecondFactorActionMixin
from billing_portal.admin.sign_out_action import SignOutActionMixin

admin.site.unregister(Group)


@admin.register(Card)
class CardAdmin(LongListAdmin):
    """Cards belong to their customers: staff look."""

    list_display = (
        "__str__",
        cells.account_column(),
        "expires",
        cells.status_column(),
        "is_default",
        cells.time_column("created_at", "Added"),
        cells.time_column("hold_voided_at", "Hold voided"),
    )
    list_select_related = ("account",)
    list_filter = ("status", "is_default", CardBrandFilter, ("account", AutocompleteSelectFilter))
    names = ("last4", "stripe_payment_method_id", "stripe_hold_id")
    search_fields = names
    search_help_text = "Last four, company, Stripe's payment method or hold"

    @admin.display(description="Expires", ordering="exp_year")
    def expires(self, card: Card) -> str:
        """Month and year."""
        return f"{card.exp_month:02}/{card.exp_year}"


@admin.register(CardAttempt)
class CardAttemptAdmin(LongListAdmin):
    """Who tried to add a card, from where, and what came of it."""

    list_display = (
        cells.time_column("created_at", "At"),
        cells.account_column(),
        "user",
        "ip_address",
        "outcome",
        "tries",
        "failure_code",
    )
    list_select_related = ("account", "user")
    list_filter = (
        "outcome",
        ("created_at", RangeDateTimeFilter),
        ("account", AutocompleteSelectFilter),
    )
    order_of_an_account = ("-created_at", "-id")
    names = ("stripe_setup_intent_id",)
    search_fields = names
    search_help_text = "IP address, company, member or SetupIntent"

    def also_found(self, term: str) -> list[int]:
        """Return the attempts from an address, which is no address unless it reads as one."""
        try:
            address = str(ip_address(term))
        except ValueError:
            return []
        attempts = CardAttempt.objects.filter(ip_address=address).order_by("-created_at", "-pk")
        return list(attempts.values_list("pk", flat=True)[:MOST_ROWS])


@admin.register(Invitation)
class InvitationAdmin(LongListAdmin):
    """Who was asked to join an account. Owners invite and revoke; the link itself is nowhere."""

    exclude = ("token_hash",)
    list_display = (
        "email",
        cells.account_column(),
        "role",
        "state",
        cells.column("invited_by", "Invited by", cells.link),
        cells.time_column("created_at", "Invited"),
        cells.time_column("sent_at", "Last sent"),
        "times_sent",
        cells.time_column("expires_at", "Link works until"),
    )
    list_select_related = ("account", "invited_by")
    list_filter = (
        "role",
        ("accepted_at", EmptyFieldListFilter),
        ("revoked_at", EmptyFieldListFilter),
        ("account", AutocompleteSelectFilter),
    )
    order_of_an_account = ("-created_at", "-id")
    names = ("email",)
    search_fields = names
    search_help_text = "Address invited, or company"

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Return the newest first: ids are random."""
        return self.order_of_an_account

    @admin.display(description="State")
    def state(self, invitation: Invitation) -> SafeString:
        """What became of it."""
        if invitation.accepted_at:
            return cells.badge("Accepted", "success")
        if invitation.revoked_at:
            return cells.badge("Revoked")
        if not invitation.is_open(now=timezone.now()):
            return cells.badge("Expired", "warning")
        return cells.badge("Waiting", "info")


class NewUserForm(UserCreationForm):
    """A new user is an e-mail address and a password."""

    class Meta:
        model = User
        fields = ("email",)
        field_classes: dict[str, type[forms.Field]] = {}


class UserMembershipInline(PartOfParentInline):
    """The accounts a user belongs to."""

    model = Membership
    fields = ("account", "role")
    verbose_name_plural = "accounts"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        """Load the accounts with the roles."""
        memberships: QuerySet[Membership] = super().get_queryset(request)
        return memberships.select_related("account")


def manages_staff(request: HttpRequest) -> bool:
    """Whether the reader lets colleagues in, gives them their role and takes it away."""
    return cast(User, request.user).has_perm("accounts.manage_staff")


@admin.register(User)
class UserAdmin(  # type: ignore[misc]
    SecondFactorActionMixin, SignOutActionMixin, RoleActionMixin, DjangoUserAdmin, EditedAdmin
):
    """People who sign in. Staff have their role's rights; whoever manages staff gives roles."""

    form = UserChangeForm
    add_form = NewUserForm
    list_display = (
        "email",
        "first_name",
        "last_name",
        "is_staff",
        "is_active",
        cells.time_column("last_login", "Last login"),
    )
    list_filter = ("is_staff", "is_superuser", "is_active", "groups")
    search_fields = ("email", "first_name", "last_name")
    ordering = ("email",)
    readonly_fields = ("last_login", "date_joined")
    filter_horizontal = ()
    actions_detail = ("sign_out", "change_role", "remove_second_factor")
    fieldsets = (
        (None, {"fields": ("email",)}),
        ("Name", {"fields": (("first_name", "last_name"),)}),
        (
            "Rights",
            {
                "fields": ("is_active", "is_staff", "groups"),
                "description": "A role is given and taken by Change role, above.",
            },
        ),
        ("Times (UTC)", {"fields": (("last_login", "date_joined"),)}),
    )
    add_fieldsets = ((None, {"fields": ("email", "usable_password", "password1", "password2")}),)
    inlines = (UserMembershipInline,)
    warn_unsaved_form = False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[User], search_term: str
    ) -> tuple[QuerySet[User], bool]:
        """Find by a part of the address, which has an index; a name only when none has it."""
        if "\0" in search_term:
            return queryset.none(), False
        term = search_term.strip()
        found = User.objects.filter(containing("email", term)).values_list("pk", flat=True)
        addressed = list(found[: search.MOST]) if term else []
        if addressed:
            return queryset.filter(pk__in=addressed), False
        return super().get_search_results(request, queryset, search_term)

    def get_urls(self) -> list[Any]:
        """Leave out the page that sets a person's password: that is theirs alone to know."""
        return [
            each
            for each in super().get_urls()
            if getattr(each, "name", "") != "auth_user_password_change"
        ]

    def save_model(
        self, request: HttpRequest, obj: User, form: "forms.ModelForm[Any]", change: bool
    ) -> None:
        """Another address is more than a field: what belongs to the old one ends with it."""
        if change and "email" in form.changed_data:
            email_changes.correct(
                user=obj,
                email=obj.email,
                by=cast(User, request.user),
                reason=why(form),
                now=timezone.now(),
            )
        super().save_model(request, obj, form, change)

    def get_inlines(self, request: HttpRequest, obj: User | None) -> Any:
        """A new user belongs to no account yet."""
        return self.inlines if obj else ()

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """A role is given by an action, with a reason; nobody switches themselves off."""
        fields = (*super().get_readonly_fields(request, obj), "is_staff", "groups")
        return fields if manages_staff(request) and obj != request.user else (*fields, "is_active")

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """A colleague's rights can't be had through their password."""
        if isinstance(obj, User) and obj.is_superuser and not request.user.is_superuser:
            return False
        if isinstance(obj, User) and obj.is_staff and not manages_staff(request):
            return False
        return bool(super().has_change_permission(request, obj))


@admin.register(Group)
class GroupAdmin(ReadOnlyAdmin):
    """Roles of staff: what each may do is written in accounts/staff_roles.py."""

    list_display = ("name", "people")
    fields = ("name", "people", "permissions_shown")
    readonly_fields = ("people", "permissions_shown")
    search_fields = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        """Count the people with the groups."""
        groups: QuerySet[Group] = super().get_queryset(request)
        return groups.annotate(headcount=Count("user", filter=Q(user__is_active=True)))

    @admin.display(description="People")
    def people(self, group: Any) -> int:
        """How many are in it and may sign in."""
        return int(group.headcount)

    @admin.display(description="May")
    def permissions_shown(self, group: Group) -> SafeString:
        """Each permission in words."""
        return format_html_join("", "<div>{}</div>", group.permissions.values_list("name"))
