"""The database rates as plans/pricing.py says: random batches, against a model of a few lines.

Each batch also record by record: the function for a single one says and does the same.
"""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from accounts.models import Account
from accounts.tests.factories import NOW
from plans import spend_caps, usage
from plans.models import Allowance, PlanVersion, UsageRecord
from plans.pricing import Tier, rate
from plans.tests.factories import make_customer, make_record, make_version
from wallet.models import Entry, Wallet

pytestmark = pytest.mark.django_db

QUANTITIES = st.decimals(min_value=0, max_value=60, places=6)
TIERS = (("20", "10"), ("45.5", "12.5"), ("100", "33.33"))


class TheDatabaseAndTheModel(TestCase):
    """Records of two accounts in one batch, some ids sent again, priced in up to three tiers."""

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        included=st.sampled_from(["0", "17.25", "500"]),
        unit_price=st.sampled_from(["0.10", "0.00000150", "3.33333333"]),
        tiers=st.integers(0, 3),
        sent=st.lists(
            st.tuples(st.integers(0, 1), st.integers(0, 5), QUANTITIES), min_size=1, max_size=12
        ),
        cap=st.sampled_from(["3.00", "15.00", "40.00"]),
    )
    def test_they_agree(
        self,
        included: str,
        unit_price: str,
        tiers: int,
        sent: Sequence[tuple[int, int, Decimal]],
        cap: str,
    ) -> None:
        version = make_version(included=included, unit_price=unit_price, tiers=TIERS[:tiers])
        accounts = [make_customer(version=version) for _ in range(2)]
        set_cap(accounts[0], cap)
        records = [
            make_record(accounts[who], str(quantity), id=f"call-{number}")
            for who, number, quantity in sent
        ]
        results = usage.record(records=records, now=NOW)
        self.assert_the_same_one_by_one(results, version, sent, cap)

        steps = [Tier(Decimal(above), Decimal(discount)) for above, discount in TIERS[:tiers]]
        left = [Decimal(included)] * 2
        billed = [Decimal(0)] * 2
        owed = [Decimal(0)] * 2
        first: dict[tuple[int, int], Decimal] = {}
        for (who, number, quantity), result in zip(sent, results, strict=True):
            if (who, number) in first:
                same = first[who, number] == quantity
                assert result.status == ("duplicate" if same else "rejected")
                continue
            first[who, number] = quantity
            expected = rate(
                quantity=quantity,
                included_remaining=left[who],
                billed_before=billed[who],
                unit_price=Decimal(unit_price),
                tiers=steps,
            )
            assert result.status == "recorded"
            assert result.included_quantity == expected.included_quantity
            assert result.billed_quantity == expected.billed_quantity
            assert result.amount == expected.amount
            left[who] -= expected.included_quantity
            billed[who] += expected.billed_quantity
            owed[who] += expected.amount
        for who, account in enumerate(accounts):
            assert Wallet.objects.get(account=account).balance == -owed[who]
            used = sum(
                UsageRecord.objects.filter(account=account).values_list(
                    "included_quantity", flat=True
                ),
                Decimal(0),
            )
            reported = used + billed[who]
            assert used == min(reported, Decimal(included))
            allowance = Allowance.objects.filter(account=account).first()
            assert (allowance.used if allowance else 0) == used
            assert all(entry.description for entry in Entry.objects.filter(account=account))
        assert_capped(accounts[0], cap, spent=owed[0])
        assert_capped(accounts[1], None, spent=owed[1])

    def assert_the_same_one_by_one(
        self,
        in_one_batch: list[usage.Result],
        version: PlanVersion,
        sent: Sequence[tuple[int, int, Decimal]],
        cap: str,
    ) -> None:
        """A single record takes another function: two more accounts are told one by one."""
        accounts = [make_customer(version=version) for _ in range(2)]
        set_cap(accounts[0], cap)
        one_by_one = []
        for who, number, quantity in sent:
            record = make_record(accounts[who], str(quantity), id=f"call-{number}")
            one_by_one += usage.record(records=[record], now=NOW)
        assert one_by_one == in_one_batch
        spent = -Wallet.objects.get(account=accounts[0]).balance
        assert_capped(accounts[0], cap, spent=spent, is_told_in_steps=True)


def set_cap(account: Account, cap: str) -> None:
    spend_caps.set_cap(account=account, cap=Decimal(cap), by=None, now=NOW)


def assert_capped(
    account: Account, cap: str | None, *, spent: Decimal, is_told_in_steps: bool = False
) -> None:
    """Assert that services pause exactly where the cap is reached, and that it is told once."""
    account.refresh_from_db()
    is_reached = cap is not None and spent >= Decimal(cap)
    is_near = cap is not None and spent >= Decimal(cap) * Decimal("0.8") and not is_reached
    assert ("spend_cap" in account.pause_reasons) == is_reached
    told = Counter(account.messages.values_list("event", flat=True))
    assert told["spend_cap_reached"] == is_reached
    # Record by record, one may have come between; a batch says where it has led.
    assert told["spend_cap_near"] == is_near or (is_told_in_steps and is_reached)
    assert told["spend_cap_near"] <= 1
