"""How much of a result of several strategies in one account hangs on what happened inside bars.

Where no shares are restored the strategies do not know of each other: the best and the worst run of the account are
those of each strategy, added up. Where they are, all strategies are one run, which is searched as a whole. What two
strategies hold of one instrument goes along one path, though: where both depend on it in the same bar, what is found is
a bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.arguments import strategies_of
from algotrendy.backtest.curves import metrics_of_curve
from algotrendy.backtest.fill_interval import FillInterval, PathRun
from algotrendy.backtest.fill_search import Way, extreme_way, stated_way
from algotrendy.backtest.portfolio.again import panel_of
from algotrendy.backtest.portfolio.cross_sections import instruments_of, with_peers
from algotrendy.backtest.portfolio.fill_interval import any_doubt, doubts_of, fills_of, interval_of_ways
from algotrendy.backtest.portfolio.market import Account, account_of
from algotrendy.backtest.portfolio.members import members_of
from algotrendy.backtest.portfolio.paths_signals import SignalsWay, signals_way
from algotrendy.backtest.portfolio.several import by_name
from algotrendy.backtest.portfolio.sleeves import restored_at, spare_of, with_cash
from algotrendy.backtest.portfolio.sleeves_way import SleevesWay, resizable
from algotrendy.domain.types import Bool2D, Float1D
from algotrendy.errors import InputError
from algotrendy.strategy import BarStrategy, Strategy

if TYPE_CHECKING:
    from algotrendy.backtest.stateful.paths import StatefulWay

__all__ = ["SeveralFillInterval", "several_fill_interval"]


@dataclass(frozen=True, eq=False)
class SeveralFillInterval(FillInterval):
    """The interval of an account of several strategies, and those of its strategies.

    Attributes
    ----------
    sleeves : mapping of str to FillInterval
        Of each strategy by itself; none where shares are restored, since then only the account has an interval.
    is_outer : bool
        Whether two strategies depend on the path of one instrument in the same bar: then `best` and `worst` may take
        another path of it for each of them, which cannot have happened together.
    is_followed : bool
        Whether all runs were followed that might have come further: then no run lies outside, also if `is_outer`.
    """

    sleeves: Mapping[str, FillInterval] = field(default_factory=dict)
    is_outer: bool = False
    is_followed: bool = True

    def __post_init__(self) -> None:
        """Know the bounds where nothing lies outside of what was found."""
        super().__post_init__()
        if self.is_outer and self.is_followed:
            object.__setattr__(self, "outer", (self.worst.final_equity, self.best.final_equity))

    @property
    def kind(self) -> str:
        """What the interval is: also "outer", where no run lies outside and there may be none that reaches its ends."""
        return "outer" if self.is_outer and self.is_followed else super().kind

    def summary(self) -> str:
        """Return one sentence."""
        text = super().summary()
        if not self.is_outer:
            return text
        told = text.replace(" (at least: there were more than could be followed)", "")
        bound = "no run lies outside" if self.is_followed else "there were more runs than could be followed"
        return f"{told} Strategies share paths, and each was given the one that it fares best or worst on: {bound}."

    def to_dict(self) -> dict[str, Any]:
        """Return it in plain values, for a passport."""
        own = {name: sleeve.to_dict() for name, sleeve in self.sleeves.items()}
        return {**super().to_dict(), "is_outer": self.is_outer, "is_followed": self.is_followed, "sleeves": own}


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
        If the backtest does not come out as it was.

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
    strategies = strategies_of(arguments["strategy"])
    inside = members_of(account, arguments["members"])
    columns = [name for one, _ in strategies.values() if isinstance(one, Strategy) for name in one.columns]
    account = with_peers(account, instruments_of(account, inside, dict.fromkeys(columns)))
    starts: dict[str, _Start] = {}
    for name, (strategy, share) in strategies.items():
        told = {key: by_name(key, arguments[key], name, strategies) for key in ("max_positions", "rank")}
        starts[name] = _Start(with_cash(account, share * account.options.cash, share), strategy, inside, told)
    at = restored_at(account, arguments["rebalance"]).tolist()
    if at:
        return _as_one(result, starts, [share for _, share in strategies.values()], at, keep)
    n_bars = len(result.index)
    found = {name: interval_of_ways(result.sleeves[name], start, n_bars, keep) for name, start in starts.items()}
    is_outer = any(one.divided & two.divided for one, two in combinations(starts.values(), 2))
    is_followed = all(each.is_exact for each in found.values())
    runs: dict[str, Any] = {name: _sum(result, [getattr(each, name) for each in found.values()]) for name in _RUNS}
    return SeveralFillInterval(
        **runs,
        ambiguous_trades=sum(each.ambiguous_trades for each in found.values()),
        n_positions=sum(each.n_positions for each in found.values()),
        is_exact=is_followed and not is_outer,
        sleeves=found,
        is_outer=is_outer,
        is_followed=is_followed,
    )


def _as_one(
    result: Any, starts: Mapping[str, _Start], shares: Sequence[float], at: Sequence[int], keep: int
) -> SeveralFillInterval:
    """Return the interval of strategies whose shares are restored: all of them are one run."""
    noted: set[tuple[int, int]] = set()
    n_bars, n, spare = len(result.index), len(result.symbols), spare_of(result.cash, shares)

    def start() -> SleevesWay:
        ways = [
            each.bars(is_resized=True) if isinstance(each.strategy, BarStrategy) else resizable(each.signals())
            for each in starts.values()
        ]
        return SleevesWay(ways, shares, spare, frozenset(at), noted, shape=(n_bars, n))

    stated = stated_way(start(), n_bars)
    final = float(result.equity_values[-1])
    if abs(stated.equity[-1] - final) > SAME * abs(result.cash):
        raise InputError(
            f"the backtest gives {stated.equity[-1]:,.2f} when it is run again, not {final:,.2f}; hand in what it was"
            " made of"
        )
    ends, is_followed = {"stated": stated, "best": stated, "worst": stated}, True
    if stated.doubtful or any(map(any_doubt, _ways(stated))):
        for name, sign in (("best", 1.0), ("worst", -1.0)):
            reached = extreme_way(start(), n_bars, sign=sign, keep=keep)
            ends[name] = max((reached.way, stated), key=lambda way: sign * way.equity[-1])
            is_followed = is_followed and reached.is_exact and not any(map(doubts_of, _ways(reached.way)))
    bars: dict[tuple[int, int], set[int]] = {}
    for bar, place in noted:
        bars.setdefault((bar, place % n), set()).add(place // n)
    is_outer = any(len(those) > 1 for those in bars.values())
    positions = [_n_positions(fills_of(way)) for way in _ways(stated)]
    runs: dict[str, Any] = {name: _path_run(result, np.array(way.equity), _fills(way)) for name, way in ends.items()}
    return SeveralFillInterval(
        **runs,
        ambiguous_trades=len(stated.doubtful),
        n_positions=sum(positions),
        is_exact=is_followed and not is_outer,
        is_outer=is_outer,
        is_followed=is_followed,
    )


def _ways(way: Way) -> list[Any]:
    assert isinstance(way, SleevesWay)
    return way.ways


def _fills(way: Way) -> list[Any]:
    return [fill for each in _ways(way) for fill in fills_of(each)]


def _n_positions(fills: Sequence[Any]) -> int:
    """Return how often something was held where nothing was, or the other side."""
    held: dict[int, float] = {}
    count = 0
    for fill in fills:
        before = held.get(fill.instrument, 0.0)
        after = 0.0 if abs(before + fill.units) <= SAME * abs(fill.units) else before + fill.units
        count += fill.reason != "split" and after != 0.0 and before * after <= 0.0
        held[fill.instrument] = after
    return count


SAME = 1e-9
_RUNS = ("best", "stated", "worst")


class _Start:
    """Gives the run of one strategy before its first bar, and notes where any of its runs has divided.

    Attributes
    ----------
    divided : set of (int, int)
        Bars and instruments.
    """

    def __init__(self, account: Account, strategy: Any, inside: Bool2D | None, told: dict[str, Any]) -> None:
        self._account, self.strategy, self._inside, self._told = account, strategy, inside, told
        self.divided: set[tuple[int, int]] = set()

    def __call__(self) -> Way:
        return self._watched(self.bars() if isinstance(self.strategy, BarStrategy) else self.signals())

    def bars(self, *, is_resized: bool = False) -> StatefulWay:
        """Return the run of a strategy that is asked bar by bar."""
        from algotrendy.backtest.stateful.paths import stateful_way
        from algotrendy.backtest.stateful.sleeve import columns_of

        return stateful_way(self.strategy, self._account, columns_of(self._account), is_resized=is_resized)

    def signals(self) -> SignalsWay:
        """Return the run of a strategy that is asked at all bars at once."""
        return signals_way(self._account, self.strategy, self._inside, self._told)

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
    return _path_run(result, equity, [order for run in runs for order in run.orders])


def _path_run(result: Any, equity: Float1D, orders: Sequence[Any]) -> PathRun:
    """Return the run of an account, its orders in the order of filling."""
    figures = metrics_of_curve(
        equity,
        result.valuation_marks,
        cash=result.cash,
        periods_per_year=float(result.metrics["periods_per_year"]),
        risk_free_rate=float(result.assumptions.get("risk_free_rate") or 0.0),
    )
    return PathRun(equity, tuple(sorted(orders, key=lambda order: order.filled_at)), figures)
