"""`check_lookahead`: does a strategy, an indicator, a feature or a chart know what comes later?"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from algotrendy.backtest.arguments import are_several
from algotrendy.backtest.definitions import moment_text
from algotrendy.backtest.lookahead.captured import is_one_per_bar
from algotrendy.backtest.lookahead.comb import comb_through
from algotrendy.backtest.lookahead.determinism import Repeats, repeated
from algotrendy.backtest.lookahead.findings import leaks_of
from algotrendy.backtest.lookahead.outside import OutsideFinding, foresight, look_outside
from algotrendy.backtest.lookahead.plan import planned
from algotrendy.backtest.lookahead.proof import Proof, prove
from algotrendy.backtest.lookahead.report import (
    CANNOT_TELL,
    LEAK,
    NONE_FOUND,
    NOT_DETERMINISTIC,
    PROVED,
    Detection,
    Leak,
    LookaheadReport,
)
from algotrendy.backtest.lookahead.search import Job, Runner, Search
from algotrendy.backtest.lookahead.sources import trace
from algotrendy.backtest.lookahead.subject import (
    Failure,
    Subject,
    as_subject,
    declared_subject,
    expressions_of,
)
from algotrendy.backtest.lookahead.subject_panel import declared_on_panel, frames_of, subject_on_panel
from algotrendy.backtest.lookahead.table import Table, as_table, differences, typical_sizes
from algotrendy.backtest.lookahead.warm_up import WarmUp, find_warm_up
from algotrendy.backtest.lookahead.worlds import World, Worlds
from algotrendy.backtest.lookahead.worlds_panel import PanelWorlds
from algotrendy.compute.progress import progress_for
from algotrendy.errors import InputError
from algotrendy.expressions.lexer import KEYWORDS
from algotrendy.strategy import BarStrategy, PythonStrategy, Strategy, StrategyTemplate

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.charts import Chart, ChartSpec
    from algotrendy.domain.panel import Panel
    from algotrendy.expressions import Catalogue, Expression
    from algotrendy.indicators import IndicatorSpec

__all__ = ["check_lookahead"]

CUTS = 160
LEAST_BARS = 8
_FIRST_LOOK = 14
_FAILED_SHARE = 0.7


@dataclass(frozen=True)
class _Options:
    """What the caller chose."""

    cuts: int
    seed: int
    columns: tuple[str, ...] | None
    at_open: bool
    workers: int | None
    progress: bool | None
    tolerance: float
    warm_up_tolerance: float


@dataclass(eq=False)
class _Found:
    """What the stages leave behind for the verdict."""

    notes: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    outside: list[OutsideFinding] = field(default_factory=list)
    warm_up: tuple[WarmUp, ...] = ()


def check_lookahead(
    strategy: (
        Strategy
        | StrategyTemplate
        | PythonStrategy
        | BarStrategy
        | Expression
        | Chart
        | ChartSpec
        | IndicatorSpec
        | Callable[..., Any]
        | str
    ),
    bars: pd.DataFrame | Mapping[Any, pd.DataFrame] | Panel,
    *,
    params: Mapping[str, Any] | None = None,
    inputs: str | Sequence[str] | None = None,
    signals: Any = None,
    known_at: str = "close",
    columns: str | Sequence[str] | None = None,
    cuts: int = CUTS,
    seed: int = 0,
    workers: int | None = 1,
    progress: bool | None = None,
    tolerance: float = 1e-9,
    warm_up_tolerance: float = 1e-6,
) -> LookaheadReport:
    """Find out whether something that is computed from bars uses bars that come later.

    Strategies that are text are proved clean from their grammar. Everything else is Python and is looked at by
    intervention: it is run on bars that begin as the true ones and go on differently or end early. What it gives for
    the bars before the change must stay as it was.

    Parameters
    ----------
    strategy : Strategy, StrategyTemplate, str, PythonStrategy, BarStrategy, Chart, IndicatorSpec or callable
        A strategy or an expression as text; a `BarStrategy`, whose orders are compared; a function `(bars, params) ->
        signals`; a function of bars, or of columns (`close`, `high, low, close`), that gives a Series, an array, a
        frame of features or a mapping; a chart style. Each column that it gives is checked by itself.
    bars : DataFrame of shape (n_bars, >= 4), n_bars >= 8
        Sound bars, with any further columns that it uses. With those of several instruments a `BarStrategy` has them in
        one account, a strategy of texts compares them, and a function of bars is run on each; outputs and inputs are
        then called "KO.units" and "PEP.close".
    params : mapping, optional
        Values of its parameters.
    inputs : str or sequence of str, optional
        The columns to hand to a function of series whose arguments have other names.
    signals : Signals, mapping or frame, optional
        Signals that the function made of these bars: they are compared with what it makes of them now.
    known_at : {"close", "open"}
        When the value of a bar is claimed to be known. With "open" the high, low, close, volume and further columns of
        the bar itself count as later: for decisions that are filled at the open of their own bar.
    columns : str or sequence of str, optional
        Change these columns alone, and leave no bars out. Of several instruments "close" is that of all.
    cuts : int
        Number of runs to search with; about 30 more are made. For slow functions take fewer.
    seed : int
        Everything random follows from it.
    workers : int or None
        Processes; None: one per core. More than one takes a function that can be pickled. The result does not depend
        on it.
    progress : bool, optional
        Show a bar; by default if the standard error stream is a terminal.
    tolerance : float
        Largest difference, relative to the size of an output, that counts as rounding.
    warm_up_tolerance : float
        The same for the question how much history an output needs.

    Returns
    -------
    LookaheadReport
        `print(report.summary())` shows it; `report.is_clean` and `report.leaks` are for programs.

    Raises
    ------
    InputError
        If an argument is not one of these, the bars are not sound or too few, the function fails on them, or the
        signals are not those that it makes.

    Examples
    --------
    >>> import algotrendy as at
    >>> bars = at.synthetic(n=300, seed=1)
    >>> check_lookahead(at.strategies.sma_cross(5, 20), bars).verdict
    'proved clean'
    >>> def tomorrow(bars):
    ...     return bars["close"].shift(-1) / bars["close"]
    >>> report = check_lookahead(tomorrow, bars)
    >>> report.verdict, report.leaks[0].inputs, report.leaks[0].horizon
    ('leak', ('close',), 1)
    """
    begun = time.perf_counter()
    several = are_several(bars)
    options = _Options(
        _whole("cuts", cuts, 10),
        _whole("seed", seed, 0),
        None if several else _columns(columns, bars),
        _is_open(known_at),
        workers,
        progress,
        tolerance,
        warm_up_tolerance,
    )
    panel = _panel(bars, options, signals) if several else None
    if panel is None:
        _check(bars)
    name, expressions, values = _as_text(strategy, params, _names_in(bars, panel))
    if expressions is None:
        given = subject_on_panel(strategy, params, inputs, panel) if panel else as_subject(strategy, params, inputs)
        start = _Start(None, signals, begun, _open_levels(strategy))
        return _in_worlds(given, bars if panel is None else panel, columns, options, start)
    proof = prove(expressions, values)
    if not proof.open:
        cost = {"runs": 0, "seconds": time.perf_counter() - begun}
        notes = tuple(f"it rests on {text}" for text in proof.columns)
        return LookaheadReport(PROVED, name, (), notes, (), proof, None, cost, _length(bars), options.seed)
    declared = declared_subject if panel is None else declared_on_panel
    subject = declared(name, expressions, proof.custom, values)
    return _in_worlds(subject, bars if panel is None else panel, columns, options, _Start(proof, signals, begun))


# --- the arguments ----------------------------------------------------------------------------------------------------


def _whole(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise InputError(f"{name} is {value!r}; expected a whole number of at least {least}")
    return int(value)


def _is_open(known_at: Any) -> bool:
    if known_at not in ("close", "open"):
        raise InputError(f"known_at is {known_at!r}; choose 'close' or 'open'")
    return bool(known_at == "open")


def _columns(columns: str | Sequence[str] | None, bars: Any) -> tuple[str, ...] | None:
    if columns is None:
        return None
    chosen = (columns,) if isinstance(columns, str) else tuple(columns)
    known = [str(name) for name in getattr(bars, "columns", ())]
    for name in chosen:
        if name not in known:
            raise InputError(f"columns names {name!r}; the bars have {', '.join(known) or 'none'}")
    return chosen


def _check(bars: Any) -> None:
    from algotrendy.domain.bars import check_bars

    check_bars(bars, min_bars=LEAST_BARS)


def _panel(bars: Any, options: _Options, signals: Any) -> Panel:
    """Return the panel of several instruments.

    Raises
    ------
    InputError
        If there are too few bars, or something is asked for that is for one instrument.
    """
    from algotrendy.backtest.portfolio.market import as_panel

    if options.at_open:
        raise InputError(
            "known_at='open' is for one instrument: where one has a bar another may have none; leave it out"
        )
    if signals is not None:
        raise InputError("signals= are compared for one instrument; give the bars of one symbol, or leave them out")
    panel = as_panel(bars)
    if len(panel) < LEAST_BARS:
        raise InputError(f"there are {len(panel)} bars; at least {LEAST_BARS} are needed to look for anything")
    return panel


def _in_worlds(
    subject: Subject, bars: Any, columns: str | Sequence[str] | None, options: _Options, start: _Start
) -> LookaheadReport:
    """Look at a subject on the bars of one instrument, or on a panel of several."""
    from algotrendy.domain.panel import Panel

    if not isinstance(bars, Panel):
        return _by_intervention(subject, Worlds(bars, options.seed, at_open=options.at_open), options, start)
    worlds = PanelWorlds(frames_of(bars), options.seed)
    if columns is not None:
        names = (columns,) if isinstance(columns, str) else tuple(columns)
        options = replace(options, columns=worlds.chosen(names))
    return _by_intervention(subject, worlds, options, start)


def _names_in(bars: Any, panel: Panel | None) -> Catalogue:
    """Return what an expression given as text may name: columns of bars, further ones among them."""
    from algotrendy.domain.bars import FurtherColumns
    from algotrendy.expressions import BARS

    further = (FurtherColumns(bars),) if panel is None else panel.further
    names = dict.fromkeys(name for each in further for name in each if name.isidentifier() and name.isascii())
    return BARS.with_columns(name for name in names if name not in BARS and name not in KEYWORDS)


def _length(bars: Any) -> int:
    """Return the number of bars, of several instruments the longest."""
    return max(map(len, bars.values())) if isinstance(bars, Mapping) else len(bars)


def _as_text(
    strategy: Any, params: Mapping[str, Any] | None, names: Catalogue
) -> tuple[str, dict[str, Expression] | None, Mapping[str, float]]:
    """Return the expressions of what is text, with the values of their parameters; None for anything else."""
    from algotrendy.expressions import BARS, Expression, parse

    values = dict(params or {})
    if isinstance(strategy, str):
        further = [name for name in names if name not in values and name not in BARS]
        strategy = parse(strategy, parameters=tuple(values), catalogue=BARS.with_columns(further))
    if isinstance(strategy, Expression):
        return strategy.text, {"expression": strategy}, values
    if isinstance(strategy, StrategyTemplate):
        strategy, values = strategy.to_strategy(**values), {}
    if isinstance(strategy, Strategy):
        chosen = strategy.with_params(**values) if values else strategy
        return chosen.name or "the strategy", expressions_of(chosen), chosen.parameters
    return "", None, values


# --- the search -------------------------------------------------------------------------------------------------------


class _Start(NamedTuple):
    """What is known before the first run: how far a proof went, signals to compare, the time, notes."""

    proof: Proof | None
    signals: Any
    begun: float
    notes: tuple[str, ...] = ()


def _open_levels(strategy: Any) -> tuple[str, ...]:
    """Return a note for each level of a Python strategy that is a text and calls a Python indicator."""
    if not isinstance(strategy, PythonStrategy):
        return ()
    levels = strategy.level_expressions
    return tuple(
        f"{name} is the text {part.text!r}, which calls a Python indicator: check it by itself"
        for name, part in levels.items()
        if prove({name: part}, strategy.numbers).open
    )


def _by_intervention(subject: Subject, worlds: Worlds, options: _Options, start: _Start) -> LookaheadReport:
    proof, signals, begun, notes = start
    repeats = repeated(subject, worlds, options.tolerance)
    found = _Found(notes=list(notes), problems=list(repeats.problems))
    if repeats.changes_bars:
        found.notes.append("it changes the frame that it is handed; a backtest hands it a copy")
    if repeats.base is None:
        return _report(subject, worlds, found, _Rest(proof, begun, repeats.n_runs))
    base = repeats.base
    _check_signals(signals, base, worlds)
    runner = Runner(repeats.subject, worlds, base, typical_sizes(base), options.tolerance)
    with progress_for("Looking for look-ahead", options.cuts + 20, show=options.progress) as bar:
        search = Search(runner, options.workers, bar, n_runs=repeats.n_runs)
        _stages(search, options, found)
        traced = trace(search, options.columns)
        leaks = leaks_of(search, traced, found.outside)
    _look_again(search, found, repeats)
    return _report(subject, worlds, found, _Rest(proof, begun, search.n_runs, search, leaks))


def _stages(search: Search, options: _Options, found: _Found) -> None:
    """Look at the most telling cuts first, then comb, then at the rest; then at times, lengths and what is captured."""
    worlds, base, columns = search.runner.worlds, search.runner.base, options.columns
    plan = planned(base, worlds, options.cuts, columns)
    first = min(_FIRST_LOOK, len(plan))
    search.look(plan[:first])
    used = first
    if search.open:
        used += comb_through(search, (options.cuts - used) // 2, columns)
    for begin in range(first, len(plan), 12):
        if used >= options.cuts or not search.open:
            break
        batch = plan[begin : begin + min(12, options.cuts - used)]
        used += len(search.look(batch)) or len(batch)
    if columns is None:
        n = worlds.n_bars
        later = [World("later", cut, k) for k, cut in enumerate((n // 3, n * 4 // 5))]
        search.look([*later, World("shorter", n // 2), World("longer", n)])
    found.outside, data = look_outside(search)
    found.notes += [each.text for each in found.outside if not each.is_leak]
    quiet = [each for each in data if _is_timed(each.value, worlds.n_bars)]
    if quiet:
        found.notes.append(
            f"it also reads {', '.join(each.label for each in quiet[:6])}: each row of it is taken as known at its"
            " time; how it was made is not covered"
        )
    _what_it_depends_on(search, found, [is_one_per_bar(each.value, worlds.bars.index) for each in quiet])
    found.warm_up, runs = find_warm_up(
        search.runner.subject, worlds, base, search.runner.sizes, options.warm_up_tolerance
    )
    search.n_runs += runs


def _is_timed(value: Any, n_bars: int) -> bool:
    return hasattr(value, "index") or abs(len(value) - n_bars) <= 2


def _what_it_depends_on(search: Search, found: _Found, one_per_bar: list[bool]) -> None:
    """Show it quite other bars, and bars of other years: what depends on neither, or on dates alone, is doubtful.

    `one_per_bar` says of each piece of data that it reads besides whether that has a row for each bar.
    """
    n, base = search.n_bars, search.runner.base
    jobs = [Job(World("shuffled", 0, 1), n), Job(World("no attrs", n), n)]
    jobs += [Job(World("dates", n), n)] if base.keys is None else []
    outcomes = search.do(jobs)
    if len(outcomes) < len(jobs):
        return
    values, attrs, *dates = outcomes
    if attrs.found or attrs.failure:
        found.notes.append("it depends on bars.attrs: what stands there is not covered")
    if values.failure is not None or values.found:
        return
    closes = search.runner.worlds.closes()
    for name, column in base.columns.items():
        is_plain = base.keys is None and column.dtype != object
        if is_plain and any(abs(foresight(column, close)) > 9.0 for close in closes):
            found.doubts.append(f"{name} does not depend on the bars, yet foretells their next return: it was stored")
    by_date = bool(dates) and (bool(dates[0].found) or dates[0].failure is not None)
    if by_date and not one_per_bar:
        found.doubts.append(
            "it does not depend on the prices and volumes that it is handed, and with other dates it gives something"
            " else: it looks up stored values by date, and nothing can be said of how they were made"
        )
    elif any(one_per_bar):
        found.doubts.append(
            "it does not depend on the bars that it is handed, only on data that it keeps: nothing can be said of how"
            " that was made"
        )
    elif not found.doubts:
        found.notes.append("it does not depend on prices and volumes, only on times or on the number of the row")


def _look_again(search: Search, found: _Found, repeats: Repeats) -> None:
    """Run it once more on the bars as they are: it may have changed by being run."""
    if repeats.problems or search.interrupted:
        return
    again = search.runner.subject.run(search.runner.worlds.since(0))
    search.n_runs += 1
    unlike = (
        {"it": again.text}
        if isinstance(again, Failure)
        else differences(search.runner.base, again, search.n_bars, search.runner.sizes, search.runner.tolerance)
    )
    if unlike:
        found.problems.append("on the same bars it gives something else after it was run on others: it keeps a state")


def _check_signals(signals: Any, base: Table, worlds: Worlds) -> None:
    if signals is None:
        return
    given = as_table(signals, worlds.bars.index)
    shared = {name: values for name, values in base.columns.items() if name in given.columns}
    if not shared:
        raise InputError(
            f"the signals have the columns {', '.join(given.columns)}, the function gives {', '.join(base.columns)}"
        )
    only = replace(given, columns={name: given.columns[name] for name in shared})
    unlike = differences(replace(base, columns=shared), only, worlds.n_bars, {}, 1e-9)
    for name, rows in unlike.items():
        row = int(rows[0])
        raise InputError(
            f"the signals were not made by this function on these bars: {name} is {given.value(name, row)} at"
            f" {moment_text(worlds.bars.index[row])} (row {row}), the function gives {base.value(name, row)}"
        )


# --- the verdict ------------------------------------------------------------------------------------------------------


class _Rest(NamedTuple):
    """What else a report is made of."""

    proof: Proof | None
    begun: float
    n_runs: int
    search: Search | None = None
    leaks: tuple[Leak, ...] = ()


def _report(subject: Subject, worlds: Worlds, found: _Found, rest: _Rest) -> LookaheadReport:
    proof, begun, n_runs, search, leaks = rest
    detection = None
    if search is not None:
        _note_failures(search, found)
        counts = [int(search.tested[name].sum()) for name in search.open]
        detection = Detection.of(min(counts), worlds.n_bars) if counts else None
    if leaks:
        verdict = LEAK
    elif found.problems:
        verdict = NOT_DETERMINISTIC
    elif found.doubts:
        verdict = CANNOT_TELL
    else:
        verdict = NONE_FOUND
    warnings = (*found.problems, *found.doubts, *dict.fromkeys(found.notes))
    cost = {"runs": n_runs, "seconds": time.perf_counter() - begun}
    title = f"{subject.name} ({subject.kind})"
    return LookaheadReport(
        verdict, title, leaks, warnings, found.warm_up, proof, detection, cost, worlds.n_bars, worlds.seed
    )


def _note_failures(search: Search, found: _Found) -> None:
    failed = len(search.failures)
    if search.interrupted:
        found.notes.append("it was stopped before its end; what was not looked at is not counted as tested")
    if not failed:
        return
    text = search.failures[0].failure
    assert text is not None
    share = failed / (failed + search.n_compared)
    note = f"{failed} of {failed + search.n_compared} runs on other bars failed, the first with {text.text}"
    if share > _FAILED_SHARE:
        found.doubts.append(f"{note}; too few are left to say anything")
    else:
        found.notes.append(note)
