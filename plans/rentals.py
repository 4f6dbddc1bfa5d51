"""Rentals: taken at once, charged for the rest of the period; released when the period ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction as database
from django.db.models import QuerySet
from django.utils.translation import gettext, gettext_noop

from accounts import cards
from accounts.models import Account, AuditEvent, User
from accounts.recorded_words import Sentence
from invoices import charging
from invoices.models import Purpose, Status, Transaction
from invoices.purposes import subject_of
from plans import period_costs, rental_changes, subscriptions
from plans.models import Feature, PlanVersion, Rental, RentalVia
from plans.quotes import Agreed, QuoteExpired
from plans.rental_changes import Change, ChangeKind
from wallet.reversals import CreditFollowsPayment

PAID_TOO_LATE = Sentence(gettext_noop("Credit for %(feature)s, paid when it was too late"))


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asked for a change, where, and why; `request_key` is one request, however often sent."""

    via: RentalVia
    by: User | None = None
    reason: str = ""
    request_key: str = ""


def preview(*, account: Account, feature: Feature, quantity: int, now: datetime) -> Change:
    """Return exactly what holding `quantity` from `now` on would charge.

    Raises what `set_quantity` raises, except for a missing card.
    """
    change = rental_changes.change(account=account, feature=feature, quantity=quantity, moment=now)
    charging.check_none_open(account=account, obligation=_obligation(feature))
    if change.kind == ChangeKind.TAKEN:
        rental_changes.check_may_take(account=account)
    return change


def set_quantity(
    *,
    account: Account,
    feature: Feature,
    quantity: int,
    now: datetime,
    via: RentalVia = RentalVia.API,
    by: User | None = None,
    reason: str = "",
    agreed: Agreed | None = None,
    request_key: str = "",
) -> Transaction | None:
    """Hold `quantity` of a rental.

    More than now: held at once, and what the plan does not include is charged to the default card
    for the rest of the period (then the returned transaction says whether it was paid); less than
    the smallest charge is waived. Fewer: the released ones stay until the period ends, and until
    then they are taken back for nothing.

    A request that may have been carried out before, under its `request_key`, is first looked for
    with `asked_for_before`: there is one payment under a key at most.

    With `agreed` the price is that of the moment it was quoted at, or nothing happens.

    Raises ValidationError when the plan does not have the rental, above its maximum, without a
    subscription; for more also without a card, while the subscription is unpaid or services are
    locked. Raises AlreadyOpen while more of it are being paid for or after a payment under
    `request_key`, QuoteExpired when the price is
    not what was agreed to.
    """
    asked = Asked(via=via, by=by, reason=reason, request_key=request_key)
    with database.atomic(durable=True):
        account = subscriptions.lock_account(account_id=account.pk)
        moment = agreed.moment if agreed else now
        change = rental_changes.change(
            account=account, feature=feature, quantity=quantity, moment=moment
        )
        charging.check_none_open(account=account, obligation=_obligation(feature))
        _asked_for(account, feature).update(ended_at=now)
        if change.kind == ChangeKind.NONE:
            return None
        if change.kind != ChangeKind.TAKEN:
            _held(account, feature).update(
                quantity_at_renewal=quantity if quantity < change.holding else None
            )
            _record(account, change, asked, now)
            return None
        rental_changes.check_may_take(account=account)
        if agreed is not None:
            agreed.check(change.price)
            _check_same_period(account, change, now)
        if change.line is None:
            _hold(account, feature, quantity, now, asked)
            _record(account, change, asked, now)
            return None
        transaction = _open_payment(account, change, asked, now)
    return charging.execute(transaction_id=transaction.pk, now=now)


def asked_for_before(*, account: Account, request_key: str, now: datetime) -> Transaction | None:
    """Return the payment that a request led to before; one that is open is asked about again."""
    if not request_key:
        return None
    payment = Transaction.objects.filter(account=account, request_key=request_key).first()
    return payment and charging.execute(transaction_id=payment.pk, now=now)


def _check_same_period(account: Account, change: Change, now: datetime) -> None:
    """Raise QuoteExpired when another period has begun since the price was quoted."""
    subscription, _ = rental_changes.terms_of(account=account, feature=change.feature)
    if rental_changes.period_at(subscription, now) != change.period:
        raise QuoteExpired


def _open_payment(account: Account, change: Change, asked: Asked, now: datetime) -> Transaction:
    """Record what is asked for, and the intent to be paid for it."""
    card = cards.default_card(account=account)
    if card is None:
        raise ValidationError(gettext("Add a payment method first: rentals are charged to it."))
    assert change.line is not None
    wanted = _rental(account, change.feature, change.quantity, asked)
    wanted.save()
    return charging.open_transaction(
        account=account,
        purpose=Purpose.RENTAL,
        lines=[change.line],
        status=Status.PROCESSING,
        card=card,
        subject_id=wanted.pk,
        obligation=_obligation(change.feature),
        request_key=asked.request_key,
        is_on_session=asked.via == RentalVia.DASHBOARD,
        by=asked.by,
        now=now,
    )


def is_being_paid(*, feature: Feature, under_way: Sequence[Transaction]) -> bool:
    """Whether one of the open payments is for more of the rental: until then nothing is asked."""
    return any(payment.obligation == _obligation(feature) for payment in under_way)


def release_at_renewal(*, account: Account, at: datetime) -> None:
    """Let go of what was released during the period that ends at `at`."""
    releases = Rental.objects.select_for_update().filter(
        account=account,
        ended_at__isnull=True,
        quantity_at_renewal__isnull=False,
        started_at__lte=at,
    )
    asked = Asked(via=RentalVia.RENEWAL)
    for rental in releases.select_related("feature"):
        _hold(account, rental.feature, rental.quantity_at_renewal or 0, at, asked)


def fit_to_plan(*, account: Account, plan_version: PlanVersion, at: datetime) -> None:
    """Let go of what the version does not allow, from `at` on: a period of it begins."""
    held = [
        rental
        for rental in period_costs.rentals_held(account=account, at=at)
        if rental.ended_at is None
    ]
    for release in period_costs.releases(held=held, plan_version=plan_version):
        _hold(account, release.feature, release.kept, at, Asked(via=RentalVia.PLAN))


def end_all(*, account: Account, at: datetime) -> None:
    """End what is held: the subscription it was held under ended at `at`."""
    held = Rental.objects.filter(account=account, started_at__lte=at, ended_at__isnull=True)
    held.update(ended_at=at, quantity_at_renewal=None)


def _obligation(feature: Feature) -> str:
    return f"rental:{feature.key}"


def _rental(account: Account, feature: Feature, quantity: int, asked: Asked) -> Rental:
    return Rental(
        account=account,
        feature=feature,
        quantity=quantity,
        via=asked.via,
        changed_by=asked.by,
        reason=asked.reason,
    )


def _held(account: Account, feature: Feature) -> QuerySet[Rental]:
    return Rental.objects.filter(
        account=account, feature=feature, started_at__isnull=False, ended_at__isnull=True
    )


def _asked_for(account: Account, feature: Feature) -> QuerySet[Rental]:
    """Return what waits for its payment to be confirmed: the next decision takes its place."""
    return Rental.objects.filter(
        account=account, feature=feature, started_at__isnull=True, ended_at__isnull=True
    )


def _hold(account: Account, feature: Feature, quantity: int, at: datetime, asked: Asked) -> None:
    """End the open row and begin another: the history says who held what when."""
    _held(account, feature).update(ended_at=at)
    if quantity:
        rental = _rental(account, feature, quantity, asked)
        rental.started_at = at
        rental.save()


def _record(account: Account, change: Change, asked: Asked, now: datetime) -> None:
    AuditEvent.objects.create(
        account=account,
        actor=asked.by,
        action=f"rental_{change.kind}",
        reason=asked.reason,
        details={
            "feature": change.feature.key,
            "held": change.holding,
            "quantity": change.quantity,
            "via": asked.via,
        },
        created_at=now,
    )


class RentalFulfilment(CreditFollowsPayment):
    """A paid rental is held from then on."""

    announces_failure = False

    def why_unwanted(self, *, transaction: Transaction, now: datetime) -> str:
        """Say that the rental is held, was given up, or can't be had for that any more, or ""."""
        wanted = Rental.objects.select_related("feature").get(pk=subject_of(transaction))
        if wanted.started_at is not None:
            return gettext("It is held already.")
        if wanted.ended_at is not None:
            return gettext("It was changed or given up since.")
        if _still_wanted(transaction.account, wanted, transaction, now) is None:
            return gettext("It can't be had for this amount any more.")
        return ""

    def paid(self, *, transaction: Transaction, now: datetime) -> None:
        """Hold what was asked for; a payment that comes too late for it is credit."""
        account = subscriptions.lock_account(account_id=transaction.account_id)
        wanted = (
            Rental.objects.select_for_update(of=("self",))
            .select_related("feature", "changed_by")
            .get(pk=subject_of(transaction))
        )
        if wanted.started_at is not None or wanted.ended_at is not None:
            subscriptions.credit_second_payment(transaction=transaction, now=now)
            return
        change = _still_wanted(account, wanted, transaction, now)
        if change is None:
            wanted.ended_at = now
            wanted.save(update_fields=["ended_at"])
            subscriptions.credit_second_payment(
                transaction=transaction,
                description=PAID_TOO_LATE.write(feature=wanted.feature.name),
                now=now,
            )
            return
        _held(account, wanted.feature).update(ended_at=now)
        wanted.started_at = now
        wanted.save(update_fields=["started_at"])
        asked = Asked(via=RentalVia(wanted.via), by=wanted.changed_by, reason=wanted.reason)
        _record(account, change, asked, now)

    def failed(self, *, transaction: Transaction, now: datetime) -> None:
        """Nothing is held that was not paid for; it may still be, while it can be confirmed."""
        if transaction.can_be_confirmed(now):
            return
        Rental.objects.filter(pk=subject_of(transaction), started_at__isnull=True).update(
            ended_at=now
        )


def _still_wanted(
    account: Account, wanted: Rental, transaction: Transaction, now: datetime
) -> Change | None:
    """Return the change that was paid for, or None when it can't be had for that any more.

    A bank may answer late: when the period paid for is over, the new one was charged without this
    rental; another plan may not have it, or allow fewer; some may have been taken meanwhile.
    """
    try:
        change = rental_changes.change(
            account=account, feature=wanted.feature, quantity=wanted.quantity, moment=now
        )
    except ValidationError:
        return None
    paid = transaction.lines.get(is_tax=False)
    is_that = (change.period.end, change.billed_more) == (paid.period_end, paid.quantity)
    return change if change.kind == ChangeKind.TAKEN and is_that else None
