"""Crossed quotes: a bid above the ask."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from algotrendy.data.quality.issue import Issue, number, plural
from algotrendy.data.quality.registry import Check
from algotrendy.data.quality.stamps import NAT, instants_of
from algotrendy.data.quality.subject import Subject, read_index
from algotrendy.domain.faults import stamp_text

_FIELDS = ("open", "high", "low", "close", "")


def find_crossed(subject: Subject) -> Iterable[Issue] | str:
    """Find bids above asks, in the columns `bid_close` and `ask_close` and the like, or `bid` and `ask`."""
    quotes = subject.frame if subject.quotes is None else subject.quotes
    pairs = _pairs(quotes)
    if not pairs:
        return "no quotes: no columns such as bid_close and ask_close"
    index = subject.index if subject.quotes is None else read_index(quotes)
    return list(_crossed(index, pairs))


def _pairs(quotes: pd.DataFrame) -> dict[str, tuple[Any, Any]]:
    labels = {"_".join(str(label).strip().lower().split()): label for label in quotes.columns}
    pairs = {}
    for field in _FIELDS:
        bid, ask = (f"{side}_{field}".rstrip("_") for side in ("bid", "ask"))
        if bid in labels and ask in labels:
            sides = (pd.to_numeric(quotes[labels[name]], errors="coerce").to_numpy(np.float64) for name in (bid, ask))
            pairs[field or "quote"] = tuple(sides)
    return pairs  # type: ignore[return-value]  # a generator of two


def _crossed(index: pd.DatetimeIndex, pairs: dict[str, tuple[Any, Any]]) -> Iterator[Issue]:
    stamps = instants_of(index)
    for field, (bid, ask) in pairs.items():
        with np.errstate(invalid="ignore"):
            over = bid - ask
            rows = np.flatnonzero(over > 1e-12 * np.abs(ask))
        if not rows.size:
            continue
        spread = float(np.nanmedian(-over[over <= 0.0])) if (over <= 0.0).any() else float("nan")
        worst = int(rows[over[rows].argmax()])
        known = rows[stamps[rows] != NAT]
        ends = index[known[stamps[known].argmin()]], index[known[stamps[known].argmax()]]
        names = (f"bid_{field}", f"ask_{field}") if field != "quote" else ("bid", "ask")
        yield Issue(
            kind="crossed_quotes",
            severity="warning",
            certainty="definite",
            score=1.0,
            first=ends[0],
            last=ends[1],
            count=int(rows.size),
            evidence=f"the {field} bid lies above the ask in {plural(rows.size, 'bar')} of {len(stamps):,}, by up to"
            f" {number(over[worst])} ({stamp_text(index[worst])}: bid {number(bid[worst], 8)},"
            f" ask {number(ask[worst], 8)}); the usual spread is {number(spread)}",
            proposal="by hand: take the middle, or leave these bars out where a spread is paid",
            columns=names,
            rows=rows,
            measures={"largest": float(over[worst]), "usual_spread": spread},
        )


QUOTES = Check("quotes", {"crossed_quotes": "a bid above the ask"}, find_crossed)
