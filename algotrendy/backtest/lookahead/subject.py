"""What is looked at: anything that gives values for bars, called in one way.

A subject is run on many frames; each run gets bars of its own, so a function that changes them harms nobody.
"""

from __future__ import annotations

import inspect
import io
import random
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.lookahead.table import Table, as_table
from algotrendy.backtest.lookahead.worlds_panel import union_of
from algotrendy.backtest.stateful.decisions import Decisions
from algotrendy.errors import InputError
from algotrendy.indicators.registry import BAR_COLUMNS, IndicatorSpec, lookup, names
from algotrendy.strategy import BarStrategy, PythonStrategy, Signals, Strategy
from algotrendy.strategy.python_strategy import function_name

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.domain.bars import BarArrays
    from algotrendy.domain.interval import Interval
    from algotrendy.expressions import Context, Expression

__all__ = ["Failure", "Subject", "as_subject", "declared_subject", "evaluated", "expressions_of", "readable"]


@dataclass(frozen=True)
class Failure:
    """A run that gave no table.

    Attributes
    ----------
    text : str
        What went wrong.
    n_rows : int, optional
        Number of values that were given, where that was what went wrong.
    """

    text: str
    n_rows: int | None = None


@dataclass(frozen=True, eq=False)
class Subject:
    """Something that can be run on bars.

    Attributes
    ----------
    name, kind : str
        For the report.
    function : callable
        What is called.
    manner : {"bars", "bars, params", "columns", "arrays"}
        What it is handed.
    params : mapping
        Values of its parameters.
    inputs : tuple of str
        The columns it is handed, for "columns" and "arrays".
    reseed : bool
        Bring the global generators of random numbers into the same state before each run.
    """

    name: str
    kind: str
    function: Callable[..., Any]
    manner: str = "bars"
    params: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    reseed: bool = False

    def run(self, bars: Any, calendar: pd.Index | None = None) -> Table | Failure:
        """Run it on bars of its own; whatever it raises is a failure.

        Parameters
        ----------
        bars : DataFrame, or mapping of symbol to DataFrame
            The bars.
        calendar : Index, optional
            Of all bars, where these are the first of them.
        """
        index = union_of(bars) if isinstance(bars, Mapping) else bars.index
        raw: Any = None
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"), redirect_stdout(io.StringIO()):
                warnings.simplefilter("ignore")
                with _seeded_generators() if self.reseed else nullcontext():
                    raw = self.called(bars)
                return as_table(raw, index, calendar)
        except Exception as error:  # noqa: BLE001 - a stranger's function: any error of it says that this run failed
            text = f"{type(error).__name__}: {error}".split("\n", 1)[0][:200]
            return Failure(text, _length(raw))

    def called(self, bars: Any) -> Any:
        """Return what it gives for some bars; whatever it raises is passed on."""
        if self.manner == "bars, params":
            return self.function(bars, dict(self.params))
        if self.manner == "bars":
            return self.function(bars, **self.params)
        series = [bars[name] for name in self.inputs]
        if self.manner == "columns":
            return self.function(*series, **self.params)
        return self.function(*(np.array(each, dtype=np.float64) for each in series), **self.params)


@contextmanager
def _seeded_generators() -> Iterator[None]:
    """Seed what functions draw from that name no generator, and put it back afterwards."""
    kept = random.getstate(), np.random.get_state()  # noqa: NPY002 - it is the global one that is meant
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])  # noqa: NPY002


def _length(raw: Any) -> int | None:
    """Return the number of rows of what a function gave, of its first column if it has several."""
    if isinstance(raw, Signals):
        raw = next((side for side in (raw.entries, raw.short_entries) if side is not None), None)
    if isinstance(raw, Mapping | tuple) and len(raw):
        raw = next(iter(raw.values())) if isinstance(raw, Mapping) else raw[0]
    try:
        return len(raw)
    except TypeError:
        return None


def as_subject(given: Any, params: Mapping[str, Any] | None, inputs: str | Sequence[str] | None) -> Subject:
    """Return what is to be run.

    Parameters
    ----------
    given : PythonStrategy, BarStrategy, Chart, ChartSpec, IndicatorSpec or callable
        What to look at.
    params : mapping, optional
        Values of its parameters.
    inputs : str or sequence of str, optional
        Columns that are handed to a function of series; by default it is told by the names of its arguments.

    Raises
    ------
    InputError
        If it is none of these.
    """
    from algotrendy.charts import Chart, ChartSpec

    values = dict(params or {})
    if isinstance(given, PythonStrategy):
        chosen = given.with_params(**values) if values else given
        name = chosen.name
        return Subject(name, "Python strategy", chosen.function, "bars, params", dict(chosen.parameters))
    if isinstance(given, BarStrategy):
        asked = given.with_params(**values) if values else given
        return Subject(asked.name or type(asked).__name__, "stateful strategy", Decisions(asked))
    if isinstance(given, Chart | ChartSpec):
        chart = given if isinstance(given, Chart) else Chart(given.name, **values)
        return Subject(repr(chart), "chart style", chart.rows)
    if isinstance(given, IndicatorSpec):
        return _indicator(given, values)
    _refuse(given)
    spec = next((spec for spec in map(lookup, names()) if getattr(spec.function, "__wrapped__", None) is given), None)
    if spec is not None and inputs is None:
        return _indicator(spec, values)
    name = function_name(given)
    if inputs is not None:
        columns = (inputs,) if isinstance(inputs, str) else tuple(inputs)
        return Subject(name, "function of columns", given, "columns", values, columns)
    return _of_signature(name, given, values)


def _indicator(spec: IndicatorSpec, values: Mapping[str, Any]) -> Subject:
    inputs = tuple(name if name in BAR_COLUMNS else "close" for name in spec.inputs)
    return Subject(spec.name, "indicator", spec.function, "arrays", spec.bind(values), inputs)


def _refuse(given: Any) -> None:
    if isinstance(given, Signals):
        raise InputError(
            "arrays of signals do not say how they were made; give the function that made them, and the arrays"
            " beside it: at.check_lookahead(function, bars, signals=...)"
        )
    if inspect.isclass(given):
        raise InputError(f"this is the class {given.__name__}; make one: {given.__name__}(...)")
    if not callable(given):
        raise InputError(
            f"a {type(given).__name__} cannot be checked; give a strategy, the text of an expression, a chart, or a"
            " function of bars"
        )


def _of_signature(name: str, function: Callable[..., Any], values: dict[str, Any]) -> Subject:
    """Tell by the names of its arguments what a function wants."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # written in C: it says nothing about itself
        return Subject(name, "function", function, "bars", values)
    places = [each for each in signature.parameters.values() if each.kind <= inspect.Parameter.POSITIONAL_OR_KEYWORD]
    columns = []
    for each in places:
        if each.name not in BAR_COLUMNS:
            break
        columns.append(each.name)
    if columns:
        return Subject(name, "function of columns", function, "columns", values, tuple(columns))
    second = places[1] if len(places) > 1 else None
    wanted = [each.name for each in places[1:] if each.default is each.empty and each.name not in values]
    takes_params = second is not None and (second.name in ("params", "parameters") or wanted == [second.name])
    if takes_params and len(wanted) <= 1:
        return Subject(name, "Python strategy", function, "bars, params", values)
    if wanted:
        raise InputError(
            f"the function {name}{signature} also needs {', '.join(wanted)}; give params={{{wanted[0]!r}: ...}}"
        )
    return Subject(name, "function", function, "bars", values)


# --- strategies as text whose indicators are Python -------------------------------------------------------------------


@dataclass(frozen=True)
class _Declared:
    """Gives the conditions, levels and user's indicators of a strategy as columns."""

    conditions: Mapping[str, Expression]
    custom: Mapping[str, Any]
    values: Mapping[str, float]

    def __call__(self, bars: pd.DataFrame) -> dict[str, Any]:
        from algotrendy.domain.interval import infer_interval

        arrays, context = readable(bars, infer_interval(bars.index))  # type: ignore[arg-type]  # times
        return evaluated(self.conditions, self.custom, self.values, arrays, context)


def readable(bars: pd.DataFrame, interval: Interval) -> tuple[BarArrays, Context]:
    """Return what expressions read of bars. Nothing is checked: one column alone may have been changed."""
    from algotrendy.domain.bars import COLUMNS, BarArrays, FurtherColumns
    from algotrendy.domain.calendar import bars_per_year, infer_calendar
    from algotrendy.expressions import Context

    index: Any = bars.index
    none = np.zeros(len(index))
    arrays = BarArrays(*(bars[name].to_numpy(dtype=np.float64) if name in bars else none for name in COLUMNS))
    per_year = bars_per_year(interval, infer_calendar(index))
    return arrays, Context(index, interval, None, {"periods_per_year": per_year}, FurtherColumns(bars))


def evaluated(
    conditions: Mapping[str, Expression],
    custom: Mapping[str, Any],
    values: Mapping[str, float],
    arrays: BarArrays,
    context: Context,
) -> dict[str, Any]:
    """Return the conditions, levels and user's indicators of a strategy on the bars of one instrument, by name."""
    from algotrendy.expressions import evaluate, evaluate_condition
    from algotrendy.expressions.series import Evaluator

    found: dict[str, Any] = {}
    for name, expression in conditions.items():
        if expression.kind == "condition":
            found[name] = evaluate_condition(expression, arrays, values, context).true
        else:
            found[name] = np.broadcast_to(evaluate(expression, arrays, values, context), arrays.close.shape)
    catalogue = next(iter(conditions.values())).catalogue
    evaluator = Evaluator(arrays, values, context, catalogue=catalogue)
    for name, node in custom.items():
        found[name] = np.broadcast_to(evaluator.numbers(node).value, arrays.close.shape)
    return found


def declared_subject(
    name: str, expressions: Mapping[str, Expression], custom: Mapping[str, Any], values: Mapping[str, float]
) -> Subject:
    """Return a subject for expressions that call Python indicators: the conditions, and each such call by itself."""
    return Subject(name, "strategy with Python indicators", _Declared(dict(expressions), dict(custom), dict(values)))


def expressions_of(strategy: Strategy) -> dict[str, Expression]:
    """Return the conditions and levels of a strategy that are text, by their names."""
    sides = ("entry", "exit", "short_entry", "short_exit")
    found = {name: part for name, part in zip(sides, strategy.conditions, strict=True) if part is not None}
    return {**found, **strategy.level_expressions}
