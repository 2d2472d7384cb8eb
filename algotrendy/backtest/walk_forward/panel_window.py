"""One window of a walk over several instruments: what its training bars choose, and what that decides.

What comes of it are plain arrays in the columns of the whole panel, so that it can travel and be kept in a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.arguments import AnyStrategy
from algotrendy.backtest.portfolio.cross_sections import instruments_of, with_peers
from algotrendy.backtest.portfolio.ledger import Ledger
from algotrendy.backtest.portfolio.signals import Decided, decided_by, rank_of, run_signals, wishes_of
from algotrendy.backtest.run import check_size
from algotrendy.backtest.sweep import SweepResult, optimize
from algotrendy.backtest.walk_forward.ground import Ground, Part
from algotrendy.backtest.walk_forward.legs import Leg, closed
from algotrendy.backtest.walk_forward.window import ENTRY, EXIT, SHORT_ENTRY, SHORT_EXIT, signal_bits
from algotrendy.backtest.walk_forward.windows import Window
from algotrendy.compute import Record
from algotrendy.domain.types import AnyArray, Float1D, Float2D
from algotrendy.errors import InputError
from algotrendy.kernels.portfolio_types import Levels
from algotrendy.kernels.statistics_names import METRICS
from algotrendy.strategy import BarStrategy, PythonStrategy, Strategy
from algotrendy.strategy.parameter import LEVELS

if TYPE_CHECKING:
    from algotrendy.kernels.portfolio_signals import Wishes

__all__ = [
    "Chosen",
    "PanelDecided",
    "PanelWorker",
    "carried_leg",
    "carried_table",
    "chosen_of",
    "decided_on",
    "own_leg",
    "own_table",
    "said_on",
    "seeded",
]


@dataclass(frozen=True, eq=False)
class Chosen:
    """What a window chose on its training bars.

    Attributes
    ----------
    window : Window
        Its place.
    params : mapping of str to number, or None
        None if no combination had the metric or met the constraints.
    in_sample : array of shape (n_metrics,)
        Metrics of that choice on the training bars; NaN without one.
    n_tried : int
        How many combinations were tried.
    """

    window: Window
    params: Mapping[str, Any] | None
    in_sample: Float1D
    n_tried: int

    def record(self) -> Record:
        """Return it as it is kept in a file."""
        return Record(self.meta, self.in_sample.tobytes())

    @property
    def meta(self) -> dict[str, Any]:
        """What is no array."""
        params = None if self.params is None else dict(self.params)
        return {"window": self.window.number, "params": params, "n_tried": self.n_tried}

    @classmethod
    def of(cls, record: Record, windows: Sequence[Window], n_instruments: int) -> Chosen:
        """Return what `record` was made of."""
        meta = record.meta
        in_sample = np.frombuffer(record.data, count=len(METRICS))
        return Chosen(windows[meta["window"]], meta["params"], in_sample, meta["n_tried"])


@dataclass(frozen=True, eq=False)
class PanelDecided(Chosen):
    """What came of one window: the choice, and what it says from the bar before the testing window to its last.

    Attributes
    ----------
    signals : bool array of shape (4, n_bars, n_instruments)
        Entry, exit, short entry, short exit.
    levels : array of shape (4, n_bars, n_instruments)
        Stop, target, trail and size.
    ranks : array of shape (n_bars, n_instruments)
        Who comes first where places are few.
    size_kind : int
        0: the size is a fraction, 1: units.
    """

    signals: AnyArray
    levels: Float2D
    ranks: Float2D
    size_kind: int

    def record(self) -> Record:
        """Return it as it is kept in a file."""
        arrays = (self.in_sample, self.levels, self.ranks, self.signals)
        return Record({**self.meta, "size_kind": self.size_kind}, b"".join(array.tobytes() for array in arrays))

    @classmethod
    def of(cls, record: Record, windows: Sequence[Window], n_instruments: int) -> PanelDecided:
        """Return what `record` was made of."""
        chosen, data = Chosen.of(record, windows, n_instruments), record.data
        shape = (chosen.window.test_end - chosen.window.test_begin + 1, n_instruments)
        cells, n_metrics = shape[0] * shape[1], len(METRICS)
        numbers = np.frombuffer(data, count=n_metrics + 5 * cells)
        return cls(
            **vars(chosen),
            signals=np.frombuffer(data, dtype=bool, offset=numbers.nbytes).reshape(4, *shape),
            levels=numbers[n_metrics : n_metrics + 4 * cells].reshape(4, *shape),
            ranks=numbers[n_metrics + 4 * cells :].reshape(shape),
            size_kind=record.meta["size_kind"],
        )


@dataclass(frozen=True)
class PanelWorker:
    """Computes windows: it travels to other processes and machines as it is.

    Attributes
    ----------
    strategy : Strategy, PythonStrategy or BarStrategy
        With its values.
    ground : Ground
        All bars and options.
    grid : mapping of str to list or Span
        What is chosen from.
    search : mapping
        `metric`, `method`, `where`, `constraints`, `n_trials`, `seed`, `patience`.
    """

    strategy: AnyStrategy
    ground: Ground
    grid: Any
    search: Mapping[str, Any]

    def read(self, record: Record, windows: Sequence[Window]) -> Chosen:
        """Return what a window left in a file."""
        kind = Chosen if isinstance(self.strategy, BarStrategy) else PanelDecided
        return kind.of(record, windows, self.ground.whole.n_instruments)

    def __call__(self, window: Window) -> Chosen:
        """Return what a window chose and, where that can be said at once, what it decides."""
        chosen = self._trained(window)
        if isinstance(self.strategy, BarStrategy):
            return chosen
        strategy = None if chosen.params is None else self.strategy.with_params(**chosen.params)
        return decided_on(strategy, self.ground, chosen)

    def _trained(self, window: Window) -> Chosen:
        """Sweep the training bars, and nothing but these."""
        stateful = isinstance(self.strategy, BarStrategy)
        found = self.ground.training(window.train_begin, window.train_end, stateful=stateful)
        bars: Any = found[0]
        options = {**seeded(self.search, window), **found[1]}
        sweep = optimize(self.strategy, bars, self.grid, executor="threads", workers=1, progress=False, **options)
        return chosen_of(sweep, window)


def seeded(search: Mapping[str, Any], window: Window) -> dict[str, Any]:
    """Return a search with luck of the window's own, the same wherever it is computed."""
    found = dict(search)
    if found.get("seed") is not None:
        found["seed"] = int(np.random.SeedSequence([found["seed"], window.number]).generate_state(1)[0])
    return found


def chosen_of(sweep: SweepResult, window: Window) -> Chosen:
    """Return what a sweep of the training bars chose.

    Raises
    ------
    KeyboardInterrupt
        If it was stopped.
    """
    if not sweep.complete:
        raise KeyboardInterrupt
    row = sweep.best_row
    if row is None:
        return Chosen(window, None, np.full(len(METRICS), np.nan), len(sweep))
    metrics = np.array([float(sweep.table[name].to_numpy()[row]) for name in METRICS])
    return Chosen(window, sweep.params_of(row), metrics, len(sweep))


def decided_on(strategy: Strategy | PythonStrategy | None, ground: Ground, chosen: Chosen) -> PanelDecided:
    """Read a strategy on all bars up to the end of a testing window; None leaves whatever is held.

    The bars before are its warm-up, and it sees none behind.
    """
    window = chosen.window
    begin, shape = window.test_begin - 1, (window.test_end - window.test_begin + 1, ground.whole.n_instruments)
    signals, levels, ranks = np.zeros((4, *shape), dtype=bool), np.full((4, *shape), np.nan), np.zeros(shape)
    if strategy is None:
        signals[[EXIT, SHORT_EXIT]] = True
        levels[LEVELS.index("size")] = 1.0
        return PanelDecided(**vars(chosen), signals=signals, levels=levels, ranks=ranks, size_kind=0)
    part = ground.part(0, window.test_end)
    check_size(strategy, part.account.options.max_leverage)
    columns = strategy.columns if isinstance(strategy, Strategy) else ()
    account = with_peers(part.account, instruments_of(part.account, part.members, columns))
    said = decided_by(account, strategy, ground.places)
    n = account.n_bars
    for side in range(len(said.words)):
        signals[side][:, part.columns] = signal_bits(said.words[side], n)[:, begin:].T
    for k, name in enumerate(LEVELS):
        table = getattr(said.levels, name)
        levels[k][:, part.columns] = table[begin:] if len(table) == n else table
    if ground.rank is not None:
        ranks[:] = np.nan
        ranks[:, part.columns] = rank_of(account, ground.rank, dict(strategy.parameters))[begin:]
    return PanelDecided(**vars(chosen), signals=signals, levels=levels, ranks=ranks, size_kind=said.size_kind)


def own_leg(decided: PanelDecided, ground: Ground, end: int | None = None) -> Leg:
    """Return the account of one window: flat before its first testing bar, closed at the close of its last.

    Parameters
    ----------
    decided : PanelDecided
        What the window decides.
    ground : Ground
        All bars, conventions and costs.
    end : int, optional
        Close before this bar, where the next window takes over; the end of the testing window by default.
    """
    end = decided.window.test_end if end is None else end
    part = ground.part(decided.window.test_begin - 1, end)
    ledger = _run(own_table(decided, part), part, ground)
    return closed(Leg(ledger, part.columns, 1, decided.window.test_begin))


def own_table(decided: PanelDecided, part: Part) -> PanelDecided:
    """Return what a window says on the bars of its own account: it begins flat, and opens nothing where it ends."""
    n = part.account.n_bars
    signals = decided.signals[:, :n].copy()
    fill = part.account.options.fill
    if fill == "same_close":  # what is said at the bar before would be filled there
        signals[:, 0] = False
    early = {"same_close": 1, "next_close": 2}.get(fill, 0)
    for rows, j in zip(part.account.rows, part.columns.tolist(), strict=True):
        if early:  # nothing is opened at the close at which everything is closed
            last = rows[-early] if len(rows) >= early else 0
            signals[np.ix_([ENTRY, SHORT_ENTRY], range(last, n), [j])] = False
    return replace(decided, signals=signals, levels=decided.levels[:, :n], ranks=decided.ranks[:n])


def carried_leg(decisions: Sequence[PanelDecided], ground: Ground, ends: Sequence[int]) -> Leg:
    """Return the one account of all windows: each takes over the positions that the one before it left."""
    first = decisions[0].window.test_begin
    part = ground.part(first - 1, ends[-1])
    return Leg(_run(carried_table(decisions, ground, ends), part, ground), part.columns, 1, first)


def carried_table(decisions: Sequence[PanelDecided], ground: Ground, ends: Sequence[int]) -> PanelDecided:
    """Return what all windows say, one after the other, from the bar before the first to the end of the last."""
    first, end = decisions[0].window.test_begin, ends[-1]
    begin, n, early = first - 1, end - first + 1, ground.whole.options.fill != "same_close"
    shape = (n, ground.whole.n_instruments)
    signals, levels, ranks = np.zeros((4, *shape), dtype=bool), np.full((4, *shape), np.nan), np.zeros(shape)
    for decided, to_bar in zip(decisions, ends, strict=True):
        # What is filled inside the span was decided from here to there; the last decision of all stays pending.
        here, there = decided.window.test_begin - early, to_bar - early if to_bar < end else end
        own = slice(here - (decided.window.test_begin - 1), there - (decided.window.test_begin - 1))
        signals[:, here - begin : there - begin] = decided.signals[:, own]
        levels[:, here - begin : there - begin] = decided.levels[:, own]
        ranks[here - begin : there - begin] = decided.ranks[own]
    kinds = {each.size_kind for each in decisions if each.params is not None} or {0}
    if len(kinds) > 1:
        raise InputError("the strategy gives its size as units in one window and as a fraction in another; give one")
    return replace(decisions[0], signals=signals, levels=levels, ranks=ranks, size_kind=kinds.pop())


def _run(table: PanelDecided, part: Part, ground: Ground) -> Ledger:
    """Run what is said on the bars of a part."""
    return run_signals(part.account, *said_on(table, part, ground), ground.places)


def said_on(table: PanelDecided, part: Part, ground: Ground) -> tuple[Decided, Wishes]:
    """Return what is said as kernels take it."""
    columns = part.columns
    words = _words(table.signals[:, :, columns])
    levels = Levels(*(np.ascontiguousarray(level[:, columns]) for level in table.levels))
    ranks = np.ascontiguousarray(table.ranks[:, columns]) if ground.rank is not None else np.zeros((1, 1))
    return Decided(words, levels, table.size_kind), wishes_of(part.account, words, ranks, part.members)


def _words(signals: AnyArray) -> AnyArray:
    """Return signals of shape (4, n_bars, n_instruments) as words of 64 bars, shape (4, n_instruments, n_words)."""
    sides, n, columns = signals.shape
    octets = np.zeros((sides, columns, 8 * -(-n // 64)), np.uint8)
    packed = np.packbits(signals.transpose(0, 2, 1), axis=2, bitorder="little")
    octets[:, :, : packed.shape[2]] = packed
    return octets.view("<u8").astype(np.uint64, copy=False)
