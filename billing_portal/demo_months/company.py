"""A simulated customer: who they are, how they call, and what they do on which day."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from accounts import api_keys, billing_details, cards, invitations, receipt_copies
from accounts.models import Account, Card, Membership, User
from accounts.roles import Role
from accounts.staff_roles import StaffRole
from billing_portal.demo_months.bank import Bank
from invoices import refunds, reversals
from invoices.models import Dispute, Purpose, Status, Transaction
from plans import provisioning, rentals, spend_caps, subscriptions
from plans.models import Feature, Plan, RentalVia
from plans.usage_records import ParsedRecord
from wallet import low_balance, refill_rules, topups
from wallet.refill_rules import Terms

#: How busy each weekday is, Monday first: Oman's weekend is Friday and Saturday.
_WEEKDAYS = (Decimal(1), Decimal("1.1"), Decimal(1), Decimal("0.95"), Decimal("0.3"),
             Decimal("0.4"), Decimal("1.05"))  # fmt: skip
#: When people call: the local working day, thin at the edges (hours in UTC).
_HOURS = (4, 5, 5, 6, 6, 6, 7, 7, 8, 8, 9, 9, 10, 11, 12, 13, 14)


@dataclass(frozen=True)
class Profile:
    """Who a customer is and how much they call on an ordinary day."""

    external_id: str
    name: str
    owner_email: str
    calls_per_day: int
    minutes_per_call: int
    workspaces: tuple[str, ...]
    billing: dict[str, str] = field(default_factory=dict)
    members: tuple[tuple[str, Role], ...] = ()


class Company:
    """One simulated customer, acting through the services."""

    def __init__(self, profile: Profile, *, bank: Bank, random: Random) -> None:
        self.profile = profile
        self.bank = bank
        self._random = random
        self._calls = 0
        self.account: Account
        self.card: Card

    # Acting -----------------------------------------------------------------------------------
    def join(self, now: datetime) -> None:
        """Be provisioned by the platform, on pay as you go."""
        profile = self.profile
        self.account = provisioning.provision(
            external_id=profile.external_id,
            name=profile.name,
            owner_email=profile.owner_email,
            timezone="Asia/Muscat",
            now=now,
        )
        self.account = billing_details.change(
            account=self.account, details=profile.billing, by=self._owner(), now=now
        )
        for email, role in profile.members:
            user = User.objects.get(email=email)
            Membership.objects.create(account=self.account, user=user, role=role, created_at=now)

    def add_card(self, now: datetime, card: str = "pm_card_visa") -> None:
        """Add a card and let it pass the hold."""
        setup = cards.begin(account=self.account)
        self.bank.confirm_setup(setup.id, card)
        self.card = cards.add(
            account=self.account, setup_intent_id=setup.id, by=self._owner(), now=now
        )

    def subscribe(self, slug: str, now: datetime) -> None:
        """Subscribe to a plan, charged to the default card."""
        version = subscriptions.latest_version(plan=Plan.objects.get(slug=slug))
        if version is None:
            raise LookupError(f"The catalogue has no published version of {slug}.")
        subscriptions.subscribe(
            account=self.account, plan_version=version, by=self._owner(), now=now
        )

    def rent(self, feature: str, quantity: int, now: datetime) -> None:
        """Hold a rental."""
        rentals.set_quantity(
            account=self.account,
            feature=Feature.objects.get(key=feature),
            quantity=quantity,
            via=RentalVia.DASHBOARD,
            by=self._owner(),
            now=now,
        )

    def top_up(self, amount: int, now: datetime) -> Transaction:
        """Top up with the saved card, in one click."""
        return topups.charge_saved_card(
            account=self.account,
            amount=Decimal(amount),
            minimum=Decimal(10),
            by=self._owner(),
            now=now,
        )

    def open_payment_page(self, amount: int, now: datetime) -> Transaction:
        """Open the hosted payment page, and go no further."""
        return topups.open_payment_page(
            account=self.account,
            amount=Decimal(amount),
            minimum=Decimal(10),
            return_path="/billing/top-up/return/?session_id={CHECKOUT_SESSION_ID}",
            cancel_path="/billing/top-up/",
            by=self._owner(),
            now=now,
        )

    def pay_on_page(self, amount: int, now: datetime, card: str = "pm_card_mastercard") -> None:
        """Open the hosted payment page and pay there; the sweeper learns of it."""
        self.bank.pay(self.open_payment_page(amount, now), card)

    def switch_auto_refill_on(self, threshold: int, amount: int, now: datetime) -> None:
        """Switch auto-refill on."""
        refill_rules.configure(
            account=self.account,
            enabled=True,
            terms=Terms(threshold=Decimal(threshold), amount=Decimal(amount)),
            minimum=Decimal(10),
            by=self._owner(),
            now=now,
        )

    def card_declines(self, code: str | None) -> None:
        """The bank begins (or with None: ceases) to decline the first card."""
        self.bank.let_decline(self.card.stripe_payment_method_id, code)

    def charge_to_newest_card(self, now: datetime) -> None:
        """Make the card that was added last the default."""
        cards.make_default(card=self.card, by=self._owner(), now=now)

    def copy_receipts_to(self, address: str, now: datetime) -> None:
        """Have the accountant get each receipt."""
        receipt_copies.change(account=self.account, addresses=[address], by=self._owner(), now=now)

    def be_told_below(self, limit: int, now: datetime) -> None:
        """Ask for an e-mail when the balance falls below this."""
        low_balance.set_limit(account=self.account, limit=Decimal(limit), by=self._owner(), now=now)

    def cap_spend(self, cap: int, now: datetime) -> None:
        """Let usage cost at most this in a period."""
        spend_caps.set_cap(account=self.account, cap=Decimal(cap), by=self._owner(), now=now)

    def make_key(self, name: str, now: datetime) -> None:
        """Make an API key for a program of the company's own."""
        api_keys.create_for_account(account=self.account, name=name, by=self._owner(), now=now)

    def invite(self, email: str, role: Role, now: datetime) -> None:
        """Invite a colleague, who has not answered yet."""
        invitations.invite(account=self.account, email=email, role=role, by=self._owner(), now=now)

    def is_refunded(self, amount: int, reason: str, now: datetime) -> None:
        """Have support refund a part of the newest top-up."""
        refunds.make_refund(
            transaction_id=self._newest_top_up().pk,
            amount=Decimal(amount),
            reason=reason,
            by=User.objects.filter(groups__name=StaffRole.FINANCE).earliest("pk"),
            now=now,
        )

    def dispute(self, reason: str, now: datetime) -> None:
        """Dispute the newest top-up at the bank; the portal asks, for no webhook comes."""
        payment = self._newest_top_up()
        self.bank.dispute(payment, reason)
        reversals.ask(payment_intent_id=payment.stripe_payment_intent_id, now=now)

    def withdraw_dispute(self, now: datetime) -> None:
        """Withdraw the dispute, which the portal then has won."""
        dispute = Dispute.objects.get(account=self.account, closed_at__isnull=True)
        self.bank.withdraw_dispute(dispute.stripe_dispute_id)
        payment = dispute.transaction
        reversals.ask(payment_intent_id=payment.stripe_payment_intent_id, now=now)

    def _newest_top_up(self) -> Transaction:
        return self.account.transactions.filter(purpose=Purpose.TOP_UP, status=Status.PAID).latest(
            "paid_at"
        )

    def _owner(self) -> User:
        return User.objects.get(email=self.profile.owner_email)

    # Calling ----------------------------------------------------------------------------------
    def usage_between(
        self, start: datetime, end: datetime, *, growth: Decimal
    ) -> list[ParsedRecord]:
        """Return what the platform reports for the calls between two moments of one day."""
        records: list[ParsedRecord] = []
        busy = _WEEKDAYS[start.weekday()] * growth
        for _ in range(
            int(self.profile.calls_per_day * busy * self._random.randint(75, 125) / 100)
        ):
            at = start.replace(hour=self._random.choice(_HOURS), minute=0, second=0) + timedelta(
                seconds=self._random.randrange(3600)
            )
            if start <= at < end:
                records += self._call(at)
        return sorted(records, key=lambda record: record.occurred_at)

    def _call(self, at: datetime) -> list[ParsedRecord]:
        """Return the records of one call: minutes, tokens, speech, now and then a voicemail."""
        self._calls += 1
        workspace = self._random.choice(self.profile.workspaces)
        seconds = max(6, int(self._random.expovariate(1 / (60 * self.profile.minutes_per_call))))
        minutes = (Decimal(seconds) / 60).quantize(Decimal("0.01"))
        quantities = {
            "call_minutes": minutes,
            "llm_tokens": (minutes * self._random.randint(5, 12) / 10).quantize(Decimal("0.001")),
            "tts_retrieval_mb": (minutes * self._random.randint(3, 9) / 10).quantize(
                Decimal("0.01")
            ),
        }
        if self._random.random() < 0.08:
            quantities["voicemail_detection"] = Decimal(1)
        call = f"{self.profile.external_id}-call-{self._calls:06d}"
        return [
            ParsedRecord(
                id=f"{call}-{feature}",
                account=f"external:{self.profile.external_id}",
                feature=feature,
                quantity=quantity,
                occurred_at=at,
                workspace=workspace,
                source=call,
                description=f"Call of {seconds // 60} min {seconds % 60:02d} s",
            )
            for feature, quantity in quantities.items()
        ]


#: What a company does on a day of the simulation, counted from its first.
Diary = dict[int, Sequence[Callable[[datetime], object]]]
