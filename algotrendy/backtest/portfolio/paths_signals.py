"""Runs of signals in several instruments, with what else may have happened to their stops and targets inside bars."""

from __future__ import annotations

import copy
import math
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from algotrendy.backtest.fill_paths import ROUNDING, outcomes, stated_outcome
from algotrendy.backtest.fill_search import Way, proportional
from algotrendy.backtest.portfolio.market import Account
from algotrendy.backtest.portfolio.reference import Bars, Options, Terms
from algotrendy.backtest.portfolio.reference_extras import Extra, FullCompetition, Step
from algotrendy.backtest.portfolio.reference_signals import Signals
from algotrendy.backtest.portfolio.signals import decided_by, places_of, rank_of
from algotrendy.backtest.reference_paths import Held, Touch
from algotrendy.domain.types import Bool2D
from algotrendy.kernels.portfolio_types import Levels
from algotrendy.strategy import Signals as GivenSignals

__all__ = ["SignalsWay", "bars_of", "options_of_account", "signals_way", "terms_of"]

Outcome = tuple[float, str] | float
"""How a position is left, price and reason; or the best price so far, if it is not."""


class Inside(FullCompetition):
    """A competition in which what happens inside a bar is decided elsewhere."""

    pending: tuple[int, ...] = ()

    def test_exits(self, i: int) -> None:
        """Note what is exposed; nothing is filled yet."""
        held = enumerate(self.account.positions)
        self.pending = tuple(
            j for j, each in held if each.units != 0 and j not in self.leaving and self.account.has_bar(i, j)
        )

    def begin(self, i: int) -> None:
        """Live through a bar up to its exits."""
        self.pending = ()
        if self.account.ruined_at is None:
            self.account.begin(i)
            self.follow_actions(i)
            if self.options.fill == "next_open":
                self.trade_at(i, "open")
            self.test_exits(i)

    def finish(self, i: int) -> None:
        """Live through the rest of it."""
        account, fill = self.account, self.options.fill
        if account.ruined_at is None and fill != "next_open":
            self.trade_at(i, "close")
        account.value(i)
        if account.ruined_at is None and fill != "same_close":
            self.decide(i)


class SignalsWay(Way):
    """One run of signals.

    Parameters
    ----------
    competition : Inside
        Before the first bar.
    is_scale_free : bool
        Whether twice the money does twice the same: only rates are charged, sizes are shares, units are not whole.
    """

    def __init__(self, competition: Inside, *, is_scale_free: bool) -> None:
        self.competition, self.is_scale_free = competition, is_scale_free
        self.equity: list[float] = []
        self.doubtful: set[tuple[int, int]] = set()

    def begin(self, i: int) -> None:
        """See `Way`."""
        self.competition.begin(i)

    def exposed(self, i: int) -> Sequence[int]:
        """See `Way`."""
        return self.competition.pending

    def outcomes(self, i: int, j: int) -> list[Outcome]:
        """See `Way`."""
        stated = self._walked(i, j, stated=True)
        return list(_each_once([*stated, *self._walked(i, j, stated=False)]))

    def stated(self, i: int) -> None:
        """Let the stated rule decide inside a bar, and note where something else may have happened."""
        for j in self.competition.pending:
            found = self.outcomes(i, j)
            if len(found) > 1:
                self.doubtful.add((j, self.competition.account.positions[j].entry_at))
            self.apply(i, j, found[0])

    def _walked(self, i: int, j: int, *, stated: bool) -> list[Outcome]:
        """Return how the steps of a bar may end; a bar without finer ones is one step."""
        competition = self.competition
        bars, fine = competition.account.bars[j], competition.account.extras[j].fine.get(i)
        steps: Any = fine or [(bars.open[i], bars.high[i], bars.low[i], bars.close[i], 0)]
        sign = 1.0 if competition.side(j) == "long" else -1.0
        alive, ends = [sign * competition.guards[j].best], list[Outcome]()
        for opening, high, low, close, _ in steps:
            surviving = []
            for best in alive:
                bar = self._mirrored((opening, high, low, close), sign)
                held = self._held(j, sign, best)
                for one in [stated_outcome(bar, held)] if stated else outcomes(bar, held):
                    if one is None:
                        surviving.append(max(best, bar[1]))
                    else:
                        ends.append(self._priced(j, one, opening, sign))
            alive = list(dict.fromkeys(surviving))
        return [*ends, *(sign * best for best in alive)]

    @staticmethod
    def _mirrored(bar: tuple[float, float, float, float], sign: float) -> tuple[float, float, float, float]:
        opening, high, low, close = bar
        return bar if sign > 0 else (-opening, -low, -high, -close)

    def _held(self, j: int, sign: float, best: float) -> Held:
        guard, signals = self.competition.guards[j], self.competition.signals[j]
        row = guard.decided_at
        stop, trail, target = signals.stop[row], signals.trail[row], signals.target[row]
        return Held(
            stop=sign * guard.price * (1.0 - sign * stop) if stop > 0 else -math.inf,
            target=sign * guard.price * (1.0 + sign * target) if target > 0 else math.inf,
            best=best,
            keep=1.0 - sign * trail if trail > 0 else math.nan,
        )

    def _priced(self, j: int, touch: Touch, opening: float, sign: float) -> Outcome:
        price = sign * touch.price
        return (price if price == opening else self.competition.account.to_tick(j, price, down=sign > 0)), touch.reason

    def apply(self, i: int, j: int, outcome: Outcome) -> None:
        """See `Way`."""
        if isinstance(outcome, tuple):
            self.competition.leave(j, outcome[0], (i, i), outcome[1])
        else:
            self.competition.guards[j].best = outcome

    def end(self, i: int) -> None:
        """See `Way`."""
        self.competition.finish(i)
        self.equity.append(self.value(i))

    def value(self, i: int) -> float:
        """See `Way`."""
        account = self.competition.account
        return account.equity(account.prices(i, "close"))

    def divided(self) -> SignalsWay:
        """See `Way`."""
        competition = copy.copy(self.competition)
        account = copy.copy(competition.account)
        account.positions = [copy.copy(each) for each in account.positions]
        account.fills, account.trades = list(account.fills), list(account.trades)
        account.left, account.unfilled = list(account.left), dict(account.unfilled)
        competition.account = account
        competition.wishes = {j: copy.copy(wish) for j, wish in competition.wishes.items()}
        competition.guards = {j: copy.copy(guard) for j, guard in competition.guards.items()}
        competition.leaving, competition.entering = dict(competition.leaving), dict(competition.entering)
        other = SignalsWay(competition, is_scale_free=self.is_scale_free)
        other.equity = list(self.equity)
        return other

    def place(self) -> Hashable:
        """See `Way`."""
        competition, account = self.competition, self.competition.account
        held = tuple(
            (j, each.units > 0, each.entry_at, competition.guards[j].decided_at, competition.guards[j].best)
            for j, each in enumerate(account.positions)
            if each.units != 0
        )
        wishes = tuple(sorted((j, wish.position, wish.decided_at) for j, wish in competition.wishes.items()))
        leaving = tuple(sorted(competition.leaving.items()))
        entering = tuple(sorted((j, waits[1]) for j, waits in competition.entering.items()))
        return account.ruined_at is not None, held, wishes, leaving, entering, account.call is not None

    def amounts(self) -> list[float]:
        """See `Way`."""
        account = self.competition.account
        return [account.cash, *(each.units for each in account.positions)]

    def is_certain(self, other: SignalsWay) -> bool:
        """See `Way`: where money only scales what is done, or there is never more than one position."""
        if self.is_scale_free:
            return proportional(self.amounts(), other.amounts())
        return self.amounts() == other.amounts()


def _each_once(found: Sequence[Outcome]) -> list[Outcome]:
    seen: list[Outcome] = []
    for one in found:
        if not any(_equal(one, other) for other in seen):
            seen.append(one)
    return seen


def _equal(one: Outcome, other: Outcome) -> bool:
    """Tell whether two outcomes are one; two prices that differ by rounding are."""
    if isinstance(one, tuple) != isinstance(other, tuple):
        return False
    first, second = (each[0] if isinstance(each, tuple) else each for each in (one, other))
    return abs(first - second) <= ROUNDING * abs(first)


# --- an account as the reference simulator takes it ---


def bars_of(account: Account) -> list[Bars]:
    """Return prices on the union of the stamps, in currency per unit; None where there is no bar."""
    fields, valid = account.panel.fields, account.panel.valid
    found = []
    for j, multiplier in enumerate(account.multipliers.tolist()):
        columns = (fields[name][:, j] * multiplier for name in ("open", "high", "low", "close"))
        there = valid[:, j].tolist()
        found.append(Bars(*([v if ok else None for v, ok in zip(c.tolist(), there, strict=True)] for c in columns)))
    return found


def terms_of(account: Account) -> list[Terms]:
    """Return what trading each instrument costs."""
    columns = account.terms._asdict()
    return [Terms(**{name: float(values[j]) for name, values in columns.items()}) for j in range(account.n_instruments)]


def options_of_account(account: Account, **more: Any) -> Options:
    """Return the conventions."""
    options = account.options
    return Options(cash=options.cash, fill=options.fill, max_leverage=options.max_leverage, **more)


def extras_of_account(account: Account) -> tuple[list[Extra], list[float]]:
    """Return what each instrument has besides prices and costs, and the interest of each bar."""
    if account.extras is None:
        return [Extra() for _ in range(account.n_instruments)], [0.0] * account.n_bars
    kernel, found = account.kernel_extras, []
    for j in range(account.n_instruments):
        own = kernel.events[:, 1] == j
        steps: dict[int, list[Step]] = {}
        if len(kernel.fine_at) > 1:
            for bar in account.rows[j].tolist():
                first, count = kernel.fine_at[bar, j].tolist()
                if count:
                    rows = kernel.fine[first : first + count].tolist()
                    steps[bar] = [Step(row[0], row[1], row[2], row[3], int(row[4])) for row in rows]
        changes = [(row[0], row[1], row[2]) for row in kernel.changes[own].tolist()]
        found.append(
            Extra(
                actions=dict(zip(kernel.events[own, 0].tolist(), changes, strict=True)),
                initial=float(kernel.initial[0, j]),
                maintenance=float(kernel.maintenance[0, j]),
                initial_each=float(kernel.initial[1, j]),
                maintenance_each=float(kernel.maintenance[1, j]),
                caps=kernel.caps[:, j].tolist() if len(kernel.caps) > 1 else None,
                tick=float(kernel.tick[j]),
                fine=steps,
            )
        )
    return found, kernel.interest.tolist()


def signals_way(account: Account, strategy: Any, inside: Bool2D | None, arguments: dict[str, Any]) -> SignalsWay:
    """Return the run of a strategy on several instruments before its first bar."""
    places = places_of(arguments["max_positions"], account.n_instruments)
    decided = decided_by(account, strategy, places)
    params = {} if isinstance(strategy, GivenSignals) else dict(strategy.parameters)
    rank = rank_of(account, arguments["rank"], params)
    extras, interest = extras_of_account(account)
    bits = np.unpackbits(decided.words.astype("<u8").view(np.uint8), axis=2, bitorder="little")[:, :, : account.n_bars]
    sides = np.zeros((4, account.n_instruments, account.n_bars), dtype=bool)
    sides[: len(bits)] = bits
    if inside is not None:
        sides[::2] &= inside.T
        sides[1::2] |= ~inside.T
    shape = (account.n_bars, account.n_instruments)
    levels = {name: np.broadcast_to(getattr(decided.levels, name), shape) for name in Levels._fields}
    ranks = np.broadcast_to(rank, shape) if rank.size == 1 else rank[: account.n_bars]
    names = ("stop", "target", "trail", "size")
    signals = []
    for j in range(account.n_instruments):
        entry, exit_, short_entry, short_exit = (side[j].tolist() for side in sides)
        stop, target, trail, size = (levels[name][:, j].tolist() for name in names)
        own = ranks[:, j % ranks.shape[1]].tolist()
        signals.append(Signals(entry, exit_, short_entry, short_exit, stop, target, trail, size, own))
    terms, fixed = terms_of(account), bool(decided.size_kind)
    options = options_of_account(account, max_positions=places, fixed_units=fixed)
    whole = any(each.lot_size > 0.0 for each in terms) or any(each.caps is not None for each in extras)
    charged = any(each.fixed > 0.0 or each.minimum > 0.0 for each in terms)
    scale_free = not whole and (places == 1 or not (charged or fixed))
    return SignalsWay(Inside(bars_of(account), signals, (terms, extras, interest), options), is_scale_free=scale_free)
