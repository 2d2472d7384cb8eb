"""Sweeps of several strategies in one account.

Where no shares are restored, what a strategy does hangs on its own values, its share and the costs: it is run once for
each of these, and accounts are put together of the runs. Where they are restored, what a strategy says is found once
for its own values, and the account of each combination is run as a single backtest would be.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias

import numpy as np

from algotrendy.backtest.portfolio.cross_sections import instruments_of, with_peers
from algotrendy.backtest.portfolio.ledger import Ledger
from algotrendy.backtest.portfolio.market import Account
from algotrendy.backtest.portfolio.members import members_of
from algotrendy.backtest.portfolio.plans import AnyPlan, Plan, StatefulPlan
from algotrendy.backtest.portfolio.several import by_name, refuse_signal_options
from algotrendy.backtest.portfolio.signals import decided_by, places_of, rank_of, wishes_of
from algotrendy.backtest.portfolio.sleeves import put_together, restored_at, run_alone, run_sleeves, with_cash
from algotrendy.backtest.portfolio.sweep import Accounts, DecidedSets
from algotrendy.backtest.sweep.grid import Grid
from algotrendy.backtest.sweep.kept import Kept
from algotrendy.backtest.sweep.mix import ALLOCATION, StrategyMix
from algotrendy.backtest.sweep.python import COSTS, split_costs
from algotrendy.backtest.sweep.series import grid_codes
from algotrendy.domain.types import Bool2D, Float2D, Int1D
from algotrendy.kernels.statistics_names import METRICS
from algotrendy.strategy import BarStrategy, Signals, Strategy

__all__ = ["SleeveSweep"]

_SIDE, _LEAST_SIDE = {1: 256, 2: 16, 3: 6}, 3
"""Sets of each strategy in a chunk, by how many strategies there are: two have the combinations of 16 by 16."""

_BYTES_PER_FILL = 160

_Costs: TypeAlias = tuple[tuple[str, Any], ...]
_Run: TypeAlias = tuple[str, int, float, _Costs]
"""What decides what a strategy does: its name, the number of its values, its share, and the costs."""


class SleeveSweep:
    """Runs chunks of combinations of several strategies in one account.

    Parameters
    ----------
    mix : StrategyMix
        The strategies and their shares.
    grid : Grid
        The combinations: parameters and shares by names such as `trend.fast`, and costs.
    bars : Panel, mapping or DataFrame
        The instruments.
    options : mapping
        Those of `backtest`, with `rebalance`, `max_positions`, `rank` and `members`.
    kept : Kept, optional
        What strategies said and did in a sweep of other combinations of the same.
    """

    def __init__(
        self, mix: StrategyMix, grid: Grid, bars: Any, options: Mapping[str, Any], *, kept: Kept | None = None
    ) -> None:
        own = dict(options)
        rebalance, members = own.pop("rebalance", None), own.pop("members", None)
        told = {name: own.pop(name, None) for name in ("max_positions", "rank")}
        self._grid, self._accounts = grid, Accounts(bars, own)
        account = self._accounts.plain
        self._at, inside = restored_at(account, rebalance), members_of(account, members)
        columns = [name for one, _ in mix.parts.values() if isinstance(one, Strategy) for name in one.columns]
        peers = with_peers(account, instruments_of(account, inside, dict.fromkeys(columns)))
        self._sleeves = [_Sleeve(name, mix, grid, _Stage(account, peers, inside, told)) for name in mix.parts]
        self._kept = Kept() if kept is None else kept

    def chunks(self) -> list[Int1D]:
        """Cut the combinations into chunks that have few sets of each strategy, and many combinations of these."""
        grid, side = self._grid, _SIDE.get(len(self._sleeves), _LEAST_SIDE)
        costs = grid_codes(grid, [name for name in grid.names if name in COSTS])
        blocks = [_dense(grid_codes(grid, sleeve.varied)) // side for sleeve in self._sleeves]
        chunk = np.unique(np.column_stack([costs, *blocks]), axis=0, return_inverse=True)[1].reshape(-1)
        order = np.argsort(chunk, kind="stable")
        return np.split(order, np.flatnonzero(np.diff(chunk[order])) + 1)

    def run(self, places: Int1D) -> Float2D:
        """Return the metrics of combinations, one row each."""
        costs = [tuple(split_costs(self._grid.combination(place))[0].items()) for place in places.tolist()]
        accounts = {paid: self._account(paid) for paid in dict.fromkeys(costs)}
        wanted: list[list[_Run]] = [
            [(sleeve.name, *sleeve.at(place), paid) for sleeve in self._sleeves]
            for place, paid in zip(places.tolist(), costs, strict=True)
        ]
        metrics = self._restored(wanted, accounts) if len(self._at) else self._apart(wanted, accounts)
        return np.array([[each[name] for name in METRICS] for each in metrics], dtype=np.float64)

    def _account(self, paid: _Costs) -> Account:
        account = self._accounts.of(dict(paid))
        if account.extras is not None:
            account.market  # noqa: B018  # laid out once for all sleeves
        return account

    def _restored(
        self, wanted: Sequence[Sequence[_Run]], accounts: Mapping[_Costs, Account]
    ) -> Iterable[Mapping[str, float]]:
        """Yield the metrics of accounts in which shares are restored."""
        said = {
            sleeve.name: self._said(sleeve, {each[k][1] for each in wanted}) for k, sleeve in enumerate(self._sleeves)
        }
        for each in wanted:
            plans = [replace(said[name][number], share=share) for name, number, share, _ in each]
            yield run_sleeves(accounts[each[0][3]], plans, self._at).total.metrics()[0]

    def _apart(
        self, wanted: Sequence[Sequence[_Run]], accounts: Mapping[_Costs, Account]
    ) -> Iterable[Mapping[str, float]]:
        """Yield the metrics of accounts in which each strategy is by itself."""
        ran: dict[_Run, Ledger] = {}
        for k, sleeve in enumerate(self._sleeves):
            ran |= self._ran(sleeve, dict.fromkeys(each[k] for each in wanted), accounts)
        for each in wanted:
            shares = [share for _, _, share, _ in each]
            yield put_together(accounts[each[0][3]], shares, [ran[one] for one in each]).metrics()[0]

    def _ran(self, sleeve: _Sleeve, wanted: Collection[_Run], accounts: Mapping[_Costs, Account]) -> dict[_Run, Ledger]:
        """Return what one strategy did; what was run before is not run again."""
        found = {one: ledger for one in wanted if (ledger := self._kept.get(_key(sleeve, *one[1:]))) is not None}
        missing = [one for one in wanted if one not in found]
        said = self._said(sleeve, {number for _, number, _, _ in missing})
        for one in missing:
            _, number, share, paid = one
            account = accounts[paid]
            done = run_alone(with_cash(account, share * account.options.cash, share), said[number])
            ledger = Ledger(**{each.name: getattr(done, each.name) for each in fields(Ledger)})  # without its orders
            found[one] = ledger
            self._kept.put(_key(sleeve, number, share, paid), ledger, _bytes_of(ledger))
        return found

    def _said(self, sleeve: _Sleeve, numbers: Collection[int]) -> dict[int, AnyPlan]:
        """Return what one strategy says, for some sets of its values."""
        found = {n: plan for n in numbers if (plan := self._kept.get(_key(sleeve, n))) is not None}
        for number, plan in sleeve.says(sorted(set(numbers) - set(found))):
            found[number] = plan
            self._kept.put(_key(sleeve, number), plan, _bytes_of(plan))
        return found


@dataclass(frozen=True, eq=False)
class _Stage:
    """What strategies are asked on: the account, its instruments knowing each other, and options by strategy."""

    account: Account
    peers: Account
    members: Bool2D | None
    told: Mapping[str, Any]


class _Sleeve:
    """One strategy of a sweep, and the different sets of its values."""

    def __init__(self, name: str, mix: StrategyMix, grid: Grid, stage: _Stage) -> None:
        self.name, self._stage = name, stage
        self._strategy, self._share = mix.parts[name]
        self.varied = [key for key in grid.names if key not in COSTS and mix.split(key)[0] == name]
        own = [key for key in self.varied if mix.split(key)[1] != ALLOCATION]
        self._shares = grid.column(f"{name}.{ALLOCATION}") if len(own) < len(self.varied) else None
        first, self._numbers = np.unique(grid_codes(grid, own), return_index=True, return_inverse=True)[1:]
        columns = [grid.names.index(key) for key in own]
        values = tuple(grid.values[column] for column in columns)
        self._sets = Grid(
            tuple(mix.split(key)[1] for key in own), values, np.ascontiguousarray(grid.index[first][:, columns])
        )
        told, n = stage.told, stage.account.n_instruments
        if isinstance(self._strategy, BarStrategy):
            refuse_signal_options(name, told)
            return
        self._rank = by_name("rank", told["rank"], name, mix.parts)
        self._places = places_of(by_name("max_positions", told["max_positions"], name, mix.parts), n)
        self._many = None
        if own and isinstance(self._strategy, Strategy):
            self._many = DecidedSets(
                self._strategy, self._sets, stage.account, self._places, rank=self._rank, members=stage.members
            )

    def at(self, place: int) -> tuple[int, float]:
        """Return the number of its values, and its share, in a combination."""
        share = self._share if self._shares is None else float(self._shares[place])
        return int(self._numbers[place]), share

    def says(self, numbers: Sequence[int]) -> Iterable[tuple[int, AnyPlan]]:
        """Yield what it says for some sets of its values, with their numbers."""
        if isinstance(self._strategy, BarStrategy):
            yield from (
                (n, StatefulPlan(self.name, self._strategy.with_params(**self.values(n)), 0.0)) for n in numbers
            )
            return
        if self._many is not None:
            for first in range(0, len(numbers), self._many.size):
                some = np.array(numbers[first : first + self._many.size], dtype=np.int64)
                for row, decided, wishes in self._many.each(some):
                    yield int(some[row]), Plan(self.name, self._strategy, 0.0, decided, wishes, self._places)
            return
        for number in numbers:
            yield number, self._plan(number)

    def _plan(self, number: int) -> Plan:
        values, peers = self.values(number), self._stage.peers
        strategy: Any = self._strategy.with_params(**values) if values else self._strategy  # type: ignore[union-attr]
        params = {} if isinstance(strategy, Signals) else dict(strategy.parameters)
        decided = decided_by(peers, strategy, self._places)
        wishes = wishes_of(peers, decided.words, rank_of(peers, self._rank, params), self._stage.members)
        return Plan(self.name, strategy, 0.0, decided, wishes, self._places)

    def values(self, number: int) -> dict[str, Any]:
        """Return a set of its values."""
        return dict(self._sets.combination(number))


def _key(sleeve: _Sleeve, number: int, *more: Hashable) -> Hashable:
    """Return what something of a strategy is kept under: its values tell, not their number in this grid."""
    return (sleeve.name, *sleeve.values(number).items(), *more)


def _bytes_of(value: Ledger | AnyPlan) -> int:
    """Return about how much memory something takes."""
    if isinstance(value, Ledger):
        unfilled = 0 if value.unfilled is None else value.unfilled.nbytes
        return int(value.curve.nbytes + unfilled + _BYTES_PER_FILL * len(value.fills.places))
    if isinstance(value, StatefulPlan):
        return 0
    arrays = [value.decided.words, *value.decided.levels, *value.wishes]
    return int(sum(array.nbytes for array in arrays))


def _dense(codes: Int1D) -> Int1D:
    """Return the same as numbers without gaps, in their order."""
    return np.unique(codes, return_inverse=True)[1].reshape(-1).astype(np.int64)
