"""Customers: what they do in the dashboard, in their browser and on payment pages."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from accounts import billing_details, card_attempts, cards
from accounts.models import Account, Card, CardStatus, User
from invoices import checkout, confirmations
from invoices.models import Status, Transaction
from plans import (
    cancellation,
    plan_changes,
    plan_quotes,
    provisioning,
    rentals,
    spend_caps,
    subscriptions,
)
from plans.models import Feature, PlanVersion, RentalVia
from simulation.stripe_at_hand import Refused
from simulation.world import World
from wallet import low_balance, refill_rules, topups
from wallet.refill_rules import Terms

#: Cards as the sandbox names them: good ones, and bad ones of every kind.
CARDS: Sequence[tuple[int, str]] = (
    (30, "pm_card_visa"),
    (14, "pm_card_mastercard"),
    (6, "pm_card_amex"),
    (5, "pm_card_chargeDeclined"),
    (4, "pm_card_chargeDeclinedInsufficientFunds"),
    (2, "pm_card_chargeDeclinedStolenCard"),
    (5, "pm_card_chargeCustomerFail"),
    (14, "pm_card_authenticationRequired"),
    (4, "pm_card_authenticationRequiredOnSetup"),
    (2, "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds"),
    (3, "pm_card_createDispute"),
    (2, "pm_card_createDisputeInquiry"),
    (14, "pm_card_pendingRefund"),
    (3, "pm_card_refundFail"),
)
_AMOUNTS = (10, 10, 15, 25, 25, 50, 100)
_RENTALS = ("phone_number", "user_seat", "call_concurrency", "whitelabel_license")


class Customer:
    """One customer. What they have is in the database; this only knows how to look."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number
        self.name = f"customer-{number}"
        self._chance = world.chance
        #: A quote that was looked at and not answered yet: the version, and what was signed.
        self._quote: tuple[PlanVersion, str] | None = None
        self._requests = 0

    @property
    def has_joined(self) -> bool:
        """Whether there is an account."""
        return Account.objects.filter(external_id=self.name).exists()

    @property
    def account(self) -> Account:
        """The account as it is now."""
        return Account.objects.get(external_id=self.name)

    @property
    def owner(self) -> User:
        """Who acts."""
        return User.objects.get(email=f"{self.name}@customers.test")

    def act(self) -> None:
        """Do something."""
        if not self.has_joined:
            self.world.do(self.name, "sign up", self.sign_up)
            return
        account, now = self.account, self.world.clock.now
        can_pay = account.cards.filter(is_default=True).exists()
        is_asked = confirmations.waiting(account=account, now=now) is not None
        deeds: list[tuple[int, tuple[str, Callable[[], str]]]] = [
            (12 if can_pay else 1, ("top up with the saved card", self.top_up)),
            (10, ("pay on a payment page", self.pay_on_a_page)),
            (6 if can_pay else 40, ("add a card", self.add_a_card)),
            (4 if can_pay else 1, ("choose another default card", self.choose_a_default)),
            (3 if can_pay else 1, ("remove a card", self.remove_a_card)),
            (8, ("look at a plan", self.look_at_a_plan)),
            (12 if can_pay else 2, ("agree to a plan", self.agree_to_a_plan)),
            (4, ("cancel or keep the plan", self.cancel_or_keep)),
            (8 if can_pay else 1, ("take or release a rental", self.rent)),
            (8 if can_pay else 1, ("set auto-refill", self.set_auto_refill)),
            (5, ("set limits", self.set_limits)),
            (2, ("move to another country", self.move)),
            (40 if is_asked else 1, ("answer the bank", self.answer_the_bank)),
        ]
        act, work = self.world.pick(deeds)
        self.world.do(self.name, act, work)

    # Joining, and cards --------------------------------------------------------------------
    def sign_up(self) -> str:
        """Be provisioned by the platform."""
        plan = self._chance.weighed([(4, "payg"), (3, "starter"), (2, "growth")])
        provisioning.provision(
            external_id=self.name,
            name=f"Customer {self.number}",
            owner_email=f"{self.name}@customers.test",
            plan_slug=plan,
            timezone=self._chance.one_of(("Asia/Muscat", "UTC", "Pacific/Auckland")),
            now=self.world.clock.now,
        )
        return plan

    def add_a_card(self) -> str:
        """Add a card, as the page and the browser do it together."""
        account, owner = self.account, self.owner
        setup = card_attempts.begin(
            account=account, by=owner, ip_address=None, now=self.world.clock.now
        )
        if self._chance.happens(0.08):
            return "the page was left"
        card = self._chance.weighed(CARDS)
        confirmed: dict[str, Any] = {"payment_method": card}
        if self._chance.happens(0.1):
            confirmed["authenticate"] = False
        try:
            self.world.stripe.control(f"setup_intents/{setup.id}/confirm", confirmed)
        except Refused as refused:
            card_attempts.note_failure(setup_intent_id=setup.id, code=refused.code)
            return "declined in the browser"
        if self._chance.happens(0.08):
            return "the browser never came back"
        saved = cards.add(
            account=account, setup_intent_id=setup.id, by=owner, now=self.world.clock.now
        )
        return saved.status

    def choose_a_default(self) -> str:
        """Charge another card from now on."""
        card = self._any_card(self.account)
        if card is None:
            return "no card"
        cards.make_default(card=card, by=self.owner, now=self.world.clock.now)
        return "done"

    def remove_a_card(self) -> str:
        """Remove a card."""
        card = self._any_card(self.account)
        if card is None:
            return "no card"
        cards.remove(card=card, by=self.owner, now=self.world.clock.now)
        return "done"

    def _any_card(self, account: Account) -> Card | None:
        found = list(account.cards.filter(status=CardStatus.VERIFIED).order_by("pk"))
        return self._chance.one_of(found) if found else None

    # Paying ---------------------------------------------------------------------------------
    def top_up(self) -> str:
        """Top up in one click, or two."""
        account, owner = self.account, self.owner
        self._requests += 1
        amount = Decimal(self._chance.one_of(_AMOUNTS))
        is_there = self._chance.happens(0.5)
        paid: Transaction | None = None
        for _ in range(2 if self._chance.happens(0.15) else 1):
            paid = topups.charge_saved_card(
                account=account,
                amount=amount,
                minimum=self._minimum(account),
                by=owner,
                request_key=f"{self.name}-{self._requests}",
                is_on_session=is_there,
                now=self.world.clock.now,
            )
        assert paid is not None
        if is_there and paid.status == Status.PROCESSING:
            paid = self._authenticate(paid)
        return str(paid.status)

    def pay_on_a_page(self) -> str:
        """Open a hosted page; pay there or not, come back or not."""
        account = self.account
        opened = topups.open_payment_page(
            account=account,
            amount=Decimal(self._chance.one_of(_AMOUNTS)),
            minimum=self._minimum(account),
            return_path="/billing/top-up/return/?session_id={CHECKOUT_SESSION_ID}",
            cancel_path="/billing/top-up/",
            by=self.owner,
            now=self.world.clock.now,
        )
        if self._chance.happens(0.3):
            return "abandoned"
        paid = self._pay(opened, self._chance.weighed(CARDS))
        if self._chance.happens(0.3):
            return f"{paid}, never came back"
        back = checkout.refresh(transaction_id=opened.pk, now=self.world.clock.now)
        return f"{paid}, came back: {back.status}"

    def _pay(self, opened: Transaction, card: str) -> str:
        wish = {"payment_method": card, "authenticate": self._chance.happens(0.8)}
        try:
            self.world.stripe.control(f"checkout/{opened.stripe_checkout_session_id}/pay", wish)
        except Refused:
            return "declined"
        return "tried"

    def _minimum(self, account: Account) -> Decimal:
        subscription = subscriptions.current(account=account)
        if subscription is None:
            return Decimal(10)
        return Decimal(subscription.plan_version.minimum_top_up.amount)

    # The bank wants to know -----------------------------------------------------------------
    def answer_the_bank(self) -> str:
        """Confirm a payment that waits for it, or say that it is not wanted."""
        now = self.world.clock.now
        waiting = confirmations.waiting(account=self.account, now=now)
        if waiting is None:
            return "nothing waits"
        if self._chance.happens(0.2):
            declined = confirmations.decline(transaction=waiting, by=self.owner, now=now)
            return f"not wanted: {declined.status}"
        confirmation = confirmations.begin(transaction=waiting, now=now)
        if confirmation.problem:
            return "nothing to confirm any more"
        return str(self._authenticate(waiting).status)

    def _authenticate(self, transaction: Transaction) -> Transaction:
        """Answer the bank in the browser, and have the page ask how it stands."""
        intent = transaction.stripe_payment_intent_id
        if not intent or self._chance.happens(0.2):
            return transaction
        found = self.world.stripe.find(intent)
        try:
            if found["status"] == "requires_payment_method" and transaction.card is not None:
                method = transaction.card.stripe_payment_method_id
                self.world.stripe.confirm_in_browser(found, method)
            self.world.stripe.control(
                f"payment_intents/{intent}/authenticate", {"passed": self._chance.happens(0.8)}
            )
        except Refused:
            pass  # the bank declined, or there is nothing to answer any more
        if self._chance.happens(0.2):
            return transaction
        return confirmations.refresh(transaction=transaction, now=self.world.clock.now)

    # Plans and rentals ----------------------------------------------------------------------
    def look_at_a_plan(self) -> str:
        """Look at what a plan comes to; it is agreed to later, if at all."""
        account = self.account
        offered = subscriptions.offered_to(account=account)
        # Few look for less than they have.
        version = self._chance.weighed(
            [(3 if each.monthly_price.amount else 1, each) for each in offered]
        )
        quote = plan_quotes.quote(account=account, plan_version=version, at=self.world.clock.now)
        self._quote = (version, plan_quotes.seal(quote, account=account))
        return f"{version.plan.slug}: {quote.kind}"

    def agree_to_a_plan(self) -> str:
        """Agree to what was seen last, or look first."""
        if self._quote is None or self._chance.happens(0.8):
            self.look_at_a_plan()
        assert self._quote is not None
        version, sealed = self._quote
        self._quote = None
        current = subscriptions.current(account=self.account)
        has = current.plan_version.monthly_price.amount if current else 0
        if version.monthly_price.amount < has and self._chance.happens(0.7):
            return "thought better of less"
        is_there = self._chance.happens(0.7)
        agreed = plan_changes.agree(
            account=self.account,
            plan_version=version,
            sealed=sealed,
            by=self.owner,
            is_on_session=is_there,
            now=self.world.clock.now,
        )
        paid = agreed.transaction
        if is_there and paid is not None and paid.status == Status.PROCESSING:
            paid = self._authenticate(paid)
        return f"{agreed.quote.kind} {paid.status if paid else 'for nothing'}"

    def cancel_or_keep(self) -> str:
        """Cancel the plan, keep it after all, or forget a change that waits."""
        subscription = subscriptions.current(account=self.account)
        is_ending = subscription is not None and subscription.cancel_at_period_end
        wish = self._chance.weighed(
            [
                (6 if is_ending else 1, cancellation.keep),
                (1 if is_ending else 2, cancellation.cancel),
                (1, plan_changes.take_back),
            ]
        )
        wish(account=self.account, by=self.owner, now=self.world.clock.now)
        return wish.__name__

    def rent(self) -> str:
        """Hold more of a rental, or less."""
        feature = Feature.objects.get(key=self._chance.one_of(_RENTALS))
        self._requests += 1
        paid = rentals.set_quantity(
            account=self.account,
            feature=feature,
            quantity=self._chance.one_of((0, 1, 1, 2, 3, 5, 12)),
            via=self._chance.one_of((RentalVia.API, RentalVia.DASHBOARD)),
            by=self.owner,
            request_key=f"{self.name}-{self._requests}",
            now=self.world.clock.now,
        )
        return f"{feature.key} {paid.status if paid else 'for nothing'}"

    # Rules ----------------------------------------------------------------------------------
    def set_auto_refill(self) -> str:
        """Switch auto-refill on, with any terms, or off."""
        account = self.account
        is_on = self._chance.happens(0.85)
        refill_rules.configure(
            account=account,
            enabled=is_on,
            terms=Terms(
                threshold=Decimal(self._chance.one_of((5, 20, 50, 50))),
                amount=Decimal(self._chance.one_of((10, 25, 50))),
            ),
            minimum=self._minimum(account),
            by=self.owner,
            now=self.world.clock.now,
        )
        return "on" if is_on else "off"

    def set_limits(self) -> str:
        """Set a spend cap, or a limit below which to be told."""
        account, owner, now = self.account, self.owner, self.world.clock.now
        if self._chance.happens(0.5):
            cap = self._chance.one_of((None, None, Decimal(5), Decimal(15), Decimal(60)))
            spend_caps.set_cap(account=account, cap=cap, by=owner, now=now)
            return "spend cap"
        low_balance.set_limit(
            account=account, limit=Decimal(self._chance.one_of((5, 15))), by=owner, now=now
        )
        return "low balance"

    def move(self) -> str:
        """Live where another tax is due."""
        country = self._chance.one_of(("OM", "AE", "DE"))
        billing_details.change(
            account=self.account,
            details={"country": country},
            by=self.owner,
            now=self.world.clock.now,
        )
        return country
