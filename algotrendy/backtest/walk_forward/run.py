"""`walk_forward`: one strategy, re-optimised again and again, traded on bars that no choice had seen."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from algotrendy.backtest.arguments import AnyStrategy, are_several, are_strategies, as_strategy
from algotrendy.backtest.fingerprint import (
    bars_fingerprint,
    fingerprint,
    mix_fingerprint,
    options_fingerprint,
    source_of,
    strategy_fingerprint,
)
from algotrendy.backtest.portfolio.market import as_panel
from algotrendy.backtest.setting import prepare
from algotrendy.backtest.sweep.grid import Where
from algotrendy.backtest.sweep.methods import as_method, as_metric
from algotrendy.backtest.sweep.mix import StrategyMix
from algotrendy.backtest.sweep.python import COSTS
from algotrendy.backtest.sweep.search import make_search
from algotrendy.backtest.sweep.space import Given, Space, Span, make_space
from algotrendy.backtest.walk_forward.ground import Ground
from algotrendy.backtest.walk_forward.mix_window import MixWorker
from algotrendy.backtest.walk_forward.panel_window import Chosen, PanelWorker
from algotrendy.backtest.walk_forward.result import WalkForwardResult
from algotrendy.backtest.walk_forward.stateful import Asked
from algotrendy.backtest.walk_forward.stitched import panel_result_of, result_of
from algotrendy.backtest.walk_forward.window import Decided, Worker
from algotrendy.backtest.walk_forward.windows import Window, cut_windows
from algotrendy.compute import Cancel, Executor, Journal, map_work, progress_for
from algotrendy.compute.progress import Show
from algotrendy.errors import InputError
from algotrendy.strategy import BarStrategy, CompiledStrategy, PythonStrategy, Strategy

if TYPE_CHECKING:
    from algotrendy.strategy import StrategyTemplate

__all__ = ["walk_forward"]


@dataclass(frozen=True)
class _Where:
    """Where the windows are computed, and what is told and kept meanwhile."""

    executor: Executor
    progress: Show
    cancel: Cancel | None


def walk_forward(
    strategy: Strategy | StrategyTemplate | PythonStrategy | BarStrategy | Callable[..., Any] | Mapping[str, Any],
    bars: Any,
    grid: Given = None,
    *,
    training: int = 252,
    testing: int = 21,
    step: int | None = None,
    anchored: bool = False,
    gap: int = 0,
    carry: bool = False,
    metric: str = "sharpe_ratio",
    method: str = "grid",
    where: Where = None,
    constraints: str | None = None,
    n_trials: int | None = None,
    seed: int | None = None,
    patience: int | None = None,
    params: Mapping[str, Any] | None = None,
    checkpoint: str | Path | None = None,
    executor: Executor | str | None = None,
    workers: int | None = None,
    progress: Show = None,
    cancel: Cancel | None = None,
    **options: Any,
) -> WalkForwardResult:
    """Choose parameters on a window of bars, trade them on the bars after it, move on; join what was traded.

    The training of a window sees its own bars and nothing else. Its testing reads the strategy on all bars up to the
    end of the testing window, so that indicators are warm, and trades only there. What carries over, to the bar, stands
    on the page about walk-forward.

    Parameters
    ----------
    strategy : Strategy, StrategyTemplate, PythonStrategy, BarStrategy, callable or mapping
        What is optimised. What is asked bar by bar begins each testing window as a fresh copy: its indicators and
        `observe` have seen the bars before. Or several strategies in one account, `{"trend": (strategy, 0.6), ...}`,
        as in `backtest`, with parameters such as `trend.fast` and `trend.allocation`.
    bars : DataFrame, mapping or Panel
        Bars of one instrument, or of several: then each window is one account, as in `backtest`, and windows are
        counted in the stamps at which any of them has a bar.
    grid : mapping, sequence of str, optional
        What is chosen from, as `optimize` takes it; costs cannot be chosen.
    training, testing : int
        Bars of each training and testing window: 252 and 21 trading days are a year and a month.
    step : int, optional
        Bars from one testing window to the next; `testing` by default. Where testing windows overlap, a later one takes
        over as soon as it begins.
    anchored : bool
        Whether each training window begins at the first bar, and so grows.
    gap : int
        Bars between training and testing that neither sees.
    carry : bool
        False: each testing window begins flat, with the initial cash, and is closed at its last close, at cost; the
        returns are joined. True: one account throughout; new parameters take over the position as it is, of a stateful
        strategy also its open orders, and what `BarStrategy.take_over` reads off the one before. So too of several
        instruments: what is held stays, and its places are taken.
    metric : str
        What the best of a training window is chosen by.
    method, where, constraints, n_trials, seed, patience
        As in `optimize`, for each training window. With a seed each window has luck of its own.
    params : mapping, optional
        Values of parameters that are not varied.
    checkpoint : str or Path, optional
        A file that keeps the finished windows: the same call goes on where a killed one was.
    executor : Executor, or {"threads", "processes", "ray"}, optional
        Where windows are computed; by default text strategies on threads and Python functions on processes.
    workers : int, optional
        So many windows at a time; None: one per core. The numbers do not depend on it.
    progress : bool or callable, optional
        Show a progress bar; None: if the standard error stream is a terminal. A function is told an `Estimate`.
    cancel : Cancel, optional
        Stops the walk from another thread, as Ctrl-C does.
    **options
        As in `backtest`: `cash`, `commission`, `slippage`, `borrow`, `fill`, `units`, ...; of several instruments also
        `max_positions`, `rank`, `members`, `delisting_return`, `actions`, `margin`, `financing`, `participation`, ...

    Returns
    -------
    WalkForwardResult
        The windows, the joined out-of-sample equity with its metrics, and how stable the parameters were. Ctrl-C
        returns the finished windows, up to the first that is not, with `complete=False`.

    Raises
    ------
    InputError
        If not one window fits, an argument is not allowed, or anything that `optimize` refuses.

    References
    ----------
    Pardo, R. (2008). The Evaluation and Optimization of Trading Strategies, 2nd ed. Wiley. Chapter 11.

    Examples
    --------
    >>> import algotrendy as at
    >>> from algotrendy.backtest.walk_forward import walk_forward
    >>> bars, grid = at.synthetic(n=600, seed=1), {"fast": [3, 5, 10], "slow": [20, 40]}
    >>> walk = walk_forward(at.strategies.sma_cross(), bars, grid, training=200, testing=50, commission=0.0005)
    >>> len(walk.windows), len(walk.equity), walk.complete
    (8, 400, True)
    """
    chosen = _chosen(strategy, params)
    metric, method = as_metric(metric), as_method(method)
    search = {
        "metric": metric, "method": method, "where": where, "constraints": constraints,
        "n_trials": n_trials, "seed": seed, "patience": patience,
    }  # fmt: skip
    make_search(method, (metric,), constraints, n_trials=n_trials, seed=seed, patience=patience)
    if method != "grid" and seed is None:
        raise InputError(f"method={method!r} needs a seed here, so that a walk can be repeated; give seed=1")
    space = make_space(grid, chosen, spans=method != "grid")
    _refuse_costs(space)
    _refuse_rows(options.get("chart"))
    way = {"training": training, "testing": testing, "step": step, "anchored": anchored, "gap": gap}
    axes = {name: axis if isinstance(axis, Span) else list(axis) for name, axis in space.items()}
    is_of_one = not (isinstance(chosen, StrategyMix) or are_several(bars))
    task = (_task_of_one if is_of_one else _task_of_several)(chosen, bars, (axes, search), options, carry=carry)
    windows = cut_windows(task.n_bars, **way)  # type: ignore[arg-type]  # each has its own type
    _refuse_holes(windows, carry=carry)
    place = Executor.of(executor, workers=workers, usual=task.usual)  # type: ignore[arg-type]  # one of both
    parts = {**_parts(task.worker, windows, space), **task.parts}
    journal = None if checkpoint is None else Journal(checkpoint, parts, "walk-forward")
    decided = _decided(task.worker, windows, journal, _Where(place, progress, cancel))
    return task.result(decided, windows)


@dataclass(frozen=True)
class _Task:
    """What a walk is made of, over one instrument or several.

    Attributes
    ----------
    worker : Worker, PanelWorker or MixWorker
        Computes windows.
    n_bars : int
        How many bars there are.
    usual : str
        Where windows are usually computed.
    parts : dict
        What bars and options come to, for a file of the walk.
    result : callable
        Makes the result of the windows that are done.
    """

    worker: Worker | PanelWorker | MixWorker
    n_bars: int
    usual: str
    parts: dict[str, str]
    result: Callable[[list[Any], list[Window]], WalkForwardResult]


def _task_of_one(chosen: Any, bars: Any, searched: tuple[Any, Any], options: Any, *, carry: bool) -> _Task:
    setting = prepare(bars, **options)
    fixed = {"interval": setting.assumptions["interval"], "periods_per_year": setting.options.periods_per_year}
    worker = Worker(chosen, bars, *searched, {**options, **fixed}, carry=carry)
    is_compiled = isinstance(chosen, CompiledStrategy) or (isinstance(chosen, Strategy) and setting.chart is None)
    parts = {"bars": bars_fingerprint(bars), "options": options_fingerprint(setting.assumptions)}

    def result(decided: list[Any], windows: list[Window]) -> WalkForwardResult:
        return result_of(decided, windows, worker, setting, carry=carry)

    return _Task(worker, len(bars), "threads" if is_compiled else "processes", parts, result)


def _task_of_several(chosen: Any, bars: Any, searched: tuple[Any, Any], options: Any, *, carry: bool) -> _Task:
    worker: PanelWorker | MixWorker
    if isinstance(chosen, StrategyMix):
        worker = MixWorker.of(chosen, as_panel(bars), options, searched, carry=carry)
        ground, usual = worker.ground, "processes" if chosen.are_stateful else "threads"
        told = fingerprint(worker.options_fingerprint)
    else:
        ground = Ground(as_panel(bars), options)
        worker, told = PanelWorker(chosen, ground, *searched), ground.options_fingerprint
        usual = "threads" if isinstance(chosen, Strategy) else "processes"
    parts = {"bars": ground.bars_fingerprint, "options": told}

    def result(decided: list[Any], windows: list[Window]) -> WalkForwardResult:
        return panel_result_of(decided, windows, worker, carry=carry)

    return _Task(worker, len(ground.panel), usual, parts, result)


def _decided(
    worker: Worker | PanelWorker | MixWorker, windows: list[Window], journal: Journal | None, where: _Where
) -> list[Decided | Asked | Chosen]:
    """Compute the windows that the file does not know, and return those that are done, up to the first that is not."""
    found: dict[int, Decided | Asked | Chosen] = {}
    if journal is not None:
        found = {each.window.number: each for each in (worker.read(record, windows) for record in journal.records)}
    left = [window for window in windows if window.number not in found]

    def keep(_: int, decided: Decided | Asked | Chosen) -> None:
        found[decided.window.number] = decided
        if journal is not None:
            journal.append(decided.record())

    try:
        with progress_for("walk-forward", len(windows), show=where.progress) as bar:
            bar.advance(len(found))
            map_work(worker, left, where=where.executor, progress=bar, cancel=where.cancel, on_result=keep)
    finally:
        if journal is not None:
            journal.close()
    done: list[Decided | Asked | Chosen] = []
    while len(done) in found:
        done.append(found[len(done)])
    return done


def _parts(worker: Worker | PanelWorker | MixWorker, windows: Sequence[Window], space: Space) -> dict[str, str]:
    """Return what a file of this walk has to agree with, besides bars and options."""
    search = dict(worker.search)
    if callable(search["where"]):
        search["where"] = source_of(search["where"])
    if isinstance(worker, Worker) and worker.carry and isinstance(worker.strategy, BarStrategy):
        search["carry"] = True  # then windows hold what was chosen alone
    return {
        "strategy": _strategy_fingerprint(worker.strategy),
        "grid": fingerprint({name: str(axis) for name, axis in space.items()}),
        "windows": fingerprint([[w.train_begin, w.train_end, w.test_begin, w.test_end] for w in windows]),
        "search": fingerprint(search),
    }


def _chosen(strategy: Any, params: Mapping[str, Any] | None) -> AnyStrategy | StrategyMix:
    """Return what walks, with all its values: one strategy, or several in one account."""
    return StrategyMix.of(strategy, params) if are_strategies(strategy) else as_strategy(strategy, params)


def _strategy_fingerprint(strategy: AnyStrategy | StrategyMix) -> str:
    return mix_fingerprint(strategy.parts) if isinstance(strategy, StrategyMix) else strategy_fingerprint(strategy)


def _refuse_costs(space: Space) -> None:
    for name in COSTS:
        if name in space:
            raise InputError(
                f"the grid varies {name!r}: a cost is not chosen; give it as {name}=..., one walk for each"
            )


def _refuse_rows(chart: Any) -> None:
    if isinstance(chart, pd.DataFrame):
        raise InputError(
            "chart is a frame of ready-made rows, which cannot be cut into windows without looking ahead; give a style "
            "that is made of the bars, such as charts.Chart('renko', size=1.0)"
        )


def _refuse_holes(windows: Sequence[Window], *, carry: bool) -> None:
    if carry and any(after.test_begin > before.test_end for before, after in itertools.pairwise(windows)):
        raise InputError(
            "carry=True needs testing windows without bars between them; make step at most testing, or use carry=False"
        )
