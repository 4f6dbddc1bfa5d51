"""Companies for the worked examples, brought to their state by the real services."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from accounts.models import Account, Card, Membership, User
from accounts.roles import Role
from accounts.stripe_objects import Outcome, Payment
from accounts.tests.factories import make_account, make_card
from invoices import settlement
from invoices.models import Purpose, Status, Transaction
from invoices.tests.factories import LineSpec, make_transaction
from plans import catalogue, opening, renewal_charges, subscriptions, usage
from plans.models import Feature, Plan, PlanVersion, Rental
from plans.tests.factories import make_record
from wallet import ledger, refill_rules
from wallet.models import AutoRefill, EntryKind
from wallet.refill_rules import Terms

PASSWORD = "correct horse battery"


def make_member(account: Account, role: str = Role.OWNER, **fields: Any) -> User:
    """A user with a role in the account."""
    number = User.objects.count() + 1
    user = User.objects.create_user(
        fields.pop("email", f"member{number}@muscat.test"), PASSWORD, **fields
    )
    Membership.objects.create(account=account, user=user, role=role, created_at=timezone.now())
    return user


def make_company(*, balance: str = "0", **fields: Any) -> Account:
    """An account with a wallet and no plan yet."""
    account = make_account(**{"timezone": "Asia/Muscat", **fields})
    ledger.open_wallet(account=account, now=timezone.now())
    if Decimal(balance):
        ledger.post(
            account_id=account.pk,
            kind=EntryKind.REFUND,
            amount=Decimal(balance),
            description="Balance of the example",
            now=timezone.now(),
        )
    return Account.objects.get(pk=account.pk)


def plan_version(slug: str) -> PlanVersion:
    """The version of the seed catalogue that is sold."""
    if not Plan.objects.filter(slug=slug).exists():
        catalogue.load(now=timezone.now())
    version = subscriptions.latest_version(plan=Plan.objects.get(slug=slug))
    assert version is not None
    return version


def pay(transaction: Transaction, *, now: datetime) -> Transaction:
    """The bank says yes."""
    charged = transaction.charged_amount
    payment = Payment(
        Outcome.SUCCEEDED,
        payment_intent_id=f"pi_{transaction.number}",
        amount_minor=int(charged.amount * 1000),
        currency="omr",
        card_brand="visa",
        card_last4="4242",
    )
    return settlement.settle(transaction_id=transaction.pk, payment=payment, now=now)


def start_plan(account: Account, slug: str, *, at: datetime) -> None:
    """Begin a plan, paid with the default card when it costs something."""
    version = plan_version(slug)
    if not version.monthly_price.amount:
        subscriptions.start_free(account=account, plan_version=version, now=at)
        return
    subscription = account.subscriptions.create(plan_version=version, created_at=at)
    transaction = make_transaction(
        account,
        status=Status.PROCESSING,
        purpose=Purpose.PLAN_CHANGE,
        subject_id=subscription.pk,
        created_at=at,
        lines=[
            LineSpec(description=f"{version.plan.name} plan", amount=version.monthly_price.amount)
        ],
    )
    pay(transaction, now=at)


def top_up(account: Account, amount: str, *, at: datetime) -> Transaction:
    """A top-up that was paid."""
    transaction = make_transaction(account, status=Status.PROCESSING, amount=amount, created_at=at)
    return pay(transaction, now=at)


def use(account: Account, feature: str, quantity: str, *, at: datetime) -> None:
    """Report one record."""
    record = make_record(
        account, quantity=Decimal(quantity), feature=feature, occurred_at=at, description="A call"
    )
    usage.record(records=[record], now=at)


def busy_company(**fields: Any) -> Account:
    """On growth for 20 days, with two cards, usage every day and payments of every outcome."""
    now = timezone.now()
    account = make_company(**{"name": "Muscat Freight LLC", **fields})
    today = now.astimezone(account.timezone).date()
    make_card(
        account,
        is_default=True,
        exp_month=today.month,
        exp_year=today.year,
        holder_name="Layla Al Said",
    )
    make_card(account, brand="mastercard", last4="4444", holder_name="Omar Al Balushi")
    start = now - timedelta(days=20)
    start_plan(account, "growth", at=start)
    top_up(account, "100.00", at=start + timedelta(minutes=5))
    for day in range(20):
        at = start + timedelta(days=day, hours=1)
        minutes = Decimal(14 + (day * 37) % 31)
        use(account, "call_minutes", str(minutes), at=at)
        use(account, "llm_tokens", str(minutes * 3), at=at)
        use(account, "voicemail_detection", str(minutes // 2), at=at)
        use(account, "tts_retrieval_mb", str(minutes * 2), at=at)
        if day % 3 == 0:
            use(account, "kb_storage_vectors_1k", "30", at=at)
    make_transaction(
        account, status=Status.FAILED, amount="50.00", created_at=now - timedelta(days=3)
    )
    make_transaction(
        account,
        status=Status.CHECKOUT,
        amount="250.00",
        card_brand="",
        card_last4="",
        created_at=now - timedelta(days=2),
        expires_at=now - timedelta(days=1),
        expired_at=now - timedelta(days=1),
    )
    make_transaction(
        account,
        status=Status.CHECKOUT,
        amount="25.00",
        card_brand="",
        card_last4="",
        checkout_url="https://checkout.example/pay",
        created_at=now - timedelta(hours=2),
        expires_at=now + timedelta(hours=22),
    )
    return account


def past_due_company(**fields: Any) -> Account:
    """On growth, with two phone numbers; the second month's renewal was declined yesterday."""
    now = timezone.now()
    account = make_company(balance="12", **fields)
    make_card(account, is_default=True)
    start_plan(account, "growth", at=now - timedelta(days=32))
    subscription = account.subscriptions.get()
    Rental.objects.create(
        account=account,
        feature=Feature.objects.get(key="phone_number"),
        quantity=5,
        started_at=now - timedelta(days=31, hours=20),
    )
    opening.open_page(now=now)
    renewal = subscription.renewals.get(number=2)
    transaction = make_transaction(
        account,
        status=Status.PROCESSING,
        purpose=Purpose.RENEWAL,
        subject_id=renewal.pk,
        created_at=now - timedelta(days=1),
        lines=[
            LineSpec(description=line.description, amount=line.amount)
            for line in renewal_charges.lines_of(renewal)
        ],
    )
    declined = Payment(
        Outcome.DECLINED,
        failure_code="insufficient_funds",
        failure_message="The card has insufficient funds.",
    )
    settlement.settle(transaction_id=transaction.pk, payment=declined, now=now - timedelta(days=1))
    return account


def switch_refill_on(
    account: Account, *, threshold: str = "20", amount: str = "50", **fields: Any
) -> AutoRefill:
    """Auto-refill as the customer set it."""
    refill = refill_rules.configure(
        account=account,
        enabled=True,
        terms=Terms(threshold=Decimal(threshold), amount=Decimal(amount)),
        minimum=Decimal(10),
        by=None,
        now=timezone.now(),
    )
    for field, value in fields.items():
        setattr(refill, field, value)
    refill.save()
    return refill


def default_card(account: Account) -> Card:
    """The card that is charged."""
    return account.cards.get(is_default=True)
