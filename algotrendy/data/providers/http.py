"""The one door to the outside: every request of every provider, its SDK's included, goes through here.

Reads are tried again when trying again may help, after the time that the vendor asks for, and never beyond the
deadline of the call. Pages are counted, requests are budgeted, and what is no JSON is no answer.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import pandas as pd

from algotrendy.data.providers.limits import Budget
from algotrendy.data.series import utc_now
from algotrendy.errors import AlgotrendyError, BadAnswer, RateLimited, VenueUnavailable

if TYPE_CHECKING:
    import httpx

__all__ = ["Call", "HttpClient", "Patience", "read_json"]

Params: TypeAlias = Mapping[str, str | int | float | bool]
ErrorOf: TypeAlias = Callable[[int, Any], AlgotrendyError]
Clock: TypeAlias = Callable[[], pd.Timestamp]

TOO_MANY = 429
_AGAIN = frozenset({408, 425, TOO_MANY, 500, 502, 503, 504, 520, 521, 522, 523, 524})
_READS = frozenset({"GET", "HEAD"})
_SHOWN = 120
_SKEW_TOLD = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a provider tries.

    Attributes
    ----------
    attempts : int
        Requests for one answer, the first included.
    timeout_seconds : float
        For connecting, and between two pieces of an answer.
    deadline_seconds : float
        For one call of the provider, all its requests, pages and waits together.
    first_wait_seconds, longest_wait_seconds : float
        The wait before the second attempt, doubled each time, and its limit; the true wait is drawn from zero to that.
    pages_max : int
        Requests that one call may make in all.
    """

    attempts: int = 4
    timeout_seconds: float = 20.0
    deadline_seconds: float = 300.0
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 30.0
    pages_max: int = 1_000


class HttpClient:
    """Sends requests to one vendor.

    Parameters
    ----------
    venue : str
        The provider's name, for messages.
    base_url : str
        Where relative paths are sent.
    headers : mapping of str to str, optional
        Sent with every request, and with requests to `base_url` alone: keys go nowhere else.
    patience : Patience
    budget : Budget, optional
        None: as fast as answers come.
    transport : callable, optional
        Makes the httpx transport; None: httpx's own.
    clock : callable
        Returns this moment; a test or a cassette hands in another.
    sleep, jitter : callable
        Wait so many seconds; draw a number from 0 to 1.
    """

    def __init__(
        self,
        venue: str,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        patience: Patience | None = None,
        budget: Budget | None = None,
        transport: Callable[[], httpx.AsyncBaseTransport] | None = None,
        clock: Clock = utc_now,
        sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.venue, self.base_url = venue, base_url.rstrip("/")
        self.patience = patience or Patience()
        self._headers = dict(headers or {})
        self._budget, self._transport = budget, transport
        self._clock, self._sleep, self._jitter = clock, sleep, jitter
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()
        self._ahead = 0.0

    def call(self) -> Call:
        """Begin one call of the provider: its deadline runs from here."""
        return Call(self, time.monotonic() + self.patience.deadline_seconds)

    def now(self) -> pd.Timestamp:
        """Return this moment by this machine's clock or the vendor's, whichever is earlier.

        So a clock that runs ahead does not make an unfinished bar look finished.
        """
        return self._clock() - pd.Timedelta(seconds=max(0.0, self._ahead))

    def skew_note(self) -> tuple[str, ...]:
        """Return a sentence about this machine's clock if it is a minute or more away from the vendor's."""
        if abs(self._ahead) < _SKEW_TOLD:
            return ()
        side = "ahead of" if self._ahead > 0 else "behind"
        return (f"The clock of this machine is {abs(self._ahead):.0f} seconds {side} that of {self.venue}.",)

    async def close(self) -> None:
        """Close the connections of the running loop; those of other loops are closed with them."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    def request(self, method: str, url: str, params: Params | None = None, **parts: Any) -> httpx.Request:
        """Build a request; a path is taken below `base_url`."""
        import httpx

        absolute = url if "://" in url else f"{self.base_url}/{url.lstrip('/')}"
        own = urlsplit(absolute).netloc == urlsplit(self.base_url).netloc
        headers = {**(self._headers if own else {}), **(parts.pop("headers", None) or {})}
        timeout = httpx.Timeout(self.patience.timeout_seconds).as_dict()
        return httpx.Request(
            method, absolute, params=_plain(params), headers=headers, extensions={"timeout": timeout}, **parts
        )

    async def send_once(self, request: httpx.Request) -> httpx.Response:
        """Send one request and read the whole answer; keep note of the vendor's clock."""
        import httpx

        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            transport = self._transport() if self._transport is not None else None
            client = self._clients[loop] = httpx.AsyncClient(transport=transport, follow_redirects=False)
        response = await client.send(request)
        said = _date_of(response.headers.get("date"))
        if said is not None:
            ahead = (self._clock() - said).total_seconds() - _age_of(response.headers)
            self._ahead = ahead if abs(ahead) > 1.5 else 0.0  # the header counts whole seconds
        return response

    async def pause(self, seconds: float) -> None:
        """Wait."""
        await self._sleep(seconds)

    def wait_after(self, response: httpx.Response | None, attempt: int) -> float:
        """Return how long to wait before the next attempt: what the vendor says, else longer each time."""
        said = retry_after(response.headers, self._clock()) if response is not None else None
        if said is not None:
            return said
        longest = min(self.patience.longest_wait_seconds, self.patience.first_wait_seconds * 2.0**attempt)
        return longest * self._jitter()

    @property
    def budget(self) -> Budget | None:
        """The budget of requests; None: unlimited."""
        return self._budget


@dataclass(slots=True)
class Call:
    """One call of a provider: what all its requests share."""

    http: HttpClient
    deadline: float
    sent: int = 0
    seen: set[str] = field(default_factory=set)
    closed: bool = False

    async def __aenter__(self) -> Call:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.closed = True

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - time.monotonic()

    async def get_json(self, url: str, params: Params | None = None, *, error_of: ErrorOf) -> Any:
        """Return the JSON that a path or an address answers.

        Parameters
        ----------
        url, params
            What to ask.
        error_of : callable
            Turns a status of 400 or more, and the JSON or text that came with it, into the error to raise.
        """
        response = await self.send(self.http.request("GET", url, params))
        if response.status_code >= 400:
            raise error_of(response.status_code, _json_or_text(response))
        return read_json(self.http.venue, response)

    async def send(
        self, request: httpx.Request, *, may_repeat: bool = False, may_lead_on: bool = False
    ) -> httpx.Response:
        """Send a request, again where that may help, and return the answer.

        The same request twice in one call means that pages go round, unless `may_repeat` is set. An answer that leads
        to another address is refused unless `may_lead_on` is set.

        Raises
        ------
        RateLimited
            If the vendor still refuses, or asks for a wait beyond the deadline; likewise if our own budget does.
        VenueUnavailable
            If it cannot be reached, is too slow, or keeps failing.
        BadAnswer
            If the pages never end, or the answer leads elsewhere.
        """
        self._count(request, may_repeat)
        attempts = self.http.patience.attempts if request.method in _READS else 1
        for attempt in range(attempts):
            await self._take()
            response, failure = await self._once(request)
            if response is not None and response.status_code not in _AGAIN:
                return response if may_lead_on else self._staying(response)
            if attempt + 1 < attempts:
                await self._wait(self.http.wait_after(response, attempt), response, failure)
        raise self._failed(response, failure, f"after {attempts} attempts") from failure

    async def _once(self, request: httpx.Request) -> tuple[httpx.Response | None, Exception | None]:
        import httpx

        try:
            async with asyncio.timeout(max(0.0, self.left)):
                return await self.http.send_once(request), None
        except httpx.TransportError as e:
            return None, e
        except TimeoutError as e:
            raise self._late("no answer came in time") from e

    async def _take(self) -> None:
        """Wait until the budget has a request for us."""
        budget = self.http.budget
        if self.closed or self.left <= 0:
            raise self._late("the time is over")
        if budget is None:
            return
        wait = budget.reserve()
        if wait > self.left:
            budget.give_back()
            raise RateLimited(
                self.http.venue,
                f"the budget of {budget.requests} requests in {budget.seconds:g} seconds is used up for {wait:.0f}"
                f" seconds, longer than this call may take ({max(0.0, self.left):.0f} left); ask for less at once or"
                " set deadline_seconds higher",
                wait,
            )
        if wait > 0:
            await self.http.pause(wait)

    async def _wait(self, wait: float, response: httpx.Response | None, failure: Exception | None) -> None:
        if response is not None and response.status_code == TOO_MANY and self.http.budget is not None:
            self.http.budget.pause(wait)
        if wait > self.left:
            raise self._failed(
                response, failure, f"and the {max(0.0, self.left):.0f} seconds left are too short to wait {wait:.0f}"
            )
        await self.http.pause(wait)

    def _failed(self, response: httpx.Response | None, failure: Exception | None, when: str) -> VenueUnavailable:
        venue = self.http.venue
        if response is None:
            return VenueUnavailable(venue, f"no answer from {self._host()} {when}: {_reason(failure)}")
        status = response.status_code
        if status == TOO_MANY:
            after = retry_after(response.headers, self.http.now())
            asks = f"; it asks to wait {after:.0f} seconds" if after is not None else ""
            return RateLimited(venue, f"too many requests (status {TOO_MANY}) {when}{asks}", after)
        return VenueUnavailable(venue, f"answered with status {status} {when}; try again later")

    def _late(self, why: str) -> VenueUnavailable:
        seconds = self.http.patience.deadline_seconds
        return VenueUnavailable(
            self.http.venue,
            f"{why}: the call took longer than deadline_seconds={seconds:g}; ask for less, or allow more",
        )

    def _host(self) -> str:
        return urlsplit(self.http.base_url).netloc or self.http.venue

    def _count(self, request: httpx.Request, may_repeat: bool) -> None:
        """Refuse requests without end: more than allowed, or one that was made before in this call."""
        self.sent += 1
        mark = f"{request.method} {request.url}"
        if self.sent > self.http.patience.pages_max:
            raise BadAnswer(
                self.http.venue,
                f"the answer has more than pages_max={self.http.patience.pages_max} pages; ask for less at once",
            )
        if mark in self.seen and not may_repeat:
            raise BadAnswer(self.http.venue, "the pages go round: the next page is one that was read already")
        self.seen.add(mark)

    def _staying(self, response: httpx.Response) -> httpx.Response:
        if 300 <= response.status_code < 400 and response.has_redirect_location:
            there = urlsplit(response.headers["location"]).netloc or self._host()
            raise BadAnswer(self.http.venue, f"{self._host()} sends us to {there} instead of answering; check base_url")
        return response


def read_json(venue: str, response: httpx.Response) -> Any:
    """Return the JSON of an answer.

    Raises
    ------
    BadAnswer
        If it is HTML, empty, cut off or no JSON: the message shows how it begins.
    """
    text = response.text
    try:
        return json.loads(text)
    except ValueError as e:
        start = text.strip()
        if not start:
            raise BadAnswer(venue, f"answered nothing (status {response.status_code}) instead of JSON") from e
        if start.startswith("<"):
            title = re.search(r"<title[^>]*>([^<]*)", start, re.IGNORECASE)
            page = f" ({title[1].strip()!r})" if title else ""
            raise BadAnswer(
                venue, f"answered with a web page{page} instead of JSON; a proxy, a login or a block may stand between"
            ) from e
        cut = "is cut off" if start[0] in "[{" else "is no JSON"
        raise BadAnswer(
            venue, f"the answer {cut}: it holds {len(text)} characters and begins {start[:_SHOWN]!r}"
        ) from e


def retry_after(headers: Mapping[str, str], now: pd.Timestamp) -> float | None:
    """Return how many seconds the header `Retry-After` asks to wait; None where there is none that can be read.

    A date is compared with the `Date` of the same answer, so that our own clock does not matter.

    Examples
    --------
    >>> retry_after({"retry-after": "7"}, utc_now())
    7.0
    >>> dates = {"retry-after": "Fri, 01 Mar 2024 00:01:00 GMT", "date": "Fri, 01 Mar 2024 00:00:30 GMT"}
    >>> retry_after(dates, utc_now())
    30.0
    """
    text = headers.get("retry-after")
    if text is None:
        return None
    if re.fullmatch(r"\s*\d+(\.\d+)?\s*", text):
        return float(text)
    until = _date_of(text)
    if until is None:
        return None
    return max(0.0, (until - (_date_of(headers.get("date")) or now)).total_seconds())


def _date_of(text: str | None) -> pd.Timestamp | None:
    if not text:
        return None
    try:
        stamp = pd.Timestamp(parsedate_to_datetime(text))
    except ValueError:
        return None
    return stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")


def _age_of(headers: Mapping[str, str]) -> float:
    """Return for how many seconds an answer lay in a cache on its way."""
    text = headers.get("age", "")
    return float(text) if re.fullmatch(r"\d+", text) else 0.0


def _json_or_text(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return response.text[:_SHOWN]


def _plain(params: Params | None) -> dict[str, str] | None:
    if params is None:
        return None
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in params.items()}


def _reason(failure: Exception | None) -> str:
    """Return what went wrong in words; the text of an httpx error holds no address."""
    return f"{type(failure).__name__}{f' ({failure})' if str(failure) else ''}"
