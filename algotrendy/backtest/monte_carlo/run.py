"""`monte_carlo`: paths that a strategy could have taken, by one of six methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.monte_carlo.paths import Figures, PathMaker
from algotrendy.backtest.monte_carlo.result import LABELS, MonteCarloResult
from algotrendy.backtest.monte_carlo.source import SHUFFLE, Source, source_of
from algotrendy.backtest.resampling import block_length, fit_garch
from algotrendy.backtest.sweep.grid import Where
from algotrendy.compute import Executor, map_work, progress_for
from algotrendy.compute.progress import Show
from algotrendy.errors import InputError
from algotrendy.strategy.parameter import is_number, nearest

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.backtest.result import BacktestResult
    from algotrendy.domain.types import Float1D
    from algotrendy.strategy import PythonStrategy, Strategy

__all__ = ["monte_carlo"]

JITTER = "parameter_jitter"
_BLOCKS = ("stationary", "circular")
_HORIZON = 252
_IDLE_MAX = 0.25
_PATHS_MAX, _HORIZON_MAX = 50_000_000, 100_000_000


def monte_carlo(
    source: BacktestResult | pd.Series[float] | Float1D | Sequence[float] | pd.DataFrame,
    *,
    method: str = "bootstrap",
    paths: int = 1000,
    horizon: int | None = None,
    block: float | None = None,
    ruin: float = 0.5,
    confidence: float = 0.95,
    seed: int = 0,
    cash: float | None = None,
    spread: float = 0.2,
    vary: Sequence[str] | None = None,
    where: Where = None,
    strategy: Strategy | PythonStrategy | None = None,
    executor: Executor | str | None = None,
    workers: int | None = None,
    progress: Show = None,
) -> MonteCarloResult:
    """Draw paths that a strategy could have taken, and say what became of them.

    Random numbers are a function of the seed, the number of the path and the step alone: the first 100 of 1,000 paths
    are those of a run of 100, and nothing depends on the number of workers.

    Parameters
    ----------
    source : BacktestResult, Series, array or DataFrame
        A result; or simple returns per period (per trade for "trade_shuffle"), as fractions, oldest first; or a frame
        of closed trades with their profit in a column `pnl`, in currency.
    method : str
        - "trade_shuffle": the same trades in another order, each as a share of the account; the end is the same, the
          drawdowns are not.
        - "bootstrap": each step drawn independently, with replacement.
        - "stationary": blocks of neighbouring steps of random length, mean `block` [1]_.
        - "circular": blocks of `block` steps [2]_.
        - "garch": volatility moves by a GARCH(1,1) fitted to the returns, from where it stood at their end; the shocks
          are drawn from those that were seen [3]_. Only for accounts that are nearly always in the market.
        - "parameter_jitter": the strategy is run again with parameters drawn near the chosen ones; needs a result.
    paths : int
        Number of paths.
    horizon : int, optional
        Steps of each path; 252 by default. For "trade_shuffle" all trades, or fewer of them. A frame of trades: as many
        as there are.
    block : float, optional
        Length of a block, for "stationary" and "circular"; by the rule of Politis and White by default.
    ruin : float
        Share of the starting wealth whose loss, at any step, is ruin: 0.5 is half of it.
    confidence : float
        Share of the paths in the range of outcomes that is shown, and coverage of the interval of each estimate.
    seed : int
        From 0 up, below 2**64.
    cash : float, optional
        What the account began with, for a frame of trades.
    spread : float
        For "parameter_jitter": each parameter is drawn evenly from (1 - spread) to (1 + spread) times its value.
    vary : sequence of str, optional
        For "parameter_jitter": the parameters to draw; by default all that are numbers.
    where : str or callable, optional
        For "parameter_jitter": which parameters go together, such as "fast < slow"; others are drawn again.
    strategy : Strategy or PythonStrategy, optional
        For "parameter_jitter" of a Python function, of which a result only knows the name.
    executor : Executor, or {"threads", "processes", "ray"}, optional
        Where to compute; by default on threads, jitter of a Python function on processes.
    workers : int, optional
        Cores to use; None: all. The numbers do not depend on it.
    progress : bool or callable, optional
        Show a progress bar; None: if the standard error stream is a terminal. A function is told an `Estimate`.

    Returns
    -------
    MonteCarloResult
        Terminal wealth, largest drawdown and ruin of each path, what they say together, a fan of wealth by step. After
        Ctrl-C: of the paths that were done.

    Raises
    ------
    InputError
        If an argument is not allowed, belongs to another method, or the source has nothing to resample.

    References
    ----------
    .. [1] Politis, D. and Romano, J. (1994). The stationary bootstrap. JASA, 89(428), 1303-1313.
    .. [2] Politis, D. and Romano, J. (1992). A circular block-resampling procedure for stationary data. In Exploring
       the Limits of Bootstrap, 263-270.
    .. [3] Barone-Adesi, G., Giannopoulos, K. and Vosper, L. (1999). VaR without correlations for portfolios of
       derivative securities. Journal of Futures Markets, 19(5), 583-602.

    Examples
    --------
    >>> import algotrendy as at
    >>> result = at.backtest(at.strategies.sma_cross(5, 20), at.synthetic(n=500, seed=1), commission=0.0005)
    >>> found = monte_carlo(result, method="stationary", paths=500, seed=1)
    >>> len(found), found.horizon, 0.0 <= found.ruin_probability.value <= 1.0
    (500, 252, True)
    """
    _check(method, paths, ruin, confidence, seed)
    place = Executor.of(executor, workers=workers)
    if method == JITTER:
        from algotrendy.backtest.monte_carlo.jitter import Jitter, run_jitter

        _refuse({"horizon": horizon, "block": block, "cash": cash}, method)
        plan = Jitter(paths, ruin, confidence, seed, spread, vary, where)
        return run_jitter(source, strategy, plan, place if executor is not None else workers, progress)
    _refuse({"vary": vary, "where": where, "strategy": strategy, "spread": None if spread == 0.2 else spread}, method)
    if method not in _BLOCKS:
        _refuse({"block": block}, method)
    found = source_of(source, method, cash)
    maker, settings = _maker(found, method, horizon, block, seed)
    chunks = maker.chunks(paths)
    with progress_for("Monte Carlo", paths, show=progress) as bar:
        mapped = map_work(maker.run, chunks, where=place, progress=bar, steps=lambda chunk: chunk.size)
    done = [chunk for chunk, figures in zip(chunks, mapped.results, strict=True) if figures is not None]
    figures = _joined([figures for figures in mapped.results if figures is not None])
    observed = {
        "terminal_wealth": found.terminal_wealth,
        "max_drawdown": found.max_drawdown,
        "n_steps": found.growth.size,
    }
    return MonteCarloResult(
        terminal_wealth=figures.terminal_wealth,
        max_drawdown=figures.max_drawdown,
        ruined=figures.lowest_wealth <= 1.0 - ruin,
        method=method,
        horizon=maker.horizon,
        unit=found.unit,
        ruin=float(ruin),
        confidence=float(confidence),
        seed=seed,
        observed=observed,
        settings=settings,
        complete=len(done) == len(chunks),
        curves=lambda: maker.curves(done),
    )


def _maker(
    found: Source, method: str, horizon: int | None, block: float | None, seed: int
) -> tuple[PathMaker, dict[str, Any]]:
    """Return what draws the paths, and what it was made of besides the arguments."""
    n = found.growth.size
    steps = _steps(horizon, found.unit, n)
    if method == SHUFFLE:
        if steps > n:
            raise InputError(f"horizon is {steps}, but there are only {n} trades to put into another order")
        return PathMaker(method, found.growth, seed, steps), {}
    if method == "garch":
        fit = fit_garch(_moving(found.growth - 1.0))
        names = {"constant": fit.constant, "news": fit.news, "memory": fit.memory}
        return PathMaker(method, fit.shocks, seed, steps, garch=fit), names
    if method not in _BLOCKS:
        return PathMaker(method, found.growth, seed, steps), {}
    length = block_length(found.growth - 1.0, method) if block is None else _block(block, method, n)
    return PathMaker(method, found.growth, seed, steps, block=length), {"block": length}


def _moving(returns: Float1D) -> Float1D:
    """Refuse returns that are often exactly zero: a volatility that switches on and off is no GARCH."""
    idle = float(np.mean(returns == 0.0))
    if idle > _IDLE_MAX:
        raise InputError(
            f"{idle:.0%} of the returns are exactly zero, because the account is often out of the market; a GARCH "
            "cannot be fitted to that: use method='stationary', whose blocks keep such spells together"
        )
    return returns


def _joined(pieces: Sequence[Figures]) -> Figures:
    if not pieces:
        raise KeyboardInterrupt("stopped before the first paths were done")
    return Figures(*(np.concatenate(column) for column in zip(*pieces, strict=True)))


def _steps(horizon: int | None, unit: str, n: int) -> int:
    if horizon is None:
        return n if unit == "trade" else _HORIZON
    if isinstance(horizon, bool) or not isinstance(horizon, int | np.integer) or not 1 <= horizon <= _HORIZON_MAX:
        raise InputError(f"horizon is {horizon!r}; expected a whole number of steps, at least 1")
    return int(horizon)


def _block(block: Any, method: str, n: int) -> float:
    whole = method == "circular"
    if not is_number(block) or not 1.0 <= block <= n or (whole and block != int(block)):
        kind = "a whole number of steps" if whole else "a mean number of steps"
        raise InputError(f"block is {block!r}; expected {kind} from 1 to the {n:,} that there are")
    return float(block)


def _check(method: str, paths: Any, ruin: Any, confidence: Any, seed: Any) -> None:
    if method not in LABELS:
        raise InputError(f"there is no method {method!r}{nearest(method, LABELS)}")
    if isinstance(paths, bool) or not isinstance(paths, int | np.integer) or not 1 <= paths <= _PATHS_MAX:
        raise InputError(f"paths is {paths!r}; expected a whole number from 1 to {_PATHS_MAX:,}")
    if not is_number(ruin) or not 0.0 < ruin <= 1.0:
        raise InputError(f"ruin is {ruin!r}; it is the share of the starting wealth that is lost, so half is 0.5")
    check_confidence(confidence)
    check_seed(seed)


def check_confidence(confidence: Any) -> None:
    """Refuse what is no probability between 0 and 1.

    Raises
    ------
    InputError
        If it is not one.
    """
    if not is_number(confidence) or not 0.0 < confidence < 1.0:
        raise InputError(f"confidence is {confidence!r}; expected a fraction between 0 and 1, such as 0.95")


def check_seed(seed: Any) -> None:
    """Refuse what cannot be the key of the random numbers.

    Raises
    ------
    InputError
        If it is no whole number from 0 up to 2**64.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**64:
        raise InputError(f"seed is {seed!r}; expected a whole number from 0 up, below 2**64")


def _refuse(given: Mapping[str, Any], method: str) -> None:
    """Refuse options that the method does not look at."""
    for name, value in given.items():
        if value is not None:
            raise InputError(f"{name}= means nothing to the method {method!r}; leave it out")
