"""Who asks: latencies count from when a request was due, and nothing is sent twice or left out."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from bench.load import Answers, Load, _Sender, request


class _Handler(BaseHTTPRequestHandler):
    """Answers after a hundredth of a second; to /broken, with 500."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(0.01)
        self.server.bodies.append(body)  # type: ignore[attr-defined]
        self.send_response(500 if self.path == "/broken" else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.bodies = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def send(server: ThreadingHTTPServer, path: str = "/", number: int = 8, **options: Any) -> Answers:
    requests = [request("POST", path, key="k", body=b"%d" % index) for index in range(number)]
    return _Sender(Load(server.server_port, requests, **options)).run()


def test_each_connection_sends_the_next_request_when_its_last_was_answered(
    server: ThreadingHTTPServer,
) -> None:
    answers = send(server, connections=4).check()
    assert answers.number == 8
    assert sorted(server.bodies) == [b"%d" % index for index in range(8)]  # type: ignore[attr-defined]
    assert min(answers.latencies) >= 10
    assert answers.seconds >= 0.02


def test_a_request_that_waits_for_a_connection_waits_for_the_server(
    server: ThreadingHTTPServer,
) -> None:
    answers = send(server, connections=1, rate=400, seconds=0.02).check()
    assert answers.number == 8
    # The eighth was due after 17.5 ms and answered after eight times 10 ms.
    assert max(answers.latencies) >= 62


def test_an_answer_that_is_not_200_fails_the_measurement(server: ThreadingHTTPServer) -> None:
    with pytest.raises(AssertionError, match="500: 1"):
        send(server, "/broken", number=1).check()


def test_percentiles() -> None:
    answers = Answers(latencies=[float(value) for value in range(100, 0, -1)])
    assert (answers.percentile(50), answers.percentile(99)) == (51, 100)
