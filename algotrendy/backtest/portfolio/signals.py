"""One strategy on many instruments: signals per instrument, entries that compete for places by rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from algotrendy.backtest.arguments import Runnable
from algotrendy.backtest.portfolio.cross_sections import names_of
from algotrendy.backtest.portfolio.ledger import Ledger, full_ledger
from algotrendy.backtest.portfolio.market import Account, Own, instruments_in_words
from algotrendy.domain.types import Bool2D, Float1D, Float2D
from algotrendy.errors import InputError
from algotrendy.kernels.portfolio_types import Fills, Levels, empty_fills
from algotrendy.strategy import Signals, Strategy
from algotrendy.strategy.inputs import RunInputs, level_values, resolve
from algotrendy.strategy.parameter import LEVELS, is_number
from algotrendy.strategy.signals import SIDES

if TYPE_CHECKING:
    from algotrendy.expressions import Catalogue, Expression
    from algotrendy.kernels.portfolio_signals import Wishes

__all__ = [
    "Decided",
    "decided_by",
    "level_table",
    "on_union",
    "places_of",
    "rank_of",
    "run_signals",
    "sums_in_order",
    "wishes_of",
]

_PLAIN_BARS_MAX = 100_000
"""As in the engine of one instrument: up to here sums are taken in order where only signals move a long account."""
_FIRST_FILLS = 4096


@dataclass(frozen=True, eq=False)
class Decided:
    """What a strategy says on all instruments.

    Attributes
    ----------
    words : uint64 array of shape (4, n_instruments, n_words), or (2, ...) without short sides
        Conditions as bits by bar of the union: bit i % 64 of word i // 64 is bar i.
    levels : Levels
        Stop, target, trail and size, by bar of the union and instrument.
    size_kind : int
        0 for fractions, 1 for units.
    """

    words: NDArray[np.uint64]
    levels: Levels
    size_kind: int

    @property
    def only_signals_move(self) -> bool:
        """Whether there is no stop, target or trail and no short signal."""
        for level in self.levels[:3]:
            if level.size > 1 or level[0, 0] > 0.0:
                return False
        return len(self.words) == 2 or not self.words[2].any()


def places_of(max_positions: Any, n_instruments: int) -> int:
    """Return how many positions there may be at once.

    Raises
    ------
    InputError
        If it is not a whole number above zero.
    """
    if max_positions is None:
        return n_instruments
    if isinstance(max_positions, bool) or not isinstance(max_positions, int | np.integer) or max_positions < 1:
        raise InputError(f"max_positions is {max_positions!r}; use a whole number of at least 1, or None for no limit")
    return min(int(max_positions), n_instruments)


def decided_by(account: Account, strategy: Runnable, places: int) -> Decided:
    """Evaluate a strategy on each instrument's own bars.

    Raises
    ------
    InputError
        If signals do not fit the bars, or are arrays for several instruments.
    """
    if isinstance(strategy, Signals) and account.n_instruments > 1:
        inputs = [
            resolve(_own_signals(strategy, account, j), setting.bars, setting.arrays, None, setting.context)
            for j, setting in enumerate(account.settings)
        ]
    else:
        inputs = [_resolved(strategy, each) for each in account.settings]
    is_default = strategy.size is None and not any(each.size.size > 1 for each in inputs)
    levels = {name: level_table(account, [getattr(each, name) for each in inputs]) for name in LEVELS}
    if is_default and all(each.size[0] == 1.0 for each in inputs):
        levels["size"] = np.array([[1.0 / places]])
    return Decided(on_union(account, [each.words for each in inputs]), Levels(**levels), inputs[0].size_kind)


def _resolved(strategy: Runnable, own: Own) -> RunInputs:
    bars: Any = None if isinstance(strategy, Strategy) else own.bars  # a text asks for arrays alone
    return resolve(strategy, bars, own.arrays, None, own.context)


def _own_signals(signals: Signals, account: Account, j: int) -> Signals:
    """Return the signals of one instrument from frames with one column per symbol, on its own bars."""
    import pandas as pd

    symbol, index = account.panel.symbols[j], account.settings[j].bars.index
    own: dict[str, Any] = {"columns": signals.columns}
    for name in (*SIDES, *LEVELS):
        value = getattr(signals, name)
        if not isinstance(value, pd.DataFrame):
            if value is not None and np.ndim(value) > 0:
                raise InputError(f"{name} is one array for {account.n_instruments} instruments; give a frame by symbol")
            own[name] = value
            continue
        if symbol not in value.columns:
            raise InputError(f"{name} has no column {symbol!r}; give one for each symbol")
        own[name] = value[symbol].reindex(index)
    return Signals(**own)


def level_table(account: Account, columns: Sequence[Float1D]) -> Float2D:
    """Return a level by bar of the union and instrument; an axis has the length 1 where all are the same."""
    if all(column.size == 1 for column in columns):
        row = np.array([[column[0] for column in columns]])
        return row[:, :1] if (row == row[0, 0]).all() or np.isnan(row).all() else row
    table = np.full((account.n_bars, account.n_instruments), np.nan)
    for j, (rows, column) in enumerate(zip(account.rows, columns, strict=True)):
        table[rows, j] = column
    return table


def rank_of(account: Account, rank: Any, params: dict[str, Any]) -> Float2D:
    """Return the rank by bar of the union and instrument: of an expression, or of a frame; (1, 1) for none.

    Raises
    ------
    InputError
        If it is neither.
    """
    import pandas as pd

    if rank is None:
        return np.zeros((1, 1))
    table = np.full((account.n_bars, account.n_instruments), np.nan)
    if isinstance(rank, str):
        expression = _rank_expression(rank, params, names_of(account))
        for j, (rows, setting) in enumerate(zip(account.rows, account.settings, strict=True)):
            numbers = {name: value for name, value in params.items() if is_number(value)}
            table[rows, j] = level_values(expression, setting.arrays, numbers, setting.context)
    elif isinstance(rank, pd.DataFrame):
        given = rank.reindex(index=account.panel.index, columns=list(account.panel.symbols))
        table[:] = given.to_numpy(dtype=np.float64)
    else:
        raise InputError(
            f'rank is a {type(rank).__name__}; use an expression such as "momentum(close, 60)", or a frame by time and'
            " symbol"
        )
    return table if table.size > 1 else np.vstack([table, table])


def _rank_expression(text: str, params: dict[str, Any], names: Catalogue) -> Expression:
    from algotrendy.expressions import BARS
    from algotrendy.strategy.texts import parse_text

    numbers = [name for name, value in params.items() if is_number(value)]
    return parse_text(
        "rank", text, "number", numbers, [name for name in names if name not in BARS and name not in numbers]
    )


def on_union(account: Account, words: Sequence[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """Return the conditions of instruments on their own bars as conditions on the bars of the union."""
    from algotrendy.kernels.portfolio_bits import place_bits

    placed = np.zeros((4, account.n_instruments, -(-account.n_bars // 64)), np.uint64)
    for j, (rows, own) in enumerate(zip(account.rows, words, strict=True)):
        if len(rows) == account.n_bars:
            placed[:, j] = own
        else:
            for side in range(4):
                place_bits(own[side], rows, placed[side, j])
    return placed


def wishes_of(account: Account, words: NDArray[np.uint64], rank: Float2D, members: Bool2D | None) -> Wishes:
    """Turn conditions with 64 bars to a word into conditions with 64 instruments to a word."""
    from algotrendy.kernels.portfolio_bits import turn_bits
    from algotrendy.kernels.portfolio_signals import Wishes

    turned = np.zeros((4, account.n_bars, -(-account.n_instruments // 64)), np.uint64)
    square = np.zeros(64, np.uint64)
    for side in range(len(words)):
        if words[side].any():
            turn_bits(words[side], turned[side], square)
    wishes = Wishes(turned, account.valid_words, rank)
    if members is not None:
        inside = instruments_in_words(members)
        for side in (0, 2):
            turned[side] &= inside
            turned[side + 1] |= ~inside
    return wishes


def run_signals(account: Account, decided: Decided, wishes: Wishes, places: int) -> Ledger:
    """Run what is decided in one account with so many places."""
    if account.extras is not None:
        return _run_full(account, decided, wishes, places)
    from algotrendy.kernels.portfolio_signals import walk_signals
    from algotrendy.kernels.portfolio_sleeves import new_sleeve

    curve = np.empty((3, account.n_bars))
    capacity = _FIRST_FILLS + 8 * account.n_instruments
    while True:
        fills = empty_fills(capacity)
        venue = account.venue(fills, account.columns, size_kind=decided.size_kind, max_positions=places)
        sleeve = new_sleeve(account.n_instruments, account.n_bars, account.options.cash)
        n_fills, ruined_at = walk_signals(wishes, decided.levels, venue, curve, sleeve)
        if n_fills >= 0:
            break
        capacity *= 4
    done = Fills(fills.places[:n_fills].copy(), fills.money[:n_fills].copy())
    return Ledger(account, done, curve, None if ruined_at < 0 else int(ruined_at), sums_in_order(account, decided))


def sums_in_order(account: Account, decided: Decided) -> bool:
    """Return whether sums of returns are taken in order, as for one instrument that only signals move."""
    return account.options.max_leverage <= 1.0 and account.n_bars <= _PLAIN_BARS_MAX and decided.only_signals_move


def _run_full(account: Account, decided: Decided, wishes: Wishes, places: int) -> Ledger:
    """Run what is decided in an account with extras."""
    from algotrendy.kernels.portfolio_signals_full import ROOM_PER_BAR, walk_signals_full
    from algotrendy.kernels.portfolio_sleeves_full import new_full_sleeve

    def walk(fills: Fills, curve: Float2D, unfilled: Float2D) -> tuple[int, int]:
        venue = account.venue(fills, account.market, size_kind=decided.size_kind, max_positions=places)
        sleeve = new_full_sleeve(account.n_instruments, account.n_bars, account.options.cash)
        found: tuple[int, int] = walk_signals_full(
            wishes, decided.levels, venue, account.kernel_extras, (curve, unfilled, sleeve)
        )
        return found

    return full_ledger(account, walk, _FIRST_FILLS + ROOM_PER_BAR * account.n_instruments)
