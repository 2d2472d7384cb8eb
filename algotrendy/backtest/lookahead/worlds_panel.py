"""Other bars of several instruments with the same beginning: all of them go on differently from one moment on.

Rows are those of the union of all stamps, and columns are called "KO.close". Each instrument is changed by itself, with
random numbers of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from algotrendy.backtest.lookahead.worlds import World, Worlds
from algotrendy.domain.instrument import Instrument
from algotrendy.domain.panel import Name
from algotrendy.domain.types import Float1D
from algotrendy.errors import InputError

__all__ = ["Frames", "PanelWorlds", "symbol_of", "union_of"]

Frames: TypeAlias = Mapping[Name, pd.DataFrame]

LEAST_ROWS = 2
_STEP = 7_919
_BY_VALUE = ("up", "down", "shuffled", "reversed", "wild", "flat", "teeth")


def symbol_of(name: Name) -> str:
    """Return the symbol of an instrument.

    Examples
    --------
    >>> symbol_of("KO")
    'KO'
    """
    return name.symbol if isinstance(name, Instrument) else name


def union_of(frames: Frames) -> pd.Index:
    """Return the union of the stamps of all instruments, ascending."""
    return reduce(lambda a, b: a.union(b), (frame.index for frame in frames.values()))


class PanelWorlds(Worlds):
    """Makes bars of several instruments from one set of them.

    Parameters
    ----------
    frames : mapping of symbol or Instrument to DataFrame
        Sound bars, maybe with more columns.
    seed : int
        Of everything random.
    """

    def __init__(self, frames: Frames, seed: int) -> None:
        self.frames, self.seed, self.lead = dict(frames), seed, 0
        self.attrs = {}
        index = union_of(frames)
        self.each = {name: Worlds(frame, seed + _STEP * k) for k, (name, frame) in enumerate(frames.items())}
        self.rows = {name: index.get_indexer(frame.index) for name, frame in frames.items()}
        wide = {
            f"{symbol_of(name)}.{column}": frame[column].reindex(index)
            for name, frame in frames.items()
            for column in frame.columns
        }
        self.bars = pd.DataFrame(wide, index=index)

    def __getstate__(self) -> dict[str, Any]:
        return {"frames": self.frames, "seed": self.seed}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["frames"], state["seed"])  # type: ignore[misc]  # as when made

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that can be changed: "KO.close"."""
        return tuple(f"{symbol_of(name)}.{column}" for name, own in self.each.items() for column in own.columns)

    def chosen(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return the columns that a user means: "KO.close", or "close" for that of all instruments.

        Raises
        ------
        InputError
            If there is none of that name.
        """
        known = self.columns
        found: list[str] = []
        for name in names:
            meant = [each for each in known if each in (name, f"{self._symbol_in(each)}.{name}")]
            if not meant:
                raise InputError(f"columns names {name!r}; the bars have {', '.join(known[:20])}")
            found += meant
        return tuple(dict.fromkeys(found))

    def groups(self, columns: tuple[str, ...]) -> list[tuple[str, ...]]:
        """Return columns by instrument."""
        found: dict[str, list[str]] = {}
        for name in columns:
            found.setdefault(self._symbol_in(name), []).append(name)
        return [tuple(group) for group in found.values()]

    def _symbol_in(self, column: str) -> str:
        symbols = (symbol_of(name) for name in self.each)
        return max((symbol for symbol in symbols if column.startswith(f"{symbol}.")), key=len)

    def closes(self) -> list[Float1D]:
        """Return the closes of each instrument on the union."""
        return [self._spread(name, own.numbers["close"]) for name, own in self.each.items()]

    def moves(self) -> list[Float1D]:
        """Return how large each bar is: the largest among the instruments, in their typical sizes."""
        found: list[list[Float1D]] = []
        for name, own in self.each.items():
            sizes = own.moves()
            scales = [float(np.mean(size)) or 1.0 for size in sizes]
            found.append([self._spread(name, size / scale) for size, scale in zip(sizes, scales, strict=True)])
        return [np.nanmax(np.vstack(each), axis=0) for each in zip(*found, strict=True)]

    def _spread(self, name: Name, values: Float1D) -> Float1D:
        found: Float1D = np.full(self.n_bars, np.nan)
        found[self.rows[name]] = values
        return found

    def are_unchanged(self, handed: Any) -> bool:
        """Return whether what a function was handed is still as it was."""
        return list(handed) == list(self.each) and all(
            own.are_unchanged(handed[name]) for name, own in self.each.items()
        )

    def frame(self, world: World) -> Any:
        """Return new bars of all instruments for a world."""
        return {
            name: own.frame(self._own(name, world)) for name, own in self.each.items() if self._is_there(name, world)
        }

    def since(self, start: int) -> Any:
        """Return the bars of all instruments as they are from a row on; those with too few left are left out."""
        first = {name: int(np.searchsorted(rows, start)) for name, rows in self.rows.items()}
        return {
            name: own.since(first[name]) for name, own in self.each.items() if own.n_bars - first[name] >= LEAST_ROWS
        }

    def _is_there(self, name: Name, world: World) -> bool:
        """Return whether an instrument has begun before the cut; only a cut leaves the others out."""
        return world.change != "cut" or self.rows[name][0] < world.cut

    def _own(self, name: Name, world: World) -> World:
        """Return a world in the rows of one instrument. One without a later bar, or without a part in it, stays."""
        rows, own = self.rows[name], self.each[name]
        cut = int(np.searchsorted(rows, world.cut))
        columns = None
        if world.columns is not None:
            symbol = symbol_of(name)
            columns = tuple(each for each in own.columns if f"{symbol}.{each}" in world.columns)
        if world.change == "cut":  # an instrument has two bars at least: then one of them is later
            return World("cut", max(cut, LEAST_ROWS))
        if world.change in _BY_VALUE and (cut >= own.n_bars or columns == ()):
            return World("teeth", own.n_bars)
        if world.change == "longer" and rows[-1] < self.n_bars - 1:  # it has ended: more bars would stand among others
            return World("teeth", own.n_bars)
        teeth = np.flatnonzero(np.isin(rows, world.teeth)) if world.teeth else np.zeros(0, np.int64)
        return World(world.change, cut, world.seed, columns, tuple(teeth.tolist()))
