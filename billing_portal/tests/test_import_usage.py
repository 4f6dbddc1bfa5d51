"""`manage.py import_usage`: each record once, whatever stops it; what is rejected is reported."""

import fcntl
import gzip
import json
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone

from accounts.models import Account
from accounts.tests.factories import make_account
from plans import usage, usage_import
from plans.models import Allowance, UsageRecord
from plans.tests.factories import make_subscription, make_version, make_wallet
from wallet.models import Entry, Wallet

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> Account:
    """An account that subscribed 40 days ago, with $100 and 5 minutes in a period."""
    account = make_account(external_id="customer-42")
    make_wallet(account, balance="100")
    anchor = timezone.now() - timedelta(days=40)
    make_subscription(account, make_version(included="5"), anchor=anchor, number=2)
    return account


def a_record(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"call-{number}",
        "account": "external:customer-42",
        "feature": "call_minutes",
        "quantity": "1",
        "occurred_at": timezone.now().isoformat(),
        **fields,
    }


def write(path: Path, *records: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """A file of 25 calls."""
    return write(tmp_path / "calls.ndjson", *(a_record(number) for number in range(25)))


def run(path: Path, *options: str) -> str:
    """Import the file in batches of ten; return what was printed."""
    output = StringIO()
    call_command("import_usage", str(path), "--batch-size", "10", *options, stdout=output)
    return output.getvalue()


def refused(path: Path, *options: str) -> tuple[str, str]:
    """Import what can't be imported as a whole; return what was printed, and the error."""
    output = StringIO()
    with pytest.raises(CommandError) as error:
        call_command("import_usage", str(path), "--batch-size", "10", *options, stdout=output)
    return output.getvalue(), str(error.value)


def beside(path: Path) -> set[str]:
    """Return what is kept beside the file."""
    return {other.name for other in path.parent.iterdir()} - {path.name}


def reported(path: Path) -> list[dict[str, Any]]:
    report = path.parent / f"{path.name}.import-rejected.ndjson"
    return [json.loads(line) for line in report.read_text().splitlines()]


def assert_charged(account: Account, calls: int) -> None:
    """Assert that so many calls of a minute were charged once, beyond the five included."""
    assert UsageRecord.objects.filter(account=account).count() == calls
    used = sum(allowance.used for allowance in Allowance.objects.filter(account=account))
    assert used == min(calls, 5)
    charged = Decimal("0.10") * max(0, calls - 5)
    assert Wallet.objects.get(account=account).balance == 100 - charged


# What is imported -----------------------------------------------------------------------------
def test_a_file_is_imported_once_and_leaves_nothing_behind(account: Account, calls: Path) -> None:
    assert run(calls) == "25 recorded, 0 there already, 0 rejected.\n"
    assert run(calls) == "0 recorded, 25 there already, 0 rejected.\n"
    assert_charged(account, 25)
    assert beside(calls) == set()


def test_the_same_calls_in_another_form_are_there_already(account: Account, tmp_path: Path) -> None:
    records = [a_record(number) for number in range(12)]
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (tmp_path / "calls.ndjson.gz").write_bytes(gzip.compress(lines.encode()))
    rows = [",".join(record.values()) for record in records]
    (tmp_path / "calls.csv").write_text("\n".join([",".join(records[0]), *rows]))
    pq.write_table(pa.Table.from_pylist(records), tmp_path / "calls.parquet")
    assert run(tmp_path / "calls.ndjson.gz").startswith("12 recorded")
    for name in ("calls.csv", "calls.parquet"):
        assert run(tmp_path / name) == "0 recorded, 12 there already, 0 rejected.\n"
    assert_charged(account, 12)


def test_what_is_rejected_is_reported_with_its_line(account: Account, tmp_path: Path) -> None:
    path = write(tmp_path / "calls.ndjson", *(a_record(number) for number in range(12)))
    late = timezone.now() - timedelta(days=36)
    with path.open("a") as stream:
        stream.write("\ncall-1,12\n")
        stream.write(json.dumps(a_record(20, account="external:nobody")) + "\n")
        stream.write(json.dumps(a_record(21, occurred_at=late.isoformat())) + "\n")
        stream.write(json.dumps(a_record(1, quantity="2")) + "\n")
        stream.write(json.dumps(a_record(22)) + "\n")
    printed, error = refused(path)
    assert printed == "13 recorded, 0 there already, 4 rejected.\n"
    assert error.startswith("4 lines were rejected; see ")
    assert [(line["line"], line["id"], line["code"]) for line in reported(path)] == [
        (14, None, "invalid_record"),
        (15, "call-20", "unknown_account"),
        (16, "call-21", "too_old"),
        (17, "call-1", "conflict"),
    ]
    assert reported(path)[0]["content"] == "call-1,12"
    assert json.loads(reported(path)[1]["content"])["account"] == "external:nobody"
    assert all(line["detail"] for line in reported(path))
    assert beside(path) == {"calls.ndjson.import-rejected.ndjson"}


# What stops it --------------------------------------------------------------------------------
def fail_in_batch(
    monkeypatch: pytest.MonkeyPatch, nth: int, error: BaseException, *, when: str = "before"
) -> None:
    """Have the `nth` batch fail, before or after it was recorded."""
    original, batches = usage.record, 0

    def record(**arguments: Any) -> Any:
        nonlocal batches
        batches += 1
        if batches == nth and when == "before":
            raise error
        results = original(**arguments)
        if batches == nth:
            raise error
        return results

    monkeypatch.setattr(usage, "record", record)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("error", "says"),
    [
        (KeyboardInterrupt(), "Stopped. It ended after line 10. Run it again"),
        (OperationalError("gone"), "The database went away (gone). It ended after line 10."),
    ],
)
def test_what_was_stopped_goes_on_where_it_ended(
    account: Account,
    calls: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    says: str,
    when: str,
) -> None:
    with monkeypatch.context() as patch:
        fail_in_batch(patch, 2, error, when=when)
        printed, problem = refused(calls)
    assert printed == "10 recorded, 0 there already, 0 rejected.\n"
    assert says in problem
    again = 10 if when == "after" else 0
    assert run(calls) == (
        f"Going on after line 10.\n{25 - again} recorded, {again} there already, 0 rejected.\n"
    )
    assert_charged(account, 25)
    assert beside(calls) == set()


def test_a_report_that_goes_on_has_each_line_once(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "calls.ndjson", *(a_record(n, quantity="-1") for n in range(25)))
    save, saved = usage_import._Files.save, 0

    def save_once(self: Any, progress: Any) -> None:
        nonlocal saved
        saved += 1
        if saved == 2:
            raise KeyboardInterrupt  # the report has the second batch, the progress has not
        save(self, progress)

    with monkeypatch.context() as patch:
        patch.setattr(usage_import._Files, "save", save_once)
        refused(path)
    assert [line["line"] for line in reported(path)] == list(range(1, 21))
    printed, _ = refused(path)
    assert printed.endswith("0 recorded, 0 there already, 25 rejected.\n")
    assert [line["line"] for line in reported(path)] == list(range(1, 26))


def test_a_file_that_ends_too_early_is_told_after_what_could_be_read(
    account: Account, tmp_path: Path
) -> None:
    path = tmp_path / "calls.ndjson.gz"
    lines = b"".join(json.dumps(a_record(number)).encode() + b"\n" for number in range(25))
    path.write_bytes(gzip.compress(lines)[:-8])
    printed, error = refused(path)
    assert "ends too early" in error
    assert printed.startswith("20 recorded")  # whole batches


def test_a_file_that_changed_is_not_gone_on_with(
    account: Account, calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        fail_in_batch(patch, 2, KeyboardInterrupt())
        refused(calls)
    with calls.open("a") as stream:
        stream.write(json.dumps(a_record(99)) + "\n")
    _, error = refused(calls)
    assert "has changed since its import began. Begin anew with --restart" in error
    assert run(calls, "--restart") == "16 recorded, 10 there already, 0 rejected.\n"
    assert_charged(account, 26)


def test_a_file_is_imported_by_one_process_at_a_time(account: Account, calls: Path) -> None:
    with calls.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert "is being imported by another process" in refused(calls)[1]
    run(calls)


def test_what_is_kept_may_be_kept_elsewhere(account: Account, calls: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    assert "Name another folder with --directory" in refused(calls, "--directory", "/nowhere")[1]
    elsewhere.mkdir()
    bad = write(tmp_path / "bad.ndjson", {})
    refused(bad, "--directory", str(elsewhere))
    assert [path.name for path in elsewhere.iterdir()] == ["bad.ndjson.import-rejected.ndjson"]


@pytest.mark.parametrize("size", ["0", "-1", "10001"])
def test_a_batch_has_its_bounds(calls: Path, size: str) -> None:
    with pytest.raises(CommandError, match="--batch-size must be from 1 to 10,000"):
        call_command("import_usage", str(calls), "--batch-size", size)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert "can't be read: No such file" in refused(tmp_path / "none.csv")[1]
    assert "must end in" in refused(write(tmp_path / "calls.txt"))[1]
    (tmp_path / "calls.ndjson.import-progress.json").write_text("{")
    assert "begin anew with --restart" in refused(write(tmp_path / "calls.ndjson"))[1]


# A dry run ------------------------------------------------------------------------------------
def test_a_dry_run_says_what_would_be_and_changes_nothing(account: Account, tmp_path: Path) -> None:
    run(write(tmp_path / "before.ndjson", a_record(0), a_record(1)))
    entries = Entry.objects.count()
    path = write(
        tmp_path / "calls.ndjson",
        *(a_record(number, occurred_at=timezone.now().isoformat()) for number in range(2, 12)),
        a_record(12, feature="nonsense"),
        a_record(13, account="external:nobody"),
        a_record(14, occurred_at="2020-01-01T00:00:00Z"),
        a_record(1, quantity="7"),
        a_record(15, quantity="1e3"),
    )
    printed, error = refused(path, "--dry-run")
    assert printed == "10 would be recorded, 0 there already, 5 rejected.\n"
    assert error.endswith("calls.ndjson.check-rejected.ndjson.")
    report = (tmp_path / "calls.ndjson.check-rejected.ndjson").read_text().splitlines()
    assert [json.loads(line)["code"] for line in report] == [
        "unknown_feature", "unknown_account", "too_old", "conflict", "invalid_quantity",
    ]  # fmt: skip
    assert_charged(account, 2)
    assert Entry.objects.count() == entries
    assert run(write(path, *(a_record(n) for n in range(2, 12)))).startswith("10 recorded")


def test_a_dry_run_leaves_the_progress_of_a_real_one_alone(
    account: Account, calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        fail_in_batch(patch, 2, KeyboardInterrupt())
        refused(calls)
    assert run(calls, "--dry-run") == "15 would be recorded, 10 there already, 0 rejected.\n"
    assert run(calls).startswith("Going on after line 10.\n25 recorded")
