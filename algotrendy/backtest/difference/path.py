"""The way from one ledger to the other: one attribute replaced at a time, the account gone through again each time.

A part is what the final equity changes by in its step, so the parts of a path add up to the gap whatever the order.
How much falls to each does depend on the order; it is fixed, see `ORDER`, and explained on the how-to page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from algotrendy.backtest.definitions import moment_text as _when
from algotrendy.backtest.difference.ledger import Ledger, PortfolioLedger, as_portfolio
from algotrendy.backtest.difference.matching import Joint
from algotrendy.backtest.difference.positions import book_of, same
from algotrendy.backtest.difference.replay import Both, Worth, both_of, worth

ORDER = (
    "initial cash",
    "first bar",
    "data",
    "actions",
    "timing",
    "fill price",
    "fees",
    "sizing",
    "borrow",
    "financing",
    "ties",
    "missed trades",
    "forced exit",
)
"""What the account is given, then how it is treated, then what was decided otherwise, then how it ends."""

PARTS = (*ORDER, "rest")


@dataclass(frozen=True, slots=True)
class Part:
    """One cause of a difference.

    Attributes
    ----------
    name : str
        One of `PARTS`.
    amount : float
        What the final equity changes by because of it, in currency.
    evidence : str
        What it was seen by.
    fills : int
        How many fills it touches.
    by_symbol : mapping of str to float
        Of several instruments, what of the amount each had; the remainder is cash: what the account began with, and
        interest. Empty for one instrument.
    """

    name: str
    amount: float
    evidence: str = ""
    fills: int = 0
    by_symbol: Mapping[str, float] = field(default_factory=dict)


def decompose(first: Ledger | PortfolioLedger, second: Ledger | PortfolioLedger) -> tuple[Part, ...]:
    """Return the parts of the difference between two ledgers; they add up to the gap of their final equities.

    Of several instruments, one that a ledger has not is one that it does not trade.

    Examples
    --------
    >>> import pandas as pd
    >>> from dataclasses import replace
    >>> from algotrendy.backtest.difference.ledger import Fill
    >>> days = pd.date_range("2024-01-01", periods=2)
    >>> bars = pd.DataFrame({name: [10.0, 11.0] for name in ("open", "high", "low", "close")}, index=days)
    >>> fill = Fill(filled_at=days[0], units=5.0, price=10.0)
    >>> free = Ledger(name="free", cash=100.0, fills=(fill,), bars=bars)
    >>> paid = Ledger(name="paid", cash=100.0, fills=(replace(fill, commission=1.0),), bars=bars)
    >>> [(part.name, round(part.amount, 9)) for part in decompose(free, paid) if part.amount]
    [('fees', -1.0)]
    """
    both = both_of(as_portfolio(first), as_portfolio(second))
    own = [reported(first), reported(second)]
    done: set[str] = set()
    start = before = worth(both, done)
    parts = []
    for name in ORDER:
        done.add(name)
        after = worth(both, done)
        touched = _touched(both, name)
        parts.append(
            Part(name, after.equity - before.equity, _evidence(name, touched, both), len(touched), _by(before, after))
        )
        before = after
    rest = (own[1] - before.equity) - (own[0] - start.equity)
    parts.append(Part("rest", rest, _rest_evidence(first, second)))
    return tuple(parts)


def _by(before: Worth, after: Worth) -> dict[str, float]:
    """Return what a step changed of what each instrument earned; nothing is said of one alone."""
    if len(after.earned) < 2:
        return {}
    return {symbol: after.earned[symbol] - before.earned[symbol] for symbol in after.earned}


def reported(ledger: Ledger | PortfolioLedger) -> float:
    """Return what a ledger says it ended with, or what its fills add up to."""
    return settled(ledger) if ledger.final_equity is None else ledger.final_equity


def settled(ledger: Ledger | PortfolioLedger) -> float:
    """Return what the fills of a ledger add up to: cash, and units at the last close."""
    whole = as_portfolio(ledger)
    return whole.cash + sum(map(_earned, whole.members.values())) - whole.financing


def _earned(ledger: Ledger) -> float:
    """Return what an instrument brought in."""
    if ledger.actions:
        [positions] = book_of(as_portfolio(ledger)).positions.values()
        return positions.earned
    paid = sum(fill.units * fill.price + fill.commission + fill.borrow for fill in ledger.fills)
    held = sum(fill.units for fill in ledger.fills)
    if abs(held) <= 1e-9 * max((abs(fill.units) for fill in ledger.fills), default=0.0):
        held = 0.0
    return held * ledger.last_price - paid - ledger.open_borrow


# --- what was seen ---


def _touched(both: Both, name: str) -> list[tuple[str, Joint]]:
    """Return the fills that a step changes, with their instruments, in time."""
    found = [
        (symbol, joint)
        for symbol, pair in both.pairs.items()
        for episode in pair.joints
        for joint in episode.legs
        if _touches(joint, name)
    ]
    return sorted(found, key=lambda each: each[1].known.bar) if len(both.pairs) > 1 else found


def _touches(joint: Joint, name: str) -> bool:
    """Tell whether a step changes a fill."""
    if joint.a is None or joint.b is None:
        return joint.lone == name
    if joint.moved is not None and joint.moved == name:
        return True
    a, b = joint.a, joint.b
    match name:
        case "data":
            return not same(joint.data_quoted, a.quoted, 1e-12)
        case "fill price":
            return not same(a.slip, b.slip, 1e-12) or (
                joint.moved is None and not same(joint.data_quoted, b.quoted, 1e-12)
            )
        case "fees":
            return not same(a.fee.charge(b.units, b.price), b.fee.charge(b.units, b.price))
        case "sizing":
            return a.size != b.size
        case "borrow":
            return not same(a.borrow, b.borrow)
    return False


def _evidence(name: str, touched: Sequence[tuple[str, Joint]], both: Both) -> str:
    a, b = both.a.ledger, both.b.ledger
    found = []
    if name == "initial cash" and a.cash != b.cash:
        found.append(f"{b.name} began with {b.cash:,.2f} instead of {a.cash:,.2f}")
    if name == "financing" and a.financing != b.financing:
        found.append(f"{b.name} paid {b.financing:,.2f} of interest instead of {a.financing:,.2f}")
    if name == "actions":
        found += _action_evidence(both)
    if name in ("first bar", "data"):
        found += _bars_evidence(name, both)
    return "; ".join(text for text in (*found, _fill_evidence(name, touched)) if text)


def _action_evidence(both: Both) -> list[str]:
    """Say of how many splits and dividends only one of the two knows."""
    texts = []
    for which, ledger in enumerate((both.a.ledger, both.b.ledger)):
        alone = sum(each.only[which] for each in both.pairs.values())
        if alone:
            texts.append(f"{alone:,} splits and dividends are in {ledger.name} alone, or otherwise there")
    return texts


def _bars_evidence(name: str, both: Both) -> list[str]:
    """Say which bars begin or end elsewhere; of several instruments the first one."""
    a, b = both.a.ledger, both.b.ledger
    for symbol, pair in both.pairs.items():
        ours, theirs = pair.a.ledger, pair.b.ledger
        of = f" of {symbol}" if symbol else ""
        if pair.absent is not None:
            if name == "data":
                return [f"{(b if pair.absent else a).name} has no bars{of}"]
            continue
        if name == "first bar" and ours.stamps[0] != theirs.stamps[0]:
            return [f"{b.name} begins on {_when(theirs.bars.index[0])}{of}, {a.name} on {_when(ours.bars.index[0])}"]
        if name == "data" and ours.stamps[-1] != theirs.stamps[-1]:
            return [f"{b.name} ends on {_when(theirs.bars.index[-1])}{of}, {a.name} on {_when(ours.bars.index[-1])}"]
    return []


def _fill_evidence(name: str, touched: Sequence[tuple[str, Joint]]) -> str:
    if not touched:
        return ""
    symbol, first = touched[0]
    count = f"{len(touched):,} fill{'s' if len(touched) > 1 else ''}"
    words = _one(name, first)
    of = f"{symbol} " if symbol else ""
    when = ("first " if len(touched) > 1 else "") + of + _when(first.known.at)
    return f"{count}, {when}{': ' if words else ''}{words}"


def _one(name: str, joint: Joint) -> str:
    """Return what a step changes about one fill."""
    a, b = joint.a, joint.b
    if a is None or b is None:
        leg = joint.known
        deed = "buys" if leg.side > 0 else "sells"
        return f"only {'the first' if b is None else 'the second'} {deed} {leg.units:,.6g} at {leg.price:,.6g}"
    match name:
        case "fill price" if not same(a.slip, b.slip, 1e-12):
            return f"{_percent(b.worse)} worse than quoted instead of {_percent(a.worse)}"
        case "fill price":
            return f"quoted {b.quoted:,.6g} instead of {joint.data_quoted:,.6g}"
        case "data":
            return f"{joint.data_quoted:,.6g} on these bars instead of {a.quoted:,.6g}"
        case "fees":
            paid = [leg.fee.charge(b.units, b.price) for leg in (a, b)]
            return f"{paid[1]:,.2f} is paid for it instead of {paid[0]:,.2f}"
        case "sizing":
            return f"{b.units:,.6g} units instead of {a.units:,.6g}"
        case "borrow":
            return f"{b.borrow * b.units:,.2f} paid instead of {a.borrow * a.units:,.2f}"
    return f"at {_when(b.at)} instead of {_when(a.at)}" if joint.moved else ""


def _percent(fraction: float) -> str:
    return f"{0.0 if abs(fraction) < 1e-12 else 100.0 * fraction:.4g} %"


def _rest_evidence(a: Ledger | PortfolioLedger, b: Ledger | PortfolioLedger) -> str:
    texts = []
    for ledger in (a, b):
        apart = reported(ledger) - settled(ledger)
        if abs(apart) > 1e-9 * max(abs(ledger.cash), 1.0):
            texts.append(f"{ledger.name} reports {apart:+,.2f} that its fills do not add up to")
    return "; ".join(texts)
