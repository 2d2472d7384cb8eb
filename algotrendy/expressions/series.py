"""The numbers of an expression over all bars, with their scales: what the conditions then compare."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, MutableMapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from algotrendy.domain.bars import BarArrays
from algotrendy.domain.types import AnyArray, Float1D, Int1D
from algotrendy.errors import ExpressionError, InputError
from algotrendy.expressions.binding import bound_arguments, bound_lag
from algotrendy.expressions.catalogue import BARS, Catalogue
from algotrendy.expressions.context import NO_CONTEXT, Context, Peers
from algotrendy.expressions.nodes import Arithmetic, Column, Function, Indicator, Lag, Node, Other, Section, Timeframe
from algotrendy.expressions.scalars import apply_function, bigger, calculate, finite, scalar
from algotrendy.expressions.ties import Measured, combine
from algotrendy.indicators.registry import BAR_COLUMNS, IndicatorSpec

Numbers: TypeAlias = Measured[Any]
"""A float64 array, NaN where unknown; the scale is None, one number, or an array."""

Cache: TypeAlias = MutableMapping[Hashable, Any]
"""What was computed from these bars already; one cache belongs to one set of bars and one context."""


class _Long(NamedTuple):
    """Longer bars, and the newest complete one at the end of each base bar (-1: none)."""

    bars: BarArrays
    context: Context
    known: Int1D
    cache: Cache


class Evaluator:
    """Computes the numbers of an expression for one set of bars and one set of parameters.

    Parameters
    ----------
    bars : BarArrays
        Columns, float64, oldest first.
    params : mapping of str to float
        Values of the parameters.
    context : Context
        Times, interval, calendar, constants.
    catalogue : Catalogue
        Says the scale of columns.
    cache : dict
        Filled with what is computed; hand in the same one for other parameters on the same bars.
    """

    def __init__(
        self,
        bars: BarArrays,
        params: Mapping[str, float],
        context: Context = NO_CONTEXT,
        *,
        catalogue: Catalogue = BARS,
        cache: Cache | None = None,
    ) -> None:
        self._bars, self._context, self._catalogue = bars, context, catalogue
        self.values: dict[str, float] = {**context.constants, **params}
        self._cache: Cache = {} if cache is None else cache

    def key(self, node: Node) -> Hashable:
        """Return what tells the value of `node` from all others on these bars, whatever its parameters are called."""
        return (node.form, *(self.values.get(name) for name in node.holes))

    def numbers(self, node: Node) -> Numbers:
        """Return the values of a number over all bars; a scalar stays one number."""
        if not node.is_series:
            return Measured(scalar(node, self.values))
        if isinstance(node, Arithmetic):
            return combine(node.operator, self.numbers(node.left), self.numbers(node.right), calculate)
        if isinstance(node, Column):
            return self._column(node.name)
        key = self.key(node)
        found: Numbers | None = self._cache.get(key)
        if found is None:
            found = self._cache[key] = self._compute(node)
        return found

    def _compute(self, node: Node) -> Numbers:
        if isinstance(node, Indicator):
            return self._indicator(node)
        if isinstance(node, Function):
            return _function(node.name, self.numbers(node.operand))
        if isinstance(node, Lag):
            return _moved(self.operand(node.operand), lambda series: _lagged(series, bound_lag(node, self.values)))
        if isinstance(node, Section):
            return self._peers(node).section(node, self.values)
        if isinstance(node, Other):
            return self._peers(node).other(node, self.values)
        assert isinstance(node, Timeframe)
        long = self._long_bars(node.rule)
        own = {name: self.values[name] for name in node.parameters if name in self.values}  # constants: the long bars'
        inner = Evaluator(long.bars, own, long.context, catalogue=self._catalogue, cache=long.cache)
        return _moved(inner.operand(node.operand), lambda series: _spread(series, long.known))

    def _peers(self, node: Section | Other) -> Peers:
        peers = self._context.peers
        if peers is None:
            what = f"symbol({node.symbol!r})" if isinstance(node, Other) else "a cross-section"
            raise ExpressionError(
                f"{what} looks at several instruments, and the bars are of one; give the bars of all:"
                " at.backtest(strategy, {symbol: bars, ...})",
                node.source,
                node.column,
            )
        return peers

    def operand(self, node: Node) -> Numbers:
        """Return a number, or a condition as 1, 0 and NaN."""
        if node.kind == "number":
            return self.numbers(node)
        from algotrendy.expressions.plan import truth_of

        true, known = truth_of(
            node, self._bars, self.values, self._context, catalogue=self._catalogue, cache=self._cache
        )
        return Measured(np.where(known, true.astype(np.float64), np.nan))

    def _column(self, name: str) -> Numbers:
        known = name in self._bars._fields
        series = column_array(self._bars, name) if known else self._context.column(name, self._bars.close.size)
        scale = self._catalogue[name].scale
        if scale == "value":
            return Measured(series)
        return Measured(series, self._bars.close if scale == "price" else float(scale))

    def _indicator(self, node: Indicator) -> Numbers:
        arrays, argument = self._inputs(node)
        series = self._output(node, arrays)
        return Measured(series, self._scale_of(node.spec, argument))

    def _inputs(self, node: Indicator) -> tuple[list[Any], Numbers | None]:
        """Return the series that an indicator takes, and with its scale the first that the text hands it, if any."""
        spec, inputs = node.spec, iter(node.inputs)
        arrays: list[Any] = []
        argument: Numbers | None = None
        for name in spec.inputs:
            array = self.from_bars(name)
            if array is None:
                measured = self.numbers(next(inputs))
                argument = argument or measured
                array = np.ascontiguousarray(measured.value, dtype=np.float64)
            arrays.append(array)
        return arrays, argument

    def from_bars(self, name: str) -> Any:
        """Return the input of an indicator that the bars give, or None if the text hands it over."""
        if name == "session":
            return self._context.sessions()
        return column_array(self._bars, name) if name in BAR_COLUMNS else None

    def _output(self, node: Indicator, arrays: list[Any]) -> Float1D:
        """Return one output; what the same call gave besides is kept for the next that asks."""
        spec = node.spec
        bound = bound_arguments(node, self.values)
        key = ("group", spec.group or spec.name, *(self.key(child) for child in node.inputs), *bound.values())
        result = self._cache.get(key)
        if result is None:
            result = self._cache[key] = spec.function(*arrays, **bound)
        series = result if spec.output is None else result[spec.output]
        if spec.stream is None:  # a user's function may divide by zero
            series = finite(series)
        return np.ascontiguousarray(series, dtype=np.float64)

    def _scale_of(self, spec: IndicatorSpec, argument: Numbers | None) -> Any:
        if spec.scale == "price":
            return self._bars.close
        if spec.scale == "value":
            return None if argument is None else argument.scale
        if spec.scale == "input":
            return self._bars.close if argument is None else argument.magnitude
        return float(spec.scale)

    def _long_bars(self, rule: str) -> _Long:
        key = ("long bars", rule)
        found: _Long | None = self._cache.get(key)
        if found is None:
            found = self._cache[key] = _resampled(self._bars, rule, self._context)
        return found


SCALED_SECTIONS = ("quantile", "demean", "zscore")
"""Cross-sections whose ties are decided by the size of what they are made of; the others are counts."""


def column_array(bars: BarArrays, name: str) -> Float1D:
    """Return a column of the bars.

    Raises
    ------
    InputError
        If the bars have no such column, or no volume.
    """
    series: Float1D | None = getattr(bars, name, None)
    if series is None:
        raise InputError(f"the bars have no {name!r}; there are: {', '.join(bars._fields)}")
    if name == "volume" and not series.any():
        raise InputError("the expression uses volume, but the bars have none: the column is missing or zero throughout")
    return series


def has_own_scale(node: Node, catalogue: Catalogue) -> bool | float:
    """Return how the scale of a series looks, without computing it.

    Returns
    -------
    False: that of the value. A float: this number. True: another series.
    """
    if not node.is_series or node.kind == "condition":
        return False
    if isinstance(node, Column | Indicator):
        scale = catalogue[node.name].scale if isinstance(node, Column) else node.spec.scale
        if scale in {"price", "input"}:
            return _of_input(node, scale, catalogue)
        if scale == "value":
            return isinstance(node, Indicator) and bool(node.inputs) and has_own_scale(node.inputs[0], catalogue)
        return float(scale)
    if isinstance(node, Lag | Timeframe | Other):
        return has_own_scale(node.operand, catalogue)
    if isinstance(node, Section):
        return node.name in SCALED_SECTIONS
    if isinstance(node, Arithmetic) and node.operator in {"*", "/", "min", "max", "bigger"}:
        return any(has_own_scale(child, catalogue) is not False for child in node.children)
    if isinstance(node, Function) and node.name == "sqrt":
        return has_own_scale(node.operand, catalogue) is not False
    return True


def scale_node(node: Node, catalogue: Catalogue) -> Node | None:
    """Return a simpler number whose magnitude is the scale of `node`, so that many numbers can share it.

    Only for nodes of which `has_own_scale` says that the scale is another series; None where there is no such number.
    """
    if isinstance(node, Column):
        return Column("close") if catalogue[node.name].scale == "price" else None
    if not isinstance(node, Indicator):
        return None
    scale, argument = node.spec.scale, node.inputs[0] if node.inputs else None
    if scale == "price" or (scale == "input" and argument is None):
        return Column("close")
    if argument is None or not argument.is_series or scale not in {"input", "value"}:
        return None
    own = has_own_scale(argument, catalogue)
    if own is True:
        return scale_node(argument, catalogue)
    return argument if own is False and scale == "input" else None


def _of_input(node: Node, scale: str, catalogue: Catalogue) -> bool | float:
    """Return the look of the scale "input": a constant scale of the argument stays one."""
    if scale == "input" and isinstance(node, Indicator) and node.inputs:
        inner = has_own_scale(node.inputs[0], catalogue)
        return inner if isinstance(inner, float) else True
    return True


def _function(name: str, operand: Numbers) -> Numbers:
    """Return a function of numbers; the scale is the one that the error of the operand brings about."""
    value = apply_function(name, operand.value)
    if name == "sqrt" and operand.scale is None:
        return Measured(value)
    magnitude = np.abs(operand.magnitude)
    with np.errstate(all="ignore"):
        if name == "sqrt":  # the slope at zero is infinite, but an error e moves a root by at most sqrt(e)
            slope = np.minimum(magnitude / (2.0 * value), 1e6 * np.sqrt(magnitude))
            return Measured(value, bigger(value, np.where(np.isnan(slope), 0.0, slope)))
        moved = magnitude / np.abs(operand.value) if name == "log" else magnitude * value
    return Measured(value, bigger(value, moved))


def _moved(measured: Numbers, move: Any) -> Numbers:
    scale = measured.scale
    return Measured(move(measured.value), move(scale) if isinstance(scale, np.ndarray) else scale)


def _lagged(series: Float1D, count: int) -> Float1D:
    moved = np.full(series.size, np.nan)
    if count < series.size:
        moved[count:] = series[: series.size - count]
    return moved


def _spread(series: Float1D, known: Int1D) -> Float1D:
    """Return for each base bar the value of the newest complete long bar."""
    if not series.size:
        return np.full(known.size, np.nan)
    return np.where(known >= 0, series[known], np.nan)


class LastOfPeriod(Mapping[str, AnyArray]):
    """Further columns on longer bars: the value of the last base bar of each."""

    def __init__(self, columns: Mapping[str, AnyArray], last: Int1D) -> None:
        self._columns, self._last = columns, last

    def __getitem__(self, name: str) -> AnyArray:
        found: AnyArray = np.asarray(self._columns[name])[self._last]
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


def _resampled(bars: BarArrays, rule: str, context: Context) -> _Long:
    from algotrendy.domain.calendar import bars_per_year, infer_calendar
    from algotrendy.domain.interval import Interval
    from algotrendy.domain.resample import resample_arrays

    index = context.times(f"tf({rule!r}, ...)")
    found = resample_arrays(index, bars, rule, interval=context.interval, calendar=context.calendar)
    constants = dict(context.constants)
    if "periods_per_year" in constants:
        constants["periods_per_year"] = bars_per_year(rule, context.calendar or infer_calendar(index))
    columns = LastOfPeriod(context.columns, found.last)
    inner = Context(found.starts, Interval.parse(rule), context.calendar, constants, columns)
    return _Long(found.bars, inner, found.known, {})
