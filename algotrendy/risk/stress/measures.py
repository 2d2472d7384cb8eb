"""What a shock does to the figures of a book, by the kinds that limits have."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from algotrendy.domain.types import Float1D
from algotrendy.errors import InputError
from algotrendy.risk.limits.limit import LimitKind
from algotrendy.risk.stress.book import StressBook

__all__ = ["MEASURES", "measured"]


def _loss(book: StressBook, returns: Float1D) -> float:
    return -book.profit(returns) / book.equity


def _drawdown(book: StressBook, returns: Float1D) -> float:
    if book.peak_equity is None:
        raise InputError("a drawdown is measured from the highest equity; give the book peak_equity=")
    return 1.0 - (book.equity + book.profit(returns)) / max(book.peak_equity, book.equity)


def _gross_leverage(book: StressBook, returns: Float1D) -> float:
    return _of_equity(book, returns, float(np.abs(_after(book, returns)).sum()))


def _net_leverage(book: StressBook, returns: Float1D) -> float:
    return _of_equity(book, returns, abs(float(_after(book, returns).sum())))


def _concentration(book: StressBook, returns: Float1D) -> float:
    return _of_equity(book, returns, float(np.abs(_after(book, returns)).max()))


def _after(book: StressBook, returns: Float1D) -> Float1D:
    if book.reprice is not None:
        raise InputError(
            "a book with reprice= says its profit, not what each position is worth; "
            "use the kinds daily_loss and drawdown"
        )
    found: Float1D = book.exposures * (1.0 + returns)
    return found


def _of_equity(book: StressBook, returns: Float1D, value: float) -> float:
    equity = book.equity + book.profit(returns)
    return value / equity if equity > 0.0 else np.inf


MEASURES: Mapping[LimitKind, Callable[[StressBook, Float1D], float]] = {
    LimitKind.DAILY_LOSS: _loss,
    LimitKind.DRAWDOWN: _drawdown,
    LimitKind.GROSS_LEVERAGE: _gross_leverage,
    LimitKind.NET_LEVERAGE: _net_leverage,
    LimitKind.CONCENTRATION: _concentration,
}
"""The kinds of limit that a shock can break; the loss of the shock counts as one of the day."""


def measured(kind: LimitKind, book: StressBook, returns: Float1D) -> float:
    """Return what a limit of a kind would measure after a shock, as a fraction.

    Raises
    ------
    InputError
        If a shock does not change what the kind measures, or the book does not know enough.

    Examples
    --------
    >>> book = StressBook(values={"A": 150.0}, equity=100.0)
    >>> measured(LimitKind.GROSS_LEVERAGE, book, np.array([-0.2]))  # 120 of 70
    1.7142857142857142
    """
    if kind not in MEASURES:
        raise InputError(f"a shock of prices does not break {kind}; it can break {', '.join(MEASURES)}")
    return MEASURES[kind](book, returns)
