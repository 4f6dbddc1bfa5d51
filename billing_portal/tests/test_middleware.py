"""Which Content-Security-Policy goes with what."""

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def test_an_answer_of_the_api_loads_nothing_and_is_shown_in_nothing() -> None:
    answer = Client().get("/api/v1/plans/")
    assert answer.status_code == 401
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


@pytest.mark.parametrize(("path", "may_evaluate"), [("/accounts/login/", False), ("/admin/", True)])
def test_pages_have_a_policy_of_their_own(path: str, may_evaluate: bool) -> None:
    policy = Client().get(path, follow=True).headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert ("'unsafe-eval'" in policy) is may_evaluate
