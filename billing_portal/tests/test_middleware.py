"""Which Content-Security-Policy goes with what."""

import pytest
from django.conf import settings
from django.test import Client

pytestmark = pytest.mark.django_db


def test_an_answer_of_the_api_loads_nothing_and_is_shown_in_nothing() -> None:
    answer = Client().get("/api/v1/plans/")
    assert answer.status_code == 401
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_customers_pages_load_nothing_inline_and_nothing_foreign_but_stripe() -> None:
    """The policy with the sandbox as Stripe; the settings' own addresses are all Stripe's."""
    policy = Client().get("/accounts/login/").headers["Content-Security-Policy"]
    words = {word for part in policy.split(";") for word in part.split()[1:]}

    assert words <= {"'self'", "'none'", "data:", settings.STRIPE_SANDBOX_URL}
    assert "style-src 'self';" in f"{policy};".replace("; ", ";")


@pytest.mark.parametrize(("path", "may_evaluate"), [("/accounts/login/", False), ("/admin/", True)])
def test_pages_have_a_policy_of_their_own(path: str, may_evaluate: bool) -> None:
    policy = Client().get(path).headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert ("'unsafe-eval'" in policy) is may_evaluate
