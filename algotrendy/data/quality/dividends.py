"""Dividends against the adjusted close: adjustments that are missing or of the wrong size, and wrong dividends.

On an ex-day the ratio of adjusted to plain close should step by 1 - dividend / close before [1]_. What it does is
compared with what it should do; where the two differ, the drop of the price over the night and the other dividends
of the series say which of them is wrong.

References
----------
.. [1] Center for Research in Security Prices. Data Descriptions Guide: CRSP US Stock and US Index Databases, the
   factor to adjust price.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from algotrendy.data.quality.issue import Issue, Remedy, number, plural
from algotrendy.data.quality.levels import levels_of
from algotrendy.data.quality.registry import Check
from algotrendy.data.quality.subject import Subject
from algotrendy.domain.faults import stamp_text
from algotrendy.domain.types import Float1D

_ROOM = 0.2
"""An adjustment is right if it is within a fifth of what it should be: vendors take other closes and round."""
_LEAST = 2e-4
"""Steps smaller than this are the rounding of an adjusted close."""
_GRAVE = 0.005
_LARGE = 0.15
"""A dividend of more than 15 % of the price is asked whether it is in the unit of the price."""
_REPEAT_DAYS = 10
"""The same dividend twice within so many days is one dividend told twice; monthly payers are further apart."""


class _Step(NamedTuple):
    """One dividend, the bar of its ex-day, what the adjusted close should do there and what it does, as logs."""

    place: int
    dividend: float
    should: float
    does: float
    later: float


def find_dividends(subject: Subject) -> Iterable[Issue] | str:
    """Find dividends that the adjusted close does not show, shows in the wrong size, or that cannot be."""
    if not subject.dividends.values.size:
        return "no dividends are known"
    if "adj_close" not in subject.columns:
        return "no adjusted close beside the close"
    return list(_find(subject))


def _find(subject: Subject) -> Iterator[Issue]:
    steps = list(_steps(subject))
    twice = _told_twice(subject, steps)
    hundreds = _hundredfold(subject, steps) - twice
    factors = {**dict.fromkeys(hundreds, 0.01), **dict.fromkeys(twice, 0.0)}
    for place in sorted(factors):
        yield _wrong_dividend(subject, steps[place], factors[place])
    real = [_real_dividend(subject, step, factors.get(place, 1.0)) for place, step in enumerate(steps)]
    if not (subject.clean("adj_close") > 0.0).all():
        yield _rebuilt(subject, real)
        return
    for place, step in enumerate(real):
        if _differs(step):
            yield _adjustment(subject, step, corrected=place in factors)


def _differs(step: _Step) -> bool:
    """Whether the adjusted close does something else than it should, on the day or, of a long bar, on the next."""
    return all(abs(step.should - does) > max(_LEAST, _ROOM * abs(step.should)) for does in (step.does, step.later))


def _steps(subject: Subject) -> Iterator[_Step]:
    """Return what is and what should be on each ex-day, prices and dividends on the level that holds."""
    close, adjusted = _close(subject), subject.clean("adj_close")
    powers = levels_of(subject).powers[:, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(adjusted / subject.close)
    long = subject.interval is not None and subject.interval.unit in ("wk", "mo")
    for date, paid in zip(*subject.dividends, strict=True):
        place = int(np.searchsorted(subject.dates, date, side="right")) - 1 if long else _bar_of(subject, date)
        if not 0 < place < subject.n or subject.dates[place] > date + np.timedelta64(7, "D"):
            continue
        dividend = float(paid) * (1.0 if powers[place] == 0 else 10.0 ** -float(powers[place]))
        does = float(ratio[place - 1] - ratio[place])
        # A long bar begins before the ex-day: some vendors let the step come with the bar after it.
        later = float(ratio[place] - ratio[place + 1]) if long and place + 1 < subject.n else does
        yield _Step(place, dividend, _should(dividend / close[place - 1]), does, later)


def _bar_of(subject: Subject, date: np.datetime64) -> int:
    return int(np.searchsorted(subject.dates, date))


def _close(subject: Subject) -> Float1D:
    return np.exp(levels_of(subject).log_prices[:, 3]) if levels_of(subject).changes else subject.close


def _should(share: float) -> float:
    return float(np.log1p(-share)) if share < 1.0 else -np.inf


def _hundredfold(subject: Subject, steps: list[_Step]) -> set[int]:
    """Return the dividends a hundred times too large: the price did not drop by so much, and a hundredth fits."""
    found = set()
    close = _close(subject)
    for place, step in enumerate(steps):
        share = step.dividend / close[step.place - 1]
        small = _should(share / 100.0)
        fits = abs(step.does - small) < max(_LEAST, _ROOM * abs(small))
        unseen = _drop(subject, step) > 0.5 * max(step.should, -3.0)
        if share > _LARGE and unseen and (fits or share >= 1.0):
            found.add(place)
    return found


def _drop(subject: Subject, step: _Step) -> float:
    """Return the log of the open over the close before."""
    logs = levels_of(subject).log_prices
    return float(logs[step.place, 0] - logs[step.place - 1, 3])


def _told_twice(subject: Subject, steps: list[_Step]) -> set[int]:
    """Return dividends that stand a second time within days; of the two that which the price shows less."""
    found = set()
    for place in range(1, len(steps)):
        one, two = steps[place - 1], steps[place]
        apart = (subject.dates[two.place] - subject.dates[one.place]).astype(np.int64)
        ratio = one.dividend / two.dividend
        if apart > _REPEAT_DAYS or not any(abs(ratio / times - 1.0) < 0.02 for times in (0.01, 1.0, 100.0)):
            continue
        if abs(ratio - 1.0) < 0.02:
            should = max(one.should, two.should)
            found.add(place - 1 if _shown(subject, two, should) >= _shown(subject, one, should) else place)
        else:
            found.add(place - 1 if ratio > 1.0 else place)  # in the wrong unit, and wrong altogether
    return found


def _shown(subject: Subject, step: _Step, should: float) -> float:
    """Return by how much a dividend explains the move over the night better than none does (squared errors)."""
    drop = _drop(subject, step)
    return drop**2 - (drop - should) ** 2


def _real_dividend(subject: Subject, step: _Step, factor: float) -> _Step:
    dividend = step.dividend * factor
    return step._replace(dividend=dividend, should=_should(dividend / _close(subject)[step.place - 1]))


# --- issues ---


def _adjustment(subject: Subject, step: _Step, *, corrected: bool) -> Issue:
    rows = subject.rows[[step.place]]
    earlier = np.sort(subject.rows[: step.place])
    possible = np.isfinite(step.should)
    factor = float(np.exp(step.should - step.does)) if possible else 1.0
    said = "does not step" if abs(step.does) < _LEAST else f"steps by {np.exp(step.does):.4f}"
    return Issue(
        kind="dividend_adjustment",
        severity="error" if abs(step.should - step.does) > _GRAVE else "warning",
        certainty="definite",
        score=1.0,
        evidence=f"dividend {number(step.dividend)} on {stamp_text(subject.stamp(int(rows[0])))} after close"
        f" {number(subject.close[step.place - 1])}: the adjusted close should step by {np.exp(step.should):.4f}"
        f" and {said}" + (" (with the dividend corrected)" if corrected else ""),
        proposal=f"multiply adj_close of the bars before by {factor:.6f}"
        if possible
        else "by hand: the dividend is larger than the price",
        columns=("adj_close",),
        measures={"dividend": step.dividend, "should": float(np.exp(step.should)), "does": float(np.exp(step.does))},
        remedy=Remedy(
            action="scale", rows=earlier, seen=subject.seen, columns=("adj_close",), values=np.array([[factor]])
        ) if possible else None,
        **subject.span(rows),
    )  # fmt: skip


def _rebuilt(subject: Subject, steps: list[_Step]) -> Issue:
    """An adjusted close that is not positive is made anew: close times the steps of all later dividends."""
    bad = ~(subject.clean("adj_close") > 0.0)
    taken = np.zeros(subject.n)
    for step in steps:
        if np.isfinite(step.should):
            taken[: step.place] += step.should
    values = _close(subject) * np.exp(taken)
    rows = subject.rows
    return Issue(
        kind="dividend_adjustment",
        severity="error",
        certainty="definite",
        score=1.0,
        evidence=f"the adjusted close is not positive in {plural(int(bad.sum()), 'bar')} of {subject.n:,}",
        proposal=f"make it anew from the close and {plural(len(steps), 'dividend')}",
        columns=("adj_close",),
        remedy=Remedy(action="set", rows=rows, seen=subject.seen, columns=("adj_close",), values=values[:, None]),
        **subject.span(rows[bad]),
    )


def _wrong_dividend(subject: Subject, step: _Step, factor: float) -> Issue:
    rows = subject.rows[[step.place]]
    before = float(_close(subject)[step.place - 1])
    what = (
        f"is {step.dividend / before:.0%} of the price, which opened {np.expm1(_drop(subject, step)):+.1%}:"
        " a hundredth of it fits"
        if factor
        else "stands a second time within days, and the price does not show it here"
    )
    in_frame = "dividends" in subject.columns and subject.columns["dividends"][rows[0]] == step.dividend
    return Issue(
        kind="dividend",
        severity="error",
        certainty="suspected",
        score=0.9,
        evidence=f"dividend {number(step.dividend)} after close {number(before)} {what}",
        proposal=f"{'' if in_frame else 'by hand: '}set the dividend to {number(step.dividend * factor)}",
        columns=("dividends",),
        measures={"dividend": step.dividend, "share": step.dividend / before},
        remedy=Remedy(
            action="set", rows=rows, seen=subject.seen, columns=("dividends",),
            values=np.array([[step.dividend * factor]]),
        ) if in_frame else None,
        **subject.span(rows),
    )  # fmt: skip


DIVIDENDS = Check(
    "dividends",
    {
        "dividend_adjustment": "an adjusted close that does not show a dividend as it should",
        "dividend": "a dividend a hundred times too large, or told twice",
    },
    find_dividends,
)
