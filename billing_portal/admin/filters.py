"""The filters that are questions of this trade."""

from typing import Any

from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import Account, ApiKey, PauseReason, Scope
from plans.models import Plan, Subscription
from plans.subscription_models import CURRENT_STATUSES

Lookups = list[tuple[str, str]]


class ServicesFilter(SimpleListFilter):
    """Active, paused, or paused for one reason."""

    title = "services"
    parameter_name = "services"

    def lookups(
        self, request: HttpRequest, model_admin: "ModelAdmin[Any]"
    ) -> list[tuple[str, str]]:
        """Offer the states, then the reasons."""
        return [
            ("active", "Active"),
            ("paused", "Paused, any reason"),
            *((reason.value, f"Paused: {reason.label}") for reason in PauseReason),
        ]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Account]
    ) -> QuerySet[Account] | None:
        """Narrow the list."""
        match self.value():
            case None:
                return None
            case "active":
                return queryset.filter(pause_reasons__len=0)
            case "paused":
                return queryset.exclude(pause_reasons__len=0)
            case reason:
                return queryset.filter(pause_reasons__contains=[reason])


class BalanceFilter(SimpleListFilter):
    """On which side of zero the wallet is."""

    title = "balance"
    parameter_name = "balance"

    def lookups(
        self, request: HttpRequest, model_admin: "ModelAdmin[Any]"
    ) -> list[tuple[str, str]]:
        """Offer the sides of zero."""
        return [("negative", "Below zero"), ("zero", "Exactly zero"), ("positive", "Above zero")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Account]
    ) -> QuerySet[Account] | None:
        """Narrow the list."""
        match self.value():
            case "negative":
                return queryset.filter(wallet__balance__lt=0)
            case "zero":
                return queryset.filter(wallet__balance=0)
            case "positive":
                return queryset.filter(wallet__balance__gt=0)
        return None


class PlanFilter(SimpleListFilter):
    """The plan an account is on now."""

    title = "plan"
    parameter_name = "plan"

    def lookups(
        self, request: HttpRequest, model_admin: "ModelAdmin[Any]"
    ) -> list[tuple[str, str]]:
        """Offer every plan, and having none."""
        plans = Plan.objects.values_list("slug", "name")
        return [*plans, ("none", "No plan")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Account]
    ) -> QuerySet[Account] | None:
        """Narrow the list."""
        slug = self.value()
        if slug is None:
            return None
        current = Subscription.objects.filter(account=OuterRef("pk"), status__in=CURRENT_STATUSES)
        if slug == "none":
            return queryset.filter(~Exists(current))
        return queryset.filter(Exists(current.filter(plan_version__plan__slug=slug)))


class KeyStateFilter(SimpleListFilter):
    """Whether an API key still opens anything."""

    title = "state"
    parameter_name = "state"

    def lookups(
        self, request: HttpRequest, model_admin: "ModelAdmin[Any]"
    ) -> list[tuple[str, str]]:
        """Offer the states."""
        return [("valid", "Valid"), ("expired", "Expired"), ("revoked", "Revoked")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> QuerySet[ApiKey] | None:
        """Narrow the list."""
        expired = Q(expires_at__lte=timezone.now())
        match self.value():
            case "valid":
                return queryset.filter(~expired, revoked_at__isnull=True)
            case "expired":
                return queryset.filter(expired, revoked_at__isnull=True)
            case "revoked":
                return queryset.filter(revoked_at__isnull=False)
        return None


class ScopeFilter(SimpleListFilter):
    """What an API key may do."""

    title = "scope"
    parameter_name = "scope"

    def lookups(
        self, request: HttpRequest, model_admin: "ModelAdmin[Any]"
    ) -> list[tuple[str, str]]:
        """Offer every scope."""
        return [(scope.value, scope.value) for scope in Scope]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> QuerySet[ApiKey] | None:
        """Narrow the list."""
        scope = self.value()
        return queryset.filter(scopes__contains=[scope]) if scope in Scope.values else None
