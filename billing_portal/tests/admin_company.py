"""One of everything the admin shows, made by the real services where they exist."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Permission
from django_celery_beat.models import (
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
)
from djstripe import models as stripe_models

from accounts import api_keys, delivery_log, invitations
from accounts.models import (
    Account,
    ApiKey,
    AuditEvent,
    Card,
    CardAttempt,
    Membership,
    Message,
    User,
)
from accounts.roles import Role
from accounts.stripe_objects import DisputeStage, RefundOutcome, StripeDispute, StripeRefund
from accounts.tests.factories import NOW, make_account, make_card
from accounts.tests.test_notices import EXAMPLES
from billing_portal import audit, business_days
from billing_portal.models import Heartbeat
from invoices import disputes, refund_settlement
from invoices.models import (
    Purpose,
    ReconciliationFinding,
    ReconciliationRun,
    Status,
    Transaction,
)
from invoices.reconciliation_models import FindingKind, Phase
from invoices.tests.factories import make_transaction
from plans import usage
from plans.models import (
    FeaturePrice,
    PlanChange,
    PlanChangeStatus,
    PlanVersion,
    PriceTier,
    Rental,
    SubscriberMove,
    Subscription,
)
from plans.tests.factories import (
    GROWTH_TIERS,
    make_feature,
    make_record,
    make_subscription,
    make_version,
    make_wallet,
)
from wallet import adjustments, approvals, ledger
from wallet.models import EntryKind, Wallet
from wallet.tests.factories import switch_off, switch_on


@dataclass(frozen=True)
class Company:
    """A customer with a past, and the staff who look after it."""

    account: Account
    card: Card
    version: PlanVersion
    draft: PlanVersion
    subscription: Subscription
    paid: Transaction
    failed: Transaction
    admin: User
    support: User
    key: ApiKey


def make_company() -> Company:
    """Make the company: plan, card, a top-up that partly went back, a declined refill, usage."""
    admin = User.objects.create_superuser("admin@staff.test", "a-long-password")
    account = make_account(name="Muscat Freight LLC", stripe_customer_id="cus_muscat")
    owner = User.objects.create_user("owner@muscat.test", "a-long-password")
    Membership.objects.create(account=account, user=owner, role=Role.OWNER, created_at=NOW)
    CardAttempt.objects.create(account=account, ip_address="192.0.2.7", created_at=NOW)
    invitations.invite(
        account=account, email="clerk@muscat.test", role=Role.VIEWER, by=owner, now=NOW
    )
    card = make_card(account, is_default=True, last4="4242")
    version = make_version(included="5", tiers=GROWTH_TIERS, monthly_price="99")
    subscription = make_subscription(account, version)
    make_wallet(account)
    paid = make_transaction(account, card=card, amount="50.00")
    ledger.post(
        account_id=account.pk,
        kind=EntryKind.TOP_UP,
        amount=Decimal("50.00"),
        description="Top-up",
        now=NOW,
        transaction=paid,
    )
    refund_settlement.settle(
        transaction_id=paid.pk,
        report=StripeRefund(
            id="re_1",
            outcome=RefundOutcome.SUCCEEDED,
            payment_intent_id=paid.stripe_payment_intent_id,
            amount_minor=3850,
            currency="omr",
        ),
        now=NOW,
    )
    disputes.record(
        transaction_id=paid.pk,
        report=StripeDispute(
            id="du_1",
            stage=DisputeStage.OPENED,
            charge_id="ch_1",
            payment_intent_id=paid.stripe_payment_intent_id,
            amount_minor=3850,
            currency="omr",
            reason="product_not_received",
            evidence_due_at=NOW,
            opened_at=NOW,
        ),
        now=NOW,
    )
    failed = make_transaction(account, status=Status.FAILED, purpose=Purpose.AUTO_REFILL)
    make_transaction(account, status=Status.PROCESSING)
    make_transaction(account, status=Status.CHECKOUT)
    usage.record(records=[make_record(account, "3"), make_record(account, "4.5")], now=NOW)
    adjustments.adjust(
        account=account, amount=Decimal("2.50"), reason="Dropped calls", author=admin, now=NOW
    )
    approvals.ask_for_adjustment(
        account=account,
        amount=Decimal(9000),
        reason="An outage of a week",
        by=admin,
        now=NOW,
        request_key="1",
    )
    switch_on(account)
    switch_off(account)
    Rental.objects.create(
        account=account,
        feature=make_feature("phone_number", name="Phone number", unit="number", kind="rental"),
        quantity=3,
        started_at=NOW,
    )
    SubscriberMove.objects.create(
        plan_version=version, reason="New prices", created_at=NOW, finished_at=NOW
    )
    PlanChange.objects.create(
        account=account,
        subscription=subscription,
        from_version=version,
        to_version=make_version(included="0"),
        status=PlanChangeStatus.CANCELED,
        period_number=1,
        created_at=NOW,
    )
    message = Message.objects.create(
        account=account,
        channel="email",
        event="low_balance",
        key="low-balance-1",
        recipient="owner@muscat.test",
        payload=EXAMPLES["low_balance"],
        created_at=NOW,
        next_attempt_at=NOW,
    )
    delivery_log.note(
        message=message, started_at=NOW, duration=timedelta(seconds=1), status=None, error="Timeout"
    )
    key, _ = api_keys.create(name="Platform", now=NOW)
    make_reconciliation()
    make_surroundings(owner)
    return Company(
        account=account,
        card=card,
        version=version,
        draft=make_draft(version),
        subscription=subscription,
        paid=paid,
        failed=failed,
        admin=admin,
        support=make_viewer(),
        key=key,
    )


def make_draft(version: PlanVersion) -> PlanVersion:
    """Make an unpublished version of another plan, with one price and a tier."""
    other = make_version(included="0")
    PriceTier.objects.create(
        price=FeaturePrice.objects.get(version=other), above_quantity=100, discount_percent=5
    )
    PlanVersion.objects.filter(pk=other.pk).update(published_at=None)
    other.refresh_from_db()
    return other


def make_viewer() -> User:
    """Make a support user who may view everything and change nothing."""
    user = User.objects.create_user("support@staff.test", "a-long-password", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    return user


def make_reconciliation() -> None:
    """Make a night's comparison with Stripe that found something."""
    run = ReconciliationRun.objects.create(
        since=NOW, until=NOW, phase=Phase.DONE, started_at=NOW, finished_at=NOW
    )
    ReconciliationFinding.objects.create(
        kind=FindingKind.UNKNOWN_PAYMENT,
        subject="pi_stray",
        detail="5.000 OMR names no transaction.",
        first_run=run,
        last_run=run,
        found_at=NOW,
    )


def make_surroundings(owner: User) -> None:
    """Make one of each third-party object."""
    EmailAddress.objects.create(user=owner, email=owner.email, primary=True, verified=True)
    Authenticator.objects.create(user=owner, type="totp", data={"secret": "hush-hush"})
    Heartbeat.objects.create(name="tick", at=NOW)
    audit.note(violations=[], now=NOW, since=None)
    business_days.sum_up(day=NOW.date(), now=NOW)
    every_minute = IntervalSchedule.objects.create(every=1, period="minutes")
    PeriodicTask.objects.create(name="Tick", task="accounts.tasks.send", interval=every_minute)
    CrontabSchedule.objects.create()
    customer = stripe_models.Customer.objects.create(
        id="cus_muscat", livemode=False, created=NOW, stripe_data={"email": "owner@muscat.test"}
    )
    for name in ("PaymentMethod", "PaymentIntent", "SetupIntent", "Session"):
        getattr(stripe_models, name).objects.create(
            id=f"{name.lower()}_1",
            livemode=False,
            created=NOW,
            customer=customer,
            stripe_data={"status": "succeeded", "client_secret": "hush-hush"},
        )
    stripe_models.Account.objects.create(id="acct_1", stripe_data={"country": "OM"})
    stripe_models.Charge.objects.create(
        id="ch_1",
        livemode=False,
        created=NOW,
        amount=Decimal(50),
        currency="omr",
        stripe_data={"amount": 19250, "currency": "omr"},
    )
    stripe_models.WebhookEndpoint.objects.create(
        id="we_1",
        livemode=False,
        secret="whsec_hush-hush",
        url="https://billing.example/stripe/",
        status="enabled",
        enabled_events=["*"],
        api_version="2026-08-26.dahlia",
        stripe_data={"url": "https://billing.example/stripe/", "secret": "hush-hush"},
    )
    event = stripe_models.Event.objects.create(
        id="evt_1",
        livemode=False,
        created=NOW,
        type="payment_intent.succeeded",
        data={"object": {"id": "pi_1", "client_secret": "hush-hush"}},
    )
    stripe_models.WebhookEventTrigger.objects.create(
        remote_ip="127.0.0.1",
        headers={"Stripe-Signature": "hush-hush"},
        body='{"id": "evt_1", "data": {"object": {"client_secret": "hush-hush"}}}',
        valid=True,
        processed=True,
        event=event,
    )


def history_of(account: Account) -> list[str]:
    """Return what the audit trail says of an account, oldest first."""
    events = AuditEvent.objects.filter(account=account).order_by("pk")
    return list(events.values_list("action", flat=True))


def balance_of(account: Account) -> Decimal:
    """Return the wallet's balance."""
    return Wallet.objects.get(account=account).balance
