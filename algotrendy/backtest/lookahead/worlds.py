"""Other bars with the same beginning: what a function is shown to see whether later bars move its earlier values.

A `World` says what is changed; `Worlds` makes the frame. The changed bars are sound: positive prices, open and close
within low and high. All of them follow from the seed.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from algotrendy.domain.bars import COLUMNS, PRICES
from algotrendy.domain.types import AnyArray, Float1D, Int1D

__all__ = ["CHANGES", "World", "Worlds"]

CHANGES = {
    "cut": "the later bars are left out",
    "up": "the later bars begin higher, with more volume",
    "down": "the later bars begin lower, with less volume",
    "shuffled": "the later bars come in another order",
    "reversed": "the later bars come in reverse, upside down",
    "wild": "the later bars move three times as much",
    "flat": "the later bars do not move and trade nothing",
    "teeth": "single later bars are others",
    "later": "the later bars carry later times",
    "shorter": "fewer later bars",
    "gap": "all later bars but the last two are left out",
    "longer": "more bars follow after the last",
    "dates": "all bars are dated 28 years apart",
    "no attrs": "the frame carries no attrs",
}
"""What can be done to bars, and how it is said in a report."""

_SQUASH = 1.5
"""Other prices stay within this many log units of the last one kept."""

_YEARS_28 = pd.Timedelta(days=10_227)
"""After 28 years every date has its weekday again."""


@dataclass(frozen=True)
class World:
    """One intervention.

    Attributes
    ----------
    change : str
        A key of `CHANGES`.
    cut : int
        Rows of output before this one must stay as they are.
    seed : int
        Which of many bars of that kind.
    columns : tuple of str, optional
        Change these columns alone; "index" are the times. None: all.
    teeth : tuple of int
        For "teeth": the rows that are changed.
    """

    change: str
    cut: int
    seed: int = 0
    columns: tuple[str, ...] | None = None
    teeth: tuple[int, ...] = ()


class _Shape(NamedTuple):
    """Bars taken apart: what a bar does, apart from where the price stands."""

    gap: Float1D
    body: Float1D
    upper: Float1D
    lower: Float1D
    volume: Float1D


class Worlds:
    """Makes frames from one set of bars.

    Parameters
    ----------
    bars : DataFrame
        Sound bars, maybe with more columns.
    seed : int
        Of everything random.
    at_open : bool
        Outputs are claimed to be known at the open of their bar: the high, low, close and volume of that bar, and
        whatever other columns it has, are later as well.
    """

    def __init__(self, bars: pd.DataFrame, seed: int, *, at_open: bool = False) -> None:
        self.bars, self.seed, self.lead = bars.copy(), seed, int(at_open)
        self.attrs = copy.deepcopy(bars.attrs)
        self.bars.attrs = {}  # pandas compares attrs when it joins frames, and cannot where they hold arrays
        self.numbers = {name: bars[name].to_numpy(dtype=np.float64) for name in COLUMNS if name in bars}
        self.extras = [str(name) for name in bars.columns if name not in COLUMNS]
        self.shape = _taken_apart(self.numbers)
        self._is_whole = {
            name: bool((values == np.floor(values)).all()) for name, values in self.numbers.items() if name == "volume"
        }
        self._teeth = lru_cache(maxsize=4)(self._all_teeth)

    def __getstate__(self) -> dict[str, Any]:
        return {"bars": self.bars, "attrs": self.attrs, "seed": self.seed, "lead": self.lead}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["bars"], state["seed"], at_open=bool(state["lead"]))  # type: ignore[misc]  # as when made
        self.attrs = state["attrs"]

    @property
    def n_bars(self) -> int:
        """Number of bars."""
        return len(self.bars)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that can be changed."""
        return (*self.numbers, *self.extras)

    def groups(self, columns: tuple[str, ...]) -> list[tuple[str, ...]]:
        """Return columns in groups, to be changed one group after the other; here each is one by itself."""
        return [(name,) for name in columns]

    def closes(self) -> list[Float1D]:
        """Return the closes."""
        return [self.numbers["close"]]

    def moves(self) -> list[Float1D]:
        """Return how large each bar is in some ways: its move, its gap, its range, its volume."""
        close = self.numbers["close"]
        return [
            np.abs(np.diff(np.log(close), prepend=np.log(close[0]))),
            np.abs(self.shape.gap),
            np.log(self.numbers["high"] / self.numbers["low"]),
            self.shape.volume,
        ]

    def are_unchanged(self, handed: Any) -> bool:
        """Return whether what a function was handed is still as it was."""
        return bool(handed.equals(self.bars)) and list(handed.columns) == list(self.bars.columns)

    def frame(self, world: World) -> Any:
        """Return new bars for a world; the function may do with them what it likes."""
        return self._handed(self._made(world), with_attrs=world.change != "no attrs")

    def since(self, start: int) -> Any:
        """Return the bars as they are from a row on."""
        return self._handed(self.bars.iloc[start:].copy())

    def _handed(self, made: pd.DataFrame, *, with_attrs: bool = True) -> pd.DataFrame:
        made.attrs = copy.deepcopy(self.attrs) if with_attrs else {}
        return made

    def _made(self, world: World) -> pd.DataFrame:
        change, n = world.change, self.n_bars
        if change == "cut":
            return self._cut(world.cut)
        if change == "shorter":
            return self.bars.iloc[: world.cut + max(1, (n - world.cut) // 2)].copy()
        if change == "gap":
            return self.bars.iloc[[*range(world.cut), *range(max(world.cut, n - 2), n)]].copy()
        if change == "no attrs":
            return self.bars.copy()
        if change == "dates":
            return self._redated()
        if change == "longer":
            return self._extended()
        if change == "later":
            return self._restamped(world)
        first = max(world.cut - self.lead, 0)
        changed = self._teeth_of(world) if change == "teeth" else self._continued(change, first, world)
        kept = None if world.columns is None else set(world.columns)
        data: dict[str, Any] = {}
        for name in self.bars.columns:
            values = changed.get(name) if kept is None or name in kept else None
            data[name] = self.bars[name].array.copy() if values is None else _as_dtype(values, self.bars[name])
        return pd.DataFrame(data, index=self.bars.index.copy())

    # --- one way after the other --------------------------------------------------------------------------------------

    def _cut(self, cut: int) -> pd.DataFrame:
        made = self.bars.iloc[:cut].copy()
        if self.lead and cut:  # the last bar has only opened
            row = cut - 1
            for name in ("high", "low", "close"):
                _set(made, row, name, made["open"].iloc[row])
            for name in ("volume", *self.extras):
                if name in made and row:
                    _set(made, row, name, 0.0 if name == "volume" else made[name].iloc[row - 1])
        return made

    def _redated(self) -> pd.DataFrame:
        made = self.bars.copy()
        index = pd.DatetimeIndex(made.index)
        made.index = index + _YEARS_28 if index[-1].year < 2072 else index - _YEARS_28
        return made

    def _extended(self) -> pd.DataFrame:
        count = max(2, min(60, self.n_bars // 2))
        rows = self.bars.iloc[-count:].copy()
        index = pd.DatetimeIndex(self.bars.index)
        week = pd.Timedelta(days=7)
        rows.index = pd.DatetimeIndex(rows.index) + week * ((index[-1] - index[-count]) // week + 1)
        return pd.concat([self.bars, rows])

    def _restamped(self, world: World) -> pd.DataFrame:
        made = self.bars.copy()
        index = pd.DatetimeIndex(made.index)
        moved = index[world.cut :] + pd.Timedelta(days=7) * (1 + 4 * (world.seed % 2))
        made.index = index[: world.cut].append(moved)
        return made

    def _continued(self, change: str, first: int, world: World) -> dict[str, Any]:
        """Return the columns with other rows from `first` on, a path that leads on from the last kept close."""
        rng = np.random.default_rng([self.seed, world.seed, world.cut, len(change)])
        size = self.n_bars - first
        order = np.arange(first, self.n_bars)[::-1] if change == "reversed" else first + rng.permutation(size)
        shape = _Shape(*(part[order].copy() for part in self.shape))
        shape = _moved(change, shape, rng)
        start = float(self.numbers["close"][first - 1] if first else self.numbers["open"][0] * 1.1)
        prices = _put_together(shape, start)
        if self.lead:  # the first changed bar has opened already
            opened = prices["open"][0] = self.numbers["open"][first]
            prices["high"][0], prices["low"][0] = max(prices["high"][0], opened), min(prices["low"][0], opened)
        data: dict[str, Any] = {}
        for name, values in {**prices, "volume": shape.volume}.items():
            if name in self.numbers:
                rounded = np.round(values) if self._is_whole.get(name) else values
                data[name] = np.concatenate([self.numbers[name][:first], rounded])
        side = {"up": 1.0, "down": -1.0}.get(change, 0.0)
        for name in self.extras:
            data[name] = _other_rows(self.bars[name], first, order, 2.0 * side)
        return data

    def _teeth_of(self, world: World) -> dict[str, Any]:
        rows = np.array([row for row in world.teeth if row + self.lead >= world.cut], dtype=np.int64)
        data: dict[str, Any] = {}
        for name, others in self._teeth(world.seed).items():
            values = self.bars[name].array.copy()
            values[rows] = others[rows]
            data[name] = values
        return data

    def _all_teeth(self, seed: int) -> dict[str, Any]:
        """Return another bar for every row, as if it stood alone among the others."""
        rng = np.random.default_rng([self.seed, seed, 1_000_003])
        n = self.n_bars
        sides = rng.choice([-1.0, 1.0], (2, n)) * rng.uniform(0.02, 0.35, (2, n))
        still = rng.random(n) < 0.1
        opened = self.numbers["open"] * (1.0 if self.lead else np.where(still, 1.0, np.exp(sides[0])))
        closed = np.where(still, opened, self.numbers["close"] * np.exp(sides[1]))
        spread = np.where(still, 0.0, rng.uniform(0.0, 0.1, (2, n)))
        other = {
            "open": opened,
            "high": np.maximum(opened, closed) * np.exp(spread[0]),
            "low": np.minimum(opened, closed) * np.exp(-spread[1]),
            "close": closed,
        }
        if "volume" in self.numbers:
            volume = np.where(still, 0.0, self.numbers["volume"] * np.exp(sides[0] * 8.0))
            other["volume"] = np.round(volume) if self._is_whole["volume"] else volume
        order = rng.permutation(n)
        for name in self.extras:
            other[name] = _other_rows(self.bars[name], 0, order, 2.0 if seed % 2 else -2.0)
        return {name: _as_dtype(values, self.bars[name]) for name, values in other.items()}


def _set(made: pd.DataFrame, row: int, name: str, value: Any) -> None:
    values = made[name].array.copy()
    values[row] = value
    made[name] = values


def _taken_apart(numbers: dict[str, Float1D]) -> _Shape:
    opened, high, low, close = (numbers[name] for name in PRICES)
    before = np.concatenate([opened[:1], close[:-1]])
    return _Shape(
        np.log(opened / before),
        np.log(close / opened),
        np.log(np.maximum(high / np.maximum(opened, close), 1.0)),
        np.log(np.maximum(np.minimum(opened, close) / low, 1.0)),
        numbers.get("volume", np.zeros(len(close))),
    )


def _moved(change: str, shape: _Shape, rng: np.random.Generator) -> _Shape:
    """Return the parts of later bars after a change; the first of them is where a jump shows."""
    gap, body, upper, lower, volume = shape
    size = len(gap)
    if change == "flat":
        zero = np.zeros(size)
        return _Shape(zero, zero, zero, zero, zero)
    if change in ("up", "down"):
        side = 1.0 if change == "up" else -1.0
        gap[0] += side * rng.uniform(0.1, 0.4)
        body += side * np.abs(body) * 0.5
        volume = volume * np.exp(side * rng.uniform(0.5, 3.0, size))
    elif change == "reversed":
        gap, body = -gap, -body
    elif change == "wild":
        gap, body, upper, lower = gap * 3.0, body * 3.0, upper * 3.0 + 0.01, lower * 3.0 + 0.01
        volume = volume * rng.choice([0.1, 10.0], size)
    return _Shape(gap, body, upper, lower, volume)


def _put_together(shape: _Shape, start: float) -> dict[str, Float1D]:
    """Return prices of bars that follow a price; far from it the path is bent back."""
    path = np.cumsum(shape.gap + shape.body)
    bent = _SQUASH * np.tanh(path / _SQUASH)
    closed = start * np.exp(bent)
    opened = start * np.exp(bent - shape.body * (1.0 - (bent / _SQUASH) ** 2))
    high, low = np.maximum(opened, closed) * np.exp(shape.upper), np.minimum(opened, closed) * np.exp(-shape.lower)
    return {"open": opened, "high": high, "low": low, "close": closed}


def _other_rows(series: pd.Series[Any], first: int, order: Int1D, side: float) -> Any:
    """Return a column whose rows from `first` on are others of its own, moved by some deviations where numeric."""
    values = series.array.copy()
    others = values[order]
    if series.dtype == bool:
        others = ~others if side else others
    elif series.dtype.kind == "f":
        known = series.to_numpy(dtype=np.float64, na_value=np.nan)
        spread = float(np.nanstd(known)) if np.isfinite(known).any() else 0.0
        others = others + side * (spread or 1.0)
    elif series.dtype.kind in "iu" and side:
        others = others + 1
    values[first:] = others
    return values


def _as_dtype(values: Any, series: pd.Series[Any]) -> AnyArray:
    made: Any = values
    if isinstance(values, np.ndarray) and isinstance(series.dtype, np.dtype) and series.dtype.kind in "iuf":
        made = values.astype(series.dtype)
    return made  # type: ignore[no-any-return]  # an array of pandas or of NumPy
