"""The backtest of a passport on several instruments run again, and what does not come out as it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from algotrendy.backtest.plain import from_plain, to_plain
from algotrendy.backtest.portfolio.again import run_again
from algotrendy.backtest.portfolio.passport import data_of, portfolio_results_of, source_hashes
from algotrendy.backtest.portfolio.plain_call import argument_from_plain
from algotrendy.backtest.repeat import strategy_of
from algotrendy.backtest.verification import Mismatch, curve_mismatch, orders_mismatch, unequal
from algotrendy.domain.calendar import as_calendar
from algotrendy.domain.panel import Panel
from algotrendy.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.backtest.portfolio.result import PortfolioResult

__all__ = ["bars_again", "data_mismatches", "mismatches_of", "run_of", "source_mismatches"]

Fetch = Callable[[Mapping[str, Any]], "pd.DataFrame"]


def bars_again(
    data: Mapping[str, Any], bars: Any, fine_bars: Mapping[str, pd.DataFrame] | None, fetch: Fetch | None
) -> tuple[Any, Mapping[str, pd.DataFrame] | None]:
    """Return the bars and the finer bars of a passport: those handed in, else those that `fetch` makes.

    Raises
    ------
    InputError
        If some are needed and cannot be made.
    """
    finer = data["fine_bars"]
    if fetch is None and (bars is None or (finer and fine_bars is None)):
        raise InputError("the passport does not hold the bars; hand them in as bars=, finer ones as fine_bars=")
    if bars is None and fetch is not None:
        bars = _made_again(data["instruments"], fetch)
    if finer and fine_bars is None and fetch is not None:
        fine_bars = {symbol: fetch(facts) for symbol, facts in finer.items()}
    return bars, fine_bars if finer else None


def _made_again(instruments: list[Mapping[str, Any]], fetch: Fetch) -> Panel:
    frames, calendars = {}, {}
    for facts in instruments:
        name = facts["symbol"] if facts["instrument"] is None else argument_from_plain(facts["instrument"])
        frames[name] = fetch(facts)
        calendars[name] = as_calendar(facts["calendar"])
    return Panel.of(frames, calendars=calendars)


def data_mismatches(
    data: Mapping[str, Any], bars: Any, fine_bars: Mapping[str, pd.DataFrame] | None
) -> Iterator[Mismatch]:
    """Yield what differs in the bars: the instruments, then the bars of each, then the hash of all."""
    found = data_of(bars, fine_bars)
    if data["hash"] == found["hash"]:
        return
    symbols = [[each["symbol"] for each in side["instruments"]] for side in (data, found)]
    if symbols[0] != symbols[1]:
        yield Mismatch("data.instruments", symbols[0], symbols[1])
    for kind in ("instruments", "fine_bars"):
        stored, here = (_by_symbol(side[kind]) for side in (data, found))
        for symbol in stored:
            if symbol in here:
                yield from _facts_mismatches(f"data.{kind}.{symbol}", stored[symbol], here[symbol])
    yield Mismatch("data.hash", data["hash"], found["hash"])


def _by_symbol(facts: Any) -> dict[str, Mapping[str, Any]]:
    return dict(facts) if isinstance(facts, Mapping) else {each["symbol"]: each for each in facts}


def _facts_mismatches(field: str, stored: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[Mismatch]:
    for name in ("instrument", "calendar"):
        if stored.get(name) != found.get(name):
            yield Mismatch(f"{field}.{name}", stored[name], found[name])
    if stored["hash"] != found["hash"]:
        for name in ("rows", "first", "last"):
            if from_plain(stored[name]) != from_plain(found[name]):
                yield Mismatch(f"{field}.{name}", stored[name], found[name])
        yield Mismatch(f"{field}.hash", stored["hash"], found["hash"])


def source_mismatches(sections: Mapping[str, Any], strategy: Any) -> Iterator[Mismatch]:
    """Yield the functions and classes that are not those of the passport."""
    stored = sections["definition"].get("source_hash")
    if stored is None or strategy is None:
        return
    found = source_hashes(_decides(sections, strategy))
    for name in stored:
        if stored[name] != found.get(name):
            field = f"definition.source_hash.{name}" if name else "definition.source_hash"
            yield Mismatch(field, stored[name], found.get(name))


def _decides(sections: Mapping[str, Any], given: Any) -> Any:
    """Return the strategy of the call, or several by name, with what was handed in in its place; None if none decides.

    Raises
    ------
    InputError
        If code is needed that was not handed in, or something was that nothing asks for.
    """
    plain = sections["call"].get("strategy")
    if plain is None:
        if given is not None:
            raise InputError("no strategy decided this: what did is in the passport; leave strategy= out")
        return None
    if "$strategy" in plain:
        return strategy_of(from_plain(plain["$strategy"]), given)
    several = [each["$tuple"] for each in plain]
    handed, names = given if isinstance(given, Mapping) else {}, [each[0] for each in several]
    for name in handed:
        if name not in names:
            raise InputError(f"strategy= names {name!r}; the strategies of the passport are {', '.join(names)}")
    return {name: (_one_of_several(name, one, handed.get(name)), share) for name, one, share in several}


def _one_of_several(name: str, one: Mapping[str, Any], given: Any) -> Any:
    if "$strategy" not in one:
        return argument_from_plain(one) if given is None else given
    described = from_plain(one["$strategy"])
    if given is None and "schema" not in described:
        raise InputError(
            f"{name!r} was decided by {described['function']}, and no code is taken from a file; hand it in:"
            f" strategy={{{name!r}: ...}}"
        )
    return strategy_of(described, given[0] if isinstance(given, tuple) else given)


def run_of(
    sections: Mapping[str, Any], bars: Any, fine_bars: Mapping[str, pd.DataFrame] | None, strategy: Any
) -> PortfolioResult:
    """Run the backtest of a passport.

    Raises
    ------
    InputError
        If what decided is not in the passport and was not handed in, or an argument is not allowed.
    """
    decides = _decides(sections, strategy)
    first, second = (bars, None) if decides is None else (decides, bars)
    options = {name: argument_from_plain(each) for name, each in sections["call"].items() if name != "strategy"}
    arguments = {"strategy": first, "bars": second, **options}
    return run_again(arguments if fine_bars is None else arguments | {"fine_bars": fine_bars})


def mismatches_of(sections: Mapping[str, Any], result: PortfolioResult, tolerance: float) -> Iterator[Mismatch]:
    """Yield what differs between a passport and its run here, the cause before what follows from it."""
    definition = {name: value for name, value in sections["definition"].items() if name != "source_hash"}
    for name, stored, value in (
        ("definition", definition, to_plain(result.strategy)),
        ("params", sections["params"], to_plain(result.params)),
        ("assumptions", sections["assumptions"], to_plain(result.assumptions)),
    ):
        yield from unequal(name, stored, value, 0.0)
    stored, found = sections["results"], portfolio_results_of(result)
    orders = list(orders_mismatch(stored["orders"], found["orders"], result.index, tolerance))
    yield from orders or unequal("results.orders", stored["orders"], found["orders"], tolerance)
    yield from curve_mismatch(stored["equity_at"], found["equity_at"], result.index, tolerance)
    yield from _outcome_mismatches("results", stored, found, tolerance)
    yield from unequal("results.sleeves", sorted(stored["sleeves"]), sorted(found["sleeves"]), 0.0)
    for name in found["sleeves"]:
        if name in stored["sleeves"]:
            yield from _outcome_mismatches(
                f"results.sleeves.{name}", stored["sleeves"][name], found["sleeves"][name], tolerance
            )


def _outcome_mismatches(
    field: str, stored: Mapping[str, Any], found: Mapping[str, Any], tolerance: float
) -> Iterator[Mismatch]:
    names = ("n_orders", "requests", "metrics", "params", "ruined_at", "equity_at")
    for name in (*names, "hashes") if tolerance == 0.0 else names:
        yield from unequal(f"{field}.{name}", stored[name], found[name], tolerance)
