"""The country of an account: an ISO code, whatever was written before."""

from importlib import import_module

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts.tests.factories import make_account


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("Oman", "OM"),
        ("Sultanate of Oman", "OM"),
        (" sultanate  of OMAN. ", "OM"),
        ("سلطنة عمان", "OM"),
        ("om", "OM"),
        ("OMN", "OM"),
        ("United Arab Emirates", "AE"),
        ("UAE", "AE"),
        ("Germany", "DE"),
        ("Côte d'Ivoire", "CI"),
        ("Muscat", ""),
        ("Omanistan", ""),
    ],
)
def test_what_was_written_before_is_recognised(written: str, code: str) -> None:
    migration = import_module("accounts.migrations.0003_country")
    assert migration.recognise(written) == code


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
