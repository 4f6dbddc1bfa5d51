"""docs/api.md as a new user would try it: its shell blocks run, and answer what the page shows."""

import json
import re
import socket
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from accounts import api_keys, outbox
from accounts.models import MessageChannel
from conftest import free_port
from plans import catalogue
from tests.live_portal import wait_until

PAGE = (Path(__file__).parent.parent / "docs" / "api.md").read_text()
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
MARK = "-- the next block --"
#: What is another each time; only its kind is compared.
VARIES = re.compile(r"(?:id|next|quote)$|.*(?:_at|_start|_end|timestamp)$")
#: What only a page that has rotted would be answered.
ROTTEN = ("not_found", "method_not_allowed", "invalid_json", "internal_error")

Block = tuple[str, str]


def section(title: str) -> list[Block]:
    """Return language and content of each block below a heading."""
    return BLOCK.findall(PAGE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0])


QUICKSTART = section("Ten minutes")
DEFINITIONS = next(content for language, content in QUICKSTART if language == "sh")


@pytest.fixture
def folder(transactional_db: None, live_server: LiveServer, tmp_path: Path) -> Path:
    """A clone in which the demo runs: its address and key are where the demo writes them."""
    cache.clear()
    catalogue.load(now=timezone.now())
    _, token = api_keys.create(name="Demo", now=timezone.now())
    (tmp_path / ".data").mkdir()
    facts = {"url": live_server.url, "sandbox_url": "http://127.0.0.1:12111", "api_key": token}
    (tmp_path / ".data" / "demo.json").write_text(json.dumps(facts, indent=2))
    return tmp_path


def paste(folder: Path, *blocks: str) -> list[str]:
    """Paste blocks into a shell, one after the other; return what each printed."""
    script = f"\necho '{MARK}'\n".join(blocks)
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    return ran.stdout.split(f"{MARK}\n")


def is_listening(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def same(shown: Any, answered: Any, name: str = "") -> bool:
    """Whether an answer is what the page shows, but for what is another each time."""
    if isinstance(shown, dict) and isinstance(answered, dict):
        return list(shown) == list(answered) and all(
            same(shown[each], answered[each], each) for each in shown
        )
    if isinstance(shown, list) and isinstance(answered, list):
        return len(shown) == len(answered) and all(map(same, shown, answered))
    varies = VARIES.match(name) and not str(shown).startswith("call-")
    return type(shown) is type(answered) if varies else bool(shown == answered)


def test_the_ten_minutes_run_as_they_are_written(folder: Path) -> None:
    shown = [
        (content, json.loads(" ".join(answer.split())))
        for (language, content), (kind, answer) in pairwise(QUICKSTART)
        if (language, kind) == ("sh", "json")
    ]
    assert len(shown) == 10
    answers = paste(folder, *[content for content, _ in shown])
    for (content, expected), answer in zip(shown, answers, strict=True):
        assert same(expected, json.loads(answer)), f"{content}\nanswers\n{answer}"


@pytest.fixture
def receiver(folder: Path, settings: Settings) -> Iterator[Path]:
    """The receiver of webhooks from the page, running; return what it prints into."""
    port = free_port()
    (program,) = [content for _, content in QUICKSTART if "receiver.py" in content]
    (address,) = [content for _, content in QUICKSTART if "PLATFORM_WEBHOOK_URL" in content]
    settings.PLATFORM_WEBHOOK_URL = f"http://127.0.0.1:{port}/"
    settings.PLATFORM_WEBHOOK_SECRET = re.findall(r"PLATFORM_WEBHOOK_SECRET=(\S+)", address)[0]
    settings.DEBUG = True  # as in the demo: it may tell this machine
    written = folder / "printed"
    with written.open("w") as output:
        process = subprocess.Popen(
            [
                "bash",
                "-c",
                program.replace("9000", str(port)).replace("\npython3", "\nexec python3"),
            ],
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        wait_until("it listens", lambda: is_listening(port))
        yield written
        process.terminate()
        process.wait(timeout=10)


def test_the_receiver_prints_the_event_that_the_page_shows(folder: Path, receiver: Path) -> None:
    customer = next(content for _, content in QUICKSTART if "clinic-9" in content)
    paste(folder, f"{DEFINITIONS}\n{customer}")
    (shown,) = [content for language, content in QUICKSTART if language == "text"]
    outbox.deliver_due(channel=MessageChannel.PLATFORM, now=timezone.now())
    wait_until("it prints the event", lambda: "genuine" in receiver.read_text())
    printed = receiver.read_text().splitlines()[0]
    assert same(
        *[json.loads(" ".join(line.removeprefix("genuine:").split())) for line in (shown, printed)]
    )


def test_no_example_on_the_page_asks_for_what_is_not_there(folder: Path) -> None:
    examples = [
        content
        for language, content in BLOCK.findall(PAGE)
        if language == "sh" and "$API" in content and (language, content) not in QUICKSTART
    ]
    assert len(examples) > 10
    customer = DEFINITIONS + (
        """portal $API/accounts/ -d '{"external_id": "customer-42", "name": "Nizwa Clinics","""
        """ "owner_email": "owner@nizwa.example"}'"""
    )
    answers = paste(folder, customer, *examples)[1:]
    for content, answer in zip(examples, answers, strict=True):
        assert not any(f'"code":"{code}"' in answer for code in ROTTEN), f"{content}\n{answer}"
