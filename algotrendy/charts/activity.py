"""Tick, volume and dollar bars, imbalance and runs bars: every row holds as much trading as the last one, or as odd."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pandas as pd

from algotrendy.charts.feed import Feed
from algotrendy.charts.machine import Layout, Machine, OpenRow, as_pair, build, require_sizes, spec_of
from algotrendy.charts.registry import Parameter, lookup
from algotrendy.errors import InputError
from algotrendy.kernels import charts_activity as kernels
from algotrendy.kernels.charts_checked import checked_whole_events
from algotrendy.kernels.charts_flow import flow
from algotrendy.kernels.charts_types import TICKS, UNITS, VALUE, ActivityRule, Events, FlowRule, Rows

if TYPE_CHECKING:
    from algotrendy.domain.calendar import Calendar
    from algotrendy.domain.interval import Interval

WHAT = {"tick": TICKS, "volume": UNITS, "dollar": VALUE}


class ActivityMachine(Machine):
    """Bars of a number of events, units, or of a value."""

    layout = Layout("bar", whole={"ticks": "count"})
    kernel = "activity"
    name: str

    def begin(self, feed: Feed) -> int | None:
        if self.name != "tick":
            require_sizes(feed, self.name)
        self.rule = ActivityRule(WHAT[self.name], float(self.parameters["size"]), self.parameters.get("split", False))
        return 0

    def run(self, events: Events, rows: Rows) -> tuple[int, int]:
        if self.before is not None:
            return as_pair(checked_whole_events(events, self.before, self.rule, self.state, rows))
        kernel = kernels.split_events if self.rule.split else kernels.whole_events
        return as_pair(kernel(events, self.rule, self.state, rows))

    @property
    def can_check(self) -> bool:
        return not self.parameters.get("split", False)

    def open_row(self) -> OpenRow | None:
        s = self.state[0]
        if s["events"] == 0:
            return None
        return OpenRow(s["open"], s["high"], s["low"], s["last"], {"ticks": s["events"]})


class TickMachine(ActivityMachine):
    """Bars of a number of events."""

    name = "tick"


class VolumeMachine(ActivityMachine):
    """Bars of a number of units."""

    name = "volume"


class DollarMachine(ActivityMachine):
    """Bars of a value."""

    name = "dollar"


class FlowMachine(Machine):
    """Bars that end when the signed flow is as large as it is expected to become."""

    layout = Layout("bar", ("theta", "threshold"), {"ticks": "count", "capped": "flag"})
    kernel = "flow"
    runs: bool

    def begin(self, feed: Feed) -> int | None:
        given = self.parameters
        if given["of"] != "tick":
            require_sizes(feed, f"{given['of']} {'runs' if self.runs else 'imbalance'}")
        first, least, most = given["expected_ticks"], given["min_ticks"], given["max_ticks"]
        self.rule = FlowRule(
            what=WHAT[given["of"]],
            runs=self.runs,
            first_ticks=first,
            bar_weight=2.0 / (given["span"] + 1.0),
            tick_weight=2.0 / ((10 * first if given["tick_span"] is None else given["tick_span"]) + 1.0),
            least_ticks=max(1, first // 10) if least is None else least,
            most_ticks=10 * first if most is None else most,
            floor=float(given.get("floor", 0.0)),
        )
        if not self.rule.least_ticks <= first <= self.rule.most_ticks:
            raise InputError(
                f"min_ticks={self.rule.least_ticks}, expected_ticks={first}, max_ticks={self.rule.most_ticks}:"
                " they must not fall in this order"
            )
        self.state["before"] = self.state["threshold"] = math.nan
        return 0

    def run(self, events: Events, rows: Rows) -> tuple[int, int]:
        done: tuple[int, int] = flow(events, self.rule, self.state, rows)
        return done

    def open_row(self) -> OpenRow | None:
        s = self.state[0]
        if s["events"] == 0:
            return None
        buys, sells = float(s["buys"]), float(s["sells"])
        theta = buys - sells
        if self.runs:
            theta = buys if buys >= sells else -sells
        extra = {"theta": theta, "threshold": s["threshold"], "ticks": s["events"], "capped": 0}
        return OpenRow(s["open"], s["high"], s["low"], s["last"], extra)


class ImbalanceMachine(FlowMachine):
    """Bars that end when buying and selling differ by more than expected."""

    runs = False


class RunsMachine(FlowMachine):
    """Bars that end when one side has traded more than expected."""

    runs = True


def tick(
    data: pd.DataFrame | pd.Series[Any],
    size: int,
    *,
    partial: bool = False,
    interval: Interval | str | None = None,
    calendar: Calendar | str | None = None,
) -> pd.DataFrame:
    """Return tick bars: `size` trades each.

    Parameters
    ----------
    data : DataFrame or Series
        Trades (`price`, `size`), or a Series of prices, or bars, each of which counts as one. Times ascending. Every
        row is a tick, one of size zero too: leave such rows out if they are none.
    size : int
        Trades of a bar, at least 1.
    partial, interval, calendar : optional
        As for `renko`.

    Returns
    -------
    DataFrame of shape (n_bars, 11)
        Index `bar`; columns as for `renko`, and `ticks` (rows of `data` in the bar). Prices are real, `synthetic` is
        False; `direction` is the sign of close less open, 0 where they are equal.

    Raises
    ------
    InputError
        If the data is not sound, or a parameter is not allowed.

    Examples
    --------
    >>> stamps = pd.date_range("2024-03-01", periods=5, freq="s", tz="UTC")
    >>> trades = pd.DataFrame({"price": [10.0, 12.0, 11.0, 9.0, 9.0], "size": [1, 2, 0, 4, 5]}, index=stamps)
    >>> tick(trades, 2)[["open", "high", "low", "close", "volume"]].values.tolist()
    [[10.0, 12.0, 10.0, 12.0, 3.0], [11.0, 11.0, 9.0, 9.0, 4.0]]
    """
    machine = TickMachine(lookup("tick").bind({"size": size}))
    return build(machine, data, partial=partial, interval=interval, calendar=calendar)


def volume(
    data: pd.DataFrame,
    size: float,
    *,
    split: bool = False,
    partial: bool = False,
    interval: Interval | str | None = None,
    calendar: Calendar | str | None = None,
) -> pd.DataFrame:
    """Return volume bars: each is complete when `size` units have been traded.

    Parameters
    ----------
    data : DataFrame
        Trades with `size`, or bars with `volume`. Times ascending.
    size : float
        Units of a bar, above zero.
    split : bool
        False: the trade that completes a bar is in it whole, so bars may hold more. True: it is shared out, so that
        every bar holds `size`, and a large trade may fill several.
    partial, interval, calendar : optional
        As for `renko`.

    Returns
    -------
    DataFrame of shape (n_bars, 11)
        As for `tick`.

    Raises
    ------
    InputError
        If the data is not sound or without sizes, or a parameter is not allowed.

    Examples
    --------
    >>> stamps = pd.date_range("2024-03-01", periods=3, freq="s", tz="UTC")
    >>> trades = pd.DataFrame({"price": [10.0, 12.0, 11.0], "size": [6, 16, 3]}, index=stamps)
    >>> volume(trades, 10)["volume"].tolist(), volume(trades, 10, split=True)["volume"].tolist()
    ([22.0], [10.0, 10.0])
    """
    machine = VolumeMachine(lookup("volume").bind({"size": size, "split": split}))
    return build(machine, data, partial=partial, interval=interval, calendar=calendar)


def dollar(
    data: pd.DataFrame,
    size: float,
    *,
    split: bool = False,
    partial: bool = False,
    interval: Interval | str | None = None,
    calendar: Calendar | str | None = None,
) -> pd.DataFrame:
    """Return dollar bars: each is complete when trades worth `size` have been made.

    Parameters
    ----------
    data : DataFrame
        Trades with `size`, worth price times size; or bars with `volume`, worth close times volume. Times ascending.
    size : float
        Value of a bar, in the currency of the price, above zero.
    split : bool
        As for `volume`.
    partial, interval, calendar : optional
        As for `renko`.

    Returns
    -------
    DataFrame of shape (n_bars, 11)
        As for `tick`; `volume` is in units.

    Raises
    ------
    InputError
        If the data is not sound or without sizes, or a parameter is not allowed.

    Examples
    --------
    >>> stamps = pd.date_range("2024-03-01", periods=3, freq="s", tz="UTC")
    >>> trades = pd.DataFrame({"price": [10.0, 20.0, 10.0], "size": [6, 4, 3]}, index=stamps)
    >>> dollar(trades, 100)["volume"].tolist()
    [10.0]
    """
    machine = DollarMachine(lookup("dollar").bind({"size": size, "split": split}))
    return build(machine, data, partial=partial, interval=interval, calendar=calendar)


def imbalance(
    data: pd.DataFrame | pd.Series[Any],
    of: str = "tick",
    *,
    expected_ticks: int = 1000,
    span: float = 20.0,
    tick_span: float | None = None,
    min_ticks: int | None = None,
    max_ticks: int | None = None,
    floor: float = 1.0,
    partial: bool = False,
    interval: Interval | str | None = None,
    calendar: Calendar | str | None = None,
) -> pd.DataFrame:
    """Return imbalance bars: each ends when buying and selling differ by more than the past lets expect [1]_.

    A trade above the last price is a buy, one below it a sale, one at it what the trade before was. The first bar has
    `expected_ticks` trades and seeds the expectations; what they are, and how they are bounded, stands in the
    explanation of charts.

    Parameters
    ----------
    data : DataFrame or Series
        Trades, or bars by their closes. Times ascending.
    of : {'tick', 'volume', 'dollar'}
        What is added up: trades, units, or price times units.
    expected_ticks : int
        Trades of the first bar, at least 2, and the seed of the expected number of trades.
    span : float
        Of the exponential average of the bars' numbers of trades, in bars.
    tick_span : float, optional
        Of the exponential averages of buying and selling, in trades; 10 times `expected_ticks` by default.
    min_ticks, max_ticks : int, optional
        Least and most trades of a bar; a tenth of `expected_ticks`, and 10 times as many.
    floor : float
        The threshold is at least this many times what chance makes of a balanced market.
    partial, interval, calendar : optional
        As for `renko`.

    Returns
    -------
    DataFrame of shape (n_bars, 14)
        Index `bar`; columns as for `tick`, and `theta` (buying less selling in the bar), `threshold` (what its
        magnitude had to reach; NaN for the first bar), `capped` (True: `max_ticks` ended it).

    Raises
    ------
    InputError
        If the data is not sound or without sizes where they count, or a parameter is not allowed.

    References
    ----------
    .. [1] López de Prado, M. (2018). Advances in Financial Machine Learning. Wiley, section 2.3.2.

    Examples
    --------
    >>> stamps = pd.date_range("2024-03-01", periods=6, freq="s", tz="UTC")
    >>> prices = pd.Series([10.0, 11.0, 10.0, 11.0, 12.0, 13.0], index=stamps)
    >>> imbalance(prices, expected_ticks=2)[["theta", "ticks"]].values.tolist()
    [[1.0, 2.0], [-1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]
    """
    given = {"of": of, "expected_ticks": expected_ticks, "span": span, "tick_span": tick_span}
    given |= {"min_ticks": min_ticks, "max_ticks": max_ticks, "floor": floor}
    machine = ImbalanceMachine(lookup("imbalance").bind(given))
    return build(machine, data, partial=partial, interval=interval, calendar=calendar)


def runs(
    data: pd.DataFrame | pd.Series[Any],
    of: str = "tick",
    *,
    expected_ticks: int = 1000,
    span: float = 20.0,
    tick_span: float | None = None,
    min_ticks: int | None = None,
    max_ticks: int | None = None,
    partial: bool = False,
    interval: Interval | str | None = None,
    calendar: Calendar | str | None = None,
) -> pd.DataFrame:
    """Return runs bars: each ends when one side, buying or selling, has traded more than the past lets expect [1]_.

    Parameters
    ----------
    data, of, expected_ticks, span, tick_span, min_ticks, max_ticks
        As for `imbalance`.
    partial, interval, calendar : optional
        As for `renko`.

    Returns
    -------
    DataFrame of shape (n_bars, 14)
        As for `imbalance`; `theta` is what the larger side traded, negative if it is the selling one.

    Raises
    ------
    InputError
        If the data is not sound or without sizes where they count, or a parameter is not allowed.

    References
    ----------
    .. [1] López de Prado, M. (2018). Advances in Financial Machine Learning. Wiley, section 2.3.2.

    Examples
    --------
    >>> stamps = pd.date_range("2024-03-01", periods=6, freq="s", tz="UTC")
    >>> prices = pd.Series([10.0, 11.0, 12.0, 13.0, 12.0, 11.0], index=stamps)
    >>> runs(prices, expected_ticks=3)["theta"].tolist()
    [2.0, -2.0]
    """
    given = {"of": of, "expected_ticks": expected_ticks, "span": span, "tick_span": tick_span}
    machine = RunsMachine(lookup("runs").bind(given | {"min_ticks": min_ticks, "max_ticks": max_ticks}))
    return build(machine, data, partial=partial, interval=interval, calendar=calendar)


_SPLIT = Parameter("split", "flag", False, description="whether a trade that goes beyond a bar is shared out")
_LEAST = 1e-300
_FLOW = (
    Parameter("of", "choice", "tick", choices=tuple(WHAT), description="what is added up"),
    Parameter("expected_ticks", "whole", 1000, 2, description="trades of the first bar"),
    Parameter("span", "number", 20.0, 1, description="of the average of the bars' numbers of trades, in bars"),
    Parameter("tick_span", "number", None, 1, optional=True, description="of the averages of buying and selling"),
    Parameter("min_ticks", "whole", None, 1, optional=True, description="least trades of a bar"),
    Parameter("max_ticks", "whole", None, 1, optional=True, description="most trades of a bar"),
)
SPECS = (
    spec_of(
        "tick",
        TickMachine,
        tick,
        description="Bars of a number of trades.",
        takes="trades or bars",
        parameters=(Parameter("size", "whole", None, 1, description="trades of a bar"),),
    ),
    spec_of(
        "volume",
        VolumeMachine,
        volume,
        description="Bars of a number of units traded.",
        takes="trades or bars",
        parameters=(Parameter("size", "number", None, _LEAST, description="units of a bar"), _SPLIT),
    ),
    spec_of(
        "dollar",
        DollarMachine,
        dollar,
        description="Bars of a value traded.",
        takes="trades or bars",
        parameters=(Parameter("size", "number", None, _LEAST, description="value of a bar"), _SPLIT),
    ),
    spec_of(
        "imbalance",
        ImbalanceMachine,
        imbalance,
        description="Bars that end when buying and selling differ by more than expected.",
        takes="trades or bars",
        parameters=(*_FLOW, Parameter("floor", "number", 1.0, 1e-6, description="of the threshold, in chance moves")),
    ),
    spec_of(
        "runs",
        RunsMachine,
        runs,
        description="Bars that end when one side has traded more than expected.",
        takes="trades or bars",
        parameters=_FLOW,
    ),
)
