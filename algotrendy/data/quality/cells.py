"""Faults that one row shows by itself: prices that are none, and highs, lows, opens and closes that contradict."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from algotrendy.data.quality.issue import Issue, Remedy, listed, number, plural
from algotrendy.data.quality.registry import Check
from algotrendy.data.quality.subject import Subject
from algotrendy.domain.bars import PRICES
from algotrendy.domain.faults import ROOM, stamp_text
from algotrendy.domain.types import Bool1D, Float1D

_GRAVE = 0.01
"""A contradiction by more than 1 % of the price is an error; less may be rounding or an auction left out."""


def find_no_prices(subject: Subject) -> Iterator[Issue]:
    """Find prices that are missing, infinite, zero or negative."""
    if not len(subject.stamps) or subject.sound.all():
        return
    prices = {name: subject.columns[name] for name in PRICES}
    tests: dict[str, tuple[str, Callable[[Float1D], Bool1D]]] = {
        "missing_price": ("missing (NaN)", np.isnan),
        "infinite_price": ("infinite", np.isinf),
        "not_positive": ("zero or negative", lambda column: np.isfinite(column) & (column <= 0.0)),
    }
    taken = np.zeros(len(subject.stamps), dtype=bool)  # a row is told of once: it is left out once
    for kind, (claim, test) in tests.items():
        bad = {name: test(column) for name, column in prices.items()}
        rows = np.flatnonzero(np.logical_or.reduce(list(bad.values())) & ~taken)
        if not rows.size:
            continue
        taken[rows] = True
        names = [name for name in PRICES if bad[name][rows].any()]
        first = int(rows[0])
        values = ", ".join(f"{name} {number(prices[name][first])}" for name in PRICES)
        yield Issue(
            kind=kind,
            severity="error",
            certainty="definite",
            score=1.0,
            evidence=f"{listed(names)} {claim} in {plural(rows.size, 'bar')} of {len(taken):,};"
            f" first {stamp_text(subject.stamp(first))}: {values}",
            proposal="leave the rows out: a bar without its prices is none",
            columns=tuple(names),
            remedy=Remedy(action="drop", rows=rows, seen=subject.seen),
            **subject.span(rows),
        )


def find_contradictions(subject: Subject) -> Iterator[Issue]:
    """Find bars whose high is below their low, or whose open or close lies outside of both."""
    if not len(subject.stamps):
        return
    open, high, low, close = (subject.columns[name] for name in PRICES)
    top, bottom = np.maximum(open, close), np.minimum(open, close)
    with np.errstate(invalid="ignore"):
        beyond = (high < low * (1.0 - ROOM)) | (top > high * (1.0 + ROOM)) | (bottom < low * (1.0 - ROOM))
        bad = subject.sound & beyond
        swapped = bad & (high < low) & (top <= low * (1.0 + ROOM)) & (bottom >= high * (1.0 - ROOM))
    if swapped.any():
        yield _contradiction(subject, swapped, "swap")
    if (bad & ~swapped).any():
        yield _contradiction(subject, bad & ~swapped, "widen")


def _contradiction(subject: Subject, bad: Bool1D, action: str) -> Issue:
    rows = np.flatnonzero(bad)
    open, high, low, close = (subject.columns[name][rows] for name in PRICES)
    over = np.maximum(np.maximum(open, close) - high, low - np.minimum(open, close)) / close
    over = np.maximum(over, (low - high) / close)
    worst = int(over.argmax())
    outside = {
        "high below low": int((high < low).sum()),
        "open outside [low, high]": int(((open > high * (1 + ROOM)) | (open < low * (1 - ROOM))).sum()),
        "close outside [low, high]": int(((close > high * (1 + ROOM)) | (close < low * (1 - ROOM))).sum()),
    }
    said = ", ".join(f"{what} in {count:,}" for what, count in outside.items() if count)
    place = int(rows[worst])
    values = ", ".join(f"{name} {number(subject.columns[name][place], 8)}" for name in PRICES)
    return Issue(
        kind="contradiction",
        severity="error" if over[worst] > _GRAVE or action == "swap" else "warning",
        certainty="definite",
        score=1.0,
        evidence=f"{said} of {len(bad):,} bars, by up to {over[worst]:.2%} of the price"
        f" ({stamp_text(subject.stamp(place))}: {values})",
        proposal="swap high and low" if action == "swap" else "widen [low, high] to hold open and close",
        columns=("high", "low"),
        measures={"largest": float(over[worst])},
        remedy=Remedy(
            action="swap" if action == "swap" else "widen", rows=rows, seen=subject.seen, columns=("high", "low")
        ),
        **subject.span(rows),
    )


NO_PRICES = Check(
    "prices",
    {
        "missing_price": "a price that is NaN",
        "infinite_price": "a price that is infinite",
        "not_positive": "a price that is zero or negative",
    },
    find_no_prices,
)
CONTRADICTIONS = Check(
    "contradictions", {"contradiction": "high below low, or open or close outside of both"}, find_contradictions
)
