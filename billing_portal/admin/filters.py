"""The filters that are questions of this trade."""

from datetime import UTC, datetime, time
from typing import Any, cast

from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.db import connection
from django.db.models import Exists, Field, Model, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import RangeDateTimeFilter as UnfoldRangeDateTimeFilter

from accounts.models import CARD_BRANDS, Account, ApiKey, Card, PauseReason, Scope, User
from plans.models import Plan, Subscription
from plans.subscription_models import CURRENT_STATUSES
from wallet import approvals
from wallet.models import ApprovalRequest


class RangeDateTimeFilter(UnfoldRangeDateTimeFilter):
    """From one moment to another, both in UTC; a day without a time is the whole of it."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        """Narrow the list; what is no moment narrows nothing."""
        wanted = {}
        for side, lookup, whole in (("from", "gte", time.min), ("to", "lte", time.max)):
            day, at = (
                str(self.used_parameters.get(f"{self.parameter_name}_{side}_{part}") or "")
                for part in (0, 1)
            )
            if not day:
                continue
            try:
                moment = datetime.fromisoformat(f"{day} {at or whole}")
            except ValueError:
                return None
            wanted[f"{self.parameter_name}__{lookup}"] = moment.replace(tzinfo=UTC)
        return queryset.filter(**wanted)


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


#: Rows that are rather named one by one than looked for again.
_FEW = 500


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
            # Few among many: found once, not for the list and again for its length.
            found = Account.objects.filter(~Exists(current)).order_by().values_list("pk", flat=True)
            few = list(found[: _FEW + 1])
            return queryset.filter(pk__in=few if len(few) <= _FEW else found)
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


class MyDecisionFilter(SimpleListFilter):
    """What the reader may decide on now, as the front page counts it."""

    title = "waiting for"
    parameter_name = "waiting"

    def lookups(
        self, request: HttpRequest, model_admin: "ModelAdmin[Any]"
    ) -> list[tuple[str, str]]:
        """Offer the reader."""
        return [("me", "My decision")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[ApprovalRequest]
    ) -> QuerySet[ApprovalRequest] | None:
        """Narrow the list."""
        if self.value() != "me":
            return None
        mine = approvals.waiting_for(cast(User, request.user), now=timezone.now())
        return queryset.filter(pk__in=mine.order_by().values("pk"))


class SeenValueFilter(SimpleListFilter):
    """A column's values, read from its index: Django's own filter would read the table for them."""

    def lookups(
        self, request: HttpRequest, model_admin: "ModelAdmin[Any]"
    ) -> list[tuple[str, str]]:
        """Offer what there is, in words."""
        values = seen_values(model_admin.model, str(self.parameter_name))
        return [(value, value.replace("_", " ")) for value in values]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        """Narrow the list."""
        value = self.value()
        return queryset.filter(**{str(self.parameter_name): value}) if value else None


#: From one value to the next: as many look-ups as there are values, however many rows.
_VALUES = """
WITH RECURSIVE seen AS (
    (SELECT {column} AS value FROM {table} ORDER BY {column} LIMIT 1)
    UNION ALL
    SELECT (SELECT {column} FROM {table} WHERE {column} > seen.value ORDER BY {column} LIMIT 1)
    FROM seen WHERE seen.value IS NOT NULL)
SELECT value FROM seen WHERE value IS NOT NULL
"""


def seen_values(model: type[Model], field: str) -> list[Any]:
    """Return the values of a column that begins an index."""
    quote = connection.ops.quote_name
    column = quote(cast("Field[Any, Any]", model._meta.get_field(field)).column or field)
    with connection.cursor() as cursor:
        cursor.execute(_VALUES.format(column=column, table=quote(model._meta.db_table)))
        return [value for (value,) in cursor.fetchall()]


class CardBrandFilter(SimpleListFilter):
    """Whose network a card is of."""

    title = "brand"
    parameter_name = "brand"

    def lookups(
        self, request: HttpRequest, model_admin: "ModelAdmin[Any]"
    ) -> list[tuple[str, str]]:
        """Offer the brands that the customer knows by name."""
        return list(CARD_BRANDS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Card]) -> QuerySet[Card] | None:
        """Narrow the list."""
        return queryset.filter(brand=self.value()) if self.value() else None


class MessageEventFilter(SeenValueFilter):
    """What a message tells."""

    title = "event"
    parameter_name = "event"


class AuditActionFilter(SeenValueFilter):
    """What was done."""

    title = "action"
    parameter_name = "action"
