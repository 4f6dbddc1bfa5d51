"""What is typed into the address bar: a record that isn't there is said so, never an error page."""

from itertools import product

import pytest
from django.urls import NoReverseMatch, reverse

from billing_portal.tests.admin_company import make_company
from billing_portal.tests.test_admin_roles import ACTIONS, STOCK, ask, pages, url_name

pytestmark = pytest.mark.django_db


def test_an_address_of_no_record_is_no_error() -> None:
    company = make_company()
    names = [*ACTIONS, *(url_name(model, page) for _, model, _ in pages() for page in STOCK)]
    for name, no_id in product(names, ("abc", "9" * 30)):
        try:
            address = reverse(f"admin:{name}", args=[no_id])
        except NoReverseMatch:  # a page of the whole list
            continue
        assert ask(company.admin, address) in (302, 403, 404), name
