"""Dividends against the adjusted close: adjustments that are missing or of the wrong size, and dividends that are wrong.

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

from algotrendy.data.quality.blocks import gaps_of
from algotrendy.data.quality.issue import Issue, Remedy, number
from algotrendy.data.quality.registry import Check
from algotrendy.data.quality.scale import local_scale
from algotrendy.data.quality.subject import Subject
from algotrendy.domain.faults import stamp_text

_ROOM = 0.2
"""An adjustment is right if it is within a fifth of what it should be: vendors take other closes and round."""
_LEAST = 2e-4
"""Steps smaller than this are the rounding of an adjusted close."""
_REPEAT_DAYS = 10
"""The same dividend twice within so many days is one dividend told twice; monthly payers are further apart."""


class _Step(NamedTuple):
    """One dividend, the bar of its ex-day, what the adjusted close should do there and what it does, as logs."""

    place: int
    dividend: float
    should: float
    does: float


def find_dividends(subject: Subject) -> Iterable[Issue] | str:
    """Find dividends that the adjusted close does not show, shows in the wrong size, or that cannot be."""
    if not subject.dividends.values.size:
        return "no dividends are known"
    if "adj_close" not in subject.columns:
        return "no adjusted close beside the close"
    return list(_find(subject))


def _find(subject: Subject) -> Iterator[Issue]:
    steps = list(_steps(subject))
    hundreds = _hundredfold(subject, steps)
    twice = _told_twice(subject, steps) - hundreds
    for place in sorted(hundreds):
        yield _wrong_dividend(subject, steps[place], 0.01)
    for place in sorted(twice):
        yield _wrong_dividend(subject, steps[place], 0.0)
    for place, step in enumerate(steps):
        real = _real_dividend(step, 0.01 if place in hundreds else 0.0 if place in twice else 1.0, subject)
        if abs(real.should - real.does) > max(_LEAST, _ROOM * abs(real.should)):
            yield _adjustment(subject, real, corrected=place in hundreds | twice)


def _steps(subject: Subject) -> Iterator[_Step]:
    close, adjusted = subject.close, subject.clean("adj_close")
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(adjusted / close)
    for date, dividend in zip(*subject.dividends, strict=True):
        place = int(np.searchsorted(subject.dates, date))
        if not 0 < place < subject.n or dividend <= 0.0 or subject.dates[place] > date + np.timedelta64(7, "D"):
            continue
        share = dividend / close[place - 1]
        yield _Step(
            place, float(dividend), float(np.log1p(-share)) if share < 1.0 else -np.inf,
            float(ratio[place - 1] - ratio[place]),
        )  # fmt: skip


def _hundredfold(subject: Subject, steps: list[_Step]) -> set[int]:
    """Return the dividends a hundred times too large: no price drops by so much, and a hundredth fits."""
    found = set()
    gaps = gaps_of(subject)
    for place, step in enumerate(steps):
        before = subject.close[step.place - 1]
        small = float(np.log1p(-min(step.dividend / 100.0 / before, 0.5)))
        drop = float(gaps.moves[step.place])
        unseen = drop > 0.5 * max(step.should, -3.0) - 3.0 * gaps.scale[step.place]
        fits = abs(step.does - small) < max(_LEAST, _ROOM * abs(small))
        if step.dividend > 0.15 * before and unseen and (fits or step.dividend >= before):
            found.add(place)
    return found


def _told_twice(subject: Subject, steps: list[_Step]) -> set[int]:
    """Return dividends that stand a second time within days, where the price and the adjustment show one of them."""
    found = set()
    for place in range(1, len(steps)):
        one, two = steps[place - 1], steps[place]
        apart = (subject.dates[two.place] - subject.dates[one.place]).astype(np.int64)
        ratio = one.dividend / two.dividend
        if apart > _REPEAT_DAYS or not any(abs(ratio / times - 1.0) < 0.02 for times in (0.01, 1.0, 100.0)):
            continue
        first, second = _seen(subject, one), _seen(subject, two)
        found.add(place - 1 if second >= first else place)
    return found


def _seen(subject: Subject, step: _Step) -> float:
    """Return how far the price over the night went the way of the dividend, and how well the adjustment fits it."""
    scale = float(local_scale(np.diff(np.log(subject.close), prepend=np.log(subject.close[0])))[step.place])
    should = max(step.should, -3.0)
    drop = float(gaps_of(subject).moves[step.place])
    by_price = -abs(drop - should) / max(scale, 1e-9) if np.isfinite(step.should) else -np.inf
    by_step = -abs(step.does - should) / max(abs(should), 1e-9)
    return by_price + by_step


def _real_dividend(step: _Step, factor: float, subject: Subject) -> _Step:
    dividend = step.dividend * factor
    share = dividend / subject.close[step.place - 1]
    return step._replace(dividend=dividend, should=float(np.log1p(-share)) if share < 1.0 else -np.inf)


# --- issues ---


def _adjustment(subject: Subject, step: _Step, *, corrected: bool) -> Issue:
    rows = subject.rows[[step.place]]
    earlier = np.sort(subject.rows[: step.place])
    broken = not np.isfinite(step.does) or not np.isfinite(step.should)
    factor = 1.0 if broken else float(np.exp(step.should - step.does))
    missing = abs(step.does) < _LEAST
    said = "does not step" if missing else f"steps by {np.exp(step.does):.4f}" if not broken else "is not positive"
    return Issue(
        kind="dividend_adjustment",
        severity="error" if abs(step.should - step.does) > 0.005 or broken else "warning",
        certainty="definite",
        score=1.0,
        evidence=f"dividend {number(step.dividend)} on {stamp_text(subject.stamp(int(rows[0])))} after close"
        f" {number(subject.close[step.place - 1])}: the adjusted close should step by {np.exp(step.should):.4f}"
        f" and {said}" + (" (with the dividend corrected)" if corrected else ""),
        proposal="by hand: rebuild the adjusted close from the dividends"
        if broken
        else f"multiply adj_close of the bars before by {factor:.6f}",
        columns=("adj_close",),
        measures={"dividend": step.dividend, "should": float(np.exp(step.should)), "does": float(np.exp(step.does))},
        remedy=None
        if broken
        else Remedy(
            action="scale", rows=earlier, seen=subject.seen, columns=("adj_close",), values=np.array([[factor]])
        ),
        **subject.span(rows),
    )


def _wrong_dividend(subject: Subject, step: _Step, factor: float) -> Issue:
    rows = subject.rows[[step.place]]
    before = float(subject.close[step.place - 1])
    what = (
        f"is {step.dividend / before:.0%} of the price, which opened"
        f" {np.expm1(float(gaps_of(subject).moves[step.place])):+.1%}: a hundredth of it fits"
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
