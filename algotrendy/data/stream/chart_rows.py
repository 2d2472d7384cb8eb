"""Charts of any style, built as ticks come, equal to those made of the same ticks afterwards."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from algotrendy.charts import Chart, ChartStream
from algotrendy.data.stream.port import Quote, Tick
from algotrendy.data.stream.time_bars import LiveBar, as_lateness, live_bars, lot_of
from algotrendy.domain.bars import COLUMNS

__all__ = ["LiveChart", "live_chart"]

_WORTH_A_FRAME = 64
"""From so many events on they are fed as one frame: its fixed cost is that of so many single ones."""


@dataclass(slots=True)
class _Symbol:
    chart: ChartStream
    held: list[tuple[int, int, Tick]] = field(default_factory=list)
    newest: int = -(1 << 62)
    fed: int = -(1 << 62)


class LiveChart:
    """Builds the rows of a chart from ticks of any number of symbols; made by `live_chart`.

    Attributes
    ----------
    late : int
        Ticks that came after one of their symbol with a later time, and could still be put in order.
    dropped : int
        Ticks that came too late for that: they count nowhere.
    """

    def __init__(
        self, style: str, *, interval: Any = None, lateness: object = 0, calendar: Any = None, **params: Any
    ) -> None:
        self._chart = Chart(style, **params)
        self._interval, self._calendar = interval, calendar
        self._bars = None if interval is None else live_bars(interval, lateness=lateness, calendar=calendar)
        self._lateness = as_lateness(lateness)
        self._symbols: dict[str, _Symbol] = {}
        self._late = self._dropped = self._number = 0

    @property
    def late(self) -> int:
        """Ticks that came out of order and count all the same."""
        return self._late if self._bars is None else self._bars.late

    @property
    def dropped(self) -> int:
        """Ticks that came too late."""
        return self._dropped if self._bars is None else self._bars.dropped

    def update(self, ticks: Tick | Quote | Iterable[Any]) -> list[dict[str, Any]]:
        """Take one tick or several, in the order in which they came, and return the rows that they complete.

        Parameters
        ----------
        ticks : Tick or iterable of Tick
            Quotes among them are left out.

        Returns
        -------
        list of dict
            The rows of `charts.chart`, each with its `symbol`; oldest first within a symbol.
        """
        lot = lot_of(ticks)
        if self._bars is not None:
            return self._from_bars(self._bars.update(lot))
        ready: dict[str, list[Tick]] = {}
        for tick in lot:
            if tick.__class__ is not Quote:
                self._take(tick, ready)
        return [row for name, found in ready.items() for row in self._feed(name, found)]

    def advance(self, now: int | pd.Timestamp) -> list[dict[str, Any]]:
        """Let the clock pass, and return the rows that are complete by it: see `LiveBars.advance`.

        Ticks that were held back to be put in order are let go when the lateness is over.
        """
        if self._bars is not None:
            return self._from_bars(self._bars.advance(now))
        instant = now.as_unit("ns").value if isinstance(now, pd.Timestamp) else now
        rows = []
        for name, symbol in self._symbols.items():
            symbol.newest = max(symbol.newest, instant)
            found: list[Tick] = []
            self._let_go(symbol, found)
            rows += self._feed(name, found)
        return rows

    def partial(self) -> list[dict[str, Any]]:
        """Return the rows in the making, each with its `symbol`, for styles that show one."""
        found = []
        for name, symbol in self._symbols.items():
            show = getattr(symbol.chart, "partial", None)
            row = None if show is None else show()
            if row is not None:
                found.append({"symbol": name, **row})
        return found

    # --- inside ---

    def _of(self, name: str) -> _Symbol:
        symbol = self._symbols.get(name)
        if symbol is None:
            made = self._chart.stream(interval=self._interval, calendar=self._calendar)
            symbol = self._symbols[name] = _Symbol(made)
        return symbol

    def _take(self, tick: Tick, ready: dict[str, list[Tick]]) -> None:
        """Hold a tick until no earlier one may come, and let go those of which that is so."""
        symbol = self._of(tick.symbol)
        if tick.time < symbol.fed:
            self._dropped += 1
            return
        if tick.time < symbol.newest:
            self._late += 1
        else:
            symbol.newest = tick.time
        found = ready.setdefault(tick.symbol, [])
        if not self._lateness and not symbol.held:
            symbol.fed = tick.time
            found.append(tick)
            return
        self._number += 1
        heapq.heappush(symbol.held, (tick.time, self._number, tick))
        self._let_go(symbol, found)

    def _let_go(self, symbol: _Symbol, found: list[Tick]) -> None:
        passed = symbol.newest - self._lateness
        symbol.fed = max(symbol.fed, passed)
        while symbol.held and symbol.held[0][0] <= passed:
            found.append(heapq.heappop(symbol.held)[2])

    def _feed(self, name: str, ticks: Sequence[Tick]) -> list[dict[str, Any]]:
        if not ticks:
            return []
        chart: Any = self._of(name).chart
        if len(ticks) >= _WORTH_A_FRAME and hasattr(chart, "feed"):
            index = pd.DatetimeIndex([tick.time for tick in ticks]).as_unit("ns").tz_localize("UTC")
            columns = {"price": [tick.price for tick in ticks], "size": [tick.size for tick in ticks]}
            rows: list[Any] = chart.feed(pd.DataFrame(columns, index=index)).to_dict("records")
        else:
            rows = [row for tick in ticks for row in chart.update((_stamp(tick.time), tick.price, tick.size))]
        return [{"symbol": name, **row} for row in rows]

    def _from_bars(self, bars: Iterable[LiveBar]) -> list[dict[str, Any]]:
        rows = []
        for bar in bars:
            values = {column: getattr(bar, column) for column in COLUMNS}
            made = self._of(bar.symbol).chart.update({"time": _stamp(bar.opened_at), **values})
            rows += [{"symbol": bar.symbol, **row} for row in made]
        return rows


def live_chart(
    style: str, *, interval: Any = None, lateness: object = 0, calendar: Any = None, **params: Any
) -> LiveChart:
    """Return a builder of a chart of any style: feed it ticks, it returns the rows that they complete.

    Parameters
    ----------
    style : str
        As in `charts.chart`, such as "renko".
    interval : str or Interval, optional
        Make bars of this length of the ticks first, and the chart of these: needed for heikin-ashi. By default the
        chart is made of the trades.
    lateness : number, str or Timedelta
        How much later than a newer one a tick of a symbol may come and still be put in order; seconds, or such as "2s".
        Ticks are held back that long. One that comes later is dropped and counted, because rows never change.
    calendar : Calendar or str, optional
        As in `charts.chart`.
    **params
        Parameters of the style.

    Returns
    -------
    LiveChart
        `update(ticks)` and `advance(now)` return completed rows, each with its `symbol`.

    Raises
    ------
    InputError
        If there is no such style or parameter, or a value is not allowed.

    Notes
    -----
    Whatever lots the ticks come in, the rows of a symbol are those of `charts.chart` made of all its ticks afterwards,
    those that came out of order put in order.

    Examples
    --------
    >>> builder = live_chart("renko", size=1.0)
    >>> ticks = [Tick("A", at, price, 1.0) for at, price in ((0, 10.0), (1, 11.5), (2, 13.0))]
    >>> [(row["symbol"], row["close"]) for row in builder.update(ticks)]
    [('A', 11.0), ('A', 12.0), ('A', 13.0)]
    """
    return LiveChart(style, interval=interval, lateness=lateness, calendar=calendar, **params)


def _stamp(time: int) -> pd.Timestamp:
    return pd.Timestamp(time, unit="ns", tz="UTC")
