"""Accounts over the REST API: provisioning, reading, changing."""

from typing import Any

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import Conflict
from accounts.api_idempotency import IDEMPOTENCY, once
from accounts.api_parameters import PageParameters, StrictEmail, StrictText, Text
from accounts.api_schema import ACCOUNT_ID, errors
from accounts.api_views import ApiView, ListView
from accounts.models import Account, PauseReason, Scope
from invoices.models import Purpose, Transaction
from plans import provisioning
from plans.models import PlanChange, PlanChangeStatus, Subscription, SubscriptionStatus
from plans.subscription_models import CURRENT_STATUSES


class SubscriptionSerializer(serializers.Serializer[Subscription]):
    """What the account is on; without a period until it is paid for."""

    status = serializers.ChoiceField(choices=SubscriptionStatus.choices)
    current_period_start = serializers.DateTimeField(allow_null=True)
    current_period_end = serializers.DateTimeField(allow_null=True)
    cancel_at_period_end = serializers.BooleanField()
    changes_to = serializers.SerializerMethodField()

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_changes_to(self, subscription: Subscription) -> str | None:
        """Return the slug of the plan it changes to when the period ends, or null."""
        waiting: list[PlanChange] = subscription.waiting_changes  # type: ignore[attr-defined]
        return waiting[0].to_version.plan.slug if waiting else None


class AutoRefillSerializer(serializers.Serializer[Any]):
    """Auto-refill and its last attempt."""

    enabled = serializers.BooleanField()
    threshold = serializers.DecimalField(max_digits=12, decimal_places=2, help_text="USD.")
    amount = serializers.DecimalField(max_digits=12, decimal_places=2, help_text="USD.")
    monthly_maximum = serializers.DecimalField(
        max_digits=12, decimal_places=2, allow_null=True, help_text="USD; null: no limit."
    )
    suspended_at = serializers.DateTimeField(
        allow_null=True, help_text="Since when it makes no attempts after several declines."
    )
    last_attempt_at = serializers.DateTimeField(allow_null=True)
    last_attempt_amount = serializers.DecimalField(
        max_digits=12, decimal_places=2, allow_null=True, help_text="USD, as charged."
    )
    last_attempt_status = serializers.CharField(allow_null=True)
    last_attempt_message = serializers.CharField(allow_null=True, help_text="Why it failed.")


class AccountSerializer(serializers.Serializer[Account]):
    """A customer account."""

    id = serializers.UUIDField()
    external_id = serializers.CharField()
    name = serializers.CharField()
    owner_email = serializers.EmailField()
    timezone = serializers.CharField()
    services = serializers.ChoiceField(choices=[("active", "active"), ("paused", "paused")])
    reasons = serializers.ListField(
        source="pause_reasons", child=serializers.ChoiceField(choices=PauseReason.choices)
    )
    balance = serializers.SerializerMethodField()
    plan = serializers.SerializerMethodField()
    subscription = serializers.SerializerMethodField()
    auto_refill = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()

    @extend_schema_field(serializers.DecimalField(max_digits=18, decimal_places=6))
    def get_balance(self, account: Account) -> str:
        """Return the wallet's balance in USD."""
        wallet = getattr(account, "wallet", None)
        return f"{wallet.balance if wallet else 0:.6f}"

    def _subscription(self, account: Account) -> Subscription | None:
        """Return what is in force, else what waits for its first payment."""
        found: list[Subscription] = account.standing  # type: ignore[attr-defined]
        current = [each for each in found if each.status in CURRENT_STATUSES]
        return next(iter(current or found), None)

    def get_plan(self, account: Account) -> str | None:
        """Return the plan's slug."""
        subscription = self._subscription(account)
        return subscription.plan_version.plan.slug if subscription else None

    @extend_schema_field(SubscriptionSerializer(allow_null=True))
    def get_subscription(self, account: Account) -> Any:
        """Return the subscription."""
        subscription = self._subscription(account)
        return SubscriptionSerializer(subscription).data if subscription else None

    @extend_schema_field(AutoRefillSerializer)
    def get_auto_refill(self, account: Account) -> Any:
        """Return auto-refill: off when it was never looked at."""
        wallet = getattr(account, "wallet", None)
        refill = getattr(wallet, "auto_refill", None)
        attempts: list[Transaction] = account.last_refills  # type: ignore[attr-defined]
        last = attempts[0] if attempts else None
        return AutoRefillSerializer(
            {
                "enabled": refill is not None and refill.enabled,
                "threshold": refill.threshold.amount if refill else 0,
                "amount": refill.amount.amount if refill else 0,
                "monthly_maximum": refill and refill.monthly_maximum,
                "suspended_at": refill and refill.suspended_at,
                "last_attempt_at": last and last.created_at,
                "last_attempt_amount": last and last.amount.amount,
                "last_attempt_status": last and last.status,
                "last_attempt_message": last and last.failure_message,
            }
        ).data


def readable() -> QuerySet[Account]:
    """Return the accounts with all that AccountSerializer shows, in a fixed number of queries."""
    standing = Subscription.objects.filter(
        Q(status__in=CURRENT_STATUSES) | Q(status=SubscriptionStatus.INACTIVE)
    )
    waiting = PlanChange.objects.filter(status=PlanChangeStatus.SCHEDULED)
    refills = Transaction.objects.filter(purpose=Purpose.AUTO_REFILL)
    newest = refills.order_by("account_id", "-created_at", "-pk").distinct("account_id")
    return Account.objects.select_related("wallet__auto_refill").prefetch_related(
        Prefetch(
            "subscriptions",
            queryset=standing.select_related("plan_version__plan").prefetch_related(
                Prefetch(
                    "plan_changes",
                    queryset=waiting.select_related("to_version__plan"),
                    to_attr="waiting_changes",
                )
            ),
            to_attr="standing",
        ),
        Prefetch("transactions", queryset=newest, to_attr="last_refills"),
    )


def _text(format: str, maximum: int) -> dict[str, Any]:  # noqa: A002
    return {"type": "string", "format": format, "minLength": 1, "maxLength": maximum}


@extend_schema_field(_text("external-id", 200))
class ExternalId(StrictText):
    """The platform's own id of an account."""


@extend_schema_field(_text("printable", 200))
class Name(StrictText):
    """What somebody is called."""


@extend_schema_field(_text("plan-slug", 64))
class PlanSlug(StrictText):
    """One of the plans on sale."""


@extend_schema_field(_text("time-zone", 64))
class TimeZone(StrictText):
    """One of the zones of the IANA database."""


class ProvisionSerializer(serializers.Serializer[Any]):
    """An account to be made."""

    external_id = ExternalId(
        max_length=200, help_text="The platform's own id of it: printable, without slashes."
    )
    name = Name(max_length=200, help_text="Printable.")
    owner_email = StrictEmail(max_length=254)
    plan = PlanSlug(
        max_length=64,
        default="payg",
        help_text="A plan's slug. One that costs something starts when the customer pays for it.",
    )
    timezone = TimeZone(
        max_length=64, default="UTC", help_text="A name of the IANA time zone database."
    )


class ChangesSerializer(serializers.Serializer[Any]):
    """What may be changed of an account."""

    name = Name(max_length=200, required=False, help_text="Printable.")
    owner_email = StrictEmail(
        max_length=254, required=False, help_text="Where receipts and notices go."
    )
    timezone = TimeZone(
        max_length=64, required=False, help_text="A name of the IANA time zone database."
    )


class AccountParameters(PageParameters):
    """Which accounts."""

    external_id = Text(required=False, help_text="Only the account with this id of yours.")
    email = Text(required=False, help_text="Only with this `owner_email`, whatever its case.")
    services = serializers.ChoiceField(
        ["active", "paused"], required=False, help_text="Only those whose services are so."
    )
    plan = Text(required=False, help_text="Only those that are on the plan with this slug.")


class AccountsView(ListView):
    """`GET /accounts/` and `POST /accounts/`."""

    parameters = {"GET": AccountParameters}
    scopes = {"GET": Scope.ACCOUNTS_READ, "POST": Scope.ACCOUNTS_WRITE}
    is_for_customers = True
    queryset = Account.objects.none()
    serializer_class = AccountSerializer

    def get_queryset(self) -> QuerySet[Account]:
        """Return all accounts, or those asked for; for a customer's key, its own."""
        accounts = readable()
        if self.customer_id is not None:
            accounts = accounts.filter(pk=self.customer_id)
        if "external_id" in self.asked:
            accounts = accounts.filter(external_id=self.asked["external_id"])
        if "email" in self.asked:
            accounts = accounts.filter(owner_email__iexact=self.asked["email"])
        if "services" in self.asked:
            is_paused = ~Q(pause_reasons=[])
            accounts = accounts.filter(
                is_paused if self.asked["services"] == "paused" else ~is_paused
            )
        if "plan" in self.asked:
            on_it = Subscription.objects.filter(
                account=OuterRef("pk"),
                status__in=CURRENT_STATUSES,
                plan_version__plan__slug=self.asked["plan"],
            )
            accounts = accounts.filter(Exists(on_it))
        return accounts

    @extend_schema(
        operation_id="list_accounts",
        tags=["Accounts"],
        summary="All accounts, newest first",
        responses={200: AccountSerializer(many=True), **errors(400, 404)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the accounts."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="provision_account",
        tags=["Accounts"],
        summary="Provision an account",
        parameters=[*IDEMPOTENCY],
        request=ProvisionSerializer,
        responses={
            201: AccountSerializer,
            200: AccountSerializer,
            **errors(400, 409, 413, 415),
        },
    )
    def post(self, request: Request) -> Response | HttpResponse:
        """Make an account: 201. Repeated with the same content: 200 and the same account.

        Repeated with the same `Idempotency-Key`: the first answer.
        """
        return once(request, target="accounts", carry_out=self._provision, is_atomic=True)

    def _provision(self, request_key: str) -> Response:
        sent = ProvisionSerializer(data=self.request.data)
        sent.is_valid(raise_exception=True)
        content = dict(sent.validated_data)
        try:
            account, made = provisioning.find_or_provision(
                plan_slug=content.pop("plan"), now=timezone.now(), **content
            )
        except provisioning.ProvisionConflict as error:
            raise Conflict(str(error)) from error
        return Response(
            AccountSerializer(readable().get(pk=account.pk)).data,
            status=status.HTTP_201_CREATED if made else status.HTTP_200_OK,
        )


class AccountView(ApiView):
    """`GET` and `PATCH /accounts/{id}/`."""

    scopes = {"GET": Scope.ACCOUNTS_READ, "PATCH": Scope.ACCOUNTS_WRITE}
    has_etag = True

    @extend_schema(
        operation_id="retrieve_account",
        tags=["Accounts"],
        summary="One account",
        parameters=[ACCOUNT_ID],
        responses={200: AccountSerializer, **errors(400, 404)},
    )
    def get(self, request: Request, id: str) -> Response:  # noqa: A002
        """Return an account with its services, balance, plan and auto-refill."""
        return Response(AccountSerializer(self.find_account(id, readable())).data)

    @extend_schema(
        operation_id="change_account",
        tags=["Accounts"],
        summary="Change an account",
        parameters=[ACCOUNT_ID],
        request=ChangesSerializer,
        responses={200: AccountSerializer, **errors(400, 404, 413, 415)},
    )
    def patch(self, request: Request, id: str) -> Response:  # noqa: A002
        """Change the name, the owner's e-mail address or the timezone."""
        account = self.find_account(id)
        sent = ChangesSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        provisioning.update(account=account, changes=sent.validated_data, now=timezone.now())
        return Response(AccountSerializer(readable().get(pk=account.pk)).data)
