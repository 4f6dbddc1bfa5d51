"""The baseline django-hordak: double entry, as its documentation says to use it.

It is spared what the portal does besides: it parses no JSON, rates nothing (amounts are ready),
looks for no duplicates and keeps no usage record. Prepaid credit is what we owe the customer, a
liability; a call moves some of it to revenue.

Source: https://django-hordak.readthedocs.io/en/latest/api/models.html, `Account.transfer_to` and
"working with Transactions": within a database transaction, for its trigger checks at commit that
debits equal credits. For many at once it documents nothing of its own; its models are Django's, so
bulk_create it is.
"""

from collections.abc import Sequence
from decimal import Decimal

from django.db import transaction as database
from hordak.models import Account, AccountType, Leg, Transaction
from moneyed import Money

#: A customer and what a call costs.
Charge = tuple[int, Decimal]


class Hordak:
    """Accounts in django-hordak, one for each customer, and revenue."""

    def __init__(self, customers: int) -> None:
        self.revenue = Account.objects.create(
            name="Revenue", type=AccountType.income, code="1", currencies=["USD"]
        )
        self.customers = [
            Account.objects.create(
                name=f"Credit of {index}", type=AccountType.liability, currencies=["USD"]
            )
            for index in range(customers)
        ]

    def one_by_one(self, charges: Sequence[Charge]) -> None:
        """Its API: a call and a commit for each charge."""
        for customer, amount in charges:
            self.revenue.transfer_to(
                self.customers[customer], Money(amount, "USD"), description="Call minutes"
            )

    def in_bulk(self, charges: Sequence[Charge], size: int) -> None:
        """Its models with bulk_create, a commit for each `size` charges."""
        for at in range(0, len(charges), size):
            part = charges[at : at + size]
            with database.atomic():
                made = Transaction.objects.bulk_create(
                    Transaction(description="Call minutes") for _ in part
                )
                legs = []
                for transaction, (customer, amount) in zip(made, part, strict=True):
                    money = Money(amount, "USD")
                    account = self.customers[customer]
                    legs.append(Leg(transaction=transaction, account=self.revenue, credit=money))
                    legs.append(Leg(transaction=transaction, account=account, debit=money))
                Leg.objects.bulk_create(legs)
