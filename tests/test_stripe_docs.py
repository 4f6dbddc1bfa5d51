"""docs/stripe.md says what the code does: the events it needs, and what its key must be allowed."""

import re
from pathlib import Path

from accounts.tests.test_stripe_contract import calls_written
from accounts.webhooks import EVENTS

PAGE = (Path(__file__).parent.parent / "docs" / "stripe.md").read_text()


def first_column(title: str) -> list[str]:
    """Return the first cell of each row of the table below a heading."""
    section = PAGE.split(f" {title}\n", 1)[1].split("\n#", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [row.split("|")[1].strip() for row in rows[2:]]


def test_the_events_are_those_that_stripe_is_told_to_send() -> None:
    assert {cell.strip("`") for cell in first_column("Events")} == set(EVENTS)


def test_a_restricted_key_is_allowed_all_that_the_gateway_calls() -> None:
    allowed = re.sub("[^a-z]", "", "".join(first_column("A restricted key")).lower())
    called = {call.rpartition(".")[0] for call in calls_written()}
    missing = {each for each in called if re.sub("[._]", "", each) not in allowed}
    assert "payment_intents" in called
    assert missing == set()
