"""How long the balance lasts: worked examples."""

from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.models import Account
from accounts.tests.factories import NOW, make_account
from wallet import forecast, ledger
from wallet.forecast import Forecast
from wallet.models import EntryKind, Wallet
from wallet.tests.factories import post_usage

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> Account:
    """Alice has 100 dollars of credit."""
    account = make_account(name="Alice")
    ledger.open_wallet(account=account, now=NOW)
    ledger.post(
        account_id=account.pk,
        kind=EntryKind.REFUND,
        amount=Decimal(100),
        description="Of the example",
        now=NOW,
    )
    return account


def use(account: Account, amount: str, *, days_later: int) -> None:
    """Deduct a call, so many days after NOW."""
    post_usage([(account, amount)], now=NOW + timedelta(days=days_later))


def run_out(account: Account, *, days_later: int) -> Forecast | None:
    """Ask so many days after NOW."""
    wallet = Wallet.objects.get(account=account)
    return forecast.run_out(wallet=wallet, now=NOW + timedelta(days=days_later))


def test_five_dollars_a_day_use_up_ninety_in_eighteen_days(alice: Account) -> None:
    use(alice, "5", days_later=1)
    use(alice, "5", days_later=2)

    assert run_out(alice, days_later=3) == Forecast(per_day=Decimal("5.00"), days=18)


def test_days_covered_by_the_allowance_do_not_slow_the_pace(alice: Account) -> None:
    use(alice, "30", days_later=10)

    assert run_out(alice, days_later=13) == Forecast(per_day=Decimal("10.00"), days=7)


def test_usage_of_long_ago_says_nothing(alice: Account) -> None:
    use(alice, "5", days_later=1)

    assert run_out(alice, days_later=16) is None


def test_the_first_day_says_nothing(alice: Account) -> None:
    use(alice, "5", days_later=1)

    assert run_out(alice, days_later=2) is None


def test_a_balance_below_zero_is_used_up(alice: Account) -> None:
    use(alice, "120", days_later=1)

    assert run_out(alice, days_later=4) == Forecast(per_day=Decimal("40.00"), days=0)
