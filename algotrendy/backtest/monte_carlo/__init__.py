"""Monte Carlo: what could have become of a strategy, by resampling what it did.

`run.monte_carlo` is the call; `source` says what is resampled; `paths` draws paths in kernels and keeps running figures
only; `jitter` backtests parameters near the chosen ones; `result` is what comes back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from algotrendy.lazy import lazy_names

if TYPE_CHECKING:
    from algotrendy.backtest.monte_carlo.result import MonteCarloResult
    from algotrendy.backtest.monte_carlo.run import monte_carlo

_HOME_OF = {"MonteCarloResult": ".result", "monte_carlo": ".run"}

__all__ = ["MonteCarloResult", "monte_carlo"]

__getattr__ = lazy_names(__name__, _HOME_OF)
