"""Bars without an edge, made of the real ones: same moves, other order or other signs, and no drift.

Each bar is taken as a whole: open, high, low and close as ratios to the close before it, so that a null bar is as sound
as the bar it was made of. The first bar is that of the data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from algotrendy.backtest.resampling import GarchFit, block_length, fit_garch
from algotrendy.domain.bars import BarArrays
from algotrendy.domain.types import Float1D, Float2D, Int1D
from algotrendy.errors import InputError
from algotrendy.strategy.parameter import is_number, nearest

NULLS = {
    "block": "blocks of bars in another order, without drift",
    "sign": "each bar up or down by the toss of a coin",
    "garch": "GARCH(1,1) with resampled shocks, without drift",
}

_OPEN, _HIGH, _LOW, _CLOSE = range(4)
_MIRRORED = [_OPEN, _LOW, _HIGH, _CLOSE]
"""Rows of a bar turned upside down: its low becomes the high."""


@dataclass(frozen=True, eq=False)
class NullBars:
    """Makes bars without an edge.

    Attributes
    ----------
    kind : {'block', 'sign', 'garch'}
        How.
    seed : int
        Of all paths.
    bars : BarArrays
        The real ones.
    moves : array of shape (4, n_bars - 1)
        What open, high, low and close of each bar but the first are to the close before it: ratios without drift
        ("block", "sign"), or logarithms as multiples of the volatility of their bar ("garch").
    mirrored : array of shape (4, n_bars - 1)
        The same of each bar turned upside down, for "sign".
    drift : float, optional
        The mean logarithm by which the closes of every path move, exactly; None: none but what chance gives.
    block : float
        Mean length of a block.
    fit : GarchFit, optional
        The rule of the variance.
    """

    kind: str
    seed: int
    bars: BarArrays
    moves: Float2D
    mirrored: Float2D
    drift: float | None = None
    block: float = 0.0
    fit: GarchFit | None = None

    @property
    def settings(self) -> Mapping[str, float]:
        """What was estimated for it."""
        if self.fit is not None:
            return {"constant": self.fit.constant, "news": self.fit.news, "memory": self.fit.memory}
        return {"block": self.block} if self.kind == "block" else {}

    def path(self, number: int) -> BarArrays:
        """Return the bars of a path; they depend on the seed and the number alone."""
        from algotrendy.kernels import null_paths as kernel

        path = kernel.Path(np.uint64(self.seed), np.uint64(number))
        n = self.moves.shape[1]
        if self.kind == "sign":
            flipped = np.empty(n, dtype=np.bool_)
            kernel.flips(path, flipped)
            return self._bars(np.where(flipped, self.mirrored, self.moves), None)
        places = np.empty(n, dtype=np.int64)
        if self.fit is None:
            kernel.block_places(path, round(2**32 / self.block), n, places)
            return self._bars(self.moves[:, places], places)
        volatility, fit = np.empty(n), self.fit
        rule = kernel.Recursion(fit.constant, fit.news, fit.memory, float(fit.volatility[0]) ** 2)
        kernel.garch_places(path, rule, fit.shocks, places, volatility)
        return self._bars(np.exp(self.moves[:, places] * volatility), places)

    def _bars(self, ratios: Float2D, places: Int1D | None) -> BarArrays:
        """Return bars that open, rise, fall and close by these ratios to the close before."""
        if self.drift is not None:
            n = ratios.shape[1]
            ratios = ratios * np.exp(self.drift - np.log(ratios[_CLOSE]).sum() / n)
        block = np.empty((4, ratios.shape[1] + 1))
        block[:, 0] = [self.bars.open[0], self.bars.high[0], self.bars.low[0], self.bars.close[0]]
        block[_CLOSE, 1:] = ratios[_CLOSE]
        np.cumprod(block[_CLOSE], out=block[_CLOSE])
        np.multiply(ratios[:_CLOSE], block[_CLOSE, :-1], out=block[:_CLOSE, 1:])
        volume = self.bars.volume
        if places is not None:
            volume = np.concatenate((volume[:1], volume[1:][places]))
        return BarArrays(block[0], block[1], block[2], block[3], volume)


def null_bars(
    bars: BarArrays, kind: str, *, seed: int, block: float | None = None, keep_drift: bool = False
) -> NullBars:
    """Return what makes null bars of the real ones.

    Parameters
    ----------
    bars : BarArrays
        Sound bars.
    kind : str
        "block": blocks of neighbouring bars, of random length with mean `block`, drawn with replacement (stationary
        bootstrap). "sign": the bars in their order, each turned upside down with a chance of one half: high and low
        change places. "garch": bars drawn one by one, and scaled to a volatility that moves by a GARCH(1,1) fitted to
        the data, from where it began.
    seed : int
        Of all paths.
    block : float, optional
        By the rule of Politis and White on the log returns by default; not on their squares, as long blocks would carry
        along what the search may find.
    keep_drift : bool
        Whether every path ends where the data ended.

    Notes
    -----
    The drift is the mean m of the logarithms of close / previous close. Without it, each of the four ratios of every
    bar is divided by exp(m), so bars keep their shape and only where they open moves. Then a close doubles as often as
    it halves; the mean *simple* return is still above zero by half the variance. If the drift is kept, the mean that a
    path happens to have is taken off it in the same way, and m put in its place: a path that is as likely to rise more
    as to rise less than the data would make the data look ordinary whatever was found in it.

    Raises
    ------
    InputError
        If there is no such null, the block is none, or the bars are too few or never move.
    """
    if kind not in NULLS:
        raise InputError(f"there is no null {kind!r}{nearest(kind, NULLS)}")
    if block is not None and kind != "block":
        raise InputError(f"block= means nothing to the null {kind!r}; leave it out")
    n = bars.close.size - 1
    if block is not None and (not is_number(block) or not 1.0 <= block <= n):
        raise InputError(f"block is {block!r}; expected a mean number of bars from 1 to the {n:,} that there are")
    logs = np.log(np.array(bars[:4])[:, 1:] / bars.close[:-1])
    steps: Float1D = logs[_CLOSE]
    if n < 2 or not np.ptp(steps) > 0.0:
        raise InputError("the closes never move, or there are fewer than 3 bars, so there is nothing to resample")
    drift = float(steps.mean())
    kept = drift if keep_drift else None
    if kind == "garch":
        fit = fit_garch(steps)
        moves = (logs - fit.mean - fit.volatility * fit.centre) / (fit.volatility * fit.spread)
        return NullBars(kind, seed, bars, moves, moves, kept, fit=fit)
    moves = np.exp(logs - drift)
    if kind == "sign":
        return NullBars(kind, seed, bars, moves, np.exp((drift - logs)[_MIRRORED]), kept)
    length = block_length(steps, squares=False) if block is None else float(block)
    return NullBars(kind, seed, bars, moves, moves, kept, block=length)


def as_keyword(options: Mapping[str, Any]) -> Any:
    """Return the chart among the options of a backtest, if it can be made anew of null bars.

    Raises
    ------
    InputError
        If its rows were made already.
    """
    chart = options.get("chart")
    if hasattr(chart, "columns"):
        raise InputError(
            "the chart is given as rows, which null bars would need too; name a style that is made of the bars, such "
            "as chart='heikin_ashi'"
        )
    return chart
