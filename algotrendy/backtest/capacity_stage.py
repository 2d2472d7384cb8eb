"""What a capacity curve goes through, the same for every capital: the fills of a run, its bars, what else is paid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from algotrendy.backtest.difference.ledger import Ledger, PortfolioLedger
from algotrendy.backtest.difference.moments import RANKS, Marks
from algotrendy.backtest.difference.portfolios import portfolio_ledger_of
from algotrendy.backtest.difference.positions import Leg, Positions, Size, book_of
from algotrendy.backtest.difference.runs import ledger_of
from algotrendy.backtest.portfolio.again import account_again, arguments_of_whole, panel_of
from algotrendy.backtest.portfolio.result import PortfolioResult
from algotrendy.backtest.repeat import options_of
from algotrendy.backtest.setting import prepare
from algotrendy.domain.types import Bool2D, Float1D, Float2D, Int1D

if TYPE_CHECKING:
    from algotrendy.backtest.result import BacktestResult

__all__ = ["WINDOW", "Event", "Stage", "stage_of"]

WINDOW = 20
"""Bars before a fill on which volatility and mean volume are measured."""

Moment: TypeAlias = "tuple[int, list[tuple[int, list[Leg]]]]"
"""The place inside a bar, and the fills of each line at it."""


class Event(NamedTuple):
    """A split or a dividend of one line, or its end."""

    line: int
    ratio: float = 1.0
    paid: float = 0.0
    ends: bool = False


@dataclass(frozen=True, eq=False)
class Stage:
    """One line per instrument; of several strategies one per strategy and instrument.

    Attributes
    ----------
    marks : Marks
        Opens and closes of all lines on the union of their stamps, which are the rows.
    volume, usual_volume, volatility : float64 array of shape (n_rows, n_lines)
        The volume of the bar, and the mean volume and the deviation of returns of the bars before.
    has_bar : bool array of shape (n_rows, n_lines)
        Whether the line has a bar of its own.
    interest : float64 array of shape (n_rows,)
        What a unit of currency that is owed costs at each bar.
    borrow, last_return : float64 array of shape (n_lines,)
        Fee of a short position as a fraction per bar; by what the last close changes if the line ends early.
    events : mapping of int to list of Event
        What happens at the start of a row.
    symbols : tuple of str
        Whose volume each line takes; empty for the only instrument of a result on one.
    positions : tuple of Positions
        The fills of each line.
    moments : mapping of int to list
        The fills of each row, by their place inside the bar.
    """

    marks: Marks
    volume: Float2D
    usual_volume: Float2D
    volatility: Float2D
    has_bar: Bool2D
    interest: Float1D
    borrow: Float1D
    last_return: Float1D
    events: Mapping[int, list[Event]]
    symbols: tuple[str, ...]
    positions: tuple[Positions, ...]
    moments: Mapping[int, list[Moment]]

    @property
    def close(self) -> Float2D:
        """The last close of each line, shape (n_rows, n_lines); 0.0 before its first bar."""
        return self.marks.close

    def traded(self) -> Iterator[tuple[str, Ledger]]:
        """Yield the symbol and the ledger of each line that has fills."""
        for symbol, each in zip(self.symbols, self.positions, strict=True):
            if each.episodes:
                yield symbol, each.ledger

    def with_sizes(self, sizes: Mapping[int, Size]) -> Stage:
        """Return the stage with other sizes of entries, by the `id` of their leg."""

        def sized(leg: Leg) -> Leg:
            return replace(leg, size=sizes[id(leg)]) if id(leg) in sizes else leg

        moments = {
            row: [(rank, [(j, [sized(leg) for leg in legs]) for j, legs in due]) for rank, due in found]
            for row, found in self.moments.items()
        }
        return replace(self, moments=moments)


def stage_of(result: BacktestResult | PortfolioResult, given: Mapping[str, Any] | None = None) -> Stage:
    """Return what the fills of a result were made in.

    Parameters
    ----------
    result : BacktestResult or PortfolioResult
    given : mapping, optional
        What `backtest` was called with, for a result of several instruments that came from a file.

    Raises
    ------
    InputError
        If nobody knows what the result was made of.

    Examples
    --------
    >>> import algotrendy as at
    >>> bars = {"A": at.synthetic(n=50, seed=1), "B": at.synthetic(n=40, seed=2)}
    >>> stage = stage_of(at.backtest(bars, weights={"A": 0.5, "B": 0.3}))
    >>> stage.close.shape, list(stage.moments), stage.events
    ((50, 2), [1], {40: [Event(line=1, ratio=1.0, paid=0.0, ends=True)]})
    """
    if isinstance(result, PortfolioResult):
        return _stage_of_several(result, arguments_of_whole(result, given))
    rate = 0.0
    if result.assumptions.get("borrow"):
        options = prepare(result.bars, **options_of(result.assumptions, result.bars)).options
        rate = options.borrow / options.bars_per_year
    ledger = ledger_of(result)
    book = PortfolioLedger(name="the run", cash=result.cash, members={"": ledger})
    return _stage(book, ("",), np.zeros(len(result.bars)), (np.array([rate]), np.zeros(1)))


def _stage_of_several(result: PortfolioResult, arguments: Mapping[str, Any]) -> Stage:
    panel = panel_of(arguments)
    account, _ = account_again(arguments)
    parts = list(result.sleeves.values()) or [result]
    members: dict[str, Ledger] = {}
    for k, part in enumerate(parts):
        found = portfolio_ledger_of(replace(part, arguments=arguments), bars=panel).members
        members |= {f"{k} {symbol}": member for symbol, member in found.items()}
    interest = np.zeros(len(result.index)) if account.extras is None else account.kernel_extras.interest
    borrow, last_return = (np.tile(each, len(parts)) for each in (account.terms.borrow, account.terms.delisting_return))
    book = PortfolioLedger(name="the run", cash=result.cash, members=members)
    return _stage(book, result.symbols * len(parts), interest, (borrow, last_return))


def _stage(book: PortfolioLedger, symbols: tuple[str, ...], interest: Float1D, terms: tuple[Float1D, Float1D]) -> Stage:
    """Lay a ledger out; `terms` are the borrow per bar and the return at an early end of each line."""
    lines = list(book.members.values())
    marks = Marks(lines)
    stamps, shape = marks.stamps, marks.close.shape
    rows = [np.searchsorted(stamps, line.stamps) for line in lines]
    has_bar = np.zeros(shape, dtype=bool)
    fields: dict[str, Float2D] = {name: np.zeros(shape) for name in ("volume", "usual_volume", "volatility")}
    for j, line in enumerate(lines):
        has_bar[rows[j], j] = True
        for name, values in _known(line).items():
            fields[name][rows[j], j] = values
    positions = tuple(book_of(book).positions.values())
    return Stage(
        marks=marks,
        **fields,
        has_bar=has_bar,
        interest=interest,
        borrow=terms[0],
        last_return=terms[1],
        events=_events(lines, rows, stamps),
        symbols=symbols,
        positions=positions,
        moments=_moments(positions, stamps),
    )


def _known(line: Ledger) -> dict[str, Float1D]:
    """Return the volume of each bar, and the mean volume and deviation of returns of the bars before it.

    A split changes units and prices, not what was traded; a dividend is a part of the return.
    """
    import pandas as pd

    ratio, paid = np.ones(len(line.bars)), np.zeros(len(line.bars))
    at = np.searchsorted(line.stamps, [action.at.as_unit("ns").value for action in line.actions])
    for row, action in zip(at.tolist(), line.actions, strict=True):
        ratio[row], paid[row] = action.ratio, action.paid
    close, units = line.bars["close"], np.cumprod(ratio)
    returns = (close * ratio + paid) / close.shift(1) - 1.0
    volume = line.prices("volume") if "volume" in line.bars else np.zeros(len(line.bars))
    usual = (pd.Series(volume) / units).rolling(WINDOW, min_periods=1).mean().shift(1) * units
    volatility = returns.rolling(WINDOW, min_periods=2).std().shift(1)
    # The first bars know too little: what is known first is taken for them.
    known = (each.bfill().fillna(0.0).to_numpy(dtype=np.float64) for each in (usual, volatility))
    return dict(zip(("volume", "usual_volume", "volatility"), (volume, *known), strict=True))


def _events(lines: Sequence[Ledger], rows: Sequence[Int1D], stamps: Int1D) -> dict[int, list[Event]]:
    found: dict[int, list[Event]] = {}
    for j, (line, own) in enumerate(zip(lines, rows, strict=True)):
        for action in line.actions:
            row = int(np.searchsorted(stamps, action.at.as_unit("ns").value))
            found.setdefault(row, []).append(Event(j, action.ratio, action.paid))
        if own[-1] < len(stamps) - 1:
            found.setdefault(int(own[-1]) + 1, []).append(Event(j, ends=True))
    return found


def _moments(positions: Sequence[Positions], stamps: Int1D) -> dict[int, list[Moment]]:
    """Return the fills of each row by their place inside the bar; those of one line stay in their order."""
    rows: dict[int, dict[int, dict[int, list[Leg]]]] = {}
    for j, each in enumerate(positions):
        before = (-1, 0)
        for leg in _legs(each):
            row, rank = int(np.searchsorted(stamps, leg.bar)), RANKS[leg.kind]
            if before[0] == row:
                rank = max(rank, before[1])
            before = (row, rank)
            rows.setdefault(row, {}).setdefault(rank, {}).setdefault(j, []).append(leg)
    return {row: [(rank, list(rows[row][rank].items())) for rank in sorted(rows[row])] for row in sorted(rows)}


def _legs(positions: Positions) -> Iterator[Leg]:
    """Yield the fills of a line but for its end, which the account sees itself."""
    for episode in positions.episodes:
        yield from (leg for leg in episode.legs if leg.reason != "delisting")
