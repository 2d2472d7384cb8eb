"""The collaborators of the backtesting service, by the names of the founding specification: thin, and replaceable.

Each hands its arguments to the library under it; another one with the same methods may be given to the service instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from algotrendy.backtest.arguments import as_strategy
from algotrendy.backtest.compare import Comparison, compare
from algotrendy.backtest.discovery import DiscoveryResult, Proposer, SystematicProposer, discover
from algotrendy.backtest.monte_carlo import MonteCarloResult, monte_carlo
from algotrendy.backtest.result import BacktestResult
from algotrendy.backtest.run import backtest
from algotrendy.backtest.sweep import SweepResult, optimize
from algotrendy.backtest.walk_forward import WalkForwardResult, walk_forward
from algotrendy.errors import ConfigError
from algotrendy.services.compositions import Allocations, arguments_of

if TYPE_CHECKING:
    from algotrendy.backtest.portfolio.result import PortfolioResult
    from algotrendy.services.definitions import Runnable

__all__ = [
    "AIStrategyDiscovery",
    "MonteCarloSimulator",
    "ResultAnalyzer",
    "VectorizedBacktester",
    "WalkForwardAnalyzer",
]


class VectorizedBacktester:
    """Backtests and sweeps in compiled code.

    Examples
    --------
    >>> import algotrendy as at
    >>> VectorizedBacktester().run(at.strategies.sma_cross(), at.synthetic(n=300, seed=1)).metrics["n_bars"]
    300
    """

    def run(self, strategy: Runnable, bars: Any, **options: Any) -> BacktestResult | PortfolioResult:
        """Return the backtest of a strategy, of weights or of several strategies; the options of `algotrendy.backtest`.

        Of several symbols `bars` are a mapping from symbol to bars.
        """
        arguments, more = arguments_of(strategy, bars)
        call: Callable[..., BacktestResult | PortfolioResult] = backtest
        return call(*arguments, **more, **options)

    def sweep(self, strategy: Runnable, bars: Any, grid: Any = None, **options: Any) -> SweepResult:
        """Return the backtests of many sets of parameters; the options of `algotrendy.optimize`.

        Of several strategies in one account parameters have names such as `trend.fast` and `trend.allocation`.
        """
        if isinstance(strategy, Allocations):
            return optimize(dict(strategy.strategies), bars, grid, rebalance=strategy.rebalance, **options)
        return optimize(as_strategy(strategy), bars, grid, **options)


class WalkForwardAnalyzer:
    """Chooses parameters on one window and trades them on the next.

    Examples
    --------
    >>> import algotrendy as at
    >>> bars, grid = at.synthetic(n=400, seed=1), {"fast": [5, 10], "slow": [20, 40]}
    >>> len(WalkForwardAnalyzer().run(at.strategies.sma_cross(), bars, grid, training=200, testing=50))
    4
    """

    def run(self, strategy: Runnable, bars: Any, grid: Any = None, **options: Any) -> WalkForwardResult:
        """Return the walk; the options of `algotrendy.walk_forward`. Of several symbols `bars` are a mapping."""
        if isinstance(strategy, Allocations):
            return walk_forward(dict(strategy.strategies), bars, grid, rebalance=strategy.rebalance, **options)
        return walk_forward(as_strategy(strategy), bars, grid, **options)


class MonteCarloSimulator:
    """Draws paths that a strategy could have taken.

    Examples
    --------
    >>> import algotrendy as at
    >>> result = at.backtest(at.strategies.sma_cross(5, 20), at.synthetic(n=500, seed=1))
    >>> len(MonteCarloSimulator().run(result, paths=200, seed=1))
    200
    """

    def run(self, result: Any, **options: Any) -> MonteCarloResult:
        """Return the paths of a result, of returns or of trades; the options of `backtest.monte_carlo.monte_carlo`."""
        return monte_carlo(result, **options)


class ResultAnalyzer:
    """Compares results, and puts them into plain values.

    Examples
    --------
    >>> import algotrendy as at
    >>> bars = at.synthetic(n=300, seed=1)
    >>> slow, fast = (at.backtest(at.strategies.sma_cross(n, 4 * n), bars) for n in (10, 3))
    >>> ResultAnalyzer().compare({"slow": slow, "fast": fast}, ["total_return"]).table.shape
    (2, 1)
    """

    def compare(
        self, results: Mapping[str, BacktestResult | PortfolioResult], metrics: Sequence[str] | None = None
    ) -> Comparison:
        """Return results side by side."""
        return compare(results, metrics)

    def details(self, kind: str, document: bytes, *, points: int = 500) -> dict[str, Any]:
        """Return what a saved result says besides its metrics, in plain values.

        Parameters
        ----------
        kind : str
            backtest, walk_forward, monte_carlo, sweep or discovery.
        document : bytes
            As `algotrendy.services.documents` wrote it.
        points : int
            Points of a curve, at most; the largest drawdown stays visible.
        """
        from algotrendy.services.documents import details_of

        return details_of(kind, document, points)


class AIStrategyDiscovery:
    """Searches for strategies: systematically, or by what a proposer says.

    Parameters
    ----------
    proposers : mapping of str to Proposer, optional
        By the name that a request calls it: `ai_agent`, say. `systematic` is always there.

    Examples
    --------
    >>> import algotrendy as at
    >>> found = AIStrategyDiscovery().run(at.synthetic(n=600, seed=1), n_candidates=20)
    >>> found.n_trials
    20
    """

    def __init__(self, proposers: Mapping[str, Proposer] | None = None) -> None:
        self._proposers: dict[str, Proposer] = {"systematic": SystematicProposer(), **(proposers or {})}

    def proposer(self, method: str) -> Proposer:
        """Return the proposer of a method.

        Raises
        ------
        ConfigError
            If none is set up under this name.
        """
        if method not in self._proposers:
            raise ConfigError(
                f"no proposer {method!r} is set up; set up are {', '.join(self._proposers)}: hand one to the platform, "
                f"proposers={{{method!r}: ...}}, or ask for 'systematic'"
            )
        return self._proposers[method]

    def run(
        self, bars: Any, *, method: str = "systematic", checkpoint: str | Path | None = None, **options: Any
    ) -> DiscoveryResult:
        """Return what the search found; the options of `algotrendy.backtest.discovery.discover`."""
        return discover(bars, proposer=self.proposer(method), checkpoint=checkpoint, **options)
