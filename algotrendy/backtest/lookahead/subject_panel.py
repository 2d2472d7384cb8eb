"""What is looked at on several instruments: orders of one account, expressions on each of them, a function on each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from algotrendy.backtest.lookahead.subject import Subject, as_subject, evaluated, readable
from algotrendy.backtest.lookahead.table import as_table
from algotrendy.backtest.lookahead.worlds_panel import Frames, symbol_of, union_of
from algotrendy.backtest.portfolio.market import account_of
from algotrendy.backtest.stateful.decisions import PanelDecisions
from algotrendy.domain.interval import infer_interval
from algotrendy.domain.panel import Panel
from algotrendy.errors import InputError
from algotrendy.expressions.instruments import Instruments
from algotrendy.strategy import BarStrategy

if TYPE_CHECKING:
    from algotrendy.domain.bars import BarArrays
    from algotrendy.domain.types import AnyArray, Int1D
    from algotrendy.expressions import Context, Expression

__all__ = ["declared_on_panel", "frames_of", "subject_on_panel"]


def frames_of(panel: Panel) -> Frames:
    """Return the bars of each instrument with their further columns, as what decides sees them."""
    account = account_of(panel)
    return {name: own.bars for name, own in zip(panel.instruments, account.settings, strict=True)}


def subject_on_panel(given: Any, params: Mapping[str, Any] | None, inputs: Any, panel: Panel) -> Subject:
    """Return what is to be run on several instruments.

    A stateful strategy has them in one account; anything else is run on each by itself.

    Raises
    ------
    InputError
        As `as_subject`.
    """
    subject = as_subject(given, params, inputs)
    if isinstance(given, BarStrategy):
        strategy = given.with_params(**dict(params)) if params else given
        return Subject(
            subject.name,
            "stateful strategy",
            PanelDecisions(strategy, panel),
        )
    if subject.kind == "chart style":
        raise InputError("a chart style is checked on the bars of one instrument; give those of one symbol")
    return Subject(subject.name, f"{subject.kind}, on each instrument", _OnEach(subject))


def declared_on_panel(
    name: str,
    expressions: Mapping[str, Expression],
    custom: Mapping[str, Any],
    values: Mapping[str, float],
) -> Subject:
    """Return a subject for expressions that call Python indicators, on each instrument among the others."""
    declared = _DeclaredOnPanel(dict(expressions), dict(custom), dict(values))
    return Subject(name, "strategy with Python indicators", declared)


@dataclass(frozen=True)
class _OnEach:
    """Runs a subject on each instrument, and lays what it gives on the union of the stamps."""

    subject: Subject

    def __call__(self, frames: Frames) -> dict[str, AnyArray]:
        index = union_of(frames)
        found: dict[str, AnyArray] = {}
        for name, bars in frames.items():
            table = as_table(self.subject.called(bars), bars.index)
            if table.keys is not None:
                raise InputError("on several instruments a function has to give one value per bar")
            rows = index.get_indexer(bars.index)
            for column, values in table.columns.items():
                found[f"{symbol_of(name)}.{column}"] = _spread(values, rows, len(index))
        return found


@dataclass(frozen=True)
class _DeclaredOnPanel:
    """Gives the conditions, levels and user's indicators of a strategy as columns, for each instrument."""

    conditions: Mapping[str, Expression]
    custom: Mapping[str, Any]
    values: Mapping[str, float]

    def __call__(self, frames: Frames) -> dict[str, AnyArray]:
        index: Any = union_of(frames)
        interval = infer_interval(index)
        own = [
            _Own(*readable(bars, interval), index.get_indexer(bars.index).astype(np.int64)) for bars in frames.values()
        ]
        symbols = [symbol_of(name) for name in frames]
        catalogue = next(iter(self.conditions.values())).catalogue
        peers = Instruments(symbols, own, len(index), catalogue=catalogue)
        found: dict[str, AnyArray] = {}
        for j, (symbol, each) in enumerate(zip(symbols, own, strict=True)):
            made = evaluated(self.conditions, self.custom, self.values, each.arrays, peers.context(j))
            for name, values in made.items():
                found[f"{symbol}.{name}"] = _spread(np.asarray(values), each.rows, len(index))
        return found


class _Own(NamedTuple):
    """One instrument as expressions read it."""

    arrays: BarArrays
    context: Context
    rows: Int1D


def _spread(values: AnyArray, rows: Int1D, n: int) -> AnyArray:
    """Return values at some rows; nothing is known at the others."""
    if values.dtype == object:
        texts: AnyArray = np.full(n, None, object)
        texts[rows] = values
        return texts
    found: AnyArray = np.full(n, np.nan)
    found[rows] = values
    return found
