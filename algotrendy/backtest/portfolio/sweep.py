"""Sweeps of text strategies over several instruments with one account.

Conditions are evaluated instrument by instrument for many sets of parameters, so that each series is computed once;
then the account of each set is run as a single backtest would be, on bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from algotrendy.backtest.portfolio.cross_sections import instruments_of, sections_in, with_peers
from algotrendy.backtest.portfolio.market import Account, account_of, as_panel
from algotrendy.backtest.portfolio.members import members_of
from algotrendy.backtest.portfolio.signals import (
    Decided,
    level_table,
    places_of,
    rank_of,
    run_signals,
    wishes_of,
)
from algotrendy.backtest.sweep.grid import Grid
from algotrendy.backtest.sweep.series import SeriesShelf, Source, grid_codes
from algotrendy.domain.types import Bool2D, Float2D, Int1D
from algotrendy.expressions.nodes import Section
from algotrendy.kernels.portfolio_types import Levels
from algotrendy.kernels.statistics_names import METRICS
from algotrendy.strategy.inputs import level_values
from algotrendy.strategy.levels import FIXED_UNITS, FRACTION, FixedUnits, level_number
from algotrendy.strategy.parameter import LEVELS

if TYPE_CHECKING:
    from algotrendy.backtest.portfolio.ledger import Ledger
    from algotrendy.kernels.portfolio_signals import Wishes
    from algotrendy.strategy import Strategy

__all__ = ["Accounts", "DecidedSets", "PanelSweep"]

_WORDS_BYTES_MAX = 192 * 2**20
"""So much memory the conditions of one chunk of sets may take."""

_TABLES_OF_SECTION = 3
"""What is compared, the outcome, and its scale."""

_TABLES_MAX = 4
"""So many levels and ranks by bar and instrument are kept for sets to come."""


class DecidedSets:
    """What one text strategy says on all instruments, for many sets of its parameters and levels.

    Parameters
    ----------
    strategy : Strategy
        What is swept.
    grid : Grid
        The combinations; costs among them do not matter here.
    account : Account
        The instruments.
    places : int
        How many positions it may hold at once.
    rank : str, DataFrame or None
        Who comes first where places are few.
    members : bool array of shape (n_bars, n_instruments), optional
        The dated membership.
    """

    def __init__(
        self, strategy: Strategy, grid: Grid, account: Account, places: int, *, rank: Any, members: Bool2D | None
    ) -> None:
        from algotrendy.expressions import SignalPlan

        self._strategy, self._grid, self._account = strategy, grid, account
        self._places, self._rank, self._members = places, rank, members
        self._varying = set(grid.names) & set(strategy.parameters)
        self._plan = SignalPlan(strategy.conditions, varying=self._varying)
        self._instruments = instruments_of(account, members, strategy.columns)
        self._sections = tuple(sections_in(leaf.node for leaf in self._plan.leaves))
        self._know_what_does_not_vary()
        self._sides = 4 if strategy.short_entry is not None else 2
        self._tables: dict[tuple[Any, ...], Float2D] = {}
        self._plan.check_parts(self._values(np.arange(len(grid)), account.settings[0].context.constants), len(grid))

    def codes(self, places: Int1D | slice = slice(None)) -> Int1D:
        """Return for combinations a number that is the same where their conditions are."""
        return np.asarray(grid_codes(self._grid, sorted(self._plan.parameters))[places], dtype=np.int64)

    @property
    def size(self) -> int:
        """So many combinations may be asked for at once."""
        account = self._account
        of_one = 8 * self._sides * account.n_instruments * -(-account.n_bars // 64)
        n_varying = len({node for node in self._sections if node.parameters & self._varying})
        of_one += n_varying * _TABLES_OF_SECTION * 8 * account.n_instruments * account.n_bars
        return max(1, _WORDS_BYTES_MAX // of_one)

    def each(self, places: Int1D) -> Iterator[tuple[int, Decided, Wishes]]:
        """Yield what combinations say, with their numbers among `places`; those with the same conditions together."""
        account = self._account
        first, inverse = np.unique(self.codes(places), return_index=True, return_inverse=True)[1:]
        words = self._conditions(places[first])
        wishes, before = None, (-1, "")
        for row in np.argsort(inverse, kind="stable").tolist():
            values = self._grid.combination(int(places[row]))
            chosen = self._strategy.with_params(**{name: value for name, value in values.items() if name not in _COSTS})
            own = words[inverse[row]]
            now = (int(inverse[row]), self._rank_key(chosen))
            if wishes is None or now != before:
                wishes, before = wishes_of(account, own, self._ranks(chosen), self._members), now
            yield row, Decided(own, self._levels(account, chosen), _kind(chosen)), wishes

    def _know_what_does_not_vary(self) -> None:
        """Compare instruments once for all sets, where no parameter that varies comes into it."""
        for node in self._sections:
            if not node.parameters & self._varying:
                ask: Any = self._instruments.section if isinstance(node, Section) else self._instruments.other
                ask(node, self._strategy.parameters)

    def _conditions(self, places: Int1D) -> NDArray[np.uint64]:
        """Return the conditions of sets, shape (n_sets, n_sides, n_instruments, n_words)."""
        from algotrendy.kernels.portfolio_sweep import Conditions, evaluate_sets

        account, plan = self._looking_around() if self._sections else self._account, self._plan
        grid = replace(self._grid, index=self._grid.index[places])
        everything = np.arange(len(places))
        sources = [Source(leaf, grid_codes(grid, leaf.parameters)) for leaf in plan.leaves]
        words = np.zeros((len(places), self._sides, account.n_instruments, -(-account.n_bars // 64)), np.uint64)
        for j, (setting, rows) in enumerate(zip(account.settings, account.rows, strict=True)):
            bound = SeriesShelf(sources, grid, plan, self._strategy, setting).bind(everything)
            scalars = plan.scalar_table(self._values(places, setting.context.constants), len(places))
            given = Conditions(
                plan.program,
                bound.addresses,
                plan.scratch(len(rows)),
                np.ascontiguousarray(bound.rows),
                np.ascontiguousarray(scalars),
            )
            evaluate_sets(given, rows[:0] if len(rows) == account.n_bars else rows, j, words)
        return words

    def _looking_around(self) -> Account:
        """Return the account, its instruments knowing each other; what is compared is kept while it is used."""
        return with_peers(self._account, self._instruments.fresh())

    def _values(self, places: Int1D, constants: Mapping[str, float]) -> Mapping[str, Any]:
        varied = {name: self._grid.column(name)[places].astype(np.float64) for name in self._grid.names}
        return {**self._strategy.parameters, **constants, **varied}

    def _rank_key(self, chosen: Strategy) -> str:
        return repr(sorted(chosen.parameters.items())) if isinstance(self._rank, str) else ""

    def _ranks(self, chosen: Strategy) -> Float2D:
        used = {name: value for name, value in chosen.parameters.items() if name in _words_in(self._rank)}

        def make() -> Float2D:
            return rank_of(self._looking_around(), self._rank, dict(chosen.parameters))

        return self._kept(("rank", tuple(used.items())), make)

    def _levels(self, account: Account, chosen: Strategy) -> Levels:
        tables = {name: self._level(account, chosen, name) for name in LEVELS}
        return Levels(**tables)

    def _level(self, account: Account, chosen: Strategy, name: str) -> Float2D:
        given, expression = getattr(chosen, name), chosen.level_expressions.get(name)
        if expression is None:
            if given is None and name == "size":
                return np.array([[1.0 / self._places]])
            return np.array([[level_number(given)]])
        values = tuple(sorted((key, chosen.parameters[key]) for key in expression.parameters))

        def table() -> Float2D:
            settings = self._looking_around().settings
            return level_table(
                account, [level_values(expression, each.arrays, chosen.parameters, each.context) for each in settings]
            )

        return self._kept((name, values), table)

    def _kept(self, key: tuple[Any, ...], make: Any) -> Float2D:
        """Return a table that was made before, or make it."""
        if key not in self._tables:
            for old in list(self._tables)[: 1 + len(self._tables) - _TABLES_MAX]:
                self._tables.pop(old, None)
            self._tables[key] = make()
        return self._tables[key]


class PanelSweep:
    """Runs chunks of combinations of one text strategy over several instruments.

    Parameters
    ----------
    strategy : Strategy
        What is swept.
    grid : Grid
        The combinations: parameters, levels and costs.
    bars : Panel, mapping or DataFrame
        The instruments.
    options : mapping
        Those of `backtest`, with `max_positions`, `rank` and `members`.
    """

    def __init__(self, strategy: Strategy, grid: Grid, bars: Any, options: Mapping[str, Any]) -> None:
        own = dict(options)
        rank, max_positions, members = (own.pop(name, None) for name in ("rank", "max_positions", "members"))
        self._grid, self._accounts = grid, Accounts(bars, own)
        account = self._accounts.plain
        self._places = places_of(max_positions, account.n_instruments)
        inside = members_of(account, members)
        self._sets = DecidedSets(strategy, grid, account, self._places, rank=rank, members=inside)

    def chunks(self) -> list[Int1D]:
        """Cut the combinations into chunks; those that share their conditions stand together."""
        order = np.lexsort((self._sets.codes(), grid_codes(self._grid, ["borrow"])))
        size = self._sets.size
        return [order[first : first + size] for first in range(0, len(order), size)]

    def run(self, places: Int1D) -> Float2D:
        """Return the metrics of combinations, one row each."""
        out = np.empty((len(places), len(METRICS)))
        for row, ledger in self.ledgers(places):
            metrics = ledger.metrics()[0]
            out[row] = [metrics[name] for name in METRICS]
        return out

    def ledgers(self, places: Int1D) -> Iterator[tuple[int, Ledger]]:
        """Yield the rows of combinations among `places`, and their accounts; those that share conditions together."""
        for row, decided, wishes in self._sets.each(places):
            account = self._accounts.of(self._grid.combination(int(places[row])))
            yield row, run_signals(account, decided, wishes, self._places)


class Accounts:
    """The account of a sweep, with the costs of its combinations.

    Parameters
    ----------
    bars : Panel, mapping or DataFrame
        The instruments.
    options : mapping
        Those of `account_of`.
    """

    def __init__(self, bars: Any, options: Mapping[str, Any]) -> None:
        self._panel, self._options = as_panel(bars), dict(options)
        self.plain = account_of(self._panel, **self._options)
        self._with_borrow: dict[float, Account] = {}

    def of(self, combination: Mapping[str, Any]) -> Account:
        """Return the account with the costs among some values."""
        account = self.plain
        if "borrow" in combination:
            borrow = float(combination["borrow"])
            if borrow not in self._with_borrow:
                self._with_borrow[borrow] = account_of(self._panel, **{**self._options, "borrow": borrow})
            account = self._with_borrow[borrow]
        n, replaced = account.n_instruments, {}
        if "commission" in combination:  # a rate in the place of whatever fees there were
            replaced = {name: np.zeros(n) for name in ("per_unit", "fixed", "minimum")}
            replaced["rate"] = np.full(n, float(combination["commission"]))
        if "slippage" in combination:
            replaced["slippage"] = np.full(n, float(combination["slippage"]))
        return account.changed(terms=account.terms._replace(**replaced)) if replaced else account


_COSTS = ("commission", "slippage", "borrow")


def _words_in(text: Any) -> frozenset[str]:
    import re

    return frozenset(re.findall(r"[A-Za-z_]\w*", text)) if isinstance(text, str) else frozenset()


def _kind(strategy: Strategy) -> int:
    return FIXED_UNITS if isinstance(strategy.size, FixedUnits) else FRACTION
