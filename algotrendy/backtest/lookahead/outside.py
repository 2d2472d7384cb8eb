"""Leaks from outside of the bars: data that a function captured or loads, and numbers worked out from all bars."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from algotrendy.backtest.lookahead.captured import Captured, altered, captured_by, columns_of, nowhere
from algotrendy.backtest.lookahead.loaded import changed_loads, loaders_named
from algotrendy.backtest.lookahead.search import Search
from algotrendy.backtest.lookahead.subject import Failure
from algotrendy.backtest.lookahead.table import Table, differences
from algotrendy.domain.types import AnyArray, Float1D, Int1D

__all__ = ["OutsideFinding", "foresight", "look_outside"]

_CUTS = 6
_COLUMNS_MAX = 12
_TURNS = 3
_AHEAD_MAX = 20
_SAME = 0.9
"""Captured values that equal those of a later bar on this share of bars are those of the later bar."""

_EXACT = 1e-11
_T_MAX = 9.0
"""No honest series foretells the next return with a t value like this."""


@dataclass(frozen=True)
class OutsideFinding:
    """What was found about something that the function can reach.

    Attributes
    ----------
    label : str
        How the function calls it.
    output : str
        The output that it moved; "" where no run showed it.
    rows : int64 array
        Bars at which the output changed.
    cut : int
        Rows of the captured data from here on were changed.
    horizon : int
        How many bars ahead it reaches; 0: not known.
    text : str
        What was seen.
    is_leak : bool
        Whether it is a leak; else it is a warning.
    columns : tuple of str
        Of a frame with several columns: those whose later rows alone move the output.
    """

    label: str
    output: str
    rows: Int1D
    cut: int
    horizon: int
    text: str
    is_leak: bool
    columns: tuple[str, ...] = ()


def look_outside(search: Search) -> tuple[list[OutsideFinding], list[Captured]]:
    """Return what the function learns from things that it can reach, and the other data that it uses."""
    subject, worlds = search.runner.subject, search.runner.worlds
    index = worlds.bars.index
    reached, names = captured_by(subject.function, subject.params, worlds.attrs)
    data = [each for each in reached if each.is_data]
    findings: list[OutsideFinding] = []
    for each in data:
        findings += _by_intervention(search, each)
    shown = {finding.label for finding in findings}
    for each in data:
        if each.label not in shown and isinstance(index, pd.DatetimeIndex):
            findings += _by_content(search, each)
    findings += list(_by_value(search, [each for each in reached if not each.is_data]))
    for loader in loaders_named(names):
        findings += _by_loading(search, loader)
    findings += list(_fitted(subject.function, reached, worlds.n_bars))
    leaky = {finding.label.split("[")[0] for finding in findings if finding.is_leak}
    return findings, [each for each in data if each.label.split("[")[0] not in leaky and _is_used_data(search, each)]


def _is_used_data(search: Search, each: Captured) -> bool:
    """Whether other values in the place of captured ones give other outputs anywhere."""
    index = search.runner.worlds.bars.index
    if not isinstance(index, pd.DatetimeIndex):
        return True
    other = altered(each.value, index, 1, np.random.default_rng(search.runner.worlds.seed), drop=False)
    made = None if other is None else _run_with(search, each, other)
    base, sizes = search.runner.base, search.runner.sizes
    return made is not None and bool(differences(base, made, search.n_bars, sizes, search.runner.tolerance))


def _by_loading(search: Search, loader: tuple[str, str]) -> list[OutsideFinding]:
    """Change the later rows of what a loader gives, and leave the bars as they are."""
    worlds, index = search.runner.worlds, search.runner.worlds.bars.index
    if not isinstance(index, pd.DatetimeIndex):
        return []
    rng = np.random.default_rng([worlds.seed, 37])
    found: dict[str, OutsideFinding] = {}
    label = ".".join(loader)
    used = False
    for cut in sorted({int(worlds.n_bars * share) for share in (0.3, 0.6, 0.9)}):
        with changed_loads(loader, index, cut, rng) as given:
            made = search.runner.subject.run(worlds.since(0))
            search.n_runs += 1
        if not given or isinstance(made, Failure):
            break
        used = True
        below = differences(search.runner.base, made, cut, search.runner.sizes, search.runner.tolerance)
        for name, rows in below.items():
            text = f"later rows of what it loads by {label} were changed, the bars were not"
            found.setdefault(name, OutsideFinding(label, name, rows, cut, cut - int(rows[0]), text, True))
    if used and not found:
        text = f"it loads data by {label}: each row of it is taken as known at its time; how it was made is not covered"
        return [OutsideFinding(label, "", np.zeros(0, np.int64), 0, 0, text, False)]
    return list(found.values())


def _by_intervention(search: Search, each: Captured, ahead: int = 0, why: str = "") -> list[OutsideFinding]:
    """Change the later rows of captured data, where it is held, and leave the bars as they are.

    Parameters
    ----------
    search : Search
        Runs the function.
    each : Captured
        The data.
    ahead : int
        Its rows are known this many bars after the bar that they stand at.
    why : str
        How that is known.
    """
    worlds, index = search.runner.worlds, search.runner.worlds.bars.index
    if not isinstance(index, pd.DatetimeIndex):
        return []
    rng = np.random.default_rng([worlds.seed, 31])
    n = worlds.n_bars
    found: dict[str, OutsideFinding] = {}
    for k, cut in enumerate(sorted({int(n * share) for share in np.linspace(0.2, 0.95, _CUTS)} - {0, n})):
        other = altered(each.value, index, max(cut - ahead, 1), rng, drop=bool(k % 3 == 2))
        made = None if other is None else _run_with(search, each, other)
        if made is None:
            continue
        below = differences(search.runner.base, made, cut, search.runner.sizes, search.runner.tolerance)
        for name, rows in below.items():
            horizon = cut - int(rows[0])
            known = found.get(name)
            if known is None or known.horizon < horizon:
                text = why or f"rows of {each.label} after bar {cut - 1} were changed, the bars were not"
                found[name] = OutsideFinding(each.label, name, rows, cut, horizon, text, True)
    return _with_columns(search, each, list(found.values()), ahead)


def _with_columns(search: Search, each: Captured, found: list[OutsideFinding], ahead: int) -> list[OutsideFinding]:
    """Say through which columns of a frame outputs learned of later rows: change one column at a time."""
    frame, index = each.value, search.runner.worlds.bars.index
    if not found or not isinstance(frame, pd.DataFrame) or not isinstance(index, pd.DatetimeIndex):
        return found
    numeric = [k for k, dtype in enumerate(frame.dtypes) if dtype.kind in "biuf"][:_COLUMNS_MAX]
    through: dict[str, list[str]] = {}
    cuts = sorted({finding.cut for finding in found}) if len(numeric) > 1 else []
    for cut, turn in itertools.product(cuts, range(_TURNS)):
        if all(one.output in through for one in found):
            break
        rng = np.random.default_rng([search.runner.worlds.seed, 41, cut, turn])
        other = altered(frame, index, max(cut - ahead, 1), rng, drop=False)
        for k in numeric:
            changed = frame.copy()
            changed.isetitem(k, other.iloc[:, k].array)
            made = _run_with(search, each, changed)
            if made is not None:
                moved = differences(search.runner.base, made, cut, search.runner.sizes, search.runner.tolerance)
                for name in moved:
                    through.setdefault(name, []).append(str(frame.columns[k]))
    return [replace(one, columns=tuple(dict.fromkeys(through.get(one.output, ())))) for one in found]


def _run_with(search: Search, each: Captured, other: Any) -> Table | None:
    try:
        each.put(other)
        search.n_runs += 1
        made = search.runner.subject.run(search.runner.worlds.since(0))
    finally:
        each.put(each.value)
    return None if isinstance(made, Failure) else made


def _by_content(search: Search, each: Captured) -> list[OutsideFinding]:
    """Find captured values that are those of later bars, and see whether they are used before they are known.

    Labels for training are such values; used when they are known they are no leak.
    """
    bars, index = search.runner.worlds.bars, search.runner.worlds.bars.index
    assert isinstance(index, pd.DatetimeIndex)
    closes = search.runner.worlds.closes()
    for name, values in columns_of(each.value, index).items():
        label = each.label if name == "values" else f"{each.label}[{name!r}]"
        for known, series in _series_of(bars):
            ahead = _ahead_of(values, series)
            if ahead:
                text = f"{label} holds, at each bar, the {known} of {ahead} bar(s) later, and it is used at that bar"
                return _by_intervention(search, each, ahead, text)
        t = max((foresight(values, close) for close in closes), key=abs)
        if abs(t) > _T_MAX:
            text = f"{label} foretells the next return with t = {t:.0f}, which nothing known at its bar does"
            return _by_intervention(search, each, 1, text)
    return []


def _series_of(bars: pd.DataFrame) -> Iterator[tuple[str, Float1D]]:
    for name in bars.columns:
        if bars[name].dtype.kind in "iuf":
            values = bars[name].to_numpy(dtype=np.float64)
            yield f"{name}", values
            with np.errstate(all="ignore"):
                yield f"relative change of {name}", np.append(np.nan, values[1:] / values[:-1] - 1.0)
                yield f"change of {name}", np.append(np.nan, values[1:] - values[:-1])
                yield f"log change of {name}", np.append(np.nan, np.log(values[1:] / values[:-1]))


def _ahead_of(values: AnyArray, series: Float1D) -> int:
    """Return by how many bars a series has to be moved back to give the values; 0 if it does not."""
    if len(values) != len(series) or np.unique(values[np.isfinite(values)]).size < 8:
        return 0
    for ahead in range(1, min(_AHEAD_MAX, len(series) // 2) + 1):
        left, right = values[:-ahead], series[ahead:]
        known = np.isfinite(left) & np.isfinite(right)
        if known.sum() >= 8 and _share_same(left[known], right[known]) > _SAME:
            now = np.isfinite(values) & np.isfinite(series)
            return ahead if _share_same(values[now], series[now]) < 0.5 else 0
    return 0


def _share_same(left: AnyArray, right: AnyArray) -> float:
    return float(np.mean(np.abs(left - right) <= _EXACT * np.maximum(np.abs(left), np.abs(right)))) if left.size else 0


def foresight(values: AnyArray, close: Float1D) -> float:
    """Return the t value of the correlation of a series with the return of the next bar.

    Examples
    --------
    >>> close = np.exp(np.random.default_rng(1).normal(0, 0.01, 500).cumsum())
    >>> foresight(np.append(close[1:] > close[:-1], False).astype(float), close) > 10
    True
    """
    gains = np.append(close[1:] / close[:-1] - 1.0, np.nan)
    known = np.isfinite(values) & np.isfinite(gains)
    if known.sum() < 30 or np.ptp(values[known]) == 0.0 or np.ptp(gains[known]) == 0.0:
        return 0.0
    r = float(np.corrcoef(values[known], gains[known])[0, 1])
    return r * float(np.sqrt(known.sum() - 2)) / max(float(np.sqrt(1.0 - min(r * r, 1.0))), 1e-9)


# --- numbers ----------------------------------------------------------------------------------------------------------


_DIGITS_SURE, _DIGITS_TOLD = 6, 4
"""A number of so many digits that equals a statistic is that statistic; one of fewer may be chance, and is told."""

_QUANTILES = (0.01, 0.05, 0.1, 0.2, 0.25, 0.3, 0.7, 0.75, 0.8, 0.9, 0.95, 0.99)
_MEASURES: dict[str, Callable[[Float1D], float]] = {
    "mean": lambda x: float(x.mean()),
    "standard deviation": lambda x: float(x.std(ddof=1)),
    "standard deviation (ddof 0)": lambda x: float(x.std()),
    "variance": lambda x: float(x.var(ddof=1)),
    "variance (ddof 0)": lambda x: float(x.var()),
    "smallest": lambda x: float(x.min()),
    "largest": lambda x: float(x.max()),
    "median": lambda x: float(np.median(x)),
    "sum": lambda x: float(x.sum()),
    "last": lambda x: float(x[-1]),
    **{f"{q:.0%} quantile": lambda x, q=q: float(np.quantile(x, q)) for q in _QUANTILES},  # type: ignore[misc]
}


def _by_value(search: Search, numbers: list[Captured]) -> Iterator[OutsideFinding]:
    """Find numbers that are a statistic of all bars and not of the first half of them, and that are used."""
    bars = search.runner.worlds.bars
    odd = [each for each in numbers if np.isfinite(float(each.value)) and _digits(float(each.value)) >= _DIGITS_TOLD]
    if not odd:
        return
    table = [
        (measure(values), measure(values[: len(values) // 2]), f"the {what} of the {name} over all bars")
        for name, values in ((name, series[np.isfinite(series)]) for name, series in _series_of(bars))
        if len(values) >= 8
        for what, measure in _MEASURES.items()
    ]
    for each in odd:
        number = float(each.value)
        for value, half, text in table:
            if abs(number - value) <= _EXACT * abs(value) and abs(half - value) > 1e-6 * abs(value):
                if _is_used(search, each):
                    is_leak = _digits(number) >= _DIGITS_SURE
                    chance = "" if is_leak else "; if it was worked out from them, it is look-ahead"
                    said = f"{each.label} is {text}{chance}"
                    yield OutsideFinding(each.label, "", np.zeros(0, np.int64), 0, 0, said, is_leak)
                break


def _is_used(search: Search, each: Captured) -> bool:
    """Whether another number in its place gives other outputs; if it cannot be replaced, it counts as used."""
    if each.put is nowhere:
        return True
    for factor in (0.5, 1.5):
        made = _run_with(search, each, type(each.value)(each.value * factor))
        base, sizes = search.runner.base, search.runner.sizes
        if made is None or differences(base, made, search.n_bars, sizes, search.runner.tolerance):
            return True
    return False


def _digits(number: float) -> int:
    """Return the number of significant digits, at most 9: nobody types that many in."""
    return next((digits for digits in range(1, 9) if number == float(f"{number:.{digits}g}")), 9)


def _fitted(function: Any, reached: list[Captured], n_bars: int) -> Iterator[OutsideFinding]:
    """Find models that were fitted before the function was called."""
    seen: dict[str, bool] = {}
    for each in reached:
        owner, _, name = each.label.partition("n_samples_seen_")
        if name == "" and "n_samples_seen_" in each.label and int(each.value) >= 0.9 * n_bars:
            seen[owner.rstrip(".")] = True
        elif each.label.endswith(("n_features_in_", "n_iter_")):
            seen.setdefault(each.label.rsplit(".", 1)[0], False)
    for owner, is_leak in seen.items():
        size = f" on as many samples as there are bars ({n_bars})" if is_leak else ""
        text = f"{owner} was fitted{size} before the function was called; what it has seen then is not covered here"
        yield OutsideFinding(owner, "", np.zeros(0, np.int64), 0, 0, text, is_leak)
