"""What every call runs is planned once for a connection."""

from datetime import timedelta

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from accounts import api_keys, prepared
from accounts.tests.factories import NOW

pytestmark = pytest.mark.django_db

STATEMENT = "SELECT %(number)s::int + 1"


def prepared_statements(text: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE %s", [f"%{text}%"]
        )
        return int(cursor.fetchone()[0])


def test_a_statement_is_prepared_once_and_counted_like_any_other(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_num_queries(2):
        assert prepared.fetch_one(STATEMENT, {"number": 1}) == (2,)
        assert prepared.fetch_one(STATEMENT, {"number": 41}) == (42,)
    assert prepared_statements("::int + 1") == 1
    assert prepared.fetch_one("SELECT 1 WHERE %(number)s::int > 1", {"number": 1}) is None


def test_a_key_is_looked_up_by_a_statement_that_is_prepared(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    key, token = api_keys.create(name="Platform", now=NOW)
    api_keys.verify(token=token, now=NOW)
    with django_assert_num_queries(1):
        found = api_keys.verify(token=token, now=NOW + timedelta(seconds=30))
    assert found is not None
    assert (found.pk, found.scopes, found.created_at) == (key.pk, key.scopes, NOW)
    assert prepared_statements("FROM accounts_apikey") == 1
