"""A process is killed while it imports usage: the next goes on, and each call is charged once."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone

from accounts.tests.factories import make_account
from plans.models import UsageRecord
from plans.tests.factories import make_subscription, make_version, make_wallet
from tests.books import assert_books_are_right
from tests.faults.mortals import Mortals
from wallet.models import Wallet

KILLED = -9


@pytest.mark.parametrize(
    ("at", "nth"),
    [
        ("before plans.usage.record", 2),
        ("after plans.usage.record", 1),
        ("before os.fsync", 2),  # of the progress
        ("after os.fsync", 1),
    ],
)
def test_killed_while_importing(mortals: Mortals, tmp_path: Path, at: str, nth: int) -> None:
    now = timezone.now()
    account = make_account(external_id="customer-42")
    make_wallet(account, balance="100")
    make_subscription(account, make_version(included="0"), anchor=now - timedelta(days=1))
    record = {"account": "external:customer-42", "feature": "call_minutes", "quantity": 1}
    path = tmp_path / "calls.ndjson"
    with path.open("w") as stream:
        for number in range(30):
            call = {**record, "id": f"call-{number}", "occurred_at": now.isoformat()}
            stream.write(json.dumps(call) + "\n")

    ended = mortals.do("import_usage", path=str(path), at=at, nth=nth)
    call_command("import_usage", str(path))

    assert ended == KILLED
    assert UsageRecord.objects.count() == 30
    assert Wallet.objects.get(account=account).balance == 97
    assert {each.name for each in tmp_path.iterdir()} == {path.name}
    assert_books_are_right()
