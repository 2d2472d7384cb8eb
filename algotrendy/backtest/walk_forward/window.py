"""One window, wherever it is computed: what its training bars choose, and what that decides on its testing bars.

What comes of it are plain arrays, so that it can travel between processes and be kept in a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from algotrendy.backtest.arguments import AnyStrategy
from algotrendy.backtest.charted import read_on_chart
from algotrendy.backtest.run import check_size
from algotrendy.backtest.setting import prepare
from algotrendy.backtest.sweep import optimize
from algotrendy.backtest.walk_forward.stateful import Asked, ask
from algotrendy.backtest.walk_forward.windows import Window
from algotrendy.compute import Record
from algotrendy.kernels.statistics_names import METRICS
from algotrendy.strategy import BarStrategy, resolve
from algotrendy.strategy.parameter import LEVELS

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.strategy import PythonStrategy, RunInputs, Strategy

Float1D = npt.NDArray[np.float64]
Bool2D = npt.NDArray[np.bool_]

ENTRY, EXIT, SHORT_ENTRY, SHORT_EXIT = range(4)


@dataclass(frozen=True, eq=False)
class Decided:
    """What came of one window.

    Attributes
    ----------
    window : Window
        Its place.
    params : mapping of str to number, or None
        What was chosen on the training bars; None if no combination had the metric or met the constraints.
    in_sample : array of shape (n_metrics,)
        Metrics of that choice on the training bars, in the order of `METRICS`; NaN without one.
    n_tried : int
        How many combinations were tried.
    signals : bool array of shape (4, n)
        Entry, exit, short entry, short exit at the bars from the one before the testing window to its last.
    levels : array of shape (4, n)
        Stop, target, trail and size at the same bars.
    size_kind : int
        0: the size is a fraction, 1: units.
    """

    window: Window
    params: Mapping[str, Any] | None
    in_sample: Float1D
    n_tried: int
    signals: Bool2D
    levels: npt.NDArray[np.float64]
    size_kind: int

    def record(self) -> Record:
        """Return it as it is kept in a file."""
        params = None if self.params is None else dict(self.params)
        meta = {"window": self.window.number, "params": params, "n_tried": self.n_tried, "size_kind": self.size_kind}
        return Record(meta, self.in_sample.tobytes() + self.levels.tobytes() + self.signals.tobytes())

    @classmethod
    def of(cls, record: Record, windows: list[Window]) -> Decided:
        """Return what `record` was made of."""
        meta, data = record
        window = windows[meta["window"]]
        n = window.test_end - window.test_begin + 1
        numbers = np.frombuffer(data, count=len(METRICS) + 4 * n)
        return cls(
            window=window,
            params=meta["params"],
            in_sample=numbers[: len(METRICS)],
            n_tried=meta["n_tried"],
            signals=np.frombuffer(data, dtype=bool, offset=numbers.nbytes).reshape(4, n),
            levels=numbers[len(METRICS) :].reshape(4, n),
            size_kind=meta["size_kind"],
        )


@dataclass(frozen=True)
class Worker:
    """Computes windows: it travels to other processes and machines as it is.

    Attributes
    ----------
    strategy : Strategy or PythonStrategy
        With its values.
    bars : DataFrame
        All bars, and checked.
    grid : mapping of str to list or Span
        What is chosen from.
    search : mapping
        `metric`, `method`, `where`, `constraints`, `n_trials`, `seed`, `patience`.
    options : mapping
        Keywords of `backtest`, interval and periods per year among them, so that no window infers its own.
    carry : bool
        One account throughout: a stateful strategy is then asked when all windows have chosen.
    """

    strategy: AnyStrategy
    bars: pd.DataFrame
    grid: Any
    search: Mapping[str, Any]
    options: Mapping[str, Any]
    carry: bool = False

    def read(self, record: Record, windows: list[Window]) -> Decided | Asked:
        """Return what a window left in a file."""
        return (Asked if isinstance(self.strategy, BarStrategy) else Decided).of(record, windows)

    def __call__(self, window: Window) -> Decided | Asked:
        """Return what a window chose and decides."""
        params, in_sample, n_tried = self._trained(window)
        if isinstance(self.strategy, BarStrategy):
            chosen = None if params is None or self.carry else self.strategy.with_params(**params)
            return ask(chosen, window, self.bars, self.options, (params, in_sample, n_tried))
        begin, n = window.test_begin - 1, window.test_end - window.test_begin + 1
        signals, levels, kind = np.zeros((4, n), dtype=bool), np.full((4, n), np.nan), 0
        if params is None:  # whatever position there is, is closed
            signals[[EXIT, SHORT_EXIT]] = True
            levels[LEVELS.index("size")] = 1.0
        else:
            inputs = self._inputs(self.strategy.with_params(**params), window)
            signals = signal_bits(inputs.words, window.test_end)[:, begin:]
            for k, name in enumerate(LEVELS):
                given = getattr(inputs, name)
                levels[k] = given[begin:] if given.size > 1 else given[0]
            kind = inputs.size_kind
        return Decided(window, params, in_sample, n_tried, np.ascontiguousarray(signals), levels, kind)

    def _trained(self, window: Window) -> tuple[dict[str, Any] | None, Float1D, int]:
        """Sweep the training bars, and nothing but these."""
        search = dict(self.search)
        if search.get("seed") is not None:  # each window has luck of its own, the same wherever it is computed
            search["seed"] = int(np.random.SeedSequence([search["seed"], window.number]).generate_state(1)[0])
        bars = self.bars.iloc[window.train_begin : window.train_end]
        sweep = optimize(
            self.strategy, bars, self.grid, executor="threads", workers=1, progress=False, **search, **self.options
        )
        if not sweep.complete:
            raise KeyboardInterrupt
        row = sweep.best_row
        if row is None:
            return None, np.full(len(METRICS), np.nan), len(sweep)
        metrics = np.array([float(sweep.table[name].to_numpy()[row]) for name in METRICS])
        return sweep.params_of(row), metrics, len(sweep)

    def _inputs(self, strategy: Strategy | PythonStrategy, window: Window) -> RunInputs:
        """Read the strategy on all bars up to the end of the testing window: the ones before are its warm-up."""
        setting = prepare(self.bars.iloc[: window.test_end], **self.options)
        check_size(strategy, setting.options.max_leverage)
        if setting.chart is not None:
            return read_on_chart(strategy, setting.chart, window.test_end)
        return resolve(strategy, setting.bars, setting.arrays, None, setting.context)


def without_entries(decided: Decided, last: int) -> Decided:
    """Return the same without entries at the bars from `last`, counted from the first of the signals."""
    signals = decided.signals.copy()
    signals[[ENTRY, SHORT_ENTRY], last:] = False
    return replace(decided, signals=signals)


def signal_bits(words: npt.NDArray[np.uint64], n_bars: int) -> Bool2D:
    """Return the bits of words as bool, one row per condition."""
    octets = np.ascontiguousarray(words).astype("<u8").view(np.uint8)
    return np.unpackbits(octets, axis=1, bitorder="little", count=n_bars).astype(bool)
