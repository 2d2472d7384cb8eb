"""The one connection behind a hub: open it, keep it alive, connect again, and fill the gap, for all subscriptions.

States: idle -> connecting -> live -> reconnecting -> live ...; ended, refused, failed and closed are final.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from algotrendy.data.stream.backoff import Backoff
from algotrendy.data.stream.clock import Clock
from algotrendy.data.stream.delivery import is_power_of_ten, surviving
from algotrendy.data.stream.gaps import REMEMBERED, Track, filled
from algotrendy.data.stream.port import Backfill, Event, Notice, Quote, StreamSource, Tick, Wanted
from algotrendy.data.stream.statistics import StateChange, StreamState, Tally
from algotrendy.errors import AlgotrendyError, BadAnswer, RateLimited, VenueUnavailable

__all__ = ["Upstream", "UpstreamSettings"]

_FILLS_AT_ONCE = 4
_PATIENCE = 60 * 10**9
"""Nanoseconds of trading after a gap in which a fetched trade is expected to come live as well."""

_log = logging.getLogger("algotrendy.stream")


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamSettings:
    """How a connection is kept; see `StreamHub`."""

    heartbeat_seconds: float | None
    backoff: Backoff
    backfill: Backfill | None
    backfill_seconds: float
    overlap_seconds: float


class Upstream:
    """Runs a source and hands its events to `sink`, gap filled and in order.

    Parameters
    ----------
    source : StreamSource
    settings : UpstreamSettings
    clock : Clock
    sink : async callable
        Takes a lot of events; awaited before more are read, so it may hold the source up.
    on_state : callable, optional
        Told of every `StateChange`.
    """

    def __init__(
        self,
        source: StreamSource,
        settings: UpstreamSettings,
        clock: Clock,
        *,
        sink: Callable[[list[Event]], Awaitable[None]],
        on_state: Callable[[StateChange], Any] | None = None,
    ) -> None:
        self._source, self._settings, self._clock = source, settings, clock
        self._sink, self._on_state = sink, on_state
        self.state = StreamState.IDLE
        self.wanted = Wanted()
        self.tracks: dict[str, Track] = {}
        self.received = self.malformed = self.refused = self.reconnects = 0
        self.failure: BaseException | None = None
        self.finished = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._first: asyncio.Future[None] | None = None
        self._opening = asyncio.Lock()
        self._delivering = asyncio.Lock()
        self._deadline: asyncio.Timeout | None = None
        self._beat_at = 0.0
        self._loss: VenueUnavailable | None = None
        self._attempt = 0
        self._owes = False
        self._held: dict[str, list[Event]] = {}
        self._side_tasks: set[asyncio.Task[None]] = set()
        self._filling = asyncio.Semaphore(_FILLS_AT_ONCE)
        self._reports = Tally()

    # --- what the hub asks for ---

    async def want(self, wanted: Wanted) -> None:
        """Make the subscriptions at the source these.

        Returns when the source has agreed, or when it cannot be reached and is being tried again in the background.

        Raises
        ------
        AlgotrendyError
            What the source says against it; the subscriptions are then what they were.
        """
        async with self._opening:
            before, self.wanted = self.wanted, wanted
            self._follow(wanted)
            if not wanted.symbols:
                await self._rest()
                return
            if self._task is None:
                await self._begin(before)
            elif self.state is StreamState.LIVE and wanted != before:
                await self._change(before)

    async def close(self) -> None:
        """End the connection for good."""
        async with self._opening:
            await self._rest()
            self._report(StreamState.CLOSED)

    async def _begin(self, before: Wanted) -> None:
        """Connect for the first time; without success everything is as it was."""
        self._first = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(), name=f"algotrendy stream {self._source.name}")
        self._task.add_done_callback(self._ended)
        agreed = False
        try:
            await asyncio.shield(self._first)
            agreed = True
        finally:
            if not agreed:
                self.wanted = before
                self._follow(before)
                await self._rest()

    async def _change(self, before: Wanted) -> None:
        """Tell the source about other symbols."""
        agreed = False
        try:
            await self._source.open(self.wanted)
            agreed = True
        except (VenueUnavailable, BadAnswer) as e:
            self._lose(e)
            agreed = True
        finally:
            if not agreed:
                self.wanted = before
                self._follow(before)

    async def _rest(self) -> None:
        """End the task, the fills and the connection; what was held back is handed on."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
        await self._release()
        await self._source.close()
        self._owes, self._attempt = False, 0
        if not self.state.is_final:
            self._report(StreamState.IDLE)

    def _follow(self, wanted: Wanted) -> None:
        """Remember the symbols that are wanted, and forget the others."""
        begun = self._clock.now() if self._source.capabilities.realtime else 0
        remembered = 0 if self._settings.backfill is None else REMEMBERED
        for symbol in wanted.symbols - self.tracks.keys():
            self.tracks[symbol] = Track(begun=begun, recent=deque(maxlen=remembered))
        for symbol in self.tracks.keys() - wanted.symbols:
            del self.tracks[symbol]
            self._held.pop(symbol, None)

    # --- the connection's life ---

    async def _run(self) -> None:
        while True:
            try:
                await self._session()
            except (VenueUnavailable, BadAnswer) as e:
                await self._lost(e)
            except AlgotrendyError:
                await self._release()
                raise
            else:
                while self._side_tasks:
                    await asyncio.wait(set(self._side_tasks))
                await self._release()
                self._report(StreamState.ENDED, "the source has no more events")
                return

    async def _session(self) -> None:
        """Connect and pump until the source ends; raises when the connection is lost."""
        self._loss = None
        if self.state is StreamState.IDLE:
            self._report(StreamState.CONNECTING)
        opened_for = self.wanted
        await self._source.open(opened_for)
        self._live()
        self._spawn(self._catch_up(opened_for), "catch up")
        seconds = self._heartbeat_seconds
        self._beat_at = asyncio.get_running_loop().time()
        async with contextlib.aclosing(self._source.events()) as lots:
            try:
                async with asyncio.timeout(seconds) as self._deadline:
                    async for lot in lots:
                        await self._take(lot)
            except TimeoutError as e:
                what = "timed out" if seconds is None else f"silent for {seconds:g} seconds"
                raise self._loss or VenueUnavailable(self._source.name, what) from e
            finally:
                self._deadline = None

    def _live(self) -> None:
        """Note that the connection is up, and look after what was missed while it was down."""
        if self._first is not None and not self._first.done():
            self._first.set_result(None)
        self._report(StreamState.LIVE)
        if self._owes and self._settings.backfill is not None:
            for symbol in self.wanted.trades | self._held.keys():
                self._held.setdefault(symbol, [])
                self._spawn(self._fill(symbol), f"back-fill {symbol}")

    async def _catch_up(self, opened_for: Wanted) -> None:
        """Tell the source about symbols that changed while it was being opened: it can listen now."""
        async with self._opening:
            if self.wanted == opened_for:
                return
            try:
                await self._source.open(self.wanted)
            except (VenueUnavailable, BadAnswer) as e:
                self._lose(e)
            except AlgotrendyError as e:
                self._report(self.state, f"refused: {e}")

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Start a task that ends with the connection."""
        task = asyncio.create_task(work, name=f"algotrendy {name}")
        self._side_tasks.add(task)
        task.add_done_callback(self._side_done)

    def _side_done(self, task: asyncio.Task[None]) -> None:
        self._side_tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("%s failed", task.get_name(), exc_info=task.exception())

    async def _lost(self, error: VenueUnavailable | BadAnswer) -> None:
        """Wait before the next attempt."""
        await self._drop_side_tasks()
        self.reconnects += 1
        self._owes = True  # also before the first success: whoever subscribed was told so, and misses trades since
        wait = self._settings.backoff.seconds(self._attempt)
        self._attempt += 1
        if isinstance(error, RateLimited) and error.retry_after_seconds is not None:
            wait = max(wait, error.retry_after_seconds)
        self._report(StreamState.RECONNECTING, f"{error}; next attempt in {wait:.2f} s")
        if self._first is not None and not self._first.done():
            self._first.set_result(None)
        await asyncio.sleep(wait)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """See to what ended the task, if it was not told to end."""
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        refused = isinstance(error, AlgotrendyError)
        if self._first is not None and not self._first.done():
            self._first.set_exception(error)  # whoever subscribes first is told, and may try again
            if refused:
                return
        self.failure = error
        self._report(StreamState.REFUSED if refused else StreamState.FAILED, f"{type(error).__name__}: {error}")

    def _lose(self, error: VenueUnavailable | BadAnswer) -> None:
        """Make the running session end as if it had raised this."""
        self._loss = error if isinstance(error, VenueUnavailable) else VenueUnavailable(self._source.name, str(error))
        if self._deadline is not None:
            self._deadline.reschedule(0.0)

    @property
    def _heartbeat_seconds(self) -> float | None:
        return self._settings.heartbeat_seconds if self._source.capabilities.live else None

    def _beat(self) -> None:
        """Put the deadline off; not at every event, because a timer costs more than an event."""
        self._attempt = 0
        seconds = self._heartbeat_seconds
        now = asyncio.get_running_loop().time()
        if seconds is None or self._deadline is None or self._loss is not None or now - self._beat_at < seconds / 16.0:
            return
        self._beat_at = now
        self._deadline.reschedule(now + seconds)

    # --- events ---

    async def _take(self, lot: Sequence[Event | Notice]) -> None:
        events: list[Event] = []
        notices = 0
        for item in lot:
            if isinstance(item, Notice):
                self._notice(item)
                notices += 1
            elif self._held and item.symbol in self._held:
                self._held[item.symbol].append(item)
            else:
                events.append(item)
        if len(lot) > notices:  # what cannot be read is no sign of life
            self._beat()
        await self._deliver(events)

    async def _deliver(self, events: list[Event]) -> None:
        if not events:
            return
        async with self._delivering:
            known = []
            for event in events:
                track = self.tracks.get(event.symbol)
                if track is None:
                    continue  # on its way when its symbol was given up
                if isinstance(event, Quote):
                    track.note_quote(event)
                elif track.fetched and not event.backfilled and track.is_repeat(event):
                    continue
                else:
                    track.note(event)
                known.append(event)
            self.received += len(known)
            await self._sink(known)

    def _notice(self, notice: Notice) -> None:
        if notice.kind == "malformed":
            self.malformed += 1
        else:
            self.refused += 1
        count = self.malformed if notice.kind == "malformed" else self.refused
        if is_power_of_ten(count):
            self._report(self.state, f"{notice.kind} ({count} so far): {notice.text}")

    def _report(self, state: StreamState, reason: str = "") -> None:
        self.state = state
        if state.is_final:
            self.finished.set()
        if self._on_state is not None:
            with surviving("on_state", self._reports):
                self._on_state(StateChange(state, self._clock.now(), reason))

    # --- gaps ---

    async def _fill(self, symbol: str) -> None:
        """Fetch what a symbol missed, put it before what has come since, and let its events flow again."""
        settings, track = self._settings, self.tracks.get(symbol)
        if track is None or settings.backfill is None:
            return
        await asyncio.sleep(self._source.capabilities.settle_seconds)
        async with self._filling:
            overlap = round(settings.overlap_seconds * 1e9)
            span = track.gap(self._clock.now() + max(overlap, 1), overlap)  # the venue's clock may be ahead
            found: Sequence[Tick] = ()
            tally = Tally()
            with surviving(f"back-fill of {symbol}", tally):
                async with asyncio.timeout(settings.backfill_seconds):
                    found = await settings.backfill(symbol, span)
        if tally.errors:
            track.failures += 1
            self._report(self.state, f"the gap of {symbol} in {span} could not be filled: {tally.last_error}")
        made = filled(found, track, self._held.pop(symbol, []), span)
        track.backfilled += len(made.missed)
        track.duplicates += made.duplicates
        await self._deliver(made.events)
        track.expect(made.missed, _PATIENCE)

    async def _release(self) -> None:
        """Give up the fills and hand on what they hold back."""
        await self._drop_side_tasks()
        for symbol in list(self._held):
            await self._deliver(self._held.pop(symbol))

    async def _drop_side_tasks(self) -> None:
        """Give up the fills; what they hold back stays held, for the next connection's fill."""
        tasks = set(self._side_tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
