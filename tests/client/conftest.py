"""A real HTTP server on a real port, whose answers a test scripts."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    json: Any


@dataclass
class Reply:
    """``status`` 0 closes the connection without an answer."""

    status: int = 200
    json: Any = None
    text: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class ScriptedServer:
    """Answers with ``script(request)``, and remembers every request."""

    url: str
    script: Callable[[Request], Reply]
    requests: list[Request] = field(default_factory=list)

    def replies(self, *replies: Reply) -> None:
        """Give these answers in turn, the last one for ever."""
        left = list(replies)
        self.script = lambda request: left.pop(0) if len(left) > 1 else left[0]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet an answer: two would wait 40 ms for each other
    scripted: ScriptedServer

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.command, self.path, dict(self.headers.items()), json.loads(body) if body else None)
        self.scripted.requests.append(request)
        reply = self.scripted.script(request)
        if reply.status == 0:
            self.close_connection = True
            return
        text = reply.text if reply.text is not None else json.dumps(reply.json)
        content = text.encode()
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = _handle

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name of the base class
        """Keep the test's output clean."""


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    scripted = ScriptedServer("", lambda request: Reply(json={}))
    handler = type("Handler", (_Handler,), {"scripted": scripted})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    http.daemon_threads = True
    scripted.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield scripted
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture
def reply() -> type[Reply]:
    """The type of a scripted answer (tests cannot import a conftest)."""
    return Reply
