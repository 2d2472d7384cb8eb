"""Walks of several strategies in one account: what a window chooses for all of them, and what they do with it.

A window keeps its choice alone. When all have chosen, each strategy trades in its sleeve of the account of the window,
or of the one account of all windows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.portfolio.plans import AnyPlan, Plan, StatefulPlan
from algotrendy.backtest.portfolio.several import by_name, refuse_signal_options
from algotrendy.backtest.portfolio.sleeves import put_together, restored_at, run_sleeves
from algotrendy.backtest.stateful.loop import Leaves, Turn
from algotrendy.backtest.sweep import optimize
from algotrendy.backtest.sweep.mix import ALLOCATION, StrategyMix
from algotrendy.backtest.walk_forward.ground import Ground, Part
from algotrendy.backtest.walk_forward.legs import Leg, closed
from algotrendy.backtest.walk_forward.panel_window import (
    Chosen,
    PanelDecided,
    carried_table,
    chosen_of,
    decided_on,
    own_table,
    said_on,
    seeded,
)
from algotrendy.backtest.walk_forward.windows import Window
from algotrendy.compute import Record
from algotrendy.domain.types import AnyArray, Int1D
from algotrendy.errors import InputError
from algotrendy.strategy import BarStrategy, Signals

if TYPE_CHECKING:
    from algotrendy.backtest.portfolio.sleeves import Several

__all__ = ["MixWorker"]

_BY_STRATEGY = ("max_positions", "rank")


@dataclass(frozen=True)
class MixWorker:
    """Computes windows: it travels to other processes and machines as it is.

    Attributes
    ----------
    strategy : StrategyMix
        The strategies with their values and shares.
    ground : Ground
        All bars, and the options of the account.
    grid : mapping of str to list or Span
        What is chosen from: `trend.fast`, `trend.allocation`.
    search : mapping
        `metric`, `method`, `where`, `constraints`, `n_trials`, `seed`, `patience`.
    told : mapping
        `rebalance`, `max_positions` and `rank` as they were given.
    carry : bool
        One account throughout.

    Raises
    ------
    InputError
        If a strategy is ready-made signals, or an option does not fit the strategies.
    """

    strategy: StrategyMix
    ground: Ground
    grid: Any
    search: Mapping[str, Any]
    told: Mapping[str, Any]
    carry: bool = False

    def __post_init__(self) -> None:
        mix = self.strategy
        for name, (strategy, _) in mix.parts.items():
            if isinstance(strategy, Signals):
                raise InputError(f"{name!r} is given as signals, which are of all bars; a walk needs what makes them")
            if isinstance(strategy, BarStrategy):
                refuse_signal_options(name, {option: self.told[option] for option in _BY_STRATEGY})
            else:
                self._grounds[name].places  # noqa: B018  # says what is wrong before anything is computed
        shares = [name for name in self.grid if mix.split(name)[1] == ALLOCATION]
        if self.carry and shares:
            raise InputError(
                f"carry=True keeps one account, and the grid varies {shares[0]!r}, for which cash would have to move"
                " from one window to the next; use carry=False, or leave the shares as they are"
            )
        restored_at(self.ground.whole, self.told["rebalance"])

    @classmethod
    def of(cls, mix: StrategyMix, panel: Any, options: Mapping[str, Any], searched: Any, *, carry: bool) -> MixWorker:
        """Return what walks over strategies, by the options of `backtest`."""
        own = dict(options)
        told = {name: own.pop(name, None) for name in ("rebalance", *_BY_STRATEGY)}
        grid, search = searched
        return cls(mix, Ground(panel, own), grid, search, told, carry)

    def read(self, record: Record, windows: Sequence[Window]) -> Chosen:
        """Return what a window left in a file."""
        return Chosen.of(record, windows, self.ground.whole.n_instruments)

    def __call__(self, window: Window) -> Chosen:
        """Return what a window chooses: sweep the training bars, and nothing but these."""
        bars, given = self.ground.training(window.train_begin, window.train_end)
        options: dict[str, Any] = {**given, **seeded(self.search, window), **self._by_strategy}
        call: Any = optimize
        sweep = call(
            dict(self.strategy.parts), bars, self.grid, rebalance=self.told["rebalance"], executor="threads", workers=1,
            progress=False, **options,
        )  # fmt: skip
        return chosen_of(sweep, window)

    @property
    def options_fingerprint(self) -> list[str]:
        """Hashes of the options, as each strategy reads them."""
        return [str(self.told["rebalance"]), *(each.options_fingerprint for each in self._grounds.values())]

    @cached_property
    def _grounds(self) -> dict[str, Ground]:
        """The ground of each strategy, with its own places and ranks."""
        found = {}
        for name, (strategy, _) in self.strategy.parts.items():
            options = dict(self.ground.options)
            if not isinstance(strategy, BarStrategy):
                options |= {key: by_name(key, self.told[key], name, self.strategy.parts) for key in _BY_STRATEGY}
            found[name] = Ground(self.ground.panel, options)
            vars(found[name])["whole"] = self.ground.whole
        return found

    @property
    def _by_strategy(self) -> dict[str, Any]:
        signals = [name for name, (one, _) in self.strategy.parts.items() if not isinstance(one, BarStrategy)]
        ranks = {name: self._grounds[name].rank for name in signals}
        return {
            "max_positions": {name: self._grounds[name].places for name in signals},
            "rank": {name: rank for name, rank in ranks.items() if rank is not None},
        }

    # --- what was chosen is traded ---

    def leg(self, chosen: Chosen, end: int | None = None) -> Leg:
        """Return the account of one window, each strategy in it flat before it and closed at its end; as `own_leg`."""
        window, fill = chosen.window, self.ground.whole.options.fill
        last = window.test_end - (2 if fill == "next_close" else 1) if end is None else end
        stage = self._stage(window.test_begin, window.test_end if end is None else end)
        plans: list[AnyPlan] = []
        parts = self._parts_of(chosen)
        for name, (strategy, share) in parts.items():
            if isinstance(strategy, BarStrategy):
                turn = Turn(strategy, window.test_begin - (fill != "same_close"), last)
                plans.append(StatefulPlan(name, strategy, share, (turn,)))
            else:
                said = decided_on(self._chosen(chosen, strategy), self._grounds[name], chosen)
                plans.append(self._plan(name, (strategy, share), own_table(said, stage.tested), stage))
        done = run_sleeves(stage.part.account, plans, stage.restored)
        legs = [closed(Leg(each, stage.part.columns, stage.first, window.test_begin)) for each in done.parts]
        return self._whole(done, [leg.ledger for leg in legs], plans, stage)

    def carried(self, decided: Sequence[Chosen], ends: Sequence[int]) -> Leg:
        """Return the one account of all windows: each strategy takes over what it held; as `carried_leg`."""
        fill, end = self.ground.whole.options.fill, ends[-1]
        stage = self._stage(decided[0].window.test_begin, end)
        plans: list[AnyPlan] = []
        begins = [each.window.test_begin - (fill != "same_close") for each in decided]
        parts = [self._parts_of(each) for each in decided]
        for name, (strategy, share) in self.strategy.parts.items():
            mine: list[Any] = [each[name][0] for each in parts]
            if isinstance(strategy, BarStrategy):
                turns = tuple(map(Turn, mine, begins, [*begins[1:], end]))
                plans.append(StatefulPlan(name, strategy, share, turns))
            else:
                ground = self._grounds[name]
                said = [decided_on(self._chosen(a, b), ground, a) for a, b in zip(decided, mine, strict=True)]
                plans.append(self._plan(name, (strategy, share), carried_table(said, ground, ends), stage))
        done = run_sleeves(stage.part.account, plans, stage.restored)
        return self._whole(done, done.parts, plans, stage)

    def _parts_of(self, chosen: Chosen) -> Mapping[str, tuple[Any, float]]:
        """Return the strategies with the values that were chosen; without a choice nothing is opened."""
        if chosen.params is not None:
            return self.strategy.with_params(**chosen.params).parts
        parts = self.strategy.parts
        return {
            name: (Leaves() if isinstance(one, BarStrategy) else one, share) for name, (one, share) in parts.items()
        }

    @staticmethod
    def _chosen(chosen: Chosen, strategy: Any) -> Any:
        return None if chosen.params is None else strategy

    def _stage(self, test_begin: int, end: int) -> _Stage:
        """Return what is traded on: with what is asked bar by bar from the first bar of all, which warms it up."""
        begin = test_begin - 1
        tested = self.ground.part(begin, end)
        origin = 0 if self.strategy.are_stateful else begin
        part = self.ground.part(origin, end) if origin < begin else tested
        restored = restored_at(tested.account, self.told["rebalance"]) + (begin - origin)
        return _Stage(part, tested, test_begin - origin, test_begin, restored)

    def _plan(self, name: str, one: tuple[Any, float], table: PanelDecided, stage: _Stage) -> AnyPlan:
        before = stage.first - 1
        if before:
            signals = _after(table.signals, before, fill=False)
            signals[:, :, np.setdiff1d(stage.part.columns, stage.tested.columns)] = False  # too few bars to be tested
            table = replace(
                table,
                signals=signals,
                levels=_after(table.levels, before, fill=np.nan),
                ranks=_after(table.ranks[np.newaxis], before, fill=0.0)[0],
            )
        decided, wishes = said_on(table, stage.part, self._grounds[name])
        return Plan(name, one[0], one[1], decided, wishes, self._grounds[name].places)

    def _whole(self, done: Several, ledgers: Sequence[Any], plans: Sequence[AnyPlan], stage: _Stage) -> Leg:
        account = put_together(stage.part.account, [plan.share for plan in plans], ledgers, done.reserve)
        return Leg(account, stage.part.columns, stage.first, stage.begin)


@dataclass(frozen=True, eq=False)
class _Stage:
    """Bars that are traded on: all that the account has, and those from the bar before the first that is tested.

    `first` is the first bar that is tested, counted in the account, `begin` the same in the whole, `restored` where
    shares are restored.
    """

    part: Part
    tested: Part
    first: int
    begin: int
    restored: Int1D


def _after(table: AnyArray, before: int, *, fill: float) -> AnyArray:
    """Return a table of shape (k, n_bars, n) with so many bars before it."""
    padding = np.full((table.shape[0], before, table.shape[2]), fill, dtype=table.dtype)
    return np.concatenate([padding, table], axis=1)
