"""The part of the way between two accounts of several instruments that can be gone by running a backtest again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.costs import Fees
from algotrendy.backtest.curves import fees_of
from algotrendy.backtest.definitions import moment_text
from algotrendy.backtest.difference.bars import from_same_start, rows_text, same_bars, times
from algotrendy.backtest.difference.ledger import PortfolioLedger
from algotrendy.backtest.difference.path import Part
from algotrendy.backtest.difference.portfolios import schedule_of
from algotrendy.backtest.difference.positions import SAME, Leg, Positions, book_of, same
from algotrendy.backtest.portfolio.again import (
    arguments_of,
    frames_of,
    panel_of,
    panel_with,
    run_again,
    strategy_in,
)
from algotrendy.backtest.portfolio.result import PortfolioResult
from algotrendy.backtest.setting import LEAST_BARS
from algotrendy.domain.panel import Name, Panel
from algotrendy.errors import InputError
from algotrendy.kernels.orders_types import FILLS
from algotrendy.strategy import Signals

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["can_run_again", "portfolio_reruns"]

LIKENESS_MIN = 0.5
"""With fewer fills alike a fill convention is not read off a list."""
_STEPS = (
    ("actions", ("actions",)),
    ("timing", ("fill",)),
    ("fill price", ("slippage", "tick_size", "fine_bars", "delisting_return")),
    ("fees", ("commission",)),
    ("sizing", ("units", "lot_size", "max_leverage", "margin", "participation", "tolerance")),
    ("borrow", ("borrow",)),
    ("financing", ("financing",)),
)
"""Parts and the options that they are due to, in the order of `path.ORDER`."""


def can_run_again(result: PortfolioResult) -> bool:
    """Tell whether a result comes out the same when it is run again."""
    if result.arguments is None:
        return False
    again = run_again(result.arguments).equity_values[-1]
    return bool(abs(again - result.equity_values[-1]) <= SAME * abs(result.cash))


def portfolio_reruns(
    result: PortfolioResult, other: PortfolioResult | PortfolioLedger
) -> tuple[PortfolioResult, list[Part]]:
    """Run `result` again on the bars and with the options of another account, one after the other.

    What the first cannot be run with (weights of an instrument that has no bars, an option of another form of
    strategy) is left to the fills.

    Returns
    -------
    nearest : PortfolioResult
        The last run: what is left between it and the other is in the decisions.
    parts : list of Part
        What each step changed.
    """
    here, parts, changes = result, list[Part](), dict[str, Any]()
    own = arguments_of(result)
    for name, words, change in _steps(result, own, other):
        try:
            then = run_again(own, **changes | change)
        except InputError:
            continue
        changes |= change
        amount = float(then.equity_values[-1]) - float(here.equity_values[-1])
        text = f"{words}: run again with it"
        parts.append(Part(name, amount, text, _changed_fills(here, then), _by_symbol(here, then)))
        here = then
    return here, parts


def _steps(
    result: PortfolioResult, own: Mapping[str, Any], other: PortfolioResult | PortfolioLedger
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield parts, what is said of them, and the arguments that change."""
    panel = panel_of(own)
    if isinstance(other, PortfolioResult):
        given = arguments_of(other)
        bars = _by_text(frames_of(panel_of(given)))
        if other.cash != result.cash:
            yield "initial cash", f"cash {other.cash:,.2f} instead of {result.cash:,.2f}", {"cash": other.cash}
    else:
        given = {**own, **_read_options(result, own, other)}
        bars = _listed_bars(result, panel, other)
    if not isinstance(strategy_in(own), Signals):  # which mean nothing on other bars
        yield from _bar_steps(panel, bars)
    for name, keys in _STEPS:
        changed = {key: given[key] for key in keys if not _equal(own[key], given[key])}
        if changed:
            part = name
            if name == "timing" and "same_close" not in (own["fill"], given["fill"]):
                part = "fill price"  # both are filled on the next bar, at its open or at its close
            words = ", ".join(f"{key} {_shown(value)} instead of {_shown(own[key])}" for key, value in changed.items())
            yield part, words, changed


def _by_text(frames: Mapping[Name, pd.DataFrame]) -> dict[str, tuple[Name, pd.DataFrame]]:
    return {_symbol(name): (name, frame) for name, frame in frames.items()}


def _listed_bars(result: PortfolioResult, panel: Panel, other: PortfolioLedger) -> dict[str, tuple[Name, pd.DataFrame]]:
    """Return the bars of a list as they are quoted, those of the run itself where they are the same."""
    own, found = _by_text(frames_of(panel)), {}
    multipliers = dict(zip(result.symbols, result.multipliers.tolist(), strict=True))
    for symbol, member in other.members.items():
        name, frame = own.get(symbol, (symbol, member.bars))
        scale = multipliers.get(symbol, 1.0)
        if not same_bars(times(frame, scale), member.bars):
            frame = times(member.bars, 1.0 / scale)
        found[symbol] = name, frame
    return found


def _bar_steps(
    panel: Panel, theirs: Mapping[str, tuple[Name, pd.DataFrame]]
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the bars as if they began where the others do, then the others."""
    aligned, moved = {}, []
    for symbol, (name, frame) in _by_text(frames_of(panel)).items():
        aligned[symbol] = name, frame
        match = theirs[symbol][1] if symbol in theirs else frame
        later = from_same_start(frame, match) if match.index[0] != frame.index[0] else frame
        if later is not frame and len(later) >= LEAST_BARS:
            aligned[symbol] = name, later
            moved.append(f"{symbol} from {moment_text(match.index[0])} instead of {moment_text(frame.index[0])}")
    if moved:
        more = f" and {len(moved) - 1} more" if len(moved) > 1 else ""
        yield "first bar", moved[0] + more, {"panel": panel_with(panel, dict(aligned.values()))}
    words = _data_words(aligned, theirs)
    if words:
        yield "data", words, {"panel": panel_with(panel, dict(theirs.values()))}


def _symbol(name: Name) -> str:
    return name if isinstance(name, str) else name.symbol


def _data_words(own: Mapping[str, tuple[Name, pd.DataFrame]], theirs: Mapping[str, tuple[Name, pd.DataFrame]]) -> str:
    """Say what differs between two sets of bars; nothing if they are the same."""
    texts = []
    for symbol, (_, frame) in theirs.items():
        if symbol not in own:
            texts.append(f"bars of {symbol}, which the first has not")
        elif not same_bars(own[symbol][1], frame):
            texts.append(f"{symbol}: {rows_text(own[symbol][1], frame)}")
    texts += [f"no bars of {symbol}" for symbol in own if symbol not in theirs]
    more = f" and {len(texts) - 1} more instruments" if len(texts) > 1 else ""
    return texts[0] + more if texts else ""


def _read_options(result: PortfolioResult, own: Mapping[str, Any], other: PortfolioLedger) -> dict[str, Any]:
    """Return the options that a list shows: slippage and fees that its fills share, and when decisions are filled.

    The fill convention is the one with which the run makes most of the fills of the list, if that is more than with its
    own and at least half of them.
    """
    found: dict[str, Any] = {}
    books = {symbol: each for symbol, each in book_of(other).positions.items() if each.episodes}
    worse = [leg.worse for each in books.values() for leg in _legs(each) if leg.opens]
    if len(worse) > 1 and max(worse) - min(worse) <= SAME and worse[0] >= -SAME:
        found["slippage"] = 0.0 if worse[0] <= SAME else worse[0]
    known = {symbol: fees for symbol, each in books.items() if (fees := _read_fee(each)) is not None}
    if known and len(known) == len(books):
        schedules = {symbol: schedule_of(result, symbol) for symbol in result.symbols}
        if any(not _equal(schedules[symbol], fees) for symbol, fees in known.items() if symbol in schedules):
            first = next(iter(known.values()))
            one = all(_equal(first, fees) for fees in known.values())
            found["commission"] = first if one else {**schedules, **known}
    own_fill, alike = str(own["fill"]), dict[str, float]()
    for fill in (own_fill, *(each for each in FILLS if each != own_fill)):
        alike[fill] = _likeness(run_again(own, **found | {"fill": fill}), books)
    best = max(alike, key=alike.__getitem__)
    return found | {"fill": best if alike[best] >= LIKENESS_MIN else own_fill}


def _read_fee(positions: Positions) -> Fees | None:
    rule = positions.fee
    if rule is None or min(rule.rate, rule.per_unit, rule.fixed) < 0.0:
        return None
    return Fees(rule.rate, rule.per_unit, rule.fixed, max(rule.minimum, 0.0))


def _likeness(run: PortfolioResult, books: Mapping[str, Positions]) -> float:
    """Return the share of fills that are in both, on the same bar, side and price, slippage aside."""
    columns, stamps = run.order_columns, run.index.as_unit("ns").asi8
    units, side = columns["units"], np.sign(columns["units"])
    price = columns["price"] * run.multipliers[columns["instrument"]]
    quoted = price - side * columns["slippage"] / np.abs(units)
    symbols = [run.symbols[j] for j in columns["instrument"].tolist()]
    fills = [*zip(symbols, stamps[columns["filled_at"]].tolist(), side.tolist(), quoted.tolist(), strict=True)]
    fills += [(symbol, leg.bar, leg.side, leg.quoted) for symbol, each in books.items() for leg in _legs(each)]
    counts: dict[tuple[str, int, float, float], int] = {}
    for symbol, stamp, way, at in fills:
        key = (symbol, stamp, way, float(f"{at:.6g}"))
        counts[key] = counts.get(key, 0) + 1
    return sum(count > 1 for count in counts.values()) / max(len(counts), 1)


def _legs(positions: Positions) -> list[Leg]:
    return [leg for episode in positions.episodes for leg in episode.legs]


def _equal(one: Any, two: Any) -> bool:
    """Tell whether two values of an option are one; frames and mappings of them by their content."""
    import pandas as pd

    if isinstance(one, Mapping) and isinstance(two, Mapping):
        return one.keys() == two.keys() and all(_equal(one[key], two[key]) for key in one)
    if isinstance(one, pd.DataFrame | pd.Series) or isinstance(two, pd.DataFrame | pd.Series):
        return type(one) is type(two) and bool(one.equals(two))
    if isinstance(one, Fees | int | float) and isinstance(two, Fees | int | float):
        ours, theirs = fees_of(one), fees_of(two)
        return all(same(ours[key], theirs[key]) or abs(ours[key] - theirs[key]) <= SAME for key in ours)
    return bool(one == two)


def _shown(value: Any) -> str:
    if isinstance(value, Fees):
        return " + ".join(f"{name} {number:g}" for name, number in vars(value).items() if number) or "none"
    if isinstance(value, Mapping):
        return f"by symbol ({len(value)})"
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _changed_fills(a: PortfolioResult, b: PortfolioResult) -> int:
    """Return how many fills are not the same in both, decisions and money alike."""
    keys = []
    for run in (a, b):
        columns, symbols = run.order_columns, run.symbols
        stamps = run.index.as_unit("ns").asi8[columns["filled_at"]].tolist()
        names = [symbols[j] for j in columns["instrument"].tolist()]
        keys.append(set(zip(names, stamps, columns["units"].tolist(), columns["price"].tolist(), strict=True)))
    return max(len(keys[0] - keys[1]), len(keys[1] - keys[0]))


def _by_symbol(a: PortfolioResult, b: PortfolioResult) -> dict[str, float]:
    """Return what a step changed of what each instrument earned."""
    earned = [dict((run.contributions["pnl"] + run.contributions["open_pnl"]).items()) for run in (a, b)]
    symbols = dict.fromkeys([*a.symbols, *b.symbols])
    return {symbol: float(earned[1].get(symbol, 0.0) - earned[0].get(symbol, 0.0)) for symbol in symbols}
