"""What a stress test needs to know of a portfolio: values, and how its instruments move."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.domain.types import Float1D, Float2D
from algotrendy.errors import InputError
from algotrendy.risk.inputs import check_dates

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.risk.limits.book import BookView

__all__ = ["StressBook"]


@dataclass(frozen=True, kw_only=True)
class StressBook:
    """A portfolio for stress tests; only `values` and `equity` are needed by all of them.

    Attributes
    ----------
    values : mapping of str to float
        What each position is worth in the book's currency; negative is short.
    equity : float
        In the same currency, > 0.
    covariance : DataFrame or None
        Of the daily returns of the instruments, rows and columns by symbol.
    betas : mapping of str to mapping of str to float
        By factor, then by symbol: what a factor's return of 1 does to an instrument. A symbol that is left out does not
        move with the factor. `market` is the usual name of the one that everybody has.
    history : DataFrame or None
        Daily returns, one column by symbol, an index of times: for windows of history.
    traded_values : mapping of str to float
        The value of each instrument traded in a usual day, in the book's currency, > 0: for liquidity.
    peak_equity : float or None
        The highest equity so far, for a drawdown.
    reprice : callable or None
        Of a book that is not linear, such as one with options: given the returns of the instruments, an array in the
        order of `symbols`, it returns the profit in the book's currency. None: the profit is the sum of value times
        return.

    Examples
    --------
    >>> book = StressBook(values={"A": 60_000.0, "B": -20_000.0}, equity=100_000.0)
    >>> round(book.profit(np.array([-0.1, -0.2])), 2)
    -2000.0
    """

    values: Mapping[str, float]
    equity: float
    covariance: Any = None
    betas: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    history: pd.DataFrame | None = None
    traded_values: Mapping[str, float] = field(default_factory=dict)
    peak_equity: float | None = None
    reprice: Callable[[Float1D], float] | None = None

    def __post_init__(self) -> None:
        if not self.values:
            raise InputError("the book has no position, so nothing can happen to it; give values=")
        wrong = [name for name, value in self.values.items() if not np.isfinite(value)]
        if wrong:
            raise InputError(f"the value of {', '.join(wrong)} is not finite; leave out what is not held")
        if not (np.isfinite(self.equity) and self.equity > 0):
            raise InputError(f"equity is {self.equity}; losses are fractions of it, so it has to be positive")
        check_dates(self.history)

    @classmethod
    def of(cls, book: BookView, **more: Any) -> StressBook:
        """Return the positions of a book of limits, open orders left out, with their betas as the factor `market`.

        Parameters
        ----------
        book : BookView
            The portfolio.
        **more
            Further attributes of a `StressBook`.

        Examples
        --------
        >>> from algotrendy.risk.limits import BookView, Exposure
        >>> book = BookView(equity=1000, exposures=[Exposure(symbol="A", quantity=10, price=20, beta="1.5")])
        >>> StressBook.of(book).betas
        {'market': {'A': 1.5}}
        """
        held = [row for row in book.exposures if row.quantity]
        betas = {row.symbol: float(row.beta) for row in held if row.beta is not None}
        volumes = {row.symbol: float(row.volume * row.unit_value) for row in held if row.volume is not None}
        options: dict[str, Any] = {
            "values": {row.symbol: float(row.value) for row in held},
            "equity": float(book.equity),
            "betas": {"market": betas} if betas else {},
            "traded_values": volumes,
            "peak_equity": None if book.peak_equity is None else float(book.peak_equity),
        }
        return cls(**{**options, **more})

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """The instruments, in the order of arrays."""
        return tuple(self.values)

    @cached_property
    def exposures(self) -> Float1D:
        """The values as an array."""
        return np.array([float(self.values[symbol]) for symbol in self.symbols])

    @cached_property
    def matrix(self) -> Float2D:
        """The covariance of the instruments, in their order.

        Raises
        ------
        InputError
            If there is none, an instrument is missing, or it is not the covariance of anything.
        """
        if self.covariance is None:
            raise InputError("the book has no covariance, and this needs one: give covariance=returns.cov()")
        columns = getattr(self.covariance, "columns", None)
        if columns is None:
            raise InputError("covariance says no symbols; give a DataFrame with rows and columns by symbol")
        missing = [symbol for symbol in self.symbols if symbol not in columns or symbol not in self.covariance.index]
        if missing:
            raise InputError(f"covariance has no {', '.join(missing)}; estimate it with their returns, too")
        found: Float2D = self.covariance.loc[list(self.symbols), list(self.symbols)].to_numpy(dtype=np.float64)
        if not np.isfinite(found).all() or not np.allclose(found, found.T, rtol=1e-8, atol=1e-16):
            raise InputError("covariance is not finite and symmetric; look at the returns that it was made from")
        if float(np.linalg.eigvalsh(found)[0]) < -1e-8 * max(float(np.trace(found)), 1e-300):
            raise InputError("covariance has an eigenvalue below zero, so some book would have a negative variance")
        return found

    def loadings(self, factor: str) -> Float1D:
        """Return what a factor's return of 1 does to each instrument.

        Raises
        ------
        InputError
            If the book does not know the factor.
        """
        if factor not in self.betas:
            known = ", ".join(self.betas) or "none"
            raise InputError(f"the book has no betas of the factor {factor!r}; it knows {known}")
        betas = self.betas[factor]
        return np.array([float(betas.get(symbol, 0.0)) for symbol in self.symbols])

    def profit(self, returns: Float1D) -> float:
        """Return the profit, in the book's currency, if each instrument returns so much; negative is a loss."""
        if np.shape(returns) != (len(self.values),):
            raise InputError(f"returns have the shape {np.shape(returns)}, expected one for each of {self.symbols}")
        if self.reprice is not None:
            return float(self.reprice(returns))
        return float(self.exposures @ returns)
