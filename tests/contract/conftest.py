"""A vendor on this machine: a real HTTP server that answers as it is told, and keeps what it was asked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest


@dataclass(frozen=True)
class Received:
    """A request as it came: its parameters have one value each."""

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]


@dataclass(frozen=True)
class Reply:
    """What to answer.

    Attributes
    ----------
    body : object
        Text as it is, anything else as JSON.
    cut : int
        How many bytes to promise and not to send, before hanging up.
    wait : float
        Seconds before the answer.
    drop : bool
        Hang up without a word.
    """

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0
    wait: float = 0.0
    drop: bool = False


class Vendor:
    """Answers by a function of the request; without one, that there is nothing."""

    def __init__(self) -> None:
        self.answer: Callable[[Received], Reply] = lambda _: Reply({"message": "nothing here"}, 404)
        self.received: list[Received] = []
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                params = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
                request = Received(self.command, parts.path, params, {k.lower(): v for k, v in self.headers.items()})
                vendor.received.append(request)
                self._send(vendor.answer(request))

            def _send(self, reply: Reply) -> None:
                time.sleep(reply.wait)
                if reply.drop:
                    self.close_connection = True
                    return
                body = (reply.body if isinstance(reply.body, str) else json.dumps(reply.body)).encode()
                kind = "application/json" if not isinstance(reply.body, str) else "text/html"
                self.send_response(reply.status)
                for name, value in {"Content-Type": kind, **reply.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body) + reply.cut))
                self.end_headers()
                self.wfile.write(body)
                if reply.cut:
                    self.close_connection = True

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def answers(self, *replies: Reply) -> None:
        """Answer with these one after the other, the last one for ever."""
        left = list(replies)
        self.answer = lambda _: left.pop(0) if len(left) > 1 else left[0]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """Yield a server that is asked instead of a vendor's."""
    server = Vendor()
    yield server
    server.close()


@pytest.fixture
def reply() -> type[Reply]:
    """Return the class of answers, so that tests can make them."""
    return Reply
