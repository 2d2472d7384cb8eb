"""Windows of a stateful strategy: each is an account of its own, and the joined one is made of their fills.

A window's strategy is a fresh copy with the parameters that were chosen. The bars before the testing window warm up its
indicators and what it keeps in `observe`; it is asked from the bar on whose decisions are filled inside the window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from algotrendy.backtest.portfolio.ledger import Ledger
from algotrendy.backtest.portfolio.market import account_of_one
from algotrendy.backtest.setting import Setting, prepare
from algotrendy.backtest.stateful.loop import run_bars
from algotrendy.backtest.stateful.run import further_columns, one_result
from algotrendy.backtest.walk_forward.windows import Window
from algotrendy.compute import Record
from algotrendy.domain.bars import BarArrays
from algotrendy.domain.types import Float1D, Float2D, Int1D
from algotrendy.kernels.orders_types import COMMISSION, SLIPPAGE, UNITS
from algotrendy.kernels.portfolio_types import CASH, EQUITY, EXIT, GROSS, Fills
from algotrendy.kernels.statistics_names import METRICS

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.backtest.result import BacktestResult
    from algotrendy.strategy import BarStrategy

__all__ = ["Asked", "ask", "joined_result", "taken_bars", "window_metrics"]


@dataclass(frozen=True, eq=False)
class Asked:
    """What came of one window.

    Attributes
    ----------
    window : Window
        Its place.
    params : mapping of str to number, or None
        What was chosen on the training bars; None if nothing could be.
    in_sample : array of shape (n_metrics,)
        Metrics of that choice on the training bars.
    n_tried : int
        How many combinations were tried.
    places, money : arrays of shape (n_fills, 4) and (n_fills, 2)
        As in `kernels.portfolio_types.Fills`; bars count from the first testing bar.
    curve : array of shape (3, n)
        Equity, cash and gross exposure at the testing bars; the position is still open at the last one.
    ruined_at : int
        The testing bar at which nothing was left, or -1.
    """

    window: Window
    params: Mapping[str, Any] | None
    in_sample: Float1D
    n_tried: int
    places: npt.NDArray[np.int32]
    money: Float2D
    curve: Float2D
    ruined_at: int

    def record(self) -> Record:
        """Return it as it is kept in a file."""
        params = None if self.params is None else dict(self.params)
        meta = {"window": self.window.number, "params": params, "n_tried": self.n_tried, "ruined_at": self.ruined_at}
        arrays = (self.in_sample, self.curve, self.money)
        return Record(meta, b"".join(array.tobytes() for array in arrays) + self.places.tobytes())

    @classmethod
    def of(cls, record: Record, windows: Sequence[Window]) -> Asked:
        """Return what `record` was made of."""
        meta, data = record
        window = windows[meta["window"]]
        n, n_metrics = window.test_end - window.test_begin, len(METRICS)
        first = 8 * (n_metrics + 3 * n)
        n_fills = (len(data) - first) // (8 * 2 + 4 * 4)
        numbers = np.frombuffer(data, count=n_metrics + 3 * n)
        return cls(
            window=window,
            params=meta["params"],
            in_sample=numbers[:n_metrics],
            n_tried=meta["n_tried"],
            places=np.frombuffer(data, np.int32, offset=first + 16 * n_fills).reshape(n_fills, 4),
            money=np.frombuffer(data, offset=first, count=2 * n_fills).reshape(n_fills, 2),
            curve=numbers[n_metrics:].reshape(3, n),
            ruined_at=meta["ruined_at"],
        )


def ask(
    strategy: BarStrategy | None,
    window: Window,
    bars: pd.DataFrame,
    options: Mapping[str, Any],
    chosen: tuple[Mapping[str, Any] | None, Float1D, int],
) -> Asked:
    """Run a strategy with its values on a testing window; None trades nothing.

    Parameters
    ----------
    strategy : BarStrategy, optional
        With the parameters that were chosen.
    window : Window
        Where it is tested.
    bars : DataFrame
        All bars; those after the window are not looked at.
    options : mapping
        Keywords of `backtest`.
    chosen : tuple
        Parameters, their metrics in training, and how many were tried.
    """
    begin, n = window.test_begin, window.test_end - window.test_begin
    setting = prepare(bars.iloc[: window.test_end], **options)
    if strategy is None:
        cash = setting.options.cash
        curve = np.vstack([np.full((2, n), cash), np.zeros((1, n))])
        return Asked(window, *chosen, np.empty((0, 4), np.int32), np.empty((0, 2)), curve, -1)
    fill = setting.options.fill
    asked = (begin - (fill != "same_close"), window.test_end - (2 if fill == "next_close" else 1))
    done = run_bars(strategy, account_of_one(setting), asked=asked, columns=further_columns(setting.bars))
    fills, ruined_at = done.ledger.fills, done.ledger.ruined_at
    places = fills.places.copy()
    places[:, :2] -= begin
    curve = np.ascontiguousarray(done.ledger.curve[:, begin:])
    return Asked(window, *chosen, places, fills.money.copy(), curve, -1 if ruined_at is None else ruined_at - begin)


class JoinedLedger(Ledger):
    """A ledger whose fills are those of accounts of other sizes, with what each is multiplied by."""

    factors: Float1D

    @classmethod
    def joined(cls, ledger: Ledger, factors: Float1D) -> JoinedLedger:
        """Return a ledger with the money of each fill multiplied."""
        made = cls(ledger.account, ledger.fills, ledger.curve, ledger.ruined_at)
        object.__setattr__(made, "factors", factors)
        return made

    @cached_property
    def money(self) -> Float2D:
        """As that of a ledger, in proportion."""
        own = Ledger(self.account, self.fills, self.curve, self.ruined_at).money.copy()
        for column in (UNITS, COMMISSION, SLIPPAGE):
            own[:, column] *= self.factors
        return own


def window_metrics(asked: Asked, setting: Setting) -> Mapping[str, float]:
    """Return the metrics of the whole testing window, closed at its last close."""
    places = np.arange(asked.window.test_begin, asked.window.test_end)
    return _ledger([_closed(asked, setting, asked.window.test_end)], taken_bars(setting, places)).metrics()[0]


def joined_result(
    decided: Sequence[Asked], ends: Sequence[int], setting: Setting, strategy: BarStrategy, assumptions: dict[str, Any]
) -> BacktestResult:
    """Return the joined account: each window begins with what the one before it ended with.

    Parameters
    ----------
    decided : sequence of Asked
        The windows that are done; at least one.
    ends : sequence of int
        The bar before which each is closed, where the next one takes over.
    setting : Setting
        All bars, conventions and costs.
    strategy : BarStrategy
        For the description.
    assumptions : dict
        For the result.
    """
    parts = [_closed(each, setting, end) for each, end in zip(decided, ends, strict=True)]
    positions = np.concatenate(
        [np.arange(each.window.test_begin, end) for each, end in zip(decided, ends, strict=True)]
    )
    taken = taken_bars(setting, positions)
    changes = {"assumptions": assumptions, "params": {}}
    return one_result(_ledger(parts, taken), taken, strategy, requests=None, warnings=setting.warnings, **changes)


def _ledger(parts: Sequence[Asked], taken: Setting) -> Ledger:
    """Join closed windows: money of each is multiplied so that it begins with what the one before it left."""
    cash = initial = taken.options.cash
    places, money, curves, factors, begun, ruined_at = [], [], [], [], 0, None
    for part in parts:
        n = part.curve.shape[1]
        if ruined_at is None:
            factor = cash / initial
            shifted = part.places.copy()
            shifted[:, :2] += begun
            places.append(shifted)
            money.append(part.money)
            factors.append(np.full(len(shifted), factor))
            curves.append(part.curve * factor)
            cash = float(curves[-1][EQUITY, -1])
            ruined_at = begun + part.ruined_at if part.ruined_at >= 0 else None
        else:  # nothing is left to trade with
            curves.append(np.vstack([np.full((2, n), cash), np.zeros((1, n))]))
        begun += n
    fills = Fills(np.concatenate(places), np.concatenate(money))
    ledger = Ledger(account_of_one(taken), fills, np.ascontiguousarray(np.hstack(curves)), ruined_at)
    return JoinedLedger.joined(ledger, np.concatenate(factors))


def _closed(asked: Asked, setting: Setting, end: int) -> Asked:
    """Return a window cut before the bar `end`, its position closed at the last close: a market order, at cost."""
    n = end - asked.window.test_begin
    kept = asked.places[:, 1] < n
    places, money, curve = asked.places[kept], asked.money[kept], asked.curve[:, :n].copy()
    ruined_at = asked.ruined_at if 0 <= asked.ruined_at < n else -1
    held = 0.0
    for units in money[:, 0].tolist():
        held = 0.0 if units == -held else held + units
    if held != 0.0 and ruined_at < 0:
        options, close = setting.options, float(setting.arrays.close[end - 1])
        price = close * (1.0 - np.sign(held) * options.slippage)
        cash = curve[EQUITY, -1] + (held * (price - close) - options.fees.of(held, price))
        curve[EQUITY, -1], curve[CASH, -1], curve[GROSS, -1] = cash, cash, 0.0
        places = np.vstack([places, np.array([[n - 1, n - 1, 0, EXIT]], np.int32)])
        money = np.vstack([money, [[-held, close]]])
    return replace(asked, places=places, money=money, curve=curve, ruined_at=ruined_at)


def taken_bars(setting: Setting, positions: Int1D) -> Setting:
    """Return the setting of some bars."""
    marks = setting.options.marks
    if marks is not None:
        at = np.flatnonzero(np.isin(positions, marks))
        marks = np.union1d(at, [len(positions) - 1]).astype(np.int64)
    return replace(
        setting,
        bars=setting.bars.iloc[positions],
        arrays=BarArrays(*(np.ascontiguousarray(column[positions]) for column in setting.arrays)),
        options=setting.options.replaced(marks=marks),
    )
