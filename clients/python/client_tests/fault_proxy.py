"""What lies between client and portal, and sometimes loses a request or its answer."""

import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Literal, Self

import httpx

#: `lost_before`: the portal never saw the request. `lost_after`: it acted, and the answer was
#: lost. `half`: the answer breaks off. `slow`: it comes too late. `busy`: a 503 of a balancer.
#: `moved`: a page of somebody else's with status 200.
Trouble = Literal["lost_before", "lost_after", "half", "slow", "busy", "moved"]
SLOW_SECONDS = 1.0


class FaultProxy:
    """Passes requests on to the portal, but for the troubles in `plan`, one a request, in order.

    While `down` is set, each request is lost before it reached the portal.
    """

    def __init__(self, portal_url: str) -> None:
        self.plan: deque[Trouble | None] = deque()
        self.down = False
        self.requests: list[tuple[str, str, bytes]] = []
        self.headers: list[dict[str, str]] = []
        self._http = httpx.Client(base_url=portal_url, timeout=20)
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._http.close()

    def next_trouble(self) -> Trouble | None:
        """Return what goes wrong with this request."""
        if self.down:
            return "lost_before"
        return self.plan.popleft() if self.plan else None

    def pass_on(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> httpx.Response:
        """Ask the portal."""
        return self._http.request(method, path, headers=headers, content=body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    proxy: FaultProxy


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _handle(self) -> None:
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        proxy.requests.append((self.command, self.path, body))
        proxy.headers.append(dict(self.headers))
        kept = ("authorization", "content-type", "content-encoding", "idempotency-key", "accept")
        headers = {name: text for name, text in self.headers.items() if name.lower() in kept}
        trouble = proxy.next_trouble()
        self.close_connection = True
        if trouble == "lost_before":
            return
        if trouble in ("busy", "moved"):
            self._answer(503 if trouble == "busy" else 200, "text/html", b"<h1>Elsewhere</h1>")
            return
        answer = proxy.pass_on(self.command, self.path, headers, body)
        if trouble == "lost_after":
            return
        if trouble == "slow":
            time.sleep(1.2 * SLOW_SECONDS)
        content = answer.content
        cut = len(content) // 2 if trouble == "half" else len(content)
        self._answer(answer.status_code, answer.headers["Content-Type"], content, cut, answer)

    do_GET = do_POST = do_PUT = do_PATCH = _handle  # noqa: N815 (the names that http.server calls)

    def _answer(
        self,
        status: int,
        content_type: str,
        content: bytes,
        cut: int | None = None,
        original: httpx.Response | None = None,
    ) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
            if original is not None and "Retry-After" in original.headers:
                self.send_header("Retry-After", original.headers["Retry-After"])
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(content[:cut])
        except OSError:
            return  # who asked has gone

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Say nothing."""
