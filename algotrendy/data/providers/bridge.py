"""How an SDK is made to go through the one door: its `requests` session hands every request to our client.

The SDK builds, signs and reads; waiting, trying again, counting, recording and replaying happen here as for everyone
else. SDKs that block run in a thread, and the requests travel from there to the loop of the call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextvars import ContextVar
from http.client import HTTPMessage
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter

from algotrendy.data.providers.http import Call, read_json
from algotrendy.errors import AlgotrendyError, VenueUnavailable

if TYPE_CHECKING:
    import httpx

__all__ = ["bridged_session", "host_rerouted", "in_thread", "our_error_in"]

_T = TypeVar("_T")


_CURRENT: ContextVar[tuple[Call, asyncio.AbstractEventLoop]] = ContextVar("algotrendy_provider_call")


class _Bridge(BaseAdapter):
    """Hands what a session sends to the call that the thread works for."""

    def __init__(self, *, rerouted: Callable[[str], str], browsing: bool) -> None:
        super().__init__()
        self._rerouted, self._browsing = rerouted, browsing

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        *rest: Any,
        **more: Any,
    ) -> requests.Response:
        """Send a prepared request and return the whole answer."""
        call, loop = _CURRENT.get()
        headers = {
            name: str(value) for name, value in request.headers.items() if not self._browsing or name == "Cookie"
        }
        body = request.body.encode() if isinstance(request.body, str) else request.body
        url = self._rerouted(request.url or "")
        ours = call.http.request(request.method or "GET", url, headers=headers, content=body)
        sending = asyncio.run_coroutine_threadsafe(
            call.send(ours, may_repeat=self._browsing, may_lead_on=self._browsing), loop
        )
        try:
            answer = sending.result()
            if not self._browsing and answer.status_code < 400:
                read_json(call.http.venue, answer)
            return _as_requests(answer, request)
        except CancelledError as e:
            raise VenueUnavailable(call.http.venue, "the call was cancelled") from e
        except AlgotrendyError as e:  # as requests would say it, so that an SDK may go on without what is not vital
            raise requests.exceptions.ConnectionError(str(e), request=request) from e

    def close(self) -> None:
        """Nothing is held."""


def bridged_session(
    *,
    rerouted: Callable[[str], str] = str,
    browsing: bool = False,
    into: requests.Session | None = None,
) -> requests.Session:
    """Return a `requests` session whose every request goes through the call that `in_thread` was given.

    Parameters
    ----------
    rerouted : callable
        Turns an address into the one to ask: an SDK that knows several hosts of a vendor can be sent to one server.
    browsing : bool
        Whether the SDK acts like a browser: web pages, redirects and the same request twice are let through, and of its
        headers only the cookies go out, since the transport sets a browser's. Else an answer that is no JSON is refused
        here, since SDKs take it for all kinds of things.
    into : Session, optional
        A session that the SDK has made; a new one if there is none.
    """
    session = into if into is not None else requests.Session()
    session.trust_env = False
    adapter = _Bridge(rerouted=rerouted, browsing=browsing)
    for scheme in ("https://", "http://"):
        session.mount(scheme, adapter)
    return session


async def in_thread(call: Call, work: Callable[[], _T]) -> _T:
    """Run what an SDK does in a thread, its requests being those of `call`, and return its result."""
    token = _CURRENT.set((call, asyncio.get_running_loop()))
    try:
        return await asyncio.to_thread(work)
    finally:
        _CURRENT.reset(token)


def our_error_in(error: BaseException) -> AlgotrendyError | None:
    """Return our own error if an SDK wrapped it in one of its kind."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, AlgotrendyError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def host_rerouted(base_url: str, hosts: Callable[[str], bool]) -> Callable[[str], str]:
    """Return a function that sends addresses of these hosts to `base_url`.

    Examples
    --------
    >>> there = host_rerouted("http://127.0.0.1:8000", lambda host: host.endswith("vendor.example"))
    >>> there("https://api.vendor.example/v1?page=2")
    'http://127.0.0.1:8000/v1?page=2'
    """

    def rerouted(url: str) -> str:
        parts = urlsplit(url)
        if not hosts(parts.hostname or ""):
            return url
        query = f"?{parts.query}" if parts.query else ""
        return f"{base_url.rstrip('/')}{parts.path}{query}"

    return rerouted


class _Raw:
    """What `requests` looks at for cookies, and closes."""

    def __init__(self, answer: httpx.Response) -> None:
        self._original_response = self
        self.msg = HTTPMessage()
        for cookie in answer.headers.get_list("set-cookie"):
            self.msg["Set-Cookie"] = cookie

    def isclosed(self) -> bool:
        """Return that there is nothing to read any more."""
        return True

    def close(self) -> None:
        """Nothing is held."""


def _as_requests(answer: httpx.Response, request: requests.PreparedRequest) -> requests.Response:
    response = requests.Response()
    response.status_code = answer.status_code
    response._content, response._content_consumed = answer.content, True
    response.raw = _Raw(answer)
    response.encoding = "utf-8"
    response.reason = answer.reason_phrase
    response.url = request.url or ""
    response.request = request
    gone = ("content-encoding", "content-length", "transfer-encoding")
    response.headers.update({name: value for name, value in answer.headers.items() if name.lower() not in gone})
    return response
