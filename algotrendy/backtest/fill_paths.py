"""What may happen to a position inside a bar, and the best and the worst run over all of it.

A bar gives four prices and not their order. Where a position would be left in another way on another path that is
consistent with the bar (`reference_paths` defines and tries them), the run divides. Of the runs that stand in one place
(flat, or in a position of one entry) at the end of a bar only the richest, or the poorest, is followed further.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from algotrendy.backtest.reference import Account, Bars, Options, Order, Signals, at_or_above, at_or_below
from algotrendy.backtest.reference_paths import Held, Touch

__all__ = ["Outcome", "Walk", "extreme_walk", "outcomes", "stated_outcome", "stated_walk"]

Outcome = Touch | None
"""How a position is left inside a bar; None: it is not."""

ROUNDING = 1e-12
KEPT_IN_LOTS = 16
"""With whole lots more money is not always better later: so many runs are followed in each place."""


def outcomes(bar: tuple[float, float, float, float], held: Held) -> list[Outcome]:
    """Return the ways in which a position may be left on consistent paths that can be the best or the worst one.

    Parameters
    ----------
    bar : tuple of float
        Open, high, low and close; mirrored (times -1, high and low exchanged) for a short position.
    held : Held
        The position's levels.

    Returns
    -------
    list of Touch or None
        The target, the highest and the lowest price at which the protective level can be hit, None where the position
        can outlive the bar. Prices between the highest and the lowest are possible too.

    Examples
    --------
    >>> [touch.price for touch in outcomes((10.0, 12.0, 8.0, 10.0), Held(9.0, 11.0, 10.0, math.nan))]
    [11.0, 9.0]
    >>> outcomes((10.0, 10.5, 9.5, 10.0), Held(9.0, 11.0, 10.0, math.nan))
    [None]
    """
    open_, high, low, close = bar
    if at_or_below(open_, held.level(held.best)):
        return [Touch(open_, _reason(held, held.best))]
    if at_or_above(open_, held.target):
        return [Touch(open_, "target")]
    rises = at_or_above(high, held.target)
    first = max(held.best, open_)
    most = max(first, min(high, held.target))
    lowest, highest = held.level(first), held.level(most)
    found: list[Outcome] = [Touch(held.target, "target")] if rises else []
    if at_or_below(low, lowest):
        found.append(Touch(lowest, _reason(held, first)))
    elif at_or_below(low, highest) and not (rises and at_or_above(low, highest)):
        found.append(Touch(low, "trail"))  # somewhere on the way up the level stands where the low will be
    if not rises:
        if at_or_below(low, highest):
            found.append(Touch(highest, _reason(held, most)))
        if not at_or_below(low, lowest) and not at_or_below(close, highest):
            found.append(None)
    return list(_different(found))


def stated_outcome(bar: tuple[float, float, float, float], held: Held) -> Outcome:
    """Return what the rule of the semantics page says, whatever the path.

    Examples
    --------
    >>> stated_outcome((10.0, 12.0, 8.0, 10.0), Held(9.0, 11.0, 10.0, math.nan))
    Touch(price=9.0, reason='stop')
    """
    open_, high, low, _ = bar
    level = held.level(held.best)
    if at_or_below(open_, level):
        return Touch(open_, _reason(held, held.best))
    if at_or_above(open_, held.target):
        return Touch(open_, "target")
    if at_or_below(low, level):
        return Touch(level, _reason(held, held.best))
    return Touch(held.target, "target") if at_or_above(high, held.target) else None


def _reason(held: Held, best: float) -> str:
    return "stop" if math.isnan(held.keep) or held.stop >= best * held.keep else "trail"


def _different(found: Sequence[Outcome]) -> Iterator[Outcome]:
    """Yield each outcome once; two prices that differ by rounding are one."""
    seen: list[Outcome] = []
    for one in found:
        if not any(_equal(one, other) for other in seen):
            seen.append(one)
            yield one


def _equal(one: Outcome, other: Outcome) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one.price - other.price) <= ROUNDING * abs(one.price)


@dataclass
class Walk:
    """One run on the way: its account, its equity so far, and what was ambiguous in it.

    `doubtful` are the bars of the entries whose position met a bar with more than one outcome.
    """

    account: Account
    equity: list[float] = field(default_factory=list)
    doubtful: set[int] = field(default_factory=set)

    @property
    def orders(self) -> list[Order]:
        """What it did."""
        return self.account.orders

    def divided(self) -> Walk:
        """Return a copy that goes another way from here."""
        account = copy.copy(self.account)
        account.orders, account.trades = list(self.account.orders), list(self.account.trades)
        return Walk(account, list(self.equity), set(self.doubtful))

    def place(self) -> tuple[object, ...]:
        """Return where it stands: flat, ruined, or in the position of one entry, and what it waits for."""
        account = self.account
        wish = None if account.wish is None else (account.wish.position, account.wish.row)
        entry = None if account.entry is None else (account.entry.filled_at, account.units > 0, account.best)
        return (account.ruined_at is not None, entry, wish)


def stated_walk(bars: Bars, signals: Signals, options: Options) -> Walk:
    """Run by the stated rule, and note the positions to which something else may have happened."""
    walk = Walk(Account(bars, signals, options))
    for i in range(len(bars.close)):
        if (situation := _before_exits(walk, i)) is not None:
            stated = stated_outcome(*situation)
            if len(_choices(*situation)) > 1 and walk.account.entry is not None:
                walk.doubtful.add(walk.account.entry.filled_at)
            _leave(walk, i, stated, situation[1])
        _after_exits(walk, i)
    return walk


def extreme_walk(bars: Bars, signals: Signals, options: Options, *, sign: float) -> Walk:
    """Return the run with the largest final equity (`sign` 1), or the smallest (-1), over all outcomes of all bars.

    The outcomes of a bar are the stated one and those of consistent paths. It is exact where more money at the same
    place never ends with less, which holds for fractional units; with whole lots a few runs are followed in each place
    and the true extreme may lie further out.
    """
    kept = KEPT_IN_LOTS if options.lot_size > 0.0 else 1
    walks = [Walk(Account(bars, signals, options))]
    for i in range(len(bars.close)):
        following: list[Walk] = []
        for walk in walks:
            following += _steps(walk, i)
        walks = following if len(following) == 1 else _thinned(following, kept, sign)
    return max(walks, key=lambda walk: sign * walk.equity[-1])


def _steps(walk: Walk, i: int) -> list[Walk]:
    """Return the walk after a bar, divided where there is more than one outcome."""
    situation = _before_exits(walk, i)
    if situation is None:
        _after_exits(walk, i)
        return [walk]
    choices = _choices(*situation)
    walks = [walk, *(walk.divided() for _ in choices[1:])]
    for each, outcome in zip(walks, choices, strict=True):
        _leave(each, i, outcome, situation[1])
        _after_exits(each, i)
    return walks


def _thinned(walks: list[Walk], kept: int, sign: float) -> list[Walk]:
    """Return of the walks at each place those with the most (or least) money."""
    places: dict[tuple[object, ...], list[Walk]] = {}
    for walk in sorted(walks, key=lambda walk: -sign * walk.equity[-1]):
        here = places.setdefault(walk.place(), [])
        if len(here) < kept:
            here.append(walk)
    return [walk for here in places.values() for walk in here]


def _choices(bar: tuple[float, float, float, float], held: Held) -> list[Outcome]:
    return list(_different([stated_outcome(bar, held), *outcomes(bar, held)]))


# --- the steps of a bar, numbered as on the semantics page ---


def _before_exits(walk: Walk, i: int) -> tuple[tuple[float, float, float, float], Held] | None:
    """Do steps 1 and 2, and return bar and levels as the position sees them; None if there is none to be tested."""
    account = walk.account
    if account.ruined_at is not None:
        return None
    account.pay_borrow(i)
    if account.options.fill == "next_open":
        account.fill_wish(i, account.bars.open[i])
    if account.units == 0.0 or account.entry is None:
        return None
    sign = 1.0 if account.units > 0.0 else -1.0
    bars, signals, row = account.bars, account.signals, account.entry_row
    stop, trail, target = signals.stop[row], signals.trail[row], signals.target[row]
    held = Held(
        stop=sign * account.entry.price * (1.0 - sign * stop) if stop > 0 else -math.inf,
        target=sign * account.entry.price * (1.0 + sign * target) if target > 0 else math.inf,
        best=sign * account.best,
        keep=1.0 - sign * trail if trail > 0 else math.nan,
    )
    high, low = (bars.high[i], bars.low[i]) if sign > 0 else (-bars.low[i], -bars.high[i])
    return (sign * bars.open[i], high, low, sign * bars.close[i]), held


def _leave(walk: Walk, i: int, outcome: Outcome, held: Held) -> None:
    """Do step 3: leave the position, or move its best price."""
    account = walk.account
    sign = 1.0 if account.units > 0.0 else -1.0
    if outcome is not None:
        account.close_position(i, i, sign * outcome.price, outcome.reason)
        return
    better = account.bars.high[i] if sign > 0 else -account.bars.low[i]
    account.best = sign * max(held.best, better)


def _after_exits(walk: Walk, i: int) -> None:
    """Do steps 4 to 6."""
    account = walk.account
    if account.ruined_at is None:
        fill = account.options.fill
        if fill == "same_close":
            account.wish = account.decide(i)
        if fill in ("same_close", "next_close"):
            account.fill_wish(i, account.bars.close[i])
        account.check_ruin(i)
        if fill in ("next_open", "next_close") and account.ruined_at is None:
            account.wish = account.decide(i)
    walk.equity.append(account.value(i))
