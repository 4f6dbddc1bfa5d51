"""Staff: they adjust, refund, approve, lock, give more time and ask Stripe."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from django.contrib.auth.models import Group

from accounts import service_locks
from accounts.models import Account, PauseReason, User
from accounts.money import usd
from accounts.staff_roles import StaffRole
from invoices import refunds, sweeper
from invoices.models import OPEN_STATUSES, Purpose, Status, Transaction
from plans import (
    cancellation,
    grace,
    payment_retries,
    subscriber_moves,
    subscriptions,
    usage_cycle,
    versions,
)
from plans.models import Plan, PlanVersion, SubscriptionStatus
from simulation.world import World
from wallet import adjustments, approvals
from wallet.models import Adjustment, ApprovalRequest, ApprovalState

_ROLES = (StaffRole.SUPPORT, StaffRole.FINANCE, StaffRole.FINANCE, StaffRole.ADMINISTRATOR)
_REASON = "As agreed with the customer"


class Staff:
    """Four colleagues."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.chance
        self._requests = 0
        for number, role in enumerate(_ROLES, start=1):
            person = User.objects.create_user(f"staff-{number}@badal.test", is_staff=True)
            person.groups.add(Group.objects.get(name=role))

    def act(self) -> None:
        """Have somebody do something for a customer."""
        accounts = list(Account.objects.order_by("created_at", "external_id"))
        if not accounts:
            return
        account = self._chance.one_of(accounts)
        debtors = Account.objects.filter(subscriptions__status=SubscriptionStatus.PAST_DUE)
        if debtors.exists() and self._chance.happens(0.5):
            account = self._chance.one_of(list(debtors.order_by("external_id").distinct()))
        waiting = ApprovalRequest.objects.filter(state=ApprovalState.REQUESTED).exists()
        unpaid = account.subscriptions.filter(status=SubscriptionStatus.PAST_DUE).exists()
        states = set(account.transactions.values_list("status", flat=True))
        adjusted = Adjustment.objects.filter(wallet__account=account).exists()
        deeds: list[tuple[int, tuple[str, Callable[[Account, User], str]]]] = [
            (10, ("adjust credit", self.adjust)),
            (5 if adjusted else 1, ("reverse an adjustment", self.reverse)),
            (14 if Status.PAID in states else 1, ("refund", self.refund)),
            (30 if waiting else 1, ("decide on a request", self.decide)),
            (3, ("lock or unlock services", self.lock_or_unlock)),
            (12 if unpaid else 1, ("give more time", self.give_more_time)),
            (8 if Status.FAILED in states else 1, ("charge again", self.charge_again)),
            (10 if states & set(OPEN_STATUSES) else 1, ("ask Stripe", self.ask_stripe)),
            (3, ("begin allowances anew", self.begin_allowances_anew)),
            (3, ("sell another version of a plan", self.change_a_plan)),
            (2, ("cancel or keep a customer's plan", self.cancel_or_keep)),
        ]
        act, work = self._world.pick(deeds)
        number = self._chance.between(1, len(_ROLES))
        person = User.objects.get(email=f"staff-{number}@badal.test")
        who = f"staff-{number} for {account.external_id}"
        self._world.do(who, act, lambda: work(account, person))

    def adjust(self, account: Account, person: User) -> str:
        """Give or take credit; what is beyond one's limit is asked for."""
        now = self._world.clock.now
        amount = Decimal(self._chance.one_of((-60, -30, -5, 5, 5, 12, 20, 40, -600, 600)))
        if self._chance.happens(0.5):
            adjustments.adjust(
                account=account, amount=amount, reason=_REASON, author=person, now=now
            )
            return "adjusted"
        approvals.ask_for_adjustment(
            account=account,
            amount=amount,
            reason=_REASON,
            by=person,
            request_key=self._new_key(),
            now=now,
        )
        return "asked for"

    def reverse(self, account: Account, person: User) -> str:
        """Take an adjustment back."""
        found = list(Adjustment.objects.filter(wallet__account=account).order_by("pk"))
        if not found:
            return "nothing to reverse"
        adjustments.reverse(
            adjustment=self._chance.one_of(found),
            reason=_REASON,
            by=person,
            now=self._world.clock.now,
        )
        return "reversed"

    def refund(self, account: Account, person: User) -> str:
        """Refund a part of a payment, or all that is left of it, now and then too much."""
        payment = self._any_payment(account, Status.PAID)
        if payment is None:
            return "nothing to refund"
        left = refunds.amount_left(payment)
        part = Decimal(self._chance.between(1, 3000)) / 100
        amount = self._chance.one_of((left, part, min(left, part), left + 1))
        now, key = self._world.clock.now, self._new_key()
        if self._chance.happens(0.3):
            approvals.ask_for_refund(
                transaction_id=payment.pk,
                amount=amount,
                reason=_REASON,
                by=person,
                request_key=key,
                now=now,
            )
            return "asked for"
        refund = refunds.make_refund(
            transaction_id=payment.pk,
            amount=amount,
            reason=_REASON,
            by=person,
            request_key=key,
            now=now,
        )
        return str(refund.status)

    def decide(self, account: Account, person: User) -> str:
        """Approve, decline or withdraw what waits, of any account."""
        waiting = list(ApprovalRequest.objects.filter(state=ApprovalState.REQUESTED).order_by("pk"))
        if not waiting:
            return "nothing waits"
        decision = self._chance.weighed(
            [(6, approvals.approve), (1, approvals.decline), (1, approvals.withdraw)]
        )
        request = self._chance.one_of(waiting)
        by = request.requested_by if decision is approvals.withdraw else person
        done = decision(request_id=request.pk, by=by, reason=_REASON, now=self._world.clock.now)
        return str(done.state)

    def lock_or_unlock(self, account: Account, person: User) -> str:
        """Lock services for a while."""
        is_locked = PauseReason.LOCKED in account.pause_reasons
        act = service_locks.unlock if is_locked else service_locks.lock
        act(account_id=account.pk, reason=_REASON, by=person, now=self._world.clock.now)
        return act.__name__

    def give_more_time(self, account: Account, person: User) -> str:
        """Let services go on although the renewal is unpaid."""
        now = self._world.clock.now
        until = now + timedelta(days=self._chance.between(1, 10))
        grace.extend(account=account, until=until, by=person, reason=_REASON, now=now)
        return "given"

    def charge_again(self, account: Account, person: User) -> str:
        """Charge what failed once more."""
        failed = account.transactions.filter(
            status=Status.FAILED, purpose=Purpose.RENEWAL
        ).first() or self._any_payment(account, Status.FAILED)
        if failed is None:
            return "nothing failed"
        paid = payment_retries.retry(
            transaction=failed, by=person, reason=_REASON, now=self._world.clock.now
        )
        return str(paid.status) if paid else "nothing to charge"

    def ask_stripe(self, account: Account, person: User) -> str:
        """Ask about a payment at once."""
        found = list(account.transactions.filter(status__in=OPEN_STATUSES).order_by("pk"))
        if not found:
            return "nothing open"
        asked = sweeper.ask_now(
            transaction=self._chance.one_of(found),
            by=person,
            reason=_REASON,
            now=self._world.clock.now,
        )
        return str(asked.status)

    def begin_allowances_anew(self, account: Account, person: User) -> str:
        """Restore what the plan includes."""
        usage_cycle.reset(account=account, by=person, reason=_REASON, now=self._world.clock.now)
        return "done"

    def change_a_plan(self, account: Account, person: User) -> str:
        """Publish a version with another monthly price, and move who is on an older one."""
        now = self._world.clock.now
        plan = Plan.objects.get(slug=self._chance.one_of(("payg", "starter", "growth")))
        newest = subscriptions.latest_version(plan=plan)
        assert newest is not None
        if self._chance.happens(0.5):
            draft = PlanVersion.objects.filter(plan=plan, published_at=None).first()
            draft = draft or versions.draft_from(version=newest)
            if plan.slug != "payg":
                draft.monthly_price += usd(self._chance.one_of((-3, 2, 7)))
                draft.save()
            versions.publish(version=draft, by=person, reason=_REASON, now=now)
            return "published"
        subscriber_moves.order(
            plan_version=newest,
            by=person,
            reason=_REASON,
            tells_customers=self._chance.happens(0.5),
            now=now,
        )
        return "subscribers move"

    def cancel_or_keep(self, account: Account, person: User) -> str:
        """Cancel a plan for its customer, or keep it."""
        subscription = subscriptions.current(account=account)
        is_ending = subscription is not None and subscription.cancel_at_period_end
        wish = cancellation.keep if is_ending else cancellation.cancel
        wish(account=account, by=person, reason=_REASON, now=self._world.clock.now)
        return wish.__name__

    def _any_payment(self, account: Account, status: Status) -> Transaction | None:
        found = account.transactions.filter(status=status).order_by("pk")
        purposes = sorted(set(found.values_list("purpose", flat=True)))
        if not purposes:
            return None
        return self._chance.one_of(list(found.filter(purpose=self._chance.one_of(purposes))))

    def _new_key(self) -> str:
        self._requests += 1
        return f"00000000-0000-4000-8000-{self._requests:012d}"
