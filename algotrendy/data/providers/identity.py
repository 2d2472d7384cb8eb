"""Bars of an instrument rather than of a ticker: a provider behind a dated ticker map.

A request by ticker must lie within one holding of it. A request by instrument id gets the whole of its life: under the
tickers of their time where the vendor files history so, else under the newest.
"""

from __future__ import annotations

import datetime
from dataclasses import replace

import pandas as pd

from algotrendy.data.providers.port import Fetched, Provider
from algotrendy.data.series import BarsRequest, Span, merged
from algotrendy.domain.tickers import Held, OnChange, TickerMap
from algotrendy.errors import DataError

__all__ = ["IdentifyingProvider"]

_DAY = datetime.timedelta(days=1)


class IdentifyingProvider:
    """Resolves symbols by date before asking another provider.

    Parameters
    ----------
    inner : Provider
        Who is asked.
    tickers : TickerMap
    on_change : {"refuse", "cut"}
        What to do about a range, asked for by ticker, across a change: refuse it, or serve the newest holding in it,
        with a note that names the dates.
    """

    def __init__(self, inner: Provider, tickers: TickerMap, *, on_change: OnChange = "refuse") -> None:
        self._inner, self._tickers, self._on_change = inner, tickers, on_change
        self.name = inner.name
        self.capabilities = inner.capabilities

    async def bars(self, request: BarsRequest) -> Fetched:
        """Return bars of one instrument.

        Raises
        ------
        DataError
            If nothing in the map had the ticker then, or the instrument was not traded.
        InputError
            If the range crosses a change of the ticker and that is refused.
        """
        first, last = request.span.start.date(), (request.span.end - pd.Timedelta(1, "ns")).date()
        notes: list[str] = []
        if request.symbol.count(":") == 2:
            parts = self._tickers.segments(request.symbol, first, last)
        else:
            held = self._tickers.held(request.symbol, first, last, on_change=self._on_change)
            parts = (held,)
            if (held.first, held.last) != (first, last):
                notes.append(
                    f"{request.symbol} is cut to {held.first} to {held.last}, where it is {held.instrument.id}."
                )
        if len(parts) > 1:
            notes.append(
                "Its tickers: " + "; ".join(f"{part.ticker} from {part.first} to {part.last}" for part in parts) + "."
            )
        asked = [self._asked(request, part) for part in self._joined(parts)]
        fetched = [await self._inner.bars(one) for one in asked]
        return _together(fetched, parts[-1], tuple(notes))

    async def close(self) -> None:
        """Close the provider behind."""
        await self._inner.close()

    def _joined(self, parts: tuple[Held, ...]) -> tuple[Held, ...]:
        """Return what to ask for: each ticker for its time, or the newest ticker for all of it."""
        if self.capabilities.dated_tickers:
            return parts
        instrument = parts[0].instrument
        return (Held(instrument, instrument.ticker_map[-1].ticker, parts[0].first, parts[-1].last),)

    @staticmethod
    def _asked(request: BarsRequest, part: Held) -> BarsRequest:
        begin = max(request.span.start, pd.Timestamp(part.first, tz="UTC"))
        end = request.span.end
        if part.last is not None:
            end = min(end, pd.Timestamp(part.last + _DAY, tz="UTC"))
        return replace(request, symbol=part.ticker, span=Span(begin, end), asset_class=part.instrument.asset_class)


def _together(fetched: list[Fetched], part: Held, notes: tuple[str, ...]) -> Fetched:
    """Return several answers as one, of the map's instrument."""
    bars = pd.concat([one.bars for one in fetched]) if len(fetched) > 1 else fetched[0].bars
    if not bars.index.is_monotonic_increasing or not bars.index.is_unique:
        raise DataError(f"the parts of {part.instrument.id} overlap: their days are counted to more than one ticker")
    spans = [one.covered for one in fetched if one.covered is not None]
    actions = fetched[0].actions
    for one in fetched[1:]:
        actions = one.actions if actions is None else actions if one.actions is None else actions.joined(one.actions)
    told = tuple(dict.fromkeys(note for one in fetched for note in one.notes))
    return Fetched(
        bars=bars, instrument=part.instrument, source=fetched[-1].source, covered=_one_span(spans), actions=actions,
        notes=(*notes, *told),
    )  # fmt: skip


def _one_span(spans: list[Span]) -> Span | None:
    """Return the newest stretch without a hole; parts that leave days out between them do not make one."""
    return merged(spans)[-1] if spans else None
