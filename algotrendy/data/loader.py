"""Bars by symbol: from the store what is known, from the provider what is missing, and nothing twice.

Loading is incremental. What a provider has answered for good is stored and never asked for again; an unfinished bar is
not stored. Prices adjusted for splits and dividends change backwards with each new one, so a new part of an adjusted
series is asked for with an overlap: if it disagrees with what is stored, the whole series is fetched anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from algotrendy.data.known_symbols import KnownSymbols, Meant
from algotrendy.data.series import BarsRequest, SeriesKey, Span, as_instant, merged, utc_now
from algotrendy.data.store import within
from algotrendy.domain.provenance import provenance, with_provenance
from algotrendy.errors import AlgotrendyError, DataError, InputError

if TYPE_CHECKING:
    from algotrendy.data.providers.port import Fetched, Provider
    from algotrendy.data.store.port import BarStore

__all__ = ["BarLoader", "Loaded", "LoadedBars"]

AT_ONCE = 8
"""Symbols that are loaded at the same time."""

_OVERLAP_BARS = 5
_SAME_PRICE = 1e-6  # vendors round adjusted prices; the smallest dividends move them by more


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedBars:
    """Bars of one instrument, and where they came from.

    Attributes
    ----------
    bars : DataFrame of shape (n_bars, >= 5)
        Sound bars that start in the requested span; the caller's own.
    key : SeriesKey
        The series that they are a part of.
    served_from : {"store", "provider"}
        "provider" if any of them had to be fetched.
    fetched_at : Timestamp
        When the newest part was fetched or, if nothing was, read.
    notes : tuple of str
        What the provider had to say.
    """

    bars: pd.DataFrame
    key: SeriesKey
    served_from: Literal["store", "provider"]
    fetched_at: pd.Timestamp
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Loaded(Mapping[str, pd.DataFrame]):
    """Bars of several symbols: a mapping from each symbol that could be loaded to its bars.

    Attributes
    ----------
    failures : mapping of str to AlgotrendyError
        Why the others could not, by symbol.

    Examples
    --------
    >>> loaded = Loaded({"A": pd.DataFrame()}, {"B": DataError("there is no B")})
    >>> list(loaded), str(loaded.failures["B"])
    (['A'], 'there is no B')
    """

    bars: Mapping[str, pd.DataFrame]
    failures: Mapping[str, AlgotrendyError] = field(default_factory=dict)

    def __getitem__(self, symbol: str) -> pd.DataFrame:
        if symbol in self.failures:
            raise self.failures[symbol]
        return self.bars[symbol]

    def __iter__(self) -> Iterator[str]:
        return iter(self.bars)

    def __len__(self) -> int:
        return len(self.bars)

    def __repr__(self) -> str:
        rows = [f"{symbol}: {len(bars):,} bars" for symbol, bars in self.bars.items()]
        return "Loaded(" + "; ".join([*rows, *(f"{symbol}: {why}" for symbol, why in self.failures.items())]) + ")"


class BarLoader:
    """Loads bars through a store.

    Parameters
    ----------
    provider_of : callable
        Name of a source to its provider.
    store : BarStore, optional
        None: everything is fetched each time.
    known : KnownSymbols, optional
        Memory of whose symbols are whose.
    clock : callable
        Returns the present UTC instant.
    """

    def __init__(
        self,
        provider_of: Callable[[str], Provider],
        store: BarStore | None = None,
        *,
        known: KnownSymbols | None = None,
        clock: Callable[[], pd.Timestamp] = utc_now,
    ) -> None:
        self._provider_of, self.store, self._clock = provider_of, store, clock
        self._known = KnownSymbols() if known is None else known

    async def close(self) -> None:
        """Let go of connections; the loader opens them anew if it is used again."""
        if self.store is not None:
            await self.store.close()
        end = getattr(self._provider_of, "close", None)
        if end is not None:
            await end()

    async def load(self, request: BarsRequest, source: str, *, refresh: bool = False) -> LoadedBars:
        """Return the bars of one symbol.

        Parameters
        ----------
        request : BarsRequest
            A span that reaches into the future ends now.
        source : str
            Name of a provider.
        refresh : bool
            Fetch everything anew, whatever is stored.

        Raises
        ------
        InputError
            If the provider cannot serve such a request, or the symbol means several instruments in the span.
        DataError
            If there is no such series, or it has no bars in the span.
        VenueError
            If the provider fails and the store does not hold all of the span.
        """
        provider, now = self.provider(source), self.now()
        if request.span.start >= now:
            raise InputError(f"the start {request.span.start} lies in the future; it is {now:%Y-%m-%d %H:%M} UTC")
        request = replace(request, span=Span(request.span.start, min(request.span.end, now)))
        provider.capabilities.require(request, source)
        if self.store is None or provider.capabilities.local:
            return self._told(await provider.bars(request), request)
        return await self._through_store(self.store, provider, request, refresh=refresh)

    async def load_many(
        self,
        requests: Sequence[BarsRequest],
        source: str,
        *,
        refresh: bool = False,
        done: Callable[[str], None] | None = None,
    ) -> tuple[dict[str, LoadedBars], dict[str, AlgotrendyError]]:
        """Return the bars of several symbols and, for those that could not be loaded, why not.

        Parameters
        ----------
        requests : sequence of BarsRequest
            Each symbol once.
        done : callable, optional
            Told each symbol when it is done, loaded or not.
        """
        places = asyncio.Semaphore(AT_ONCE)

        async def one(request: BarsRequest) -> LoadedBars | AlgotrendyError:
            async with places:
                try:
                    return await self.load(request, source, refresh=refresh)
                except AlgotrendyError as error:
                    return error
                finally:
                    if done is not None:
                        done(request.symbol)

        found = await asyncio.gather(*(one(request) for request in requests))
        named = list(zip((request.symbol for request in requests), found, strict=True))
        return (
            {symbol: each for symbol, each in named if isinstance(each, LoadedBars)},
            {symbol: each for symbol, each in named if isinstance(each, AlgotrendyError)},
        )

    async def _through_store(
        self, store: BarStore, provider: Provider, request: BarsRequest, *, refresh: bool
    ) -> LoadedBars:
        meant = self._known.find(provider.name, request)
        key = None if meant is None else _key(meant, request)
        covered = () if key is None else await store.coverage(key)
        missing = [request.span] if refresh else _worth_asking(request, covered)
        if key is not None and request.adjusted != "raw" and covered and missing and not refresh:
            missing = await self._checked_parts(store, provider, request, key, missing)
        answers: list[Fetched] = []
        if key is None or missing:
            key, answers = await self._fetched(store, provider, request, key, missing)
        stored = await store.read(key, request.span)
        bars = _joined(stored, answers, request)
        _refuse_empty(bars, request, provider.name)
        notes = tuple(dict.fromkeys(note for fetched in answers for note in fetched.notes))
        served_from: Literal["store", "provider"] = "provider" if answers else "store"
        told = with_provenance(bars, _facts(bars, key, notes))
        return LoadedBars(bars=told, key=key, served_from=served_from, fetched_at=self.now(), notes=notes)

    async def _fetched(
        self, store: BarStore, provider: Provider, request: BarsRequest, key: SeriesKey | None, missing: list[Span]
    ) -> tuple[SeriesKey, list[Fetched]]:
        """Fetch what is missing of a series and store it; return whose it is, and the answers.

        Of a list of providers another one may serve than the last time. Prices of two are never joined: then all that
        was asked for comes from this one, and is a series of its own.
        """
        answers: list[Fetched] = []
        for span in missing or [request.span]:
            fetched = await provider.bars(replace(request, span=span))
            meant = Meant(fetched.source, fetched.instrument.id)
            if key is not None and meant.source != key.source:
                if span != request.span:
                    return await self._fetched(store, provider, request, None, [request.span])
                key = None
            key = _same_series(key, _key(meant, request), request)
            self._known.remember(provider.name, replace(request, span=span), meant)
            if fetched.covered is not None:
                await store.write(key, within(_finished(fetched.bars), fetched.covered), fetched.covered)
            answers.append(fetched)
        assert key is not None  # there was at least one span
        return key, answers

    async def _checked_parts(
        self, store: BarStore, provider: Provider, request: BarsRequest, key: SeriesKey, missing: list[Span]
    ) -> list[Span]:
        """Return what to fetch of an adjusted series: what is missing, or everything if it was adjusted since.

        A split or a dividend changes all prices before it. So bars that are stored already are asked for once more,
        and compared.
        """
        known = merged(await store.coverage(key))
        last = known[-1]
        tail = await store.read(key, last)
        whole = Span(min(request.span.start, known[0].start), max(request.span.end, last.end))
        if tail is None or tail.empty:
            return [whole]
        probe = tail.iloc[-_OVERLAP_BARS:]
        span = Span(as_instant(probe.index[0]), last.end)
        again = (await provider.bars(replace(request, span=span))).bars
        return missing if _agree(probe, again) else [whole]

    def _told(self, fetched: Fetched, request: BarsRequest) -> LoadedBars:
        _refuse_empty(fetched.bars, request, fetched.source)
        key = _key(Meant(fetched.source, fetched.instrument.id), request)
        bars = with_provenance(fetched.bars, {**_facts(fetched.bars, key, fetched.notes), **provenance(fetched.bars)})
        return LoadedBars(bars=bars, key=key, served_from="provider", fetched_at=self.now(), notes=fetched.notes)

    def now(self) -> pd.Timestamp:
        """Return the present UTC instant, by the loader's clock."""
        return as_instant(self._clock())

    def provider(self, source: str) -> Provider:
        """Return the provider of this name."""
        return self._provider_of(source)


def _key(meant: Meant, request: BarsRequest) -> SeriesKey:
    return SeriesKey(
        source=meant.source, instrument=meant.instrument, interval=request.interval, adjusted=request.adjusted
    )


def _worth_asking(request: BarsRequest, covered: Sequence[Span]) -> list[Span]:
    """Return the parts that are not known and are long enough to hold a bar."""
    missing = request.span.missing_in(covered)
    seconds = request.interval.seconds if request.interval.is_intraday else None
    if seconds is None or request.partial or not covered:
        return missing
    shortest = pd.Timedelta(seconds=seconds)
    return [span for span in missing if span.end - span.start >= shortest]


def _same_series(known: SeriesKey | None, found: SeriesKey, request: BarsRequest) -> SeriesKey:
    if known is None or known == found:
        return found
    raise InputError(
        f"{request.symbol} meant {known.instrument} and {found.instrument} between {request.span.start.date()} and"
        f" {request.span.end.date()}; ask for one of them by its id, or for a span in which it meant one"
    )


def _finished(bars: pd.DataFrame) -> pd.DataFrame:
    """Return the bars that are over, without the column that says so."""
    if "is_partial" not in bars.columns:
        return bars
    return bars.loc[~bars["is_partial"].to_numpy(dtype=bool)].drop(columns="is_partial")


def _joined(stored: pd.DataFrame | None, answers: Sequence[Fetched], request: BarsRequest) -> pd.DataFrame:
    """Return what is stored and, where it was asked for, the one bar that is not over."""
    parts = [] if stored is None or stored.empty else [stored]
    unfinished = [
        fetched.bars.loc[fetched.bars["is_partial"].to_numpy(dtype=bool)]
        for fetched in answers
        if request.partial and "is_partial" in fetched.bars.columns
    ]
    newest = [bars for bars in unfinished if len(bars)]
    if request.partial:
        parts = [bars.assign(is_partial=False) for bars in parts]
    parts += newest[-1:]
    return pd.concat(parts) if len(parts) > 1 else parts[0] if parts else pd.DataFrame()


def _agree(before: pd.DataFrame, again: pd.DataFrame) -> bool:
    """Return whether bars that were stored come back the same."""
    both = before.index.intersection(again.index)
    if len(both) < len(before):
        return False
    mine, theirs = before.loc[both, "close"].to_numpy(), again.loc[both, "close"].to_numpy()
    return bool(np.all(np.abs(mine - theirs) <= _SAME_PRICE * np.abs(mine)))


def _refuse_empty(bars: pd.DataFrame, request: BarsRequest, source: str) -> None:
    if bars.empty:
        raise DataError(
            f"{source} has no bars of {request.symbol} between {request.span.start.date()} and"
            f" {request.span.end.date()} at {request.interval}; check the dates, or ask for an earlier start"
        )


def _facts(bars: pd.DataFrame, key: SeriesKey, notes: Sequence[str]) -> dict[str, object]:
    return {
        "name": key.symbol,
        "title": key.instrument,
        "source": key.source,
        "kind": f"{key.interval} bars, {_WORDS[key.adjusted]}",
        "tradable": True,
        "first": str(bars.index[0]),
        "last": str(bars.index[-1]),
        "rows": len(bars),
        "notes": list(notes),
    }


_WORDS = {"raw": "as traded", "splits": "adjusted for splits", "all": "adjusted for splits and dividends"}
