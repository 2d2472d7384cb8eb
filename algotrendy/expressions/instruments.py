"""Several instruments on one time axis, so that an expression on one of them can look at the others.

An expression is still evaluated instrument by instrument, on its own bars. Where it leaves the instrument (a
cross-section, `symbol`), it asks here: the inner part is evaluated once on every instrument that it needs, laid on the
common axis, compared by a kernel and kept; each instrument then takes its own row.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from algotrendy.domain.types import AnyArray, Bool2D, Float1D, Float2D, Int1D
from algotrendy.errors import ExpressionError, InputError
from algotrendy.expressions.catalogue import BARS, Catalogue
from algotrendy.expressions.names import nearest_name
from algotrendy.expressions.nodes import Node, Other, Section
from algotrendy.expressions.scalars import as_written, scalar
from algotrendy.expressions.series import SCALED_SECTIONS, Evaluator, Numbers
from algotrendy.expressions.ties import Measured

if TYPE_CHECKING:
    from algotrendy.domain.bars import BarArrays
    from algotrendy.expressions.context import Context

__all__ = ["Instruments", "OneInstrument", "View"]


class OneInstrument(Protocol):
    """What has to be known of each instrument."""

    @property
    def arrays(self) -> BarArrays: ...
    @property
    def context(self) -> Context: ...
    @property
    def rows(self) -> Int1D:
        """The places of its bars on the common axis."""


@dataclass(frozen=True, eq=False)
class View:
    """The instruments as one of them sees them: `Context.peers`."""

    instruments: Instruments
    place: int

    def section(self, node: Section, values: Mapping[str, Any]) -> Numbers:
        """Return a cross-section at the bars of this instrument."""
        return self._own(self.instruments.section(node, values), self.place)

    def other(self, node: Other, values: Mapping[str, Any]) -> Numbers:
        """Return what another instrument is at the bars of this one; NaN where it has none."""
        return self._own(self.instruments.other(node, values), 0)

    def _own(self, table: Measured[Float2D], row: int) -> Numbers:
        """Return a row of a table at the bars of this instrument."""
        rows = self.instruments.rows_of(self.place)

        def taken(part: Any) -> Float1D:
            own: Float1D = part[row] if rows is None else part[row][rows]
            return own

        return Measured(taken(table.value), table.scale if table.scale is None else taken(table.scale))


class Instruments:
    """Evaluates what looks at several instruments, and keeps it.

    Parameters
    ----------
    symbols : sequence of str
        One per instrument.
    settings : sequence of OneInstrument
        Bars, context and places of each. Their contexts need know nothing of each other.
    n_bars : int
        Length of the common axis.
    members : bool array of shape (n_bars, n_instruments), optional
        Who takes part in cross-sections, by bar; None: who has a bar.
    catalogue : Catalogue
        The names that expressions use.

    Examples
    --------
    >>> from algotrendy.domain.bars import BarArrays
    >>> from algotrendy.expressions import Context, parse
    >>> from types import SimpleNamespace
    >>> def one(close):
    ...     prices = np.array(close)
    ...     return SimpleNamespace(arrays=BarArrays(*[prices] * 5), context=Context(), rows=np.arange(len(prices)))
    >>> both = Instruments(["A", "B"], [one([1.0, 5.0]), one([2.0, 4.0])], 2)
    >>> [both.evaluator(j).numbers(parse("rank(close)").root).value.tolist() for j in (0, 1)]
    [[1.0, 2.0], [2.0, 1.0]]
    """

    def __init__(
        self,
        symbols: Sequence[str],
        settings: Sequence[OneInstrument],
        n_bars: int,
        members: Bool2D | None = None,
        *,
        catalogue: Catalogue = BARS,
    ) -> None:
        self._symbols, self._settings, self._n_bars, self._catalogue = (
            tuple(symbols),
            tuple(settings),
            n_bars,
            catalogue,
        )
        self._members = None if members is None else np.ascontiguousarray(members.T)
        self._tables: dict[Hashable, Measured[Float2D]] = {}
        self._labels: dict[str, tuple[AnyArray, int]] = {}

    def fresh(self) -> Instruments:
        """Return the same instruments with a memory of their own, which begins with what is known here."""
        other = object.__new__(Instruments)
        vars(other).update(vars(self))
        other._tables, other._labels = dict(self._tables), dict(self._labels)
        return other

    def knowing(self, catalogue: Catalogue) -> Instruments:
        """Return the same instruments, and the same memory, for expressions of another catalogue."""
        other = object.__new__(Instruments)
        vars(other).update(vars(self))
        other._catalogue = catalogue
        return other

    def context(self, place: int) -> Context:
        """Return the context of an instrument, with the others in it."""
        return replace(self._settings[place].context, peers=View(self, place))

    def evaluator(self, place: int, values: Mapping[str, Any] | None = None) -> Evaluator:
        """Return what evaluates numbers on the bars of one instrument."""
        arrays = self._settings[place].arrays
        return Evaluator(arrays, values or {}, self.context(place), catalogue=self._catalogue)

    def rows_of(self, place: int) -> Int1D | None:
        """Return the places of an instrument's bars on the common axis, None if it has all."""
        rows = self._settings[place].rows
        return None if len(rows) == self._n_bars else rows

    def section(self, node: Section, values: Mapping[str, Any]) -> Measured[Float2D]:
        """Return a cross-section as a table of shape (n_instruments, n_bars); NaN for who takes no part."""
        key = (node.form, *_values_of(node, values))
        if key not in self._tables:
            self._tables[key] = self._compared(node, values)
        return self._tables[key]

    def other(self, node: Other, values: Mapping[str, Any]) -> Measured[Float2D]:
        """Return what one instrument is, on the common axis: shape (1, n_bars), NaN where it has no bar."""
        key = (node.form, *_values_of(node, values))
        if key not in self._tables:
            self._tables[key] = self._stacked(node.operand, values, [self._place(node)])
        return self._tables[key]

    def _place(self, node: Other) -> int:
        if node.symbol not in self._symbols:
            few = self._symbols if len(self._symbols) <= 20 else ()
            hint = nearest_name(node.symbol, self._symbols, few)
            raise ExpressionError(f"there are no bars of the symbol {node.symbol!r}{hint}", node.source, node.column)
        return self._symbols.index(node.symbol)

    def _compared(self, node: Section, values: Mapping[str, Any]) -> Measured[Float2D]:
        from algotrendy.kernels import cross_section as kernel

        stack = self._universe(node.operand, values)
        groups, n_groups = self._groups(node.by)
        given = kernel.Sections(stack.value, stack.magnitude, groups, n_groups)
        out, scale = np.empty_like(stack.value), np.zeros((1, 1))
        memory = kernel.memory_for(len(out), n_groups)
        if node.name in SCALED_SECTIONS:
            scale = np.zeros_like(out)
        code = kernel.KINDS.index(node.name)
        if node.name in ("demean", "zscore"):
            kernel.moment_sections(given, code, memory, out, scale)
        else:
            kernel.order_sections(given, (code, _share(node, values)), memory, out, scale)
        return Measured(out, scale if node.name in SCALED_SECTIONS else None)

    def _universe(self, operand: Node, values: Mapping[str, Any]) -> Measured[Float2D]:
        """Return a number of all instruments, NaN for those that are no members; several sections may share it."""
        key = ("universe", operand.form, *_values_of(operand, values))
        if key not in self._tables:
            n = len(self._settings)
            if self._members is None:
                self._tables[key] = self._stacked(operand, values, range(n))
            else:  # who is never a member, such as an index without volume, is not even evaluated
                some = np.flatnonzero(self._members.any(axis=1))
                stack = self._stacked(operand, values, some.tolist())
                value = np.full((n, self._n_bars), np.nan)
                value[some] = np.where(self._members[some], stack.value, np.nan)
                scale = None if stack.scale is None else np.zeros_like(value)
                if scale is not None:
                    scale[some] = stack.scale
                self._tables[key] = Measured(value, scale)
        return self._tables[key]

    def _stacked(self, operand: Node, values: Mapping[str, Any], places: Sequence[int]) -> Measured[Float2D]:
        """Return a number of some instruments on the common axis, NaN where one has no bar."""
        own = {name: values[name] for name in operand.parameters if name in values}  # constants are each one's own
        table = np.full((len(places), self._n_bars), np.nan)
        scale: Float2D | None = None
        for row, place in enumerate(places):
            rows = self._settings[place].rows
            numbers = self.evaluator(place, own).operand(operand)
            table[row, rows] = numbers.value
            if numbers.scale is not None:
                scale = np.zeros_like(table) if scale is None else scale
                scale[row, rows] = numbers.scale
        return Measured(table, scale)

    def _groups(self, by: str) -> tuple[AnyArray, int]:
        """Return the group of each instrument at each bar, -1 where it is unknown, and how many groups there are."""
        if not by:
            return np.zeros((1, 1), np.int32), 1
        if by not in self._labels:
            import pandas as pd

            labels: list[Any] = []
            sizes = [len(setting.rows) for setting in self._settings]
            for setting, size in zip(self._settings, sizes, strict=True):
                labels.append(np.asarray(setting.context.labels(by, size), dtype=object))
            codes, found = pd.factorize(np.concatenate(labels), sort=False)
            groups = np.full((len(labels), self._n_bars), -1, np.int32)
            first = 0
            for j, setting in enumerate(self._settings):
                groups[j, setting.rows] = codes[first : first + sizes[j]]
                first += sizes[j]
            self._labels[by] = groups, max(len(found), 1)
        return self._labels[by]


def _values_of(node: Node, values: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(values.get(name) for name in node.holes)


def _share(node: Section, values: Mapping[str, Any]) -> float:
    """Return the share of a quantile, checked."""
    if not node.arguments:
        return 0.0
    share = float(scalar(node.arguments[0], values))
    if not 0.0 <= share <= 1.0:
        raise InputError(f"quantile is asked for {as_written(share)!r}; a share from 0 to 1: 80 % is 0.8")
    return share
