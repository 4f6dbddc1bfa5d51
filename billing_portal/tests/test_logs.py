"""What a log line says of an error, and what it must not say."""

import json
import logging
import subprocess
import sys

import pytest

FAILING = """
import logging
from billing_portal.logs import configure_logging

configure_logging(debug={debug})

def charge(secret):
    raise ValueError("the card was declined")

try:
    charge("sk_live_hush" + "-hush")
except ValueError as error:
    logging.getLogger("django.request").error("Internal Server Error", exc_info=error)
"""


def logged(*, debug: bool) -> str:
    done = subprocess.run(
        [sys.executable, "-c", FAILING.format(debug=debug)],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr


@pytest.mark.parametrize("debug", [True, False])
def test_an_error_is_logged_with_its_traceback_and_without_its_variables(debug: bool) -> None:
    line = logged(debug=debug)

    assert "in charge" in line
    assert "ValueError: the card was declined" in line
    assert "hush-hush" not in line


def test_production_logs_one_json_object_for_an_error() -> None:
    entry = json.loads(logged(debug=False))

    assert entry["event"] == "Internal Server Error"
    assert entry["level"] == logging.getLevelName(logging.ERROR).lower()
    assert "ValueError: the card was declined" in entry["exception"]
