"""One strategy on many instruments: signals per instrument, entries that compete for places by rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from algotrendy.backtest.arguments import Runnable
from algotrendy.backtest.portfolio.ledger import Ledger
from algotrendy.backtest.portfolio.market import Account
from algotrendy.domain.types import Bool2D, Float1D, Float2D
from algotrendy.errors import InputError
from algotrendy.kernels.portfolio_types import Fills, Levels, empty_fills
from algotrendy.strategy import Signals
from algotrendy.strategy.inputs import RunInputs, level_values, resolve
from algotrendy.strategy.parameter import LEVELS, is_number

if TYPE_CHECKING:
    from algotrendy.expressions import Expression
    from algotrendy.kernels.portfolio_signals import Wishes

__all__ = ["Decided", "decided_by", "places_of", "rank_of", "run_signals", "wishes_of"]

_PLAIN_BARS_MAX = 100_000
"""As in the engine of one instrument: up to here sums are taken in order where only signals move a long account."""
_FIRST_FILLS = 4096


@dataclass(frozen=True, eq=False)
class Decided:
    """What a strategy says on all instruments.

    Attributes
    ----------
    words : list of uint64 array of shape (4, n_words)
        Conditions of each instrument on its own bars.
    levels : Levels
        Stop, target, trail and size, by bar of the union and instrument.
    size_kind : int
        0 for fractions, 1 for units.
    """

    words: Sequence[NDArray[np.uint64]]
    levels: Levels
    size_kind: int

    @property
    def only_signals_move(self) -> bool:
        """Whether there is no stop, target or trail and no short signal."""
        for level in self.levels[:3]:
            if level.size > 1 or level[0, 0] > 0.0:
                return False
        return not any(words[2].any() for words in self.words)


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
        inputs = [resolve(strategy, each.bars, each.arrays, None, each.context) for each in account.settings]
    is_default = strategy.size is None and not any(each.size.size > 1 for each in inputs)
    levels = {name: _level(account, inputs, name) for name in LEVELS}
    if is_default and all(each.size[0] == 1.0 for each in inputs):
        levels["size"] = np.array([[1.0 / places]])
    return Decided([each.words for each in inputs], Levels(**levels), inputs[0].size_kind)


def _own_signals(signals: Signals, account: Account, j: int) -> Signals:
    """Return the signals of one instrument from frames with one column per symbol, on its own bars."""
    import pandas as pd

    symbol, index = account.panel.symbols[j], account.settings[j].bars.index
    own: dict[str, Any] = {}
    for name, value in vars(signals).items():
        if not isinstance(value, pd.DataFrame):
            if value is not None and np.ndim(value) > 0:
                raise InputError(
                    f"{name} is one array for {account.n_instruments} instruments; give a frame with one column per symbol"
                )
            own[name] = value
            continue
        if symbol not in value.columns:
            raise InputError(
                f"{name} has no column {symbol!r}; give one for each of the {account.n_instruments} symbols"
            )
        own[name] = value[symbol].reindex(index)
    return Signals(**own)


def _level(account: Account, inputs: Sequence[RunInputs], name: str) -> Float2D:
    """Return a level by bar of the union and instrument; an axis has the length 1 where all are the same."""
    columns: list[Float1D] = [getattr(each, name) for each in inputs]
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
        expression = _rank_expression(rank, params)
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


def _rank_expression(text: str, params: dict[str, Any]) -> Expression:
    from algotrendy.strategy.texts import parse_text

    return parse_text("rank", text, "number", [name for name, value in params.items() if is_number(value)])


def wishes_of(account: Account, words: Sequence[NDArray[np.uint64]], rank: Float2D, members: Bool2D | None) -> Wishes:
    """Turn the conditions of instruments on their own bars into those of bars on all instruments."""
    from algotrendy.kernels.portfolio_bits import place_bits, turn_bits
    from algotrendy.kernels.portfolio_signals import Wishes

    n_bars, n = account.n_bars, account.n_instruments
    n_words, n_own = -(-n // 64), -(-n_bars // 64)
    square, own = np.zeros(64, np.uint64), np.zeros((n, n_own), np.uint64)
    turned = np.zeros((4, n_bars, n_words), np.uint64)
    for side in range(4):
        some = False
        for j, (rows, each) in enumerate(zip(account.rows, words, strict=True)):
            if len(rows) == n_bars:
                own[j] = each[side]
            else:
                place_bits(each[side], rows, own[j])
            some = some or bool(each[side].any())
        if some:
            turn_bits(own, turned[side], square)
    wishes = Wishes(turned, instruments_in_words(account.market.valid), rank)
    if members is not None:
        inside = instruments_in_words(members)
        for side in (0, 2):
            turned[side] &= inside
            turned[side + 1] |= ~inside
    return wishes


def instruments_in_words(flags: Bool2D) -> NDArray[np.uint64]:
    """Return flags of shape (n_bars, n_instruments) as bits, 64 instruments to a word.

    Examples
    --------
    >>> instruments_in_words(np.array([[True, False, True]])).tolist()
    [[5]]
    """
    n_bars, n = flags.shape
    octets = np.zeros((n_bars, 8 * -(-n // 64)), np.uint8)
    packed = np.packbits(flags, axis=1, bitorder="little")
    octets[:, : packed.shape[1]] = packed
    return octets.view("<u8").astype(np.uint64, copy=False)


def run_signals(account: Account, decided: Decided, wishes: Wishes, places: int) -> Ledger:
    """Run what is decided in one account with so many places."""
    from algotrendy.kernels.portfolio_signals import walk_signals

    curve = np.empty((3, account.n_bars))
    capacity = _FIRST_FILLS + 8 * account.n_instruments
    while True:
        fills = empty_fills(capacity)
        venue = account.venue(fills, size_kind=decided.size_kind, max_positions=places)
        n_fills, ruined_at = walk_signals(wishes, decided.levels, venue, curve)
        if n_fills >= 0:
            break
        capacity *= 4
    done = Fills(fills.places[:n_fills].copy(), fills.money[:n_fills].copy())
    in_order = account.options.max_leverage <= 1.0 and account.n_bars <= _PLAIN_BARS_MAX and decided.only_signals_move
    return Ledger(account, done, curve, None if ruined_at < 0 else int(ruined_at), in_order)
