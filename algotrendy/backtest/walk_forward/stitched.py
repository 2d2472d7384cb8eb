"""From what the windows decided to the result: accounts, the table of windows, and the joined backtest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from algotrendy.backtest.engine_metrics import order_columns, trade_columns
from algotrendy.backtest.result import BacktestResult
from algotrendy.backtest.walk_forward.account import Account, carried, joined, measured, part, traded
from algotrendy.backtest.walk_forward.result import WalkForwardResult
from algotrendy.backtest.walk_forward.stateful import Asked, joined_result, window_metrics
from algotrendy.backtest.walk_forward.stateful_carried import carried_result
from algotrendy.backtest.walk_forward.window import Decided, Worker
from algotrendy.backtest.walk_forward.windows import Window
from algotrendy.kernels.statistics_names import METRICS
from algotrendy.strategy import BarStrategy

if TYPE_CHECKING:
    from algotrendy.backtest.portfolio.result import PortfolioResult
    from algotrendy.backtest.setting import Setting
    from algotrendy.backtest.walk_forward.mix_window import MixWorker
    from algotrendy.backtest.walk_forward.panel_window import Chosen, PanelWorker

SHOWN = ("total_return", "annual_return", "max_drawdown", "n_trades")
"""Out-of-sample metrics of each window that stand in the table besides the one that was asked for."""


def result_of(
    decided: Sequence[Decided | Asked], windows: Sequence[Window], worker: Worker, setting: Setting, *, carry: bool
) -> WalkForwardResult:
    """Return the result of the windows that are done."""
    assumptions = {**setting.assumptions, "carry": carry}
    found, measures = _joined(decided, worker, setting, assumptions)
    return _walk(decided, windows, worker, found, Measured(worker.bars.index, measures))


class Measured(NamedTuple):
    """The stamps of all bars, and the metrics of each window."""

    index: Any
    metrics: list[Mapping[str, float]]


def panel_result_of(
    decided: Sequence[Chosen], windows: Sequence[Window], worker: PanelWorker | MixWorker, *, carry: bool
) -> WalkForwardResult:
    """Return the result of the windows of several instruments, or strategies, that are done."""
    from algotrendy.backtest.walk_forward.mix_window import MixWorker
    from algotrendy.backtest.walk_forward.panel_legs import joined_mix, joined_panel

    if isinstance(worker, MixWorker):
        found, measures = joined_mix(decided, ends_of(decided), worker)
    else:
        found, measures = joined_panel(decided, ends_of(decided), worker, carry=carry)
    return _walk(decided, windows, worker, found, Measured(worker.ground.panel.index, measures))


def _walk(
    decided: Sequence[Decided | Asked | Chosen],
    windows: Sequence[Window],
    worker: Worker | PanelWorker | MixWorker,
    joined_account: BacktestResult | PortfolioResult | None,
    measured_windows: Measured,
) -> WalkForwardResult:
    names, metric = _names(decided, worker), worker.search["metric"]
    return WalkForwardResult(
        windows=_table(decided, measured_windows, metric, names),
        out_of_sample=joined_account,
        parameters=names,
        metric=metric,
        in_sample=np.array([each.in_sample for each in decided]).reshape(len(decided), len(METRICS)),
        bars_unused=len(measured_windows.index) - windows[-1].test_end,
        n_windows=len(windows),
        complete=len(decided) == len(windows),
    )


def _joined(
    decided: Sequence[Decided | Asked], worker: Worker, setting: Setting, assumptions: dict[str, Any]
) -> tuple[BacktestResult | None, list[Mapping[str, float]]]:
    """Return the joined account, and the metrics of each window."""
    if isinstance(worker.strategy, BarStrategy):
        asked = [each for each in decided if isinstance(each, Asked)]
        if assumptions["carry"] and asked:
            return carried_result(asked, ends_of(asked), setting, worker.strategy, assumptions)
        measures = [window_metrics(each, setting) for each in asked]
        if not asked:
            return None, measures
        return joined_result(asked, ends_of(asked), setting, worker.strategy, assumptions), measures
    said = [each for each in decided if isinstance(each, Decided)]
    whole, parts = _accounts(said, setting, carry=bool(assumptions["carry"]))
    found = None if whole is None else _backtest(whole, worker, setting, assumptions)
    return found, [_measures(account, setting) for account in parts]


def ends_of(decided: Sequence[Decided | Asked | Chosen]) -> list[int]:
    """Return the bar before which each window ends, where the next one takes over."""
    ends = [each.window.test_end for each in decided]
    begins = [each.window.test_begin for each in decided[1:]]
    return [min(end, begin) for end, begin in zip(ends, [*begins, *ends[-1:]], strict=True)]


def _names(decided: Sequence[Decided | Asked | Chosen], worker: Worker | PanelWorker | MixWorker) -> tuple[str, ...]:
    chosen = next((each.params for each in decided if each.params is not None), None)
    given = chosen if chosen is not None else worker.grid
    return tuple(given)


def _accounts(decided: Sequence[Decided], setting: Setting, *, carry: bool) -> tuple[Account | None, list[Account]]:
    """Return the joined account, and one for each window."""
    if not decided:
        return None, []
    begins = [each.window.test_begin for each in decided]
    ends = ends_of(decided)
    if carry:
        whole = carried(decided, setting, ends)
        return whole, [part(whole, a - begins[0], b - begins[0]) for a, b in zip(begins, ends, strict=True)]
    parts = [traded(each, setting) for each in decided]
    cut = [
        account if end == each.window.test_end else traded(each, setting, end=end)
        for each, account, end in zip(decided, parts, ends, strict=True)
    ]
    return joined(cut, setting.options.cash), parts


def _measures(account: Account, setting: Setting) -> Mapping[str, float]:
    if account.cash <= 0.0:  # ruined before: there is nothing to measure
        return dict.fromkeys(METRICS, np.nan)
    return measured(account, setting)[0]


def _table(
    decided: Sequence[Decided | Asked | Chosen], measured_windows: Measured, metric: str, names: Sequence[str]
) -> pd.DataFrame:
    index, measures = measured_windows
    at = METRICS.index(metric)
    columns: dict[str, Any] = {
        "train_start": index[[each.window.train_begin for each in decided]],
        "train_end": index[[each.window.train_end - 1 for each in decided]],
        "test_start": index[[each.window.test_begin for each in decided]],
        "test_end": index[[each.window.test_end - 1 for each in decided]],
        "n_tried": [each.n_tried for each in decided],
    }
    columns |= {name: _values(decided, name) for name in names}
    columns["in_sample"] = [float(each.in_sample[at]) for each in decided]
    columns["out_of_sample"] = [float(each[metric]) for each in measures]
    columns |= {name: [each[name] for each in measures] for name in SHOWN}
    return pd.DataFrame(columns, index=pd.RangeIndex(len(decided), name="window"))


def _values(decided: Sequence[Decided | Asked | Chosen], name: str) -> list[Any]:
    """Return what each window chose; NaN where it chose nothing."""
    return [np.nan if each.params is None else each.params[name] for each in decided]


def _backtest(account: Account, worker: Worker, setting: Setting, assumptions: dict[str, Any]) -> BacktestResult:
    """Return the joined account in the form of a backtest on the tested bars."""
    metrics, drawdown_at, marks = measured(account, setting)
    bars = worker.bars.iloc[account.positions]
    moments: list[Any] = [pd.NaT if at is None else bars.index[max(at, 0)] for at in drawdown_at]
    orders, n_bars = account.orders, len(bars)
    return BacktestResult(
        bars=bars,
        equity_values=account.equity,
        order_columns=order_columns(orders),
        trade_columns=trade_columns(orders),
        metrics={
            **metrics,
            **dict(zip(("max_drawdown_start", "max_drawdown_valley", "max_drawdown_end"), moments, strict=True)),
            "start": bars.index[0],
            "end": bars.index[-1],
            "n_bars": n_bars,
            "periods_per_year": setting.options.periods_per_year,
        },
        strategy=worker.strategy.to_dict(),
        params={},
        assumptions=assumptions,
        pending=account.pending,
        ruined_at=None if account.ruined_at is None else bars.index[account.ruined_at],
        warnings=setting.warnings,
        marks=marks,
    )
