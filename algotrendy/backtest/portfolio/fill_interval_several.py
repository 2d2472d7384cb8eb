"""How much of a result of several strategies in one account hangs on what happened inside bars.

Where no shares are restored the strategies do not know of each other: the best and the worst run of the account are
those of each strategy, added up. What two strategies hold of one instrument goes along one path, though: where both
depend on it in the same bar, the sum is a bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from algotrendy.backtest.arguments import strategies_of
from algotrendy.backtest.curves import metrics_of_curve
from algotrendy.backtest.fill_interval import FillInterval, PathRun
from algotrendy.backtest.fill_search import Way
from algotrendy.backtest.portfolio.again import panel_of
from algotrendy.backtest.portfolio.cross_sections import instruments_of, with_peers
from algotrendy.backtest.portfolio.fill_interval import interval_of_ways
from algotrendy.backtest.portfolio.market import Account, account_of
from algotrendy.backtest.portfolio.members import members_of
from algotrendy.backtest.portfolio.paths_signals import signals_way
from algotrendy.backtest.portfolio.several import by_name
from algotrendy.backtest.portfolio.sleeves import restored_at, with_cash
from algotrendy.domain.types import Bool2D
from algotrendy.errors import InputError
from algotrendy.strategy import BarStrategy, Strategy

__all__ = ["SeveralFillInterval", "several_fill_interval"]


@dataclass(frozen=True, eq=False)
class SeveralFillInterval(FillInterval):
    """The interval of an account of several strategies, and those of its strategies.

    Attributes
    ----------
    sleeves : mapping of str to FillInterval
        Of each strategy by itself.
    is_outer : bool
        Whether two strategies depend on the path of one instrument in the same bar: then `best` and `worst` are sums of
        runs that need not have happened together. Of what is exact for each strategy no run lies outside of them.
    """

    sleeves: Mapping[str, FillInterval] = field(default_factory=dict)
    is_outer: bool = False

    def summary(self) -> str:
        """Return one sentence."""
        text = super().summary()
        if not self.is_outer:
            return text
        told = text.replace(" (at least: there were more than could be followed)", "")
        followed = all(sleeve.is_exact for sleeve in self.sleeves.values())
        bound = "no run lies outside" if followed else "there were more runs than could be followed"
        return f"{told} Strategies share paths, so these are sums of what each could reach by itself: {bound}."

    def to_dict(self) -> dict[str, Any]:
        """Return it in plain values, for a passport."""
        own = {name: sleeve.to_dict() for name, sleeve in self.sleeves.items()}
        return {**super().to_dict(), "is_outer": self.is_outer, "sleeves": own}


def several_fill_interval(result: Any, arguments: Mapping[str, Any], *, keep: int) -> SeveralFillInterval:
    """Run the strategies of an account on good and on bad paths.

    Parameters
    ----------
    result : PortfolioResult
        Of several strategies.
    arguments : mapping
        What `backtest` was called with.
    keep : int
        How many runs of each strategy are followed at once.

    Raises
    ------
    InputError
        If shares are restored, or the backtest does not come out as it was.

    Examples
    --------
    >>> import algotrendy as at
    >>> bars = {name: at.synthetic(n=200, seed=seed, volatility=0.5) for seed, name in enumerate("AB")}
    >>> tight = at.strategies.sma_cross(5, 20).with_params(stop=0.02, target=0.03)
    >>> found = at.backtest({"tight": (tight, 0.6), "calm": (at.strategies.buy_and_hold(), 0.4)}, bars).fill_interval()
    >>> found.worst.final_equity <= found.stated.final_equity <= found.best.final_equity
    True
    >>> found.sleeves["calm"].ambiguous_trades, found.is_outer
    (0, False)
    """
    from algotrendy.backtest.run import account_options

    account = account_of(panel_of(arguments), **account_options(arguments))
    if len(restored_at(account, arguments["rebalance"])):
        raise InputError(
            "the shares of the strategies are restored (rebalance=), so that a path of one changes the capital of all;"
            " ask for the interval of the same strategies without rebalance=, which holds up to the first restoring"
        )
    strategies = strategies_of(arguments["strategy"])
    inside = members_of(account, arguments["members"])
    columns = [name for one, _ in strategies.values() if isinstance(one, Strategy) for name in one.columns]
    account = with_peers(account, instruments_of(account, inside, dict.fromkeys(columns)))
    found: dict[str, FillInterval] = {}
    divided: list[set[tuple[int, int]]] = []
    for name, (strategy, share) in strategies.items():
        own = {key: by_name(key, arguments[key], name, strategies) for key in ("max_positions", "rank")}
        start = _Start(with_cash(account, share * account.options.cash, share), strategy, inside, own)
        found[name] = interval_of_ways(result.sleeves[name], start, len(result.index), keep)
        divided.append(start.divided)
    is_outer = any(one & two for one, two in combinations(divided, 2))
    runs = {name: _sum(result, [getattr(each, name) for each in found.values()]) for name in _RUNS}
    return SeveralFillInterval(
        **runs,
        ambiguous_trades=sum(each.ambiguous_trades for each in found.values()),
        n_positions=sum(each.n_positions for each in found.values()),
        is_exact=not is_outer and all(each.is_exact for each in found.values()),
        sleeves=found,
        is_outer=is_outer,
    )


_RUNS = ("best", "stated", "worst")


class _Start:
    """Gives the run of one strategy before its first bar, and notes where any of its runs has divided.

    Attributes
    ----------
    divided : set of (int, int)
        Bars and instruments.
    """

    def __init__(self, account: Account, strategy: Any, inside: Bool2D | None, told: dict[str, Any]) -> None:
        self._account, self._strategy, self._inside, self._told = account, strategy, inside, told
        self.divided: set[tuple[int, int]] = set()

    def __call__(self) -> Way:
        if isinstance(self._strategy, BarStrategy):
            from algotrendy.backtest.stateful.paths import stateful_way
            from algotrendy.backtest.stateful.sleeve import columns_of

            return self._watched(stateful_way(self._strategy, self._account, columns_of(self._account)))
        return self._watched(signals_way(self._account, self._strategy, self._inside, self._told))

    def _watched(self, way: Way) -> Way:
        """Return the same run, which notes where it and those that divide from it may go several ways."""
        kind = type(way)

        def outcomes(i: int, j: int) -> list[Any]:
            found = kind.outcomes(way, i, j)
            if len(found) > 1:
                self.divided.add((i, j))
            return found

        vars(way)["outcomes"] = outcomes
        vars(way)["divided"] = lambda: self._watched(kind.divided(way))
        return way


def _sum(result: Any, runs: Sequence[PathRun]) -> PathRun:
    """Return runs side by side as one, with the cash of no strategy."""
    reserve = 0.0 if result.reserve_values is None else result.reserve_values
    equity = np.sum([run.equity_values for run in runs], axis=0) + reserve
    figures = metrics_of_curve(
        equity,
        result.valuation_marks,
        cash=result.cash,
        periods_per_year=float(result.metrics["periods_per_year"]),
        risk_free_rate=float(result.assumptions.get("risk_free_rate") or 0.0),
    )
    orders = sorted((order for run in runs for order in run.orders), key=lambda order: order.filled_at)
    return PathRun(equity, tuple(orders), figures)
