"""Run the backtest of a passport again, and say whether the same comes out, or where not."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

from algotrendy.backtest.definitions import moment_text
from algotrendy.backtest.passport import PORTFOLIO_SCHEMA_NAME, read_passport, results_of, source_hash
from algotrendy.backtest.plain import from_plain, to_plain
from algotrendy.backtest.repeat import repeat
from algotrendy.backtest.storage import bars_hash, library_versions
from algotrendy.errors import AlgotrendyError, DataError, InputError

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.backtest.portfolio.result import PortfolioResult
    from algotrendy.backtest.result import BacktestResult

__all__ = ["Mismatch", "Verification", "verify_passport"]

TOLERANCE = 1e-9
"""How far numbers may be apart, relatively, where libraries of other versions computed them."""

UNCHECKED = ("trials", "lookahead", "fill_interval")
"""Sections that running again does not produce; their checksums fit, and that is all that is known."""


@dataclass(frozen=True)
class Mismatch:
    """One thing that is not as the passport says.

    Attributes
    ----------
    field : str
        Where in the passport: "data.hash", "results.metrics.sharpe_ratio".
    stored, found : object
        What the passport says, and what is the case here.
    at : str
        The bar at which it is first so; empty if it belongs to none.
    """

    field: str
    stored: Any
    found: Any
    at: str = ""

    def __str__(self) -> str:
        where = f" at {self.at}" if self.at else ""
        return f"{self.field}{where} is {self.found!r}, the passport says {self.stored!r}"


@dataclass(frozen=True)
class Verification:
    """What came of running a passport again. It is true if the same came out.

    Attributes
    ----------
    mismatches : tuple of Mismatch
        Everything that is not equal, the cause before what follows from it.
    versions : tuple of Mismatch
        Libraries of another version here; then numbers count as equal up to 1e-9.
    tolerance : float
        0.0 (bit for bit) with the same versions, else 1e-9.
    unchecked : tuple of str
        Sections of the passport that running again does not produce.
    result : BacktestResult or PortfolioResult, optional
        The run that was made here; None if the bars or the function are not those of the passport.
    """

    mismatches: tuple[Mismatch, ...]
    versions: tuple[Mismatch, ...]
    tolerance: float
    unchecked: tuple[str, ...]
    result: BacktestResult | PortfolioResult | None

    @property
    def is_equal(self) -> bool:
        """Whether everything is as the passport says."""
        return not self.mismatches

    def __bool__(self) -> bool:
        return self.is_equal

    def __str__(self) -> str:
        lines = []
        if self.is_equal:
            how = "bit for bit" if self.tolerance == 0.0 else f"to {self.tolerance:g}"
            lines.append(f"Equal {how}: the run gives what the passport says.")
        else:
            more = f" ({len(self.mismatches):,} things differ in all)" if len(self.mismatches) > 1 else ""
            lines.append(f"Not equal: {self.mismatches[0]}{more}.")
        if self.versions:
            names = ", ".join(f"{each.field} {each.found} instead of {each.stored}" for each in self.versions)
            lines.append(f"Computed with {names}, so numbers are compared to {TOLERANCE:g}.")
        if self.unchecked:
            lines.append(f"Not run again: {', '.join(self.unchecked)}; their checksums fit.")
        return "\n".join(lines)


def verify_passport(
    file: str | Path,
    bars: Any = None,
    *,
    strategy: Any = None,
    chart: Any = None,
    fine_bars: Mapping[str, pd.DataFrame] | None = None,
    fetch: Callable[[Mapping[str, Any]], pd.DataFrame] | None = None,
) -> Verification:
    """Run the backtest of a passport again and compare; `at.verify` calls it with a way to fetch bars.

    Parameters
    ----------
    file : str or Path
        That `BacktestResult.passport` or `PortfolioResult.passport` wrote.
    bars : DataFrame, mapping or Panel, optional
        The bars. None: those that `fetch` makes of the section `data`.
    strategy : callable, BarStrategy, Signals or mapping, optional
        The Python function, the stateful strategy (or its class), or the signals, that decided; of several strategies
        those that need it, by name. Code is never taken from the file.
    chart : optional
        The chart that the conditions were read on, if it was one.
    fine_bars : mapping of str to DataFrame, optional
        Finer bars by symbol, where the run had some.
    fetch : callable, optional
        Returns bars from the section `data`.

    Raises
    ------
    DataError
        If the file is no passport or was changed.
    InputError
        If bars, function or chart are needed and were not handed in.

    Examples
    --------
    >>> import algotrendy as at, tempfile
    >>> bars = at.synthetic(n=60, seed=1)
    >>> result = at.backtest(at.strategies.sma_cross(3, 9), bars)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     print(verify_passport(result.passport(Path(folder) / "passport.json"), bars))
    Equal bit for bit: the run gives what the passport says.
    """
    sections = read_passport(file)
    try:
        if sections["schema"].startswith(PORTFOLIO_SCHEMA_NAME):
            from algotrendy.backtest.portfolio.verification import bars_again

            found = bars_again(sections["data"], bars, fine_bars, fetch)
            return _verified(sections, _portfolio_steps(sections, found, strategy))
        return _verified(sections, _steps(sections, _bars(sections["data"], bars, fetch), strategy, chart))
    except AlgotrendyError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise DataError(f"{Path(file).name} cannot be run ({error!r}); ask for the passport again") from error


class _Steps(NamedTuple):
    """How a passport is verified: what differs before a run, the run, and what differs after it."""

    before: Iterable[Mismatch]
    run: Callable[[], Any]
    after: Callable[[Any, float], Iterable[Mismatch]]


def _verified(sections: Mapping[str, Any], steps: _Steps) -> Verification:
    here = library_versions()
    stored = sections["versions"]
    versions = tuple(
        Mismatch(name, stored.get(name), here.get(name))
        for name in sorted({*stored, *here})
        if stored.get(name) != here.get(name)
    )
    tolerance = TOLERANCE if versions else 0.0
    unchecked = tuple(name for name in UNCHECKED if sections[name] is not None)
    before = tuple(steps.before)
    if before:
        return Verification(before, versions, tolerance, unchecked, None)
    result = steps.run()
    return Verification(tuple(steps.after(result, tolerance)), versions, tolerance, unchecked, result)


def _steps(sections: Mapping[str, Any], found: pd.DataFrame, strategy: Any, chart: Any) -> _Steps:
    return _Steps(
        [*_data_mismatches(sections["data"], found), *_function_mismatches(sections["definition"], strategy)],
        lambda: _run(sections, found, strategy, chart),
        lambda result, tolerance: _run_mismatches(sections, result, tolerance),
    )


def _portfolio_steps(sections: Mapping[str, Any], found: tuple[Any, Any], strategy: Any) -> _Steps:
    from algotrendy.backtest.portfolio import verification as several

    return _Steps(
        [*several.data_mismatches(sections["data"], *found), *several.source_mismatches(sections, strategy)],
        lambda: several.run_of(sections, *found, strategy),
        lambda result, tolerance: several.mismatches_of(sections, result, tolerance),
    )


def _bars(data: Mapping[str, Any], bars: pd.DataFrame | None, fetch: Any) -> pd.DataFrame:
    if bars is not None:
        return bars
    if fetch is None:
        raise InputError("the passport does not hold the bars; hand them in as bars=")
    found: pd.DataFrame = fetch(data)
    return found


def _run(sections: Mapping[str, Any], bars: pd.DataFrame, strategy: Any, chart: Any) -> BacktestResult:
    """Run the backtest of a passport.

    Raises
    ------
    InputError
        If what decided is not in the passport and was not handed in.
    """
    described = {name: value for name, value in from_plain(sections["definition"]).items() if name != "source_hash"}
    stored: Any = SimpleNamespace(strategy=described, assumptions=from_plain(sections["assumptions"]), bars=bars)
    if strategy is None and "schema" not in described:
        who = described.get("function", "signals that were handed in as arrays")
        raise InputError(f"this was decided by {who}, and no code is taken from a file; hand it in as strategy=")
    return repeat(stored, strategy=strategy, chart=chart)


# --- what is not as it should be ---


def _data_mismatches(data: Mapping[str, Any], bars: pd.DataFrame) -> Iterator[Mismatch]:
    facts = {"rows": len(bars), "first": to_plain(bars.index[0]), "last": to_plain(bars.index[-1])}
    facts["columns"] = [str(name) for name in bars.columns]
    if data["hash"] == (found := bars_hash(bars)):
        return
    for name, value in facts.items():
        if data[name] != value and not (name in ("first", "last") and from_plain(data[name]) == from_plain(value)):
            yield Mismatch(f"data.{name}", data[name], value)
    yield Mismatch("data.hash", data["hash"], found)


def _function_mismatches(definition: Mapping[str, Any], strategy: Any) -> Iterator[Mismatch]:
    if definition.get("kind") not in ("python", "stateful") or strategy is None:
        return
    found = source_hash(getattr(strategy, "function", strategy))
    if definition["source_hash"] != found:
        yield Mismatch("definition.source_hash", definition["source_hash"], found)


def _run_mismatches(sections: Mapping[str, Any], result: BacktestResult, tolerance: float) -> Iterator[Mismatch]:
    definition = {name: value for name, value in sections["definition"].items() if name != "source_hash"}
    for name, stored, value in (
        ("definition", definition, to_plain(result.strategy)),
        ("params", sections["params"], to_plain(result.params)),
        ("assumptions", sections["assumptions"], to_plain(result.assumptions)),
    ):
        yield from unequal(name, stored, value, 0.0)
    yield from _results_mismatches(sections["results"], result, tolerance)


def _results_mismatches(stored: Mapping[str, Any], result: BacktestResult, tolerance: float) -> Iterator[Mismatch]:
    """Yield what differs in the results: orders first, then the curve, then what is computed from it."""
    found = results_of(result)
    index = result.bars.index
    orders = list(orders_mismatch(stored["orders"], found["orders"], index, tolerance))
    yield from orders or unequal("results.orders", stored["orders"], found["orders"], tolerance)
    yield from curve_mismatch(stored["equity_at"], found["equity_at"], index, tolerance)
    yield from unequal("results.requests", stored.get("requests"), found.get("requests"), tolerance)
    yield from unequal("results.metrics", stored["metrics"], found["metrics"], tolerance)
    rest = ("pending", "ruined_at")
    exact = ("orders_hash", "trades_hash", "equity_hash", "units_hash", "input_hash") if tolerance == 0.0 else ()
    for name in (*rest, *exact):
        if stored[name] != found[name]:
            yield Mismatch(f"results.{name}", stored[name], found[name])
    if tolerance == 0.0:
        yield from unequal("results.equity_at", stored["equity_at"], found["equity_at"], 0.0)


def curve_mismatch(stored: list[Any], found: list[Any], index: pd.Index, tolerance: float) -> Iterator[Mismatch]:
    """Yield the first of the bars that are kept at which the equity differs."""
    for (place, one), (_, two) in zip(stored, found, strict=False):
        if not _close(one, two, tolerance):
            yield Mismatch("results.equity_at", one, two, moment_text(index[place]))
            return


def orders_mismatch(
    stored: Mapping[str, Any], found: Mapping[str, Any], index: pd.Index, tolerance: float
) -> Iterator[Mismatch]:
    """Yield the first order that differs."""
    counts = [len(orders["filled_at"]["values"]) for orders in (stored, found)]
    for row in range(min(counts)):
        for name in found:
            one, two = stored[name]["values"][row], found[name]["values"][row]
            if not _close(one, two, tolerance):
                place = min(int(found["filled_at"]["values"][row]), len(index) - 1)
                yield Mismatch(f"results.orders.{name}[{row}]", one, two, moment_text(index[place]))
                return
    if counts[0] != counts[1]:
        yield Mismatch("results.orders", f"{counts[0]} orders", f"{counts[1]} orders")


def unequal(field: str, stored: Any, found: Any, tolerance: float) -> Iterator[Mismatch]:
    """Yield the leaves of two plain values that differ; with other versions the unit of a moment does not count."""
    if tolerance and _are_moments(stored, found):
        if from_plain(stored) != from_plain(found):
            yield Mismatch(field, stored, found)
    elif isinstance(stored, dict) and isinstance(found, dict):
        for name in sorted({*stored, *found}):
            yield from unequal(f"{field}.{name}", stored.get(name), found.get(name), tolerance)
    elif isinstance(stored, list) and isinstance(found, list) and len(stored) == len(found):
        for place, (one, two) in enumerate(zip(stored, found, strict=True)):
            yield from unequal(f"{field}[{place}]", one, two, tolerance)
    elif not _close(stored, found, tolerance):
        yield Mismatch(field, stored, found)


def _are_moments(*values: Any) -> bool:
    return all(isinstance(value, dict) and value.get("$moment", "NaT") != "NaT" for value in values)


def _close(one: Any, two: Any, tolerance: float) -> bool:
    numbers = [value for value in (one, two) if isinstance(value, int | float) and not isinstance(value, bool)]
    if tolerance == 0.0 or len(numbers) < 2:
        return bool(one == two) and type(one) is type(two)
    return math.isclose(one, two, rel_tol=tolerance, abs_tol=tolerance)
