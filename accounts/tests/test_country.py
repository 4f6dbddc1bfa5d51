"""The country of an account: an ISO code."""

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts.tests.factories import make_account


@pytest.mark.django_db
def test_a_country_is_one_of_the_standard() -> None:
    account = make_account(country="OM")
    account.refresh_from_db()
    account.full_clean()
    assert (str(account.country), account.get_country_display()) == ("OM", "Oman")
    account.country = "XX"
    with pytest.raises(ValidationError, match="XX"):
        account.full_clean()
    with pytest.raises(IntegrityError, match="a_country_is_an_iso_code"), transaction.atomic():
        make_account(country="O1")
