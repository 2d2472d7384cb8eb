"""Backtests as ledgers, and the part of the way that can be gone by running a backtest again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.costs import Fees
from algotrendy.backtest.curves import fees_of
from algotrendy.backtest.definitions import moment_text
from algotrendy.backtest.difference.bars import borrow_of_fills, from_same_start, rows_text, same_bars
from algotrendy.backtest.difference.ledger import Fill, Ledger, stamps_of
from algotrendy.backtest.difference.path import Part
from algotrendy.backtest.difference.positions import SAME, Leg, Positions, positions_of, same
from algotrendy.backtest.difference.ties import condition_ties, touch_ties
from algotrendy.backtest.repeat import can_repeat, options_of, repeat, strategy_of
from algotrendy.backtest.result import REASONS, BacktestResult
from algotrendy.backtest.setting import LEAST_BARS, prepare
from algotrendy.domain.types import Int1D
from algotrendy.kernels.orders_types import FILLS

if TYPE_CHECKING:
    import pandas as pd


LIKENESS_MIN = 0.5
"""With fewer fills alike a fill convention is not read off a list: by chance one of three is always the most alike."""


def ledger_of(result: BacktestResult, name: str = "the run", *, strategy: Any = None) -> Ledger:
    """Return what a backtest leaves behind as a ledger.

    Examples
    --------
    >>> import algotrendy as at
    >>> result = at.backtest(at.strategies.buy_and_hold(), at.synthetic(n=50, seed=1))
    >>> ledger = ledger_of(result)
    >>> len(ledger.fills), ledger.fraction
    (1, 1.0)
    """
    given = result.assumptions
    borrow = result.trade_columns["borrow"]
    fraction = _fraction(result)
    _, _, lot = str(given.get("units", "")).partition("whole lots of ")
    return Ledger(
        name=name,
        cash=result.cash,
        fills=tuple(_fills(result)),
        bars=result.bars,
        final_equity=float(result.equity_values[-1]),
        fees=Fees(**fees_of(given.get("commission"))),
        fraction=fraction,
        lot_size=float(lot) if lot else 0.0,
        open_borrow=float(result.metrics.get("borrow_paid", 0.0)) - float(borrow.sum()),
        ties=tie_stamps(result, strategy),
    )


def _fills(result: BacktestResult) -> Iterator[Fill]:
    columns, index = result.order_columns, list(result.bars.index)
    borrow = borrow_of_fills(columns, result.trade_columns).tolist()
    names = ("decided_at", "filled_at", "units", "price", "commission", "slippage", "reason")
    for row, (decided, filled, units, price, commission, lost, code) in enumerate(
        zip(*(columns[name].tolist() for name in names), strict=True)
    ):
        yield Fill(
            filled_at=index[int(filled)],
            decided_at=index[int(decided)],
            units=units,
            price=price,
            quoted=float(price - np.sign(units) * lost / abs(units) if lost else price),
            commission=commission,
            borrow=borrow[row],
            reason=REASONS[int(code)],
        )


def _fraction(result: BacktestResult) -> float | None:
    """Return the fraction of the equity that entries use; None if it is not one number."""
    if result.strategy.get("kind") == "stateful":
        return None
    size = result.strategy.get("size")
    if size is None:
        size = 1.0
    if isinstance(size, bool) or not isinstance(size, int | float):
        return None
    return min(float(size), float(result.assumptions.get("max_leverage", 1.0)))


# --- ties ---


def tie_stamps(result: BacktestResult, strategy: Any = None) -> Int1D:
    """Return the stamps of bars on which a comparison of the strategy, or a touch of a level, stood at a tie."""
    tied = touch_ties(result.bars, tuple(_fills(result)))
    if "schema" in result.strategy and can_repeat(result, strategy):
        decided: Any = strategy_of(result.strategy)
        setting = prepare(result.bars, **options_of(result.assumptions, result.bars))
        tied |= condition_ties(decided, setting.arrays, setting.context)
    return stamps_of(result.bars)[tied]


# --- the way by running again ---

_STEPS = (
    ("initial cash", ("cash",)),
    ("timing", ("fill",)),
    ("fill price", ("slippage",)),
    ("fees", ("commission",)),
    ("sizing", ("units", "lot_size", "max_leverage")),
    ("borrow", ("borrow",)),
)
"""Parts and the options that they are due to, in the order of `path.ORDER`."""


def reruns(
    result: BacktestResult, other: BacktestResult | Ledger, strategy: Any = None
) -> tuple[BacktestResult, list[Part]]:
    """Run `result` again on the bars and with the options of another account, one after the other.

    A backtest says what its options are; of a ledger only those that can be read off its fills are taken.

    Returns
    -------
    nearest : BacktestResult
        The last run: what is left between it and the other is in the decisions.
    parts : list of Part
        What each step changed.
    """
    steps = list(_steps(result, other, strategy))
    parts: list[Part] = []
    here, given, changes = result, result.bars, dict[str, Any]()
    for name, frame, options, words in steps:
        given = given if frame is None else frame
        changes |= options
        then = repeat(result, bars=given, strategy=strategy, **changes)
        amount = float(then.equity_values[-1]) - float(here.equity_values[-1])
        parts.append(Part(name, amount, f"{words}: run again with it", _changed_fills(here, then)))
        here = then
    return here, parts


def _steps(
    result: BacktestResult, other: BacktestResult | Ledger, strategy: Any
) -> Iterator[tuple[str, pd.DataFrame | None, dict[str, Any], str]]:
    bars = other.bars
    if isinstance(other, BacktestResult) and other.cash != result.cash:
        yield "initial cash", None, {"cash": other.cash}, f"cash {other.cash:,.2f} instead of {result.cash:,.2f}"
    aligned = from_same_start(result.bars, bars)
    if bars.index[0] != result.bars.index[0] and len(aligned) >= LEAST_BARS:
        text = f"bars from {moment_text(bars.index[0])} instead of {moment_text(result.bars.index[0])}"
        yield "first bar", aligned, {}, text
    if not same_bars(aligned, bars):
        yield "data", bars, {}, rows_text(result.bars, bars)
    own = options_of(result.assumptions, bars)
    if isinstance(other, Ledger):
        theirs = own | read_options(result, positions_of(other), strategy)
    else:
        theirs = options_of(other.assumptions, bars)
    for name, keys in _STEPS[1:]:
        changed = {key: theirs.get(key, 1.0) for key in keys if not _equal(own.get(key, 1.0), theirs.get(key, 1.0))}
        if changed:
            part = name
            if name == "timing" and "same_close" not in (own["fill"], theirs["fill"]):
                part = "fill price"  # both are filled on the next bar, at its open or at its close
            words = ", ".join(
                f"{key} {_shown(value)} instead of {_shown(own.get(key))}" for key, value in changed.items()
            )
            yield part, None, changed, words


def read_options(result: BacktestResult, theirs: Positions, strategy: Any = None) -> dict[str, Any]:
    """Return the options that a ledger shows: slippage and fees that all fills share, and when decisions are filled.

    The fill convention is the one with which the run makes most of the fills of the ledger, if that is more than with
    its own and at least half of them.
    """
    found: dict[str, Any] = {}
    if theirs.worse is not None and theirs.worse >= 0.0 and len(theirs.episodes) > 1:
        found["slippage"] = 0.0 if theirs.worse <= SAME else theirs.worse
    if theirs.fee is not None and min(theirs.fee.rate, theirs.fee.per_unit, theirs.fee.fixed) >= 0.0:
        found["commission"] = Fees(theirs.fee.rate, theirs.fee.per_unit, theirs.fee.fixed, max(theirs.fee.minimum, 0.0))
    own = str(result.assumptions["fill"])
    alike = {
        fill: _likeness(repeat(result, bars=theirs.ledger.bars, strategy=strategy, **found | {"fill": fill}), theirs)
        for fill in (own, *(fill for fill in FILLS if fill != own))
    }
    best = max(alike, key=alike.__getitem__)
    return found | {"fill": best if alike[best] >= LIKENESS_MIN else own}


def _likeness(run: BacktestResult, theirs: Positions) -> float:
    """Return the share of fills that are in both, on the same bar, side and price, slippage aside."""
    legs = [leg for positions in (positions_of(ledger_of(run)), theirs) for leg in _legs(positions)]
    counts: dict[tuple[int, float, float], int] = {}
    for leg in legs:
        key = (leg.bar, leg.side, float(f"{leg.quoted:.6g}"))
        counts[key] = counts.get(key, 0) + 1
    return sum(count > 1 for count in counts.values()) / max(len(counts), 1)


def _legs(positions: Positions) -> list[Leg]:
    return [leg for episode in positions.episodes for leg in episode.legs]


def _equal(one: Any, two: Any) -> bool:
    """Tell whether two values of an option are one: numbers read off fills are so up to rounding."""
    if isinstance(one, Fees) and isinstance(two, Fees):
        return all(same(a, b) for a, b in zip(vars(one).values(), vars(two).values(), strict=True))
    if isinstance(one, float) and isinstance(two, float):
        return same(one, two) or abs(one - two) <= SAME
    return bool(one == two)


def _shown(value: Any) -> str:
    if isinstance(value, Fees):
        given = {name: number for name, number in vars(value).items() if number}
        return " + ".join(f"{name} {number:g}" for name, number in given.items()) or "none"
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _changed_fills(a: BacktestResult, b: BacktestResult) -> int:
    """Return how many fills are not the same in both, decisions and money alike."""
    keys = []
    for run in (a, b):
        stamps = stamps_of(run.bars)[run.order_columns["filled_at"]].tolist()
        money = (run.order_columns[name].tolist() for name in ("units", "price"))
        keys.append(set(zip(stamps, *money, strict=True)))
    return max(len(keys[0] - keys[1]), len(keys[1] - keys[0]))
