"""How much money a strategy can carry: its return and Sharpe ratio against capital, with impact and limits on volume.

The trades are those of the stated run. Each moves the price against itself by the square root law of market impact,
and takes no more than a share of the volume of its bar.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.curves import HoldMetrics, metrics_of_curve
from algotrendy.backtest.difference.positions import SAME, Leg, Positions, positions_of
from algotrendy.backtest.difference.runs import ledger_of
from algotrendy.backtest.plots import axis, layout_of
from algotrendy.domain.types import Float1D
from algotrendy.errors import InputError
from algotrendy.reports.palette import ACCENT, INK
from algotrendy.strategy.parameter import is_number

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from algotrendy.backtest.result import BacktestResult

__all__ = ["CapacityCurve", "capacity", "square_root_impact"]

WINDOW = 20
"""Bars before a fill on which volatility and mean volume are measured."""
ROUNDS_MAX = 100
CONVERGED = 1e-13


def square_root_impact(coefficient: float, volatility: float, share: float) -> float:
    """Return by what fraction an order moves the price: coefficient x volatility x sqrt(share) [1]_ [2]_.

    Parameters
    ----------
    coefficient : float
        About 1 in the markets that were measured.
    volatility : float
        Standard deviation of the returns of one bar, as a fraction.
    share : float
        Units of the order / units traded in one bar.

    References
    ----------
    .. [1] Almgren, R., Thum, C., Hauptmann, E. and Li, H. (2005). Direct estimation of equity market impact. Risk
       18(7), 58-62: the form, with an exponent of 3/5.
    .. [2] Tóth, B. et al. (2011). Anomalous price impact and the critical nature of liquidity in financial markets.
       Physical Review X 1, 021006: the square root, and a coefficient of order one.

    Examples
    --------
    One hundredth of the day's volume costs a tenth of the day's volatility:

    >>> square_root_impact(1.0, 0.02, 0.01)
    0.002
    """
    return coefficient * volatility * math.sqrt(share)


@dataclass(frozen=True, eq=False)
class CapacityCurve:
    """What a strategy earns with more and more money.

    Attributes
    ----------
    table : DataFrame
        One row per `capital` (the index): `total_return`, `annual_return`, `volatility`, `sharpe_ratio`,
        `max_drawdown` (fractions), `impact_paid` (currency), `filled_share` of the wanted units of all entries,
        `largest_share` of a bar's mean volume that an order took.
    impact : float
        Coefficient of the square root law.
    participation : float or None
        Largest share of the volume of a bar.
    """

    table: pd.DataFrame
    impact: float
    participation: float | None

    def plot(self) -> go.Figure:
        """Return a Plotly figure: annual return, and Sharpe ratio below, against capital on a logarithmic axis."""
        import plotly.graph_objects as go

        capital = self.table.index.to_numpy(dtype=np.float64)
        traces = [
            _line(capital, self.table["annual_return"], "Annual return", color=ACCENT, axis="y", hover="%{y:.1%}"),
            _line(capital, self.table["sharpe_ratio"], "Sharpe ratio", color=INK, axis="y2", hover="%{y:.2f}"),
        ]
        layout = layout_of(
            xaxis=axis(type="log", title={"text": "capital"}, tickformat="~s"),
            yaxis=axis(domain=[0.54, 1.0], tickformat=".1%", title={"text": "annual return"}),
            yaxis2=axis(domain=[0.0, 0.46], tickformat=".2f", title={"text": "Sharpe ratio"}),
            hovermode="x unified",
            height=560,
            paper_bgcolor="#ffffff",
            plot_bgcolor="#ffffff",
        )
        layout["xaxis"] |= {"anchor": "y2"}
        layout["margin"] = {"l": 70, "r": 24, "t": 50, "b": 60}
        figure: go.Figure = go.Figure({"data": traces, "layout": layout})
        return figure

    def _repr_html_(self) -> str:
        return self.table.to_html()


def capacity(
    result: BacktestResult,
    capital: Sequence[float],
    *,
    impact: float = 1.0,
    participation: float | None = 0.1,
) -> CapacityCurve:
    """Return the curve of a result; `BacktestResult.capacity` calls it.

    Raises
    ------
    InputError
        If the bars have no volume, or a number lies outside what it may be.

    Examples
    --------
    >>> import algotrendy as at
    >>> result = at.backtest(at.strategies.sma_cross(5, 20), at.synthetic(n=500, seed=1))
    >>> curve = capacity(result, [1e4, 1e7])
    >>> bool(curve.table["total_return"].iloc[0] > curve.table["total_return"].iloc[1])
    True
    """
    import pandas as pd

    _check(result, capital, impact, participation)
    market = _Market.of(result)
    if result.strategy.get("kind") == "stateful":
        raise InputError(
            f"{result.strategy['name']} is a stateful strategy, whose orders add to positions and reduce them; this"
            " works on positions that are entered once and left once"
        )
    positions = positions_of(ledger_of(result))
    rows = []
    for cash in capital:
        account = _Account(market, positions, float(cash), result.cash, impact, participation)
        figures = metrics_of_curve(
            account.run(),
            result.valuation_marks,
            cash=float(cash),
            periods_per_year=float(result.metrics["periods_per_year"]),
            risk_free_rate=float(result.assumptions.get("risk_free_rate") or 0.0),
        )
        rows.append(_row(figures, account))
    table = pd.DataFrame(rows, index=pd.Index([float(cash) for cash in capital], name="capital"))
    return CapacityCurve(table, float(impact), participation)


def _check(result: BacktestResult, capital: Any, impact: Any, participation: Any) -> None:
    if "volume" not in result.bars:
        raise InputError("the bars have no volume, and impact is a matter of it; use bars with a column volume")
    if not result.bars["volume"].any():
        raise InputError("the volume of the bars is zero throughout; use bars that say how much was traded")
    if isinstance(capital, str) or not np.ndim(capital) or not len(capital):
        raise InputError(f"capital is {capital!r}; give a list of amounts, such as [1e5, 1e6, 1e7]")
    for amount in capital:
        if not is_number(amount) or not 0.0 < amount < math.inf:
            raise InputError(f"capital holds {amount!r}; use amounts above zero")
    if not is_number(impact) or not 0.0 <= impact < math.inf:
        raise InputError(f"impact is {impact!r}; use a coefficient of zero or more, about 1")
    if participation is not None and (not is_number(participation) or not 0.0 < participation <= 1.0):
        raise InputError(f"participation is {participation!r}; use a share of the volume in (0, 1], or None")


def _row(figures: HoldMetrics, account: _Account) -> dict[str, float]:
    kept = ("final_equity", "total_return", "annual_return", "volatility", "sharpe_ratio", "max_drawdown")
    return {name: getattr(figures, name) for name in kept} | {
        "impact_paid": account.impact_paid,
        "filled_share": account.filled / account.wanted if account.wanted else 1.0,
        "largest_share": account.largest_share,
    }


@dataclass(frozen=True)
class _Market:
    """Prices and volumes by bar, and what was known of both before it."""

    stamps: Any
    close: Float1D
    volume: Float1D
    usual_volume: Float1D
    volatility: Float1D

    @classmethod
    def of(cls, result: BacktestResult) -> _Market:
        import pandas as pd

        bars = result.bars
        returns = bars["close"].pct_change()
        known = bars["volume"].rolling(WINDOW, min_periods=1).mean().shift(1)
        volatility = returns.rolling(WINDOW, min_periods=2).std().shift(1)
        # The first bars know too little: what is known first is taken for them.
        filled = [series.bfill().fillna(0.0).to_numpy(dtype=np.float64) for series in (known, volatility)]
        prices = (bars[name].to_numpy(dtype=np.float64) for name in ("close", "volume"))
        return cls(pd.DatetimeIndex(bars.index).as_unit("ns").asi8, *prices, *filled)


class _Account:
    """Goes through the trades of a run with another capital."""

    def __init__(
        self, market: _Market, positions: Positions, cash: float, stated: float, *limits: float | None
    ) -> None:
        self.market, self.cash, self.scale = market, cash, cash / stated
        self.impact, self.participation = limits
        self.legs: dict[int, list[Leg]] = {}
        for leg in (leg for episode in positions.episodes for leg in episode.legs):
            self.legs.setdefault(int(np.searchsorted(market.stamps, leg.bar)), []).append(leg)
        self.held = self.working = 0.0
        self.exit: Leg | None = None
        self.impact_paid = self.filled = self.wanted = self.largest_share = 0.0

    def run(self) -> Float1D:
        """Return the equity at the end of each bar."""
        equity = np.empty(len(self.market.close))
        for bar, close in enumerate(self.market.close.tolist()):
            room = math.inf if self.participation is None else self.participation * float(self.market.volume[bar])
            if self.working and self.exit is not None:  # what an exit left over, at the close
                room -= self._work(bar, close, room)
            for leg in self.legs.get(bar, ()):
                room -= self._enter(leg, bar, room) if leg.opens else self._leave(leg, bar, room)
            equity[bar] = self.cash + self.held * close
        return equity

    def _enter(self, leg: Leg, bar: int, room: float) -> float:
        """Buy or sell short as much as was wanted and there is room for; what there is not is given up."""
        account = self.cash + self.held * leg.price
        if account <= 0.0:
            return 0.0
        size = leg.size._replace(value=leg.size.value * self.scale) if leg.size.kind == "units" else leg.size
        wanted = units = max(size.units(account, leg.price, leg.fee), 0.0)
        for _ in range(ROUNDS_MAX):  # impact makes the price dearer, which makes the units fewer
            again = max(size.units(account, leg.price * (1.0 + leg.side * self._moved(units, bar)), leg.fee), 0.0)
            if abs(again - units) <= CONVERGED * units:
                break
            units = again
        units = min(units, room)
        self.wanted, self.filled = self.wanted + wanted, self.filled + units
        self._trade(leg, bar, units, leg.price)
        return units

    def _leave(self, leg: Leg, bar: int, room: float) -> float:
        """Leave as much as there is room for, and the rest at the closes of the following bars."""
        self.exit = leg
        self.working = leg.size.value * max(-leg.side * self.held, 0.0)
        return self._work(bar, leg.price, room, resting=leg.reason == "target")

    def _work(self, bar: int, price: float, room: float, *, resting: bool = False) -> float:
        assert self.exit is not None
        units = min(self.working, room)
        self.working -= units
        self._trade(self.exit, bar, units, price, resting=resting)
        return units

    def _trade(self, leg: Leg, bar: int, units: float, price: float, *, resting: bool = False) -> None:
        if units <= 0.0:
            return
        moved = 0.0 if resting else self._moved(units, bar)
        paid = price * (1.0 + leg.side * moved)
        self.impact_paid += units * price * moved
        if self.market.usual_volume[bar] > 0.0:
            self.largest_share = max(self.largest_share, units / float(self.market.usual_volume[bar]))
        self.cash -= leg.side * units * paid + leg.fee.charge(units, paid) + leg.borrow * units
        held = self.held + leg.side * units
        self.held = 0.0 if abs(held) <= SAME * units else held

    def _moved(self, units: float, bar: int) -> float:
        volume = float(self.market.usual_volume[bar])
        if not self.impact or volume <= 0.0:
            return 0.0
        moved = square_root_impact(self.impact, float(self.market.volatility[bar]), units / volume)
        return min(moved, 0.99)  # nothing is sold for less than nothing


def _line(x: Float1D, y: Any, name: str, *, color: str, axis: str, hover: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": x,
        "y": np.asarray(y, dtype=np.float64),
        "yaxis": axis,
        "line": {"color": color, "width": 1.8},
        "hovertemplate": hover,
    }
