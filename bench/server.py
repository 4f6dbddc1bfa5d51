"""The web server as production runs it: gunicorn with the image's settings, DEBUG off."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import psutil  # type: ignore[import-untyped]
from django.utils import timezone

from accounts import api_keys
from bench.machine import ROOT

_START_SECONDS = 90


@dataclass(frozen=True)
class Server:
    """A running web server."""

    port: int
    key: str
    process: subprocess.Popen[bytes]
    cache: str

    def memory(self) -> list[float]:
        """Return the resident memory of each worker, in MB."""
        workers = psutil.Process(self.process.pid).children()
        return [worker.memory_info().rss / 1024**2 for worker in workers]


@contextmanager
def running() -> Iterator[Server]:
    """Start gunicorn on the database that DATABASE_URL names, with an API key."""
    folder = ROOT / ".data" / "bench"
    _, key = api_keys.create(name="Bench", now=timezone.now())
    with (folder / "web.log").open("wb") as log, _redis() as redis_url:
        port = _free_port()
        environment = _environment(redis_url)
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "billing_portal.wsgi",
             "--config", "python:billing_portal.web_server", "--bind", f"127.0.0.1:{port}"],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
        )  # fmt: skip
        try:
            _wait_until_it_answers(port, process, log)
            yield Server(port, key, process, "Redis" if redis_url else "each process's memory")
        finally:
            process.terminate()
            process.wait(timeout=60)


def _environment(redis_url: str) -> dict[str, str]:
    """Return production's variables (docs/deployment.md); of limits, only that they are far off."""
    cache = {"CACHE_URL": f"{redis_url}/1"} if redis_url else {}
    return {
        **os.environ,
        **cache,
        "DJANGO_SETTINGS_MODULE": "bench.web_settings",
        "DEBUG": "0",
        "SECRET_KEY": secrets.token_urlsafe(50),
        "ALLOWED_HOSTS": "billing.example.com",
        "PORTAL_URL": "https://billing.example.com",
        "BROKER_URL": f"{redis_url or 'redis://127.0.0.1:6379'}/0",
        "EMAIL_URL": "smtp://mail.example.com:587",
        "ALLOW_STRIPE_TEST_MODE": "1",
        "STRIPE_SECRET_KEY": "sk_test_bench",
        "STRIPE_PUBLISHABLE_KEY": "pk_test_bench",
        "API_USAGE_REQUESTS_PER_MINUTE": "1000000000",
        "API_AUTHORIZATION_REQUESTS_PER_MINUTE": "1000000000",
    }


@contextmanager
def _redis() -> Iterator[str]:
    """Start the Redis that counts requests, as compose.yaml does; "" where there is none."""
    program = shutil.which("redis-server")
    if program is None:
        yield ""
        return
    port = _free_port()
    process = subprocess.Popen(
        [program, "--port", str(port), "--save", "", "--appendonly", "no", "--bind", "127.0.0.1"],
        stdout=subprocess.DEVNULL,
    )
    try:
        yield f"redis://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=10)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_until_it_answers(port: int, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    health = urllib.request.Request(
        f"http://127.0.0.1:{port}/healthz", headers={"Host": "billing.example.com"}
    )
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            urllib.request.urlopen(health, timeout=5).close()
            return
        except (urllib.error.URLError, OSError) as error:
            ended = process.poll() is not None
            if ended or time.monotonic() > deadline:
                raise RuntimeError(f"gunicorn does not answer; see {log.name}") from error
            time.sleep(0.1)
