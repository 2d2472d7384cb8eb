"""Subscriptions to live data: many callbacks over one connection, each with its own bounded queue.

Where callbacks run, what order they see, what happens when one is slow and how a gap is filled is written in
`docs/explanation/streams.md`.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Literal, Self

from algotrendy.data.stream.backoff import Backoff
from algotrendy.data.stream.clock import Clock, SystemClock
from algotrendy.data.stream.delivery import Callback, Deliver, Subscription, subscription
from algotrendy.data.stream.port import Backfill, Event, Quote, StreamSource, Tick, Wanted, kinds_of
from algotrendy.data.stream.queue import EventQueue
from algotrendy.data.stream.statistics import StateChange, StreamState, StreamStatistics
from algotrendy.data.stream.upstream import Upstream, UpstreamSettings
from algotrendy.errors import InputError

__all__ = ["StreamHub"]


class StreamHub:
    """Live events from one source to any number of callbacks.

    A hub belongs to the event loop on which it is first used; synchronous code uses it through `compute.wait_for`.

    Parameters
    ----------
    source : StreamSource
        Where the events come from; the hub closes it.
    queue_size : int
        Events that may wait for one callback.
    overflow : {"drop", "wait"}
        What happens when a queue is full. drop: the oldest event goes, and is counted. wait: the source is held up, so
        that nothing is lost and one slow callback slows all: only for a source that is not live.
    heartbeat_seconds : float or None
        After so long without an event the connection is given up and made anew; None: never. Not looked at for a
        source that is not live.
    backoff : Backoff, optional
        Waits between attempts to connect.
    backfill : async callable, optional
        `(symbol, span) -> trades`; the source's own if it can be asked for past trades.
    backfill_seconds : float
        How long it may take; after that the gap stays, and is counted.
    overlap_seconds : float
        How far before the last trade a gap is taken to begin, because trades may have come out of order.
    clock : Clock, optional
        What freshness is measured against; the system's.
    on_state : callable, optional
        Called on the hub's event loop with each `StateChange`; it must not wait for anything.

    Examples
    --------
    >>> from algotrendy.compute import wait_for
    >>> from algotrendy.data.stream import ReplaySource, sample_trades
    >>> hub = StreamHub(ReplaySource({"DEMO": sample_trades(1_000, seed=1)}, speed=float("inf")), overflow="wait")
    >>> ticks = []
    >>> name = wait_for(hub.subscribe("DEMO", ticks.append))
    >>> wait_for(hub.join())
    >>> len(ticks), hub.statistics(name).dropped
    (1000, 0)
    >>> wait_for(hub.close())
    """

    def __init__(
        self,
        source: StreamSource,
        *,
        queue_size: int = 10_000,
        overflow: Literal["drop", "wait"] = "drop",
        heartbeat_seconds: float | None = 60.0,
        backoff: Backoff | None = None,
        backfill: Backfill | None = None,
        backfill_seconds: float = 30.0,
        overlap_seconds: float = 2.0,
        clock: Clock | None = None,
        on_state: Callable[[StateChange], Any] | None = None,
    ) -> None:
        if overflow not in ("drop", "wait"):
            raise InputError(f'overflow is {overflow!r}; choose "drop" or "wait"')
        if overflow == "wait" and source.capabilities.live:
            raise InputError(f'{source.name} is live and cannot be held up; use overflow="drop"')
        if heartbeat_seconds is not None and not heartbeat_seconds > 0.0:
            raise InputError(f"heartbeat_seconds is {heartbeat_seconds}; expected a number above zero, or None")
        self.source, self.queue_size = source, _checked_size(queue_size)
        self._waits = overflow == "wait"
        self._clock = clock or SystemClock()
        if backfill is None and source.capabilities.backfill:
            backfill = source.backfill
        self._settings = UpstreamSettings(
            heartbeat_seconds=heartbeat_seconds,
            backoff=backoff or Backoff(),
            backfill=backfill,
            backfill_seconds=backfill_seconds,
            overlap_seconds=overlap_seconds,
        )
        self._on_state = on_state
        self._loop: asyncio.AbstractEventLoop | None = None
        self._upstream: Upstream | None = None
        self._active: dict[str, Subscription] = {}
        self._routes: dict[type, dict[str, tuple[Subscription, ...]]] = {Tick: {}, Quote: {}}
        self._changing: asyncio.Lock | None = None
        self._gone: Counter[str] = Counter()

    # --- subscriptions ---

    async def subscribe(
        self,
        symbols: str | Iterable[str],
        callback: Callback,
        fields: Iterable[str] | None = None,
        *,
        deliver: Deliver = "each",
        queue_size: int | None = None,
    ) -> str:
        """Call `callback` with every event of the symbols from now on, and return the subscription's id.

        Returns when the source has agreed, or when it cannot be reached at present: it is then tried again in the
        background. Several subscriptions to a symbol share one at the source.

        Parameters
        ----------
        symbols : str or iterable of str
            As the source writes them.
        callback : callable
            Takes one event, a `Tick` or a `Quote`. An async one is awaited on the hub's event loop, a plain one is
            called in a thread of its own; always one call at a time, in the order in which the events came.
        fields : iterable of str, optional
            What is of interest: any of `price size volume` means trades, any of `bid ask bid_size ask_size` quotes.
            None: trades.
        deliver : {"each", "batch"}
            "batch": the callback takes a list of all events that wait, at most 1,000.
        queue_size : int, optional
            The hub's by default.

        Returns
        -------
        str
            Such as `sub_5f0c...`.

        Raises
        ------
        InputError
            If there is no symbol or field of that name, the source lacks that kind of event, the hub has ended or
            belongs to another event loop.
        AccessRefused, ConfigError
            If the source refuses; nothing is subscribed then.

        Examples
        --------
        >>> from algotrendy.compute import wait_for
        >>> from algotrendy.data.stream import ReplaySource, sample_trades
        >>> hub = StreamHub(ReplaySource({"DEMO": sample_trades(10, seed=1)}, rate=1e6))
        >>> wait_for(hub.subscribe(["DEMO"], print, fields=["bid"]))
        Traceback (most recent call last):
            ...
        algotrendy.errors.InputError: replay streams trades, no quotes; choose other fields, or another source
        """
        wanted = _wanted(symbols, kinds_of(fields))
        self.source.capabilities.require(wanted, self.source.name)
        if not callable(callback):
            raise InputError(f"callback is {callback!r}; expected a function that takes one event")
        if deliver not in ("each", "batch"):
            raise InputError(f'deliver is {deliver!r}; choose "each" or "batch"')
        size = self.queue_size if queue_size is None else _checked_size(queue_size)
        upstream = self._bound()
        async with self._lock():
            self._check_open(upstream)
            name = f"sub_{uuid.uuid4().hex}"
            measure = self.source.capabilities.realtime
            made = subscription(
                name, wanted, callback, queue=EventQueue(size), clock=self._clock, deliver=deliver, measure=measure
            )
            made.before = self._counts(upstream, wanted)
            self._active[name] = made
            agreed = False
            try:
                self._route()
                await upstream.want(self._all_wanted())
                agreed = True
            finally:
                if not agreed:
                    del self._active[name]
                    self._route()
                    await made.stop(0.0)
        return name

    async def cancel(self, name: str, *, grace_seconds: float = 5.0) -> None:
        """End a subscription. No call of its callback begins after this; one that runs may finish.

        Parameters
        ----------
        name : str
            The id that `subscribe` returned.
        grace_seconds : float
            How long the call that runs is waited for. After that an async one is cancelled; the thread of a plain one
            is left alone. A callback that cancels its own subscription is not waited for.

        Raises
        ------
        InputError
            If there is no such subscription, or it was cancelled before.
        """
        upstream = self._bound()
        self._find(name)
        async with self._lock():
            ended = self._find(name)
            del self._active[name]
            self._gone.update(_own_counts(ended))
            self._route()
            ended.is_active = False
            if not upstream.state.is_final:
                await upstream.want(self._all_wanted())
        await ended.stop(grace_seconds)

    async def join(self) -> None:
        """Wait until the source has no more events and every callback has had its last one.

        Raises
        ------
        AlgotrendyError
            What ended the stream, if it did not end by itself.
        """
        upstream = self._bound()
        await upstream.finished.wait()
        for each in list(self._active.values()):
            while not each.is_at_rest:
                each.moved.clear()
                if not each.is_at_rest:
                    await each.moved.wait()
        if upstream.failure is not None:
            raise upstream.failure

    async def close(self, *, grace_seconds: float = 5.0) -> None:
        """End all subscriptions and the connection; the hub cannot be used again. Closing twice does no harm."""
        upstream = self._bound()
        async with self._lock():
            if upstream.state is StreamState.CLOSED:
                return
            ended = list(self._active.values())
            for each in ended:
                each.is_active = False
            await upstream.close()
            self._active.clear()
            for each in ended:
                self._gone.update(_own_counts(each))
            self._route()
        await asyncio.gather(*(each.stop(grace_seconds) for each in ended))

    async def __aenter__(self) -> Self:
        self._bound()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    # --- what is the case ---

    @property
    def state(self) -> StreamState:
        """What the connection is doing."""
        return StreamState.IDLE if self._upstream is None else self._upstream.state

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """The ids of all subscriptions, oldest first."""
        return tuple(self._active)

    def statistics(self, name: str | None = None) -> StreamStatistics:
        """Return what happened so far; may be called from any thread.

        Parameters
        ----------
        name : str, optional
            The id of a subscription; without one, of the hub as a whole.

        Returns
        -------
        StreamStatistics

        Raises
        ------
        InputError
            If there is no such subscription.

        Examples
        --------
        >>> from algotrendy.data.stream import ReplaySource, sample_trades
        >>> StreamHub(ReplaySource({"DEMO": sample_trades(10, seed=1)}, rate=1e6)).statistics().state
        <StreamState.IDLE: 'idle'>
        """
        upstream = self._upstream
        if name is not None:
            return self._of_one(self._find(name))
        if upstream is None:
            return StreamStatistics(state=StreamState.IDLE)
        every = Counter(self._gone)
        for each in list(self._active.values()):
            every.update(_own_counts(each))
        counts: dict[str, Any] = {**every, **self._counts(upstream, upstream.wanted), "received": upstream.received}
        return StreamStatistics(
            state=upstream.state,
            queued=sum(len(each.queue) for each in list(self._active.values())),
            **counts,
        )

    def _of_one(self, one: Subscription) -> StreamStatistics:
        upstream = self._upstream
        assert upstream is not None
        now = self._counts(upstream, one.wanted)
        return StreamStatistics(
            state=upstream.state,
            received=one.queue.received,
            queued=len(one.queue),
            **_own_counts(one),
            last_error=one.tally.last_error,
            freshness=one.tally.freshness(),
            **{key: now[key] - one.before[key] for key in now},
        )

    # --- inside ---

    def _bound(self) -> Upstream:
        """Return the connection; the first call binds the hub to the running event loop."""
        loop = asyncio.get_running_loop()
        if self._upstream is None:
            self._loop, self._changing = loop, asyncio.Lock()
            self._upstream = Upstream(
                self.source, self._settings, self._clock, sink=self._sink, on_state=self._on_state
            )
        if self._loop is not loop:
            raise InputError(
                "this hub is used on another event loop; make one hub per loop, or reach this one through"
                " asyncio.run_coroutine_threadsafe(hub.subscribe(...), loop)"
            )
        return self._upstream

    def _lock(self) -> asyncio.Lock:
        assert self._changing is not None
        return self._changing

    def _check_open(self, upstream: Upstream) -> None:
        if upstream.state.is_final:
            why = f": {upstream.failure}" if upstream.failure is not None else ""
            raise InputError(f"the stream of {self.source.name} is {upstream.state}{why}; make another hub")

    def _find(self, name: str) -> Subscription:
        try:
            return self._active[name]
        except (KeyError, TypeError):
            raise InputError(
                f"there is no subscription {name!r}; there are {len(self._active)}, see hub.subscriptions"
            ) from None

    def _all_wanted(self) -> Wanted:
        every = [each.wanted for each in self._active.values()]
        return Wanted(*(frozenset().union(*(getattr(each, kind) for each in every)) for kind in Wanted._fields))

    def _route(self) -> None:
        """Make the table of who gets what; a new one each time, so that a delivery under way is not disturbed."""
        routes: dict[type, dict[str, tuple[Subscription, ...]]] = {Tick: {}, Quote: {}}
        for each in self._active.values():
            for kind, symbols in ((Tick, each.wanted.trades), (Quote, each.wanted.quotes)):
                for symbol in symbols:
                    routes[kind][symbol] = (*routes[kind].get(symbol, ()), each)
        self._routes = routes

    async def _sink(self, events: list[Event]) -> None:
        """Sort events into the queues of those who want them."""
        routes = self._routes
        lots: dict[Subscription, list[Event]] = {}
        for event in events:
            for each in routes[event.__class__].get(event.symbol, ()):
                if each in lots:
                    lots[each].append(event)
                else:
                    lots[each] = [event]
        for each, lot in lots.items():
            if self._waits:
                await _offer_with_room(each, lot)
            else:
                each.offer(lot)

    def _counts(self, upstream: Upstream, wanted: Wanted) -> dict[str, int]:
        """Return the counts that are kept per symbol, or of the connection."""
        tracks = [track for symbol in wanted.symbols if (track := upstream.tracks.get(symbol)) is not None]
        return {
            "late": sum(track.late for track in tracks),
            "backfilled": sum(track.backfilled for track in tracks),
            "duplicates": sum(track.duplicates for track in tracks),
            "backfill_failures": sum(track.failures for track in tracks),
            "malformed": upstream.malformed,
            "refused": upstream.refused,
            "reconnects": upstream.reconnects,
        }


async def _offer_with_room(one: Subscription, events: list[Event]) -> None:
    """Queue events as room comes; gives up when the subscription is cancelled."""
    at = 0
    while at < len(events) and (free := await one.room()):
        one.offer(events[at : at + free])
        at += free


def _own_counts(one: Subscription) -> dict[str, int]:
    queue, tally = one.queue, one.tally
    return {
        "delivered": tally.delivered,
        "dropped": queue.dropped,
        "conflated": queue.conflated,
        "errors": tally.errors,
    }


def _wanted(symbols: str | Iterable[str], kinds: frozenset[str]) -> Wanted:
    names = [symbols] if isinstance(symbols, str) else list(symbols)
    wrong = [name for name in names if not isinstance(name, str) or not name or name != name.strip()]
    if wrong or not names:
        found = ", ".join(map(repr, wrong[:3])) if wrong else "none"
        raise InputError(f"symbols: found {found}; expected one or several such as AAPL or BTC/USDT")
    chosen = frozenset(names)
    none: frozenset[str] = frozenset()
    return Wanted(chosen if "trades" in kinds else none, chosen if "quotes" in kinds else none)


def _checked_size(size: int) -> int:
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise InputError(f"queue_size is {size!r}; expected a whole number of at least 1")
    return size
