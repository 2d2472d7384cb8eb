"""How candidates are tried on several instruments with one account: on the search bars, and on the bars after them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.curves import buy_and_hold, returns_between
from algotrendy.backtest.discovery.judge import Family, Tested, sharpe_by_part
from algotrendy.backtest.portfolio.sweep import PanelSweep
from algotrendy.backtest.run import backtest, check_size
from algotrendy.backtest.walk_forward.legs import joined
from algotrendy.backtest.walk_forward.panel_window import Chosen, decided_on, own_leg
from algotrendy.backtest.walk_forward.windows import Window
from algotrendy.domain.types import Float1D, Float2D
from algotrendy.errors import InputError
from algotrendy.kernels.portfolio_types import EQUITY
from algotrendy.kernels.statistics_names import METRICS

if TYPE_CHECKING:
    from algotrendy.backtest.engine import Options
    from algotrendy.backtest.walk_forward.ground import Ground
    from algotrendy.domain.panel import Panel
    from algotrendy.strategy import Strategy

__all__ = ["PanelJudge", "held_equally", "tested_together"]


@dataclass(frozen=True, eq=False)
class PanelJudge:
    """Tries families on the search bars of several instruments; the twin of `SearchJudge`.

    Attributes
    ----------
    panel : Panel
        The search bars, and nothing but these.
    given : mapping
        Keywords of `backtest`, interval among them.
    options : Options
        Conventions of the account.
    parts : int
        In how many pieces the search bars are cut for the merit.
    """

    panel: Panel
    given: Mapping[str, Any]
    options: Options
    parts: int

    @cached_property
    def bars(self) -> dict[Any, Any]:
        """The search bars of each instrument, for a proposer."""
        from algotrendy.backtest.portfolio.again import frames_of

        return {getattr(name, "symbol", name): frame for name, frame in frames_of(self.panel).items()}

    def __call__(self, family: Family) -> Float2D:
        """Return one row for each member: its metrics, then its Sharpe ratio by part; NaN if it cannot be run."""
        try:
            for values in family.combinations:
                check_size(family.strategy.with_params(**values), self.options.max_leverage)
            metrics, returns = self._run(family)
        except InputError:
            return np.full((len(family.places), len(METRICS) + self.parts), np.nan)
        return np.hstack([metrics, sharpe_by_part(returns, self.options, self.parts)])

    def returns(self, family: Family) -> Float2D:
        """Return the returns of each member between valuation marks, shape (n_marks, n_members)."""
        return self._run(family)[1]

    def _run(self, family: Family) -> tuple[Float2D, Float2D]:
        if not family.combinations[0]:
            run: Any = backtest
            result = run(family.strategy, self.panel, **self.given)
            row = np.array([[result.metrics[name] for name in METRICS]], dtype=np.float64)
            return row, np.array([result.returns.to_numpy()], dtype=np.float64).T
        sweep = PanelSweep(family.strategy, family.grid, self.panel, self.given)
        metrics = np.empty((len(family.places), len(METRICS)))
        columns: list[Any] = [None] * len(family.places)
        for piece in sweep.chunks():
            for k, ledger in sweep.ledgers(piece):
                own = ledger.metrics()[0]
                place = int(piece[k])
                metrics[place] = [own[name] for name in METRICS]
                marks = ledger.account.options.marks
                equity = ledger.curve[EQUITY] if marks is None else ledger.curve[EQUITY][marks]
                columns[place] = returns_between(equity, self.options.cash)
        return metrics, np.array(columns, dtype=np.float64).T


def tested_together(strategy: Strategy, ground: Ground, begin: int) -> Tested:
    """Return what came of a strategy from a bar on: indicators are warm, the account begins flat and ends flat."""
    window = Window(0, 0, begin, begin, len(ground.panel))
    chosen = Chosen(window, {}, np.full(len(METRICS), np.nan), 1)
    ledger = joined([own_leg(decided_on(strategy, ground, chosen), ground)], ground)
    marks, equity, index = ledger.account.options.marks, ledger.curve[EQUITY], ledger.account.panel.index
    if marks is not None:
        equity, index = equity[marks], index[marks]
    return Tested(ledger.metrics()[0], returns_between(equity, ground.whole.options.cash), index)


def held_equally(ground: Ground, begin: int) -> Float1D:
    """Return what holding equal parts of all instruments from a bar on returns between the same valuation marks.

    Each part buys at its instrument's first bar that the fill convention allows, at its costs; before, it is cash.
    Prices are as signals see them: dividends are in them.
    """
    account, n = ground.whole, len(ground.panel)
    cash, equity = account.options.cash, np.zeros(n - begin)
    for own, rows in zip(account.settings, account.rows, strict=True):
        later = rows >= begin
        value = np.full(n - begin, cash)
        if later.any():
            costs = {"cash": cash, "fill": own.options.fill, "slippage": own.options.slippage}
            bought = buy_and_hold(own.bars[later], {**costs, "commission": own.options.fees})
            latest = np.searchsorted(rows[later], np.arange(begin, n), side="right") - 1
            value = np.where(latest >= 0, bought[np.maximum(latest, 0)], cash)
        equity += value / len(account.rows)
    marks = account.options.marks
    if marks is None:
        return returns_between(equity, cash)
    return returns_between(equity[np.union1d(marks[marks >= begin] - begin, [n - begin - 1])], cash)
