"""What a walk over several instruments stands on: the whole account, and the parts of it that windows may see."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from algotrendy.backtest.arguments import EXTRAS
from algotrendy.backtest.fingerprint import bars_fingerprint, fingerprint, options_fingerprint
from algotrendy.backtest.portfolio.again import frames_of
from algotrendy.backtest.portfolio.market import BY_SYMBOL, Account, account_of
from algotrendy.backtest.portfolio.members import members_of
from algotrendy.backtest.portfolio.signals import places_of, rank_of
from algotrendy.backtest.setting import LEAST_BARS
from algotrendy.domain.panel import Panel
from algotrendy.domain.types import Bool2D, Int1D
from algotrendy.errors import InputError

__all__ = ["Ground", "Part"]

_OF_SIGNALS = ("rank", "max_positions", "members")
_NOT_WALKED = ("chart", "weights", "orders", "rebalance", "tolerance", "entries", "exits", "short_entries")


@dataclass(frozen=True, eq=False)
class Part:
    """Some bars of the account, with the instruments that have bars there.

    Attributes
    ----------
    account : Account
        Of these bars alone; costs and conventions are those of the whole.
    columns : int64 array
        Which instruments of the whole its columns are.
    members : bool array of shape (n_bars, n_instruments), optional
        Who belongs to the universe.
    """

    account: Account
    columns: Int1D
    members: Bool2D | None


@dataclass(frozen=True, eq=False)
class Ground:
    """All bars of several instruments, and the options of their account.

    It travels to other processes as what it was made of.

    Attributes
    ----------
    panel : Panel
        All bars.
    options : mapping
        Keywords of `backtest`, `rank`, `max_positions` and `members` among them.

    Raises
    ------
    InputError
        If an option is not one that a walk over several instruments can have.
    """

    panel: Panel
    options: Mapping[str, Any]

    def __post_init__(self) -> None:
        for name in _NOT_WALKED:
            if self.options.get(name) is not None:
                raise InputError(
                    f"{name}= is not for a walk or a search over several instruments, in which one strategy decides on"
                    f" the bars; leave {name} out"
                )

    def __reduce__(self) -> tuple[Any, ...]:
        return Ground, (self.panel, self.options)

    @cached_property
    def own(self) -> dict[str, Any]:
        """The options of the account alone."""
        return {name: value for name, value in self.options.items() if name not in _OF_SIGNALS}

    @cached_property
    def whole(self) -> Account:
        """The account of all bars: it is checked, and gives costs and conventions."""
        return account_of(self.panel, **self.own)

    @cached_property
    def members(self) -> Bool2D | None:
        """Who belongs to the universe, by bar."""
        return members_of(self.whole, self.options.get("members"))

    @property
    def rank(self) -> Any:
        """Who comes first where places are few."""
        return self.options.get("rank")

    @cached_property
    def places(self) -> int:
        """How many positions there may be at once."""
        return places_of(self.options.get("max_positions"), self.whole.n_instruments)

    def part(self, begin: int, end: int) -> Part:
        """Return the account of the bars from `begin` to before `end`; instruments with too few there are left out."""
        panel, columns = self.panel.part(begin, end, least=LEAST_BARS)
        given = {**_of_symbols(self.own, panel.symbols), "interval": self._interval}
        made, whole = account_of(panel, **given), self.whole
        settings = []
        for own, j in zip(made.settings, columns.tolist(), strict=True):
            same = whole.settings[j]
            context = replace(own.context, constants=same.context.constants)
            settings.append(replace(own, options=replace(same.options, marks=own.options.marks), context=context))
        terms = type(whole.terms)(*(np.ascontiguousarray(column[columns]) for column in whole.terms))
        options = replace(whole.options, marks=made.options.marks)
        account = replace(made, settings=tuple(settings), options=options, terms=terms)
        members = None if self.members is None else np.ascontiguousarray(self.members[begin:end][:, columns])
        return Part(account, columns, members)

    def training(self, begin: int, end: int, *, stateful: bool = False) -> tuple[Panel, dict[str, Any]]:
        """Return bars to sweep, and the options to sweep them with; they know nothing of what comes behind."""
        import pandas as pd

        panel, columns = self.panel.part(begin, end, least=LEAST_BARS)
        given = {**_of_symbols(self.own, panel.symbols), "interval": self._interval}
        per_year = self.whole.options.periods_per_year
        if all(own.options.periods_per_year == per_year for own in self.whole.settings):
            given["periods_per_year"] = per_year
        if stateful:
            return panel, given | {name: self.options[name] for name in _OF_SIGNALS if name in self.options}
        given |= {"max_positions": self.places, "rank": self.rank}
        if self.members is not None:
            inside = self.members[begin:end][:, columns]
            given["members"] = pd.DataFrame(inside, index=panel.index, columns=list(panel.symbols))
        return panel, given

    def taken(self, positions: Int1D, *, cash: float | None = None) -> Account:
        """Return the account of some bars, for measuring: prices where there is no bar are the last closes.

        Parameters
        ----------
        positions : int64 array
            Places in the index, ascending.
        cash : float, optional
            What it begins with, in place of the whole's.
        """
        whole, panel = self.whole, self.panel
        at = whole.options.marks
        marks = None
        if at is not None:
            marks = np.union1d(np.flatnonzero(np.isin(positions, at)), [len(positions) - 1]).astype(np.int64)
        options = replace(whole.options, marks=marks, cash=whole.options.cash if cash is None else cash)
        fields = {name: field[positions] for name, field in panel.fields.items()}
        some = replace(panel, index=panel.index[positions], fields=fields, valid=panel.valid[positions], further=())
        rows = tuple(np.flatnonzero(some.valid[:, j]) for j in range(whole.n_instruments))
        account = replace(whole, panel=some, rows=rows, options=options)
        own = whole.columns
        tables = {
            name: np.ascontiguousarray(getattr(own, name)[:, positions]) for name in own._fields if name != "ends"
        }
        if own.held is own.mark:
            tables["held"] = tables["mark"]
        vars(account)["columns"] = own._replace(**tables)
        return account

    @cached_property
    def bars_fingerprint(self) -> str:
        """Hash of the bars of all instruments, in their order, which decides ties."""
        frames = frames_of(self.panel)
        names = [str(getattr(name, "id", name)) for name in frames]
        return fingerprint([[name, bars_fingerprint(each)] for name, each in zip(names, frames.values(), strict=True)])

    @cached_property
    def options_fingerprint(self) -> str:
        """Hash of conventions, costs and extras, of the universe and of what ranks, as the account reads them."""
        whole, digest, rank = self.whole, hashlib.sha256(), self.rank
        extras = () if whole.extras is None else whole.extras.kernel
        given = rank_of(whole, rank, {}) if rank is not None and not isinstance(rank, str) else None
        for array in (*whole.terms, *extras, self.members, given):
            digest.update(b"|none|" if array is None else f"|{array.shape}|".encode() + array.tobytes())
        told = {"rank": rank if isinstance(rank, str) else None, "places": self.places, "arrays": digest.hexdigest()}
        return options_fingerprint({**whole.assumptions, **told})

    @property
    def _interval(self) -> str:
        return str(self.whole.assumptions["interval"])


def _of_symbols(options: Mapping[str, Any], symbols: tuple[str, ...]) -> dict[str, Any]:
    """Return options in which those by symbol name these symbols alone."""
    named = {*BY_SYMBOL, *EXTRAS, "delisting_return"}
    return {
        name: {key: each for key, each in value.items() if key in symbols}
        if name in named and isinstance(value, Mapping)
        else value
        for name, value in options.items()
    }
