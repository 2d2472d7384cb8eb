"""What an attribution says: effects by period and segment that add up to a return, and their link over time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.domain.types import AnyArray, Float1D
from algotrendy.errors import InputError
from algotrendy.risk.inputs import check_dates

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Attribution", "carino_factors"]


def carino_factors(returns: Any, benchmark_returns: Any = None) -> Float1D:
    """Return by what each period's effects are multiplied, so that they sum to the whole span's excess return.

    The factor is k_t / k with ``k = (log(1 + R) - log(1 + B)) / (R - B)``, of the period and of the whole span [1]_.

    Parameters
    ----------
    returns : array-like of shape (n_periods,), n_periods >= 1
        Simple returns per period, as fractions, above -1.
    benchmark_returns : array-like of shape (n_periods,), optional
        Of the benchmark; without one the effects of each period sum to the return itself.

    Returns
    -------
    array of shape (n_periods,)
        Factors above 0; 1 for a single period.

    Raises
    ------
    InputError
        If a return is not finite, or -1 or below: its logarithm does not exist.

    References
    ----------
    .. [1] Carino, D. (1999). Combining attribution effects over time. Journal of Performance Measurement, 3(4), 5-14.

    Examples
    --------
    >>> factors = carino_factors([0.10, 0.05], [0.05, 0.06])
    >>> excess = 1.10 * 1.05 - 1.05 * 1.06
    >>> bool(abs(factors @ [0.05, -0.01] - excess) < 1e-15)
    True
    """
    for one in (returns, benchmark_returns):
        check_dates(one)
    found = [
        np.asarray(one, dtype=np.float64) for one in (returns, 0.0 if benchmark_returns is None else benchmark_returns)
    ]
    portfolio, benchmark = np.broadcast_arrays(*found)
    if portfolio.ndim != 1 or not len(portfolio):
        raise InputError(f"returns have the shape {portfolio.shape}, expected one for each of at least one period")
    for what, values in (("return", portfolio), ("benchmark return", benchmark)):
        if not np.isfinite(values).all():
            raise InputError(f"{int((~np.isfinite(values)).sum())} of {len(values)} {what}s are not finite")
        if (values <= -1.0).any():
            raise InputError(
                f"the {what} of period {int(np.argmax(values <= -1.0))} (counted from 0) is {values.min():g}; effects "
                "are linked by logarithms, which need returns above -1: end the span before"
            )
    whole = [float(np.expm1(np.log1p(values).sum())) for values in (portfolio, benchmark)]
    return _k(portfolio, benchmark) / float(_k(np.array(whole[:1]), np.array(whole[1:]))[0])


def _k(portfolio: Float1D, benchmark: Float1D) -> Float1D:
    ratio = (portfolio - benchmark) / (1.0 + benchmark)
    is_small = np.abs(ratio) < 1e-8  # log(1 + x) / x is 1 - x / 2 to the last digit there
    safe = np.where(is_small, 1.0, ratio)
    return np.asarray(np.where(is_small, 1.0 - ratio / 2.0, np.log1p(safe) / safe) / (1.0 + benchmark))


@dataclass(frozen=True, slots=True, eq=False)
class Attribution:
    """Effects by period and segment.

    Attributes
    ----------
    effects : array of shape (n_periods, n_segments, n_effects)
        Of each period by itself; they sum to its excess return.
    names : tuple of str
        Of the effects, such as "allocation".
    segments : tuple
        Labels of the segments.
    periods : Index
        Labels of the periods.
    returns, benchmark_returns : array of shape (n_periods,)
        Of the whole portfolio and of the whole benchmark, which is 0 where there is none.
    """

    effects: AnyArray
    names: tuple[str, ...]
    segments: tuple[Any, ...]
    periods: pd.Index[Any]
    returns: Float1D
    benchmark_returns: Float1D

    @property
    def excess_return(self) -> float:
        """Compounded return of the portfolio less that of the benchmark."""
        return float(np.prod(1.0 + self.returns) - np.prod(1.0 + self.benchmark_returns))

    @property
    def linked(self) -> pd.DataFrame:
        """Effects of the whole span by segment, linked by Carino's factors: they sum to `excess_return`."""
        import pandas as pd

        factors = carino_factors(self.returns, self.benchmark_returns)
        index = _labels(self.segments, "segment")
        return pd.DataFrame(np.tensordot(factors, self.effects, axes=1), index=index, columns=list(self.names))

    @property
    def total(self) -> pd.Series[float]:
        """Effects of the whole span over all segments."""
        return self.linked.sum()

    @property
    def residual(self) -> float:
        """Excess return less all effects: what arithmetic leaves."""
        return self.excess_return - float(self.total.sum())

    @property
    def by_period(self) -> pd.DataFrame:
        """Effects of each period over all segments, not linked, with the columns return and benchmark_return."""
        import pandas as pd

        table = pd.DataFrame(self.effects.sum(axis=1), index=self.periods, columns=list(self.names))
        table["return"], table["benchmark_return"] = self.returns, self.benchmark_returns
        return table

    def of(self, effect: str) -> pd.DataFrame:
        """Return one effect by period and segment, not linked.

        Raises
        ------
        InputError
            If there is no such effect.
        """
        import pandas as pd

        if effect not in self.names:
            raise InputError(f"there is no effect {effect!r}; expected one of {', '.join(self.names)}")
        values = self.effects[:, :, self.names.index(effect)]
        return pd.DataFrame(values, index=self.periods, columns=_labels(self.segments, "segment"))

    def by(self, groups: Mapping[Any, Any] | Callable[[Any], Any] | int) -> Attribution:
        """Return the same effects summed over groups of segments.

        Parameters
        ----------
        groups : mapping, callable or int
            Segment to group, or which part of a segment's label that has several: 0 of ("trend", "SPY") is the
            strategy. A segment that a mapping lacks, or that has no parts, is a group of its own.
        """
        named = [_group(segment, groups) for segment in self.segments]
        labels = list(dict.fromkeys(named))
        belongs = np.array([[name == label for name in named] for label in labels], dtype=np.float64)
        return replace(self, effects=np.einsum("gs,tse->tge", belongs, self.effects), segments=tuple(labels))

    def frame(self) -> pd.DataFrame:
        """Return `linked` with the sum of each segment in the column total, and of each effect in the row total."""
        import pandas as pd

        table = self.linked
        table["total"] = table.sum(axis=1)
        row = table.sum().to_frame().T
        row.index = ["total"]
        table.index = pd.Index([str(segment) for segment in self.segments])
        return pd.concat([table, row])


def _group(segment: Any, groups: Mapping[Any, Any] | Callable[[Any], Any] | int) -> Any:
    if isinstance(groups, Mapping):
        return groups.get(segment, segment)
    if isinstance(groups, int):
        return segment[groups] if isinstance(segment, tuple) else segment
    return groups(segment)


def _labels(segments: tuple[Any, ...], name: str) -> pd.Index[Any]:
    import pandas as pd

    found: pd.Index[Any] = pd.Index(list(segments), name=name, tupleize_cols=False)
    return found
