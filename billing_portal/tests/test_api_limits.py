"""How often a key may ask, and how it is told."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.conf import LazySettings
from django.core.cache import cache
from django.test import override_settings
from structlog.testing import capture_logs

from accounts import api_keys
from accounts.api_limits import KeyThrottle
from plans.tests.api_client import Platform

pytestmark = pytest.mark.django_db

AT = datetime(2026, 11, 23, 9, 30, 20, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock(settings: LazySettings) -> Iterator[time_machine.Traveller]:
    """Begin 20 seconds into a minute, with two requests in it."""
    cache.clear()
    settings.API_REQUESTS_PER_MINUTE = {"default": 2, "usage": 5}
    with time_machine.travel(AT, tick=False) as traveller:
        yield traveller
    cache.clear()


def limit_of(response: Any) -> tuple[str, str]:
    return response["RateLimit-Policy"], response["RateLimit"]


def test_each_answer_says_what_is_left() -> None:
    platform = Platform()
    told = [limit_of(platform.send("GET", "features/")) for _ in range(3)]
    assert told == [
        ('"default";q=2;w=60', '"default";r=1;t=40'),
        ('"default";q=2;w=60', '"default";r=0;t=40'),
        ('"default";q=2;w=60', '"default";r=0;t=40'),
    ]


def test_what_goes_wrong_counts_and_is_told_too() -> None:
    platform = Platform()
    missing = platform.send("GET", "accounts/nobody/")
    assert (missing.status_code, missing["RateLimit"]) == (404, '"default";r=1;t=40')
    wrong = platform.send("DELETE", "accounts/")
    assert (wrong.status_code, wrong["RateLimit"]) == (405, '"default";r=0;t=40')


def test_too_many_requests_are_refused_for_this_key_only(clock: time_machine.Traveller) -> None:
    platform = Platform()
    answers = [platform.send("GET", "features/") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    refused = answers[-1]
    assert refused.json()["code"] == "throttled"
    assert refused["Retry-After"] == "40"
    assert Platform().send("GET", "features/").status_code == 200
    clock.shift(40)
    assert platform.send("GET", "features/").status_code == 200


def test_kinds_of_calls_are_counted_apart() -> None:
    platform = Platform()
    for _ in range(3):
        platform.send("GET", "features/")
    reported = platform.send("POST", "usage/", {"records": [{}]})
    assert (reported.status_code, reported["RateLimit"]) == (200, '"usage";r=4;t=40')


def test_a_key_may_have_a_limit_of_its_own(clock: time_machine.Traveller) -> None:
    platform = Platform()
    api_keys.change(key=platform.key, name="batch", requests_per_minute=3, now=AT)
    answers = [platform.send("GET", "features/") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert limit_of(answers[0]) == ('"default";q=3;w=60', '"default";r=2;t=40')
    reported = platform.send("POST", "usage/", {"records": [{}]})
    assert reported["RateLimit-Policy"] == '"usage";q=3;w=60'


def test_calls_go_on_while_nothing_can_be_counted(
    clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache that gives no answer is asked again after five seconds, not by each request."""
    monkeypatch.setattr("time.monotonic", lambda: time.time())
    monkeypatch.setattr(KeyThrottle, "_pauses_until", 0)  # and as it was, afterwards
    nobody_answers = {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": "redis://127.0.0.1:9/0",
    }
    platform = Platform()
    with override_settings(CACHES={"default": nobody_answers}), capture_logs() as logs:
        answers = [platform.send("GET", "features/") for _ in range(3)]
    clock.shift(4)
    answers.append(platform.send("GET", "features/"))

    assert [answer.status_code for answer in answers] == [200] * 4
    assert not any("RateLimit" in answer for answer in answers)
    assert [line["event"] for line in logs].count("requests_not_counted") == 1
    clock.shift(2)
    assert "RateLimit" in platform.send("GET", "features/")
