"""Risk measures: pure functions of returns. So far, how far a Sharpe ratio can be believed.

Names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from algotrendy.lazy import lazy_names

if TYPE_CHECKING:
    from algotrendy.risk.inputs import as_return_matrix, as_returns
    from algotrendy.risk.sharpe import (
        SharpeEstimate,
        deflated_sharpe_ratio,
        expected_maximum_sharpe,
        minimum_track_record_length,
        probabilistic_sharpe_ratio,
        sharpe_estimate,
        sharpe_ratio,
    )
    from algotrendy.risk.trials import effective_trials

_HOME_OF = {
    "SharpeEstimate": ".sharpe",
    "as_return_matrix": ".inputs",
    "as_returns": ".inputs",
    "deflated_sharpe_ratio": ".sharpe",
    "effective_trials": ".trials",
    "expected_maximum_sharpe": ".sharpe",
    "minimum_track_record_length": ".sharpe",
    "probabilistic_sharpe_ratio": ".sharpe",
    "sharpe_estimate": ".sharpe",
    "sharpe_ratio": ".sharpe",
}

__all__ = [
    "SharpeEstimate",
    "as_return_matrix",
    "as_returns",
    "deflated_sharpe_ratio",
    "effective_trials",
    "expected_maximum_sharpe",
    "minimum_track_record_length",
    "probabilistic_sharpe_ratio",
    "sharpe_estimate",
    "sharpe_ratio",
]

__getattr__ = lazy_names(__name__, _HOME_OF)
