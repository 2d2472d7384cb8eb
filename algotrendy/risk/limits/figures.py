"""What a book would look like after orders: its figures before and after, and what the limits say on the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from algotrendy.errors import InputError
from algotrendy.risk.limits.book import BookView, ProposedOrder
from algotrendy.risk.limits.evaluate import LimitCheckResult, LimitSet, check_order
from algotrendy.risk.limits.limit import Limit

__all__ = ["BookFigures", "WhatIf", "figures_of", "what_if"]

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class BookFigures:
    """The figures of a book as its positions are, open orders left out.

    Attributes
    ----------
    equity, cash : Decimal
        In the book's currency; cash is None if the book does not say.
    gross_leverage, net_leverage : Decimal
        Sum of absolute and of signed values, as fractions of equity.
    beta : Decimal or None
        Sum of value times beta, as a fraction of equity; None if a beta of a position is not known.
    concentration, largest : Decimal, str or None
        The largest absolute value as a fraction of equity, and the symbol.
    sectors : mapping of str to Decimal
        Gross value by sector, as fractions of equity.
    value_at_risk, expected_shortfall : float or None
        As fractions of equity; None without estimates or positions.
    """

    equity: Decimal
    cash: Decimal | None
    gross_leverage: Decimal
    net_leverage: Decimal
    beta: Decimal | None
    concentration: Decimal
    largest: str | None
    sectors: Mapping[str, Decimal]
    value_at_risk: float | None
    expected_shortfall: float | None


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Orders tried on a book one after the other, each filled if its check approved it.

    Attributes
    ----------
    checks : tuple of LimitCheckResult
        What the limits say to each order, those before it filled.
    before, after : BookFigures
        The book before the first order and after the last.
    book : BookView
        The book after the last order.
    """

    checks: tuple[LimitCheckResult, ...]
    before: BookFigures
    after: BookFigures
    book: BookView

    @property
    def approved(self) -> bool:
        """Whether every order was approved."""
        return all(check.approved for check in self.checks)


def figures_of(book: BookView) -> BookFigures:
    """Return the figures of a book.

    Raises
    ------
    InputError
        If its equity is not positive: nothing is a fraction of it.

    Examples
    --------
    >>> from algotrendy.risk.limits import Exposure
    >>> rows = [Exposure(symbol="A", quantity=60, price=1, sector="x"), Exposure(symbol="B", quantity=-20, price=1)]
    >>> figures = figures_of(BookView(equity=100, exposures=rows))
    >>> figures.gross_leverage, figures.net_leverage, figures.largest
    (Decimal('0.8'), Decimal('0.4'), 'A')
    """
    equity = book.equity
    if equity <= 0:
        raise InputError(f"the equity of the book is {equity}; its figures are fractions of it")
    held = [row for row in book.exposures if row.quantity]
    sectors: dict[str, Decimal] = {}
    for row in held:
        if row.sector is not None:
            sectors[row.sector] = sectors.get(row.sector, _ZERO) + abs(row.value) / equity
    largest = max(held, key=lambda row: abs(row.value), default=None)
    knows_betas = all(row.beta is not None for row in held)
    beta = sum((row.beta * row.value for row in held if row.beta is not None), _ZERO) / equity if knows_betas else None
    has_risk = book.estimates is not None and held
    return BookFigures(
        equity=equity,
        cash=book.cash,
        gross_leverage=sum((abs(row.value) for row in held), _ZERO) / equity,
        net_leverage=sum((row.value for row in held), _ZERO) / equity,
        beta=beta,
        concentration=_ZERO if largest is None else abs(largest.value) / equity,
        largest=None if largest is None else largest.symbol,
        sectors=sectors,
        value_at_risk=book.estimates.value_at_risk(held[0].symbol, 0.0) if has_risk and book.estimates else None,
        expected_shortfall=book.estimates.expected_shortfall(held[0].symbol, 0.0)
        if has_risk and book.estimates
        else None,
    )


def what_if(
    orders: ProposedOrder | Iterable[ProposedOrder],
    book: BookView,
    limits: LimitSet | Iterable[Limit | Mapping[str, Any]] = (),
) -> WhatIf:
    """Try orders on a book one after the other; nothing is reserved and nothing sent.

    Parameters
    ----------
    orders : ProposedOrder or iterable of them
        In the order in which they would be sent.
    book : BookView
        The portfolio as it is.
    limits : iterable of Limit
        What each order is checked against, those approved before it filled at the prices of the book.

    Returns
    -------
    WhatIf
        The checks, the figures before and after, and the book after.

    Examples
    --------
    >>> from algotrendy.risk.limits import Exposure, Limit
    >>> book = BookView(equity=1000, cash=1000, exposures=[Exposure(symbol="A", price=10)])
    >>> orders = [ProposedOrder(symbol="A", side="BUY", quantity=n) for n in (30, 40)]
    >>> tried = what_if(orders, book, [Limit(kind="concentration", limit=0.5)])
    >>> [check.approved for check in tried.checks], tried.after.concentration, tried.after.cash
    ([True, False], Decimal('0.3'), Decimal('700'))
    """
    given = limits if isinstance(limits, LimitSet) else LimitSet(limits)
    now, checks = book, []
    for order in (orders,) if isinstance(orders, ProposedOrder) else orders:
        check = check_order(order, now, given)
        checks.append(check)
        if check.approved:
            now = now.filled(order)
    return WhatIf(tuple(checks), figures_of(book), figures_of(now), now)
