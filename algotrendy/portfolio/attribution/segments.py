"""Brinson attribution: allocation, selection and interaction, with the effect of currencies taken apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from algotrendy.domain.types import Float2D
from algotrendy.errors import InputError
from algotrendy.portfolio.attribution.result import Attribution
from algotrendy.portfolio.attribution.tables import as_table, check_weights, values_of

__all__ = ["BrinsonSides", "brinson", "brinson_effects"]

BrinsonMethod = Literal["brinson_fachler", "bhb"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BrinsonSides:
    """Weights, contributions and local returns of portfolio and benchmark, each of shape (n_periods, n_segments).

    Attributes
    ----------
    weights, benchmark_weights : array
        At the start of each period, as fractions.
    contributions : array
        Weight times local return of the portfolio's segments. It is given rather than the return because a segment of
        long and short positions may have the weight 0 and still earn.
    benchmark_returns : array
        Local returns of the benchmark's segments.
    currency, benchmark_currency : array
        Contribution of currencies: weight x (return in the base currency - local return).
    """

    weights: Float2D
    contributions: Float2D
    benchmark_weights: Float2D
    benchmark_returns: Float2D
    currency: Float2D
    benchmark_currency: Float2D


def brinson(
    weights: Any,
    returns: Any,
    benchmark_weights: Any,
    benchmark_returns: Any,
    *,
    method: BrinsonMethod = "brinson_fachler",
    interaction: bool = True,
    currency_returns: Any = None,
    benchmark_currency_returns: Any = None,
) -> Attribution:
    """Return why a portfolio did not do as its benchmark: by what it held, and by how that did.

    With w and r of the portfolio, v and b of the benchmark, and B the benchmark's return: allocation is (w - v)(b - B)
    by Brinson and Fachler [1]_ and (w - v) b by Brinson, Hood and Beebower [2]_; selection is v (r - b), interaction
    (w - v)(r - b). Several periods are linked by Carino's factors.

    Parameters
    ----------
    weights, benchmark_weights : DataFrame of shape (n_periods, n_segments), or Series of one period
        At the start of each period, as fractions that sum to 1; cash is a segment.
    returns, benchmark_returns : DataFrame or Series, of the same labels
        Simple returns of each segment in the base currency, as fractions. NaN is allowed where the weight of that side
        is 0: the other side's return is taken, so nothing is called selection.
    method : {"brinson_fachler", "bhb"}
        What allocation is measured against: the benchmark's return, or 0.
    interaction : bool
        Whether interaction is an effect of its own; False adds it to selection.
    currency_returns : DataFrame or Series, optional
        Return of each segment's currency in the base currency. The effects above are then of local returns,
        (1 + r) / (1 + c) - 1, and what is left of the returns is the effect "currency".
    benchmark_currency_returns : DataFrame or Series, optional
        Where they differ from the portfolio's, as with hedges.

    Returns
    -------
    Attribution
        Effects "allocation", "selection", "interaction" (where kept) and "currency" (where asked for).

    Raises
    ------
    InputError
        If labels differ, weights do not sum to 1, or numbers are not finite.

    References
    ----------
    .. [1] Brinson, G. and Fachler, N. (1985). Measuring non-US equity portfolio performance. Journal of Portfolio
       Management, 11(3), 73-76.
    .. [2] Brinson, G., Hood, R. and Beebower, G. (1986). Determinants of portfolio performance. Financial Analysts
       Journal, 42(4), 39-44.

    Examples
    --------
    Bacon's example of three markets:

    >>> import pandas as pd
    >>> markets = ["UK", "Japan", "US"]
    >>> found = brinson(pd.Series([0.40, 0.30, 0.30], markets), pd.Series([0.20, -0.05, 0.06], markets),
    ...                 pd.Series([0.40, 0.20, 0.40], markets), pd.Series([0.10, -0.04, 0.08], markets))
    >>> (found.frame() * 100).round(2)
           allocation  selection  interaction  total
    UK           0.00        4.0          0.0   4.00
    Japan       -1.04       -0.2         -0.1  -1.34
    US          -0.16       -0.8          0.2  -0.76
    total       -1.20        3.0          0.1   1.90
    """
    like = as_table(weights, "the weights")
    w = values_of(weights, like, "the weights")
    v = values_of(benchmark_weights, like, "the benchmark's weights")
    check_weights(w, like, "the weights")
    check_weights(v, like, "the benchmark's weights")
    r = values_of(returns, like, "the returns", blank=w == 0.0)
    b = values_of(benchmark_returns, like, "the benchmark's returns", blank=v == 0.0)
    r, b = np.where(np.isnan(r), b, r), np.where(np.isnan(b), r, b)
    r, b = np.nan_to_num(r), np.nan_to_num(b)  # neither side holds it: nothing comes of it
    c, d = np.zeros_like(w), np.zeros_like(w)
    if currency_returns is not None:
        c = values_of(currency_returns, like, "the currency returns")
        given = currency_returns if benchmark_currency_returns is None else benchmark_currency_returns
        d = values_of(given, like, "the benchmark's currency returns")
    elif benchmark_currency_returns is not None:
        raise InputError("the benchmark's currency returns are given, the portfolio's are not")
    if (c <= -1.0).any() or (d <= -1.0).any():
        raise InputError("a currency return is -1 or below: a currency worth nothing has no local return")
    local, benchmark_local = (1.0 + r) / (1.0 + c) - 1.0, (1.0 + b) / (1.0 + d) - 1.0
    sides = BrinsonSides(
        weights=w,
        contributions=w * local,
        benchmark_weights=v,
        benchmark_returns=benchmark_local,
        currency=w * (r - local),
        benchmark_currency=v * (b - benchmark_local),
    )
    effects = brinson_effects(sides, method)
    if not interaction:
        effects["selection"] = effects["selection"] + effects.pop("interaction")
    if currency_returns is None:
        del effects["currency"]
    return Attribution(
        effects=np.stack(list(effects.values()), axis=2),
        names=tuple(effects),
        segments=tuple(like.columns),
        periods=like.index,
        returns=(w * r).sum(axis=1),
        benchmark_returns=(v * b).sum(axis=1),
    )


def brinson_effects(sides: BrinsonSides, method: BrinsonMethod = "brinson_fachler") -> dict[str, Float2D]:
    """Return allocation, selection, interaction and currency, each of shape (n_periods, n_segments).

    They sum to the difference of the two sides' contributions, local and of currencies, whatever the weights are.

    Raises
    ------
    InputError
        If there is no such method.
    """
    w, v, b = sides.weights, sides.benchmark_weights, sides.benchmark_returns
    if method == "brinson_fachler":
        against = (v * b).sum(axis=1, keepdims=True)
    elif method == "bhb":
        against = np.zeros((len(w), 1))
    else:
        raise InputError(f'method is {method!r}; expected "brinson_fachler" or "bhb"')
    r = np.divide(sides.contributions, w, out=b.copy(), where=w != 0.0)
    selection = v * (r - b)
    return {
        "allocation": (w - v) * (b - against),
        "selection": selection,
        "interaction": sides.contributions - w * b - selection,
        "currency": sides.currency - sides.benchmark_currency,
    }
