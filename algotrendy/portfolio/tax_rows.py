"""The rows of a tax report, and what tax follows from them at given rates. Not tax advice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from algotrendy.domain.money import exactly
from algotrendy.errors import InputError
from algotrendy.portfolio.lot import Disposal
from algotrendy.portfolio.tax import TaxRules

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TaxSummary", "tax_report", "tax_summary"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxSummary:
    """Net gains by term and the tax on them.

    Attributes
    ----------
    short_term, long_term : Decimal
        Net gain of each term, losses that wash sales disallow added back.
    disallowed : Decimal
        Those losses.
    tax : Decimal
        At the rules' rates, after a loss of one term has been set against a gain of the other; never below 0.
    loss_left : Decimal
        What is left of losses when all gains are used up, >= 0; what may be done with it is the law's affair.
    """

    short_term: Decimal
    long_term: Decimal
    disallowed: Decimal
    tax: Decimal
    loss_left: Decimal


def tax_report(disposals: Iterable[Disposal], rules: TaxRules, *, year: int | None = None) -> pd.DataFrame:
    """Return one row for each lot that was closed, in the manner of IRS Form 8949. Not tax advice.

    Parameters
    ----------
    disposals : iterable of Disposal
        `book.disposals`.
    rules : TaxRules
        Says what is long-term.
    year : int, optional
        Only what was closed in this year.

    Returns
    -------
    DataFrame
        Columns instrument, quantity (below 0: a short lot), acquired and closed (dates; of a short lot the day of the
        sale that opened it and of the purchase that closed it), proceeds, cost, code ("W" where a wash sale disallows
        loss), adjustment (what is disallowed), gain (proceeds - cost + adjustment), term ("short", "long"), lot.
        Amounts are Decimal.

    Examples
    --------
    >>> from algotrendy.portfolio import LotBook
    >>> tax_report(LotBook().disposals, TaxRules(short_term_rate="0.3", long_term_rate="0.2")).empty
    True
    """
    import pandas as pd

    names = (
        "instrument", "quantity", "acquired", "closed", "proceeds", "cost", "code", "adjustment", "gain", "term", "lot",
    )  # fmt: skip
    rows = [
        [
            row.lot.instrument,
            row.lot.quantity,
            row.lot.opened_on,
            row.closed_on,
            row.proceeds,
            row.cost,
            "W" if row.disallowed else "",
            row.disallowed,
            row.taxable_gain,
            "long" if row.is_long_term(rules) else "short",
            row.lot.lot_id,
        ]
        for row in disposals
        if year is None or row.closed_on.year == year
    ]
    return pd.DataFrame(rows, columns=pd.Index(names), dtype=object)


@exactly
def tax_summary(disposals: Iterable[Disposal], rules: TaxRules, *, year: int | None = None) -> TaxSummary:
    """Return net gains by term and the tax at the rules' rates. Not tax advice.

    Parameters
    ----------
    disposals : iterable of Disposal
        `book.disposals`, in one currency.
    rules : TaxRules
        The rates, and what is long-term.
    year : int, optional
        Only what was closed in this year.

    Returns
    -------
    TaxSummary
        Exact sums.

    Raises
    ------
    InputError
        If the disposals are in several currencies.

    Examples
    --------
    >>> tax_summary([], TaxRules(short_term_rate="0.3", long_term_rate="0.2")).tax
    Decimal('0.0')
    """
    rows = [row for row in disposals if year is None or row.closed_on.year == year]
    currencies = sorted({row.lot.currency for row in rows})
    if len(currencies) > 1:
        raise InputError(f"the disposals are in {', '.join(currencies)}; tax is reckoned in one currency")
    zero = Decimal(0)
    long_term = sum((row.taxable_gain for row in rows if row.is_long_term(rules)), zero)
    short_term = sum((row.taxable_gain for row in rows if not row.is_long_term(rules)), zero)
    short_left, long_left = _set_off(short_term, long_term)
    return TaxSummary(
        short_term=short_term,
        long_term=long_term,
        disallowed=sum((row.disallowed for row in rows), zero),
        tax=max(short_left, zero) * rules.short_term_rate + max(long_left, zero) * rules.long_term_rate,
        loss_left=max(-short_left, zero) + max(-long_left, zero),
    )


def _set_off(first: Decimal, second: Decimal) -> tuple[Decimal, Decimal]:
    """Return two net gains after a loss in one has been set against a gain in the other."""
    if first * second >= 0:
        return first, second
    total = first + second
    if (first > 0) == (total > 0):
        return total, Decimal(0)
    return Decimal(0), total
