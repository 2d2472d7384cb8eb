"""What a test of a procedure found: the best on the data, among the best of searches where there is nothing to find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.definitions import describe, written
from algotrendy.backtest.estimates import exact_share_interval
from algotrendy.backtest.procedure.null import NULLS
from algotrendy.backtest.sweep.pareto import LOWER_IS_BETTER
from algotrendy.domain.types import Float1D
from algotrendy.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from algotrendy.backtest.sweep.result import SweepResult
    from algotrendy.backtest.trials import TrialRecord

_CONFIDENCE = 0.95


@dataclass(frozen=True, eq=False, repr=False)
class ProcedureTest:
    """The outcome of `procedure_test`.

    Attributes
    ----------
    metric : str
        What the search ranked by.
    best : float
        The best of the real search.
    best_params : mapping of str to number
        Its parameters. Read-only.
    null_best : array of shape (n_paths,)
        The best that the same search found on each null path; NaN where nothing was traded.
    n_combinations : int
        Combinations of each search.
    null : str
        How null paths were made: "block", "sign" or "garch".
    settings : mapping of str to float
        What the null was estimated with: the mean length of a block, or the GARCH parameters. Read-only.
    keep_drift : bool
        Whether every null path ends where the data ended.
    seed : int
        The same seed gives the same paths.
    complete : bool
        False if Ctrl-C stopped it: then `null_best` holds the paths that were done.
    data : SweepResult, optional
        The search on the data: every combination with all its metrics.
    """

    metric: str
    best: float
    best_params: Mapping[str, Any]
    null_best: Float1D
    n_combinations: int
    null: str
    settings: Mapping[str, float]
    keep_drift: bool
    seed: int
    complete: bool
    data: SweepResult | None = None

    def __post_init__(self) -> None:
        for name in ("best_params", "settings"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def __len__(self) -> int:
        return self.null_best.size

    def trial(self) -> TrialRecord:
        """Return the record of the search on the data for a trial ledger: the same as that of the same sweep.

        Raises
        ------
        InputError
            If the result does not hold that search.
        """
        if self.data is None:
            raise InputError("this result does not hold the search on the data, so there is nothing to record")
        return replace(self.data.trial(), kind="procedure_test")

    @property
    def n_matched(self) -> int:
        """Null paths on which the search did at least as well as on the data."""
        sign = -1.0 if self.metric in LOWER_IS_BETTER else 1.0
        return int((sign * self.null_best >= sign * self.best).sum())

    @property
    def p_value(self) -> float:
        """The chance that luck alone matches the best result: (1 + paths that did) / (1 + paths)."""
        return (1 + self.n_matched) / (1 + len(self))

    @property
    def p_interval(self) -> tuple[float, float]:
        """What the chance may be, as far as so many paths can tell: 95 %, exact (Clopper and Pearson)."""
        return exact_share_interval(self.n_matched, len(self), _CONFIDENCE)

    @cached_property
    def table(self) -> pd.DataFrame:
        """The distribution of the best by luck alone: `mean`, quantiles, the best of the data and its place."""
        import pandas as pd

        found = self.null_best[np.isfinite(self.null_best)]
        names = {f"q{level:g}": level for level in (0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)}
        values = [float(np.quantile(found, level)) if found.size else np.nan for level in names.values()]
        rows = {"mean": float(found.mean()) if found.size else np.nan, **dict(zip(names, values, strict=True))}
        rows |= {"the data": self.best, "p_value": self.p_value}
        return pd.DataFrame({"value": rows})

    def summary(self) -> str:
        """Return the result as plain text, at most 80 columns wide."""
        info = describe(self.metric)
        low, high = self.p_interval
        state = "" if self.complete else " (stopped before its end)"
        drift = ", but with its drift" if self.keep_drift else ""
        null = NULLS[self.null].replace(", without drift", "") + (drift or ", without drift")
        by_luck = [written(self.table.at[row, "value"], info.kind) for row in ("q0.5", "q0.95")]
        parameters = ", ".join(f"{name}={value:g}" for name, value in self.best_params.items())
        return "\n".join(
            [
                f"Procedure test: {info.label}, best of {self.n_combinations:,} combinations",
                f"{len(self):,} null paths{state}: {null}; seed {self.seed}",
                "=" * 80,
                f"  {'On the data':35}{written(self.best, info.kind):>11}   {parameters}",
                f"  {'By luck alone, on half of the paths':35}{by_luck[0]:>11}   or better",
                f"  {'By luck alone, on 5 % of the paths':35}{by_luck[1]:>11}   or better",
                "",
                f"  Chance that luck alone matches it: {self.p_value:.4g}",
                f"  ({self.n_matched:,} of {len(self):,} paths did; 95 % interval {low:.2g} to {high:.2g})",
                "",
                "The whole search was run again on each path. It says nothing about choices made",
                "before it: the strategy, the bars and the grid are taken as given.",
            ]
        )

    def plot(self) -> go.Figure:
        """Return a Plotly figure: how often luck alone found a best of each size, and where the data stands."""
        from algotrendy.backtest.procedure.figures import null_figure

        return null_figure(self)

    def __repr__(self) -> str:
        best = written(self.best, describe(self.metric).kind)
        return (
            f"ProcedureTest({self.metric}={best}, p_value={self.p_value:.4g}, paths={len(self):,}, null={self.null!r})"
        )

    def _repr_html_(self) -> str:
        state = "" if self.complete else " (stopped before its end)"
        head = (
            f"{describe(self.metric).label}, best of {self.n_combinations:,} combinations, against {len(self):,} "
            f"null paths{state}: chance that luck alone matches it {self.p_value:.4g}"
        )
        table: str = self.table.to_html(float_format="{:.4g}".format)
        return f"<p>{escape(head)}</p>{table}"
