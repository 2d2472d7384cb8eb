"""One account throughout for a stateful strategy: new parameters take over position, cash and open orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.portfolio.ledger import Ledger
from algotrendy.backtest.portfolio.market import account_of_one
from algotrendy.backtest.stateful.loop import Leaves, Turn, run_in_turn
from algotrendy.backtest.stateful.run import further_columns, one_result
from algotrendy.backtest.walk_forward.stateful import Asked, taken_bars
from algotrendy.domain.types import AnyArray, Float2D
from algotrendy.kernels.portfolio_types import EQUITY, Fills
from algotrendy.kernels.statistics_names import METRICS

if TYPE_CHECKING:
    from algotrendy.backtest.result import BacktestResult
    from algotrendy.backtest.setting import Setting
    from algotrendy.strategy import BarStrategy

__all__ = ["carried_result"]


def carried_result(
    decided: Sequence[Asked], ends: Sequence[int], setting: Setting, strategy: BarStrategy, assumptions: dict[str, Any]
) -> tuple[BacktestResult, list[Mapping[str, float]]]:
    """Return the one account of all windows, and the metrics of each.

    A strategy decides from the bar on whose decisions are filled in its window. Each is a fresh copy that has observed
    all bars before, and may read off the one before what that kept. Where nothing was chosen all is left.

    Parameters
    ----------
    decided : sequence of Asked
        What the windows chose; at least one, without bars between them.
    ends : sequence of int
        The bar before which each ends, where the next one takes over.
    setting : Setting
        All bars, conventions and costs.
    strategy : BarStrategy
        What is given the values that were chosen.
    assumptions : dict
        For the result.
    """
    first, end = decided[0].window.test_begin, ends[-1]
    early = setting.options.fill != "same_close"
    begins = [each.window.test_begin - early for each in decided]
    turns = [
        Turn(Leaves() if each.params is None else strategy.with_params(**each.params), begin, until)
        for each, begin, until in zip(decided, begins, [*begins[1:], end], strict=True)
    ]
    whole = taken_bars(setting, np.arange(end))
    done = run_in_turn(turns, account_of_one(whole), further_columns(whole.bars))
    taken = taken_bars(setting, np.arange(first, end))
    places = done.ledger.fills.places.copy()
    places[:, :2] -= first
    ruined_at = None if done.ledger.ruined_at is None else done.ledger.ruined_at - first
    curve = np.ascontiguousarray(done.ledger.curve[:, first:])
    ledger = Ledger(account_of_one(taken), Fills(places, done.ledger.fills.money), curve, ruined_at)
    spans = [(each.window.test_begin - first, until - first) for each, until in zip(decided, ends, strict=True)]
    measures = [_measures(ledger, taken, span) for span in spans]
    changes = {"assumptions": assumptions, "params": {}}
    found = one_result(ledger, taken, strategy, requests=done.requests, warnings=setting.warnings, **changes)
    return found, measures


class _Part(Ledger):
    """The fills of some bars of a ledger: what they closed is what they closed in the whole."""

    whole: Ledger
    rows: slice

    @classmethod
    def of(cls, whole: Ledger, part: Setting, span: tuple[int, int]) -> _Part:
        """Return the bars from the first to before the second of a span."""
        rows = slice(*np.searchsorted(whole.fills.places[:, 1], span).tolist())
        places = whole.fills.places[rows].copy()
        places[:, :2] -= span[0]
        ruined_at = None
        if whole.ruined_at is not None and whole.ruined_at < span[1]:
            ruined_at = max(whole.ruined_at - span[0], 0)
        curve = np.ascontiguousarray(whole.curve[:, span[0] : span[1]])
        made = cls(account_of_one(part), Fills(places, whole.fills.money[rows]), curve, ruined_at)
        object.__setattr__(made, "whole", whole)
        object.__setattr__(made, "rows", rows)
        return made

    @cached_property
    def money(self) -> Float2D:
        """As that of the whole."""
        return self.whole.money[self.rows]

    @cached_property
    def closed(self) -> dict[str, AnyArray]:
        """As that of the whole; what the position that is still open owes belongs to no part."""
        own = {name: values[self.rows] for name, values in self.whole.closed.items() if name != "owed"}
        return {**own, "owed": np.zeros(self.account.n_instruments)}


def _measures(whole: Ledger, taken: Setting, span: tuple[int, int]) -> Mapping[str, float]:
    """Return the metrics of one window: it begins with the equity before it."""
    cash = taken.options.cash if span[0] == 0 else float(whole.curve[EQUITY, span[0] - 1])
    if cash <= 0.0:  # ruined before: there is nothing to measure
        return dict.fromkeys(METRICS, np.nan)
    part = taken_bars(taken, np.arange(*span))
    part = replace(part, options=part.options.replaced(cash=cash))
    return _Part.of(whole, part, span).metrics()[0]
