"""What a Monte Carlo found: the figures of each path, what they say together, and the fan of wealth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.definitions import written
from algotrendy.backtest.estimates import Estimate, mean_of, quantile_of, share_of
from algotrendy.domain.types import Bool1D, Float1D, Float2D

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

LABELS = {
    "trade_shuffle": "trades in another order",
    "bootstrap": "independent bootstrap",
    "stationary": "stationary bootstrap, blocks of random length",
    "circular": "circular bootstrap, blocks of one length",
    "garch": "GARCH(1,1) with resampled shocks",
    "parameter_jitter": "parameters near the chosen ones",
}


@dataclass(frozen=True, eq=False, repr=False)
class MonteCarloResult:
    """The outcome of `monte_carlo`.

    Attributes
    ----------
    terminal_wealth : array of shape (n_paths,)
        What became of 1: 1.25 is a gain of a quarter, 0.0 is ruin. One per path, by its number.
    max_drawdown : array of shape (n_paths,)
        Largest loss of each path from its running peak, as a positive fraction.
    ruined : bool array of shape (n_paths,)
        Whether a path ever stood at 1 - `ruin` or below.
    method : str
        How paths were made.
    horizon : int
        Steps of each path.
    unit : str
        What a step is: "period" (a return of the data), "trade" or "bar".
    ruin : float
        Share of the starting wealth whose loss counts as ruin.
    confidence : float
        Share of the paths in the range that the table gives, and coverage of the interval of each estimate.
    seed : int
        The same seed gives the same paths.
    observed : mapping of str to float
        `terminal_wealth` and `max_drawdown` of the data itself, over all of its `n_steps`. Read-only.
    settings : mapping
        What the method used besides: `block`, the GARCH parameters, or the parameters that were varied. Read-only.
    complete : bool
        False if Ctrl-C stopped it: then these are the paths that were done.
    curves : callable
        Yields the wealth of all paths, some steps at a time, shape (n_steps, n_paths): paths are drawn again, not kept.
    """

    terminal_wealth: Float1D
    max_drawdown: Float1D
    ruined: Bool1D
    method: str
    horizon: int
    unit: str
    ruin: float
    confidence: float
    seed: int
    observed: Mapping[str, float]
    settings: Mapping[str, Any]
    complete: bool
    curves: Callable[[], Iterator[Float2D]] = field(repr=False)

    def __post_init__(self) -> None:
        for name in ("observed", "settings"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def __len__(self) -> int:
        return self.terminal_wealth.size

    @property
    def ruin_probability(self) -> Estimate:
        """How likely ruin is within the horizon: `value`, and the interval `low` to `high` (Wilson)."""
        return share_of(int(self.ruined.sum()), len(self), self.confidence)

    @property
    def loss_probability(self) -> Estimate:
        """How likely a path ends below its start: `value`, and the interval `low` to `high` (Wilson)."""
        return share_of(int((self.terminal_wealth < 1.0).sum()), len(self), self.confidence)

    @property
    def levels(self) -> tuple[float, ...]:
        """Quantiles that the table and the fan give: the ends of the range, the quartiles and the median."""
        tail = round((1.0 - self.confidence) / 2.0, 12)
        return (tail, 0.25, 0.5, 0.75, 1.0 - tail)

    @cached_property
    def table(self) -> pd.DataFrame:
        """What the paths say together: one row per figure and statistic, with `value` and its interval `low`, `high`.

        Rows are (`terminal_wealth`, `mean`), (`max_drawdown`, `q0.975`), ... and the two probabilities. The interval
        says how well so many paths know the figure: not how well the data knows the future.
        """
        import pandas as pd

        rows: dict[tuple[str, str], Estimate] = {}
        for name in ("terminal_wealth", "max_drawdown"):
            values = np.sort(getattr(self, name))
            rows[name, "mean"] = mean_of(values, self.confidence)
            for level in self.levels:
                label = "median" if level == 0.5 else f"q{level:.4g}"
                rows[name, label] = quantile_of(values, level, self.confidence)
        rows["loss", "probability"], rows["ruin", "probability"] = self.loss_probability, self.ruin_probability
        index = pd.MultiIndex.from_tuples(rows, names=["figure", "statistic"])
        return pd.DataFrame(list(rows.values()), index=index, columns=["value", "low", "high"])

    @cached_property
    def fan(self) -> pd.DataFrame:
        """Quantiles of the wealth after each step, from 1.0 at step 0: shape (horizon + 1, n_levels).

        The paths are drawn again for it, on first access; columns are the levels.
        """
        import pandas as pd

        rows = [np.ones((1, len(self.levels)))]
        rows += [np.quantile(block, self.levels, axis=1).T for block in self.curves()]
        index = pd.RangeIndex(self.horizon + 1, name="step")
        return pd.DataFrame(np.concatenate(rows), index=index, columns=pd.Index(self.levels, name="quantile"))

    def summary(self) -> str:
        """Return the result as plain text, at most 80 columns wide."""
        state = "" if self.complete else ", stopped before its end"
        lines = [
            f"Monte Carlo: {LABELS[self.method]}",
            f"{len(self):,} paths of {self.horizon:,} {self.unit}s{state}; seed {self.seed}{self._settings_text()}",
            "=" * 80,
            f"{'':26}{'estimate':>14}{f'{self.confidence:.4g} interval':>24}{'the data':>16}",
        ]
        rows: list[tuple[str, str]] = self.table.index.tolist()
        for (name, statistic), numbers in zip(rows, self.table.to_numpy().tolist(), strict=True):
            lines.append(_line(name, statistic, Estimate(*numbers), self.observed))
        lines += [
            "",
            f"Ruin: wealth at or below {1.0 - self.ruin:.4g} of the start, at any step.",
            f"The data: all of its {self.observed['n_steps']:,.0f} steps. The intervals are those of the simulation",
            "alone: the paths can only show what the data has seen.",
        ]
        return "\n".join(lines)

    def _settings_text(self) -> str:
        texts = (f"{name} {value:.4g}" for name, value in self.settings.items() if isinstance(value, int | float))
        return "".join(f"; {text}" for text in texts)

    def plot(self) -> go.Figure:
        """Return a Plotly figure: the fan of wealth by step, and how often drawdowns of each size occurred."""
        from algotrendy.backtest.monte_carlo.figures import fan_figure

        return fan_figure(self)

    def __repr__(self) -> str:
        ruin, median = self.ruin_probability.value, float(np.median(self.terminal_wealth))
        return (
            f"MonteCarloResult(method={self.method!r}, paths={len(self):,}, horizon={self.horizon}, "
            f"median terminal wealth={median:.3f}, ruin={ruin:.1%})"
        )

    def _repr_html_(self) -> str:
        state = "" if self.complete else " (stopped before its end)"
        head = f"{LABELS[self.method]}: {len(self):,} paths of {self.horizon:,} {self.unit}s{state}"
        table: str = self.table.to_html(float_format="{:.4g}".format)
        return f"<p>{escape(head)}</p>{table}"


def _line(name: str, statistic: str, found: Estimate, observed: Mapping[str, float]) -> str:
    texts = [_text(name, number) for number in found]
    data = _text(name, observed[name]) if statistic == "mean" and name in observed else ""
    label = f"{name.replace('_', ' ').capitalize()}, {statistic}"
    return f"{label:26}{texts[0]:>14}{f'{texts[1]} to {texts[2]}':>24}{data:>16}".rstrip()


def _text(name: str, value: float) -> str:
    return f"{value:,.3f}" if name == "terminal_wealth" else written(value, "share")
