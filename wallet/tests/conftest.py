"""Whom the tests of the wallet are about: a customer, and staff of two roles."""

import pytest

from accounts.models import Account, User
from accounts.staff_roles import StaffRole
from accounts.tests.factories import make_account, make_staff
from wallet.tests.factories import make_wallet


@pytest.fixture
def alice() -> Account:
    """Alice Trading has 5 dollars of credit."""
    account = make_account(name="Alice Trading")
    make_wallet(account, "5")
    return account


@pytest.fixture
def support() -> User:
    """A colleague who answers customers."""
    return make_staff(StaffRole.SUPPORT)


@pytest.fixture
def finance() -> User:
    """A colleague who keeps the books."""
    return make_staff(StaffRole.FINANCE)
