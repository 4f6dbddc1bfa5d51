"""Rentals: taken at once, charged for the rest of the period; released when the period ends."""

from datetime import datetime
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction as database

from accounts import cards
from accounts.models import Account, AuditEvent, User
from invoices import charging
from invoices.charging import NewLine
from invoices.models import Purpose, Status, Transaction
from invoices.purposes import subject_of
from plans import period_costs, periods, pricing, subscriptions
from plans.models import Feature, Rental, Subscription
from wallet.reversals import CreditFollowsPayment


def set_quantity(
    *, account: Account, feature: Feature, quantity: int, now: datetime, by: User | None = None
) -> Transaction | None:
    """Hold `quantity` of a rental.

    More than now: held at once, and what the plan does not include is charged to the default card
    for the rest of the period (then the returned transaction says whether it was paid); less than
    the smallest charge is waived. Fewer: the released ones stay until the period ends.

    Raises ValidationError when the plan does not have the rental, above its maximum, without a
    card, without a subscription, or while more of it are being paid for.
    """
    transaction = _change(account=account, feature=feature, quantity=quantity, now=now, by=by)
    if transaction is None:
        return None
    return charging.execute(transaction_id=transaction.pk, now=now)


@database.atomic(durable=True)
def _change(
    *, account: Account, feature: Feature, quantity: int, now: datetime, by: User | None
) -> Transaction | None:
    account = subscriptions.lock_account(account_id=account.pk)
    subscription = subscriptions.current(account=account)
    price = None
    if subscription is not None:
        price = period_costs.rental_price(subscription=subscription, feature_key=feature.key)
    if subscription is None or price is None:
        raise ValidationError(f"{feature.name} is not in the plan.")
    if quantity < 0:
        raise ValidationError("Enter zero or more.")
    if price.maximum is not None and quantity > price.maximum:
        raise ValidationError(f"The plan allows at most {price.maximum}.")
    obligation = f"rental:{feature.key}"
    charging.check_none_open(account=account, obligation=obligation)
    held = open_rental(account=account, feature=feature)
    holding = held.quantity if held else 0
    if quantity <= holding:
        if held is not None:
            held.quantity_at_renewal = quantity if quantity < holding else None
            held.save(update_fields=["quantity_at_renewal"])
            _record(account, feature, quantity, by, now)
        return None
    included = price.included_quantity
    extra = pricing.rental_quantity_billed(
        held=quantity, included=included
    ) - pricing.rental_quantity_billed(held=holding, included=included)
    period = _period_at(subscription, now)
    monthly = price.unit_price.amount * extra
    cost = pricing.prorate(monthly, start=period.start, end=period.end, now=now)
    if cost < charging.SMALLEST_CHARGE:
        _hold(account, feature, quantity, now)
        _record(account, feature, quantity, by, now)
        return None
    card = cards.default_card(account=account)
    if card is None:
        raise ValidationError("Add a payment method first: rentals are charged to it.")
    asked = Rental.objects.create(account=account, feature=feature, quantity=quantity)
    return charging.open_transaction(
        account=account,
        purpose=Purpose.RENTAL,
        lines=[
            NewLine(
                f"{feature.name}, until renewal",
                cost,
                quantity=Decimal(extra),
                unit_price=price.unit_price.amount,
                period_start=now,
                period_end=period.end,
            )
        ],
        status=Status.PROCESSING,
        card=card,
        subject_id=asked.pk,
        obligation=obligation,
        by=by,
        now=now,
    )


def _period_at(subscription: Subscription, now: datetime) -> periods.Period:
    """Return the period that `now` belongs to, whether a beat has opened it yet or not."""
    if subscription.anchor is None:
        raise ValueError(f"{subscription} is in force without having begun.")
    return periods.period_at(subscription.anchor, now)


def open_rental(*, account: Account, feature: Feature) -> Rental | None:
    """Return what the account holds of a rental now, or None."""
    return Rental.objects.filter(
        account=account, feature=feature, started_at__isnull=False, ended_at__isnull=True
    ).first()


def release_at_renewal(*, account: Account, at: datetime) -> None:
    """Let go of what was released during the period that ends at `at`."""
    releases = Rental.objects.select_for_update().filter(
        account=account,
        ended_at__isnull=True,
        quantity_at_renewal__isnull=False,
        started_at__lte=at,
    )
    for rental in releases.select_related("feature"):
        _hold(account, rental.feature, rental.quantity_at_renewal or 0, at)


def _hold(account: Account, feature: Feature, quantity: int, at: datetime) -> None:
    """End the open row and begin another: the history says who held what when."""
    Rental.objects.filter(
        account=account, feature=feature, started_at__isnull=False, ended_at__isnull=True
    ).update(ended_at=at)
    if quantity:
        Rental.objects.create(account=account, feature=feature, quantity=quantity, started_at=at)


def _record(
    account: Account, feature: Feature, quantity: int, by: User | None, now: datetime
) -> None:
    AuditEvent.objects.create(
        account=account,
        actor=by,
        action="rental_changed",
        details={"feature": feature.key, "quantity": quantity},
        created_at=now,
    )


class RentalFulfilment(CreditFollowsPayment):
    """A paid rental is held from then on."""

    announces_failure = False

    def paid(self, *, transaction: Transaction, now: datetime) -> None:
        """Hold what was asked for; a payment that comes after it was given up is credit."""
        subscriptions.lock_account(account_id=transaction.account_id)
        asked = (
            Rental.objects.select_for_update(of=("self",))
            .select_related("feature")
            .get(pk=subject_of(transaction))
        )
        if asked.started_at is not None or asked.ended_at is not None:
            subscriptions.credit_second_payment(transaction=transaction, now=now)
            return
        quantity = asked.quantity
        Rental.objects.filter(
            account_id=asked.account_id,
            feature=asked.feature,
            started_at__isnull=False,
            ended_at__isnull=True,
        ).update(ended_at=now)
        asked.started_at = now
        asked.save(update_fields=["started_at"])
        _record(transaction.account, asked.feature, quantity, transaction.opened_by, now)

    def failed(self, *, transaction: Transaction, now: datetime) -> None:
        """Nothing is held that was not paid for."""
        Rental.objects.filter(pk=subject_of(transaction), started_at__isnull=True).update(
            ended_at=now
        )
