"""The way from one ledger to the other: one attribute replaced at a time, the account gone through again each time.

A part is what the final equity changes by in its step, so the parts of a path add up to the gap whatever the order.
How much falls to each does depend on the order; it is fixed, see `ORDER`, and explained on the how-to page.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from algotrendy.backtest.definitions import moment_text as _when
from algotrendy.backtest.difference.ledger import Ledger
from algotrendy.backtest.difference.matching import Joint, JointEpisode, joined
from algotrendy.backtest.difference.positions import FeeRule, Positions, Size, positions_of, same

ORDER = (
    "initial cash",
    "first bar",
    "data",
    "timing",
    "fill price",
    "fees",
    "sizing",
    "borrow",
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
    """

    name: str
    amount: float
    evidence: str = ""
    fills: int = 0


def decompose(first: Ledger, second: Ledger) -> tuple[Part, ...]:
    """Return the parts of the difference between two ledgers; they add up to the gap of their final equities.

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
    a, b = positions_of(first), positions_of(second)
    joints = joined(a, b)
    account = partial(_final, joints=joints, a=a, b=b)
    own = [reported(first), reported(second)]
    done: set[str] = set()
    start = before = account(done)
    parts = []
    for name in ORDER:
        done.add(name)
        after = account(done)
        touched = [joint for episode in joints for joint in episode.legs if _touches(joint, name)]
        parts.append(Part(name, after - before, _evidence(name, touched, a, b), len(touched)))
        before = after
    parts.append(Part("rest", (own[1] - before) - (own[0] - start), _rest_evidence(first, second)))
    return tuple(parts)


def reported(ledger: Ledger) -> float:
    """Return what a ledger says it ended with, or what its fills add up to."""
    return settled(ledger) if ledger.final_equity is None else ledger.final_equity


def settled(ledger: Ledger) -> float:
    """Return what the fills of a ledger add up to: cash, and units at the last close."""
    paid = sum(fill.units * fill.price + fill.commission + fill.borrow for fill in ledger.fills)
    held = sum(fill.units for fill in ledger.fills)
    if abs(held) <= 1e-9 * max((abs(fill.units) for fill in ledger.fills), default=0.0):
        held = 0.0
    return ledger.cash - paid + held * ledger.last_price - ledger.open_borrow


# --- the account on the way ---


class _Terms(NamedTuple):
    """What the account needs of a fill at a point of the way."""

    opens: bool
    side: float
    price: float
    fee: FeeRule
    size: Size
    borrow: float


def _final(done: Collection[str], *, joints: Sequence[JointEpisode], a: Positions, b: Positions) -> float:
    """Return the final equity with the attributes in `done` taken from `b`, the others from `a`."""
    cash = (b if "initial cash" in done else a).ledger.cash
    last = (b if "data" in done else a).ledger.last_price
    for episode in joints:
        held = 0.0
        for joint in episode.legs:
            terms = _terms(joint, done) if joint.lone is None else _lone_terms(joint, done, a, b)
            if terms is None or (not terms.opens and held == 0.0):
                continue
            opens, side, price, fee, size, borrow = terms
            units = size.units(cash + held * price if opens else abs(held), price, fee)
            cash -= side * units * price + fee.charge(abs(units), price) + borrow * abs(units)
            held = 0.0 if not opens and size.value == 1.0 else held + side * units
        cash += held * last - abs(held) * episode.open_borrow["borrow" in done]
    return cash


def _terms(joint: Joint, done: Collection[str]) -> _Terms:
    """Return a fill that both have as it is at a point of the way."""
    a, b = joint.a, joint.b
    assert a is not None
    assert b is not None
    quoted = joint.data_quoted if "data" in done else a.quoted
    if (joint.moved or "fill price") in done:
        quoted = b.quoted
    return _Terms(
        a.opens,
        a.side,
        quoted * (b if "fill price" in done else a).slip,
        (b if "fees" in done else a).fee,
        (b if "sizing" in done else a).size,
        (b if "borrow" in done else a).borrow,
    )


def _lone_terms(joint: Joint, done: Collection[str], a: Positions, b: Positions) -> _Terms | None:
    """Return a fill that one ledger alone has, by the habits of the ledger that the account has come to by then.

    None: it is not there at that point of the way. A habit counts where both ledgers do all in one way.
    """
    mine = joint.a is not None
    if (joint.lone in done) == mine:
        return None
    leg = joint.known
    own, foreign = (a, b) if mine else (b, a)
    quoted, slip, fee, size = leg.quoted, leg.slip, leg.fee, leg.size
    if mine and "data" in done:
        quoted = joint.data_quoted
    if ("fill price" in done) == mine and own.worse is not None and foreign.worse is not None:
        slip = slip if leg.reason == "target" else 1.0 + leg.side * foreign.worse
    if ("fees" in done) == mine and own.fee is not None and foreign.fee is not None:
        fee = foreign.fee
    if ("sizing" in done) == mine and own.size is not None and foreign.size is not None and leg.opens:
        size = foreign.size
    return _Terms(leg.opens, leg.side, quoted * slip, fee, size, leg.borrow)


# --- what was seen ---


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


def _evidence(name: str, touched: Sequence[Joint], a: Positions, b: Positions) -> str:
    found = [_ledger_evidence(name, a.ledger, b.ledger), _fill_evidence(name, touched)]
    return "; ".join(text for text in found if text)


def _ledger_evidence(name: str, a: Ledger, b: Ledger) -> str:
    if name == "initial cash" and a.cash != b.cash:
        return f"{b.name} began with {b.cash:,.2f} instead of {a.cash:,.2f}"
    if name == "first bar" and a.stamps[0] != b.stamps[0]:
        return f"{b.name} begins on {_when(b.bars.index[0])}, {a.name} on {_when(a.bars.index[0])}"
    if name == "data" and a.stamps[-1] != b.stamps[-1]:
        return f"{b.name} ends on {_when(b.bars.index[-1])}, {a.name} on {_when(a.bars.index[-1])}"
    return ""


def _fill_evidence(name: str, touched: Sequence[Joint]) -> str:
    if not touched:
        return ""
    first = touched[0]
    count = f"{len(touched):,} fill{'s' if len(touched) > 1 else ''}"
    words = _one(name, first)
    when = ("first " if len(touched) > 1 else "") + _when(first.known.at)
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


def _rest_evidence(a: Ledger, b: Ledger) -> str:
    texts = []
    for ledger in (a, b):
        apart = reported(ledger) - settled(ledger)
        if abs(apart) > 1e-9 * max(abs(ledger.cash), 1.0):
            texts.append(f"{ledger.name} reports {apart:+,.2f} that its fills do not add up to")
    return "; ".join(texts)
